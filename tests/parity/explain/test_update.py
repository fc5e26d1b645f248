"""A faulty update is named by what it does, in two precisions, and a right one is not accused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from parity.explain.update import explain_update
from parity.explain.update.counts import Place
from refimpl.types import Array
from tests.parity.explain.updates import (
    ASKED_ADAM,
    ASKED_SGD,
    B1,
    B2,
    EPS,
    LAM,
    SHAPES,
    State,
    Step,
    adam,
    averaged,
    explained,
    momentum,
    recorded,
)


def l2(w: Array, g: Array) -> Array:
    return g + LAM * w


def _coupled(w: Array, g: Array, s: State, lr: float) -> Array:
    return adam(before=lambda w, lr, s: w)(w, l2(w, g), s, lr)


def _first_square(s: State, g: Array, m: Any) -> Any:
    s["v"] = B2 * s.get("v", g * g) + (1 - B2) * g * g
    return s["v"]


def _kept(key: str, new: Callable[[Any, Array], Any]) -> Callable[..., Any]:
    def of(s: State, g: Array, *_: Any) -> Any:
        s[key] = new(s.get(key, 0 * g), g)
        return s[key]

    return of


def _lagging(s: State, g: Array, m: Any) -> Any:
    old = s.get("v")
    new = averaged(s, "v", g * g, B2)
    return new if old is None else old


def _amsgrad(s: State, g: Array, m: Any) -> Any:
    s["top"] = np.maximum(s.get("top", 0), averaged(s, "v", g * g, B2))
    return s["top"]


def _mask(u: Array, g: Array, _: Array) -> Array:
    kept = (u * g > 0).astype(u.dtype)
    return u * kept / max(kept.mean(), 1e-3)


def _crossed(w: Array, g: Array, s: State, lr: float) -> Array:
    """Both averages are corrected with β₁."""
    return adam(divisor=lambda v, c2: np.sqrt(v / (1 - B1 ** s["t"])) + EPS)(w, g, s, lr)


def _stale(w: Array, g: Array, s: State, lr: float) -> Array:
    """The step is made with the gradient before."""
    old, s["last"] = s.get("last", 0 * g), g
    return adam()(w, old, s, lr)


def _look_ahead(period: int, pull: float, inner: Step) -> Step:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        moved = inner(w, g, s, lr)
        if s["t"] % period == 0:
            s["slow"] = s.get("slow", s["start"]) + pull * (moved - s.get("slow", s["start"]))
            moved = s["slow"]
        return moved

    return step


ADAM: Mapping[str, Step] = {
    "bias-correction-missing-both": adam(count=lambda s: (0, 0)),
    "correction-frozen": adam(count=lambda s: (1, 1)),
    "correction-doubled": adam(count=lambda s: (2 * s["t"], 2 * s["t"])),
    "correction-epochs": adam(count=lambda s: (s["epoch"], s["epoch"])),
    "correction-shared": adam(count=lambda s: (2 * s["t"] - 1 + s["index"],) * 2),
    "bias-correction-missing-second": adam(count=lambda s: (s["t"], 0)),
    "correction-counter": adam(count=lambda s: (s["t"] + s["t"] // 3,) * 2),
    "eps-inside-root": adam(divisor=lambda v, c2: np.sqrt(v / c2 + EPS)),
    "eps-before-correction": adam(divisor=lambda v, c2: (np.sqrt(v) + EPS) / np.sqrt(c2)),
    "eps-missing": adam(divisor=lambda v, c2: np.sqrt(v / c2)),
    "divisor-no-root": adam(divisor=lambda v, c2: v / c2 + EPS),
    "divisor-correction-without-root": adam(divisor=lambda v, c2: np.sqrt(v) / c2 + EPS),
    "square-first-square": adam(v=_first_square),
    "second-moment-undecayed": adam(v=_kept("v", lambda v, g: B2 * v + g * g)),
    "square-sum": adam(v=_kept("v", lambda v, g: v + g * g)),
    "square-lagging-but-first": adam(v=_lagging),
    "square-mean": adam(v=lambda s, g, m: averaged(s, "v", np.mean(g * g), B2)),
    "square-absolute": adam(v=lambda s, g, m: averaged(s, "v", np.abs(g), B2)),
    "square-belief-without-ε": adam(v=lambda s, g, m: averaged(s, "v", (g - m) ** 2, B2)),
    "square-of-momentum": adam(v=lambda s, g, m: averaged(s, "v", m * m, B2)),
    "amsgrad-extra": adam(v=_amsgrad),
    "average-sum": adam(m=_kept("m", lambda m, g: B1 * m + g)),
    "momentum-missing": adam(m=lambda s, g: g),
    "average-of-unit": adam(m=lambda s, g: averaged(s, "m", g / np.linalg.norm(g), B1)),
    "average-nesterov-average": adam(m=lambda s, g: B1 * averaged(s, "m", g, B1) + (1 - B1) * g),
    "direction-cautious-rescaled": adam(direction=_mask),
    "direction-trust": adam(direction=lambda u, g, w: np.linalg.norm(w) / np.linalg.norm(u) * u),
    "gradient-centred": lambda w, g, s, lr: adam()(w, g - g.mean(), s, lr),
    "penalty-missing": adam(before=lambda w, lr, s: w),
    "coupled-for-decoupled": _coupled,
    "decay-after-step": adam(before=lambda w, lr, s: w, after=lambda w, lr, s: w * (1 - lr * LAM)),
    "decay-not-times-lr": adam(before=lambda w, lr, s: w * (1 - LAM)),
    "decay-not-scheduled": adam(before=lambda w, lr, s: w * (1 - 0.01 * LAM)),
    "decay-sign": adam(before=lambda w, lr, s: w - lr * LAM * np.sign(w)),
    "decay-initial": adam(before=lambda w, lr, s: w - lr * LAM * (w - s["start"])),
    "look-ahead": _look_ahead(4, 0.5, adam()),
    "gradient-clipped-each": lambda w, g, s, lr: adam()(w, g * min(1, 3 / float(np.linalg.norm(g))), s, lr),
    "gradient-clipped-by-value": lambda w, g, s, lr: adam()(w, g.clip(-2, 2), s, lr),
    "gradient-stale": _stale,
    "lr-other": lambda w, g, s, lr: adam()(w, g, s, 3 * lr),
    "penalty-halved": adam(before=lambda w, lr, s: w * (1 - lr * LAM / 2)),
    "correction-crossed-v": _crossed,
    "sequence": adam(before=lambda w, lr, s: w * (1 - lr * LAM) if s["t"] % 2 else w),
}
"""Faults of AdamW by the name that they must get."""


def _bengio(w: Array, g: Array, s: State, lr: float) -> Array:
    old = s.get("v", 0 * g)
    s["v"] = B1 * old - lr * g
    return w + B1 * old - (1 + B1) * lr * g


SGDS: Mapping[str, Step] = {
    "momentum-averaged": momentum(lambda b, g, s, lr: B1 * b + (1 - B1) * g),
    "lr-times-momentum": momentum(lambda b, g, s, lr: B1 * b + lr * g, lambda b, g, lr: b),
    "average-aliased": momentum(lambda b, g, s, lr: g if s["t"] == 1 else 2 * B1 * g),
    "nesterov-extra": momentum(lambda b, g, s, lr: B1 * b + g, lambda b, g, lr: lr * (g + B1 * b)),
    "momentum-missing": momentum(lambda b, g, s, lr: g),
    "look-ahead": _look_ahead(5, 0.8, momentum(lambda b, g, s, lr: B1 * b + g)),
    "dampening-other": momentum(lambda b, g, s, lr: g if s["t"] == 1 else B1 * b + 0.7 * g),
    "momentum-other": momentum(lambda b, g, s, lr: 0.8 * b + g),
    "sequence": momentum(lambda b, g, s, lr: B1 * b + g, lambda b, g, lr: 0.01 * b),
}
"""Faults of SGD with momentum."""


ASKED = [*((f"adamw-{name}", name, step, ASKED_ADAM) for name, step in ADAM.items())]
ASKED += [*((f"sgd-{name}", name, step, ASKED_SGD) for name, step in SGDS.items())]


@pytest.mark.parametrize(
    ("name", "step", "asked", "dtype"),
    [
        pytest.param(name, step, asked, dtype, id=f"{id}-{dtype}", marks=pytest.mark.slow if (i + j) % 2 else ())
        for i, (id, name, step, asked) in enumerate(ASKED)
        for j, dtype in enumerate(("float32", "float64"))
    ],
)
def test_a_fault_of_an_update_is_named_first(name: str, step: Step, asked: Any, dtype: str) -> None:
    found = explained(step, asked, dtype)
    assert found is not None and found.best is not None, found
    assert found.best.id == name, [one.id for one in found.explanations]
    assert found.best.share <= 1 and not found.structure


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("step", "asked"), [(adam(), ASKED_ADAM), (momentum(lambda b, g, s, lr: B1 * b + g), ASKED_SGD)]
)
def test_a_right_update_is_not_accused(step: Step, asked: Any, dtype: str) -> None:
    assert explained(step, asked, dtype) is None


@pytest.mark.slow
def test_two_faults_at_once_are_both_named() -> None:
    found = explained(adam(count=lambda s: (0, 0), before=lambda w, lr, s: w - lr * LAM * np.sign(w)), ASKED_ADAM)
    assert found is not None and found.best is not None
    assert set(found.best.id.split("+")) == {"bias-correction-missing-both", "decay-sign"}


def test_a_fault_of_one_parameter_is_said_to_be_of_that() -> None:
    found = explained(adam(before=lambda w, lr, s: w if w.ndim == 1 else w * (1 - lr * LAM)), ASKED_ADAM)
    assert found is not None and found.best is not None
    assert found.best.id == "penalty-missing" and found.best.changed == ("vector",)
    assert "of vector only" in found.best.text


def test_a_late_parameter_that_counts_with_the_others_is_told() -> None:
    step = adam(count=lambda s: (s["t"] + 3 * s["index"],) * 2)
    late = {"vector": 3}
    found = explain_update(dict.fromkeys(SHAPES, ASKED_ADAM), recorded(step, "float64"), late=late)
    assert found is not None and found.best is not None and found.best.id == "correction-late"


def test_one_counter_of_all_parameters_counts_those_that_come_late_from_then_on() -> None:
    """With two more parameters from step 3 on, the counter goes up by one in each of three steps, and then by three."""
    place = [(0, 0), (1, 3), (2, 3)]
    counts = [
        Place(index=i, parameters=3, epochs=np.zeros(6 - late, int), late=late, lates=(0, 3, 3)).turns.tolist()
        for i, late in place
    ]
    assert counts == [[1, 2, 3, 4, 7, 10], [5, 8, 11], [6, 9, 12]]
