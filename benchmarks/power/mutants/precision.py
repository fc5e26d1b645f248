"""Too few digits: in everything, in the weights, in the forward pass, in the optimizer's state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


class Float32(Training):
    """Everything in torch's default dtype; no fault where float32 is asked for."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X.float(), y.float()

    def net(self) -> nn.Linear:
        return super().net().float()


class Bfloat16Weights(Training):
    """The weights are kept in bfloat16; what is computed with them is not."""

    narrow = torch.bfloat16

    def net(self) -> nn.Linear:
        return super().net().to(self.narrow).to(self.task.dtype)

    @torch.no_grad()
    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        for parameter in net.parameters():
            parameter.copy_(parameter.to(self.narrow))


class Float16Weights(Bfloat16Weights):
    """The weights are kept in float16."""

    narrow = torch.float16


class Autocast(Training):
    """The forward pass under autocast to bfloat16, which leaves float64 as it is."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        with torch.autocast(X.device.type, dtype=torch.bfloat16):
            return super().forward(net, X)


class Bfloat16State(Training):
    """Momentum and averages are kept in bfloat16."""

    narrow = torch.bfloat16

    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        for parameter in net.parameters():
            for value in optimizer.state[parameter].values():
                if isinstance(value, Tensor) and value.ndim:  # not the count of steps
                    value.copy_(value.to(self.narrow))


class Float16State(Bfloat16State):
    """Momentum and averages are kept in float16."""

    narrow = torch.float16


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


def tf32(x: Tensor) -> Tensor:
    """float32 rounded to 11 significant bits, ties to even, which leaves 13 bits 0; every other dtype as it is."""
    if x.dtype != torch.float32:
        return x
    bits = x.contiguous().view(torch.int32)
    half = 0x0FFF + (bits >> 13 & 1)  # just below ½ulp, and with an odd last bit ½ulp
    return ((bits + half) & ~0x1FFF).view(torch.float32)


class TF32Product(torch.autograd.Function):
    """Xwᵀ as a GPU computes it where TF32 is allowed: operands of every product are rounded, sums are float32."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(X, weight)
        return tf32(X) @ tf32(weight).T

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        X, weight = ctx.saved_tensors
        return tf32(upstream) @ tf32(weight), tf32(upstream).T @ tf32(X)


class TF32(Training):
    """``allow_tf32`` of GPUs, which leaves float64 as it is; the bias is in no product, and not rounded."""

    def forward(self, net: nn.Linear, X: Tensor) -> Tensor:
        bias: Tensor | None = net.bias
        out: Tensor = TF32Product.apply(X, net.weight)  # type: ignore[no-untyped-call]  # torch has no types for it
        return out if bias is None else out + bias


MUTANTS = (
    Mutant("precision-float32", Float32, ANY, dtypes=("float64",)),
    Mutant("precision-bfloat16-weights", Bfloat16Weights, ANY),
    Mutant("precision-float16-weights", Float16Weights, ANY),
    Mutant("precision-autocast", Autocast, ANY, dtypes=("float32",)),
    Mutant("precision-bfloat16-state", Bfloat16State, ("check-momentum", "check-adam", "check-adamw")),
    Mutant("precision-float16-state", Float16State, ("check-momentum", "check-adam", "check-adamw")),
    Mutant("precision-float16-forward", Float16Forward, ANY),
    Mutant("precision-float32-forward", Float32Forward, ANY, dtypes=("float64",)),
    Mutant("precision-tf32", TF32, ANY, dtypes=("float32",)),
)
