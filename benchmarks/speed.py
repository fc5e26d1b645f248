"""The reference against its peers, side by side in one process: one table of ratios.

Each pair is measured alternately, A B then B A, after a warm-up, and the smallest time of all rounds counts: other
programs on the machine can only make a round slower. Both sides compute the same thing, which is checked and printed.

    python -m benchmarks.speed [--quick]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scipy.linalg
import torch
import typer
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # it has no types

import parity
from benchmarks.common import Grid, console, environment, significant, write
from benchmarks.speed_training import S0, training
from benchmarks.timing import Timing, alternate
from parity.experiment import Experiment
from parity.formulation import realise
from refimpl.datasets import Gaussian
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.training import Group, train
from refimpl.trajectory import Trajectory
from refimpl.types import Array

SWEEP = np.geomspace(1e-3, 10, 256)
STRENGTHS = np.geomspace(1e-4, 1e2, 100)
SHAPES = ((2000, 500), (500, 2000))
SEED = 0


# -- a sweep -------------------------------------------------------------------------------------------------------


def sweep_on(experiment: Experiment, strengths: Array, *, validate: bool) -> Callable[[], Trajectory]:
    """One reference run over all strengths; losses and norms recorded."""
    assert isinstance(experiment.optimizer, SGD)
    material, form = experiment.draw(), realise(experiment, "weight_decay")
    data, lr = material.dataset, experiment.optimizer.lr
    assert data.X_validation is not None and data.y_validation is not None
    params = {name: np.repeat(array, len(strengths), axis=0) for name, array in material.params.items()}
    groups = [
        Group(parameters=("weight",), optimizer=SGD(lr=lr, weight_decay=strengths)),
        Group(parameters=("bias",), optimizer=SGD(lr=lr)),
    ]
    return partial(
        train,
        form.in_gradient,
        groups,
        params,
        data.X,
        data.y,
        material.order,
        validation=(data.X_validation, data.y_validation) if validate else None,
        record="losses",
    )


def sweep(rounds: int) -> list[Timing]:
    """256 values of λ in one run against one run for each, per run and step."""
    experiment = parity.load(S0)
    plain = sweep_on(experiment, SWEEP, validate=False)
    validated = sweep_on(experiment, SWEEP, validate=True)
    single = sweep_on(experiment, SWEEP[-1:], validate=False)
    single_validated = sweep_on(experiment, SWEEP[-1:], validate=True)
    alone, together = single(), plain()
    steps = alone.steps
    difference = float(np.max(np.abs(alone.loss[:, 0] - together.loss[:, -1])) / np.max(alone.loss))
    times = alternate((plain, single, validated, single_validated), rounds)
    rows = []
    for (many, one), extra in zip((times[:2], times[2:]), ("", ", validation loss per epoch"), strict=True):
        ours, peer = many / steps / len(SWEEP), one / steps
        rows.append(
            Timing(
                f"sweep of {len(SWEEP)} λ, losses and norms{extra}; per run and step",
                "reference, one run for each λ",
                ours,
                peer,
                peer / ours,
                "≤ 1 µs" if not extra else "",
                ours <= 1e-6 if not extra else None,
                f"to {significant(difference)}" if not extra else "",
            )
        )
    return rows


# -- ridge ---------------------------------------------------------------------------------------------------------


def scikit_learn_fits(X: Array, y: Array, alphas: Array) -> Array:
    """One fit per α: coefficients ``(k, p)``."""
    return np.stack([Ridge(alpha=alpha).fit(X, y).coef_ for alpha in alphas])


def bare_svd(X: Array) -> Any:
    """LAPACK's thin singular value decomposition and nothing else."""
    return scipy.linalg.svd(X, full_matrices=False, check_finite=False)


