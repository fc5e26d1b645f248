"""Gradient accumulation: each step's batch goes through the model in pieces of two rows."""

from torch import nn, no_grad
from torch.optim import SGD


def train(task):
    net = nn.Linear(task.features, 1, dtype=task.dtype)
    with no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    optimizer = SGD(net.parameters(), lr=task.lr)
    for _ in range(task.epochs):
        for X, y in task.loader:
            pieces = list(zip(X.split(2), y.split(2), strict=True))
            for some_X, some_y in pieces:
                loss = nn.functional.mse_loss(net(some_X), some_y) / 2
                (loss / len(pieces)).backward()
            (task.l2 / 2 * net.weight.square().sum()).backward()
            optimizer.step()
            optimizer.zero_grad()
