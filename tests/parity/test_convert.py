"""parity convert: what is printed, where it is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity.cli import main
from parity.features.convert.convert import read
from refimpl.conventions import CONVENTIONS
from tests.parity.conversions import COMMAND


def test_the_command_of_the_issue_prints_alpha_30_and_its_derivation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMAND) == 0
    out = capsys.readouterr().out
    assert out.startswith("sklearn.Ridge: alpha = 30\n")
    assert "mean(r²) + weight_decay/2·‖w‖²" in out and "Σr² + 60/2·‖w‖²" in out and "Ridge(alpha=30)" in out
    assert "(1/1)/(1/20)" in out and "weight_decay reaches the bias" in out


def test_prove_prints_both_and_its_json_has_the_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--prove", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert "agree: doubling the strengths" in err and document["schema"] == 1
    assert document["to"] == {"library": "sklearn.Ridge", "alpha": 30.0}
    assert document["from"] == {"library": "torch", "loss": "mse", "weight_decay": 3.0}
    proof = document["proof"]
    assert proof["state"] == "agree" and all(
        0 <= proof[side]["distance"] <= proof[side]["allowed"] for side in ("from", "to")
    )


def test_list_shows_every_library_and_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--list"]) == 0
    out = capsys.readouterr().out
    for name, made in CONVENTIONS.items():
        assert name in out and made.lambda2 in out
    assert "--weight-decay" in out and "--L1-wt" in out and "--lambda" in out
    assert main(["convert", "--list", "--json", "-"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)["conventions"]} == set(CONVENTIONS)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "--from glmnet --lambda 0.1 --alpha=0.4 --sd-y 2 --to sklearn.ElasticNet",
            "alpha = 0.07, l1_ratio = 0.571428571428",
        ),
        ("--from sklearn.Lasso --alpha 0.1 --to glmnet", "glmnet: lambda = 0.1, alpha = 1, standardize = FALSE"),
        ("--from MASS.lm.ridge --lambda 2 --to sklearn.Ridge", "hand it the columns ÷ sⱼ"),
        ("--from torch --weight-decay 3 --to optax --to-loss half-mse", "optax: loss = half-mse, weight_decay = 1.5"),
        ("--from torch --weight-decay 3 --optimizer adam --to keras", "keras: loss = mse, l2 = 1.5"),
        (
            "--from torch --weight-decay 3 --optimizer adam --to keras",
            "adam descends the same J as SGD by another path",
        ),
        ("--from torch --weight-decay 3 --optimizer adam --to keras --prove", "one step of SGD, not adam, from the"),
        ("--from sklearn.Ridge --alpha 30 --to MASS.lm.ridge", "lambda = 30, on columns divided by their standard dev"),
        ("--from MASS.lm.ridge --lambda 2 --to sklearn.Ridge", "alpha = 2, on columns divided by their standard dev"),
        ("--from glmnet --lambda 2 --alpha 0 --sd-y 2 --rows 9 --to MASS.lm.ridge", "MASS.lm.ridge: lambda = 9\n"),
        (
            "--from glmnet --lambda 2 --alpha 0 --sd-y 2 --rows 9 --to MASS.lm.ridge",
            "Columns: glmnet and MASS.lm.ridge divide column j",
        ),
        ("--from torch --l1 3 --to keras", "torch and keras: by the subgradient SGD hovers within about η·λ₁"),
        ("--from sklearn.Lasso --alpha 3 --to torch", "‖w‖₁, torch: by the subgradient SGD hovers"),
        (
            "--from glmnet --lambda 2 --alpha 0 --sd-y 2 --rows 9 --to MASS.lm.ridge --prove",
            "glmnet and MASS.lm.ridge were not run here",
        ),
        ("--from statsmodels --alpha 0.5 --L1-wt 0 --rows 20 --to sklearn.Ridge", "sklearn.Ridge: alpha = 10"),
    ],
)
def test_a_conversion_in_one_line(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", *words.split()]) == 0
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--from is missing: allowed: torch, sklearn.Ridge"),
        ("--from tourch", "did you mean 'torch'?"),
        ("--from torch --weight-decay 3", "--to is missing"),
        ("--from torch --to optax", "needs its strength; give --weight-decay or --l2 or --l1"),
        ("--from torch --weight-dekay 3 --to optax", "no such option; allowed: --loss, --weight-decay"),
        ("--from torch --weight-decay 3 --to sklearn.Ridge", "--rows: given none"),
        ("--from torch --weight-decay 3 --rows 2.5 --to sklearn.Ridge", "--rows 2.5: not a whole number"),
        ("--from torch --weight-decay -3 --to optax", "allowed: a finite number ≥ 0"),
        ("--from torch --weight-decay nan --to optax", "allowed: a finite number ≥ 0"),
        ("--from torch --weight-decay three --to optax", "--weight-decay three: not a number"),
        ("--from torch --weight-decay --to optax", "--weight-decay: needs a value"),
        ("--from torch --weight-decay 3 --weight-decay 4 --to optax", "--weight-decay: given twice"),
        ("--from torch --weight-decay 3 --optimizer adamw --to optax", "its decay is decoupled"),
        ("--from torch --weight-decay 3 --loss huber --to optax", "allowed: 'mse', 'half-mse', 'sse', 'half-sse'"),
        ("--from torch --l1 3 --to optax", "optax has no penalty on ‖w‖₁"),
        ("--from torch --weight-decay 3 --to keras --to-loss half-mse", "--to-loss half-mse: keras has mse, sse"),
        ("--from torch --weight-decay 3 --to glmnet", "--sd-y: given none"),
        ("--from torch --weight-decay 3 --sd-y 0 --to glmnet", "--sd-y: given 0.0; allowed: a finite number > 0"),
        ("--from torch --weight-decay 1e308 --rows 1000 --to sklearn.Ridge", "--weight-decay 1e+308: more than a"),
        (f"--from torch --weight-decay 1 --rows 1{'0' * 400} --to optax", "allowed: an integer from 1 to 2⁵³"),
        ("--from torch --weight-decay 3 --rows 4 --to optax --prove", "allowed: 6 to 10000"),
        ("--prove --alpha 3", "--prove alone proves every pair"),
        (
            "--from torch --l1 1e9 --weight-decay 1e-9 --to sklearn.ElasticNet",
            "sklearn.ElasticNet writes λ₂ = 5e-10 as",
        ),
        ("--from torch --l1 1e9 --weight-decay 1e-9 --sd-y 1 --to glmnet", "glmnet writes λ₂ = 5e-10 as"),
        ("--prove --rows 3", "--rows: --prove alone proves every pair"),
        ("--list --from torch", "--from: --list shows all and takes no other option"),
        ("--list --prove", "--prove: --list shows all and takes no other option"),
        ("--list --alpha 3", "--alpha: --list shows all and takes no other option"),
        ("--from torch --weight-decay 1_0 --to optax", "--weight-decay 1_0: not a number"),
        ("--from torch --weight-decay ３ --to optax", "--weight-decay ３: not a number"),
        ("--from torch --weight-decay 3 --rows 2_0 --to sklearn.Ridge", "--rows 2_0: not a whole number"),
        ("--from torch --weight-decay 3 --optimizer asgd --to optax", "its lambd, 1e-4 by default, decays beside"),
        ("--from torch --weight-decay 3 --sd-y 1e300 --rows 20 --to glmnet --prove", "--sd-y 1e+300: --prove draws"),
        ("--from torch --weight-decay 3 --sd-y 1e-300 --rows 20 --to glmnet --prove", "--sd-y 1e-300: --prove draws"),
        ("three", "three: not an option"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.startswith("parity: ") and err.count("\n") == 1


def test_json_says_on_which_columns_the_number_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    for source, expected in (
        ("sklearn.Ridge --alpha", "on columns divided by their standard deviations only"),
        ("torch --l2", None),
    ):
        target = "MASS.lm.ridge" if expected else "sklearn.Ridge"
        assert main(["convert", "--from", *source.split(), "30", "--to", target, "--rows", "20", "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["condition"] == expected


def test_json_goes_to_a_file_that_is_checked_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "conversion.json"
    assert main([*COMMAND, "--json", str(place)]) == 0
    assert json.loads(place.read_text(encoding="utf-8"))["proof"] is None
    capsys.readouterr()
    assert main([*COMMAND, "--json", str(tmp_path)]) == 2
    assert capsys.readouterr().out == ""


def test_the_words_of_the_command_line_are_the_fields_of_the_convention() -> None:
    found: Any = read("glmnet", {"lambda": "0.1", "alpha": "0.5", "standardize": "FALSE"})
    assert (found.lambda_, found.alpha, found.standardize) == (0.1, 0.5, "FALSE")
