"""A class that is held to SAM: where its second gradient is taken, and the step that is made with it.

The closure of the check notes, for every step, how far from w it was called last, and the gradient that it gave there
(:class:`~parity.explain.feeds.Played`). That place is held to e = ρ·g/‖g‖ within the bound of its rounding errors, and
the step, with the gradient found there, to the inner optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.update.references import shown
from parity.features.check.examined import Examined
from parity.features.check.findings import shares
from parity.features.check.held import FORM
from parity.features.check.life.judged import WHERE
from parity.features.check.life.lived import Lived
from parity.step.arithmetics import Rounding
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers.wrappers import SAM

NOT_BACK = "sam-not-back"


def with_second_gradients(examined: Examined, sam: SAM) -> Examined:
    """The record with the gradients that the steps were made with, and what is wrong with where they were taken."""
    drawn = examined.runs["drawn"]
    places = tuple(_wrong_places(drawn, sam))
    wrong = (*places, *(() if places else _in_training(examined.lives, sam)), *_not_back(drawn, sam))
    lives = tuple(replace(one, played=_second(one.played, one.dtype)) if one.played else one for one in examined.lives)
    return replace(
        examined,
        runs={name: _second(played, "float64") for name, played in examined.runs.items()},
        dtypes={name: _second(played, name) for name, played in examined.dtypes.items()},
        lives=lives,
        faults=(*wrong, *examined.faults),
    )


def _second(played: Played, dtype: str) -> Played:
    """A run with its second gradients. Code may come back to w by (w + e) − e, which is rounded twice."""
    gradients = {name: some.copy() for name, some in played.gradients.items()}
    slack = {name: np.zeros(some.shape) for name, some in played.gradients.items()}
    for name, moments in played.elsewhere.items():
        for k, moment in enumerate(moments):
            if moment is not None:
                gradients[name][k] = moment[1]
                reach = np.abs(played.weights[name][k]) + np.abs(moment[0])
                slack[name][k] = 2 * FORMATS[dtype].half_ulp(reach)
    return replace(played, gradients=gradients, elsewhere={}, slack=slack)


def _not_back(played: Played, sam: SAM) -> Iterator[Finding]:
    """That the step is made from w + e."""
    back, stays = shares(dict.fromkeys(played.weights, sam.inner), played)
    if stays <= 1 < back:
        text = "it does not go back to the weights it came from before it makes the step"
        evidence = f"from w + e all recorded weights lie within their bounds, at most {stays:.2g} of them used"
        yield Finding(id=NOT_BACK, text=text, evidence=evidence, change="go back first (w ← w − e), then step")


def _wrong_places(played: Played, sam: SAM) -> Iterator[Finding]:
    """That the place of the second gradient is wrong, with the first element; or that there is no second gradient."""
    if not any(moment is not None for moments in played.elsewhere.values() for moment in moments):
        text = "no second gradient is taken: the step is made with the gradient at w"
        yield Finding(id="sam-absent", text=text, evidence="the closure was never called at other weights", change="")
        return
    place = _first_wrong_place(played, sam, "float64")
    if place:
        text = f"the second gradient is not taken at w + e of {shown(sam)}"
        yield Finding(id="sam-elsewhere", text=text, evidence=place, change="e = ρ·g/‖g‖, of all parameters")


def _in_training(lives: Sequence[Lived], sam: SAM) -> Iterator[Finding]:
    """The first situation in which the place is wrong, where it is right in the first run."""
    for lived in lives:
        place = _first_wrong_place(lived.played, sam, lived.dtype) if lived.played else ""
        if place:
            text = f"{WHERE[lived.name]}, the second gradient is not taken at w + e of {shown(sam)}"
            yield Finding(id="sam-elsewhere", text=text, evidence=place, change="e = ρ·g/‖g‖, of all parameters")
            return


def _first_wrong_place(played: Played, sam: SAM, dtype: str) -> str:
    """The first element of e that no rounding explains, in words; nothing where there is none."""
    format = FORMATS[dtype]
    arithmetic = Rounding(Profile(compute=format, accumulate=format, form=FORM))
    lifted: Any = arithmetic.hyper(sam)
    for call, steps in sorted(_calls(played).items()):
        tensors = {name: arithmetic.tensor(played.weights[name][k : k + 1]) for name, k in steps.items()}
        gradients = {name: arithmetic.tensor(played.gradients[name][k : k + 1]) for name, k in steps.items()}
        for name, e in lifted.perturbation(tensors, gradients).items():
            moment = played.elsewhere[name][steps[name]]
            away = np.zeros(e.value.shape[1:]) if moment is None else moment[0]
            reach = np.abs(tensors[name].value) + np.abs(e.value)  # w + e is stored, and w taken from it
            room = e.error + 2 * format.half_ulp(reach)
            off = ~(np.abs(away[None] - e.value) <= room)
            if off.any():
                index = tuple(int(i) for i in np.argwhere(off)[0])
                where = f"{name}[{', '.join(map(str, index[1:]))}] in step {call}"
                return f"{where}: e = {away[index[1:]]:.17g}, expected {float(e.value[index]):.17g}"
    return ""


def _calls(played: Played) -> Mapping[int, Mapping[str, int]]:
    """Of each call of ``step()`` the parameters that had a gradient, and which of their steps was made in it."""
    calls: dict[int, dict[str, int]] = {}
    for name, moments in played.elsewhere.items():
        for k, call in enumerate(played.numbers.get(name, range(len(moments)))):
            if k >= played.late.get(name, 0):
                calls.setdefault(call, {})[name] = k
    return calls
