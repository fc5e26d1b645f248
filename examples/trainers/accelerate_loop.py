"""A loop with accelerate."""

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader


def train(task):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=task.accumulate)
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
    net, optimizer, loader = accelerator.prepare(net, optimizer, loader)
    for _ in range(task.epochs):
        for X, y in loader:
            with accelerator.accumulate(net):
                accelerator.backward(torch.nn.functional.mse_loss(net(X), y))
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), task.max_norm)
                optimizer.step()
                optimizer.zero_grad()
