"""Steps of optimizers that see all parameters as one vector: L-BFGS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from parity.errors import Unsupported
from parity.judge.stages import Evaluation, GroupUpdate, check_lbfgs
from parity.record.products import Products
from parity.record.vectors import evaluation, flat, recorded
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.optimizers import LBFGS


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
        evaluations.append(evaluation(parameters, loss))
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
