"""Lightning, which takes the steps itself."""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader


class Regression(LightningModule):
    def __init__(self, task):
        super().__init__()
        self.task = task
        self.net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        self.net.load_state_dict(task.initial)

    def training_step(self, batch):
        X, y = batch
        return torch.nn.functional.mse_loss(self.net(X), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.task.param_groups(self.net), momentum=0.9)


def train(task):
    trainer = Trainer(
        max_epochs=task.epochs,
        accumulate_grad_batches=task.accumulate,
        gradient_clip_val=task.max_norm,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Regression(task), DataLoader(task.dataset, batch_sampler=task.batch_sampler))
