"""The answers: complete, computed anew, borne out by what is computed in another way, and as the pages have them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity import gallery
from parity.cli import main
from parity.features.answers.answer import ARTICLE, Answer, Reply
from parity.features.answers.answers import ANSWERS
from parity.features.answers.show import gallery_page, questions_page
from parity.features.bridges.bridges import BRIDGES
from parity.features.known.known import KNOWN
from parity.loading import load_all
from refimpl.datasets import Gaussian
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError

ROOT = Path(__file__).parents[3]
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")
ASKED = list(ANSWERS.values())
COMMANDS = sorted({command for answer in ASKED for command in answer.commands})
RUNS = [command for command in COMMANDS if command.startswith("parity run ")]
OTHERS = [command for command in COMMANDS if re.match(r"parity (known|trace|sweep|stability|convert) ", command)]


class Replies(dict[str, Reply]):
    """The reply of each answer that a test asks for."""

    def __missing__(self, name: str) -> Reply:
        self[name] = ANSWERS[name].evidence()
        return self[name]


@pytest.fixture(scope="module")
def evidence() -> Mapping[str, Reply]:
    """The evidence of an answer, computed once."""
    return Replies()


@pytest.fixture(scope="module")
def computed(evidence: Mapping[str, Reply]) -> Mapping[str, Answer]:
    """Every answer, whose evidence is computed once."""
    return {name: replace(answer, evidence=partial(evidence.__getitem__, name)) for name, answer in ANSWERS.items()}


def column(found: Reply, name: str) -> list[Any]:
    return [row[found.columns.index(name)] for row in found.rows]


# -- the registry and the pages -----------------------------------------------------------------------------------


def test_each_file_is_one_answer_under_its_own_id() -> None:
    files = {path.stem for path in (ROOT / "parity" / "features" / "answers").glob("*.py")}
    assert {name: answer.id for name, answer in ANSWERS.items()} == {name: name for name in ANSWERS}
    others = {"__init__", "answer", "answers", "ask", "command", "document", "runs", "show"}
    assert {name.replace("-", "_") for name in ANSWERS} == files - others


def test_every_entry_of_the_sources_in_the_gallery_belongs_to_an_answer() -> None:
    named = {name for answer in ASKED for name in answer.experiments}
    assert named == {name for name in gallery.names() if re.match(r"s\d-", name)}
    for answer in ASKED:
        lessons = set(re.findall(r"\(S\d\)", answer.source)) | {"(S0)"}
        assert {parity.load(name).source[-4:] for name in answer.experiments} <= lessons


@pytest.mark.parametrize("answer", ASKED, ids=lambda answer: answer.id)
def test_every_answer_has_words_and_rows_that_fit_its_columns(answer: Answer, evidence: Mapping[str, Reply]) -> None:
    found = evidence[answer.id]
    assert answer.asked[-1] in "?." and answer.why[-1] not in ".?" and answer.seen[-1:] not in tuple(".?")
    assert len(found.text) > 200 and "nan" not in found.text.split() and "inf" not in found.text.split()
    assert all(len(row) == len(found.columns) for row in found.rows)


@pytest.mark.slow
def test_the_page_of_questions_is_what_is_computed(computed: Mapping[str, Answer]) -> None:
    """Write it anew with: python -m parity.features.answers.show questions > docs/questions.md."""
    committed = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    page = questions_page(computed)
    assert NUMBER.sub("#", committed) == NUMBER.sub("#", page)
    for there, here in zip(NUMBER.findall(committed), NUMBER.findall(page), strict=True):
        mantissa = there.partition("e")[0]
        last = 10.0 ** -len(mantissa.partition(".")[2]) * float("1e" + (there.partition("e")[2] or "0"))
        assert float(here) == pytest.approx(float(there), rel=0, abs=1.01 * last), (there, here)


def test_the_page_of_the_gallery_is_the_registry() -> None:
    """Write it anew with: python -m parity.features.answers.show gallery > docs/gallery.md."""
    assert (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8") == gallery_page(ANSWERS)


# -- what the answers claim, in another way -----------------------------------------------------------------------


def test_the_best_linear_model_of_xor_is_one_half_by_ridge_too(evidence: Mapping[str, Reply]) -> None:
    data = parity.load("s1-xor").draw().dataset
    loss = SquaredError(factor=1.0, reduction="mean")
    best = ridge(data.X, data.y, loss, 0.0).params
    assert np.abs(best["weight"]).max() < 1e-15 and best["bias"].item() == pytest.approx(0.5, abs=1e-15)
    assert evidence["s1-xor"].rows[0][1:5] == pytest.approx((0.0, 0.0, 0.5, 0.25), abs=1e-12)
    free = ridge(data.X, data.y, loss, 0.2).params  # with the bias left alone it stays there
    assert np.abs(free["weight"]).max() < 1e-15 and free["bias"].item() == pytest.approx(0.5, abs=1e-15)


def test_the_penalised_xor_solves_the_normal_equations_by_hand(evidence: Mapping[str, Reply]) -> None:
    """½[X 1]ᵀ[X 1]θ + 0.2θ = ½[X 1]ᵀy, with the sums of the four rows."""
    H = np.array([[2.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 2.0, 4.0]]) / 2
    theta = np.linalg.solve(H + 0.2 * np.eye(3), np.array([1.0, 1.0, 2.0]) / 2)
    assert evidence["s1-xor"].rows[2][1:4] == pytest.approx(tuple(theta), rel=1e-9)


def test_a_plain_sum_moves_the_minimiser_by_the_inverse_hessian(evidence: Mapping[str, Reply]) -> None:
    """On XOR by hand: H⁻¹1 = (1, 1, −½), so w = −λ and b = ½ + λ/2."""
    for lam, w1, w2, b, _ in evidence["s1-sum-of-parameters"].rows:
        assert (w1, w2, b) == pytest.approx((-lam, -lam, 0.5 + lam / 2), rel=1e-9)


def test_the_printed_norms_lie_within_three_standard_deviations(evidence: Mapping[str, Reply]) -> None:
    for _, mean, deviation, printed in evidence["s0-nine-times"].rows:
        assert printed == "" or abs(float(printed) - mean) < 3 * deviation


@pytest.mark.slow
def test_what_is_predicted_to_diverge_does(evidence: Mapping[str, Reply]) -> None:
    losses = dict(zip(column(evidence["s4-beyond-limit"], "η"), evidence["s4-beyond-limit"].rows, strict=True))
    assert losses[0.003][2] == losses[0.022][2] == "converges" and losses[0.023][2] == losses[0.03][2] == "diverges"
    assert losses[0.022][3] < 179 < losses[0.023][3] < losses[0.03][3]
    means = column(evidence["s4-erratic"], "largest")
    assert means[3] > 10 * means[0]  # at η = 0.03, and no more
    fixed = evidence["s4-erratic"].rows[-1]
    assert fixed[2] == pytest.approx(fixed[3], rel=0.05)  # it repeats itself


def test_the_floor_of_the_validation_loss_is_met_by_the_exact_minimisers_of_every_strength() -> None:
    """Over fresh data, the unseen tenths cost (1 − n/p)‖w*‖²: nine tenths of 0.02, with a half in front 0.009."""
    risks = []
    for seed in range(10):
        data = Gaussian(train_rows=20, features=200).make(np.random.default_rng(seed))
        assert data.truth is not None
        found = ridge(data.X, data.y, SquaredError(factor=0.5, reduction="mean"), np.array([0.1, 10.0, 50.0])).params
        risks.append(((found["weight"] - data.truth["weight"]) ** 2).sum(axis=(1, 2)) / 2)
    assert np.all(np.mean(risks, axis=0) > 0.009)


def test_a_lazy_start_is_left_by_the_share_that_the_decay_leaves(evidence: Mapping[str, Reply]) -> None:
    for lam, first, last, *_ in evidence["s4-lazy"].rows:
        if lam <= 1:
            noise = 0.02  # of what no start of the weights makes: the unseen part of w* and the noise
            assert last - noise == pytest.approx(0.95 * (first - noise) * (1 - 0.01 * lam) ** 80, rel=0.1)


def test_weights_that_are_0_come_from_the_proximal_step_alone(evidence: Mapping[str, Reply]) -> None:
    zeros = dict(zip(column(evidence["l1"], "method"), column(evidence["l1"], "weights that are 0"), strict=True))
    assert zeros["subgradient"] == 0 < zeros["proximal"] <= zeros["exact"]


def test_a_decayed_bias_leaves_a_mean_residual_of_minus_lambda_times_b(evidence: Mapping[str, Reply]) -> None:
    for _, decayed, b, residual, _ in evidence["bias"].rows:
        assert residual == pytest.approx(-3 * b if "bias" in decayed else 0, abs=1e-9)


def test_the_wrong_snippets_fail_in_torch_as_stated() -> None:
    for name, words in (
        ("torch-sum-takes-no-generator", "must be Tensor, not generator"),
        ("sum-over-parameters-is-no-scalar", "scalar outputs; The size of tensor a (3) must match"),
    ):
        seen = KNOWN[name].observe()
        assert seen.state == "still so" and words in seen.text


# -- the commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_printed_with_its_numbers_and_as_json(
    name: str, computed: Mapping[str, Answer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parity.features.answers.ask.ANSWERS", computed)
    assert main(["answer", name]) == 0
    out = capsys.readouterr().out
    assert name in out and all(command in out for command in ANSWERS[name].commands)
    assert main(["answer", name, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["id"] == name and len(document["rows"]) == len(computed[name].evidence().rows)


def test_without_an_id_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answer"]) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^ {re.escape(name)} ", out, flags=re.MULTILINE) for name in ANSWERS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s4-lasy"], "s4-lasy: no such question; `parity answer` lists them; did you mean 's4-lazy'?"),
        (["--json", "-"], "--json: is of one answer"),
        (["frobenius", "--json", "no/such/folder.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answer", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("command", RUNS)
def test_the_entries_run_as_the_page_says(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first epoch of each, without the pictures: test_gallery.py runs them whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    monkeypatch.setattr("parity.features.run.command.load_all", first_epoch)
    assert main(shlex.split(command)[1:]) == 0
    assert not re.search(r"\d disagree", capsys.readouterr().out)


def first_epoch(*words: str) -> list[Any]:
    """What the words stand for, cut short; of the network 32 rows and 4 hidden units."""
    found: list[Any] = [replace(experiment, epochs=1) for experiment in load_all(*words)]
    small = {"data": {"train_rows": 32}, "model": {"hidden": 4}}
    for i, one in enumerate(found):
        if one.source == ARTICLE:
            found[i] = replace(one, **{part: replace(getattr(one, part), **cut) for part, cut in small.items()})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", OTHERS)
def test_the_other_commands_run_as_the_page_says(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep over one epoch, without its picture: test_sweep.py draws it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.sweep.command.load", lambda name: first_epoch(name)[0])
    monkeypatch.setattr("parity.features.sweep.run.Sweep.plot", lambda _: None)
    monkeypatch.setattr("parity.features.sweep.files.save", lambda _, path: path)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


def test_all_other_commands_are_bridges() -> None:
    """tests/parity/features/test_bridges.py runs each of these."""
    for command in COMMANDS:
        if command not in RUNS + OTHERS:
            _, name, word = shlex.split(command)[:3]
            assert name == "bridge" and word in BRIDGES, command
