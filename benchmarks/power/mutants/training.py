"""A correct training program in plain torch, in the order of a tutorial; a mutant overrides one method or a few.

::

    X, y = data; net = Linear; optimizer = torch.optim...; scheduler
    for each epoch, for the rows of each batch:
        zero the gradients
        J = loss(net(X), y) + λ/2·‖w‖² + λ₁·‖w‖₁,  backward
        optimizer.step(), scheduler.step()

A decay that is the optimizer's own (AdamW's ``weight_decay``) is one of its options.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from parity.features.check.task import Task
from refimpl.losses import SquaredError
from refimpl.schedules import Step


class Training:
    """``epoch``, ``batch`` (its number in the epoch) and ``size`` (its rows): where the program is."""

    epoch = batch = size = 0

    def __init__(self, task: Task) -> None:
        self.task = task

    # -- what is trained on ---------------------------------------------------------------------------------------

    def data(self) -> tuple[Tensor, Tensor]:
        """``X`` ``(n, p)`` and ``y`` ``(n, 1)``."""
        return self.task.X, self.task.y

    def rows(self, epoch: int) -> list[Tensor]:
        """The row numbers of each batch of an epoch."""
        return self.task.rows[epoch]

    # -- what is trained ------------------------------------------------------------------------------------------

    def net(self) -> nn.Linear:
        net = nn.Linear(self.task.features, 1, dtype=self.task.dtype, device=self.task.device)
        with torch.no_grad():
            net.weight.copy_(self.task.weight)
            net.bias.copy_(self.task.bias)
        return net

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        out: Tensor = net(X)
        return out

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """c·mean(r²) or c·Σr², as the experiment has it."""
        squares = (out - y).square()
        return self.factor * (squares.mean() if self.mean else squares.sum())

    def penalty(self, net: nn.Linear) -> Tensor:
        """λ/2·‖w‖² + λ₁·‖w‖₁."""
        return 0.5 * self.task.l2 * net.weight.square().sum() + self.task.l1 * net.weight.abs().sum()

    # -- how it is trained ----------------------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """The options of the optimizer, but for its decay."""
        return {name: value for name, value in self.task.hyper.items() if name != "weight_decay"}

    def decay(self) -> float:
        """The optimizer's own weight decay, of every parameter that it is given."""
        return float(self.task.hyper.get("weight_decay", 0.0))

    def optimizer(self, net: nn.Linear) -> Optimizer:
        made: Optimizer = getattr(torch.optim, self.kind)(net.parameters(), **self.options(), weight_decay=self.decay())
        return made

    def scheduler(self, optimizer: Optimizer) -> LRScheduler | None:
        schedule = self.task.experiment.schedule
        if isinstance(schedule, Step):
            return StepLR(optimizer, schedule.step_size, float(schedule.gamma))
        return None

    def advance(self, scheduler: LRScheduler, after: Literal["step", "epoch"]) -> None:
        """Called after every step and after every epoch."""
        if after == self.task.experiment.schedule.per:
            scheduler.step()

    # -- one step -------------------------------------------------------------------------------------------------

    def zero_grad(self, net: nn.Linear) -> None:
        net.zero_grad()

    def backward(self, objective: Tensor) -> None:
        torch.autograd.backward(objective)

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        """Between ``backward`` and ``step``."""

    def step(self, optimizer: Optimizer) -> None:
        optimizer.step()

    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        """Between ``step`` and what is recorded."""

    # -- the loop -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        X, y = self.data()
        net = self.net()
        optimizer = self.optimizer(net)
        scheduler = self.scheduler(optimizer)
        self.task.record(net)
        for epoch in range(self.task.epochs):
            for batch, rows in enumerate(self.rows(epoch)):
                self.epoch, self.batch, self.size = epoch, batch, len(rows)
                self.zero_grad(net)
                loss = self.loss(self.forward(net, X[rows]), y[rows])
                self.backward(loss + self.penalty(net))
                self.before_step(net, optimizer)
                self.step(optimizer)
                self.after_step(net, optimizer)
                if scheduler is not None:
                    self.advance(scheduler, "step")
                self.task.record(net, loss=loss)
            if scheduler is not None:
                self.advance(scheduler, "epoch")

    # -- what the experiment asks for -----------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The name of the optimizer in ``torch.optim``."""
        return type(self.task.experiment.optimizer).__name__

    @property
    def factor(self) -> float:
        return float(self._loss.factor)

    @property
    def mean(self) -> bool:
        return self._loss.reduction == "mean"

    @property
    def _loss(self) -> SquaredError:
        loss = self.task.experiment.loss
        assert isinstance(loss, SquaredError)
        return loss
