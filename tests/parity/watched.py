"""A small training and the optimizers of it, right and wrong, that the live check watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer as TorchOptimizer


def cnn() -> nn.Sequential:
    """Two convolutions with batch norm between them, and a classifier: tensors of 4 to 1,152 elements."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 16, 4),
    )


def batches(steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        labels = torch.randint(4, (8,), generator=generator)
        yield torch.randn(8, 1, 8, 8, generator=generator) + labels.reshape(-1, 1, 1, 1), labels


def train(model: nn.Module, optimizer: TorchOptimizer, steps: int, scheduler: Any = None) -> list[float]:
    """Real training; the losses."""
    losses = []
    for images, labels in batches(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
    return losses


def train_mixed(model: nn.Module, optimizer: TorchOptimizer, steps: int, overflows: tuple[int, ...] = ()) -> None:
    """Under autocast, with a ``GradScaler`` that skips the steps whose loss is made infinite."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for number, (images, labels) in enumerate(batches(steps)):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(images), labels)
        scaler.scale(loss * (torch.inf if number in overflows else 1)).backward()
        scaler.step(optimizer)
        scaler.update()


def one(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A parameter with a gradient."""
    generator = torch.Generator().manual_seed(2)
    w = torch.randn(size, generator=generator).to(dtype).requires_grad_()
    w.grad = torch.randn(size, generator=generator).to(dtype)
    return w


def two_groups(model: nn.Module) -> list[dict[str, Any]]:
    parameters = list(model.parameters())
    return [{"params": parameters[:4]}, {"params": parameters[4:], "lr": 0.003}]


class SlowSecondGroup(torch.optim.AdamW):
    """Makes the steps of its second group 1e-4 too short."""

    def step(self, closure: Any = None) -> Any:
        group = self.param_groups[1]
        rate = group["lr"]
        group["lr"] = rate * (1 - 1e-4)
        result = super().step(closure)
        group["lr"] = rate
        return result


def after_step(change: Callable[[Any], None], base: Any = torch.optim.AdamW) -> Any:
    """A class whose every step is followed by ``change(optimizer)``."""

    class Changed(base):
        def step(self, closure: Any = None) -> None:
            super().step(closure)
            with torch.no_grad():
                change(self)

    return Changed


def count_twice(optimizer: Any) -> None:
    next(iter(optimizer.state.values()))["step"] += 1


def hooks(optimizer: Any) -> int:
    return len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
