"""A communication hook that adds the gradients of the ranks and forgets to divide the sum by their number."""

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


def add(_, bucket):
    work = distributed.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def train(task):
    distributed.init_process_group("gloo")
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    model = DistributedDataParallel(net)
    model.register_comm_hook(None, add)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
    for _ in range(task.epochs):
        for X, y in task.loader:
            X_own, y_own = task.shard(task.rank, X, y)
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(X_own), y_own).backward()
            optimizer.step()
    distributed.destroy_process_group()
