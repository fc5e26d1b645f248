"""Digits of NIST's certified regressions: refimpl beside NumPy, scikit-learn and statsmodels; and what they cost.

    python -m benchmarks.accuracy [--quick] [--threads 1]

Every solver is given the same float64 numbers, rounded from the decimals and the exact powers, but for the first: it
gets columns of twice the precision, as ``Certified.matrix`` has them, so only the others can be compared with peers.
statsmodels is measured where it is installed.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import numpy as np
import typer
from sklearn.linear_model import LinearRegression, Ridge
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

from benchmarks.common import Grid, console, environment, installed, write
from refimpl.datasets.nist import NAMES, Certified, certified
from refimpl.exact.least_squares import least_squares
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError
from refimpl.types import Array

LOSS = SquaredError(factor=1.0, reduction="sum")
OURS = ("least_squares", "ridge, refined", "ridge")
GOAL = 12
SEED = 0
TEXT = """
*least_squares*: `refimpl.exact.least_squares` on `Certified.matrix`, columns of twice the precision. All others are
given the float64 nearest to each number of `[1 X]`: *ridge* is `refimpl.exact.ridge` at λ = 0, *refined* is the same
with `refine=True`. So peers are compared with *ridge, refined*: equal input. Digits: −log₁₀ of the largest relative
error of a coefficient against the certified value, from 0 to 15. The certified values are themselves rounded to 15
digits, so that the exact solution shows 14.3 to 15. For Filip in float64 columns the exact solution has 7.7 digits:
that is what rounding the powers of x costs, before any solver begins.
"""


def of_ridge(data: Certified, refine: bool) -> Array:
    """Our ridge at λ = 0."""
    params = ridge(data.X, data.y, LOSS, 0.0, refine=refine).params
    return np.append(params["bias"], params["weight"])


def of_scikit_learn(data: Certified, model: Any) -> Array:
    """A fitted linear model's coefficients."""
    model.fit(data.X[0], data.y.ravel())
    return np.append(model.intercept_, model.coef_)


def design(data: Certified) -> Array:
    """[1 X], float64."""
    return np.column_stack([np.ones(data.X.shape[1]), data.X[0]])


def of_statsmodels(data: Certified, method: str) -> Array:
    """Ordinary least squares by the pseudo-inverse (its default) or by QR."""
    fitted = import_module("statsmodels.api").OLS(data.y.ravel(), design(data)).fit(method=method)
    return np.asarray(fitted.params)


SOLVERS: dict[str, Callable[[Certified], Array]] = {
    "least_squares": lambda data: least_squares(data.matrix, data.targets).theta.high,
    "ridge, refined": lambda data: of_ridge(data, refine=True),
    "ridge": lambda data: of_ridge(data, refine=False),
    "numpy lstsq": lambda data: np.linalg.lstsq(design(data), data.y.ravel())[0],
    "LinearRegression": lambda data: of_scikit_learn(data, LinearRegression()),
    "LinearRegression(tol=0)": lambda data: of_scikit_learn(data, LinearRegression(tol=0)),
    "Ridge(alpha=0)": lambda data: of_scikit_learn(data, Ridge(alpha=0)),
    "Ridge(alpha=0, svd)": lambda data: of_scikit_learn(data, Ridge(alpha=0, solver="svd")),
    "statsmodels OLS": lambda data: of_statsmodels(data, "pinv"),
    "statsmodels OLS, qr": lambda data: of_statsmodels(data, "qr"),
}


def digits() -> dict[str, dict[str, float]]:
    """The correct digits by data set and solver."""
    correct_digits = {}
    available = [name for name in SOLVERS if "statsmodels" not in name or installed("statsmodels")]
    for name in NAMES:
        data = certified(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the peers' own: that the matrix is nearly singular
            correct_digits[name] = {solver: round(data.digits(SOLVERS[solver](data)), 2) for solver in available}
    return correct_digits


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The least of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def cost(rows: int, features: int, strength: float, repeats: int) -> dict[str, float]:
    """Seconds of ridge for one strength, without and with refinement."""
    rng = np.random.default_rng(SEED)
    X, y = rng.standard_normal((1, rows, features)), rng.standard_normal((1, rows, 1))
    plain, refined = (
        seconds(lambda refine=refine: ridge(X, y, LOSS, strength, refine=refine), repeats)  # type: ignore[misc]
        for refine in (False, True)
    )
    return {"rows": rows, "features": features, "strength": strength, "plain_s": plain, "refined_s": refined}


def goals(correct_digits: dict[str, float]) -> tuple[bool, bool]:
    """Whether exact columns give the digits that they should, and whether float64 ones give more than any peer has."""
    equal = correct_digits["ridge, refined"]  # of the peers' own input
    peers = [value for solver, value in correct_digits.items() if solver not in OURS]
    return correct_digits["least_squares"] >= GOAL, all(equal > value for value in peers)


def digits_table(correct_digits: dict[str, dict[str, float]]) -> Grid:
    """A row for each data set, the goals last."""
    solvers = list(next(iter(correct_digits.values())))
    rows = [
        [name, *(f"{each[solver]:.1f}" for solver in solvers), *("yes" if met else "no" for met in goals(each))]
        for name, each in correct_digits.items()
    ]
    judged = [f"least_squares ≥ {GOAL}", "ridge, refined: above every peer"]
    return Grid("Digits, least of all coefficients (LRE), of 15 certified", ["data set", *solvers, *judged], rows)


def times_table(costs: list[dict[str, float]]) -> Grid:
    """A row for each size."""
    return Grid(
        "Time of ridge for one λ",
        ["rows × features, λ", "plain", "refined", "ratio"],
        [
            [
                f"{each['rows']} × {each['features']}, {each['strength']:g}",
                f"{each['plain_s'] * 1e3:.2f} ms",
                f"{each['refined_s'] * 1e3:.2f} ms",
                f"{each['refined_s'] / each['plain_s']:.0f}",
            ]
            for each in costs
        ],
    )


def main(
    quick: Annotated[bool, typer.Option(help="Small timings, nothing written.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads of BLAS, 0 for as many as it takes by itself.")] = 0,
) -> None:
    """Measure, show two tables, and write results/accuracy.json and .md."""
    where = environment() | {"statsmodels": installed("statsmodels"), "threads": threads or "default"}
    with threadpool_limits(threads or None):
        measure(where, quick)


def measure(where: dict[str, Any], quick: bool) -> None:
    """Measure digits and costs in the environment ``where``, show the tables and write them."""
    correct_digits = digits()
    sizes = [(16, 6, 0.0), (200, 50, 0.0), (20, 200, 1.0)] + ([] if quick else [(2000, 500, 1.0), (500, 2000, 1.0)])
    costs = [cost(*size, repeats=3 if quick or size[0] > 200 else 20) for size in sizes]
    tables = digits_table(correct_digits), times_table(costs)
    for table in tables:
        table.show()
    if quick:
        console.print("--quick: nothing written; without it, results/accuracy.json and .md are")
        return
    data = {"environment": where, "seed": SEED, "digits": correct_digits, "cost": costs}
    write("accuracy", data, "Accuracy on NIST's certified regressions", [*tables, TEXT])


if __name__ == "__main__":
    typer.run(main)
