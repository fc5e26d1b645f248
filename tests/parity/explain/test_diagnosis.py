"""Real torch programs, right and wrong, are diagnosed from what is seen of their steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest

import parity
from benchmarks.power.mutants import FAMILIES, MUTANTS, program
from parity.backends.base import Setting
from parity.backends.torch_backend import TorchBackend
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.features.check.events import Records
from parity.features.check.in_process import trajectory_here
from parity.features.check.task import Task
from parity.features.check.task_data import task_data
from parity.features.check.training import trajectory_of
from refimpl.trajectory import Trajectory

UNNAMED = ("gradient-noise",)
"""Faults that nothing explains."""
ELEMENTS = ("element-never-updated", "elements-every-fourth")
ALSO = {
    "precision-bfloat16-weights": "precision-bfloat16",
    "precision-float16-weights": "precision-float16",
}
"""Faults that may be called otherwise."""
QUICK = {family[0].id for family in FAMILIES.values()}
"""One fault of each family; all of them are measured by ``benchmarks.power``."""


def run(ids: tuple[str, ...], name: str, dtype: str) -> Trajectory:
    """The weights alone."""
    return trajectory_here(program(*ids), parity.load(name), dtype)[0]


def diagnosed(ids: tuple[str, ...], name: str, dtype: str, epochs: int = 2) -> Diagnosis:
    """As of a training function whose steps are seen from outside."""
    experiment = replace(parity.load(name), epochs=epochs)
    trajectory, observed = trajectory_here(program(*ids), experiment, dtype)
    return diagnose(experiment, trajectory, observed=observed)


def named(diagnosis: Diagnosis) -> set[str]:
    """The findings without their parameters, and those that cannot be told from them."""
    return {id.partition(" ")[0] for finding in diagnosis.findings for id in (finding.id, *finding.alike)}


@pytest.mark.parametrize("id", sorted(QUICK - {*UNNAMED, *ELEMENTS}))
def test_a_fault_of_each_family_is_named(id: str) -> None:
    mutant = MUTANTS[id]
    dtype = mutant.dtypes[len(id) % len(mutant.dtypes)]
    diagnosis = diagnosed((id,), mutant.experiments[0], dtype)
    assert diagnosis.verdict == "disagree"
    assert ALSO.get(id, id) in named(diagnosis)


@pytest.mark.parametrize("id", ELEMENTS)
def test_elements_that_stand_still_are_listed(id: str) -> None:
    finding, *others = diagnosed((id,), "check-sgd", "float32").findings
    assert not others
    assert finding.id == "elements-not-updated (weight)"
    assert ("only the last element" if id == ELEMENTS[0] else "every 4th element from 3 on") in finding.text


def test_what_nothing_explains_is_described_and_not_named() -> None:
    diagnosis = diagnosed(("gradient-noise",), "check-sgd", "float64")
    assert diagnosis.verdict == "disagree"
    assert not any(explanation.named for explanation in diagnosis.explanations)
    assert diagnosis.links[1].text == "the gradient is no combination of the batch's rows and the weights"


PAIRS = [
    ("loss-doubled", "penalty-on-bias-too"),
    ("bias-correction-missing-second", "penalty-halved"),
    ("penalty-halved", "gradient-stale"),
    ("initial-zeros", "loss-broadcast"),
    ("penalty-l1-for-l2", "loss-halved"),
]


@pytest.mark.parametrize("ids", PAIRS, ids=[" and ".join(pair) for pair in PAIRS])
def test_two_faults_at_once_are_both_named(ids: tuple[str, str]) -> None:
    first, second = (MUTANTS[id] for id in ids)
    name = next(each for each in first.experiments if each in second.experiments)
    assert set(ids) <= named(diagnosed(ids, name, "float64"))


def test_a_free_number_is_found_exactly() -> None:
    diagnosis = diagnosed(("lr-other",), "check-sgd", "float64")
    assert diagnosis.explanations[0].ids == ("lr-other",)
    assert "0.71 times" in diagnosis.text  # 0.0213 for 0.03


def test_the_links_say_what_the_loss_hides() -> None:
    diagnosis = diagnosed(("loss-doubled",), "check-sgd", "float32")
    links = {link.name: link for link in diagnosis.links}
    assert links["rows"].text.startswith("all rows of a step count alike, 2.0")
    assert [link.name for link in links.values() if not link.as_asked] == ["gradient", "rows"]


def test_the_losses_that_were_reported_tell_a_factor_from_a_rate() -> None:
    # without a penalty, twice the loss and twice the rate move the weights alike
    experiment = replace(parity.load("s0-scratch-lam0"), epochs=10)
    with_losses, _ = trajectory_here(program("loss-doubled"), experiment, "float64")
    without = replace(with_losses, loss=np.full_like(with_losses.loss, np.nan))
    told, untold = (diagnose(experiment, each) for each in (with_losses, without))
    assert "lr-doubled" not in named(told)
    assert {"loss-doubled", "lr-doubled"} <= named(untold)


def test_a_loss_that_is_wrong_where_the_steps_are_right_is_found() -> None:
    right = run((), "check-sgd", "float64")
    diagnosis = diagnose(parity.load("check-sgd"), replace(right, loss=2 * right.loss))
    assert diagnosis.verdict == "disagree"
    assert named(diagnosis) == {"loss-doubled"}
    assert "of the loss that was reported, not of the steps" in diagnosis.text


REPORTED: dict[str, Callable[[list[float]], list[float]]] = {
    "the loss times the number of rows of the batch": lambda losses: [
        loss * rows for loss, rows in zip(losses, 4 * [5, 5, 5, 5, 2], strict=True)
    ],
    "the mean of every loss so far": lambda losses: [sum(losses[: k + 1]) / (k + 1) for k in range(len(losses))],
    "the sum of every loss so far": lambda losses: list(accumulate(losses)),
    "the loss of the step before": lambda losses: [losses[0], *losses[:-1]],
}


@pytest.mark.parametrize(
    ("quantity", "dtype"),
    [*((quantity, "float32") for quantity in REPORTED), ("the sum of every loss so far", "float64")],
)
def test_another_usual_quantity_reported_as_the_loss_is_a_note_and_no_fault(quantity: str, dtype: str) -> None:
    right = run((), "check-sgd", dtype)
    losses = np.array(REPORTED[quantity]([float(loss) for loss in right.loss[:, 0]]))[:, None]
    diagnosis = diagnose(parity.load("check-sgd"), replace(right, loss=losses))
    assert not diagnosis.findings
    assert f"the loss that was reported is {quantity}" in diagnosis.notes
    off = diagnose(parity.load("check-sgd"), replace(right, loss=losses * (1 + 1e-4)))
    assert off.findings


def test_the_open_question_of_the_textbook_is_answered() -> None:
    """The concise run has the λ of the run from scratch and ends with nine times its norm: three differences."""
    concise = TorchBackend().run(
        parity.load("s0-concise-lazy-lam3"), Setting(dtype="float32", formulation="weight_decay")
    )
    diagnosis = diagnose(parity.load("s0-scratch-lam3"), replace(concise, gradients={}, state={}))
    ids = [finding.id for finding in diagnosis.findings]
    assert ids[0] == "initial-layer-default (weight)"  # which did most
    assert set(ids[1:]) == {"loss-doubled", "initial-layer-default (bias)"}
    effects = diagnosis.effects
    assert effects is not None
    assert 5 < effects.ratio < 15
    assert effects.ratio == pytest.approx(concise.norm[-1, 0] ** 2 / 2 / effects.asked, rel=1e-4)
    assert sum(effect.share for effect in effects.each) == pytest.approx(math.log(effects.ratio), rel=1e-12)
    shares = {effect.name: effect.share / math.log(effects.ratio) for effect in effects.each}
    assert shares["initial-layer-default (weight)"] > 0.8


def test_a_run_that_diverges_is_judged_up_to_where_it_does() -> None:
    experiment = parity.load("check-sgd")
    huge = replace(experiment, optimizer=replace(experiment.optimizer, lr=1e200))  # type: ignore[type-var]
    task = Task(task_data(huge), "float64")
    program()(task)
    records: Records = task.records
    diagnosis = diagnose(experiment, trajectory_of(experiment, records, "float64"))
    assert diagnosis.verdict == "disagree"


def test_what_a_run_cannot_show_is_listed() -> None:
    diagnosis = diagnosed((), "check-adam", "bfloat16")
    assert diagnosis.verdict == "undecidable"
    assert "eps" in diagnosis.unseen


def test_a_record_of_other_shapes_is_refused_in_one_line() -> None:
    wrong: Records = [({"weight": np.zeros((1, 1, 3)), "bias": np.zeros((1, 1))}, None)] * 21
    with pytest.raises(parity.errors.InputError, match="weight was reported with 3 numbers"):
        trajectory_of(parity.load("check-sgd"), wrong, "float64")
