"""Does the judge ever accuse correct code? Thousands of seeded torch runs, each held to its own experiment.

Every run draws an experiment (data, sizes, loss, penalties, optimizer, schedule, batches) from ``(seed, number)`` and
runs it in torch in one of the cells dtype × formulation × implementation. Two things that torch 2.13 does wrong are
counted apart, each with a live check that it is still so; every other disagreement is a false alarm:

* fused SGD in bfloat16 and float16 on the CPU (https://github.com/pytorch/pytorch/issues/191763);
* foreach SGD with Nesterov momentum and neither weight decay nor ``maximize`` adds μb to ``.grad`` itself.

A tolerance that is never used would raise no alarms either. So for each quantity and dtype the largest share of the
tolerance that any correct run used is shown: at 0.1 and above it is ``sharp``, below it is ``loose``, with the reason.

    python benchmarks/false_alarms.py [--runs 4800] [--seed 0] [--jobs 2] [--quick]
    python benchmarks/false_alarms.py --only 1234        one run again: its experiment and every comparison
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
import typer
from common import Grid, environment, one_thread, run_all, say, write

from parity.backends.base import DTYPES, IMPLEMENTATIONS, Implementation, Setting
from parity.backends.torch_backend import TorchBackend
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.experiment_file import to_toml
from parity.formulation import Formulation, realise
from parity.judge.verdict import Verdict, judge
from refimpl.arithmetic.lift import map_numbers
from refimpl.batches import Batches
from refimpl.datasets import XOR, Gaussian, Integers
from refimpl.initial_weights import Init, Normal, TorchDefault
from refimpl.initial_weights import Integers as IntegerInit
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Constant, Exponential, Step
from refimpl.training import Group
from refimpl.trajectory import Trajectory
from refimpl.types import Optimizer, Penalty, Schedule

FEATURES = (1, 3, 7, 8, 16, 17, 31, 33, 100, 200)
BATCH_SIZES = (0, 1, 2, 3, 5, 7, 8, 16)
INTEGERS = "integers"
SHARP = 0.1
LOW = ("bfloat16", "float16")
ISSUE = "https://github.com/pytorch/pytorch/issues/191763"
Rng: TypeAlias = np.random.Generator
T = TypeVar("T")


class Cell(NamedTuple):
    """One way to run an experiment."""

    dtype: str
    formulation: Formulation
    implementation: Implementation

    @property
    def wrong_in_torch(self) -> bool:
        """Fused SGD in low precision on the CPU."""
        return self.implementation == "fused" and self.dtype in LOW


WAYS: tuple[tuple[Formulation, Implementation], ...] = (
    *(("loss", implementation) for implementation in IMPLEMENTATIONS),
    *(("weight_decay", implementation) for implementation in IMPLEMENTATIONS),
    ("manual", "for-loop"),
)
CELLS = tuple(Cell(dtype, *way) for way in WAYS for dtype in DTYPES)
CORRECT = tuple(cell for cell in CELLS if not cell.wrong_in_torch)
WRONG = tuple(cell for cell in CELLS if cell.wrong_in_torch)


# -- drawing experiments -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
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


def draw_start(rng: Rng) -> Start:
    """S0 (small weights, near the truth), S3 (weights and bias from N(0, 1)), XOR, or integers (exact sums)."""
    family = pick(rng, "S0", "S0", "S0", "S3", "S3", "XOR", INTEGERS)
    if family == "XOR":
        init: dict[str, Init] = {"weight": TorchDefault(), "bias": TorchDefault()}
        return Start(family, XOR(), init, rows=4, features=2, curvature=4.0)
    features = pick(rng, *FEATURES)
    if family == INTEGERS:
        rows = pick(rng, 1, 2, 4, 8)  # powers of two, so that means are exact
        data = Integers(rows=rows, features=features, low=-2, high=2)
        init = {"weight": IntegerInit(low=-2, high=2), "bias": IntegerInit(low=-2, high=2)}
        return Start(family, data, init, rows, features, curvature=2.0 * (features + 1))
    rows = pick(rng, 1, 4, 8, 20, 20, 20)
    noisy = Gaussian(train_rows=rows, validation_rows=pick(rng, 0, 1, 7, 100), features=features)
    if family == "S0":
        init = {"weight": Normal(std=0.01)}
    else:
        init = {"weight": Normal(std=1.0), "bias": Normal(std=1.0)}
    return Start(family, noisy, init, rows, features, curvature=float(features + 1))


def draw_penalties(rng: Rng, formulation: Formulation, linear: Linear) -> tuple[Penalty, ...]:
    """None, L2 on the weight or on everything; inside a loss also L1 and elastic net."""
    parameters = tuple(linear.ndim) if rng.random() < 0.3 else ("weight",)
    kinds = ["none", "L2", "L2", "L2"] + ["L1", "elastic net"] * (formulation != "weight_decay")
    kind = pick(rng, *kinds)
    if kind == "none":
        return ()
    if kind == "L1":
        return (L1(strength=log_uniform(rng, 1e-4, 1), parameters=parameters),)
    if kind == "elastic net":
        l1, l2 = log_uniform(rng, 1e-4, 1), log_uniform(rng, 1e-4, 10)
        return (ElasticNet(l1=l1, l2=l2, parameters=parameters),)
    strength = pick(rng, 3.0, log_uniform(rng, 1e-4, 10))
    return (L2(strength=strength, parameters=parameters),)


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


def draw_batches(rng: Rng, start: Start) -> Batches:
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

    per_epoch = start.rows // size if batches.drop_last else math.ceil(start.rows / size)
    return start.family, Experiment(
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


class Case(NamedTuple):
    """Run ``number`` of a seed: what is run, and in which cell."""

    number: int
    cell: Cell
    family: str
    experiment: Experiment

    @property
    def changes_grad(self) -> bool:
        """torch's foreach SGD adds μb to ``.grad`` itself where neither a decay nor ``maximize`` made a copy of it."""
        optimizers = realise(self.experiment, self.cell.formulation).optimizers.values()
        return self.cell.implementation == "foreach" and any(
            isinstance(o, SGD) and o.nesterov and not o.maximize and o.weight_decay == 0 for o in optimizers
        )


