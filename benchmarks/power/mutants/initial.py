"""Wrong initial weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


class Zeros(Training):
    """Weight and bias start at 0."""

    def net(self) -> nn.Linear:
        net = super().net()
        nn.init.zeros_(net.weight)
        nn.init.zeros_(net.bias)
        return net


class LayerDefault(Training):
    """The weights are never set: the layer has its own, U(−1/√p, 1/√p)."""

    def net(self) -> nn.Linear:
        net = super().net()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net.reset_parameters()
        return net


class Scaled(Training):
    """The weight is ten times as large."""

    def net(self) -> nn.Linear:
        net = super().net()
        with torch.no_grad():
            net.weight.mul_(10)
        return net


class OtherDraw(Training):
    """Another draw of the weight from the same distribution."""

    def net(self) -> nn.Linear:
        net = super().net()
        init: Any = self.task.experiment.init["weight"]
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            net.weight.copy_(init.std * torch.randn(net.weight.shape, generator=generator, dtype=torch.float64))
        return net


class BiasZero(Training):
    """The bias starts at 0, as most code has it."""

    def net(self) -> nn.Linear:
        net = super().net()
        nn.init.zeros_(net.bias)
        return net


MUTANTS = (
    Mutant("initial-zeros", Zeros, ANY),
    Mutant("initial-layer-default", LayerDefault, ANY),
    Mutant("initial-scaled", Scaled, ANY),
    Mutant("initial-other-draw", OtherDraw, ANY),
    Mutant("initial-bias-zero", BiasZero, ANY),
)
