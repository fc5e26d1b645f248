"""Random experiments that torch can run: data, losses, penalties, optimizers, schedules, batches and trainers' parts.

They are drawn from a generator, so the same seed gives the same experiment again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from parity.experiment import Experiment
from parity.formulation import Formulation
from refimpl.accumulation import Accumulation
from refimpl.arithmetic.lift import map_numbers
from refimpl.averaging import EMA
from refimpl.batches import Batches
from refimpl.clipping import Clip
from refimpl.datasets import XOR, Gaussian, Integers
from refimpl.freezing import Freeze
from refimpl.initial_weights import Init, Normal, TorchDefault
from refimpl.initial_weights import Integers as IntegerInit
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.ranks import Ranks
from refimpl.resuming import Resume
from refimpl.schedules import Constant, Exponential, Step
from refimpl.training import Group
from refimpl.types import Optimizer, Penalty, Schedule

FEATURES = (1, 3, 7, 8, 16, 17, 31, 33, 100, 200)
BATCH_SIZES = (0, 1, 2, 3, 5, 7, 8, 16)
INTEGERS = "integers"
Rng: TypeAlias = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """The data of an experiment, where its weights start, and how large its learning rate may be."""

    family: str
    data: Gaussian | XOR | Integers
    init: dict[str, Init]
    rows: int
    features: int
    curvature: float


def pick(rng: Rng, *options: Any) -> Any:
    """One of the options, evenly."""
    return options[int(rng.integers(len(options)))]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number between ``low`` and ``high`` with a uniform logarithm; its significand is as random as a double's."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def draw_start(rng: Rng) -> Setup:
    """S0 (small weights, near the truth), S3 (weights and bias from N(0, 1)), XOR, or integers (exact sums)."""
    family = pick(rng, "S0", "S0", "S0", "S3", "S3", "XOR", INTEGERS)
    if family == "XOR":
        init: dict[str, Init] = {"weight": TorchDefault(), "bias": TorchDefault()}
        return Setup(family, XOR(), init, rows=4, features=2, curvature=4.0)
    features = pick(rng, *FEATURES)
    if family == INTEGERS:
        rows = pick(rng, 1, 2, 4, 8)  # powers of two, so that means are exact
        data = Integers(rows=rows, features=features, low=-2, high=2)
        init = {"weight": IntegerInit(low=-2, high=2), "bias": IntegerInit(low=-2, high=2)}
        return Setup(family, data, init, rows, features, curvature=2.0 * (features + 1))
    rows = pick(rng, 1, 4, 8, 20, 20, 20)
    noisy = Gaussian(train_rows=rows, validation_rows=pick(rng, 0, 1, 7, 100), features=features)
    if family == "S0":
        init = {"weight": Normal(std=0.01)}
    else:
        init = {"weight": Normal(std=1.0), "bias": Normal(std=1.0)}
    return Setup(family, noisy, init, rows, features, curvature=float(features + 1))


def draw_penalties(rng: Rng, formulation: Formulation, linear: Linear) -> tuple[Penalty, ...]:
    """None, L2 on the weight or on everything; inside a loss also L1, elastic net, two at once."""
    parameters = tuple(linear.ndim) if rng.random() < 0.3 else ("weight",)
    kinds = ["none", "L2", "L2", "L2"] + ["L1", "elastic net", "both"] * (formulation != "weight_decay")
    kind = pick(rng, *kinds)
    if kind == "none":
        return ()
    if kind == "L1":
        return (L1(strength=log_uniform(rng, 1e-4, 1), parameters=parameters),)
    if kind == "elastic net":
        l1, l2 = log_uniform(rng, 1e-4, 1), log_uniform(rng, 1e-4, 10)
        return (ElasticNet(l1=l1, l2=l2, parameters=parameters),)
    ridge = L2(strength=pick(rng, 3.0, log_uniform(rng, 1e-4, 10)), parameters=parameters)
    return (ridge,) if kind == "L2" else (ridge, L1(strength=log_uniform(rng, 1e-4, 1)))


def draw_optimizer(rng: Rng, formulation: Formulation, lr: float) -> Optimizer:
    """SGD with every option, at times with a decay beside the penalty; written by hand also SGDW and proximal SGD."""
    kind = pick(rng, "SGD", "SGD", "SGDW", "ProximalSGD") if formulation == "manual" else "SGD"
    decay = log_uniform(rng, 1e-4, 1) if rng.random() < 0.2 else 0.0
    if kind == "ProximalSGD":
        return ProximalSGD(lr=lr)
    momentum = pick(rng, 0.0, 0.0, 0.5, 0.9, float(rng.uniform(0.1, 0.99)))
    nesterov = bool(momentum) and rng.random() < 0.4
    dampening = pick(rng, 0.0, 0.5, float(rng.uniform(0, 1))) if momentum and not nesterov else 0.0
    if kind == "SGDW":
        return SGDW(lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=decay or 0.1)
    sgd = SGD(lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=decay)
    return replace(sgd, maximize=rng.random() < 0.05)


def draw_schedule(rng: Rng) -> Schedule:
    """Constant, step or exponential, by epoch or by step."""
    per = pick(rng, "epoch", "step")
    return pick(  # type: ignore[no-any-return]  # one of three schedules
        rng,
        Constant(),
        Constant(),
        Step(step_size=int(rng.integers(1, 6)), gamma=pick(rng, 0.1, 0.5, float(rng.uniform(0.2, 1))), per=per),
        Exponential(gamma=pick(rng, 0.9, float(rng.uniform(0.8, 1))), per=per),
    )


def dyadic(obj: T) -> T:
    """Every hyper-parameter at the next power of two below: with integers, the first steps are then exact."""
    return map_numbers(obj, lambda x: 2.0 ** math.floor(math.log2(x)) if x > 0 else x)


def draw_groups(rng: Rng, optimizer: Optimizer) -> tuple[Group, ...]:
    """At times the bias has hyper-parameters of its own."""
    if isinstance(optimizer, ProximalSGD) or rng.random() >= 0.25:
        return ()
    changes = {"lr": 0.5 * optimizer.lr, "weight_decay": log_uniform(rng, 1e-3, 1)}  # type: ignore[attr-defined]
    return (Group(parameters=("bias",), optimizer=replace(optimizer, **changes)),)  # type: ignore[type-var]


def draw_batches(rng: Rng, start: Setup) -> Batches:
    """Any size that fits; of integers, a power of two."""
    sizes = [s for s in BATCH_SIZES if s <= start.rows and (start.family != INTEGERS or s & (s - 1) == 0)]
    return Batches(size=pick(rng, *sizes), order=pick(rng, "shuffled", "fixed"), drop_last=rng.random() < 0.3)


def draw_experiment(rng: Rng, formulation: Formulation, name: str) -> tuple[str, Experiment]:
    """The family and an experiment of 10 to 40 steps that torch can run in this formulation."""
    start = draw_start(rng)
    linear, batches = Linear(bias=rng.random() < 0.9), draw_batches(rng, start)
    loss = SquaredError(factor=pick(rng, 0.5, 1.0), reduction=pick(rng, "mean", "mean", "sum"))
    size = batches.size or start.rows
    per_row = size if loss.reduction == "sum" else 1
    stable = 2 / (2 * float(loss.factor) * start.curvature * per_row + 10)  # η up to 2/L descends
    lr = stable * (log_uniform(rng, 1, 4) if rng.random() < 0.05 else log_uniform(rng, 1e-3, 1))

    penalties = draw_penalties(rng, formulation, linear)
    optimizer, schedule = draw_optimizer(rng, formulation, lr), draw_schedule(rng)
    groups = draw_groups(rng, optimizer) if linear.bias else ()
    if start.family == INTEGERS:
        penalties, optimizer = tuple(map(dyadic, penalties)), dyadic(optimizer)
        schedule, groups = Constant(), ()
    if getattr(optimizer, "maximize", False) and formulation != "loss":
        penalties = ()  # coupled decay is no penalty when ascending
    if isinstance(optimizer, ProximalSGD):
        penalties = penalties[:1]  # the proximal operator of a sum is another one

    per_epoch = start.rows // size if batches.drop_last else math.ceil(start.rows / size)
    experiment = Experiment(
        name=name,
        data=start.data,
        loss=loss,
        penalties=penalties,
        optimizer=optimizer,
        groups=groups,
        schedule=schedule,
        init={name: init for name, init in start.init.items() if name in linear.ndim},
        batches=batches,
        model=linear,
        epochs=max(1, round(int(rng.integers(10, 41)) / per_epoch)),
        seed=int(rng.integers(2**31)),
    )
    return start.family, with_trainer_parts(rng, experiment)


def with_trainer_parts(rng: Rng, experiment: Experiment) -> Experiment:
    """At times gradients are accumulated, clipped, frozen or reduced over ranks, weights are averaged, and the training
    is resumed."""
    if rng.random() < 0.3:
        how = Accumulation(micro=int(rng.integers(2, 5)), last=pick(rng, "mean", "full"))
        experiment = replace(experiment, accumulation=how)
    if rng.random() < 0.3:
        experiment = replace(experiment, clip=Clip(norm=log_uniform(rng, 1e-2, 10), of=pick(rng, "all", "each")))
    if rng.random() < 0.2:
        start = int(rng.integers(0, 6))
        end = pick(rng, None, start + int(rng.integers(1, 6)))
        frozen = Freeze(parameters=(pick(rng, *experiment.model.ndim),), from_step=start, to_step=end)
        experiment = replace(experiment, freeze=(frozen,))
    smallest = min(len(rows) for batches in experiment.draw().loaded for rows in batches)
    if smallest > 1 and rng.random() < 0.3:
        count = int(rng.integers(2, min(smallest, 4) + 1))
        ranks = Ranks(count=count, shard=pick(rng, "interleaved", "blocks"), reduce=pick(rng, "mean", "mean", "sum"))
        experiment = replace(experiment, ranks=ranks)
    if rng.random() < 0.3:
        decay = pick(rng, 0.5, 0.9, 1 - log_uniform(rng, 1e-4, 0.5), float(rng.uniform(0, 1)))
        experiment = replace(experiment, ema=EMA(decay=decay))
    steps = sum(map(len, experiment.draw().order))
    if steps > 1 and rng.random() < 0.2:
        experiment = replace(experiment, resume=Resume(at=(int(rng.integers(1, steps)),)))
    return experiment
