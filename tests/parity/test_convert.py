"""parity convert: what is printed, what is proven by running, what is caught when it is wrong, what is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parity.cli import main
from parity.document import json_value
from parity.errors import InputError
from parity.features.convert.convert import convert, read
from parity.features.convert.prove import keras_peer, statsmodels_peer
from parity.features.convert.prove import proof as proving
from parity.features.convert.prove.minimum import minimum
from parity.features.convert.prove.peer_run import direct_bound
from parity.features.convert.prove.proof import PEERS, PENALTIES, exit_code, prove, prove_all
from parity.features.convert.prove.sample import Sample, draw
from parity.features.convert.show import explained
from refimpl.conventions import CONVENTIONS
from refimpl.conventions.sklearn_ridge import Ridge
from refimpl.conventions.torch import COUPLED, Torch
from refimpl.exact.ridge import ridge
from refimpl.objective import LOSSES, Facts, Objective
from refimpl.penalties import ElasticNet
from refimpl.ranges import number_fields

FACTS = Facts(rows=20, sd_y=2.0)
FACTS_OF_ROWS = Facts(rows=20)
OF_THE_TESTS = ("torch", "sklearn", "statsmodels", "optax")  # of the extra "test"
CASES = [
    (name, penalty)
    for name, (package, _) in PEERS.items()
    if package in OF_THE_TESTS
    for penalty, (l1, l2) in PENALTIES.items()
    if not (l1 and CONVENTIONS[name].lambda1 == "0") and not (l2 and CONVENTIONS[name].lambda2 == "0")
]
PAGE = Path(__file__).parents[2] / "docs" / "conventions.md"
COMMAND = "convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def proofs() -> list[tuple[str, Any]]:
    return list(prove_all())


def objective(penalty: str) -> Objective:
    l1, l2 = PENALTIES[penalty]
    return Objective(loss=LOSSES["mse"], l1=l1, l2=l2)


def examined(name: str, penalty: str, factor: float) -> Any:
    """The library with all strengths times ``factor``, held to the minimiser of the strengths as they are."""
    sample, made = draw(objective(penalty), FACTS), CONVENTIONS[name]
    numbers = made.of(objective(penalty), FACTS, made.losses[0])
    strengths = {"sklearn.ElasticNet": ("alpha",), "sklearn.SGDRegressor": ("alpha",), "statsmodels": ("alpha",)}
    scaled = {field: factor * getattr(numbers, field) for field in strengths.get(name, number_fields(made))}
    return proving.examine(replace(numbers, **scaled), FACTS, sample)


# -- the exact minimiser ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_minimum_in_rationals_satisfies_the_optimality_conditions(penalty: str, seed: int) -> None:
    sample = draw(objective(penalty), FACTS, seed=seed)
    a1, a2 = objective(penalty).sum_of_squares(FACTS)
    residuals = sample.X @ sample.weight + sample.bias - sample.y
    gradient = 2 * sample.X.T @ residuals
    away = ElasticNet(l1=a1, l2=2 * a2).distance(sample.weight, gradient)
    assert np.max(away) < 1e-12 * np.max(2 * np.abs(sample.X).T @ np.abs(sample.y))
    assert abs(residuals.sum()) < 1e-12 * np.abs(sample.y).sum()
    assert sample.seen > 0.05


def test_without_l1_the_minimum_is_the_ridge_of_the_reference() -> None:
    sample = draw(objective("‖w‖²"), FACTS)
    params = ridge(sample.X[None], sample.y[None, :, None], LOSSES["mse"], 3.0).params
    assert sample.away(params["weight"][0, 0], params["bias"][0, 0]) < 1e-14


def test_the_minimum_by_hand() -> None:
    """x = ±1, y = ±3: (1 + 1)w = 6 − a₁/2 − a₂w."""
    X, y = np.array([[1.0], [-1.0]]), np.array([3.0, -3.0])
    assert minimum(X, y, 4.0, 2.0) == (np.array([1.0]), 0.0)
    assert minimum(X, y, 12.0, 0.0) == (np.array([0.0]), 0.0)
    assert minimum(X, y + 1, 0.0, 1.0) == (np.array([2.0]), 1.0)


def test_signs_that_fit_are_not_enough() -> None:
    """The first column alone would have the sign +, and leave a slope on the second that is too large."""
    X = np.array([[2.0, 3], [1, 1], [-1, -2], [-2, -2]])  # XᵀX = [[10, 13], [13, 18]], of determinant 11
    weight, bias = minimum(X, X @ np.array([-1.0, 3.0]), 0.02, 0.0)  # Xᵀy = (29, 41), moved by ±a₁/2 = 0.01
    assert weight == pytest.approx([(18 * 29.01 - 13 * 40.99) / 11, (10 * 40.99 - 13 * 29.01) / 11], rel=1e-14)
    assert bias == 0


def test_columns_that_do_not_determine_the_weights_are_refused() -> None:
    with pytest.raises(InputError, match="do not determine the weights"):
        minimum(np.ones((3, 1)), np.arange(3.0), 0.0, 0.0)


# -- proofs -------------------------------------------------------------------------------------------------------


def test_every_pair_that_is_installed_agrees(proofs: list[tuple[str, Any]]) -> None:
    assert {package for package, _ in PEERS.values()} == {*OF_THE_TESTS, "keras"}
    both_run = [proof for _, proof in proofs if proof.source.how == proof.target.how == "run"]
    run = {proof.source.library for proof in both_run}
    assert {name for name, (package, _) in PEERS.items() if package in OF_THE_TESTS} <= run
    assert Counter(proof.state for proof in both_run) == {"agree": len(both_run)}
    assert exit_code([proof for _, proof in proofs]) == 0


def test_what_was_not_run_is_never_called_proven(proofs: list[tuple[str, Any]]) -> None:
    for _, proof in proofs:
        if proof.source.how != "run" or proof.target.how != "run":
            assert proof.state == "by formula" and proof.digits is None
    assert {proof.source.how for _, proof in proofs if proof.source.library in ("glmnet", "MASS.lm.ridge")} == {
        "recorded"
    }


def test_every_ordered_pair_is_tried_with_every_penalty_that_both_have(proofs: list[tuple[str, Any]]) -> None:
    able = {penalty: {name for name in CONVENTIONS if has(name, penalty)} for penalty in PENALTIES}
    found = Counter((penalty, proof.source.library, proof.target.library) for penalty, proof in proofs)
    assert found == {(p, a, b): 1 for p, names in able.items() for a in names for b in names if a != b}


def has(name: str, penalty: str) -> bool:
    l1, l2 = PENALTIES[penalty]
    made = CONVENTIONS[name]
    return not (l1 and made.lambda1 == "0") and not (l2 and made.lambda2 == "0")


@pytest.mark.parametrize(("name", "penalty"), CASES)
def test_a_strength_that_is_wrong_by_a_thousandth_is_caught(name: str, penalty: str) -> None:
    right, wrong = examined(name, penalty, 1.0), examined(name, penalty, 1.001)
    assert right.holds and right.digits > 9
    assert not wrong.holds and 1e-5 < wrong.distance < 1e-2


@pytest.mark.parametrize("name", ["torch", "sklearn.Ridge", "optax", "statsmodels"])
def test_where_nothing_iterates_the_ninth_digit_of_a_strength_counts(name: str) -> None:
    assert not examined(name, "‖w‖²", 1 + 1e-9).holds


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["torch", "optax"])
def test_every_form_of_the_loss_holds(name: str, loss: str) -> None:
    made, sample = CONVENTIONS[name], draw(objective("‖w‖²"), FACTS)
    assert proving.examine(made.of(objective("‖w‖²"), FACTS, loss), FACTS, sample).holds


def test_a_penalty_written_into_torchs_loss_holds() -> None:
    conversion = convert(Torch(l2=0.4, l1=0.2), CONVENTIONS["sklearn.ElasticNet"], FACTS)
    assert prove(conversion).state == "agree"


@pytest.mark.parametrize("strength", [1e-8, 1e-3, 1e4, 1e9])
def test_the_data_fit_the_strength(strength: float) -> None:
    proof = prove(convert(Torch(weight_decay=strength), Ridge, FACTS))
    assert proof.state == "agree" and proof.seen > 0.05


@pytest.mark.parametrize(("l1", "l2"), [(1e-9, 1e9), (1e9, 1e2), (1e-9, 1e-9), (1e9, 1e9)])
def test_a_start_beside_a_kink_is_near_in_any_unit(l1: float, l2: float) -> None:
    """A weight that the minimiser leaves at 0, with strengths up to eighteen orders of magnitude apart."""
    for target in ("sklearn.ElasticNet", "sklearn.SGDRegressor"):
        proof = prove(convert(Torch(l1=l1, weight_decay=l2), CONVENTIONS[target], FACTS_OF_ROWS))
        assert proof.source.holds and proof.target.holds


def test_what_overflows_is_undecidable_and_valid_json(monkeypatch: pytest.MonkeyPatch) -> None:
    right = proving.PEERS["torch"][1]
    nowhere = lambda *given: replace(right(*given), distance=float("nan"))  # noqa: E731
    monkeypatch.setitem(proving.PEERS, "torch", ("torch", nowhere))
    proof = prove(convert(Torch(weight_decay=3.0), Ridge, FACTS))
    assert proof.state == "undecidable" and exit_code([proof]) == 2
    assert explained(proof) == "torch came to no finite number" and proof.source.distance is None
    assert json_value({"number": float("nan")}) == {"number": "nan"}  # JSON has no nan


@pytest.mark.parametrize("name", COUPLED)
def test_every_coupled_optimizer_of_torch_rests_where_the_step_of_sgd_says(name: str) -> None:
    """J = (w − 3)² + λ/2·w² with λ = 1 has its minimum at 2; nothing is rounded there."""
    made = {one.lower(): getattr(torch.optim, one) for one in dir(torch.optim)}[name]
    for start in (2.0, 1.9):
        w = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        optimizer = made([w], lr=0.25, weight_decay=1.0)
        ((w - 3) ** 2).sum().backward()
        optimizer.step()
        assert (w.item() == start) == (start == 2.0)


def test_one_number_for_alpha_shrinks_the_constant_of_statsmodels() -> None:
    """What the convention says of the intercept, seen: the vector leaves it free, the number does not."""
    sample = draw(objective("‖w‖²"), FACTS)
    table = np.column_stack([np.ones(20), sample.X])
    model = import_module("statsmodels.regression.linear_model").OLS(sample.y, table)
    free = model.fit_regularized(alpha=np.array([0, 1.5, 1.5, 1.5]), L1_wt=0).params
    assert sample.away(free[1:], free[0]) < direct_bound(objective("‖w‖²"), sample)
    shrunk = model.fit_regularized(alpha=1.5, L1_wt=0).params
    assert abs(shrunk[0]) < 0.6 * abs(free[0])


def test_a_weight_that_statsmodels_left_at_zero_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its coordinate descent ends beside the minimum, by a fault of its own: started again from there it goes on."""
    facts, numbers = Facts(rows=126), Objective(loss=LOSSES["half-mse"], l1=39095.423149730035, l2=34090.5981076461)
    convention, sample = CONVENTIONS["statsmodels"].of(numbers, facts, "half-mse"), draw(numbers, facts, seed=708)
    assert proving.examine(convention, facts, sample).holds
    monkeypatch.setattr(statsmodels_peer, "AGAIN", 1)
    assert proving.examine(convention, facts, sample).distance > 1e-3


