"""Hold an optimizer to its reference while it trains, through the step hooks that every torch optimizer has.

On steps 0, N, 2N, … the hooks copy the weights, gradients and state that the step finds and those that it leaves, and
the judge of one step (:mod:`parity.judge.update`) says of every number whether a correct implementation can have it. Of
a large tensor the elements at the edges of blocks and some drawn ones are copied, anew at each step; optimizers that
see whole matrices are judged whole. Between sampled steps the hooks only count.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import get_args

import torch

from parity.errors import InputError, needs
from parity.features.watch.hooks import Policy, Watch
from parity.features.watch.references import Reference, reference_for
from refimpl.types import Optimizer


@needs(optimizer="a torch.optim.Optimizer")
@contextlib.contextmanager
def watch(
    optimizer: torch.optim.Optimizer,
    *,
    every: int = 100,
    on_violation: Policy = "raise",
    model: torch.nn.Module | None = None,
    full: bool = False,
    elements: int = 4096,
    reference: Optimizer | type[Optimizer] | Reference | None = None,
    seed: int = 0,
) -> Iterator[Watch]:
    """Judge every ``every``-th step that ``optimizer`` makes inside, from the first one on.

    ``on_violation``: ``"raise"`` out of the step, ``"warn"``, or ``"collect"`` in the report. ``model``: whose names
    the parameters have in the report. ``elements``: how many are drawn of each tensor, besides the edges of blocks;
    ``full``: all of them. ``reference``: for an optimizer that torch does not have: an instance or a class of
    :mod:`refimpl.optimizers`, or a function of the parameter group that makes an instance. ``seed``: of what is drawn,
    by a generator of its own.

    Raises :class:`parity.features.watch.report.Violated`; :class:`parity.errors.InputError` for an optimizer without a
    reference and for ``step(closure)``.
    """
    numbers = all(isinstance(number, Integral) for number in (every, elements, seed))
    if not numbers or every < 1 or elements < 1 or seed < 0:
        raise InputError(
            f"every={every}, elements={elements}, seed={seed}: must be whole numbers; seed from 0 on, the others from 1"
        )
    if on_violation not in get_args(Policy):
        raise InputError(f"on_violation={on_violation!r}: must be one of {', '.join(get_args(Policy))}")
    watcher = Watch(
        optimizer,
        reference_for(optimizer, reference),
        every=every,
        on_violation=on_violation,
        names=names_of(optimizer, model),
        elements=sys.maxsize if full else elements,
        seed=seed,
    )
    hooks = optimizer.register_step_pre_hook(watcher.before_step), optimizer.register_step_post_hook(watcher.after_step)
    try:
        yield watcher
    finally:
        for hook in hooks:
            hook.remove()
        watcher.let_go()


def names_of(optimizer: torch.optim.Optimizer, model: torch.nn.Module | None) -> Callable[[int, int], str]:
    """The name of a parameter, by its group and its place there: the model's, the optimizer's own, or just these."""
    known = {} if model is None else {id(parameter): name for name, parameter in model.named_parameters()}

    def name(group: int, place: int) -> str:
        options = optimizer.param_groups[group]
        own = options["param_names"][place] if "param_names" in options else f"group {group}, parameter {place}"
        return known.get(id(options["params"][place]), own)

    return name
