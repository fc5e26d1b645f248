"""Lightning with manual optimization: the module says when a step is taken, and what it is divided by."""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader


class Regression(LightningModule):
    def __init__(self, task):
        super().__init__()
        self.automatic_optimization = False
        self.task = task
        self.net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        self.net.load_state_dict(task.initial)

    def training_step(self, batch, index):
        X, y = batch
        first = index - index % self.task.accumulate
        window = min(self.task.accumulate, self.trainer.num_training_batches - first)
        self.manual_backward(torch.nn.functional.mse_loss(self.net(X), y) / window)
        if index + 1 == first + window:
            optimizer = self.optimizers()
            self.clip_gradients(optimizer, gradient_clip_val=self.task.max_norm, gradient_clip_algorithm="norm")
            optimizer.step()
            optimizer.zero_grad()

    def configure_optimizers(self):
        return torch.optim.SGD(self.task.param_groups(self.net), momentum=0.9)


def train(task):
    trainer = Trainer(
        max_epochs=task.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Regression(task), DataLoader(task.dataset, batch_sampler=task.batch_sampler))
