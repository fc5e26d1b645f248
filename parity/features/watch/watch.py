"""Hold an optimizer to its reference while it trains, through the step hooks that every torch optimizer has.

On steps 0, N, 2N, … the hooks copy the weights, gradients and state that the step finds and those that it leaves, and
the judge of one step (:mod:`parity.judge.update`) says of every number whether a correct implementation can have it. Of
a large tensor the elements at the edges of blocks and some drawn ones are copied, anew at each step; optimizers that
see whole matrices are judged whole. Between sampled steps the hooks only count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, get_args

import torch

from parity.errors import InputError, needs
from parity.features.watch.coverage import Coverage
from parity.features.watch.hooks import Policy, Watch
from parity.features.watch.references import Reference, reference_for
from parity.features.watch.sampling import Sampling
from parity.features.watch.unwrap import unwrapped
from refimpl.types import Optimizer


@needs(optimizer="a torch.optim.Optimizer")
def watch(
    optimizer: Any,
    *,
    every: int = 100,
    on_violation: Policy = "raise",
    model: torch.nn.Module | None = None,
    full: bool = False,
    elements: int = 4096,
    reference: Optimizer | type[Optimizer] | Reference | None = None,
    state_names: Mapping[str, str | None] | None = None,
    seed: int = 0,
) -> Watch:
    """Judge every ``every``-th step that ``optimizer`` makes inside of ``with watch(...) as watching:``, from the first
    one on, or between ``watching.start()`` and ``watching.stop()``. ``watching.report`` has what was seen.

    ``optimizer``: of torch, or a wrapper that holds one. ``on_violation``: ``"raise"`` out of the step, ``"warn"``, or
    ``"collect"`` in the report. ``model``: whose names the parameters have in the report. ``elements``: how many are
    drawn of each tensor, besides the edges of blocks; ``full``: all of them. ``reference``: for an optimizer that torch
    does not have: an instance or a class of :mod:`refimpl.optimizers`, or a function of the parameter group that makes
    an instance. ``state_names``: from the optimizer's names of states to the reference's, None for those that the
    reference has not. ``seed``: of what is drawn, by a generator of its own.

    Raises :class:`parity.features.watch.report.Violated`; :class:`parity.errors.InputError` for an optimizer without a
    reference, and out of a step that cannot be judged.
    """
    numbers = all(isinstance(number, Integral) for number in (every, elements, seed))
    if not numbers or every < 1 or elements < 1 or seed < 0:
        raise InputError(
            f"every={every}, elements={elements}, seed={seed}: must be whole numbers; seed from 0 on, the others from 1"
        )
    if on_violation not in get_args(Policy):
        raise InputError(f"on_violation={on_violation!r}: must be one of {', '.join(get_args(Policy))}")
    inner = unwrapped(optimizer)
    names = names_of(inner, model)
    sampling = Sampling(
        optimizer=inner,
        reference=reference_for(inner, reference),
        names=names,
        elements=sys.maxsize if full else elements,
        seed=seed,
        state_names=dict(state_names or {}),
    )
    return Watch(sampling, Coverage(inner, model, names), every=every, on_violation=on_violation)


def names_of(optimizer: torch.optim.Optimizer, model: torch.nn.Module | None) -> Callable[[int, int], str]:
    """The name of a parameter, by its group and its place there: the model's, the optimizer's own, or just these."""
    known = {} if model is None else {id(parameter): name for name, parameter in model.named_parameters()}

    def name(group: int, place: int) -> str:
        options = optimizer.param_groups[group]
        own = options["param_names"][place] if "param_names" in options else f"group {group}, parameter {place}"
        return known.get(id(options["params"][place]), own)

    return name
