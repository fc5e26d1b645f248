"""Each library's objective in its own words against ours, the published maps, numbers that R printed, and the table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from math import isclose
from pathlib import Path

import numpy as np
import pytest

from refimpl.conventions import CONVENTIONS
from refimpl.conventions.glmnet import Glmnet
from refimpl.conventions.keras import Keras
from refimpl.conventions.mass import LmRidge
from refimpl.conventions.optax import Optax
from refimpl.conventions.sklearn_coordinate_descent import ElasticNet, Lasso
from refimpl.conventions.sklearn_ridge import Ridge
from refimpl.conventions.sklearn_sgd import SGDRegressor
from refimpl.conventions.statsmodels import FitRegularized
from refimpl.conventions.table import alpha, markdown, rows
from refimpl.conventions.torch import COUPLED, DECOUPLED, Torch
from refimpl.errors import ParameterError
from refimpl.objective import LOSSES, Facts, Objective
from refimpl.optimizers import OPTIMIZERS
from refimpl.ranges import number_fields

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X, y, w, b = RNG.standard_normal((12, 3)) * [1, 5, 0.2], RNG.standard_normal(12) * 3, np.array([0.7, -0.2, 0.0]), 0.4
r = X @ w + b - y
n, s = len(y), float(y.std())
FACTS = Facts(rows=n, sd_y=s)
MEAN, SUM = np.mean(r**2), np.sum(r**2)


def glmnet(lam: float, mix: float, weight: np.ndarray) -> float:
    """What glmnet's program minimises: everything in units of s, scaled back; half a mean, two penalties."""
    v = weight / s
    penalty = (lam / s) * (mix * np.sum(np.abs(v)) + (1 - mix) / 2 * np.sum(v**2))
    return float(s**2 * (np.mean(((y - b) / s - X @ (w / s)) ** 2) / 2 + penalty))


EXAMPLES = [
    (Torch(loss="mse", weight_decay=3.0), MEAN + 3 / 2 * w @ w),
    (Torch(loss="half-mse", weight_decay=3.0, l1=0.2), MEAN / 2 + 3 / 2 * w @ w + 0.2 * np.abs(w).sum()),
    (Torch(loss="sse", l2=0.1), SUM + 0.1 * (w**2).sum()),
    (Torch(loss="half-sse", l2=0.1, weight_decay=0.5), SUM / 2 + 0.1 * (w**2).sum() + 0.25 * w @ w),
    (Ridge(alpha=30.0), SUM + 30 * w @ w),
    (Lasso(alpha=0.3), SUM / (2 * n) + 0.3 * np.abs(w).sum()),
    (ElasticNet(alpha=0.3, l1_ratio=0.2), SUM / (2 * n) + 0.06 * np.abs(w).sum() + 0.5 * 0.3 * 0.8 * w @ w),
    (SGDRegressor(alpha=0.3, l1_ratio=0.2), np.mean(r**2 / 2 + 0.3 * (0.2 * np.abs(w).sum() + 0.4 * w @ w))),
    (FitRegularized(alpha=0.3, L1_wt=0.2), MEAN / 2 + 0.3 * (0.8 * w @ w / 2 + 0.2 * np.abs(w).sum())),
    (Optax(loss="mse", weight_decay=3.0), MEAN + 1.5 * w @ w),
    (Optax(loss="half-sse", weight_decay=3.0), SUM / 2 + 1.5 * w @ w),
    (Keras(loss="mse", l1=0.2, l2=0.1), MEAN + 0.2 * np.abs(w).sum() + 0.1 * (w**2).sum()),
    (Keras(loss="sse", l2=0.1), SUM + 0.1 * (w**2).sum()),
    (Glmnet(lambda_=0.3, alpha=0.2, standardize="FALSE"), glmnet(0.3, 0.2, w)),
    (Glmnet(lambda_=0.3, alpha=0.0), glmnet(0.3, 0.0, w * X.std(axis=0))),
    (LmRidge(lambda_=2.0), SUM + 2 * np.sum(np.mean((X - X.mean(axis=0)) ** 2, axis=0) * w**2)),
]
IDS = [f"{one.name}-{i}" for i, (one, _) in enumerate(EXAMPLES)]


