"""Situations that real training meets, by name: scripts over a session that yield checks."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from parity.situations import closures, gradients, layouts, mixed, numbers, presence, reload, steps
from parity.situations.session import Session
from parity.step.expected import Expected

Situation: TypeAlias = Callable[[Session], Iterator[Expected]]

SITUATIONS: Mapping[str, Situation] = {
    "plain": steps.plain,
    "several": steps.several,
    "dtypes": steps.dtypes,
    "twins": steps.twins,
    "thousand": steps.thousand,
    "groups": numbers.groups,
    "groups-of-momenta": numbers.groups_of_momenta,
    "scheduled": numbers.scheduled,
    "scheduled-decay": numbers.scheduled_decay,
    "scheduled-momentum": numbers.scheduled_momentum,
    "maximize": numbers.maximize,
    "closure": closures.closure,
    "tensor-rate": steps.tensor_rate,
    "poisoned": steps.poisoned,
    "tiny": steps.tiny,
    "zero-dim": layouts.zero_dim,
    "empty": layouts.empty,
    "strided": layouts.strided,
    "transposed": layouts.transposed,
    "expanded": layouts.expanded,
    "strided-gradient": layouts.strided_gradient,
    "no-gradient": presence.no_gradient,
    "zero-gradient": presence.zero_gradient,
    "zero-gradient-first": presence.zero_gradient_first,
    "frozen-midway": presence.frozen_midway,
    "unfrozen-late": presence.unfrozen_late,
    "added-later": presence.added_later,
    "no-gradients": presence.no_gradients_at_all,
    "requires-no-grad": presence.requires_no_grad,
    "reload": reload.reload,
    "reload-other": reload.reload_other,
    "reload-wider": reload.reload_wider,
    "autocast": mixed.autocast,
    "scaler-skips-first": mixed.scaler_skips_first,
    "scaler-skips-later": mixed.scaler_skips_later,
    "clip-by-norm": gradients.clip_by_norm,
    "clip-by-value": gradients.clip_by_value,
    "accumulated": gradients.accumulated,
    "sparse": gradients.sparse,
}

__all__ = ["SITUATIONS", "Situation"]
