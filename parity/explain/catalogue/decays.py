"""Where λ enters a step: in the gradient, beside the step, or after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.catalogue.penalties import as_penalties, multiplied, own_decays, penalised, undecayed
from parity.step.design import Design
from refimpl.optimizers import SGD, SGDW, Adam, AdamW, NAdam, RAdam
from refimpl.penalties import L2, ElasticNet
from refimpl.types import Array

IN_GRADIENT, BESIDE = 0, 1
RATES: Mapping[str, Callable[[Array], Array]] = {
    "now": np.ones_like,
    "first": lambda eta: eta[0] / eta,
    "none": lambda eta: 1 / eta,
    "squared": lambda eta: eta,
}
"""λ is multiplied by η_k itself, η₀, nothing or η_k²: each function gives that factor ÷ η_k."""


def decayed(design: Design, value: float, *, rate: str, place: int | None = None) -> Design | None:
    """λ times another rate, in the gradient (0), beside the step (1), or after it (2)."""
    where = value if place is None else place
    if rate == "first" and not moved(design):
        return None
    if where == IN_GRADIENT:
        return multiplied(design, RATES[rate](design.rates("weight"))) if penalised(design) else None
    changed = _decoupled(design) or design
    rates, lam = {name: changed.rates(name) for name in changed.form.optimizers}, own_decays(changed)
    if not lam or not all(np.all(eta) for eta in rates.values()):
        return None
    times = {name: RATES[rate](rates[name]) for name in lam}
    if where == BESIDE:
        return replace(changed, decay_times=times)
    shrink = {name: rates[name] * times[name] * strength for name, strength in lam.items()}
    return replace(undecayed(changed), shrink=shrink)


def moved(design: Design) -> bool:
    """Whether the schedule changes η."""
    return any(len(set(design.rates(name))) > 1 for name in design.form.optimizers)


def coupled(design: Design, _: float) -> Design | None:
    """Decoupled decay becomes an L2 penalty."""
    lam = own_decays(design)
    penalties = design.form.in_gradient.penalties
    return undecayed(design).with_penalties(*penalties, *as_penalties(lam)) if lam else None


def extra_decay(design: Design, lam: float) -> Design | None:
    """Decoupled decay of every parameter where none was asked."""
    if penalised(design) or lam < 0:
        return None
    changed = design.with_optimizers(lambda o: _with_decay(o, lam))
    return changed if changed.form != design.form else None


def l2_strength(penalty: Any) -> float:
    """λ of λ/2·‖w‖² in a penalty."""
    if isinstance(penalty, L2):
        return float(penalty.strength)
    return float(penalty.l2) if isinstance(penalty, ElasticNet) else 0.0


def _decoupled(design: Design) -> Design | None:
    """Coupled L2 on a parameter becomes decoupled decay of its optimizer, all of it."""
    lam: dict[str, float] = {}
    for name, penalty in design.form.in_gradient.terms:
        lam[name] = lam.get(name, 0.0) + (l2_strength(penalty) if isinstance(penalty, L2) else 0.0)
    names = [name for name, strength in lam.items() if strength]
    changed = design
    for name in names:
        changed = changed.with_optimizers(lambda o, own=lam[name]: _with_decay(o, own), name)  # type: ignore[misc]
    if not names or any(changed.form.optimizers[name] == design.form.optimizers[name] for name in names):
        return None
    return changed.with_penalties(*(p for p in design.form.in_gradient.penalties if not isinstance(p, L2)))


def _with_decay(optimizer: Any, lam: float) -> Any:
    """The optimizer with decoupled decay, or its decoupled sibling; the same one where it has none."""
    if type(optimizer) is SGD and not optimizer.maximize:
        names = ("lr", "momentum", "dampening", "nesterov")
        return SGDW(**{name: getattr(optimizer, name) for name in names}, weight_decay=lam)
    if isinstance(optimizer, AdamW):
        return replace(optimizer, weight_decay=lam)
    if isinstance(optimizer, Adam | NAdam | RAdam):
        return replace(optimizer, weight_decay=lam, decoupled_weight_decay=True)
    return optimizer
