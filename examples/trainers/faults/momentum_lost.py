"""Resumed after each epoch from the weights alone: the momentum begins at zero again."""

import torch
from torch.utils.data import DataLoader


def train(task):
    task.record(task.weight, task.bias)
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    saved = task.initial
    for _ in range(task.epochs):
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        net.load_state_dict(saved)
        optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
        for i, (X, y) in enumerate(loader):
            first = i - i % task.accumulate
            window = min(task.accumulate, len(loader) - first)
            (torch.nn.functional.mse_loss(net(X), y) / window).backward()
            if i + 1 == first + window:
                torch.nn.utils.clip_grad_norm_(net.parameters(), task.max_norm)
                optimizer.step()
                optimizer.zero_grad()
                task.record(net)
        saved = net.state_dict()
