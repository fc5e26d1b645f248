"""Some elements of the weight are skipped, as by a kernel that loses what is left over of a vector."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


class Skipped(Training):
    """The elements of ``skipped`` are after the step what they were before."""

    skipped: ClassVar[slice]
    kept: Tensor

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        self.kept = net.weight[:, self.skipped].detach().clone()

    @torch.no_grad()
    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        net.weight[:, self.skipped] = self.kept


class ElementNeverUpdated(Skipped):
    """The last element."""

    skipped = slice(-1, None)


class ElementsEveryFourth(Skipped):
    """One of every four."""

    skipped = slice(3, None, 4)


MUTANTS = (
    Mutant("element-never-updated", ElementNeverUpdated, ANY),
    Mutant("elements-every-fourth", ElementsEveryFourth, ANY),
)
