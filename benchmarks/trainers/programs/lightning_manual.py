"""Lightning with manual optimization: the module says when a step is taken, and what it is divided by."""

import probe
import torch
from lightning.pytorch import LightningModule, Trainer


class Regression(LightningModule):
    def __init__(self, job):
        super().__init__()
        self.automatic_optimization = False
        self.net, self.job = job.net, job

    def training_step(self, batch, index):
        X, y = batch
        first = index - index % self.job.accumulate
        window = min(self.job.accumulate, self.trainer.num_training_batches - first)
        self.manual_backward(self.job.loss(self.net(X), y) / window)
        if index + 1 == first + window:
            optimizer = self.optimizers()
            if self.job.max_norm:
                self.clip_gradients(optimizer, gradient_clip_val=self.job.max_norm, gradient_clip_algorithm="norm")
            optimizer.step()
            self.lr_schedulers().step()
            optimizer.zero_grad()

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.job.groups, momentum=self.job.momentum)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, self.job.gamma or 1.0)]


def fit(job):
    trainer = Trainer(
        max_epochs=job.epochs,
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
