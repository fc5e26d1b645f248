"""skorch, with the class of its FAQ for accumulation."""

import torch
from skorch import NeuralNetRegressor
from torch.utils.data import DataLoader


class Accumulating(NeuralNetRegressor):
    def __init__(self, *args, acc_steps=1, **options):
        super().__init__(*args, **options)
        self.acc_steps = acc_steps

    def get_loss(self, *args, **options):
        return super().get_loss(*args, **options) / self.acc_steps

    def train_step(self, batch, **options):
        step = self.train_step_single(batch, **options)
        if len(self.history[-1, "batches"]) % self.acc_steps == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


def train(task):
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    regressor = Accumulating(
        net,
        acc_steps=task.accumulate,
        optimizer=lambda *_, **__: torch.optim.SGD(task.param_groups(net), momentum=0.9),
        iterator_train=lambda data, **_: DataLoader(data, batch_sampler=task.batch_sampler),
        max_epochs=task.epochs,
        train_split=None,
        verbose=0,
    )
    regressor.fit(task.dataset, None)
