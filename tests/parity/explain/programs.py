"""Programs that train with one thing wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.power.mutants.training import Training
from parity.features.check.task import Task

Program = Callable[[Task], None]


def faulty(**methods: Any) -> Program:
    """The correct program with some of its methods replaced."""
    made = type("Faulty", (Training,), methods)
    return lambda task: made(task).run()


def half(out: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (out - y).square().mean()


def mean_of_means(self: Training, out: Tensor, y: Tensor) -> Tensor:
    parts = list(zip(out.split(2), y.split(2), strict=True))
    return torch.stack([half(*part) for part in parts]).mean()


def padded(self: Training, epoch: int) -> list[Tensor]:
    return [torch.cat([rows, rows[:1]]) for rows in self.task.rows[epoch]]


def rate(factor: Callable[[int], float]) -> Program:
    """The learning rate is multiplied by a number that depends on the step."""
    return faulty(scheduler=lambda self, optimizer: LambdaLR(optimizer, factor))


def on_gradients(change: Callable[[Training, nn.Linear], Any]) -> Program:
    """Between the backward pass and the step."""

    @torch.no_grad()
    def before_step(self: Training, net: nn.Linear, optimizer: Any) -> None:
        change(self, net)

    return faulty(before_step=before_step)


def on_weights(when: str, change: Callable[[Training, Tensor], Any]) -> Program:
    """The weight is written by something else, before the backward pass or after the step."""

    @torch.no_grad()
    def written(self: Training, net: nn.Linear, *_: Any) -> None:
        net.zero_grad()
        change(self, net.weight)

    return faulty(**{when: written})


def by_hand(write: Callable[[Tensor, float], Any]) -> Program:
    """Without an optimizer: each parameter is stepped, and the weight then written."""

    @torch.no_grad()
    def step(self: Training, optimizer: Any) -> None:
        weight, bias = optimizer.param_groups[0]["params"]
        decayed = weight.clone()
        for p in (weight, bias):
            p -= self.task.lr * p.grad
        write(weight, decayed)

    return faulty(step=step)


class SharpnessAware(Training):
    """The gradient is taken at w + ρ·g/‖g‖."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        self.X = X
        return super().forward(net, X)

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        self.y = y
        return super().loss(out, y)

    def before_step(self, net: nn.Linear, optimizer: Any) -> None:
        moves = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        norm = torch.cat([move.flatten() for move in moves]).norm()
        for sign in (1, -1):
            with torch.no_grad():
                for p, move in zip(net.parameters(), moves, strict=True):
                    p += sign * 0.05 * move / norm
            if sign > 0:
                net.zero_grad()
                self.backward(half(net(self.X), self.y) + self.penalty(net))


def decay_of_optimizer(self: Training, net: nn.Linear) -> torch.optim.SGD:
    groups = [{"params": net.weight, "weight_decay": self.task.l2}, {"params": net.bias}]
    return torch.optim.SGD(groups, lr=self.task.lr)


