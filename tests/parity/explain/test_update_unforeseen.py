"""An update that no one foresaw is said by the line that is other, by its pattern, or by the elements it is of."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from parity.explain.update import explain_update
from parity.explain.update.line import line_edits
from parity.explain.update.named import named_edits
from parity.explain.update.program import Program
from parity.explain.update.trial import UpdateRecord
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import OPTIMIZERS, SGD, Adagrad, Adamax, Lion
from refimpl.types import Array
from tests.parity.explain.updates import (
    ASKED_ADAM,
    ASKED_SGD,
    B1,
    B2,
    EPOCHS,
    EPS,
    LAM,
    State,
    Step,
    adam,
    averaged,
    explained,
    recorded,
)


@pytest.mark.parametrize("asked", [pytest.param(ASKED_ADAM, marks=pytest.mark.slow), ASKED_SGD], ids=["adamw", "sgd"])
def test_what_no_rule_explains_is_described_and_not_named(asked: Any) -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        s["b"] = 0.7 * s.get("b", 0) + np.tanh(g) * (1 + 0.1 * np.sin(s["t"]))
        return w - lr * s["b"] * np.abs(w) ** 0.3

    found = explained(step, asked)
    assert found is not None and found.best is None
    assert found.structure[0].startswith("weight and vector: not as asked in every element")


NO_PROGRAM = {"muon", "soap", "sparse_adam", "prodigy", "dadapt_adam"}
"""References whose step is no sequence of lines of its own: one takes matrices only, one goes over axes, one calls
another class, and two share numbers among all parameters."""
PROGRAMS = sorted({*OPTIMIZERS} - NO_PROGRAM - {"lbfgs"})


def test_references_without_a_program_are_few_and_known() -> None:
    assert all(Program.of(OPTIMIZERS[name](lr=0.01)) is None for name in NO_PROGRAM)


def test_the_program_of_a_reference_makes_its_steps() -> None:
    motion = recorded(adam(), "float64")[0]
    for name in PROGRAMS:
        asked: Any = OPTIMIZERS[name](**({} if name in ("adadelta", "rprop") else {"lr": 0.01}))
        program = Program.of(asked)
        assert program is not None, name
        both = [UpdateRecord(motion, asked).predicted(each) for each in (asked, program.optimizer)]
        np.testing.assert_allclose(both[0], both[1], rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_edit_of_a_reference_has_words(name: str) -> None:
    kind = OPTIMIZERS[name]
    names = {field.name for field in fields(kind)}
    asked: Any = kind(**{key: value for key, value in {"lr": 0.01, "weight_decay": 0.1}.items() if key in names})
    program = Program.of(asked)
    assert program is not None
    for edit in (*named_edits(program, True), *line_edits(program)):
        text, right = edit.told(program)
        assert text and right, edit


def _written_back(w: Array, g: Array, s: State, lr: float) -> Array:
    """Adagrad whose root is taken in place."""
    s["sum"] = np.sqrt(s.get("sum", 0) + g * g)
    return w - lr * g / (s["sum"] + EPS)


def _lion_in_place(w: Array, g: Array, s: State, lr: float) -> Array:
    """Lion whose interpolation overwrites the average."""
    between = B1 * s.get("m", 0) + (1 - B1) * g
    s["m"] = B2 * between + (1 - B2) * g
    return w - lr * np.sign(between)


def _twice_started(w: Array, g: Array, s: State, lr: float) -> Array:
    """The first gradient fills the buffer and is added to it."""
    s["b"] = B1 * s.get("b", g) + g
    return w - lr * s["b"]


def _undecayed_maximum(w: Array, g: Array, s: State, lr: float) -> Array:
    """Adamax whose norm never falls."""
    s["u"] = np.maximum(s.get("u", 0), np.abs(g) + EPS)
    return w - lr / (1 - B1 ** s["t"]) * averaged(s, "m", g, B1) / s["u"]


@pytest.mark.parametrize(
    ("step", "asked", "said"),
    [
        (_written_back, Adagrad(lr=0.01, eps=EPS), "what is kept as sum is √s, not s"),
        (_lion_in_place, Lion(lr=0.01, betas=(B1, B2)), "is written into exp_avg in place"),
        (_twice_started, SGD(lr=0.01, momentum=B1), "advanced with it once more in the same step"),
        (_undecayed_maximum, Adamax(lr=0.01, betas=(B1, B2), eps=EPS), "the factor β₂ is missing"),
    ],
    ids=["adagrad", "lion", "sgd", "adamax"],
)
def test_an_error_that_no_one_foresaw_is_said_by_the_line_that_is_other(step: Step, asked: Any, said: str) -> None:
    found = explained(step, asked)
    assert found is not None and found.best is not None, found
    assert said in found.best.text, found.best.text


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda w, g, s, lr: w - lr / np.sqrt(s["t"]) * g, "the step falls with 1/√t"),
        (lambda w, g, s, lr: w - 0.01 * g, "the step does not follow the schedule"),
        (lambda w, g, s, lr: w - lr * g * (s["t"] % 3 > 0), "the step is 0 in every third step from 2 on"),
        (lambda w, g, s, lr: w - lr * 0.9 ** (s["t"] - 1) * g, "the step is multiplied by 0.9 in each step"),
    ],
    ids=["root", "schedule", "skipped", "geometric"],
)
def test_a_step_that_changes_from_step_to_step_is_described_by_its_pattern(step: Step, said: str) -> None:
    found = explained(step, SGD(lr=0.01))
    assert found is not None and found.best is not None
    assert found.best.text.startswith(said), found.best.text


def _odd(w: Array, g: Array, s: State, lr: float) -> Array:
    """Steps that no rule makes."""
    return w - lr * np.tanh(g) * np.abs(w) ** 0.3


@pytest.mark.slow
def test_parameters_of_different_optimizers_are_explained_together() -> None:
    asked = {"weight": ASKED_ADAM, "vector": SGD(lr=0.01)}
    found = explain_update(asked, recorded(_odd, "float64"), epochs=EPOCHS)
    assert found is not None and found.best is None
    assert [sentence.partition(": ")[0] for sentence in found.structure] == ["weight and vector"]


def test_weights_that_never_move_are_no_late_momentum() -> None:
    found = explained(lambda w, g, s, lr: w, ASKED_SGD)
    assert found is not None and found.best is not None and found.best.id == "lr-other"


def test_a_move_where_none_was_asked_is_not_in_the_asked_direction() -> None:
    found = explained(lambda w, g, s, lr: w + 0.1 * np.sin(w), SGD(lr=0.0))
    assert found is not None and found.best is None
    assert found.structure[0].endswith("it moves where the asked step is 0")


def test_an_edit_of_some_elements_is_said_to_be_of_those() -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        shrunk = w * (1 - lr * LAM)
        if w.ndim > 1:
            shrunk[:, 4:] = w[:, 4:]
        return adam(before=lambda w, lr, s: shrunk)(w, g, s, lr)

    found = explained(step, ASKED_ADAM)
    assert found is not None and found.best is not None
    assert found.best.id == "penalty-missing-of-some" and "no weight decay: in" in found.best.text


def test_a_state_in_a_narrower_format_is_told_from_its_use() -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        new = B1 * s.get("b", 0) + g
        s["b"] = FORMATS["bfloat16"].round(np.asarray(new, float))
        return w - lr * new

    found = explained(step, ASKED_SGD)
    assert found is not None and found.best is not None and found.best.id == "precision-bfloat16-state"
