"""A script as it is, with its own data: nothing in it knows of parity."""

from pathlib import Path

import numpy as np
import torch
from torch import nn


def main():
    table = torch.from_numpy(np.loadtxt(Path(__file__).with_name("mine.csv"), delimiter=",", skiprows=1))
    X, y = table[:, :-1].float(), table[:, -1:].float()
    net = nn.Linear(3, 1)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    groups = [{"params": net.weight, "weight_decay": 0.1}, {"params": net.bias}]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(X), y).backward()
        optimizer.step()


if __name__ == "__main__":
    main()
