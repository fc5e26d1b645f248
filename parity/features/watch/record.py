"""One parameter at one watched step: what the step found, what it left, and the checks of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.features.watch.report import Violation
from parity.judge.stages import Product, check_muon
from parity.judge.update import Update, check
from parity.record.local import local
from parity.record.reference import profile_of
from parity.record.snapshot import Snapshot, exact_at, gradient_untouched, real_name, untouched
from parity.record.sums import accumulation
from parity.step.expected import Comparison, Disagreement, Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import (
    LAMB,
    LARS,
    LBFGS,
    SGDP,
    SOAP,
    Adafactor,
    AdafactorPaper,
    AdamP,
    Muon,
    NovoGrad,
    Shampoo,
    StableAdamW,
)
from refimpl.types import Array, Optimizer

WHOLE = (LAMB, LARS, LBFGS, SGDP, SOAP, Adafactor, AdafactorPaper, AdamP, Muon, NovoGrad, Shampoo, StableAdamW)
"""References that see the whole of a tensor: some elements of it are not enough."""


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What a step found. ``optimizer``: None where the step must leave the parameter alone.

    ``elements``: which are looked at, None for all. ``unscaled``: the gradient as the optimizer is to see it, where a
    gradient scaler leaves the unscaling to it.
    """

    name: str
    group: int
    parameter: Tensor
    elements: Tensor | None
    optimizer: Optimizer | None
    profile: Profile
    before: Snapshot
    unscaled: Array | None

    def pieces(self, number: int, after: Snapshot, products: Sequence[Product]) -> Iterator[Expected]:
        """The checks of the step; quantities as of a parameter named ``w``."""
        before, optimizer = self.before, self.optimizer
        if optimizer is None:
            made = {key: np.zeros_like(value) for key, value in after.state.items()}  # a skipped step may make zeros
            state = {**made, **before.state} if self.unscaled is not None else before.state
            yield from untouched("w", number, replace(before, state=state), after)
        elif not isinstance(optimizer, LBFGS):  # judged as one vector
            gradient = before.gradient if self.unscaled is None else self.unscaled
            assert gradient is not None
            update = Update(
                parameter="w",
                number=number,
                optimizer=optimizer,
                profile=self.profile,
                before=before.value,
                gradient=gradient,
                state=before.state,
                after=after.value,
                state_after=after.state,
                formats=after.formats,
            )
            yield from check_muon(update, products) if isinstance(optimizer, Muon) else check(update)
        yield from gradient_untouched("w", number, before, after, self.unscaled, fused=True)

    def again(self, state: Mapping[str, Any]) -> StepRecord:
        """The record of the same elements now."""
        return replace(self, before=snapshot(self.parameter, state, self.elements))

    def violation(self, comparison: Comparison, disagreement: Disagreement, after: Snapshot) -> Violation:
        """A disagreement in words of the parameter."""
        key = comparison.quantity.key
        index = disagreement.index
        if self.elements is not None and comparison.elements >= len(self.elements):
            number = int(self.elements[index[0]])
            index = (*(int(i) for i in np.unravel_index(number, local(self.parameter).shape)), *index[1:])
        one_side = key and np.isnan(disagreement.candidate) and disagreement.expected == disagreement.allowance == 0
        missing = "" if not one_side else "reference" if key in after.state else "optimizer"
        return Violation(
            parameter=self.name,
            group=self.group,
            step=disagreement.step,
            quantity=comparison.quantity.local or "parameter",
            index=index,
            candidate=disagreement.candidate,
            expected=disagreement.expected,
            allowance=disagreement.allowance,
            missing=missing,
        )


def snapshot(parameter: Tensor, state: Mapping[str, Any], elements: Tensor | None) -> Snapshot:
    """A snapshot of what lies on this rank."""
    parts = {key: local(value) if isinstance(value, Tensor) else value for key, value in state.items()}
    gradient = None if parameter.grad is None else local(parameter.grad)
    return Snapshot.of(local(parameter), parts, elements, gradient)


def unscaled_gradient(parameter: Tensor, scale: Any, elements: Tensor | None) -> Array | None:
    """The gradient that a fused step is to find behind the scale that ``GradScaler`` gave to the optimizer."""
    if scale is None or parameter.grad is None:
        return None
    gradient = local(parameter.grad)
    scale = scale.to(gradient.device) if isinstance(scale, Tensor) else scale
    picked = gradient.detach() if elements is None else gradient.detach().take(elements)
    return exact_at(picked / scale, None, picked.shape)


def profile_for(optimizer: Optimizer, group: Mapping[str, Any], parameter: Tensor) -> Profile:
    """The arithmetic that torch's kernels compute in, under the flags of a group."""
    dtype, device = real_name(parameter), str(parameter.device)
    sums = sums_of(dtype, tuple(parameter.shape), device) if isinstance(optimizer, WHOLE) else None
    return profile_of(dtype, device, fused=bool(group.get("fused")), scalar=scalar_of(group), sums=sums)


def scalar_of(group: Mapping[str, Any]) -> str:
    """What expressions of hyper-parameters are computed in: the format of those that are tensors, and of the count."""
    tensors = (value for value in flat(v for key, v in group.items() if key != "params") if isinstance(value, Tensor))
    formats = {real_name(tensor) for tensor in tensors} | {"float64"}
    if group.get("capturable") or group.get("differentiable"):  # computed from the count, a float32 tensor
        formats.add("float32")
    return min(formats, key=lambda name: FORMATS[name].digits)


def flat(values: Iterable[Any]) -> Iterator[Any]:
    """Pairs and the like taken apart."""
    for value in values:
        yield from value if isinstance(value, tuple | list) else (value,)


@cache
def sums_of(dtype: str, shape: tuple[int, ...], device: str) -> str:
    """The format in which torch adds up, for tensors of this shape."""
    size, last = int(np.prod(shape, dtype=int)), shape[-1] if len(shape) > 1 else 1
    return accumulation(dtype, (size // last, last), device) if size else dtype


def on_device(elements: Array | None, parameter: Tensor) -> Tensor | None:
    """The numbers of elements, where they are to be picked."""
    return None if elements is None else torch.from_numpy(elements).to(parameter.device)