def value(objective: Objective) -> float:
    """J at (w, b)."""
    scale = X.std(axis=0) if objective.standardised else np.ones(3)
    reduced = MEAN if objective.loss.reduction == "mean" else SUM
    penalty = objective.l1 * np.sum(np.abs(scale * w)) + objective.l2 / 2 * np.sum((scale * w) ** 2)
    return float(objective.loss.factor * reduced + penalty)


# -- what each library minimises ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("convention", "published"), EXAMPLES, ids=IDS)
def test_the_librarys_objective_in_its_own_words_is_ours(convention, published) -> None:
    assert isclose(value(convention.ours(FACTS)), published, rel_tol=1e-14)


@pytest.mark.parametrize(("convention", "published"), EXAMPLES, ids=IDS)
def test_the_converted_objective_is_a_multiple_of_the_source(convention, published) -> None:
    """At one point w that says all: the loss and each penalty are scaled by the same factor."""
    objective = convention.ours(FACTS)
    for made, loss in [(each, loss) for each in CONVENTIONS.values() for loss in each.losses]:
        try:
            target = made.of(objective, FACTS, loss)
        except ParameterError:  # a penalty that it lacks
            assert (objective.l1 and made.lambda1 == "0") or (objective.l2 and made.lambda2 == "0")
            continue
        factor = objective.times(LOSSES[loss], FACTS)
        found = target.ours(FACTS)
        assert found.loss == LOSSES[loss]
        assert isclose(found.l1, factor * objective.l1, rel_tol=1e-15 * 8)
        assert isclose(found.l2, factor * objective.l2, rel_tol=1e-15 * 8)
        if not found.standardised and not objective.standardised:
            assert isclose(value(found), factor * published, rel_tol=1e-14)


@pytest.mark.parametrize("convention", [convention for convention, _ in EXAMPLES], ids=IDS)
def test_there_and_back_are_the_same_numbers(convention) -> None:
    loss = getattr(convention, "loss", convention.losses[0])
    back = type(convention).of(convention.ours(FACTS), FACTS, loss)
    assert back.ours(FACTS).standardised == convention.ours(FACTS).standardised
    if not isinstance(convention, Torch):  # which has two ways to say λ₂
        for name in number_fields(type(convention)):
            assert isclose(getattr(back, name), getattr(convention, name), rel_tol=1e-14)


@pytest.mark.parametrize(
    ("loss", "strength", "multiple", "of_rows"),
    [
        ("half-mse", "weight_decay", 1, True),
        ("mse", "weight_decay", 0.5, True),
        ("mse", "l2", 1, True),
        ("half-mse", "l2", 2, True),
        ("half-sse", "weight_decay", 1, False),
        ("sse", "weight_decay", 0.5, False),
        ("sse", "l2", 1, False),
    ],
    ids=["½mean+λ/2", "mean+λ/2", "mean+λ", "½mean+λ", "½sum+λ/2", "sum+λ/2", "sum+λ"],
)
def test_the_alpha_of_ridge_for_seven_ways_to_write_it(loss, strength, multiple, of_rows) -> None:
    objective = Torch(loss=loss, **{strength: 3.0}).ours(Facts())
    for count in (1, 20, 37):
        expected = 3.0 * multiple * (count if of_rows else 1)
        assert isclose(Ridge.of(objective, Facts(rows=count), "sse").alpha, expected, rel_tol=1e-15 * 4)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_same_rows_twice_change_the_number_only_where_rows_are_summed(name) -> None:
    """J with a mean does not see that every row is there twice; a sum sees twice the loss."""
    made = CONVENTIONS[name]
    for loss in made.losses:
        for term in ("l1", "l2"):
            if getattr(made, {"l1": "lambda1", "l2": "lambda2"}[term]) == "0":
                continue
            objective = Objective(loss=LOSSES["mse"], **{term: 0.7})
            once, twice = (made.of(objective, replace(FACTS, rows=k * n), loss).ours(FACTS) for k in (1, 2))
            factor = 2 if LOSSES[loss].reduction == "sum" else 1
            assert isclose(getattr(twice, term), factor * getattr(once, term), rel_tol=1e-14)


