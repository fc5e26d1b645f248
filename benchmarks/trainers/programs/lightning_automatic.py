"""Lightning, which takes the steps itself."""

import probe
import torch
from lightning.pytorch import LightningModule, Trainer


class Regression(LightningModule):
    def __init__(self, job):
        super().__init__()
        self.net, self.job = job.net, job

    def training_step(self, batch):
        X, y = batch
        return self.job.loss(self.net(X), y)

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.job.groups, momentum=self.job.momentum)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, self.job.gamma or 1.0)]


def fit(job):
    trainer = Trainer(
        max_epochs=job.epochs,
        accumulate_grad_batches=job.accumulate,
        gradient_clip_val=job.max_norm,
        precision="bf16-mixed" if job.bf16 else None,
        accelerator="cpu",
        strategy="ddp" if job.batches is None else "auto",
        devices=2 if job.batches is None else 1,
        **probe.QUIET,
    )
    saved = job.saved("saved.ckpt")
    trainer.fit(Regression(job), job.loader(), ckpt_path=saved if job.load else None)
    if job.save:
        trainer.save_checkpoint(saved)


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    probe.main(fit)
