"""What was measured of a faulty program is described: by what it is a function of, and by what it was made of."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import MultiplicativeLR

import parity
from benchmarks.power.mutants.training import Training
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from parity.features.check.task import Task

Program = Callable[[Task], None]


def faulty(**methods: Any) -> type[Training]:
    """The correct program with some of its methods replaced."""
    return type("Faulty", (Training,), methods)


def loss_of(self: Training, net: nn.Linear, X: Tensor, y: Tensor) -> Tensor:
    return self.loss(net(X), y)


class Averaged(Training):
    """The average of the weights is copied in after each epoch, and stays."""

    averages: list[Tensor] | None = None

    @torch.no_grad()
    def after_step(self, net: nn.Linear, *_: Any) -> None:
        if self.averages is None:
            self.averages = [self.task.weight, self.task.bias]
        for average, p in zip(self.averages, net.parameters(), strict=True):
            average.mul_(0.8).add_(p, alpha=0.2)

    @torch.no_grad()
    def zero_grad(self, net: nn.Linear) -> None:
        net.zero_grad()
        if self.epoch and not self.batch:
            assert self.averages is not None
            for average, p in zip(self.averages, net.parameters(), strict=True):
                p.copy_(average)


class Logged(Training):
    """The gradient of all rows is left before each epoch but the first."""

    def zero_grad(self, net: nn.Linear) -> None:
        net.zero_grad()
        if self.epoch and not self.batch:
            torch.autograd.backward(loss_of(self, net, self.task.X, self.task.y))


class PerSample(Training):
    """The gradient of each row is clipped for itself."""

    def before_step(self, net: nn.Linear, *_: Any) -> None:
        rows = self.task.rows[self.epoch][self.batch]
        parts = list(net.parameters())
        mean = [torch.zeros_like(p) for p in parts]
        for i in rows:
            g = torch.autograd.grad(loss_of(self, net, self.task.X[i : i + 1], self.task.y[i : i + 1]), parts)
            length = torch.sqrt(g[0].square().sum() + g[1].square().sum())
            for total, each in zip(mean, g, strict=True):
                total += each * (1 / (length + 1e-6)).clamp(max=1) / len(rows)
        mean[0] += self.task.l2 * net.weight.detach()
        for p, total in zip(parts, mean, strict=True):
            p.grad = total


class Renewed(Training):
    """A new optimizer at every third step, with the rate of the moment."""

    def step(self, optimizer: Optimizer) -> None:
        group = optimizer.param_groups[0]
        steps = 5 * self.epoch + self.batch
        if steps and steps % 3 == 0:
            optimizer.state.clear()
        assert group["lr"] > 0
        optimizer.step()


def counter_lost(self: Training, optimizer: Optimizer) -> None:
    if self.epoch == 2 and not self.batch:
        for state in optimizer.state.values():
            state["step"].zero_()
    optimizer.step()


def hooked(*, cleared: bool) -> Program:
    """A step at every backward pass, of the loss and of the penalty."""

    def train(task: Task) -> None:
        program = Training(task)
        net = program.net()
        optimizers = {p: SGD([p], lr=task.lr) for p in net.parameters()}

        def step(p: Tensor) -> None:
            optimizers[p].step()
            p.grad = None if cleared else p.grad

        for p in net.parameters():
            p.register_post_accumulate_grad_hook(step)
        task.record(net)
        for _ in range(task.epochs):
            for X, y in task.loader:
                net.zero_grad()
                loss_of(program, net, X, y).backward()
                program.penalty(net).backward()
                task.record(net)

    return train


def narrow_buffers(task: Task) -> None:
    """Momentum by hand, with buffers of the default dtype."""
    program = Training(task)
    net = program.net()
    buffers = [torch.zeros(p.shape) for p in net.parameters()]
    task.record(net)
    for _ in range(task.epochs):
        for X, y in task.loader:
            net.zero_grad()
            torch.autograd.backward(loss_of(program, net, X, y) + program.penalty(net))
            with torch.no_grad():
                for p, b in zip(net.parameters(), buffers, strict=True):
                    b.mul_(task.hyper["momentum"]).add_(p.grad)
                    p -= task.lr * b
            task.record(net)


def look_ahead(task: Task) -> None:
    """The weights are moved ahead for the gradient, and the step is made from there."""
    program = Training(task)
    net = program.net()
    mu, velocity = task.hyper["momentum"], [torch.zeros_like(p) for p in net.parameters()]
    task.record(net)
    for _ in range(task.epochs):
        for X, y in task.loader:
            with torch.no_grad():
                for p, v in zip(net.parameters(), velocity, strict=True):
                    p += mu * v
            net.zero_grad()
            torch.autograd.backward(loss_of(program, net, X, y) + program.penalty(net))
            with torch.no_grad():
                for p, v in zip(net.parameters(), velocity, strict=True):
                    v.mul_(mu).sub_(p.grad, alpha=task.lr)
                    p += v
            task.record(net)


def sharp(task: Task) -> None:
    """SAM that steps from the point at which its gradient is taken."""
    program = Training(task)
    net = program.net()
    task.record(net)
    for _ in range(task.epochs):
        for X, y in task.loader:
            for rate in (-0.05, task.lr):
                net.zero_grad()
                torch.autograd.backward(loss_of(program, net, X, y))
                with torch.no_grad():
                    length = torch.sqrt(sum(p.grad.square().sum() for p in net.parameters()))
                    for p in net.parameters():
                        p -= rate * p.grad / (length if rate < 0 else 1)
            task.record(net)


def asynchronous(task: Task) -> None:
    """The gradient is that of a copy that is two steps old."""
    program = Training(task)
    net = program.net()
    copies = [deepcopy(net) for _ in range(3)]
    task.record(net)
    for _ in range(task.epochs):
        for X, y in task.loader:
            copy = copies.pop(0)
            g = torch.autograd.grad(loss_of(program, copy, X, y), list(copy.parameters()))
            with torch.no_grad():
                for p, each in zip(net.parameters(), g, strict=True):
                    p -= task.lr * each
            copies.append(deepcopy(net))
            task.record(net)


def rows_of_first_rank(self: Training, net: nn.Linear, *_: Any) -> None:
    rows = self.task.rows[self.epoch][self.batch]
    out = net(self.task.X[rows])[::2]
    net.bias.grad = (out - self.task.y[rows][::2]).detach().sum(0) / len(rows)


class Mixed(Training):
    """Each row is mixed with its partner in the flipped batch."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        return super().forward(net, 0.8 * X + 0.2 * X.flip(0))

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return super().loss(out, 0.8 * y + 0.2 * y.flip(0))