def test_rows_are_asked_for_only_where_a_mean_meets_a_sum() -> None:
    objective = Lasso(alpha=0.3).ours(Facts())
    assert Torch.of(objective, Facts(), "mse").l1 == pytest.approx(0.6)
    with pytest.raises(ParameterError, match="rows"):
        Torch.of(objective, Facts(), "sse")


def test_a_lasso_of_glmnet_needs_no_standard_deviation_and_a_ridge_does() -> None:
    assert Glmnet(lambda_=0.3).ours(Facts()).l1 == 0.3
    with pytest.raises(ParameterError, match="sd-y"):
        Glmnet(lambda_=0.3, alpha=0.0).ours(Facts())


# -- what has no penalty ------------------------------------------------------------------------------------------


def test_decoupled_decay_belongs_to_no_penalty() -> None:
    for optimizer in DECOUPLED:
        with pytest.raises(ParameterError, match="decoupled"):
            Torch(weight_decay=0.1, optimizer=optimizer)
    with pytest.raises(ParameterError, match="allowed: sgd"):
        Torch(weight_decay=0.1, optimizer="lion")


def test_coupled_and_decoupled_are_those_of_the_reference_optimizers() -> None:
    kinds = {name: OPTIMIZERS[name](lr=0.1).decay for name in (*COUPLED, *DECOUPLED)}
    assert {name for name, kind in kinds.items() if kind == "coupled"} == set(COUPLED)
    assert OPTIMIZERS["asgd"](lr=0.1).decay == "coupled"  # and by lambd as well: refused, see below
    assert {name for name, kind in kinds.items() if kind == "decoupled"} == set(DECOUPLED)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_strength_is_a_finite_number_that_is_not_negative(name) -> None:
    made = CONVENTIONS[name]
    field = next(iter(number_fields(made)))
    for bad in (-1.0, float("nan"), float("inf"), "3", True):
        with pytest.raises(ParameterError, match=field):
            made(**{field: bad})


@pytest.mark.parametrize("facts", [{"rows": 0}, {"rows": -3}, {"rows": 10**400}, {"sd_y": 0.0}, {"sd_y": float("nan")}])
def test_impossible_data_are_refused(facts) -> None:
    with pytest.raises(ParameterError):
        Facts(**facts)


def rests(optimizer: str, at: float, **options: float) -> bool:
    """Whether a full-batch step stays at w where ``J = (w − 3)² + λ/2·w²`` with λ = 1, whose minimum is at 2."""
    weight = np.array([[at]])
    rule = OPTIMIZERS[optimizer](lr=0.25, weight_decay=1.0, **options)
    after, _ = rule.step(weight, 2 * (weight - 3), rule.init(weight))
    return bool(np.all(after == weight))


@pytest.mark.parametrize("optimizer", COUPLED)
def test_a_coupled_optimizer_rests_at_the_minimum_of_j_and_only_there(optimizer: str) -> None:
    assert rests(optimizer, 2.0) and not rests(optimizer, 1.9)


def test_asgd_rests_elsewhere_and_is_refused() -> None:
    """Its lambd is a second λ₂: with weight_decay = 1 and lambd = 1, J has λ₂ = 2 and its minimum at 6/(2 + 2)."""
    assert not rests("asgd", 2.0) and rests("asgd", 2.0, lambd=0.0) and rests("asgd", 1.5, lambd=1.0)
    with pytest.raises(ParameterError, match="its lambd, 1e-4 by default, decays beside weight_decay"):
        Torch(weight_decay=0.1, optimizer="asgd")


# -- numbers printed by R -----------------------------------------------------------------------------------------


RECORD = json.loads((ROOT / "parity" / "features" / "convert" / "prove" / "recorded.json").read_text(encoding="utf-8"))


