"""Is an accelerator right? The gallery, the quick matrix, correct code at random, and the overhead of the watch on it.

    python -m benchmarks.device [--device cuda] [--quick]

Made for one sitting of about eight minutes on one GPU: each of the first three parts stops after two. What a part
measured is written as soon as it is there, so that a machine that is taken away loses one part. Everything runs in this
process, because a device is slow to open and the steps are small. The results have the device's name and the versions.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import torch
import typer

import parity
from benchmarks.common import Grid, environment, say, write
from benchmarks.false_alarm_runs import choose_numbers, outcome
from benchmarks.watch_overhead import OPTIMIZERS, measure, table
from parity.backends.base import DTYPES, IMPLEMENTATIONS
from parity.backends.torch_backend import TorchBackend
from parity.backends.torch_device import device_name
from parity.errors import InputError
from parity.features.verify.known import as_known
from parity.features.verify.run_case import run_case
from parity.features.verify.verify import select
from parity.formulation import FORMULATIONS
from parity.gallery import names

T = TypeVar("T")

Part = tuple[dict[str, Any], list[Grid | str]]
Judged = Iterator[tuple[str, str, str, str]]
"""What was run, its dtype, the verdict and its text."""
SHOWN = 20
"""Disagreements that are listed; the document has all of them."""
SECONDS = 120
"""For each part; what does not fit is left out, and counted. The order is drawn, so that any beginning is a sample."""


def gallery(device: str, quick: bool) -> Part:
    """Every experiment of the gallery, in every dtype, formulation and implementation."""
    wanted = drawn(itertools.product(names(), DTYPES, FORMULATIONS, IMPLEMENTATIONS), 12 if quick else None)

    def judged() -> Judged:
        for name, dtype, formulation, implementation in wanted:
            one = parity.run(
                name, devices=device, dtypes=dtype, formulations=formulation, implementations=implementation, out=None
            ).runs[0]
            yield f"{name} {one.setting}", dtype, one.verdict.name, one.verdict.text

    return counted("The gallery", judged(), len(wanted))


def matrix(device: str, quick: bool) -> Part:
    """The quick sample of `parity verify`, of each optimizer of torch."""
    cases = select(None, None, None, [device], None, quick=True)
    wanted = drawn((case for case in cases if case.implementation != "compile"), 20 if quick else None)
    results = map(as_known, map(run_case, wanted))
    return counted("The quick matrix", ((r.case.id, r.case.dtype, r.verdict, r.text) for r in results), len(wanted))


def random_runs(device: str, quick: bool) -> Part:
    """Random experiments by torch's own, correct code."""
    wanted = choose_numbers(24 if quick else 480)
    outcomes = (outcome(0, number, device) for number in wanted)
    judged = ((f"run {o.number} {' '.join(o.cell)}", o.cell.dtype, o.verdict, o.text) for o in outcomes)
    return counted("Correct code at random", judged, len(wanted))


def overhead(device: str, quick: bool) -> Part:
    """What `parity.watch` adds to ResNet-18."""
    rows = [measure(optimizer, "foreach", 2 if quick else 8, device) for optimizer in OPTIMIZERS]
    return {"rows": [asdict(row) for row in rows]}, [table(rows)]


def drawn(some: Iterable[T], most: int | None) -> list[T]:
    """In an order that is always the same, at most so many."""
    every = list(some)
    return random.Random(0).sample(every, min(len(every), most or len(every)))


def counted(title: str, judged: Judged, wanted: int) -> Part:
    """Verdicts by dtype, and what disagrees or breaks, of what fits into the time."""
    end, tally, wrong = time.perf_counter() + SECONDS, Counter[tuple[str, str]](), []
    for which, dtype, verdict, text in judged:
        tally[dtype, verdict] += 1
        if verdict in ("disagree", "error"):
            wrong.append(f"{which}: {verdict}: {text[:200]}")
        if time.perf_counter() > end:
            break
    verdicts = sorted({verdict for _, verdict in tally})
    present = [dtype for dtype in (*DTYPES, "complex64") if any(of == dtype for of, _ in tally)]
    rows = [[dtype, *(f"{tally[dtype, verdict]:,}" for verdict in verdicts)] for dtype in present]
    lines = [f"{tally.total():,} of {wanted:,} were run. " + ("" if wrong else "Nothing disagrees.")]
    lines += [f"* {line}" for line in wrong[:SHOWN]]
    lines += [f"* … and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    sums = Counter(verdict for _, verdict in tally.elements())
    return {"wanted": wanted, "verdicts": sums, "wrong": wrong}, [
        Grid(title, ["dtype", *verdicts], rows),
        "\n".join(lines),
    ]


PARTS: dict[str, Callable[[str, bool], Part]] = {
    "gallery": gallery,
    "matrix": matrix,
    "random": random_runs,
    "watch": overhead,
}


def main(
    device: Annotated[str, typer.Option(help="Of torch, such as cuda:0; by default the accelerator.")] = "",
    quick: Annotated[bool, typer.Option(help="A little of each part, nothing written.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PARTS)}; by default all.")] = None,
) -> None:
    """Measure each part, show it, and write results/device-NAME.json and .md after each."""
    try:
        device = device or TorchBackend().devices()[-1]
        TorchBackend().check_device(device)
        if unknown := set(only or ()) - set(PARTS):
            raise InputError(f"--only {', '.join(sorted(unknown))}: unknown; allowed: {', '.join(PARTS)}")
    except InputError as error:
        say(str(error))
        raise typer.Exit(2) from error
    name = device_name(device) or device
    data: dict[str, Any] = {"environment": environment() | {"device": name, "accelerator": accelerator()}, "took_s": {}}
    parts: list[Grid | str] = []
    for part in only or PARTS:
        start = time.perf_counter()
        try:
            data[part], shown = PARTS[part](device, quick)
        except Exception as error:  # what a device lacks must not lose the other parts
            reason = f"{part} cannot be measured: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
            data[part], shown = {"error": reason}, [reason]
        took = data["took_s"][part] = round(time.perf_counter() - start, 1)
        for one in shown:
            one.show() if isinstance(one, Grid) else say(one)
        say(f"{part}: {took} s")
        parts += [*shown, f"Took {took} s."]
        if not quick:
            write(f"device-{re.sub(r'[^a-z0-9]+', '-', name.lower())}", data, f"On {name}", parts)
    if quick:
        say("--quick: nothing written; without it, results/device-NAME.json and .md are")


def accelerator() -> str | None:
    """The version of CUDA or ROCm that torch was built for; None for neither."""
    version = torch.version.cuda or torch.version.hip
    return f"{'CUDA' if torch.version.cuda else 'ROCm'} {version}" if version else None


if __name__ == "__main__":
    typer.run(main)
