"""The reference against its peers, side by side in one process: one table of ratios.

Each pair is measured alternately, A B then B A, after a warm-up, and the smallest time of all rounds counts: other
programs on the machine can only make a round slower. Both sides compute the same thing, which is checked and printed.

    python -m benchmarks.speed [--quick]
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scipy.linalg
import torch
import typer
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # it has no types
from torch import Tensor, nn

import parity
from benchmarks.common import Grid, console, environment, significant, write
from parity.experiment import Experiment
from parity.formulation import realise
from refimpl.datasets import Gaussian
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.training import Group, train
from refimpl.trajectory import Trajectory
from refimpl.types import Array

S0 = "s0-concise-lam3"
SWEEP = np.geomspace(1e-3, 10, 256)
STRENGTHS = np.geomspace(1e-4, 1e2, 100)
SHAPES = ((2000, 500), (500, 2000))
SEED = 0
BUDGET = 60.0
"""Seconds that one comparison may take before its rounds are cut short, on a busy machine."""


@dataclass(frozen=True)
class Row:
    """One comparison: seconds of ours and of the peer, their ratio, and the goal where there is one."""

    what: str
    peer: str
    ours_s: float
    peer_s: float
    ratio: float
    goal: str = ""
    reached: bool | None = None
    same: str = ""

    def cells(self) -> list[str]:
        reached = {None: "", True: "yes", False: "no"}[self.reached]
        return [
            self.what,
            self.peer,
            duration(self.ours_s),
            duration(self.peer_s),
            f"{significant(self.ratio, 3)} ×",
            self.goal,
            reached,
            self.same,
        ]


def duration(seconds: float) -> str:
    """``18.2 µs``, ``412 ms``, ``1.7 s``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{significant(seconds / size, 3)} {unit}"
    return f"{seconds * 1e6:.3f} µs"


def alternate(functions: Sequence[Callable[[], Any]], rounds: int, pause: float = 0.0) -> list[float]:
    """Smallest seconds of each function over ``rounds``, in alternating order; fewer rounds after ``BUDGET`` seconds.

    ``pause`` precedes each measurement: idle BLAS threads spin for a while and would slow the next one down.
    """
    begin = time.perf_counter()
    best = [np.inf] * len(functions)
    for function in functions:
        function()  # warm-up
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            if number >= 3 and time.perf_counter() - begin > BUDGET:
                break
            order = range(len(functions))
            for i in order if number % 2 == 0 else reversed(order):
                time.sleep(pause)
                start = time.perf_counter()
                functions[i]()
                best[i] = min(best[i], time.perf_counter() - start)
    finally:
        if collecting:
            gc.enable()
    return [float(seconds) for seconds in best]


# -- one training step ---------------------------------------------------------------------------------------------


def reference_on(experiment: Experiment) -> Callable[[], Trajectory]:
    """The reference's run of an experiment, its data made beforehand."""
    material, form = experiment.draw(), realise(experiment, "weight_decay")
    data = material.dataset
    assert data.X_validation is not None and data.y_validation is not None
    validation = (data.X_validation, data.y_validation)
    return partial(
        train, form.in_gradient, form.groups, material.params, data.X, data.y, material.order, validation=validation
    )


