"""How small a fault does the judge catch? torch runs an experiment with one hyper-parameter wrong by a factor 1 + δ.

torch is given λ(1 + δ), η(1 + δ) or μ(1 + δ), and the judge holds the run to the experiment with λ, η, μ. For each seed
(data, initial weights, batch order) the smallest δ that is caught is found by bisection, to within 5 % or one unit in
the last place of the double. Reported are the median over the seeds, and the smallest δ from which on the run of every
seed is caught: at it and at each of a ladder of multiples up to 256, since a somewhat larger fault can be rounded away
where a smaller one is not. At δ = 0 the judge must agree with every run, or the numbers would mean nothing.

Beside it stands what ``torch.testing.assert_close`` with its defaults sees after the same run: the smallest δ at which
the final weights of the faulty run and of the correct one, both by the same torch code, are not close. That is the
kindest case: equal code has no rounding differences to allow for. So it is also counted how many correct runs it
rejects when they are held to the float64 reference, rounded to the dtype, instead.

    python -m benchmarks.smallest_faults [--seeds 10] [--jobs 2] [--quick]
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import torch
import typer

import parity
from benchmarks.common import Grid, environment, run_all, say, significant, write
from parity.backends.base import DTYPES, Setting
from parity.backends.reference import run_reference
from parity.backends.torch_backend import TorchBackend
from parity.experiment import Experiment
from parity.formulation import FORMULATIONS, Formulation, realise
from parity.judge.steps import Checks
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.trajectory import Trajectory

Hyper = Literal["λ", "η", "μ"]
LARGEST, SMALLEST = 2.0, 2.0**-54
"""The largest δ that is tried, and one that no double can express."""
RESOLUTION = 1.05
LADDER = (1, 1.25, 1.5, 2, 3, 4, 8, 16, 64, 256)
S0_GOALS = {
    ("λ", "float32"): 1e-5,
    ("λ", "float64"): 2e-14,
    ("η", "float32"): 1e-6,
    ("η", "float64"): 2e-15,
}
PROBE_GOAL = 2.0
"""ulp, in every dtype."""


class Fault(NamedTuple):
    """A hyper-parameter of an experiment that is made wrong, in one dtype and formulation."""

    experiment: str
    hyper: Hyper
    dtype: str
    formulation: Formulation


@dataclass(frozen=True)
class Sensitivity:
    """Smallest relative changes caught over the seeds; None where even δ = 2 is not.

    ``worst``: from that δ on the run of every seed is caught. ``alarms``: seeds whose correct run the judge does not
    agree with; ``assert_close_rejects``: seeds whose correct run ``assert_close`` rejects.
    """

    experiment: str
    hyper: Hyper
    dtype: str
    formulation: Formulation
    seeds: int
    alarms: int
    median: float | None
    worst: float | None
    assert_close_median: float | None
    assert_close_worst: float | None
    assert_close_rejects: int
    goal: float | None

    @property
    def reached(self) -> bool | None:
        """Whether the worst seed is within the goal; None without a goal."""
        if self.goal is None:
            return None
        return self.worst is not None and self.worst <= self.goal and not self.alarms


# -- experiments and their faults ----------------------------------------------------------------------------------


def base_experiment(name: str, seed: int) -> Experiment:
    """S0 (η = 0.01, λ = 3), the same with momentum, or the probe whose exact result is 0."""
    experiment = parity.load("probe-cancel" if name == "probe-cancel" else "s0-scratch-lam3")
    if name == "S0 momentum":
        optimizer = replace(experiment.optimizer, momentum=0.9)  # type: ignore[type-var]  # a dataclass
        experiment = replace(experiment, optimizer=optimizer)
    return replace(experiment, seed=seed)


def with_fault(experiment: Experiment, hyper: Hyper, delta: float) -> Experiment:
    """The experiment with one hyper-parameter times 1 + δ."""
    (penalty,), optimizer = experiment.penalties, experiment.optimizer
    assert isinstance(penalty, L2) and isinstance(optimizer, SGD)
    if hyper == "λ":
        return replace(experiment, penalties=(replace(penalty, strength=float(penalty.strength) * (1 + delta)),))
    if hyper == "η":
        return replace(experiment, optimizer=replace(optimizer, lr=optimizer.lr * (1 + delta)))
    return replace(experiment, optimizer=replace(optimizer, momentum=optimizer.momentum * (1 + delta)))


def relative_change(experiment: Experiment, hyper: Hyper, delta: float) -> float:
    """δ as the doubles have it: (h(1 + δ) − h)/h after rounding."""
    before, after = (_value(one, hyper) for one in (experiment, with_fault(experiment, hyper, delta)))
    return (after - before) / before


def _value(experiment: Experiment, hyper: Hyper) -> float:
    if hyper == "λ":
        return float(experiment.penalties[0].strength)  # type: ignore[attr-defined]  # with_fault asserts L2
    return float(getattr(experiment.optimizer, {"η": "lr", "μ": "momentum"}[hyper]))


# -- what is caught ------------------------------------------------------------------------------------------------


def torch_run(experiment: Experiment, fault: Fault) -> Trajectory:
    """torch's run, for-loop, on the CPU."""
    return TorchBackend().run(experiment, Setting(dtype=fault.dtype, formulation=fault.formulation))