def draw_case(seed: int, number: int) -> Case:
    """The same case for the same two numbers; the cells take turns."""
    cell = CELLS[number % len(CELLS)]
    rng = np.random.default_rng([seed, number])
    family, experiment = draw_experiment(rng, cell.formulation, f"run-{number}")
    return Case(number, cell, family, experiment)


# -- running and judging -------------------------------------------------------------------------------------------


class Tally(NamedTuple):
    """One quantity of one run. ``alarms``: its steps that disagree; ``used``: largest share of the tolerance."""

    values: int
    equal: int
    unknown: int
    alarms: int
    used: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one case. ``changed_grad``: None, or whether the expected change of ``.grad`` was noted."""

    number: int
    cell: Cell
    family: str
    features: int
    steps: int = 0
    verdict: str
    text: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    changed_grad: bool | None = None

    @property
    def false_alarm(self) -> bool:
        """Accused of something that torch has right."""
        return any(tally.alarms for tally in self.tallies.values())


def label(quantity: str) -> str:
    """The judge's quantities under the names of the table."""
    if quantity.startswith(("initial", "data")):
        return "start"
    return {"update weight": "weights", "update bias": "bias", "loss": "batch loss"}.get(quantity, quantity)


def tallies(verdict: Verdict, side_effects: int) -> dict[str, Tally]:
    """Per quantity; ``start`` is the initial weights and data, ``untouched`` the gradients, which no step may move."""
    found: dict[str, Tally] = {}
    for comparison in verdict.comparisons:
        alarms = int(np.sum(comparison.share > 1))
        new = Tally(comparison.elements, comparison.exact, comparison.unknown, alarms, comparison.used)
        name = label(comparison.quantity)
        found[name] = combine(found[name], new) if name in found else new
    values = sum(tally.values for name, tally in found.items() if name in ("gradient weight", "gradient bias"))
    return found | {"untouched": Tally(values, values, 0, side_effects, 0.0)}