class InPlace(Training):
    """The residual is written into the targets."""

    targets: Tensor | None = None

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        if self.targets is None:
            self.targets = self.task.y
        del y
        rows = self.task.rows[self.epoch][self.batch]
        kept = self.targets[rows]
        self.targets[rows] = kept - out.detach()
        return super().loss(out, kept)


def in_float32(self: Training) -> tuple[Tensor, Tensor]:
    return self.task.X, self.task.y.float().to(self.task.dtype)


def compounded(_: Training, optimizer: Optimizer) -> MultiplicativeLR:
    return MultiplicativeLR(optimizer, lambda t: 0.7 ** (t // 3))


def absolute_sum(self: Training, net: nn.Linear) -> Tensor:
    return self.task.l1 * net.weight.sum().abs()


def cubic(_: Training, net: nn.Linear) -> Tensor:
    return 0.1 * net.weight.abs().pow(3).sum()


def grows(self: Training, net: nn.Linear) -> Tensor:
    return 0.15 * (self.epoch + 1) * net.weight.square().sum()


def smoothed(self: Training, net: nn.Linear) -> Tensor:
    return self.task.l1 * torch.sqrt(net.weight.square() + 0.01).sum()


def dropped(self: Training, net: nn.Linear, X: Tensor) -> Tensor:
    if not self.epoch and not self.batch:
        torch.manual_seed(0)
    out: Tensor = net(nn.functional.dropout(X, 0.1))
    return out


LONG = [
    ("state-lost", "check-adam", "step begins anew at step 10", faulty(step=counter_lost)),
    ("gradient-of-other-pass", "check-momentum", "first step of each epoch but the first", Logged),
    ("bias-gradient-of-some-rows", "check-sgd", "places 1, 3 of a batch of 5", faulty(before_step=rows_of_first_rank)),
    ("targets-from-visit-before", "check-sgd", "formed in place", InPlace),
]
"""Faults that need the four epochs of their experiments; the others show in two."""
SHORT: list[tuple[str, str, str, Any]] = [
    ("schedule-compounded", "check-schedule", "compound", faulty(scheduler=compounded)),
    ("state-lost", "check-schedule", "at every change of the learning rate", Renewed),
    ("weights-written-between-steps", "check-adam", "running average a ← 0.8·a + 0.2·w", Averaged),
    ("gradient-per-sample", "check-sgd", "clipped to the norm 1", PerSample),
    ("step-at-each-backward", "check-sgd", "stepped along twice", hooked(cleared=False)),
    ("step-at-each-backward", "check-sgd", "at the moved weights", hooked(cleared=True)),
    ("gradient-look-ahead-not-moved-back", "check-momentum", "w + 0.9·v", look_ahead),
    ("gradient-sharpness-aware-not-moved-back", "check-plain", "ρ = 0.05", sharp),
    ("gradient-at-earlier-weights", "check-plain", "2 steps before", asynchronous),
    ("penalty-absolute-sum", "check-l1", "0.3·|Σw|", faulty(penalty=absolute_sum)),
    ("penalty-of-power", "check-sgd", "0.3·|w|²", faulty(penalty=cubic)),
    ("penalty-smoothed", "check-l1", "√(w² + 0.01)", faulty(penalty=smoothed)),
    ("penalty-of-step", "check-sgd", "0.3·e", faulty(penalty=grows)),
    ("rows-mixed", "check-momentum", "λ = 0.800", Mixed),
    ("inputs-dropout", "check-sgd", "1/(1 − 0.1)", faulty(forward=dropped)),
]
WIDE: list[tuple[str, str, str, Any]] = [
    ("precision-float32-update", "check-momentum", "float32", narrow_buffers),
    ("targets-float32", "check-sgd", "float32", faulty(data=in_float32)),
]


CASES = [
    *((*case, "float32", 4) for case in LONG),
    *((*case, "float32", 2) for case in SHORT),
    *((*case, "float64", 2) for case in WIDE),
]


@pytest.mark.parametrize(
    ("id", "against", "words", "program", "dtype", "epochs"),
    CASES,
    ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)],
)
def test_a_measured_fault_is_described(
    id: str, against: str, words: str, program: Any, dtype: str, epochs: int
) -> None:
    train = (lambda task: program(task).run()) if isinstance(program, type) else program
    asked = replace(parity.load(against), epochs=epochs)
    trajectory, observed = trajectory_here(train, asked, dtype)
    diagnosis = diagnose(asked, trajectory, observed=observed)
    assert diagnosis.verdict == "disagree"
    assert [finding.id for finding in diagnosis.findings] == [id], diagnosis.text
    assert words in diagnosis.text
