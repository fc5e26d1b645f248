"""The faults of ``examples/trainers/faults`` are named, those of two ranks in real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import parity
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from parity.features.check.run import check
from parity.features.check.target import load, parse

FAULTS = Path(__file__).parents[3] / "examples" / "trainers" / "faults"
NAMED = {
    "no_division": "accumulation-not-divided",
    "bias_decayed": "penalty-on-bias-too",
    "momentum_lost": "state-reset-each-epoch",
    "clip_before_unscale": "clip-before-unscale",
}
ON_RANKS = {
    "ranks_sum": ("ranks", "ranks-not-averaged"),
    "ranks_unequal": ("all-rows", "rows-ranks-unequal"),
    "ranks_scheduler": ("ranks-scheduled", "schedule-twice"),
    "ranks_order": ("ranks", "batches-shuffled-once"),
}
"""The experiment that is asked for, and the name."""


def test_each_fault_has_its_name() -> None:
    assert sorted(file.stem for file in FAULTS.glob("*.py")) == sorted([*NAMED, *ON_RANKS])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("fault", ON_RANKS)
def test_a_fault_of_two_ranks_is_named_first(fault: str, dtype: str) -> None:
    asked, name = ON_RANKS[fault]
    experiment = FAULTS.parent / f"{asked}.toml"
    diagnosis = check(f"{FAULTS / fault}.py:train", experiment, ranks=2, dtype=dtype, limit=600)
    assert diagnosis.verdict == "disagree" and diagnosis.findings[0].id == name, diagnosis.text
    if fault == "ranks_sum":  # which the page shows
        page = FAULTS.parents[2] / "docs" / "trainers.md"
        assert f"disagree: {diagnosis.text}\n" in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("fault", NAMED)
def test_a_fault_of_a_trainer_is_named_alone(fault: str, dtype: str) -> None:
    asked = parity.load(FAULTS / "asked.toml")
    train = load(parse(f"{FAULTS / fault}.py:train"))
    trajectory, observed = trajectory_here(train, asked, dtype)
    diagnosis = diagnose(asked, trajectory, observed=observed)
    assert diagnosis.verdict == "disagree"
    assert [finding.id for finding in diagnosis.findings] == [NAMED[fault]], diagnosis.text


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_plain_loop_has_none_of_them(dtype: str) -> None:
    asked = parity.load(FAULTS / "asked.toml")
    trajectory, observed = trajectory_here(load(parse(f"{FAULTS.parent / 'plain.py'}:train")), asked, dtype)
    diagnosis = diagnose(asked, trajectory, observed=observed)
    assert diagnosis.verdict in ("agree", "undecidable") and diagnosis.findings == ()
