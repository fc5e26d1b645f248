"""A loop over torch's ``DataLoader``."""

import probe
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler


def fit(job):
    model, loader = job.net, job.loader()
    if job.batches is None:
        distributed.init_process_group("gloo")
        model = DistributedDataParallel(job.net)
        loader = DataLoader(job.dataset, batch_size=1, sampler=DistributedSampler(job.dataset, shuffle=False))
    optimizer = torch.optim.SGD(job.groups, momentum=job.momentum)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, job.gamma or 1.0)
    parts, start = {"net": job.net, "optimizer": optimizer, "scheduler": scheduler}, 0
    if job.load:
        saved = torch.load(job.saved("saved.pt"))
        start = saved.pop("epoch")
        for name, state in saved.items():
            parts[name].load_state_dict(state)
    for _ in range(start, job.epochs):
        for i, (X, y) in enumerate(loader):
            first = i - i % job.accumulate
            window = min(job.accumulate, len(loader) - first)
            with torch.autocast("cpu", torch.bfloat16, enabled=job.bf16):
                loss = job.loss(model(X), y) / window
            loss.backward()
            if i + 1 == first + window:
                if job.max_norm:
                    torch.nn.utils.clip_grad_norm_(job.net.parameters(), job.max_norm)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    if job.save:
        saved = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**saved, "epoch": job.epochs}, job.saved("saved.pt"))
    if job.batches is None:
        distributed.destroy_process_group()


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    probe.main(fit)
