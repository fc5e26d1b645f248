"""What a named fault is, and the few ways in which faults change a design."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parity.step.design import Design
from refimpl.penalties import L2, ElasticNet
from refimpl.types import Array, off

Kind = Literal["loss", "penalty", "optimizer", "gradient", "data", "schedule", "precision"]
Apply = Callable[[Design, float], Design | None]
"""The design with the fault in it, or None where it makes no sense; the number is one of ``values``."""


@dataclass(frozen=True, kw_only=True)
class Name:
    """A fault with a name.

    ``text``: what is the case, ``{value}`` standing for the number that was found. ``change``: what to change in the
    code. ``probe``: what tells it from faults that look alike. ``values``: numbers to try it with; ``free``: others
    between them may be meant, and the best is searched for. ``rare``: named after others that explain as much.
    ``id`` and ``kind``: those of its place in the catalogue.
    """

    text: str
    change: str
    probe: str
    apply: Apply
    values: tuple[float, ...] = (math.nan,)
    free: bool = False
    rare: bool = False
    id: str = ""
    kind: Kind = "loss"


def own_decays(design: Design) -> dict[str, float]:
    """λ of the decay that optimizers have at work, by parameter; coupled decay is stated as a penalty."""
    lam = {name: getattr(optimizer, "weight_decay", 0.0) for name, optimizer in design.form.optimizers.items()}
    return {name: float(strength) for name, strength in lam.items() if not off(strength)}


def undecayed(design: Design, *names: str) -> Design:
    """The decay of every optimizer, or of those of some parameters, switched off."""
    decaying = [name for name in own_decays(design) if not names or name in names]
    return design.with_optimizers(lambda o: replace(o, weight_decay=0.0), *decaying) if decaying else design


def penalised(design: Design) -> bool:
    """True where there is any penalty or decay to get wrong."""
    return bool(design.form.in_gradient.penalties or own_decays(design))


def times_decay(design: Design, times: Any) -> Design | None:
    """Every penalty and decay multiplied, by one number or by one for each step."""
    if not penalised(design):
        return None
    per_step = np.broadcast_to(np.asarray(times, float), (design.steps,))
    own = {name: per_step * design.decay_times.get(name, 1.0) for name in own_decays(design)}
    changed = replace(design, decay_times={**design.decay_times, **own})
    return changed.with_penalty_times(per_step) if design.form.in_gradient.penalties else changed


def map_penalties(design: Design, change: Callable[[Any], Any]) -> Design | None:
    """Each penalty replaced by another, by several (a tuple) or by none; None where that changes nothing."""
    before = design.form.in_gradient.penalties
    after: list[Any] = []
    for penalty in before:
        changed = change(penalty)
        after += changed if isinstance(changed, tuple) else [changed]
    return None if tuple(after) == before else design.with_penalties(*after)


def l2_strength(penalty: Any) -> float:
    """λ of λ/2·‖w‖² in a penalty."""
    if isinstance(penalty, L2):
        return float(penalty.strength)
    return float(penalty.l2) if isinstance(penalty, ElasticNet) else 0.0


def map_optimizers(design: Design, kinds: tuple[type, ...], change: Callable[[Any], Any]) -> Design | None:
    """The optimizers of some classes changed; None where that changes nothing."""
    changed = design.with_optimizers(lambda o: change(o) if type(o) in kinds else o)
    return None if changed.form.optimizers == design.form.optimizers else changed


def batch_sizes(design: Design) -> Array:
    """Rows of each step's batch ``(K,)``."""
    return np.array([len(rows) for rows in design.rows], float)
