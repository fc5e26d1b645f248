"""The experiments that come with the package: which there are, and that torch agrees on every one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

import parity
from parity import gallery
from parity.errors import InputError, Unsupported
from parity.formulation import FORMULATIONS


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", gallery.names())
def test_torch_agrees(name: str, dtype: str, bench: Any) -> None:
    experiment = parity.load(name)
    long = experiment.epochs * experiment.draw().dataset.X.shape[1] > 500
    verdicts = {}
    for formulation in ("loss",) if long and not experiment.penalties else FORMULATIONS:
        with contextlib.suppress(Unsupported):  # L1 is no weight_decay, and Adam is not written by hand
            verdicts[formulation] = bench.judge(experiment, dtype=dtype, formulation=formulation)
    assert "loss" in verdicts
    for formulation, verdict in verdicts.items():
        unseen = dtype == "bfloat16" and verdict.text.startswith("agrees, except that eps")  # ε = 1e-3 beside √v ≈ 1
        assert verdict.name == "agree" or unseen, (formulation, verdict.text)


def test_the_textbook_the_tutorial_and_the_notes_are_there_with_and_without_penalty() -> None:
    sources: dict[str, set[float]] = {}
    for name in gallery.names():
        experiment = parity.load(name)
        strengths = {penalty.strength for penalty in experiment.penalties} or {0.0}  # type: ignore[attr-defined]
        sources[experiment.source] = sources.get(experiment.source, set()) | strengths
    assert {source: sources[source] for source in ("S0", "S1", "S3")} == {"S0": {0, 3}, "S1": {0, 0.2}, "S3": {0, 3}}


def test_a_name_is_one_file_and_a_pattern_all_that_match() -> None:
    assert gallery.names() == sorted(gallery.names())
    assert [path.stem for path in gallery.find("s1-xor")] == ["s1-xor"]
    assert [path.stem for path in gallery.find("s1-*")] == ["s1-xor", "s1-xor-lam0"]
    assert [path.stem for path in gallery.find("*")] == gallery.names()


def test_an_unknown_name_says_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"s3-scrach-lam0: no such experiment; .* did you mean 's3-scratch-lam0'\?"):
        gallery.find("s3-scrach-lam0")
