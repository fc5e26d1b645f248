"""Weight decay by hand, after the step: it shrinks the weights that the step has just made."""

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
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(X), y) / 2
            loss.backward()
            optimizer.step()
            with no_grad():
                net.weight.mul_(1 - task.lr * task.l2)