def combine(a: Tally, b: Tally) -> Tally:
    """Both together."""
    counts = (a.values + b.values, a.equal + b.equal, a.unknown + b.unknown, a.alarms + b.alarms)
    return Tally(*counts, max(a.used, b.used))


def run_case(case: Case) -> tuple[Verdict, Trajectory]:
    """What the judge says of one case, and what it judged."""
    setting = Setting(dtype=case.cell.dtype, formulation=case.cell.formulation, implementation=case.cell.implementation)
    trajectory = TorchBackend().run(case.experiment, setting)
    return judge(case.experiment, trajectory), trajectory


def outcome(seed: int, number: int) -> Outcome:
    """Draw, run and judge; what breaks is an outcome too."""
    case = draw_case(seed, number)
    features = int(getattr(case.experiment.data, "features", 2))
    finish = partial(Outcome, number=number, cell=case.cell, family=case.family, features=features)
    try:
        verdict, trajectory = run_case(case)
    except Unsupported as refusal:
        return finish(verdict="unsupported", text=str(refusal))
    except Exception as error:  # a judge that breaks on correct code is a finding of its own
        return finish(verdict="error", text=f"{type(error).__name__}: {error}")
    found, changed = tallies(verdict, len(trajectory.side_effects)), None
    if case.changes_grad:
        changed = all(effect.tensor.startswith("gradients/") for effect in trajectory.side_effects)
        changed = changed and bool(trajectory.side_effects)
        del found["untouched"]
    name = "known" if verdict.name == "disagree" and not any(t.alarms for t in found.values()) else verdict.name
    return finish(steps=trajectory.steps, verdict=name, text=verdict.text, tallies=found, changed_grad=changed)


def choose_numbers(runs: int) -> list[int]:
    """Case numbers with at least ``runs`` runs in the correct cells, the same number in each cell."""
    rounds = math.ceil(runs / len(CORRECT))
    return list(range(rounds * len(CELLS)))


# -- counting ------------------------------------------------------------------------------------------------------

QUANTITIES = (
    "batch loss",
    "train loss",
    "validation loss",
    "objective",
    "norm",
    "gradient weight",
    "gradient bias",
    "gradient off span",
    "state weight.momentum_buffer",
    "state bias.momentum_buffer",
    "weights",
    "bias",
    "start",
    "untouched",
)
SUMS = (
    "Sums: the bound γₙ of a sum of n terms holds for every order of summation, also for one term after the other with "
    "all rounding errors of one sign. torch sums in blocks and its errors have random signs, so of the bound of a long "
    "sum in float64 and float32 it uses little; where sums are accumulated in float32 and stored in less, one rounding "
    "at the end decides and the bound is sharp at every p. The part of the gradient outside the span of the batch's "
    "rows has no long sums: it is sharp at every p."
)
VERDICTS = (
    "Verdicts: *agree*; *undecidable*, which agrees and names the hyper-parameters that the run cannot see; *known*, "
    "which agrees but for the change of `.grad` that foreach SGD makes. *unbounded*: values that may overflow in their "
    "dtype, of which nothing is said."
)
EQUALITIES = ("start", "untouched")
"""Held to equality, not to a tolerance."""
ELEMENTWISE = ("state weight.momentum_buffer", "state bias.momentum_buffer", "weights", "bias")
"""No sums: the tolerance is that of a few roundings."""


def total_by(outcomes: Iterable[Outcome], *keys: str) -> dict[tuple[Any, ...], Tally]:
    """Tallies of each quantity, added up over outcomes with the same ``dtype``, ``features``, …"""
    found: dict[tuple[Any, ...], Tally] = {}
    for one in outcomes:
        where = tuple(getattr(one if key == "features" else one.cell, key) for key in keys)
        for quantity, tally in one.tallies.items():
            key = (quantity, *where)
            found[key] = combine(found[key], tally) if key in found else tally
    return found


def judgement(quantity: str, tally: Tally) -> str:
    """``sharp``, ``loose``, or ``equality`` for what has no tolerance."""
    if quantity in EQUALITIES or tally.values == tally.equal:
        return "equality"
    return "sharp" if tally.used >= SHARP else "loose"