def test_nothing_is_proven_where_nothing_could_be_seen() -> None:
    sample = draw(objective("‖w‖²"), FACTS)
    proof = prove(convert(Torch(weight_decay=0.0), Ridge, FACTS))
    assert proof.state == "undecidable" and exit_code([proof]) == 2
    assert isinstance(sample, Sample)


def test_a_library_that_is_absent_is_by_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "find_spec", lambda package: None if package == "sklearn" else object())
    proof = prove(convert(Torch(weight_decay=3.0), Ridge, FACTS))
    assert (proof.state, proof.target.how, proof.source.holds, exit_code([proof])) == (
        "by formula",
        "not installed",
        True,
        0,
    )
    monkeypatch.setattr(proving, "find_spec", lambda _: None)
    nothing = prove(convert(Torch(weight_decay=3.0), Ridge, FACTS))
    assert (nothing.state, exit_code([nothing])) == ("by formula", 2)


def test_a_recorded_number_that_does_not_fit_is_a_disagreement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from parity.features.convert.prove import recorded

    record = json.loads(recorded.RECORD.read_text(encoding="utf-8"))
    record["runs"][2]["coefficients"][1] *= 1 + 1e-6
    place = tmp_path / "recorded.json"
    place.write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(recorded, "RECORD", place)
    proof = prove(convert(Torch(weight_decay=3.0), CONVENTIONS["glmnet"], FACTS))
    assert proof.state == "disagree" and exit_code([proof]) == 1


