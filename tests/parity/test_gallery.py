"""The experiments that come with the package: which there are, and that torch agrees on every one."""

from __future__ import annotations

import contextlib
from itertools import cycle, product
from typing import Any

import pytest

import parity
from parity import gallery
from parity.errors import InputError, Unsupported
from parity.features.answers.answer import ARTICLE, NOTES, TEXTBOOK, THREAD, TUTORIAL
from parity.formulation import FORMULATIONS

UNSEEN: dict[Any, str] = {
    "bfloat16": "eps",  # 1e-3 beside √v ≈ 1
    ("s1-adam-decay", "float32"): "eps",  # 1e-8, the default
    ("s1-pattern-l1", "bfloat16"): "L1.strength",  # 0.005 beside a gradient of about 1
    ("s1-pattern-l2", "bfloat16"): "L2.strength",
}
"""What an experiment, or any, is too small to show in a dtype."""
DTYPES = ("float64", "float32", "bfloat16")
SOURCES = [name for name in gallery.names() if not name.startswith(("s2-", "check-"))]  # networks: test_network.py
PROBES = [name for name in gallery.names() if name.startswith("check-")]
CASES = [*product(SOURCES, DTYPES), *zip(PROBES, cycle(DTYPES), strict=False)]
"""Of the probes each in one dtype: they are run as torch programs elsewhere, too."""


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_torch_agrees(name: str, dtype: str, bench: Any) -> None:
    experiment = parity.load(name)
    long = experiment.epochs * experiment.draw().dataset.X.shape[1] > 500
    every = not long or (experiment.penalties and dtype == "float32")  # a long run in one dtype only
    verdicts = {}
    for formulation in FORMULATIONS if every else ("loss",):
        with contextlib.suppress(Unsupported):  # L1 is no weight_decay, and Adam is not written by hand
            verdicts[formulation] = bench.judge(experiment, dtype=dtype, formulation=formulation)
    assert "loss" in verdicts
    for formulation, verdict in verdicts.items():
        unseen = UNSEEN.get((name, dtype), UNSEEN.get(dtype, "nothing"))
        lost = verdict.text.startswith(f"agrees, except that {unseen}")
        assert verdict.name == "agree" or lost, (formulation, verdict.text)


def test_the_textbook_the_tutorial_and_the_notes_are_there_with_and_without_penalty() -> None:
    sources: dict[str, set[float]] = {}
    for name in gallery.names():
        experiment = parity.load(name)
        strengths = {penalty.strength for penalty in experiment.penalties} or {0.0}  # type: ignore[attr-defined]
        sources[experiment.source] = sources.get(experiment.source, set()) | strengths
    assert sources[TEXTBOOK] == sources[NOTES] == {0, 3}
    assert {0, 0.2} < sources[TUTORIAL] and {0, 1, 10, 50} < sources[THREAD]


def test_an_experiment_of_a_lesson_names_it_in_its_source_its_title_and_its_own_name() -> None:
    words = {TEXTBOOK: "textbook", TUTORIAL: "tutorial", ARTICLE: "article", NOTES: "course notes", THREAD: "thread"}
    for name in gallery.names():
        experiment = parity.load(name)
        if experiment.source in words:
            assert f"({name[:2].upper()})" in experiment.source
            assert experiment.title.startswith(words[experiment.source])
        else:
            assert name.startswith(("check-", "probe-")) and experiment.source.startswith("made to ")


def test_a_name_is_one_file_and_a_pattern_all_that_match() -> None:
    assert gallery.names() == sorted(gallery.names())
    assert [path.stem for path in gallery.find("s1-xor")] == ["s1-xor"]
    assert [path.stem for path in gallery.find("s1-x*")] == ["s1-xor", "s1-xor-lam0"]
    assert [path.stem for path in gallery.find("*")] == gallery.names()


def test_an_unknown_name_says_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"s3-scrach-lam0: no such experiment; .* did you mean 's3-scratch-lam0'\?"):
        gallery.find("s3-scrach-lam0")
