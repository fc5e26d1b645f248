"""Too few digits: in everything, in the weights, in the forward pass, in the optimizer's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.mutants.mutant import ANY, Mutant
from parity.mutants.training import Training


class Float32(Training):
    """Everything in torch's default dtype; no fault where float32 is asked for."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X.float(), y.float()

    def net(self) -> nn.Linear:
        return super().net().float()


class Bfloat16Weights(Training):
    """The weights are kept in bfloat16; what is computed with them is not."""

    def net(self) -> nn.Linear:
        return super().net().bfloat16().to(self.task.dtype)

    @torch.no_grad()
    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        for parameter in net.parameters():
            parameter.copy_(parameter.bfloat16())


class Autocast(Training):
    """The forward pass under autocast to bfloat16, which leaves float64 as it is."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        with torch.autocast(X.device.type, dtype=torch.bfloat16):
            return super().forward(net, X)


class Bfloat16State(Training):
    """Momentum and averages are kept in bfloat16."""

    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        for parameter in net.parameters():
            for value in optimizer.state[parameter].values():
                if isinstance(value, Tensor) and value.ndim:  # not the count of steps
                    value.copy_(value.bfloat16())


class Float16Forward(Training):
    """The forward pass in float16."""

    narrow = torch.float16

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        bias: Tensor | None = net.bias
        narrow_bias = None if bias is None else bias.to(self.narrow)
        return nn.functional.linear(X.to(self.narrow), net.weight.to(self.narrow), narrow_bias).to(self.task.dtype)


class Float32Forward(Float16Forward):
    """Products and their sums in float32."""

    narrow = torch.float32


MUTANTS = (
    Mutant("precision-float32", Float32, ANY, dtypes=("float64",)),
    Mutant("precision-bfloat16-weights", Bfloat16Weights, ANY),
    Mutant("precision-autocast", Autocast, ANY, dtypes=("float32",)),
    Mutant("precision-bfloat16-state", Bfloat16State, ("check-momentum", "check-adam", "check-adamw")),
    Mutant("precision-float16-forward", Float16Forward, ANY),
    Mutant("precision-float32-forward", Float32Forward, ANY, dtypes=("float64",)),
)
