"""The Trainer of transformers."""

import tempfile

import torch
from torch.utils.data import DataLoader, default_collate
from transformers import Trainer, TrainingArguments


class Regression(torch.nn.Module):
    def __init__(self, task):
        super().__init__()
        self.net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        self.net.load_state_dict(task.initial)

    def forward(self, X, y):
        return {"loss": torch.nn.functional.mse_loss(self.net(X), y)}


def collate(rows):
    X, y = default_collate(rows)
    return {"X": X, "y": y}


class InOrder(Trainer):
    def __init__(self, task, **options):
        self.task = task
        super().__init__(**options)

    def get_train_dataloader(self):
        loader = DataLoader(self.task.dataset, batch_sampler=self.task.batch_sampler, collate_fn=collate)
        return self.accelerator.prepare(loader)


def train(task):
    model = Regression(task)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=task.epochs,
            gradient_accumulation_steps=task.accumulate,
            max_grad_norm=task.max_norm,
            lr_scheduler_type="constant",
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        optimizer = torch.optim.SGD(task.param_groups(model), momentum=0.9)
        InOrder(task, model=model, args=arguments, optimizers=(optimizer, None)).train()