def linear_scaling(self: Training, net: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    optimizer.param_groups[0]["lr"] = self.task.lr * self.size / 5


def alternate(self: Training, net: nn.Linear) -> Any:
    return [torch.optim.SGD([p], lr=self.task.lr, momentum=0.9) for p in net.parameters()]


def lost(self: Training, net: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    if (self.epoch, self.batch) == (2, 0):
        optimizer.state.clear()


def towards_start(self: Training, net: nn.Linear) -> Tensor:
    return self.task.l2 / 2 * (net.weight - self.task.weight).square().sum()


def averaged(task: Task) -> None:
    """What is recorded is an average."""
    kept: dict[str, Tensor] = {}
    record = task.record

    def shadow(net: nn.Linear, loss: Any = None) -> None:
        for name, p in net.named_parameters():
            kept[name] = 0.9 * kept[name] + 0.1 * p.detach() if name in kept else p.detach().clone()
        record(kept, loss=loss)

    task.record = shadow  # type: ignore[method-assign,assignment]
    faulty()(task)


def weight_norm(task: Task) -> None:
    record = task.record

    def shown(net: nn.Linear, loss: Any = None) -> None:
        record({"weight": net.weight, "bias": net.bias}, loss=loss)

    task.record = shown  # type: ignore[method-assign,assignment]
    faulty(net=lambda self: nn.utils.parametrizations.weight_norm(Training.net(self)))(task)


def clipped_each(self: Training, net: nn.Linear) -> None:
    for p in net.parameters():
        nn.utils.clip_grad_norm_([p], 1.0)


def halved(self: Training, net: nn.Linear) -> None:
    for p in net.parameters():
        assert p.grad is not None
        p.grad.copy_(p.grad.half())


class Prefetching(Training):
    """The next inputs are written over those of now before these are used."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        rows = self.task.rows[self.epoch]
        later = self.task.X[rows[self.batch + 1]] if self.batch + 1 < len(rows) else X[:0]
        buffer = X.clone()
        buffer[: len(later)] = later
        return super().forward(net, buffer)


class Packed(Training):
    """The forward pass multiplies with a copy of the weight that is made at the start of an epoch."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        if self.batch == 0:
            self.copy = net.weight.detach().clone()
        return nn.functional.linear(X, net.weight + (self.copy - net.weight).detach(), net.bias)


class LocalSGD(Training):
    """Two replicas step with their own half of the batch, and their weights are averaged."""

    def run(self) -> None:
        nets = [self.net(), self.net()]
        optimizers = [torch.optim.SGD(net.parameters(), lr=self.task.lr, momentum=0.9) for net in nets]
        self.task.record(nets[0])
        for X, y in (batch for _ in range(self.task.epochs) for batch in self.task.loader):
            for rank, (net, optimizer) in enumerate(zip(nets, optimizers, strict=True)):
                net.zero_grad()
                (half(net(X[rank::2]), y[rank::2]) + self.penalty(net)).backward()
                optimizer.step()
            with torch.no_grad():
                for p, q in zip(*(net.parameters() for net in nets), strict=True):
                    p.copy_((p + q) / 2)
                    q.copy_(p)
            self.task.record(nets[0])


def replaced(self: Training, net: nn.Linear, _: Any) -> None:
    """The parameters are other tensors than those that the optimizer holds."""
    if (self.epoch, self.batch) == (1, 1):
        net.load_state_dict({name: p.clone() for name, p in net.state_dict().items()}, assign=True)


class NotRestored(Training):
    """One step begins with the initial weights: a copy of them was not restored."""

    by_hand = True

    @torch.no_grad()
    def step(self, optimizer: Any) -> None:
        weight, bias = optimizer.param_groups[0]["params"]
        if (self.epoch, self.batch) == (1, 1):
            weight.copy_(self.task.weight)
            bias.copy_(self.task.bias)
        if self.by_hand:
            for p in (weight, bias):
                p -= self.task.lr * p.grad
        else:
            optimizer.step()


def largest(self: Training, net: nn.Linear) -> Tensor:
    return self.task.l2 * torch.linalg.norm(net.weight, 1)


def base_point(task: Task) -> None:
    """Nesterov as in the paper, of which the base point is recorded."""
    base, v = [task.weight, task.bias], [0 * task.weight, 0 * task.bias]
    for X, y in (batch for _ in range(task.epochs) for batch in task.loader):
        ahead = [(p + 0.9 * each).requires_grad_() for p, each in zip(base, v, strict=True)]
        loss = half(nn.functional.linear(X, *ahead), y) + task.l2 / 2 * ahead[0].square().sum()
        g = torch.autograd.grad(loss, ahead)
        v = [0.9 * each - task.lr * its for each, its in zip(v, g, strict=True)]
        base = [p + each for p, each in zip(base, v, strict=True)]
        task.record(weight=base[0], bias=base[1])


def counted_anew(t: int) -> float:
    """From step 4 on the count begins anew, and the rate goes on."""
    return float(0.7 ** (t // 3) if t < 4 else 0.7 ** (1 + (t - 4) // 3))


class AddedTwice(Training):
    """Steps by hand; at the end of an epoch what was learnt in it is added once more, and no hook sees it."""

    def run(self) -> None:
        w, b = self.task.weight, self.task.bias
        self.task.record(w, b)
        for _ in range(self.task.epochs):
            start = w.clone()
            for X, y in self.task.loader:
                w, b = w.detach().requires_grad_(), b.detach().requires_grad_()
                loss = half(nn.functional.linear(X, w, b), y) + self.task.l2 / 2 * w.square().sum()
                for p, g in zip((w, b), torch.autograd.grad(loss, (w, b)), strict=True):
                    p.data -= self.task.lr * g
                self.task.record(w.clone(), b.clone())
            w = (2 * w - start).detach()


def in_other_units(task: Task) -> None:
    """The inputs are divided by their deviation and the weight multiplied by it; what is recorded is folded back."""
    scale = task.X.std(0, unbiased=False)
    w, b = (task.weight * scale).requires_grad_(), task.bias.requires_grad_()
    for X, y in (batch for _ in range(task.epochs) for batch in task.loader):
        loss = half(nn.functional.linear(X / scale, w, b), y)
        for p, g in zip((w, b), torch.autograd.grad(loss, (w, b)), strict=True):
            p.data -= task.lr * g
        task.record((w / scale).detach(), b.detach().clone())


def one_late(task: Task) -> None:
    """The weight is recorded as it was before the step, the bias as it is after it."""
    record, before = task.record, task.weight

    def shown(net: nn.Linear, loss: Any = None) -> None:
        nonlocal before
        record(before, net.bias, loss=loss)
        before = net.weight.detach().clone()

    task.record = shown  # type: ignore[method-assign,assignment]
    faulty()(task)


def filled_up(self: Training, epoch: int) -> list[Tensor]:
    return [torch.cat([rows, rows[-1:].expand(5 - len(rows))]) for rows in self.task.rows[epoch]]


def lazily(self: Training, net: nn.Linear) -> Tensor:
    return (4 * self.task.l1 if (5 * self.epoch + self.batch) % 4 == 0 else 0) * net.weight.abs().sum()