def share(used: float) -> str:
    """Three digits, never rounded up to a full 1."""
    return f"{math.floor(used * 1000) / 1000:.3f}"


def main_table(outcomes: Sequence[Outcome]) -> Grid:
    """Per quantity and dtype: runs, judged values, alarms, share used."""
    totals = total_by(outcomes, "dtype")
    rows = []
    for quantity in QUANTITIES:
        for dtype in DTYPES:
            if (tally := totals.get((quantity, dtype))) is None:
                continue
            runs = sum(1 for one in outcomes if one.cell.dtype == dtype and quantity in one.tallies)
            bound = "–" if quantity in EQUALITIES else share(tally.used)
            cells = [f"{runs:,}", f"{tally.values:,}", f"{tally.equal:,}", f"{tally.unknown:,}", f"{tally.alarms}"]
            rows.append([quantity, dtype, *cells, bound, judgement(quantity, tally)])
    columns = ["quantity", "dtype", "runs", "values", "held to equality", "unbounded", "false alarms", "share used", ""]
    return Grid("False alarms and the largest share of the tolerance that a correct run used", columns, rows, left=2)


def share_table(outcomes: Sequence[Outcome]) -> Grid:
    """The largest share by number of features: bounds of sums grow with n, errors with √n."""
    totals = total_by(outcomes, "dtype", "features")
    features = sorted({one.features for one in outcomes if one.features})
    rows = []
    for quantity in QUANTITIES:
        if quantity in EQUALITIES:
            continue
        for dtype in DTYPES:
            used = [totals.get((quantity, dtype, p)) for p in features]
            rows.append([quantity, dtype, *(share(tally.used) if tally else "–" for tally in used)])
    return Grid("Largest share used, by number of features p", ["quantity", "dtype", *map(str, features)], rows, left=2)


def way_table(outcomes: Sequence[Outcome]) -> Grid:
    """Runs, alarms, the largest and the smallest share of the quantities' tolerances for each cell."""
    totals = total_by(outcomes, "dtype", "formulation", "implementation")
    rows = []
    for cell in CELLS:
        mine = [one for one in outcomes if one.cell == cell]
        found = {q: totals[q, *cell] for q in QUANTITIES if (q, *cell) in totals and q not in EQUALITIES}
        if not mine or not found:
            continue
        loose = [q for q, tally in found.items() if judgement(q, tally) == "loose"]
        least = min(found, key=lambda q: found[q].used)
        alarms = sum(one.false_alarm for one in mine)
        verdict = "all sharp" if not loose else "loose: " + ", ".join(loose)
        rows.append([*cell, f"{len(mine)}", f"{alarms}", f"{share(found[least].used)} {least}", verdict])
    columns = ["dtype", "formulation", "implementation", "runs", "false alarms", "least share of all quantities", ""]
    return Grid("By dtype × formulation × implementation", columns, rows, left=3)


def falling(shares: Mapping[int, float]) -> float | None:
    """The exponent k of share ~ p^k, least squares on logarithms, for p ≥ 7."""
    points = [(math.log(p), math.log(used)) for p, used in shares.items() if p >= 7 and used > 0]
    if len(points) < 3:
        return None
    x, y = np.array(points).T
    return float(np.polyfit(x, y, 1)[0])


def reason(quantity: str, features: int, shares: Mapping[int, float]) -> str:
    """Why a quantity is loose at a size, from what was measured."""
    if quantity == "norm" and features == 1:
        return "the norm of one weight is |w|, which torch returns without any error"
    exponent = falling(shares)
    if quantity in ELEMENTWISE or features < 7 or exponent is None or exponent > -0.4:
        return f"few runs of this size; at others up to {max(shares.values()):.2f}"
    small, largest = max(used for p, used in shares.items() if p <= 8), max(shares)
    return (
        f"sums of p terms: the share falls as p^{exponent:.1f}, from {small:.2f} at p ≤ 8 to {share(shares[largest])}"
    )