def stationarity(objective: Objective, weight: np.ndarray) -> float:
    """The largest slope of J at recorded coefficients, beside the slope of the loss at 0: 0 at the minimum."""
    table, target = np.array(RECORD["X"]), np.array(RECORD["y"])
    scale = table.std(axis=0) if objective.standardised else np.ones(table.shape[1])
    table, weight, target = (table - table.mean(axis=0)) / scale, weight * scale, target - target.mean()
    per_row = 2 * objective.loss.factor / (len(target) if objective.loss.reduction == "mean" else 1)
    gradient = per_row * table.T @ (table @ weight - target) + objective.l2 * weight
    at_zero = np.maximum(np.abs(gradient) - objective.l1, 0)
    slopes = np.where(weight == 0, at_zero, np.abs(gradient + objective.l1 * np.sign(weight)))
    return float(np.max(slopes / (per_row * np.abs(table.T @ target))))


@pytest.mark.parametrize("entry", RECORD["runs"], ids=lambda one: f"{one['library']}-{list(one['options'].values())}")
def test_coefficients_that_r_printed_satisfy_our_optimality_conditions(entry) -> None:
    """To 12 digits and more; and as documented, without dividing by the standard deviation of y, glmnet's do not."""
    facts = Facts(rows=len(RECORD["y"]), sd_y=float(np.std(RECORD["y"])))
    convention, weight = CONVENTIONS[entry["library"]](**entry["options"]), np.array(entry["coefficients"][1:])
    objective = convention.ours(facts)
    assert stationarity(objective, weight) < 1e-12
    assert stationarity(replace(objective, l1=objective.l1 * 1.001, l2=objective.l2 * 1.001), weight) > 1e-5
    if entry["library"] == "glmnet" and entry["options"]["alpha"] < 1:
        assert stationarity(convention.ours(replace(facts, sd_y=1.0)), weight) > 1e-2


# -- the registry and the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_is_frozen_named_and_sourced(name) -> None:
    made = CONVENTIONS[name]
    assert made.name == name and made.link.startswith("https://") and made.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields(made)) and set(made.losses) <= set(LOSSES)
    assert "Source: " in sys.modules[made.__module__].__doc__
    assert name in {one.name for one, _ in EXAMPLES}


def evaluated(formula: str, convention, **more: float) -> float:
    """A formula of the table as Python."""
    names = {field.name.rstrip("_"): getattr(convention, field.name) for field in fields(convention)}
    code = formula.replace("·", "*").replace("−", "-").replace("lambda", "lam")
    return eval(code, {}, {**names, "lam": names.get("lambda"), "sd_y": s, **more})


@pytest.mark.parametrize("convention", [convention for convention, _ in EXAMPLES], ids=IDS)
def test_the_formulas_of_the_table_give_the_numbers(convention) -> None:
    objective = convention.ours(FACTS)
    assert isclose(evaluated(convention.lambda1, convention), objective.l1, rel_tol=1e-14)
    assert isclose(evaluated(convention.lambda2, convention), objective.l2, rel_tol=1e-14)
    formula = alpha(objective.loss, convention.lambda2)
    if formula != "–":
        assert isclose(evaluated(formula, convention, n=n), objective.sum_of_squares(FACTS)[1], rel_tol=1e-14)


def test_the_table_has_every_library_with_every_loss() -> None:
    assert [(row.name, row.loss) for row in rows()] == [
        (name, made_text)
        for name, made in CONVENTIONS.items()
        for made_text in dict.fromkeys(map(loss_text, made.losses))
    ]


def loss_text(loss: str) -> str:
    return {"mse": "mean(r²)", "half-mse": "½·mean(r²)", "sse": "Σr²", "half-sse": "½·Σr²"}[loss]


def test_the_committed_table_is_what_is_generated() -> None:
    """Write it anew with: python -m refimpl.conventions, between the two markers."""
    committed = re.findall(
        r"<!-- conventions -->\n(.*?)<!-- /conventions -->",
        (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert committed == [markdown()]


def test_the_command_prints_the_table() -> None:
    done = subprocess.run([sys.executable, "-m", "refimpl.conventions"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == markdown()
