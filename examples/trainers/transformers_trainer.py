"""The Trainer of transformers."""

import tempfile

import torch
from torch.utils.data import DataLoader, default_collate
from transformers import Trainer, TrainingArguments


class Regression(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, X, y):
        return {"loss": torch.nn.functional.mse_loss(self.net(X), y)}


def collate(rows):
    X, y = default_collate(rows)
    return {"X": X, "y": y}


def train(task):
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler, collate_fn=collate)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
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
        trainer = Trainer(model=Regression(net), args=arguments, optimizers=(optimizer, None))
        trainer.get_train_dataloader = lambda: trainer.accelerator.prepare(loader)
        trainer.train()
