"""What a watched step finds: each parameter that can be judged, some of its elements, and its reference."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.features.watch.elements import chosen
from parity.features.watch.record import WHOLE, StepRecord, on_device, profile_for, snapshot, unscaled_gradient
from parity.features.watch.references import Reference
from parity.features.watch.vector import VectorRecord, refusal_of_vector
from parity.record.local import is_spread, lies_otherwise, local, unreadable
from parity.record.snapshot import Snapshot
from refimpl.optimizers import LBFGS
from refimpl.types import Optimizer

Refuse = Callable[[str], None]
"""A function that is told the reason why something is not judged."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """``names``: of a parameter, by its group and its place there. ``elements``: how many are drawn of each tensor.

    ``state_names``: for states that the reference has under another name, from the optimizer's name to the
    reference's, or to None for those that it has not.
    """

    optimizer: torch.optim.Optimizer
    reference: Reference
    names: Callable[[int, int], str]
    elements: int
    seed: int
    state_names: Mapping[str, str | None]

    def references(self) -> list[Optimizer]:
        """The reference of each parameter group, with the hyper-parameters in effect now."""
        return [self.reference(group) for group in self.optimizer.param_groups]

    def records(self, number: int, references: list[Optimizer], refuse: Refuse) -> Iterator[StepRecord]:
        """What step ``number`` finds, of every parameter."""
        scale, overflow = (getattr(self.optimizer, name, None) for name in ("grad_scale", "found_inf"))
        skipped = overflow is not None and bool(overflow)
        for place, (group, reference) in enumerate(zip(self.optimizer.param_groups, references, strict=True)):
            for position, parameter in enumerate(group["params"]):
                name = self.names(place, position)
                part = local(parameter)
                if self.refused(name, parameter, reference, refuse) or not part.numel():
                    continue
                rng = np.random.default_rng((self.seed, number, place, position))
                count = sys.maxsize if isinstance(reference, WHOLE) else self.elements
                elements = on_device(chosen(part.numel(), count, rng), part)
                yield StepRecord(
                    name=name
                    + (f" (the shard of rank {torch.distributed.get_rank()})" if is_spread(parameter) else ""),
                    group=place,
                    parameter=parameter,
                    elements=elements,
                    optimizer=None if parameter.grad is None or skipped else reference,
                    profile=profile_for(reference, group, part),
                    before=snapshot(parameter, self.state(parameter), elements),
                    unscaled=unscaled_gradient(parameter, scale, elements),
                )

    def vector(self, references: list[Optimizer], loss: Any, refuse: Refuse) -> VectorRecord | None:
        """What the closure of L-BFGS gave; None for any other optimizer, and where the vector is not judged."""
        reference = references[0]
        if not isinstance(reference, LBFGS) or loss is None:
            return None
        group = self.optimizer.param_groups[0]["params"]
        names = [self.names(0, place) for place in range(len(group))]
        refusals = [refusal(name, p, {}, reference) for name, p in zip(names, group, strict=True)]
        if reason := next(filter(None, [refusal_of_vector(self.optimizer), *refusals]), ""):
            refuse(reason)
            return None
        return VectorRecord.of(self.optimizer, reference, names, loss)

    def after(self, record: StepRecord, refuse: Refuse) -> Snapshot | None:
        """The same elements after the step, if they can still be read."""
        reference = self.reference(self.optimizer.param_groups[record.group])
        if self.refused(record.name, record.parameter, reference, refuse):
            return None
        return snapshot(record.parameter, self.state(record.parameter), record.elements)

    def refused(self, name: str, parameter: Tensor, reference: Optimizer, refuse: Refuse) -> bool:
        """Whether a parameter is not judged, the reason of which is reported."""
        reason = refusal(name, parameter, self.state(parameter), reference)
        if reason:
            refuse(reason)
        return bool(reason)

    def state(self, parameter: Tensor) -> Mapping[str, Any]:
        """The state of a parameter under the names of the reference; L-BFGS has that of all parameters in one place."""
        if isinstance(self.optimizer, torch.optim.LBFGS):
            return {}
        named = (
            (self.state_names.get(key, key), value) for key, value in self.optimizer.state.get(parameter, {}).items()
        )
        return {key: value for key, value in named if key is not None and value is not None}


def refusal(name: str, parameter: Tensor, state: Mapping[str, Any], reference: Optimizer) -> str:
    """Why a parameter is not judged, or nothing."""
    gradient = parameter.grad
    if gradient is not None and gradient.layout != torch.strided:
        return f"{name}: has a sparse gradient, which parity.watch does not judge"
    tensors = [parameter, *([] if gradient is None else [gradient])]
    if reason := next(filter(None, map(unreadable, tensors)), ""):
        return f"{reason}: parity.watch does not judge them"
    for key, value in state.items():
        if not isinstance(value, Tensor | Number):
            return (
                f"states of class {type(value).__name__}, such as {key}: parity.watch does not judge their parameters"
            )
        if isinstance(value, Tensor) and (reason := unreadable_state(value)):
            return f"{reason}, such as the state {key}: parity.watch does not judge their parameters"
    if is_spread(parameter) and isinstance(reference, WHOLE):
        return f"{type(reference).__name__} sees whole tensors: parity.watch does not judge those spread over ranks"
    if gradient is not None and lies_otherwise(parameter, gradient):
        return f"{name}: its gradient is divided over the ranks in another way, which parity.watch does not judge"
    return ""


def unreadable_state(tensor: Tensor) -> str:
    """As of a parameter, but any number will do: counts and masks are kept as integers."""
    part = local(tensor)
    return "" if part.dtype.is_floating_point is False and type(part) is Tensor else unreadable(tensor)
