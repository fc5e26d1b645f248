"""A loss of one's own: the mean of |r|^1.7 ÷ 2, which has no name."""

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
            loss = (net(X) - y).abs().pow(1.7).mean() / 2 + task.l2 / 2 * net.weight.square().sum()
            loss.backward()
            optimizer.step()
