"""Wrong gradients: of another moment, accumulated, clipped, rounded."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


def gradients(net: nn.Linear) -> list[Tensor]:
    """The gradients of the trained parameters."""
    return [parameter.grad for parameter in net.parameters() if parameter.grad is not None]


class Stale(Training):
    """``step`` before ``backward``: it moves by the gradient of the step before, at first by none."""

    kept: list[Tensor | None]

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        now = [parameter.grad for parameter in net.parameters()]
        before = [None] * len(now) if self.epoch == self.batch == 0 else self.kept
        for parameter, gradient in zip(net.parameters(), before, strict=True):
            parameter.grad = gradient
        self.kept = now


class Accumulated(Training):
    """``zero_grad`` is forgotten."""

    def zero_grad(self, net: nn.Linear) -> None:
        pass


class AccumulatedInEpoch(Training):
    """``zero_grad`` stands in the loop over epochs, above the loop over batches."""

    def zero_grad(self, net: nn.Linear) -> None:
        if self.batch == 0:
            super().zero_grad(net)


class OfTwoBatches(Training):
    """Gradients of two batches are accumulated for each step."""

    def zero_grad(self, net: nn.Linear) -> None:
        if self._even():
            super().zero_grad(net)

    def step(self, optimizer: Optimizer) -> None:
        if not self._even():
            super().step(optimizer)

    def _even(self) -> bool:
        return (self.epoch * len(self.task.loader) + self.batch) % 2 == 0


class ClippedByNorm(Training):
    """``clip_grad_norm_`` from another project."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)


class ClippedByValue(Training):
    """``clip_grad_value_`` from another project."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        nn.utils.clip_grad_value_(net.parameters(), 0.1)


class PreviousBatch(Training):
    """A prefetched batch is used one step late; the first one twice."""

    def rows(self, epoch: int) -> list[Tensor]:
        before = self.task.rows[epoch - 1][-1] if epoch else self.task.rows[0][0]
        return [before, *self.task.rows[epoch][:-1]]


class Bfloat16(Training):
    """Gradients travel in bfloat16, as between machines."""

    narrow = torch.bfloat16

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        for gradient in gradients(net):
            gradient.copy_(gradient.to(self.narrow))


class Float16(Bfloat16):
    """Gradients travel in float16."""

    narrow = torch.float16


class Sign(Training):
    """Only the sign of each element."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        for gradient in gradients(net):
            gradient.sign_()


class Normalised(Training):
    """Divided by the norm over all parameters."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        norm = nn.utils.get_total_norm(gradients(net))
        for gradient in gradients(net):
            gradient.div_(norm)


class Noise(Training):
    """Every element is off by 0.1 %, at random: nothing that has a name."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        generator = torch.Generator().manual_seed(5 * self.epoch + self.batch)
        for gradient in gradients(net):
            noise = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
            gradient.mul_(1 + 1e-3 * noise.to(gradient.device, gradient.dtype))


class Twice(Training):
    """``backward`` in two places; without a penalty it would be twice the loss."""

    def backward(self, objective: Tensor) -> None:
        torch.autograd.backward(objective, retain_graph=True)
        torch.autograd.backward(objective)


MUTANTS = (
    Mutant("gradient-stale", Stale, ANY),
    Mutant("gradient-accumulated", Accumulated, ANY),
    Mutant("gradient-of-two-batches", OfTwoBatches, ANY),
    Mutant("gradient-accumulated-in-epoch", AccumulatedInEpoch, ANY),
    Mutant("gradient-clipped-by-norm", ClippedByNorm, ("check-small",)),
    Mutant("gradient-clipped-by-value", ClippedByValue, ANY),
    Mutant("gradient-previous-batch", PreviousBatch, ANY),
    Mutant("gradient-bfloat16", Bfloat16, ANY),
    Mutant("gradient-float16", Float16, ANY),
    Mutant("gradient-sign", Sign, ANY),
    Mutant("gradient-normalised", Normalised, ANY),
    Mutant("gradient-noise", Noise, ANY),
    Mutant("gradient-twice", Twice, ("check-sgd", "check-momentum", "check-adam")),
)
