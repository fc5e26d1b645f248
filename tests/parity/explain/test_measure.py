"""What is measured of a step is what was put into it, within its error bar; what is proven is nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parity
from benchmarks.power.mutants import program
from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause_of
from parity.explain.diagnosis import diagnose
from parity.explain.measure.given import Given
from parity.explain.measure.rows import Rows, measure
from parity.explain.measure.series import Series, steps_text
from parity.explain.names.weights import _groups, _of_places
from parity.explain.why import Prover, classes_of, explain
from parity.features.check.events import Records
from parity.features.check.in_process import trajectory_here
from parity.features.check.task import Task
from parity.features.check.task_data import task_data
from parity.features.check.training import trajectory_of
from parity.gallery import names
from parity.step.design import as_asked
from parity.step.engine import Engine
from parity.step.recording import recording_of
from refimpl.trajectory import Trajectory
from refimpl.types import Array

CHECKS = [name for name in names() if name.startswith("check-")]
DTYPES = ("float64", "float32", "bfloat16", "float16")
COLUMNS: dict[str, Any] = {"sign w": np.sign, "1": np.ones_like}


class Made:
    """Gradients of two steps, put together in plain NumPy from known parts, in one dtype."""

    def __init__(self, seed: int, dtype: str, further: tuple[str, ...], *, spare: int = 4) -> None:
        rng = np.random.default_rng(seed)
        batches = [np.arange(rows) for rows in rng.integers(1, 7, 2)]
        p = int(max(map(len, batches))) + spare
        scale = 10.0 ** rng.uniform(-2, 2)
        self.batches, self.further = batches, further
        self.X = (scale * rng.standard_normal((7, p))).astype(dtype)
        self.w = rng.standard_normal((2, p)).astype(dtype)
        self.w[:, :2] = np.abs(self.w[:, :2]) * [1, -1]  # so that sign(w) is not 1
        self.lam, self.c, self.added = (rng.uniform(0.3, 3, 3) * rng.choice([-1, 1], 3)).astype(dtype)
        times = [rng.choice([0.0, 0.5, 1.0, 2.0], len(rows)).astype(dtype) for rows in batches]
        self.delta = [q * rng.standard_normal(len(q)).astype(dtype) for q in times]
        self.w_gradient = np.stack([self._gradient(k) for k in range(2)])
        self.b_gradient = np.array([[delta.sum() + self.added] for delta in self.delta])
        self.unit = float(np.finfo(dtype).eps) / 2

    def _gradient(self, k: int) -> Array:
        g: Array = self.delta[k] @ self.X[self.batches[k]] + self.lam * self.w[k]
        for name in self.further:
            g = g + self.c * (self.w[0] if name == "w₀" else COLUMNS[name](self.w[k]))
        return g

    def measured(self, beside: Array | float = 0.0) -> Rows:
        value = {"weight": self.w_gradient.astype(float) + beside, "bias": self.b_gradient.astype(float)}
        error = {name: 8 * self.unit * np.abs(each) for name, each in value.items()}
        error["bias"] = 16 * self.unit * np.array([[np.abs(d).sum() + abs(self.added)] for d in self.delta])
        recorded = Given(value=value, error=error, source="backward", unit=self.unit)
        found = measure(recorded, self.w.astype(float), self.X.astype(float), self.batches)
        assert found is not None
        return found


def within(value: Any, true: Any, error: Any) -> bool:
    return bool(np.all(np.abs(np.asarray(value) - np.asarray(true, float)) <= error))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from(["float64", "float32"]),
    further=st.sampled_from([(), ("sign w",), ("1",), ("w₀",), ("sign w", "1")]),
)
def test_a_gradient_is_taken_apart_into_what_it_was_made_of(seed: int, dtype: str, further: tuple[str, ...]) -> None:
    made = Made(seed, dtype, further)
    rows = made.measured()
    assert rows.explained and set(rows.further) == set(further)
    for k in range(2):
        merged = made.c if k == 0 and further == ("w₀",) else 0.0  # w is w₀ there
        assert within(rows.delta[k], made.delta[k], rows.delta_error[k])
        assert within(rows.decay[k], made.lam + merged, rows.decay_error[k])
        for value, error in rows.further.values():
            assert within(value[k], 0.0 if merged else made.c, error[k])
    assert rows.added is not None and within(rows.added, made.added, rows.added_error)
    assert max(map(np.max, rows.delta_error)) <= 1e6 * made.unit, "bars that tell something"


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), dtype=st.sampled_from(["float64", "float32"]))
def test_a_part_that_no_row_can_give_is_said_to_be_unexplained(seed: int, dtype: str) -> None:
    made = Made(seed, dtype, (), spare=9)
    rng = np.random.default_rng([seed, 1])
    size = np.linalg.norm(made.w_gradient, axis=1, keepdims=True)
    rows = made.measured(beside=1e-3 * size * rng.standard_normal(made.w_gradient.shape))
    assert not rows.explained and np.all(rows.left > 1)


def test_more_rows_than_features_cannot_be_told_apart() -> None:
    recorded = Given(value={"weight": np.ones((1, 4))}, error={"weight": np.zeros((1, 4))}, source="backward")
    assert measure(recorded, np.ones((1, 4)), np.ones((5, 4)), [np.arange(5)]) is None


EPOCH = np.repeat([0, 1, 2], 3)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([0, 3, 6], "the first step of each epoch"),
        ([2, 5, 8], "the last step of each epoch"),
        ([4, 5, 6, 7, 8], "every step from 4 on"),
        ([0, 1], "the first 2 steps"),
        ([1, 3, 5, 7], "every second step from 1 on"),
        ([5], "step 5"),
        ([1, 2, 7], "steps 1, 2, 7"),
        ([], "no step"),
        (range(9), "every step"),
    ],
    ids=str,
)
def test_steps_are_told_by_the_structure_of_the_run(chosen: Any, text: str) -> None:
    mask = np.zeros(9, bool)
    mask[list(chosen)] = True
    assert steps_text(mask, EPOCH) == text


def test_a_series_is_as_short_as_its_bars_allow() -> None:
    bars = np.full(3, 1e-6)
    assert Series(np.array([0.5 + 4e-7, 0.5 - 3e-7, 0.5]), bars).text() == "0.500"
    assert Series(np.array([1e-7, 0.0, -1e-7]), bars).text() == "0"
    assert Series(np.array([0.5, 0.25, 0.0]), bars).constant is None
    assert Series(np.array([0.5, 0.25, 0.0]), bars).text() == "0.500, 0.250, 0"
    assert Series(np.array([0.5, 1.0, 3.0]), bars).over(np.array([1.0, 2.0, 0.0])).is_(np.array([0.5, 0.5, 9.0]))


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5).filter(lambda sizes: len(set(sizes)) > 1))
def test_parts_of_a_batch_are_found_by_the_weight_of_their_rows(sizes: list[int]) -> None:
    """In a mean of m means a row of a part of s rows counts n/(m·s) times."""
    n, m = sum(sizes), len(sizes)
    q = np.concatenate([np.full(size, n / (m * size)) for size in sizes])
    parts = _groups(q)
    assert np.allclose(np.concatenate([np.full(size, n / (len(parts) * size)) for size, _ in parts]), q)
    assert len(parts) <= m, "never more parts than there are"


def run(name: str, dtype: str, *faults: str) -> Trajectory:
    experiment = parity.load(name)
    task = Task(task_data(experiment), dtype)
    program(*faults)(task)
    records: Records = task.records
    return trajectory_of(experiment, records, dtype)


@pytest.mark.parametrize(("off", "name"), [(0.0, "rows-mean-of-means"), (4e-6, "rows-by-place")])
def test_weights_are_those_of_a_mean_of_means_only_within_their_bars(off: float, name: str) -> None:
    q = np.array([5 / 6] * 4 + [5 / 3]) * (1 + off * np.array([1, -1, 1, -1, 1]))
    assert _of_places(q, q - 1e-12, q + 1e-12)[0] == name


def test_a_cause_that_leaves_a_number_outside_its_bound_is_not_proven() -> None:
    design = as_asked(parity.load("check-sgd"))
    engine = Engine(recording_of(run("check-sgd", "float32", "lr-doubled"))[0])
    wrong, right = (cause_of(NAMES[id], value) for id, value in (("lr-halved", 0.5), ("lr-doubled", 2.0)))
    silent = Cause(id="nothing", text="nothing", change="", apply=lambda design: design)
    proof = Prover(design, engine)
    proof.hold_all([(wrong,), (silent,), (wrong, right)])
    assert not proof.found
    proof.hold_all([(right,)])
    assert [one.ids for one in proof.ranked()] == [("lr-doubled",)]


def test_a_cause_that_changes_nothing_is_not_proven_by_a_correct_run() -> None:
    proof = Prover(as_asked(parity.load("check-sgd")), Engine(recording_of(run("check-sgd", "float32"))[0]))
    proof.hold([Cause(id="nothing", text="nothing", change="", apply=lambda design: design)])
    assert proof.tried and not proof.found


def test_every_explanation_brings_every_number_within_its_bound() -> None:
    experiment = parity.load("check-sgd")
    for fault in ("loss-doubled", "gradient-stale", "penalty-on-bias-too"):
        recording = recording_of(run("check-sgd", "float64", fault))[0]
        design = as_asked(experiment)
        explanations = explain(design, Engine(recording))
        (first, *_), *_ = classes_of(explanations)
        assert fault in first.ids
        for one in explanations:
            assert Engine(recording).share(one.design) == pytest.approx(one.share) and one.share <= 1
        assert Engine(recording).share(design) > 1


@pytest.mark.parametrize(("name", "dtype"), list(zip(CHECKS, cycle(DTYPES), strict=False)))
def test_correct_code_has_no_finding(name: str, dtype: str) -> None:
    experiment = replace(parity.load(name), epochs=2)
    trajectory, observed = trajectory_here(program(), experiment, dtype)
    diagnosis = diagnose(experiment, trajectory, observed=observed)
    assert not diagnosis.findings and diagnosis.share <= 1
    assert diagnosis.verdict in ("agree", "undecidable")
