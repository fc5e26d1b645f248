"""The schedule that follows a metric: when it reduces the rate, by how much, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile, Undecided
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.schedules import REACTIVE, ReduceOnPlateau


def rates(schedule: Any, metrics: Any, lr: Any = 0.5) -> list[Any]:
    state, found = schedule.init({"lr": lr}), []
    for metric in metrics:
        changes, state = schedule.react(metric, state)
        assert set(changes) == {"lr"}
        found.append(changes["lr"])
    return found


def test_it_is_in_its_own_registry() -> None:
    assert list(REACTIVE.items()) == [("reduce_on_plateau", ReduceOnPlateau)]


@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (2, 0), (0, 3), (2, 3)])
def test_a_metric_that_stands_still_reduces_at_equal_distances(patience: int, cooldown: int) -> None:
    """First after patience + 1 bad advances, then, as none counts in the cooldown, every patience + 1 + cooldown."""
    schedule = ReduceOnPlateau(factor=0.5, patience=patience, cooldown=cooldown)
    found = rates(schedule, [1.0] * 25)
    for k, rate in enumerate(found):  # the metric of k = 0 is the best
        reductions = max(0, (k - (patience + 1)) // (patience + 1 + cooldown) + 1) if k else 0
        assert rate == 0.5 * 0.5**reductions


@pytest.mark.parametrize(
    ("options", "enough", "too_little"),
    [
        ({"mode": "min", "threshold": 0.25}, 2.875, 3.0),
        ({"mode": "min", "threshold": 0.25, "threshold_mode": "abs"}, 3.7, 3.75),
        ({"mode": "max", "threshold": 0.25}, 5.125, 5.0),
        ({"mode": "max", "threshold": 0.25, "threshold_mode": "abs"}, 4.3, 4.25),
    ],
)
def test_better_is_better_by_more_than_the_threshold(options: Any, enough: float, too_little: float) -> None:
    """The best before is 4; equality with the threshold is not enough."""
    schedule = ReduceOnPlateau(factor=0.5, patience=0, **options)
    assert rates(schedule, [4.0, enough]) == [0.5, 0.5]
    assert rates(schedule, [4.0, too_little]) == [0.5, 0.25]


def test_a_floor_and_a_least_difference_are_kept() -> None:
    floor = ReduceOnPlateau(factor=0.25, patience=0, min_lr=0.1)
    assert rates(floor, [1.0] * 5) == [0.5, 0.125, 0.1, 0.1, 0.1]
    least = ReduceOnPlateau(factor=0.5, patience=0, eps=0.125)
    assert rates(least, [1.0] * 4) == [0.5, 0.25, 0.25, 0.25]  # 0.25 − 0.125 is not more than 0.125


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_and_the_worst_are_never_better_not_even_at_first(mode: Any) -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=0, mode=mode)
    assert rates(schedule, [np.nan, schedule.worst]) == [0.25, 0.125]
    assert rates(schedule, [np.nan, 1.0, np.nan]) == [0.25, 0.25, 0.125]


def test_runs_are_side_by_side_and_the_state_before_is_untouched() -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=1, cooldown=1)
    metrics = np.array([[1.0, 3.0], [1.0, 2.0], [1.0, np.nan], [2.0, 2.5], [0.5, 2.5], [0.6, 2.5], [0.7, 2.5]])
    together = rates(schedule, metrics, np.array([0.5, 0.25]))
    for run, lr in enumerate((0.5, 0.25)):
        assert [float(rate[run]) for rate in together] == rates(schedule, metrics[:, run], lr)
    before = schedule.init({"lr": 0.5})
    copy = dict(before)
    schedule.react(np.array(1.0), before)
    assert before == copy and "best" not in before


def test_every_arithmetic_decides_the_same(high_precision: Any) -> None:
    schedule = ReduceOnPlateau(factor=0.3, patience=1, cooldown=1, min_lr=1e-3, threshold=0.01)
    metrics = np.exp(-np.linspace(0, 3, 40)) + 0.05 * np.cos(np.arange(40))
    plain = rates(schedule, metrics)
    exact = rates(high_precision.hyper(schedule), high_precision.array(metrics), high_precision.number(0.5))
    assert len(set(plain)) > 4
    assert all(abs(a - b) < 1e-15 for a, b in zip(plain, exact, strict=True))
    profile = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])

    def number(x: Any) -> Any:
        return Bounded.hyper(x, profile)

    bounded = rates(lift(schedule, number), [number(metric) for metric in metrics], number(0.5))
    for rate, truth in zip(bounded, exact, strict=True):
        assert abs(truth - high_precision.array(rate.value)) <= high_precision.array(rate.error)
        assert rate.error <= 10 * 2.0**-53 * rate.value
    undecided = ReduceOnPlateau(factor=0.3, patience=0)
    with pytest.raises(Undecided):
        rates(lift(undecided, number), [number(1.0), number(1 - 1e-4)], number(0.5))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"factor": 1.0}, r"factor: given 1\.0; allowed: a number from 0 to 1 \(excluded\)"),
        ({"mode": "least"}, "mode: given 'least'; allowed: 'min', 'max'"),
        ({"patience": -1}, "patience: given -1; allowed: an integer ≥ 0"),
        ({"cooldown": 1.5}, "cooldown: given 1.5; allowed: an integer ≥ 0"),
    ],
)
def test_what_torch_refuses_is_refused(options: Any, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}"):
        ReduceOnPlateau(**options)
