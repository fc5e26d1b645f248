"""One group for all parameters: the bias is decayed like the weight."""

import torch
from torch.utils.data import DataLoader


def train(task):
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9, weight_decay=task.hyper["weight_decay"])
    for _ in range(task.epochs):
        for i, (X, y) in enumerate(loader):
            first = i - i % task.accumulate
            window = min(task.accumulate, len(loader) - first)
            (torch.nn.functional.mse_loss(net(X), y) / window).backward()
            if i + 1 == first + window:
                torch.nn.utils.clip_grad_norm_(net.parameters(), task.max_norm)
                optimizer.step()
                optimizer.zero_grad()
