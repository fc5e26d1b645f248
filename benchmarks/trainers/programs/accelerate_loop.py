"""A loop with accelerate: everything is prepared, and each line of a step stands in ``accumulate``."""

import probe
import torch
from accelerate import Accelerator


def fit(job):
    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=job.accumulate, mixed_precision="bf16" if job.bf16 else "no"
    )
    optimizer = torch.optim.SGD(job.groups, momentum=job.momentum)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, job.gamma or 1.0)
    net, optimizer, loader, scheduler = accelerator.prepare(job.net, optimizer, job.loader(), scheduler)
    start = 0
    if job.load:
        accelerator.load_state(job.load)
        start = 1
    for _ in range(start, job.epochs):
        for X, y in loader:
            with accelerator.accumulate(net):
                with accelerator.autocast():
                    loss = job.loss(net(X), y)
                accelerator.backward(loss)
                if accelerator.sync_gradients and job.max_norm:
                    accelerator.clip_grad_norm_(net.parameters(), job.max_norm)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    if job.save:
        accelerator.save_state(job.save)
    accelerator.end_training()


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    probe.main(fit)