# -- the command --------------------------------------------------------------------------------------------------


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


def test_every_pair_is_proven_by_prove_alone(
    proofs: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(proving, "prove_all", lambda **_: iter(proofs))
    assert main(["convert", "--prove"]) == 0
    out = capsys.readouterr().out
    assert f"{len(proofs)} conversions: " in out and "disagree" not in out and "from ╲ to" in out
    assert all(name in out for name in CONVENTIONS)
    monkeypatch.setattr(proving, "prove_all", lambda **_: iter(proofs))
    assert main(["convert", "--prove", "--json", "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == len(proofs)


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


def test_the_page_shows_what_is_printed(proofs: list[tuple[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """But for its digits and versions, which are another machine's. Write it anew with: parity convert --prove."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    _, example, _, pairs = blocks
    assert main(COMMAND) == 0
    assert example.startswith(capsys.readouterr().out)
    done = {one.library: one.text for _, proof in proofs for one in (proof.source, proof.target)}
    shown = dict(re.findall(r"^  (\S+) +(.*)$", pairs, flags=re.MULTILINE))
    assert list(shown) == list(CONVENTIONS)
    for name, text in done.items():
        package, _ = PEERS.get(name, ("", None))
        if package and proving.find_spec(package) is None:
            text = f"{keras_peer.TEXT}, {package} 0"  # the only one that is not of the tests
        assert shown[name].startswith(text.rsplit(" ", 1)[0] if package else text)
    table = [line.split() for line in pairs.splitlines() if not line.startswith("  ")]
    cells = {row[0]: row[1:] for row in table if len(row) == 1 + len(CONVENTIONS)}
    able = {(proof.source.library, proof.target.library) for _, proof in proofs}
    assert f"\n{len(proofs)} conversions: " in pairs
    for source in CONVENTIONS:
        assert [cell != "–" for cell in cells[source]] == [(source, target) in able for target in CONVENTIONS]


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