def judge_catches(experiment: Experiment, trajectory: Trajectory) -> bool:
    """Whether the judge disagrees; it stops at the first value outside its tolerance."""
    form = realise(experiment, trajectory.meta["formulation"])
    checks = Checks(form, experiment.draw(), trajectory)
    return bool(trajectory.side_effects) or any(bool((piece.share > 1).any()) for piece in checks.all())


def assert_close_sees(run: Trajectory, expected: Trajectory, dtype: str) -> bool:
    """Whether ``assert_close`` with its defaults for the dtype tells the final parameters apart."""
    try:
        for name, values in expected.params.items():
            a, b = (torch.from_numpy(array[-1]).to(getattr(torch, dtype)) for array in (run.params[name], values))
            torch.testing.assert_close(a, b)
    except AssertionError:
        return True
    return False


def smallest(caught: Callable[[float], bool]) -> float | None:
    """The smallest δ that is caught, by bisection of its logarithm; None where the largest is not."""
    if not caught(LARGEST):
        return None
    low, high = SMALLEST, LARGEST  # not caught, caught
    while high > low * RESOLUTION and high - low > 2.0**-53:
        middle = math.sqrt(low * high)
        if caught(middle):
            high = middle
        else:
            low = middle
    return high


class Seed:
    """One seed of a fault: its correct run, and the two ways to notice a faulty one."""

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault, self.experiment = fault, base_experiment(fault.experiment, seed)
        self.correct = torch_run(self.experiment, fault)

    @property
    def false_alarm(self) -> bool:
        return judge_catches(self.experiment, self.correct)

    def faulty(self, delta: float) -> Trajectory:
        return torch_run(with_fault(self.experiment, self.fault.hyper, delta), self.fault)

    def judge_at(self, delta: float) -> bool:
        return judge_catches(self.experiment, self.faulty(delta))

    def assert_close_at(self, delta: float) -> bool:
        return assert_close_sees(self.faulty(delta), self.correct, self.fault.dtype)

    @property
    def assert_close_rejects(self) -> bool:
        reference = run_reference(self.experiment, self.fault.formulation)
        return assert_close_sees(self.correct, reference, self.fault.dtype)

    def change(self, delta: float | None) -> float | None:
        return None if delta is None else relative_change(self.experiment, self.fault.hyper, delta)


def caught_from(runs: Sequence[Seed], worst: float | None) -> float | None:
    """The smallest δ ≥ ``worst`` at which, and on its ladder of multiples, every run is caught."""
    while worst is not None and worst <= LARGEST:
        ladder = [worst * times for times in LADDER if worst * times <= LARGEST]
        missed = [delta for delta in ladder if not all(run.judge_at(delta) for run in runs)]
        if not missed:
            return worst
        worst = max(missed) * RESOLUTION
    return None


def measure(seeds: int, fault: Fault) -> Sensitivity:
    """Bisect for every seed, then try the worst δ on all of them."""
    runs = [Seed(fault, seed) for seed in range(seeds)]
    by_judge = [smallest(run.judge_at) for run in runs]
    by_assert_close = [smallest(run.assert_close_at) for run in runs]
    worst = caught_from(runs, worst_of(by_judge))
    first = runs[0]
    return Sensitivity(
        *fault,
        seeds=seeds,
        alarms=sum(run.false_alarm for run in runs),
        median=first.change(median_of(by_judge)),
        worst=first.change(worst),
        assert_close_median=first.change(median_of(by_assert_close)),
        assert_close_worst=first.change(worst_of(by_assert_close)),
        assert_close_rejects=sum(run.assert_close_rejects for run in runs),
        goal=goal_of(fault),
    )


def goal_of(fault: Fault) -> float | None:
    """The relative change to be caught."""
    if fault.experiment == "probe-cancel":
        return PROBE_GOAL * ulp(fault.dtype)
    return S0_GOALS.get((fault.hyper, fault.dtype)) if fault.experiment == "S0" else None


def ulp(dtype: str) -> float:
    """One unit in the last place of 1: 2^-52, 2^-23, 2^-7, 2^-10."""
    return 2 * FORMATS[dtype].u


def median_of(deltas: Sequence[float | None]) -> float | None:
    """The upper median; a seed at which nothing is caught counts as infinite."""
    middle = statistics.median_high([math.inf if delta is None else delta for delta in deltas])
    return None if math.isinf(middle) else middle


