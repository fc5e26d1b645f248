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
    python -m benchmarks.false_alarms --backend optax    another framework, see false_alarms_of_frameworks.py
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import torch
import typer

from benchmarks.common import Grid, environment, one_thread, run_all, say, write
from benchmarks.false_alarm_runs import (
    LOW,
    Outcome,
    choose_numbers,
    draw_case,
    outcome,
    run_case,
)
from benchmarks.false_alarm_tables import (
    SUMS,
    VERDICTS,
    judgement,
    main_table,
    share_table,
    total_by,
    way_table,
    wrong_table,
)
from parity.cluster import executor_of
from parity.experiment_file import to_toml
from parity.options import Scheduler

ISSUE = "https://github.com/pytorch/pytorch/issues/191763"


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


def of_framework(name: str, runs: int, seed: int, only: int | None) -> None:
    """The same question of another framework."""
    from benchmarks.false_alarms_of_frameworks import measure, show

    if only is None:
        measure(name, runs, seed)
    else:
        show(name, seed, only)


def main(
    runs: Annotated[int, typer.Option(min=1, help="Runs of correct code, at least.")] = 4800,
    seed: Annotated[int, typer.Option(min=0, help="Of all experiments.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    scheduler: Scheduler = None,
    quick: Annotated[bool, typer.Option(help="240 runs, nothing written.")] = False,
    only: Annotated[int | None, typer.Option(help="Run this case alone and show everything.")] = None,
    backend: Annotated[str, typer.Option(help="Another framework; nothing is written.")] = "torch",
) -> None:
    """Run, judge, count, and write results/false_alarms.json and .md."""
    if backend != "torch":
        of_framework(backend, 240 if quick else runs, seed, only)
        return
    if only is not None:
        show_one(seed, only)
        return
    start, where, live = time.perf_counter(), environment(), live_checks()
    numbers = choose_numbers(240 if quick else runs)
    with executor_of(scheduler) as executor:
        outcomes = run_all(partial(outcome, seed), numbers, jobs, "judging", executor)
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
