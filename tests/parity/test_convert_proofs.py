"""What parity convert proves by running, what is caught when it is wrong, and what is never called proven."""

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
from parity.features.convert.convert import convert
from parity.features.convert.prove import keras_peer, statsmodels_peer
from parity.features.convert.prove import proof as proving
from parity.features.convert.prove.peer_run import direct_bound
from parity.features.convert.prove.proof import PEERS, PENALTIES, exit_code, prove, prove_all
from parity.features.convert.prove.sample import Sample, draw
from parity.features.convert.show import explained
from refimpl.conventions import CONVENTIONS
from refimpl.conventions.sklearn_ridge import Ridge
from refimpl.conventions.torch import COUPLED, Torch
from refimpl.objective import LOSSES, Facts, Objective
from refimpl.ranges import number_fields
from tests.parity.conversions import COMMAND, FACTS, objective

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


@pytest.fixture(scope="module")
def proofs() -> list[tuple[str, Any]]:
    return list(prove_all())


def examined(name: str, penalty: str, factor: float) -> Any:
    """The library with all strengths times ``factor``, held to the minimiser of the strengths as they are."""
    sample, made = draw(objective(penalty), FACTS), CONVENTIONS[name]
    numbers = made.of(objective(penalty), FACTS, made.losses[0])
    strengths = {"sklearn.ElasticNet": ("alpha",), "sklearn.SGDRegressor": ("alpha",), "statsmodels": ("alpha",)}
    scaled = {field: factor * getattr(numbers, field) for field in strengths.get(name, number_fields(made))}
    return proving.examine(replace(numbers, **scaled), FACTS, sample)


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
