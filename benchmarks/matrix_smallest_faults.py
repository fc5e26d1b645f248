"""How small a fault of an optimizer does one run show? Every hyper-parameter of every optimizer, in every dtype.

torch makes a few steps, and the record is held to a reference whose hyper-parameter is h(1 + δ). The smallest δ that is
caught is found by bisection, in the median over the seeds. Beside it stands the ideal: the δ that moves some element of
the new weights or of the state by half a unit in its last place, below which no judge of the stored numbers can see
anything: half a unit ÷ |∂(new value)/∂δ|.

    python -m benchmarks.matrix_smallest_faults [--seeds 3] [--jobs 2] [--quick]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from benchmarks.common import Grid, environment, run_all, say, significant, write
from parity.features.verify.case import Case
from parity.features.verify.options import OPTIONS
from parity.features.verify.session import Check, Session
from parity.judge.update import Update, reference_step
from parity.record.reference import REFERENCES
from parity.situations import SITUATIONS
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import RefimplError
from refimpl.optimizers import LBFGS
from refimpl.ranges import number_fields
from refimpl.stepping import is_zero

DTYPES = ("float64", "float32", "bfloat16", "float16")
LARGEST, SMALLEST = 1.0, 2.0**-54
STAGED = ("Muon", "LBFGS")
"""Judged stage by stage: there is no one bound over the step, and no one sensitivity."""
Recorded = Sequence[Callable[[Any], Iterator[Expected]]]
"""The checks of each step, given what a hyper-parameter is made of."""


class Fault(NamedTuple):
    """A number of an option set of an optimizer that is made wrong; ``which`` of a pair of them, or None."""

    optimizer: str
    options: str
    hyper: str
    which: int | None
    dtype: str

    @property
    def name(self) -> str:
        return self.hyper if self.which is None else f"{self.hyper}[{self.which}]"


def faults() -> Iterator[Fault]:
    """Each number that an option set switches on, in the last set that states it."""
    for optimizer, sets in OPTIONS.items():
        kind = REFERENCES.get(optimizer, LBFGS)
        chosen: dict[tuple[str, int | None], str] = {}
        for options, values in sets.items():
            known = {name: value for name, value in values.items() if name != "max_iter"}
            reference = kind(**{"lr": 0.001, **known})
            for hyper in number_fields(kind):
                value = getattr(reference, hyper)
                parts = enumerate(value) if isinstance(value, tuple) else [(None, value)]
                for index, part in parts:
                    if part is not None and not is_zero(part) and (hyper in values or options == "defaults"):
                        key = (hyper, index)
                        if options != "defaults" or key not in chosen:
                            chosen[key] = options
        for (hyper, index), options in chosen.items():
            for dtype in DTYPES:
                yield Fault(optimizer, options, hyper, index, dtype)


def made_wrong(optimizer: Any, fault: Fault, delta: float) -> Any:
    """The reference with h(1 + δ)."""
    value: Any = getattr(optimizer, fault.hyper)
    if fault.which is None:
        value = value * (1 + delta)
    else:
        value = tuple(part * (1 + delta) if i == fault.which else part for i, part in enumerate(value))
    return replace(optimizer, **{fault.hyper: value})


def recorded(session: Session) -> Recorded:
    """The checks of each step, as functions of the reference that it is held to."""

    def of_parameter(update: Update, check: Check) -> Callable[[Any], Iterator[Expected]]:
        return lambda change: check(replace(update, optimizer=change(update.optimizer)))

    def of_group(check: partial[Iterator[Expected]]) -> Callable[[Any], Iterator[Expected]]:
        update, products = check.args
        return lambda change: check.func(replace(update, optimizer=change(update.optimizer)), products)

    return [of_parameter(*pair) for pair in session.updates] + [of_group(check) for check in session.groups]


def caught(steps: Recorded, fault: Fault, delta: float) -> bool:
    def change(optimizer: Any) -> Any:
        return made_wrong(optimizer, fault, delta)

    return any(bool(np.any(piece.share > 1)) for checks in steps for piece in checks(change))


def smallest_caught(steps: Recorded, fault: Fault) -> float | None:
    """By bisection on the logarithm of |δ|, to within 10 %; of the sign that keeps h in its range."""
    for sign in (1, -1):
        try:
            if not caught(steps, fault, sign * LARGEST / 2):
                return None
        except RefimplError:
            continue
        low, high = SMALLEST, LARGEST / 2
        while high / low > 1.1:
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if caught(steps, fault, sign * middle) else (middle, high)
        return high
    return None


def ideal(updates: list[Update], fault: Fault) -> float | None:
    """Half a unit of each stored number ÷ its sensitivity, the least of all."""
    least = np.inf
    step = -(2.0**-20)
    for update in updates:
        other = replace(update, optimizer=made_wrong(update.optimizer, fault, step))
        here, there = reference_step(update), reference_step(other)
        pairs = {"param": (here[0], there[0])} | {key: (here[1][key], there[1][key]) for key in here[1]}
        for key, (a, b) in pairs.items():
            if isinstance(a, Bounded) and isinstance(b, Bounded):
                sensitivity = np.abs(a.value - b.value) / abs(step)
                half = FORMATS[update.formats[key]].half_ulp(a.value)
                with np.errstate(divide="ignore", invalid="ignore"):
                    least = min(least, float(np.nanmin(np.where(sensitivity > 0, half / sensitivity, np.inf))))
    return least if np.isfinite(least) else None


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def measure(seeds: int, fault: Fault) -> dict[str, Any]:
    """The medians over the seeds; None where most runs cannot show the fault at all."""
    deltas, best = [], []
    for seed in range(1, seeds + 1):
        situation = "sparse" if fault.optimizer == "SparseAdam" else "plain"
        case = Case(
            optimizer=fault.optimizer,
            options=fault.options,
            implementation="for-loop",
            dtype=fault.dtype,
            device="cpu",
            situation=situation,
            size=100,
            seed=seed,
        )
        session = Session(case)
        list(SITUATIONS[situation](session))
        updates = [update for update, _ in session.updates]
        steps = recorded(session)
        if caught(steps, fault, 0.0):
            return {**fault._asdict(), "caught": None, "ideal": None, "torch is wrong here": True}
        deltas.append(smallest_caught(steps, fault) or np.inf)
        best.append((None if fault.optimizer in STAGED else ideal(updates, fault)) or np.inf)
    median, least = statistics.median(deltas), statistics.median(best)
    return {
        **fault._asdict(),
        "caught": median if np.isfinite(median) else None,
        "ideal": least if np.isfinite(least) else None,
    }


def cell(one: dict[str, Any]) -> str:
    """``caught (ideal)``."""
    if one.get("torch is wrong here"):
        return "torch is wrong"
    if one["caught"] is None:
        return f"undecidable ({significant(one['ideal'])})"
    return f"{significant(one['caught'])} ({significant(one['ideal'])})"


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each fault.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option(help="One seed, float32 of two optimizers, nothing written.")] = False,
) -> None:
    """Measure and write results/matrix_smallest_faults.json and .md."""
    start, where = time.perf_counter(), environment()
    wanted = [
        fault for fault in faults() if not quick or (fault.optimizer in ("SGD", "Adam") and fault.dtype == "float32")
    ]
    results = run_all(partial(measure, 1 if quick else seeds), wanted, jobs, "bisecting")
    by_row: dict[tuple[str, str, str], dict[str, str]] = {}
    for fault, one in zip(wanted, results, strict=True):
        by_row.setdefault((fault.optimizer, fault.name, fault.options), {})[fault.dtype] = cell(one)
    rows = [[*key, *(cells.get(dtype, "–") for dtype in DTYPES)] for key, cells in by_row.items()]
    title = "Smallest relative error that is caught (ideal in parentheses)"
    grid = Grid(title, ["optimizer", "number", "options", *DTYPES], rows, left=3)
    grid.show()
    say(f"took {time.perf_counter() - start:.0f} s")
    if quick:
        say("--quick: nothing written; without it, results/matrix_smallest_faults.json and .md are")
        return
    note = (
        f"Median of {seeds} seeds; one run of the situation `plain` (SparseAdam: `sparse`), 100 elements, for-loop. "
        "*Ideal*: the relative error that moves some new weight or state by half a unit in its last place. "
        "*undecidable*: even an error of one half stays within the tolerance of every step. Muon and L-BFGS are judged "
        "stage by stage, where no such ideal is at hand."
    )
    data = {"environment": where, "seeds": seeds, "faults": results}
    write("matrix_smallest_faults", data, "The matrix: smallest faults", [note, grid])


if __name__ == "__main__":
    typer.run(main)
