"""Bridges: both sides of every identity agree, a wrong formula shows, and command, pictures and page are in step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from parity.cli import main
from parity.features.bridges import (
    bias_decay,
    decoupled,
    dropout,
    early_stopping,
    l1,
    paths,
    priors,
    sgd_fixed_point,
)
from parity.features.bridges.bridge import LOSS, Bridge, Computation, Identity, centred, textbook
from parity.features.bridges.bridges import BRIDGES
from parity.features.bridges.page import page
from parity.features.bridges.pictures import PICTURES, caption
from parity.pictures import new_figure
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l1 import L1

ROOT = Path(__file__).parents[3]
COMPUTE = {id: cache(bridge.compute) for id, bridge in BRIDGES.items()}


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bridge is computed once for each seed."""
    for id, bridge in BRIDGES.items():
        monkeypatch.setitem(BRIDGES, id, replace(bridge, compute=COMPUTE[id]))


def identity(one: Any, other: Any, promised: int = 8) -> Identity:
    return Identity(claim="", ways=("", ""), one=np.asarray(one), other=np.asarray(other), promised=promised)


# -- the mathematics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", BRIDGES)
def test_both_sides_agree_to_the_digits_promised(id: str) -> None:
    for each in COMPUTE[id](0).identities:
        assert each.digits >= each.promised >= 6, each.claim
        assert each.one.shape == each.other.shape and np.max(np.abs(each.other)) > 0


@pytest.mark.parametrize("id", ["early-stopping", "paths"])
def test_they_agree_for_other_data_too(id: str) -> None:
    assert all(each.holds for each in COMPUTE[id](5).identities)
    assert COMPUTE[id](5).facts != COMPUTE[id](0).facts


WRONG = {
    "λ_k(s) is 1/(ηk)": (early_stopping, "effective_strength", lambda lr, k, s: np.ones_like(s) / (lr * k)),
    "dropout without 1/(1 − q)": (dropout, "_strengths", lambda X, q: q * np.mean(X**2, axis=0)),
    "λ = hσ²/τ": (priors, "gaussian_strength", lambda h, sigma, tau: np.asarray(h * sigma**2 / tau)),
    "β is the standard deviation": (priors, "laplace_strength", lambda h, s, beta: np.asarray(h * s**2 / beta / 1.4)),
    "the bias decayed twice as much": (
        bias_decay,
        "L2",
        lambda strength, parameters=(): decay(2 * strength, parameters),
    ),
    "each ∇J_j is ∇J_i": (sgd_fixed_point, "_earlier", lambda H, g, order: sum(H[i] @ g[i] for i in order)),
}


def decay(strength: float, parameters: tuple[str, ...]) -> Any:
    from refimpl.penalties import L2

    return L2(strength=strength, parameters=parameters or ("weight",))


LONG = ("λ = hσ²/τ", "each ∇J_j is ∇J_i")
"""Those of bridges that take seconds to compute."""


