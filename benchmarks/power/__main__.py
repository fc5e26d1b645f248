"""``python -m benchmarks.power`` measures; ``python -m benchmarks.power page`` writes the page of a measurement."""

from __future__ import annotations

import json as json_format
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from parity.cli import end
from parity.options import Jobs, Json, Out, Resume, Scheduler, choices, resumed
from parity.output import RESUMABLE, Output, interruptible, progress_of_counts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def measure_command(
    context: typer.Context,
    dtype: Annotated[list[str], typer.Option(help="float64, float32, bfloat16 or all.")] = ["all"],  # noqa: B006 # Typer copies defaults
    quick: Annotated[bool, typer.Option("--quick", help="A sample of each measurement.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of data, initial weights, batches and the pairs drawn.")] = 0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    out: Out = None,
    resume: Resume = False,
    json: Json = None,
) -> None:
    """Measure the judge: false alarms, faults caught, causes named, smallest faults seen."""
    if context.invoked_subcommand is not None:
        return
    resumed(resume, out)

    from benchmarks.power import files
    from benchmarks.power.plan import DTYPES, plan
    from benchmarks.power.run import exit_code, power
    from benchmarks.power.terminal import print_power
    from parity.cluster import executor_of

    cases = plan(choices("--dtype", dtype, DTYPES), seed=seed, quick=quick)
    output = Output(json, out)
    folder = output.folder
    processes = jobs or os.cpu_count() or 1
    with (
        interruptible(RESUMABLE.format(folder=folder)),
        executor_of(scheduler) as executor,
        progress_of_counts() as show,
    ):
        document = power(cases, jobs=processes, executor=executor, folder=folder, resume=resume, progress=show)
    written = files.write_all(document, folder)
    print_power(document, output.console)
    output.results(written)
    output.document(files.to_json(document))
    raise typer.Exit(exit_code(document))


@app.command("page")
def page_command(
    document: Annotated[Path, typer.Argument(help="The report.json of a measurement.")],
    folder: Annotated[Path, typer.Argument(help="Where power.md and its picture go.")],
    blind: Annotated[Path | None, typer.Argument(help="The score of faults written blind, if there is one.")] = None,
) -> None:
    """Write the page and the picture of a measurement."""
    from benchmarks.power.files import write_page

    write_page(read(document), folder, read(blind) if blind is not None and blind.is_file() else None)


def read(path: Path) -> dict[str, Any]:
    """Read a JSON document."""
    document: dict[str, Any] = json_format.loads(path.read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    sys.exit(end(app))