def loose_cells(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Each quantity × dtype with the numbers of features at which it is loose, one entry for each reason."""
    totals = total_by(outcomes, "dtype", "features")
    found: dict[tuple[str, str, str], list[int]] = {}
    for quantity in QUANTITIES:
        for dtype in DTYPES:
            cells = {key[2]: tally for key, tally in sorted(totals.items()) if key[:2] == (quantity, dtype)}
            shares = {p: tally.used for p, tally in cells.items()}
            for p, tally in cells.items():
                if judgement(quantity, tally) == "loose":
                    found.setdefault((quantity, dtype, reason(quantity, p, shares)), []).append(p)
    return [{"quantity": q, "dtype": dtype, "features": p, "reason": why} for (q, dtype, why), p in found.items()]


def loose_table(cells: Sequence[Mapping[str, Any]]) -> Grid:
    """The loose cells."""
    rows = [[c["quantity"], c["dtype"], ", ".join(map(str, c["features"])), c["reason"]] for c in cells]
    return Grid(f"Loose (no run used {SHARP} of the bound), and why", ["quantity", "dtype", "p", "why"], rows, left=4)


# -- the kernel that torch has wrong -------------------------------------------------------------------------------


def fused_leaves(dtype: str) -> int:
    """How many of 64 weights one fused step leaves as they were, though η·g = ½ is to be subtracted from 1."""
    w = torch.ones(64, dtype=getattr(torch, dtype), requires_grad=True)
    w.grad = torch.ones_like(w)
    torch.optim.SGD([w], lr=0.5, fused=True).step()
    return int((w.detach() == 1).sum())


def foreach_changes_grad() -> bool:
    """Whether a foreach step with Nesterov momentum still changes ``.grad``, as the for-loop does not."""
    w = torch.ones(4, requires_grad=True)
    w.grad = torch.ones_like(w)
    torch.optim.SGD([w], lr=0.5, momentum=0.5, nesterov=True, foreach=True).step()
    return bool((w.grad != 1).any())


def live_checks() -> list[str]:
    """What torch has wrong, tried now."""
    lines = []
    for dtype in LOW:
        left = fused_leaves(dtype)
        state = f"still wrong: {left} of 64 weights not updated" if left else "mended, counted as correct"
        lines.append(f"torch {torch.__version__}, fused SGD in {dtype}: {state} ({ISSUE})")
    state = "still changes .grad" if foreach_changes_grad() else "mended"
    return [*lines, f"torch {torch.__version__}, foreach SGD with Nesterov momentum and no decay: {state}"]


def wrong_table(outcomes: Sequence[Outcome]) -> Grid:
    """Runs of what torch has wrong: how many the judge noted.

    Below a vector's width the fused kernel is right, and above it where no update reaches half an ulp.
    """
    rows = []
    for small in (True, False):
        for cell in WRONG:
            mine = [one for one in outcomes if one.cell == cell and (one.features < 16) == small]
            noted = sum(one.verdict == "disagree" for one in mine)
            rows.append([" ".join(cell), "p < 16" if small else "p ≥ 16", f"{noted} of {len(mine)}"])
    grad = [one for one in outcomes if one.changed_grad is not None]
    noted = sum(bool(one.changed_grad) for one in grad)
    rows.append(["foreach, Nesterov without decay: .grad changed", "all", f"{noted} of {len(grad)}"])
    return Grid("Known to be wrong in torch, counted apart", ["where", "which runs", "noted"], rows, left=2)


# -- all of it -----------------------------------------------------------------------------------------------------


def show_one(seed: int, number: int) -> None:
    """One case again, in words."""
    one_thread()
    case = draw_case(seed, number)
    say(to_toml(case.experiment), f"{' '.join(case.cell)}, family {case.family}")
    verdict, trajectory = run_case(case)
    say(f"{verdict.name}: {verdict.text}", f"{trajectory.steps} steps, {len(trajectory.side_effects)} side effects")
    rows = [
        [c.quantity, f"{c.elements}", f"{c.exact}", f"{c.unknown}", f"{c.used:.4f}", str(c.disagreement or "")]
        for c in verdict.comparisons
    ]
    columns = ["quantity", "values", "held to equality", "unbounded", "share used", "first disagreement"]
    Grid("Comparisons", columns, rows).show()


def alarm_lines(outcomes: Sequence[Outcome], seed: int) -> list[str]:
    """Each false alarm and each error, with the command that shows it again."""
    return [
        f"run {one.number} ({' '.join(one.cell)}, {one.family}, p = {one.features}): {one.verdict}: {one.text}; "
        f"again: python benchmarks/false_alarms.py --seed {seed} --only {one.number}"
        for one in outcomes
        if one.false_alarm or one.verdict in ("error", "unsupported")
    ]


def summary(correct: Sequence[Outcome], elapsed: float) -> str:
    """The result in a sentence."""
    judged = [one for one in correct if one.tallies]
    steps, values = sum(one.steps for one in judged), sum(t.values for one in judged for t in one.tallies.values())
    alarms = sum(one.false_alarm for one in judged)
    verdicts = Counter(one.verdict for one in correct)
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.most_common())
    return (
        f"{len(judged):,} runs of correct code, {steps:,} steps, {values:,} judged values: {alarms} false alarms "
        f"(verdicts: {counts}); took {elapsed:.0f} s"
    )


def records(grid: Grid) -> list[dict[str, str]]:
    """The rows of a table, by column."""
    return [dict(zip(grid.columns, row, strict=True)) for row in grid.rows]


def by_cell(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every quantity in every cell."""
    totals = total_by(outcomes, "dtype", "formulation", "implementation")
    names = ("quantity", "dtype", "formulation", "implementation")
    return [
        dict(zip(names, key, strict=True)) | tally._asdict() | {"label": judgement(key[0], tally)}
        for key, tally in sorted(totals.items())
    ]


def by_family(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Verdicts by family of experiments."""
    families = sorted({one.family for one in outcomes})
    return {name: dict(Counter(one.verdict for one in outcomes if one.family == name)) for name in families}


def main(
    runs: Annotated[int, typer.Option(min=1, help="Runs of correct code, at least.")] = 4800,
    seed: Annotated[int, typer.Option(min=0, help="Of all experiments.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option(help="240 runs, nothing written.")] = False,
    only: Annotated[int | None, typer.Option(help="Run this case alone and show everything.")] = None,
) -> None:
    """Run, judge, count, and write results/false_alarms.json and .md."""
    if only is not None:
        show_one(seed, only)
        return
    start, where, live = time.perf_counter(), environment(), live_checks()
    outcomes = run_all(partial(outcome, seed), choose_numbers(240 if quick else runs), jobs, "judging")
    broken = {dtype for dtype in LOW if fused_leaves(dtype)}
    correct = [one for one in outcomes if not (one.cell.wrong_in_torch and one.cell.dtype in broken)]
    elapsed = time.perf_counter() - start

    loose, alarms, sentence = loose_cells(correct), alarm_lines(correct, seed), summary(correct, elapsed)
    overall, shares, wrong = main_table(correct), share_table(correct), wrong_table(outcomes)
    ways = way_table(correct)
    for grid in (overall, shares, loose_table(loose), ways, wrong):
        grid.show()
    say(*live, *(alarms or ["no false alarm, no error, nothing unsupported"]), sentence)
    if quick:
        say("--quick: nothing written; without it, results/false_alarms.json and .md are")
        return
    data = {
        "environment": where,
        "seed": seed,
        "took_s": round(elapsed, 1),
        "summary": sentence,
        "false_alarms": alarms,
        "families": by_family(correct),
        "known_wrong": {"live": live, "noted": records(wrong)},
        "by_dtype": records(overall),
        "by_features": records(shares),
        "loose": loose,
        "why_sums_are_loose": SUMS,
        "by_cell": by_cell(correct),
    }
    bullets = "\n".join(f"* {line}" for line in live)
    parts: list[Grid | str] = [
        f"{sentence}.",
        VERDICTS,
        overall,
        shares,
        loose_table(loose),
        SUMS,
        ways,
        wrong,
        bullets,
    ]
    write("false_alarms", data, "False alarms", parts)


if __name__ == "__main__":
    typer.run(main)
