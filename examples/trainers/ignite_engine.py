"""The supervised trainer of ignite. Its update has no place for clipping, which a handler cannot do in time."""

import torch
from ignite.engine import create_supervised_trainer
from torch.utils.data import DataLoader


def train(task):
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
    trainer = create_supervised_trainer(
        net, optimizer, torch.nn.functional.mse_loss, gradient_accumulation_steps=task.accumulate
    )
    trainer.run(loader, max_epochs=task.epochs)
