"""Does `parity verify` ever accuse correct code? The whole matrix again and again, each time with numbers of its own.

A disagreement that a known deviation of torch explains is counted apart; every other one is a false alarm, or a fault
that nobody has written down yet. Beside it, for each optimizer, dtype and tensor, the largest share of the tolerance
that a correct run used: at 0.1 and above it is ``sharp``, below it is ``loose``.

With ``--ranks 2``, the cases are those of reductions over so many processes, and the results have a name of their own.

    python -m benchmarks.matrix_false_alarms [--steps 100000] [--first-seed 1] [--jobs 2] [--ranks N] [--quick]
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Annotated, Any

import typer

from benchmarks.common import Grid, console, environment, say, write
from parity.cluster import executor_of
from parity.features.verify.case import DTYPES, Result
from parity.features.verify.cover import cases
from parity.features.verify.known import as_known
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.cover import cases as cases_of_ranks
from parity.features.verify.ranks.group import run_all as run_ranks
from parity.features.verify.ranks.plan import plan_of
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.features.verify.verify import run_all
from parity.options import Scheduler

SHARP = 0.1
CORRECT = ("agree", "undecidable")


def share_rows(results: list[Result]) -> list[list[str]]:
    """One row for each optimizer and tensor: the largest share by dtype."""
    largest: dict[tuple[str, str, str], float] = {}
    for result in results:
        for tensor, used in result.shares.items():
            key = result.case.optimizer, tensor, result.case.dtype
            largest[key] = max(used, largest.get(key, 0.0))
    rows = []
    for optimizer in OPTIONS:
        for tensor in dict.fromkeys(tensor for name, tensor, _ in largest if name == optimizer):
            shares = [largest.get((optimizer, tensor, dtype)) for dtype in DTYPES]
            if tensor.split()[-1] not in ("untouched", "storage", "loaded"):
                rows.append([optimizer, tensor, *(shown(share) for share in shares)])
    return rows


def judged(seed: int, quick: bool, ranks: int | None, jobs: int, executor: Executor | None) -> Iterator[Result]:
    """The results of the whole matrix, or of that of ranks, with one seed."""
    if ranks is not None:
        return run_ranks(cases_of_ranks(ranks, seed=seed, quick=quick), jobs)
    wanted = [case for case in cases(seed=seed, quick=quick) if case.implementation != "compile"]
    return run_all(wanted, jobs, executor=executor)


def reduced_steps(results: list[Result]) -> int:
    """The steps of cases on ranks, of all parameters together."""
    plans = (plan_of(one.case, REDUCTIONS[one.case.implementation][one.case.situation].asked) for one in results)
    return sum(len(plan.windows) for plan in plans)


def shown(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.2f}" + ("" if share >= SHARP else " loose")


def main(
    steps: Annotated[int, typer.Option(min=1, help="Correct steps, at least.")] = 100_000,
    first_seed: Annotated[int, typer.Option(min=1, help="The matrix is run with this seed and those after it.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    scheduler: Scheduler = None,
    ranks: Annotated[int | None, typer.Option(min=2, help="Reductions over so many processes.")] = None,
    quick: Annotated[bool, typer.Option(help="The quick sample once, nothing written.")] = False,
) -> None:
    """Run, count, and write results/matrix_false_alarms.json and .md, or ranks_false_alarms."""
    start, where = time.perf_counter(), environment()
    name = "ranks_false_alarms" if ranks else "matrix_false_alarms"
    correct: list[Result] = []
    others: list[Result] = []
    seed = first_seed
    while sum(result.steps for result in correct) < steps:
        with executor_of(scheduler) as executor:
            for result in map(as_known, judged(seed, quick, ranks, jobs, executor)):
                (correct if result.verdict in CORRECT else others).append(result)
        counted = sum(result.steps for result in correct)
        console.print(f"seed {seed}: {counted:,} correct steps so far")
        seed += 1
        if quick:
            break
    verdicts = Counter(result.verdict for result in correct + others)
    wrong = [result for result in others if result.verdict in ("disagree", "error")]
    counted = sum(result.steps for result in correct)
    took = time.perf_counter() - start
    together = f"{reduced_steps(correct):,} reduced steps, " if ranks else ""
    sentence = (
        f"{len(correct):,} cases of correct code, {together}{counted:,} steps of a parameter: "
        f"{len(wrong)} false alarms "
        f"(verdicts: {', '.join(f'{count:,} {name}' for name, count in verdicts.most_common())}); "
        f"seeds {first_seed} to {seed - 1}; took {took:.0f} s"
    )
    grid = Grid(
        "Largest share of the tolerance in a correct run", ["optimizer", "tensor", *DTYPES], share_rows(correct), left=2
    )
    grid.show()
    alarms = [f"{result.case.id}: {result.verdict}: {result.text}" for result in wrong]
    say(*(alarms[:20] or ["no false alarm, no error"]), sentence)
    if quick:
        say(f"--quick: nothing written; without it, results/{name}.json and .md are")
        return
    data: dict[str, Any] = {
        "environment": where,
        "seeds": [first_seed, seed - 1],
        "summary": sentence,
        "false_alarms": alarms,
        "shares": [dict(zip(grid.columns, row, strict=True)) for row in grid.rows],
    }
    write(
        name,
        data,
        "Reductions over ranks: false alarms" if ranks else "The matrix: false alarms",
        [f"{sentence}.", *([*alarms] and ["\n".join(f"* {a}" for a in alarms)]), grid],
        f"python -m benchmarks.matrix_false_alarms --ranks {ranks}" if ranks else "",
    )


if __name__ == "__main__":
    typer.run(main)
