"""`parity stability`: what is predicted is what the run then does, for the gallery's own experiments."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import parity
from parity.backends.reference import run_reference
from parity.cli import main
from parity.errors import InputError
from parity.features.stability.stability import stability, stable_strengths
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.penalties import L2

NAMES = {
    "s1-xor": False,
    "s3-concise-lam3": False,
    "s4-beyond-limit": True,
    "s4-lam10": False,
    "s4-l1-subtracted": True,
    "s4-lam50": False,
    "s4-lam-beyond-limit": True,
}


@pytest.fixture
def few_epochs(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier a growth is that of a quarter of the epochs, where no limit is near."""
    if not slow_tier:
        monkeypatch.setattr("parity.features.stability.stability.DRAWN", 50)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "diverges"), NAMES.items())
def test_the_prediction_is_made_without_a_run_and_the_run_bears_it_out(name: str, diverges: bool) -> None:
    experiment = parity.load(name)
    found = stability(experiment, [float(experiment.optimizers["weight"].lr)])  # type: ignore[attr-defined]
    assert found.growth.diverges == diverges
    assert (found.rows[0].train_loss > 100 * found.first_loss) == diverges
    assert found.lr_limit >= found.batch_limit * (1 - 1e-6)


def test_on_a_grid_around_the_limit_runs_grow_above_it_and_only_there() -> None:
    experiment = replace(parity.load("s4-beyond-limit"), epochs=60)
    limit = stability(experiment).lr_limit
    shares = [0.5, 0.9, 0.97, 1.03, 1.1, 1.5]
    for share, row in zip(shares, stability(experiment, [share * limit for share in shares]).rows, strict=True):
        assert row.growth.diverges == (share > 1)
        assert (row.train_loss > 179) == (share > 1), share


def test_the_stable_strengths_end_where_runs_begin_to_diverge() -> None:
    experiment = replace(parity.load("s4-lam50"), epochs=60)
    strengths = stable_strengths(experiment)
    assert strengths is not None and strengths[0] == 0
    for share, grows in ((0.95, False), (1.05, True)):
        penalties = (L2(strength=share * strengths[1]),)
        run = run_reference(replace(experiment, penalties=penalties), "loss")
        assert (run.norm[-1, 0] > 10 * run.norm[120, 0]) == grows


@pytest.mark.usefixtures("few_epochs")
def test_a_decay_can_make_a_rate_stable_that_is_not_stable_without_it() -> None:
    experiment = parity.load("s4-beyond-limit")
    strengths = stable_strengths(experiment)
    assert strengths is not None
    low, high = strengths
    assert 1 < low < 10 < high < 2 / 0.03
    assert stable_strengths(replace(experiment, optimizer=SGD(lr=1.0))) is None


@pytest.mark.slow
def test_a_stable_range_that_begins_below_the_grid_begins_where_runs_become_stable() -> None:
    """A rate a little above the limit without penalty needs a little λ, less than the first of the grid."""
    experiment = parity.load("s4-beyond-limit")
    limit = stability(experiment).lr_limit
    found = stable_strengths(replace(experiment, optimizer=SGD(lr=1.0005 * limit)))
    assert found is not None and 0 < found[0] < 2 * 2 / limit / 1000


@pytest.mark.slow
def test_a_subtracted_norm_on_rows_that_leave_directions_free_has_no_minimum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiment = parity.load("s4-l1-subtracted")
    assert stability(experiment).bottomless
    enough = replace(experiment, data=replace(experiment.data, features=4))  # type: ignore[type-var]
    assert not stability(enough).bottomless
    assert not stability(parity.load("s4-beyond-limit")).bottomless
    assert main(["stability", "s4-l1-subtracted", "--lr", "0.003"]) == 0
    out = capsys.readouterr().out
    assert "the objective still has no minimum: it drifts without end" in out and "stable λ" not in out
    assert "converges" not in out and "drifts " in out


def test_what_cannot_be_predicted_is_refused_in_one_line() -> None:
    plain = parity.load("s4-beyond-limit")
    flat = replace(plain, loss=SquaredError(factor=0.0, reduction="mean"))
    with pytest.raises(InputError, match="its objective has no curvature"):
        stability(flat)
    with pytest.raises(InputError, match=r"5,000 rows in 1,000 batches; allowed: batches × rows² up to"):
        stability(replace(plain, data=replace(plain.data, train_rows=5000)))  # type: ignore[type-var]


@pytest.mark.usefixtures("few_epochs")
def test_the_limits_come_before_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stability", "s4-beyond-limit", "--lr", "0.003", "--lr", "0.03"]) == 0
    out = capsys.readouterr().out
    words = ["curvature L", "limit of a batch", "limit in turns", "stable λ", "predicted", "diverges", "0.003", "0.03"]
    places = [out.index(word) for word in words]
    assert places[:6] == sorted(places[:6])
    rows = [line.split() for line in out.splitlines() if line.split()[-1:] and "verges" in line and "×" not in line]
    assert [(row[0], row[3]) for row in rows] == [("0.003", "converges"), ("0.03", "diverges")]


def test_json_has_the_same_numbers_and_overflow_is_null(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["stability", "s1-xor", "--lr", "0.1", "--lr", "1e300", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["predicted"] == "converges" and document["schema"] == 1
    assert document["batch_limit"] == pytest.approx(2 / (np.linalg.eigvalsh(xor_hessian())[-1] + 0.2), rel=1e-9)
    assert [row["train_loss"] is None for row in document["rows"]] == [False, True]
    assert main(["stability", "s1-xor", "--json", str(tmp_path / "found.json")]) == 0
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["experiment"] == "s1-xor"


def xor_hessian() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """∂²/∂θ² of mean(r²) on the four rows, by hand: (2/4)·[X 1]ᵀ[X 1]."""
    return np.array([[2.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 2.0, 4.0]]) / 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s1-adam-decay"], "one SGD with lr > 0 for all parameters"),
        (["check-schedule"], "a constant schedule"),
        *(
            (["check-plain", f"--lr={lr}"], f"--lr {lr}: allowed: a finite number > 0")
            for lr in ("inf", "nan", "0", "-1")
        ),
        (["s1-xr"], "did you mean 's1-xor'"),
        (["s1-xor", "--json", "no/such/folder.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stability", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.startswith("parity: ") and len(err.splitlines()) == 1
