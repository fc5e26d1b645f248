"""Steps of optimizers that see all parameters as one vector: L-BFGS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.errors import Unsupported
from parity.judge.stages import Evaluation, GroupUpdate, check_lbfgs
from parity.record.products import Products, exactly
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.optimizers import LBFGS
from refimpl.types import Array


def lbfgs_step(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], number: int, profile: Profile, dtype: str
) -> partial[Iterator[Expected]]:
    """Make one step at the gradients that lie in ``.grad``, and return its checks.

    The closure gives a loss that never changes, so that the gradients of a situation can be anything.
    """
    if len({parameter.dtype for parameter in parameters}) > 1:
        raise Unsupported("parameters of several dtypes are not judged as one vector here")
    evaluations: list[Evaluation] = []
    group = optimizer.param_groups[0]
    loss = torch.zeros(())

    def closure() -> Tensor:
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        evaluations.append(Evaluation(params=flat(parameters), loss=row(loss), gradient=flat(gradients)))
        return loss

    before, state = flat(parameters), recorded(optimizer.state[parameters[0]])
    with Products() as products:
        optimizer.step(products.unseen(closure))
    after, state_after = flat(parameters), recorded(optimizer.state[parameters[0]])
    reference = LBFGS(
        lr=float(group["lr"]),
        tolerance_grad=group["tolerance_grad"],
        tolerance_change=group["tolerance_change"],
        history_size=group["history_size"],
        line_search_fn=group["line_search_fn"],
    )
    update = GroupUpdate(
        number=number,
        optimizer=reference,
        profile=profile,
        before=before,
        state=state,
        after=after,
        state_after=state_after,
        evaluations=evaluations,
        max_eval=group["max_eval"],
        format=dtype,
    )
    return partial(check_lbfgs, update, products.made)


def recorded(state: Any) -> dict[str, Any]:
    """torch's state, rows of numbers."""
    return {key: row(value) for key, value in state.items()}


def row(value: Any) -> Any:
    """A tensor or number as a row; a list as a tuple of them, without what is unused."""
    if isinstance(value, list):
        return tuple(row(each) for each in value if each is not None)
    tensor = value.detach() if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    tensor = tensor.to_dense() if tensor.is_sparse else tensor
    tensor = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return exactly(tensor).reshape(1, -1)


def flat(tensors: Sequence[Tensor]) -> Array:
    """All tensors as one row of numbers."""
    return np.concatenate([row(tensor) for tensor in tensors], axis=1)
