"""The supervised trainer of ignite."""

import ignite.distributed as idist
import probe
import torch
from ignite.engine import Events, create_supervised_trainer
from ignite.handlers import Checkpoint
from ignite.handlers.param_scheduler import LRScheduler


def fit(job):
    model, loader = job.net, job.loader()
    optimizer = torch.optim.SGD(job.groups, momentum=job.momentum)
    if job.batches is None:
        idist.initialize("gloo")
        model, optimizer = idist.auto_model(job.net), idist.auto_optim(optimizer)
        loader = idist.auto_dataloader(job.dataset, batch_size=2, shuffle=False)
    trainer = create_supervised_trainer(
        model,
        optimizer,
        job.loss,
        gradient_accumulation_steps=job.accumulate,
        amp_mode="amp" if job.bf16 else None,
    )
    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR(optimizer, job.gamma or 1.0))
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    parts = {"trainer": trainer, "net": job.net, "optimizer": optimizer, "scheduler": scheduler}
    if job.load:
        Checkpoint.load_objects(parts, torch.load(job.saved("saved.pt")))
    trainer.run(loader, max_epochs=job.epochs)
    if job.save:
        torch.save({name: part.state_dict() for name, part in parts.items()}, job.saved("saved.pt"))
    if job.batches is None:
        idist.finalize()


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    none = "has no option for it: one's own update function clips"
    probe.main(fit, without={"clipping": none, "clipping-window": none})
