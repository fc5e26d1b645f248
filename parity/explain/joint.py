"""A reference that shares numbers among all parameters, such as Prodigy, along the motions of all of them.

All are stepped together, call by call, by those who have a gradient in it; what the sums were is written down beside
each step (:class:`~parity.explain.motion.Motion`), so that each parameter can then be replayed like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Along, steps_of
from parity.step.after import after
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.joint import together
from refimpl.types import Array, Joint, Optimizer

States = Mapping[str, Any]
RUNNING = ("d_numerator", "numerator_weighted")
"""Sums that are kept from step to step."""
OTHERS = 4
"""Roundings of a sum beside its additions."""


def joined(
    held: Mapping[str, Optimizer],
    motions: Sequence[Motion],
    *,
    kept: Mapping[str, Array] | None = None,
    sums: str = "",
) -> list[Motion]:
    """The motions, with the sums of all parameters in each step of those that are held to a joint optimizer.

    ``kept``: shared numbers that the code itself had after each call ``(K,)``, by key: where one lies within the bound
    of the reference's, the next steps go on from it, so that errors of the distance do not pile up. ``sums``: the
    format that sums are added up and kept in, where it is another than that of scalars.
    """
    joint = {motion.parameter: motion for motion in motions if isinstance(held[motion.parameter], Joint)}
    if not joint:
        return list(motions)
    alongs = {name: Along(held[name], motion) for name, motion in joint.items()}
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in joint}
    states: dict[str, Mapping[str, Any]] = {name: along.start() for name, along in alongs.items()}
    for call, present in _calls(joint):
        rules = {name: alongs[name].in_effect(present.get(name, 0)) for name in joint}
        params = {name: alongs[name].before(k) for name, k in present.items()}
        given = {name: alongs[name].given(k) for name, k in present.items()}
        with np.errstate(all="ignore"):
            ready = together(rules, params, given, states)
            ready = _kept_in(sums, rules, params, given, ready) if sums else ready
            made = {name: after(rules[name], params[name], given[name], ready[name])[1] for name in present}
        for name in present:
            own, shared = states[name], rules[name].shared
            new = {key: value for key, value in ready[name].items() if key not in own or key in shared}
            found[name].append(new)
        own_numbers = {key: values[call] for key, values in (kept or {}).items() if call < len(values)}
        for name, state in made.items():
            states[name] = alongs[name].kept(state) | _within(own_numbers, state, rules[name].shared)
    return [replace(m, sums=tuple(found[m.parameter])) if m.parameter in joint else m for m in motions]


def _calls(joint: Mapping[str, Motion]) -> Iterator[tuple[int, dict[str, int]]]:
    """Each call of ``step()`` with the parameters that had a gradient, and which of their steps was made in it."""
    last = max(len(motion.gradient.value) for motion in joint.values())
    calls: dict[int, dict[str, int]] = {}
    for name, motion in joint.items():
        own: Array = np.arange(last - len(motion.gradient.value), last) if motion.calls is None else motion.calls
        for k in range(steps_of(motion)):
            calls.setdefault(int(own[k]), {})[name] = k
    return ((call, calls[call]) for call in sorted(calls))


def _within(numbers: Mapping[str, float], state: Mapping[str, Any], shared: Sequence[str]) -> dict[str, Any]:
    """The shared numbers that the code had, exact, where they lie within the bound of the reference's."""
    exact: dict[str, Any] = {}
    for key, number in numbers.items():
        mine = state.get(key)
        if key in shared and isinstance(mine, Bounded) and np.all(np.abs(mine.value - number) <= mine.error):
            exact[key] = Bounded(np.full(mine.shape, number), 0, mine.profile, scalar=True)
    return exact


def _kept_in(
    format: str, rules: Mapping[str, Any], params: States, given: States, ready: Mapping[str, States]
) -> dict[str, States]:
    """The states with sums that were added up in another format.

    A sum has a rounding for each parameter, of the size of what is added; the others are those of a product, of a
    quotient, of a decay and of what is stored.
    """
    sizes: dict[str, Any] = {}
    for name in params:
        for key, addend in rules[name].addends(params[name], given[name], ready[name]).items():
            sizes[key] = sizes.get(key, 0) + np.abs(addend.value) + addend.error
    kept: dict[str, States] = {name: dict(state) for name, state in ready.items()}
    for name in params:
        for key, value in ready[name].items():
            if key in sizes or key in RUNNING:
                u, size = value.profile.u(FORMATS[format]), sizes.get(key, np.abs(value.value) + value.error)
                error = value.error + (len(params) + OTHERS) * u * size
                kept[name] = {**kept[name], key: Bounded(value.value, error, value.profile, scalar=True)}
    return kept
