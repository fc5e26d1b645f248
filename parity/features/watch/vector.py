"""A watched step of L-BFGS, which sees all parameters as one vector and is judged stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.features.watch.record import sums_of
from parity.features.watch.report import Violation
from parity.judge.stages import Evaluation, GroupUpdate, Product, check_lbfgs
from parity.record.reference import profile_of
from parity.record.snapshot import real_name
from parity.record.vectors import evaluation, flat, recorded
from parity.step.expected import Comparison, Disagreement, Expected
from refimpl.optimizers import LBFGS


@dataclass(frozen=True, kw_only=True)
class VectorRecord:
    """What the closure gave, and the state then. ``names``: of the parameters."""

    optimizer: torch.optim.Optimizer
    reference: LBFGS
    names: Sequence[str]
    evaluation: Evaluation
    state: dict[str, Any]

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, reference: LBFGS, names: Sequence[str], loss: Any) -> VectorRecord:
        """The record when the closure has returned this loss."""
        parameters = parameters_of(optimizer)
        return cls(
            optimizer=optimizer,
            reference=reference,
            names=names,
            evaluation=evaluation(parameters, loss.item() if isinstance(loss, Tensor) else float(loss)),
            state=recorded(optimizer.state[parameters[0]]),
        )

    def pieces(self, number: int, products: Sequence[Product]) -> Iterator[Expected]:
        """The checks of the step; quantities as of a parameter named ``w``."""
        parameters = parameters_of(self.optimizer)
        dtype, device = real_name(parameters[0]), str(parameters[0].device)
        sums = sums_of(dtype, (self.evaluation.params.size,), device)
        yield from check_lbfgs(
            GroupUpdate(
                number=number,
                optimizer=self.reference,
                profile=profile_of(dtype, device, fused=False, scalar="float64", sums=sums),
                before=self.evaluation.params,
                state=self.state,
                after=flat(parameters),
                state_after=recorded(self.optimizer.state[parameters[0]]),
                evaluations=[self.evaluation],
                max_eval=self.optimizer.param_groups[0]["max_eval"],
                format=dtype,
            ),
            products,
        )

    def violation(self, comparison: Comparison, disagreement: Disagreement) -> Violation:
        """A disagreement in words of the parameter in whose part of the vector it is."""
        quantity, name, index = comparison.quantity.local or "parameter", "all parameters", disagreement.index
        if quantity == "parameter" and len(index) == 1:
            ends = np.cumsum([parameter.numel() for parameter in parameters_of(self.optimizer)])
            place = int(np.searchsorted(ends, index[0], side="right"))
            parameter = parameters_of(self.optimizer)[place]
            within = index[0] - int(ends[place]) + parameter.numel()
            name, index = self.names[place], tuple(int(i) for i in np.unravel_index(within, parameter.shape))
        return Violation(
            parameter=name,
            group=0,
            step=disagreement.step,
            quantity=quantity,
            index=index,
            candidate=disagreement.candidate,
            expected=disagreement.expected,
            allowance=disagreement.allowance,
        )


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The parameters of the one group that L-BFGS has."""
    parameters: list[Tensor] = optimizer.param_groups[0]["params"]
    return parameters


def refusal_of_vector(optimizer: torch.optim.Optimizer) -> str:
    """Why the parameters are not judged as one vector, or nothing."""
    parameters = parameters_of(optimizer)
    dtypes = {parameter.dtype for parameter in parameters}
    if len(dtypes) > 1 or any(dtype.is_complex for dtype in dtypes):
        return "LBFGS with parameters of several dtypes, or complex ones, is not judged by parity.watch"
    return ""
