"""Does the judge ever accuse correct code? Thousands of seeded torch runs, each held to its own experiment.

Every run draws an experiment (data, sizes, loss, penalties, optimizer, schedule, batches) from ``(seed, number)`` and
runs it in torch in one of the cells dtype × formulation × implementation. Two things that torch 2.13 does wrong are
counted apart, each with a live check that it is still so; every other disagreement is a false alarm:

* fused SGD in bfloat16 and float16 on the CPU (https://github.com/pytorch/pytorch/issues/191763);
* foreach SGD with Nesterov momentum and neither weight decay nor ``maximize`` adds μb to ``.grad`` itself.

A tolerance that is never used would raise no alarms either. So for each quantity and dtype the largest share of the
tolerance that any correct run used is shown: at 0.1 and above it is ``sharp``, below it is ``loose``; the table by size
and the note on sums say why.

    python -m benchmarks.false_alarms [--runs 4800] [--seed 0] [--jobs 2] [--quick]
    python -m benchmarks.false_alarms --only 1234        one run again: its experiment and every comparison
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer

from benchmarks.common import Grid, environment, one_thread, run_all, say, write
from benchmarks.random_experiments import draw_experiment
from parity.backends.base import DTYPES, IMPLEMENTATIONS, Implementation, Setting
from parity.backends.torch_backend import TorchBackend
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.experiment_file import to_toml
from parity.formulation import Formulation, realise
from parity.judge.verdict import Verdict, judge
from refimpl.optimizers import SGD
from refimpl.trajectory import Trajectory

SHARP = 0.1
LOW = ("bfloat16", "float16")
ISSUE = "https://github.com/pytorch/pytorch/issues/191763"


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


# -- cases ----------------------------------------------------------------------------------------------------------


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
    """Draw the case that belongs to a seed and a number; the cells take turns."""
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
    by_quantity: dict[str, Tally] = {}
    for comparison in verdict.comparisons:
        alarms = int(np.sum(comparison.share > 1))
        new = Tally(comparison.elements, comparison.exact, comparison.unknown, alarms, comparison.used)
        name = label(str(comparison.quantity))
        by_quantity[name] = combine(by_quantity[name], new) if name in by_quantity else new
    values = sum(tally.values for name, tally in by_quantity.items() if name in ("gradient weight", "gradient bias"))
    return by_quantity | {"untouched": Tally(values, values, 0, side_effects, 0.0)}


def combine(a: Tally, b: Tally) -> Tally:
    """The sum of two tallies."""
    counts = (a.values + b.values, a.equal + b.equal, a.unknown + b.unknown, a.alarms + b.alarms)
    return Tally(*counts, max(a.used, b.used))


def run_case(case: Case) -> tuple[Verdict, Trajectory]:
    """Run and judge one case: the verdict, and the trajectory."""
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
    by_quantity, changed = tallies(verdict, len(trajectory.side_effects)), None
    if case.changes_grad:
        changed = all(effect.tensor.startswith("gradients/") for effect in trajectory.side_effects)
        changed = changed and bool(trajectory.side_effects)
        del by_quantity["untouched"]
    name = "known" if verdict.name == "disagree" and not any(t.alarms for t in by_quantity.values()) else verdict.name
    return finish(steps=trajectory.steps, verdict=name, text=verdict.text, tallies=by_quantity, changed_grad=changed)


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


def total_by(outcomes: Iterable[Outcome], *keys: str) -> dict[tuple[Any, ...], Tally]:
    """Tallies of each quantity, added up over outcomes with the same ``dtype``, ``features``, …"""
    totals: dict[tuple[Any, ...], Tally] = {}
    for one in outcomes:
        where = tuple(getattr(one if key == "features" else one.cell, key) for key in keys)
        for quantity, tally in one.tallies.items():
            key = (quantity, *where)
            totals[key] = combine(totals[key], tally) if key in totals else tally
    return totals


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
        of_cell = {q: totals[q, *cell] for q in QUANTITIES if (q, *cell) in totals and q not in EQUALITIES}
        if not mine or not of_cell:
            continue
        loose = [q for q, tally in of_cell.items() if judgement(q, tally) == "loose"]
        least = min(of_cell, key=lambda q: of_cell[q].used)
        alarms = sum(one.false_alarm for one in mine)
        verdict = "all sharp" if not loose else "loose: " + ", ".join(loose)
        rows.append([*cell, f"{len(mine)}", f"{alarms}", f"{share(of_cell[least].used)} {least}", verdict])
    columns = ["dtype", "formulation", "implementation", "runs", "false alarms", "least share of all quantities", ""]
    return Grid("By dtype × formulation × implementation", columns, rows, left=3)


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
    """Try torch's known faults, and say whether each is still there."""
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
    """Judge one case again, and say what comes of it."""
    one_thread()
    case = draw_case(seed, number)
    say(to_toml(case.experiment), f"{' '.join(case.cell)}, family {case.family}")
    verdict, trajectory = run_case(case)
    say(f"{verdict.name}: {verdict.text}", f"{trajectory.steps} steps, {len(trajectory.side_effects)} side effects")
    rows = [
        [str(c.quantity), f"{c.elements}", f"{c.exact}", f"{c.unknown}", f"{c.used:.4f}", str(c.disagreement or "")]
        for c in verdict.comparisons
    ]
    columns = ["quantity", "values", "held to equality", "unbounded", "share used", "first disagreement"]
    Grid("Comparisons", columns, rows).show()


def alarm_lines(outcomes: Sequence[Outcome], seed: int) -> list[str]:
    """Each false alarm and each error, with the command that shows it again."""
    return [
        f"run {one.number} ({' '.join(one.cell)}, {one.family}, p = {one.features}): {one.verdict}: {one.text}; "
        f"again: python -m benchmarks.false_alarms --seed {seed} --only {one.number}"
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
    """The tally of every quantity in every cell, with its label."""
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

    alarms, sentence = alarm_lines(correct, seed), summary(correct, elapsed)
    overall, shares, wrong = main_table(correct), share_table(correct), wrong_table(outcomes)
    ways = way_table(correct)
    for grid in (overall, shares, ways, wrong):
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
        "why_sums_are_loose": SUMS,
        "by_cell": by_cell(correct),
    }
    bullets = "\n".join(f"* {line}" for line in live)
    parts: list[Grid | str] = [
        f"{sentence}.",
        VERDICTS,
        overall,
        shares,
        SUMS,
        ways,
        wrong,
        bullets,
    ]
    write("false_alarms", data, "False alarms", parts)


if __name__ == "__main__":
    typer.run(main)