def ridge_path(rounds: int, shapes: Sequence[tuple[int, int]]) -> list[Timing]:
    """100 values of λ against 100 fits and against one bare SVD of the same matrix."""
    loss = SquaredError(factor=1.0, reduction="mean")
    rows = []
    for n, p in shapes:
        data = Gaussian(train_rows=n, features=p).make(np.random.default_rng(SEED))
        X, y = data.X[0], data.y[0, :, 0]
        ours = partial(ridge, data.X, data.y, loss, STRENGTHS)
        solution = ours()
        peer = scikit_learn_fits(X, y, solution.alpha)
        difference = float(np.max(np.abs(solution.params["weight"][:, 0] - peer)) / np.max(np.abs(peer)))
        functions = (ours, partial(bare_svd, X), partial(scikit_learn_fits, X, y, solution.alpha))
        own, svd, fits = alternate(functions, rounds, pause=0.2)
        what = f"ridge, {len(STRENGTHS)} λ, {n} × {p}"
        same = f"to {significant(difference)}"
        rows.append(Timing(what, "one bare LAPACK SVD", own, svd, own / svd, "≤ 1.5 ×", own / svd <= 1.5))
        peer_name = f"{len(STRENGTHS)} scikit-learn fits"
        rows.append(Timing(what, peer_name, own, fits, fits / own, "≥ 25 ×", fits / own >= 25, same))
        if (n, p) not in SHAPES:  # the goals are for those
            rows[-2:] = [replace(row, goal="", reached=None) for row in rows[-2:]]
    return rows


# -- the command line ----------------------------------------------------------------------------------------------


def cold_start(repeats: int = 7) -> list[Timing]:
    """``parity --help`` in a process of its own, beside Python itself; medians, alternating."""
    script = Path(sys.executable).with_name("parity")
    parity_help = [str(script), "--help"] if script.exists() else [sys.executable, "-m", "parity", "--help"]
    commands = (parity_help, [sys.executable, "-c", "pass"])
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats + 1):
        for command, measured in zip(commands, times, strict=True):
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if number:  # the first fills the disk cache
                measured.append(time.perf_counter() - start)
    ours, bare = (statistics.median(measured) for measured in times)
    peer = "Python starting and ending"
    return [Timing(f"parity --help, median of {repeats}", peer, ours, bare, ours / bare, "< 0.5 s", ours < 0.5)]


# -- all of it -----------------------------------------------------------------------------------------------------


def threads_used() -> dict[str, Any]:
    """How many threads each numerical library may use here."""
    pools = {f"{pool['prefix']} {pool['version']}": pool["num_threads"] for pool in threadpool_info()}
    return {"torch": torch.get_num_threads(), **pools, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}


def measure(quick: bool) -> list[Timing]:
    """All comparisons."""
    rows = training(20 if quick else 400)
    rows += sweep(5 if quick else 100)
    rows += ridge_path(1 if quick else 7, ((400, 100), (100, 400)) if quick else SHAPES)
    return rows + cold_start()


def main(
    quick: Annotated[bool, typer.Option(help="A few seconds: fewer rounds, small matrices, nothing written.")] = False,
    threads: Annotated[
        int, typer.Option(min=0, help="Threads per library, 0 for what each takes by itself; 1 on a busy machine.")
    ] = 0,
) -> None:
    """Measure everything, show one table, and write results/speed.json and .md."""
    start, where = time.perf_counter(), environment()
    if threads:
        torch.set_num_threads(threads)
    with threadpool_limits(threads or None):
        used = threads_used()
        rows = measure(quick)
    columns = ["what", "against", "ours", "peer", "ratio", "goal", "reached", "same result"]
    grid = Grid("Speed: ours beside its peers", columns, [row.cells() for row in rows], left=2)
    grid.show()
    elapsed = time.perf_counter() - start
    missed = [f"{row.what} (against {row.peer})" for row in rows if row.reached is False]
    console.print(f"goals missed: {'; '.join(missed) or 'none'}; took {elapsed:.0f} s")
    if quick:
        console.print("--quick: nothing written; without it, results/speed.json and speed.md are")
        return
    data = {
        "environment": where | {"threads": used},
        "seed": SEED,
        "took_s": round(elapsed, 1),
        "method": "smallest of alternating rounds after a warm-up; parity --help: median",
        "rows": [asdict(row) for row in rows],
    }
    ratio = (
        "The ratio is peer ÷ ours where more is better (goal ≥) and ours ÷ peer where less is better. *Same result*: "
        "the largest difference between the two results, relative to the largest value of each quantity."
    )
    write("speed", data, "Speed", [grid, ratio])


if __name__ == "__main__":
    typer.run(main)