class Eager:
    """The run as one writes it in torch: ``nn.Linear``, ``MSELoss``, ``SGD`` with groups, in float64.

    Model, optimizer and batch indices are made beforehand; what is measured is the loop and its recording.
    """

    def __init__(self, experiment: Experiment) -> None:
        assert isinstance(experiment.optimizer, SGD)
        material, form = experiment.draw(), realise(experiment, "weight_decay")
        data = {name: torch.from_numpy(array[0]) for name, array in material.inputs.items()}
        self.X, self.y = data["X"], data["y"]
        self.X_validation, self.y_validation = data["X_validation"], data["y_validation"]
        self.order = [(torch.from_numpy(np.concatenate(epoch)), [len(b) for b in epoch]) for epoch in material.order]
        self.net = nn.Linear(self.X.shape[1], 1).double()
        self.start = {name: torch.from_numpy(array[0]) for name, array in material.params.items()}
        parameters = dict(self.net.named_parameters())
        groups = [
            {"params": [parameters[group.parameters[0]]], "weight_decay": getattr(group.optimizer, "weight_decay", 0.0)}
            for group in form.groups
        ]
        self.optimizer = torch.optim.SGD(groups, lr=float(experiment.optimizer.lr))
        self.loss = nn.MSELoss()

    def run(self, record: bool) -> dict[str, Tensor]:
        """One run from the initial weights; with ``record`` it keeps what the reference's trajectory has."""
        self.net.load_state_dict(self.start)
        weight, bias = self.net.weight, self.net.bias
        kept: dict[str, list[Any]] = {name: [] for name in RECORDED}

        def keep_params() -> None:
            kept["weight"].append(weight.detach().clone())
            kept["bias"].append(bias.detach().clone())
            kept["norm"].append(torch.linalg.vector_norm(weight.detach()))

        def keep_epoch() -> None:
            with torch.no_grad():
                kept["train_loss"].append(self.loss(self.net(self.X), self.y))
                kept["validation_loss"].append(self.loss(self.net(self.X_validation), self.y_validation))

        if record:
            keep_params()
            keep_epoch()
        for rows, sizes in self.order:
            X, y = self.X[rows], self.y[rows]
            for X_batch, y_batch in zip(torch.split(X, sizes), torch.split(y, sizes), strict=True):
                self.optimizer.zero_grad()
                loss = self.loss(self.net(X_batch), y_batch)
                loss.backward()
                self.optimizer.step()
                if record:
                    assert weight.grad is not None and bias.grad is not None
                    kept["loss"].append(loss.detach())
                    kept["weight gradient"].append(weight.grad.clone())
                    kept["bias gradient"].append(bias.grad.clone())
                    keep_params()
            if record:
                keep_epoch()
        return {name: torch.stack(values) for name, values in kept.items() if values}


RECORDED = (
    "loss",
    "weight",
    "bias",
    "weight gradient",
    "bias gradient",
    "norm",
    "train_loss",
    "validation_loss",
)


def largest_difference(trajectory: Trajectory, recorded: dict[str, Tensor]) -> float:
    """Over everything that both recorded, relative to the largest value of each quantity."""
    assert trajectory.validation_loss is not None
    ours: dict[str, Array] = {
        "loss": trajectory.loss,
        "weight": trajectory.params["weight"],
        "bias": trajectory.params["bias"],
        "weight gradient": trajectory.gradients["weight"],
        "bias gradient": trajectory.gradients["bias"],
        "norm": trajectory.norm,
        "train_loss": trajectory.train_loss,
        "validation_loss": trajectory.validation_loss,
    }
    assert set(ours) == set(recorded)
    return max(
        float(np.max(np.abs(array.ravel() - recorded[name].numpy().ravel())) / np.max(np.abs(array)))
        for name, array in ours.items()
    )


def training(rounds: int) -> list[Row]:
    """The reference and torch eager on S0, per step."""
    experiment = parity.load(S0)
    reference, eager = reference_on(experiment), Eager(experiment)
    steps = reference().steps
    difference = largest_difference(reference(), eager.run(record=True))
    ours, recording, bare = alternate((reference, partial(eager.run, True), partial(eager.run, False)), rounds)
    what, same = "training step on S0, everything recorded", f"to {significant(difference)}"
    return [
        Row(
            what,
            "torch eager, recording the same",
            ours / steps,
            recording / steps,
            recording / ours,
            "≥ 5 ×",
            recording / ours >= 5,
            same,
        ),
        Row(what, "torch eager, recording nothing", ours / steps, bare / steps, bare / ours),
    ]


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


def sweep(rounds: int) -> list[Row]:
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
            Row(
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


def ridge_path(rounds: int, shapes: Sequence[tuple[int, int]]) -> list[Row]:
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
        rows.append(Row(what, "one bare LAPACK SVD", own, svd, own / svd, "≤ 1.5 ×", own / svd <= 1.5))
        peer_name = f"{len(STRENGTHS)} scikit-learn fits"
        rows.append(Row(what, peer_name, own, fits, fits / own, "≥ 25 ×", fits / own >= 25, same))
        if (n, p) not in SHAPES:  # the goals are for those
            rows[-2:] = [replace(row, goal="", reached=None) for row in rows[-2:]]
    return rows


# -- the command line ----------------------------------------------------------------------------------------------


def cold_start(repeats: int = 7) -> list[Row]:
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
    return [Row(f"parity --help, median of {repeats}", peer, ours, bare, ours / bare, "< 0.5 s", ours < 0.5)]


# -- all of it -----------------------------------------------------------------------------------------------------


def threads_used() -> dict[str, Any]:
    """How many threads each numerical library may use here."""
    pools = {f"{pool['prefix']} {pool['version']}": pool["num_threads"] for pool in threadpool_info()}
    return {"torch": torch.get_num_threads(), **pools, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}


def measure(quick: bool) -> list[Row]:
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
