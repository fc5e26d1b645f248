"""The Trainer of transformers."""

import tempfile

import probe
import torch
from torch.utils.data import default_collate
from transformers import Trainer, TrainingArguments


class Regression(torch.nn.Module):
    def __init__(self, job):
        super().__init__()
        self.net, self.loss = job.net, job.loss

    def forward(self, X, y):
        return {"loss": self.loss(self.net(X), y)}


def collate(rows):
    X, y = default_collate(rows)
    return {"X": X, "y": y}


class InOrder(Trainer):
    def __init__(self, job, **options):
        self.job = job
        super().__init__(**options)

    def get_train_dataloader(self):
        return self.accelerator.prepare(self.job.loader(collate_fn=collate))


def fit(job):
    model = Regression(job)
    optimizer = torch.optim.SGD(job.groups, momentum=job.momentum)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, job.gamma or 1.0)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=job.save or folder,
            num_train_epochs=job.epochs,
            gradient_accumulation_steps=job.accumulate,
            max_grad_norm=job.max_norm or 0.0,
            bf16=job.bf16,
            use_cpu=True,
            ddp_find_unused_parameters=False,
            ddp_backend="gloo" if job.batches is None else None,
            save_strategy="epoch" if job.save else "no",
            report_to="none",
            disable_tqdm=True,
            optim="sgd",
            learning_rate=job.groups[0]["lr"],
            weight_decay=job.groups[0]["weight_decay"],
            lr_scheduler_type="constant",
        )
        given = (None, None) if job.own else (optimizer, scheduler)
        trainer = InOrder(job, model=model, args=arguments, optimizers=given)
        trainer.train(resume_from_checkpoint=next(job.load.iterdir()) if job.load else None)


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    probe.main(fit)