@pytest.mark.every_case
@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=pytest.mark.slow) if what in LONG else what for what in WRONG]
)
def test_a_wrong_formula_is_seen(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, wrong = WRONG[what]
    monkeypatch.setattr(module, name, wrong)
    assert not all(each.holds for each in module.compute(0).identities)


def test_the_effective_strength_is_that_of_fifty_digits() -> None:
    steps, s, lr = np.array([1, 7, 300, 9000]), np.array([1e-12, 1e-3, 0.5, 5.0]), 0.05
    for k, found in zip(steps, early_stopping.effective_strength(lr, steps[:, None], s), strict=True):
        with mpmath.workdps(50):
            exact = [mpmath.mpf(x) / ((1 - mpmath.mpf(lr) * mpmath.mpf(x)) ** -int(k) - 1) for x in s]
        np.testing.assert_allclose(found, np.array(exact, float), rtol=1e-12)
        assert np.all(found <= 1 / (lr * k) * (1 + 1e-12))


def test_the_penalty_of_adamw_has_the_gradient_of_the_proof() -> None:
    found = COMPUTE["decoupled"](0)
    u = mpmath.mpf("0.7")
    slope = mpmath.diff(lambda v: -(v + mpmath.log(1 - v)), u)
    assert mpmath.almosteq(slope, u / (1 - u), 1e-10)
    np.testing.assert_allclose(found.wall, [float(-(v + mpmath.log(1 - v))) for v in found.grid], rtol=1e-9, atol=1e-15)


def test_what_dropout_masks_is_what_torch_masks() -> None:
    torch.manual_seed(0)
    dropped = torch.nn.functional.dropout(torch.ones(50_000, dtype=torch.float64), p=dropout.RATE).numpy()
    ours = dropout._draw(np.random.default_rng(0), np.ones((1, 50_000)), dropout.RATE, 1)
    np.testing.assert_array_equal(np.unique(dropped), np.unique(ours))
    assert np.mean(dropped) == pytest.approx(np.mean(ours), abs=0.02)


def test_the_strengths_of_priors_are_those_of_scikit_learn(linear_model: Any) -> None:
    data = textbook(0, features=8).draw().dataset
    X, y = data.X[0], data.y[0, :, 0]
    n, sigma, tau = len(X), priors.SIGMA, priors.TAU
    gaussian = linear_model.Ridge(alpha=sigma**2 / tau**2, solver="cholesky").fit(X, y).coef_
    np.testing.assert_allclose(priors._posterior_mean(X, y), gaussian, rtol=1e-10)
    beta = tau / np.sqrt(2)
    laplace_alpha = float(priors.laplace_strength(1 / n, sigma, beta))
    laplace = linear_model.Lasso(alpha=laplace_alpha, tol=1e-14, max_iter=10**5).fit(X, y).coef_
    np.testing.assert_allclose(priors._most_probable_laplace(X, y, beta), laplace, atol=1e-9)


def test_the_corners_of_the_path_are_those_of_lars(linear_model: Any) -> None:
    found, drawn = COMPUTE["paths"](0), textbook(0, features=8, weight=0.0).draw().dataset
    X = drawn.X[0] - drawn.X[0].mean(axis=0)
    y = drawn.y[0, :, 0] + drawn.X[0] @ paths.TRUTH
    corners, _, weights = linear_model.lars_path(X, y - y.mean(), method="lasso")
    np.testing.assert_allclose(found.corners, corners, atol=1e-14)
    np.testing.assert_allclose(found.lasso_weights.T, weights, atol=1e-13)


def test_a_step_past_zero_ends_within_what_its_gradient_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(l1, "STEPS", 400)
    drawn, lr, strength = textbook(2, train_rows=100).draw(), l1.RATES[0], 0.02
    data = centred(drawn.dataset)
    path = l1._run(data, SGD(lr=lr), (L1(strength=strength),), drawn.params["weight"])[-l1.LAST :]
    g = l1._gradients(data, path[:-1])
    np.testing.assert_allclose(path[1:], path[:-1] - lr * (g + strength * np.sign(path[:-1])), atol=1e-14)
    past = path[1:] * path[:-1] < 0
    assert np.sum(past) > 1000
    assert np.all(np.abs(path[1:])[past] <= (lr * (strength + np.abs(g)))[past] * (1 + 1e-12))


def test_the_bound_printed_beside_the_largest_jump_is_above_it() -> None:
    most, _, bound = (value for name, value in COMPUTE["l1"](0).facts.items() if name.startswith("largest"))
    assert 2 < most <= bound


def test_one_batch_has_nothing_before_it() -> None:
    assert not np.any(sgd_fixed_point._earlier([np.eye(3)], [np.ones(3)], [0]))


def test_momentum_and_adam_part_and_sgd_does_not() -> None:
    norms = COMPUTE["decoupled"](0).norms
    for optimizer, parted in (("SGD", False), ("momentum", True)):
        ends = [norms[f"{optimizer}, {kind}"][-1] for kind in ("coupled", "decoupled")]
        assert (abs(ends[0] - ends[1]) > 0.1 * ends[0]) == parted
    assert np.max(decoupled.ADAM_STRENGTH * np.abs(COMPUTE["decoupled"](0).identities[-1].one)) < 1


# -- digits -------------------------------------------------------------------------------------------------------


def test_digits_count_the_largest_difference_relative_to_the_largest_number() -> None:
    assert identity([1, 2], [1, 2]).digits == 16
    assert identity([0.0, 100 + 1e-4], [1e-4, 100.0]).digits == pytest.approx(6)
    assert identity(1e-300, 0.0).digits == 0 and identity(0.0, 0.0).digits == 16
    assert identity([1.0], [1 + 1e-8], promised=8).digits == pytest.approx(8, abs=1e-6)


@pytest.mark.parametrize("sides", [(np.nan, 1), (1, np.nan), (np.inf, 1), ([np.nan, 1], [0, 1])], ids=repr)
def test_what_is_not_finite_never_holds(sides: tuple[Any, Any]) -> None:
    assert not identity(*sides, promised=1).holds


def test_the_data_are_the_textbooks() -> None:
    experiment = textbook(3)
    assert (experiment.loss, experiment.seed, experiment.penalties) == (LOSS, 3, ())
    assert experiment.draw().dataset.X.shape == (1, 20, 200)


# -- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", BRIDGES)
def test_the_command_shows_a_bridge_and_writes_picture_and_numbers(
    id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bridge", id, "--out", str(tmp_path / "new" / "folder")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    found = COMPUTE[id](0)
    assert BRIDGES[id].title in printed and BRIDGES[id].statement[:60] in printed
    assert all(what.split(" (")[0][:30] in printed for what in found.facts)
    picture, document = sorted((tmp_path / "new" / "folder").iterdir(), reverse=True)
    assert (picture.name, document.name) == (f"bridge-{id}.png", f"bridge-{id}.json")
    assert picture.read_bytes().startswith(b"\x89PNG")
    stored = json.loads(document.read_text(encoding="utf-8"))
    assert (stored["schema"], stored["bridge"], stored["seed"], stored["facts"]) == (1, id, 0, dict(found.facts))
    assert [one["digits"] for one in stored["identities"]] == [one.digits for one in found.identities]
    assert set(stored["picture"]) == {field.name for field in fields(found)} - {"identities", "facts"}


def test_without_an_id_it_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bridge"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for id, bridge in BRIDGES.items():
        assert any(line.split()[:1] == [id] and bridge.title in line for line in lines)


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A bridge that does not hold, and the seeds that it was asked for."""
    seeds: list[int] = []

    def compute(seed: int) -> Computation:
        seeds.append(seed)
        return Computation(identities=(identity(1.0, 1.1),), facts={})

    monkeypatch.setitem(BRIDGES, "shallow", Bridge("A [bold] claim.\n\nIt is wrong.\n\nNo proof.", compute))
    monkeypatch.setitem(PICTURES, "shallow", lambda _: new_figure(1, 1, "none")[0])
    yield seeds


def test_an_identity_that_does_not_hold_ends_with_exit_code_1(
    shallow: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bridge", "shallow", "--seed", "7"]) == 1
    assert shallow == [7]
    assert "A [bold] claim. It is wrong." in capsys.readouterr().out
    assert len(list(tmp_path.glob("parity-results/*/bridge-shallow.json"))) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["early-stoping"],
            "early-stoping: no such bridge; `parity bridge` lists them; did you mean 'early-stopping'?",
        ),
        (["--out", "x"], "--out x: without a bridge nothing is written; give its id, `parity bridge` lists them"),
        (
            ["l1", "--out", "file/below"],
            "file/below: cannot be made (Not a directory); choose another folder with --out",
        ),
        (["l1", "--out", ""], "--out: given no name; give a folder, or leave --out away"),
        (["l1", "--seed", "-1"], "Invalid value for '--seed'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bad_words_are_said_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["bridge", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"parity: {said}") and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("taken", ["bridge-shallow.png", "bridge-shallow.json"])
def test_where_one_file_cannot_be_written_nothing_is_computed_and_the_other_is_not_written(
    taken: str, shallow: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / taken).mkdir()
    assert main(["bridge", "shallow", "--out", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err
        == f"parity: {tmp_path / taken}: cannot be written (Is a directory); choose another place\n"
    )
    assert shallow == [] and [path.name for path in tmp_path.iterdir()] == [taken]


# -- pictures and page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", BRIDGES)
def test_every_axis_is_named_and_every_line_can_be_told(id: str, whole: Callable[[Any], None]) -> None:
    figure = PICTURES[id](COMPUTE[id](0))
    whole(figure)
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in figure.axes)
    assert figure.legends or any(axis.get_legend() for axis in figure.axes)
    assert set(PICTURES) == set(BRIDGES) and len(caption(id)) > 60


def test_the_page_is_that_of_the_code() -> None:
    """Write it anew with: python -m parity.features.bridges docs."""
    expected = page({id: COMPUTE[id](0) for id in BRIDGES}, BRIDGES)
    assert (ROOT / "docs" / "bridges.md").read_text(encoding="utf-8") == expected
    for id in BRIDGES:
        assert f"\n## {id}\n" in expected and f"parity bridge {id}\n" in expected
        assert (ROOT / "docs" / "images" / f"bridge-{id}.png").read_bytes().startswith(b"\x89PNG")
