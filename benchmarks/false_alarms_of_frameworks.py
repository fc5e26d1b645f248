"""Does the judge ever accuse another framework that computes rightly? Seeded runs of a backend, each held to its own
experiment.

The experiments are those of ``random_experiments`` without the parts that only torch's backend has, with optimizers of
every rule that the framework may have, in every dtype. What a backend refuses is drawn anew. Cells in which a framework
is known to be wrong, or to do something else, are left out; ``benchmarks/frameworks`` has a script for each of them:

* Keras in float64, of which means, and on torch products of matrices, have the accuracy of float32;
* Adam and AdamW of MLX in float64, whose bias corrections have it;
* L1 in JAX where a weight is exactly 0: its derivative of |w| is 1 there, torch's 0;
* gradients beyond 255 in float16, whose squares overflow where they are made before the factor 1 − β.

    python -m benchmarks.false_alarms --backend optax --runs 2000
    python -m benchmarks.false_alarms --backend optax --only 1234
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.common import say
from benchmarks.random_experiments import Rng, draw_experiment, log_uniform, pick
from parity.backends import backend as backend_of
from parity.backends.base import DTYPES, Implementation, Setting
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.formulation import Formulation
from parity.judge.verdict import Verdict, judge
from refimpl.batches import Batches
from refimpl.errors import RefimplError
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, SGDW, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, RMSprop
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.trajectory import Trajectory
from refimpl.types import Optimizer

ALL_WAYS: dict[str, tuple[Implementation, ...]] = {"optax": ("for-loop", "fused")}
SQUARE = 255.0
"""The largest gradient, about, whose square is a number of float16."""
MISSES = 100
"""So many draws in a row that a backend refuses are the end: it has hardly anything of them."""


def draw_rule(rng: Rng, name: str, lr: float) -> Optimizer | None:
    """An optimizer of another rule than plain SGD's; None for the one that was drawn."""
    eps = 0.0 if name == "keras" else log_uniform(rng, 1e-4, 1e-2)
    betas = (float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.8, 0.999)))
    decay = log_uniform(rng, 1e-3, 1)
    kind = pick(rng, None, None, Adam, AdamW, RMSprop, Adadelta, Adagrad, Adamax, Lion, SGDW)
    options: dict[Any, dict[str, Any]] = {
        Adam: {"betas": betas, "eps": eps},
        AdamW: {"betas": betas, "eps": eps, "weight_decay": decay},
        RMSprop: {"alpha": betas[1], "eps": eps, "momentum": pick(rng, 0.0, 0.9), "centered": False},
        Adadelta: {"rho": betas[1], "eps": max(eps, 1e-4)},
        Adagrad: {"eps": eps},
        Adamax: {"betas": betas, "eps": eps},
        Lion: {"betas": betas, "weight_decay": decay},
        SGDW: {"momentum": pick(rng, 0.0, 0.9), "weight_decay": decay},
    }
    return None if kind is None else kind(lr=lr, **options[kind])


def draw(name: str, seed: int, number: int) -> tuple[Experiment, Setting]:
    """The experiment and the setting that belong to a seed and a number."""
    rng = np.random.default_rng([seed, number])
    formulation: Formulation = pick(rng, "loss", "weight_decay")
    implementation = pick(rng, *ALL_WAYS.get(name, ("for-loop",)))
    _, experiment = draw_experiment(rng, formulation, f"run-{number}")
    plain: dict[str, Any] = dict.fromkeys(("accumulation", "ranks", "clip", "ema", "resume"))
    experiment = replace(experiment, **plain, freeze=())
    drawn: Any = experiment.optimizer
    other = draw_rule(rng, name, float(drawn.lr))
    if name == "sklearn":
        ridge = L2(strength=log_uniform(rng, 1e-4, 1))
        plain = {"optimizer": SGD(lr=drawn.lr), "groups": (), "penalties": (ridge,), "batches": Batches(size=1)}
        plain |= {"loss": SquaredError(factor=0.5, reduction="mean"), "epochs": min(experiment.epochs, 3)}
        experiment = replace(experiment, **plain)
    elif other is not None:
        experiment = replace(experiment, optimizer=other, groups=())
    return experiment, Setting(dtype=pick(rng, *DTYPES), formulation=formulation, implementation=implementation)


def known_wrong(name: str, experiment: Experiment, setting: Setting) -> bool:
    """Whether the framework is known to be wrong here."""
    adam = any(isinstance(each, Adam | AdamW) for each in experiment.optimizers.values())
    return setting.dtype == "float64" and (name == "keras" or (name == "mlx" and adam))


def known_other(name: str, experiment: Experiment, trajectory: Trajectory) -> bool:
    """Whether the run met a place where the framework is known to do something else."""
    kinks = {p for penalty in experiment.penalties if isinstance(penalty, L1 | ElasticNet) for p in penalty.parameters}
    if name in ("optax", "keras") and any(np.any(trajectory.params[parameter][:-1] == 0) for parameter in kinks):
        return True
    squares = not all(isinstance(each, SGD | SGDW | Lion | Adamax) for each in experiment.optimizers.values())
    large = any(np.any(~(np.abs(g) <= SQUARE)) for g in trajectory.gradients.values())
    return squares and large and trajectory.meta["dtype"] == "float16"


def run_one(name: str, seed: int, number: int) -> tuple[Verdict, Trajectory, Setting] | None:
    """Run and judge a case; None for what the backend refuses, or is known to have otherwise."""
    try:
        experiment, setting = draw(name, seed, number)
        if known_wrong(name, experiment, setting):
            return None
        trajectory = backend_of(name).run(experiment, setting)
    except (Unsupported, RefimplError):
        return None
    if known_other(name, experiment, trajectory):
        return None
    return judge(experiment, trajectory), trajectory, setting


def measure(name: str, runs: int, seed: int) -> None:
    """Judge so many runs, and say what comes of them."""
    start, number, misses = time.perf_counter(), 0, 0
    verdicts: Counter[tuple[str, str]] = Counter()
    alarms, steps, values, used = list[str](), 0, 0, dict[tuple[str, str], float]()
    while verdicts.total() < runs and misses < MISSES:
        result = run_one(name, seed, number)
        misses = 0 if result else misses + 1
        if result:
            verdict, trajectory, setting = result
            verdicts[setting.dtype, verdict.name] += 1
            steps, values = steps + trajectory.steps, values + sum(c.elements for c in verdict.comparisons)
            for c in verdict.comparisons:
                key = setting.dtype, c.quantity.kind
                used[key] = max(used.get(key, 0.0), c.used)
            if verdict.name == "disagree":
                again = f"again: python -m benchmarks.false_alarms --backend {name} --seed {seed} --only {number}"
                alarms.append(f"run {number} ({setting}): {verdict.text}; {again}")
                say(alarms[-1])
        number += 1
    shares = (f"{dtype} {kind} {share:.2f}" for (dtype, kind), share in sorted(used.items()))
    say("largest share of the tolerance: " + ", ".join(shares))
    counts = ", ".join(f"{dtype} {verdict} {count:,}" for (dtype, verdict), count in sorted(verdicts.items()))
    say(
        f"{name}: {verdicts.total():,} runs, {steps:,} steps, {values:,} judged values: {len(alarms)} false alarms "
        f"({counts}); took {time.perf_counter() - start:.0f} s"
    )


def show(name: str, seed: int, number: int) -> None:
    """One case again."""
    from parity.experiment_file import to_toml

    experiment, setting = draw(name, seed, number)
    result = run_one(name, seed, number)
    say(to_toml(experiment), str(setting), f"{result[0].name}: {result[0].text}" if result else "refused")
