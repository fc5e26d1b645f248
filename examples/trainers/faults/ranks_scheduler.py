"""A scheduler that every rank advances for all of them: it runs so many times too fast."""

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


def train(task):
    distributed.init_process_group("gloo")
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for _ in range(task.epochs):
        for X, y in task.loader:
            X_own, y_own = task.shard(task.rank, X, y)
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(X_own), y_own).backward()
            optimizer.step()
            for _ in range(task.world_size):
                scheduler.step()
    distributed.destroy_process_group()
