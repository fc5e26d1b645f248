"""λ: how much of it, of what, and on which parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.faults.penalties import plain_sum, unsquared
from parity.step.design import Design
from refimpl.penalties import L1, L2
from refimpl.stepping import is_zero
from refimpl.types import Array

KINDS: Mapping[str, Callable[..., Any]] = {"L1": L1, "L2": L2, "norm": unsquared, "sum": plain_sum}
TIMES: Mapping[str, Callable[[Design], Any]] = {
    "1/n": lambda design: 1 / design.material.dataset.X.shape[1],
    "1/p": lambda design: 1 / design.material.dataset.X.shape[2],
    "1/batch": lambda design: 1 / _batch_sizes(design),
    "batch": lambda design: _batch_sizes(design),
    "first of epoch": lambda design: np.diff(design.epoch, prepend=-1) > 0,
    "last of epoch": lambda design: np.diff(design.epoch, append=design.epoch[-1] + 1) > 0,
}
"""λ is multiplied by these: each gives a number, or one for each step."""


def _batch_sizes(design: Design) -> Array:
    """Rows of each step's batch ``(K,)``."""
    return np.array([len(rows) for rows in design.rows], float)


def own_decays(design: Design) -> dict[str, float]:
    """λ of the decay that optimizers have at work, by parameter; coupled decay is stated as a penalty."""
    lam = {name: getattr(optimizer, "weight_decay", 0.0) for name, optimizer in design.form.optimizers.items()}
    return {name: float(strength) for name, strength in lam.items() if not is_zero(strength)}


def undecayed(design: Design, *names: str) -> Design:
    """The decay of every optimizer, or of those of some parameters, switched off."""
    decaying = [name for name in own_decays(design) if not names or name in names]
    return design.with_optimizers(lambda o: replace(o, weight_decay=0.0), *decaying) if decaying else design


def penalised(design: Design) -> bool:
    """Whether there is any penalty or decay to get wrong."""
    return bool(design.form.in_gradient.penalties or own_decays(design))


def penalty_times(design: Design, value: float, *, times: float | None = None, by: str = "") -> Design | None:
    """Every penalty and decay multiplied: by a quantity, by ``times``, or by the number of the name."""
    return multiplied(design, TIMES[by](design) if by else value if times is None else times)


def multiplied(design: Design, times: Any) -> Design | None:
    """Every penalty and decay multiplied by one number or by one for each step; None where there is none."""
    if not penalised(design):
        return None
    per_step = np.broadcast_to(np.asarray(times, float), (design.steps,))
    own = {name: per_step * design.decay_times.get(name, 1.0) for name in own_decays(design)}
    changed = replace(design, decay_times={**design.decay_times, **own})
    return changed.with_penalty_times(per_step) if design.form.in_gradient.penalties else changed


def other_penalty(
    design: Design, value: float, *, of: Sequence[str], kind: str, times: float | None = None
) -> Design | None:
    """Penalties of some classes replaced by others of ``times``, or the name's number, as much strength."""
    factor, before = value if times is None else times, design.form.in_gradient.penalties
    after = [
        KINDS[kind](strength=factor * p.strength, parameters=p.parameters) if type(p).__name__ in of else p
        for p in _any(before)
    ]
    return None if tuple(after) == before else design.with_penalties(*after)


def _any(penalties: Sequence[Any]) -> list[Any]:
    """Penalties of which any field may be read."""
    return list(penalties)


def penalty_in_loss_too(design: Design, on_all: float) -> Design | None:
    """Decay of the optimizer and the penalty in the loss, both; and (1) of every parameter in the optimizer."""
    penalties, every = design.form.in_gradient.penalties, tuple(design.form.optimizers)
    again = [replace(p, parameters=every) if on_all == 1 else p for p in penalties if isinstance(p, L2)]
    extra = [*as_penalties(own_decays(design)), *again]
    return design.with_penalties(*penalties, *extra) if extra else None


def as_penalties(lam: Mapping[str, float]) -> list[L2]:
    """One L2 penalty for each parameter."""
    return [L2(strength=strength, parameters=(name,)) for name, strength in lam.items()]


def penalty_on_bias(design: Design, _: float, *, only: bool) -> Design | None:
    """The penalties of the weight on the bias, too, or instead."""
    if "bias" not in design.form.optimizers or not penalised(design):
        return None
    to = ("bias",) if only else ("weight", "bias")
    before = _any(design.form.in_gradient.penalties)
    after = [replace(p, parameters=to) if "bias" not in p.parameters else p for p in before]
    changed = design.with_penalties(*after)
    lam = own_decays(design).get("weight")
    if lam is not None:
        changed = changed.with_optimizers(lambda o: replace(o, weight_decay=lam), "bias")
        changed = undecayed(changed, "weight") if only else changed
    return None if changed.form == design.form else changed


def penalty_not_on_bias(design: Design, _: float) -> Design | None:
    """Nothing on the bias, where it was asked."""
    if "bias" not in design.form.optimizers:
        return None
    asked = _any(design.form.in_gradient.penalties)
    rest = [replace(p, parameters=tuple(n for n in p.parameters if n != "bias")) for p in asked]
    changed = undecayed(design, "bias").with_penalties(*(p for p in rest if p.parameters))
    return None if changed.form == design.form else changed


def without_penalty(design: Design, _: float) -> Design | None:
    """No penalty and no decay."""
    return undecayed(design).with_penalties() if penalised(design) else None


def extra_penalty(design: Design, lam: float, *, kind: str, names: Sequence[str]) -> Design | None:
    """A penalty where none was asked."""
    if penalised(design) or lam < 0 or not set(names) <= set(design.form.optimizers):
        return None
    return design.with_penalties(KINDS[kind](strength=lam, parameters=tuple(names)))