def worst_of(deltas: Sequence[float | None]) -> float | None:
    """The largest, None if any is missing."""
    known = [delta for delta in deltas if delta is not None]
    return max(known) if len(known) == len(deltas) else None


# -- all of it -----------------------------------------------------------------------------------------------------


def faults(quick: bool) -> Iterator[Fault]:
    """Every hyper-parameter of S0, of S0 with momentum and of the probe, in every dtype and formulation."""
    experiments: tuple[tuple[str, tuple[Hyper, ...]], ...] = (
        ("S0", ("λ", "η")),
        ("S0 momentum", ("λ", "η", "μ")),
        ("probe-cancel", ("λ", "η")),
    )
    for experiment, hypers in experiments:
        for hyper in hypers:
            for formulation in FORMULATIONS:
                for dtype in DTYPES:
                    if not quick or (formulation == "weight_decay" and experiment != "S0 momentum"):
                        yield Fault(experiment, hyper, dtype, formulation)


def grid_of(sensitivities: Sequence[Sensitivity], title: str, *, in_ulp: bool) -> Grid:
    """One row per fault."""

    def size(delta: float | None, one: Sensitivity) -> str:
        return "not seen" if delta is None else significant(delta / ulp(one.dtype) if in_ulp else delta)

    rows = []
    for one in sensitivities:
        goal = "" if one.goal is None else f"≤ {PROBE_GOAL:.0f} ulp" if in_ulp else f"≤ {significant(one.goal)}"
        reached = {None: "", True: "yes", False: "no"}[one.reached]
        judge = [size(delta, one) for delta in (one.median, one.worst)]
        other = [size(delta, one) for delta in (one.assert_close_median, one.assert_close_worst)]
        if one.assert_close_rejects:
            other = [f"({cell})" for cell in other]
        rejects = f"{one.assert_close_rejects} of {one.seeds}"
        fault = [one.experiment, one.hyper, one.formulation, one.dtype]
        rows.append([*fault, *judge, goal, reached, *other, rejects])
    of_judge = ["judge: median", "all seeds", "goal", "reached"]
    of_other = ["assert_close: median", "all seeds", "rejects correct"]
    return Grid(title, ["experiment", "wrong", "formulation", "dtype", *of_judge, *of_other], rows, left=4)


NOTE = (
    "*all seeds*: from this δ on every seed's run is caught. *assert_close*: the same change seen in the final weights "
    "of two runs of the same torch code; in brackets where the same defaults reject correct runs held to the float64 "
    "reference (*rejects correct*), so that what they see means nothing."
)


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each fault.")] = 10,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option(help="3 seeds, weight_decay only, nothing written.")] = False,
) -> None:
    """Bisect, show the tables, and write results/smallest_faults.json and .md."""
    start, where = time.perf_counter(), environment()
    seeds = 3 if quick else seeds
    sensitivities = run_all(partial(measure, seeds), list(faults(quick)), jobs, "bisecting")
    on_s0 = [one for one in sensitivities if one.experiment != "probe-cancel"]
    on_probe = [one for one in sensitivities if one.experiment == "probe-cancel"]
    grids = [
        grid_of(on_s0, f"Smallest relative change caught, η = 0.01, λ = 3, μ = 0.9; {seeds} seeds", in_ulp=False),
        grid_of(
            on_probe, f"On the exact probe (ηλ = 1, zero residual), in ulp of the dtype; {seeds} seeds", in_ulp=True
        ),
    ]
    for grid in grids:
        grid.show()
    elapsed = time.perf_counter() - start
    accused, runs = (sum(getattr(one, part) for one in sensitivities) for part in ("alarms", "seeds"))
    rejected = sum(one.assert_close_rejects for one in sensitivities)
    lines = [
        f"goals missed: {'; '.join(missed(sensitivities)) or 'none'}",
        f"correct runs accused by the judge: {accused} of {runs}; "
        f"by assert_close against the float64 reference: {rejected}",
        f"took {elapsed:.0f} s",
    ]
    say(*lines)
    if quick:
        say("--quick: nothing written; without it, results/smallest_faults.json and .md are")
        return
    data: dict[str, Any] = {"environment": where, "seeds": seeds, "took_s": round(elapsed, 1), "summary": lines}
    data["rows"] = [row(one) for one in sensitivities]
    write("smallest_faults", data, "Smallest faults", [*grids, NOTE, "\n".join(f"* {line}" for line in lines)])


def missed(sensitivities: Sequence[Sensitivity]) -> list[str]:
    """The faults whose goal was not reached."""
    return [f"{o.experiment} {o.hyper} {o.dtype} {o.formulation}" for o in sensitivities if o.reached is False]


def row(one: Sensitivity) -> dict[str, Any]:
    """The row of the JSON file."""
    return asdict(one) | {"ulp": ulp(one.dtype), "reached": one.reached}


if __name__ == "__main__":
    typer.run(main)
