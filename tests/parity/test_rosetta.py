"""Settings of one library's optimizer for those of another: proven, refuted or absent, as in each cell of the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.rosetta.page import page
from benchmarks.rosetta.rows import ROWS
from benchmarks.rosetta.run import cells, renewed
from parity import convert_optimizer
from parity.errors import InputError
from parity.features.convert.optimizers import of_torch
from parity.features.convert.optimizers.library import LIBRARIES, library, named
from parity.features.convert.optimizers.writing import reference_of, words_of
from refimpl.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "benchmarks" / "results" / "rosetta.json").read_text(encoding="utf-8"))
RUN = of_torch.Package.run
MODULES = {"torch": "torch", "optax": "optax", "keras": "keras", "mlx": "mlx.optimizers"}


@pytest.mark.every_case
@pytest.mark.parametrize("name", LIBRARIES)
def test_the_words_of_a_library_come_back_as_they_were(name: str) -> None:
    for writing in library(name).WRITINGS:
        reference = OPTIMIZERS[writing.family](**{"lr": 0.03, **writing.fixed})
        words = words_of(writing, reference)
        assert reference_of(writing, words, {}) == reference


def test_the_same_class_is_proven_to_be_itself() -> None:
    (one,) = convert_optimizer("torch.AdamW", "torch.adamw", {"lr": 0.03, "weight_decay": 0.3}, prove=True).each
    assert (one.verdict, one.wanted) == ("proven", "torch.AdamW")
    assert one.text.startswith("both make the steps of AdamW(lr=0.03, weight_decay=0.3): 6,400 numbers")


def departing(monkeypatch: pytest.MonkeyPatch, *runs: Mapping[int, float]) -> None:
    """One run after the other has its rate times these factors, each from a step on; the vector has not."""
    each = iter(runs)

    def other(package: Any, name: str, hyper: Any, feed: Any, dtype: str) -> Any:
        factors = {0: 1.0, **next(each)}
        rates = tuple(factors[max(since for since in factors if since <= k)] * one for k, one in enumerate(feed.factor))
        right, moved = (RUN(package, name, hyper, one, dtype) for one in (feed, replace(feed, factor=rates)))
        return [{**mine, "vector": moment["vector"]} for mine, moment in zip(moved, right, strict=True)]

    monkeypatch.setattr(of_torch.Package, "run", other)


def test_a_library_that_steps_otherwise_is_refuted_by_the_first_number(monkeypatch: pytest.MonkeyPatch) -> None:
    departing(monkeypatch, {}, {0: 1.001})
    found = convert_optimizer("torch.SGD", "torch.SGD", {"lr": 0.03}, prove=True)
    assert found.exit_code == 1 and found.each[0].verdict == "refuted"
    assert "weight[0, 0] after step 0: torch.SGD has" in found.each[0].text
    assert "lr = 0.03003, asked 0.03" in found.each[0].text


@pytest.mark.parametrize(
    ("here", "there", "verdict", "said"),
    [
        (
            {3: 1.001},
            {3: 1.001},
            "not decided",
            ["neither is the rule: torch.SGD leaves the rule in step 3", "equal to each other"],
        ),
        ({3: 1.001}, {3: 1.002}, "refuted", ["after step 3: torch.SGD has"]),
        ({3: 1.001}, {9: 1.001}, "refuted", ["after step 3: torch.SGD has"]),
        ({3: 1.001}, {3: 1.001, 9: 1.002}, "not decided", ["in step 3; they part later", "after step 9"]),
        ({0: 1.001}, {0: 1.001 + 1e-12}, "not decided", ["neither is the rule", "(lr = 0.03003, asked 0.03)"]),
        ({}, {9: np.inf}, "refuted", ["after step 9: torch.SGD has"]),
        ({9: np.inf}, {9: np.inf}, "not decided", ["neither is the rule", "equal to each other"]),
    ],
)
def test_where_both_leave_the_rule_they_are_refuted_by_their_difference_alone(
    here: Mapping[int, float], there: Mapping[int, float], verdict: str, said: list[str], monkeypatch: Any
) -> None:
    departing(monkeypatch, here, there)
    converted = convert_optimizer("torch.SGD", "torch.SGD", {"lr": 0.03}, prove=True)
    (one,) = converted.each
    assert one.verdict == verdict and all(part in one.text for part in said), one.text
    assert converted.exit_code == (1 if verdict == "refuted" else 2)


def test_a_side_that_leaves_the_rule_by_less_than_two_roundings_is_not_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    departing(monkeypatch, {}, {0: 1 + 2.0**-52})
    (one,) = convert_optimizer("torch.SGD", "torch.SGD", {"lr": 1e6}, prove=True).each
    assert one.verdict == "not decided" and "torch.SGD leaves the rule in step 3; the two are equal" in one.text


def test_no_place_is_named_where_the_rule_itself_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    departing(monkeypatch, {30: 1e308}, {30: 1e308})
    (one,) = convert_optimizer("torch.SGD", "torch.SGD", {"lr": 1e308}, prove=True).each
    assert one.verdict == "not decided" and "[" not in one.text.removeprefix("SGD["), one.text


def test_what_a_library_has_no_word_for_is_absent() -> None:
    (one,) = convert_optimizer("torch.AdamW", "optax.adamw", {"amsgrad": True}).each
    assert (one.verdict, one.call) == ("absent", "")
    assert one.text == "adamw has no amsgrad: it is False there, asked is True"


def test_settings_alone_need_no_run() -> None:
    found = convert_optimizer("torch.Adam", "mlx.Adam", {"lr": 0.03})
    assert found.exit_code == 0 and found.each[0].verdict == "not run"
    assert (
        found.each[0].call
        == "mlx.optimizers.Adam(bias_correction=True, learning_rate=0.03, betas=(0.9, 0.999), eps=1e-08)"
    )


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("source", "target", "hyper", "said"),
    [
        ("torch.SGDx", "optax", {}, "did you mean 'SGD'"),
        ("torchx.SGD", "optax", {}, "did you mean 'torch'"),
        ("torch.SGD", "optaxx", {}, "did you mean 'optax'"),
        ("torch.SGD", "optax.adam", {}, "optax.adam: is adam, and the source is SGD"),
        ("torch.SGD", "optax", {"lrr": 1}, "SGD is known here with lr, momentum"),
        ("torch.SGD", "optax", {"lr": -1.0}, "SGD: "),
    ],
)
def test_bad_input_is_one_line(source: str, target: str, hyper: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        convert_optimizer(source, target, hyper)
    assert "\n" not in str(refusal.value)


def test_the_page_is_that_of_the_results() -> None:
    assert (ROOT / "docs" / "rosetta.md").read_text(encoding="utf-8") == page(DOCUMENT)
    assert len(DOCUMENT["versions"]) >= 5 and len(ROWS) >= 10
    assert all(named(row.source) for row in ROWS.values())


def test_cells_that_are_not_run_again_keep_their_machine_and_their_version() -> None:
    new = renewed(DOCUMENT, {"torch": "9"}, "another machine", [])
    assert {one["library"] for one in new["cells"]} == {*LIBRARIES} - {"torch"}
    assert (new["machines"]["torch"], new["versions"]["torch"]) == ("another machine", "9")
    assert (new["machines"]["optax"], new["versions"]["optax"]) == (
        DOCUMENT["machines"]["optax"],
        DOCUMENT["versions"]["optax"],
    )
    lines = page(new).splitlines()
    assert "* another machine, CPU: torch 9" in lines
    assert any(line.startswith(f"* {DOCUMENT['machines']['optax']}, CPU: optax") for line in lines)


def test_each_optimizer_that_may_be_the_rule_has_its_line() -> None:
    lines = page(DOCUMENT).splitlines()
    assert all(sum(f"`{one['call'] or one['to']}`" in line for line in lines) for one in DOCUMENT["cells"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, of NumPy's arrays in torch
@pytest.mark.parametrize("name", LIBRARIES)
def test_each_cell_is_as_the_page_has_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    top = MODULES.get(name, name).partition(".")[0]
    if find_spec(top) is None or find_spec("pytorch_optimizer") is None:
        pytest.skip(f"{name} or pytorch_optimizer is not installed: pip install -e '.[frameworks,zoo]'")
    shown = [(one["row"], one["to"], one["verdict"]) for one in DOCUMENT["cells"] if one["library"] == name]
    made = [(one["row"], one["to"], one["verdict"]) for label in ROWS for one in cells(label, name)]
    assert made == shown


@pytest.mark.every_case
@pytest.mark.parametrize("betas", [0.9, (0.9, 0.99, 0.9)])
def test_a_pair_of_another_length_is_refused(betas: Any) -> None:
    with pytest.raises(InputError, match="allowed: 2 numbers"):
        convert_optimizer("torch.Adam", "optax.adam", {"betas": betas})


def test_what_moves_nothing_proves_nothing() -> None:
    found = convert_optimizer("torch.Adam", "torch.Adam", {"lr": 0.0}, prove=True)
    assert found.exit_code == 2 and "no weight moves" in found.each[0].text


def test_a_source_whose_defaults_are_another_rule_is_not_taken_for_this_one() -> None:
    (writing,) = [one for one in library("optax").WRITINGS if one.name == "rmsprop"]
    with pytest.raises(InputError, match="is known here with eps_in_sqrt=False only"):
        reference_of(writing, {"learning_rate": 0.01}, {"eps_in_sqrt": True, "decay": 0.9, "eps": 1e-8})
