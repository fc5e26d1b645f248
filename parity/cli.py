"""The command line: words in, exit code out; no logic."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parity.errors import InputError, nearest

if TYPE_CHECKING:
    from parity.experiment import Experiment

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hold PyTorch's training step to a hand-derived reference, within tolerances that are derived.",
)

# Spelled out here, and held to the modules by a test, so that --help loads neither NumPy nor torch.
DTYPE_NAMES = ("float64", "float32", "bfloat16", "float16")
FORMULATION_NAMES = ("loss", "weight_decay", "manual")
IMPLEMENTATION_NAMES = ("for-loop", "foreach", "fused")
INTERRUPTED = 130


class Interrupted(Exception):
    """What to say of an interrupt that can be gone on from."""


def choices(option: str, given: list[str], known: tuple[str, ...]) -> list[Any]:
    """The values of a repeated option, ``all`` meaning each. Raises :class:`InputError`."""
    for value in given:
        if value not in (*known, "all"):
            raise InputError(f"{option} {value}: unknown; allowed: {', '.join(known)}, all{nearest(value, known)}")
    return list(known) if "all" in given else list(dict.fromkeys(given))


@app.command("run")
def run_command(
    experiments: Annotated[
        list[str], typer.Argument(help="Names from `parity list`, patterns (s0-*) or files (.toml).")
    ],
    device: Annotated[
        list[str] | None, typer.Option(help="A torch device; default: the CPU, and an accelerator if there is one.")
    ] = None,
    dtype: Annotated[list[str], typer.Option(help="float64, float32, bfloat16, float16 or all.")] = [
        "float64",
        "float32",
    ],
    formulation: Annotated[list[str], typer.Option(help="loss, weight_decay, manual or all.")] = ["all"],
    implementation: Annotated[list[str], typer.Option(help="for-loop, foreach, fused or all.")] = ["for-loop"],
    tf32: Annotated[bool, typer.Option("--tf32", help="Let float32 matrix products on CUDA use TF32.")] = False,
    form_factor: Annotated[
        float, typer.Option(min=1, help="Multiplies the unit roundoff: 2 for code of unknown algebraic form.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON, too; - for standard output.")
    ] = None,
) -> None:
    """Run experiments in the reference and in torch, compare them step by step, and say what differs."""
    dtypes = choices("--dtype", dtype, DTYPE_NAMES)
    formulations = choices("--formulation", formulation, FORMULATION_NAMES)
    implementations = choices("--implementation", implementation, IMPLEMENTATION_NAMES)
    wanted = load_all(*experiments)

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from parity.report.files import check_place, write_whole
    from parity.report.json import to_json
    from parity.report.terminal import print_report
    from parity.runner import run

    if json is not None and json != "-":
        check_place(Path(json))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    columns = (TextColumn("{task.description:48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=None)
        report = run(
            wanted,
            devices=device or (),
            dtypes=dtypes,
            formulations=formulations,
            implementations=implementations,
            tf32=tf32,
            form_factor=form_factor,
            out=out or new_folder(),
            progress=lambda done, total, what: bar.update(task, completed=done, total=total, description=what),
        )
    print_report(report, console)
    if json == "-":
        print(to_json(report))
    elif json is not None:
        write_whole(Path(json), to_json(report) + "\n")
    raise typer.Exit(report.exit_code)


@app.command("verify")
def verify_command(
    optimizer: Annotated[list[str] | None, typer.Option(help="A class of torch.optim; default: all.")] = None,
    implementation: Annotated[
        list[str] | None,
        typer.Option(
            help="for-loop, foreach, fused, capturable, differentiable, compile; default: all, of compile few."
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help="float64, float32, bfloat16, float16, complex64; default: all.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A torch device; default: the CPU, and an accelerator if there is one.")
    ] = None,
    situation: Annotated[
        list[str] | None, typer.Option(help="What training meets (plain, groups …); default: all.")
    ] = None,
    k: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Words of a case's id, with and, or, not; or an id itself.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="A sample of every optimizer and situation, in seconds.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all numbers that are drawn.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the cases that --out does not have yet.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML here, too.")] = None,
    html: Annotated[Path | None, typer.Option(help="The page here, too.")] = None,
) -> None:
    """Hold every torch optimizer to its reference: implementations, dtypes, and the situations of real training."""
    if resume and out is None:
        raise InputError("--resume: needs the folder of the run to go on with; give --out")
    from rich.console import Console

    from parity.matrix.verify import exit_code, select, verify
    from parity.report.files import check_place, write_whole
    from parity.report.matrix import files
    from parity.report.matrix.progress import progress_bar
    from parity.report.matrix.terminal import print_matrix

    for place in (None if json in (None, "-") else Path(str(json)), junit, html):
        if place is not None:
            check_place(place)
    cases = select(optimizer, implementation, dtype, device, situation, k, seed=seed, quick=quick)
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    try:
        with progress_bar() as progress:
            document = verify(cases, jobs=jobs or os.cpu_count() or 1, folder=folder, resume=resume, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; all results so far are kept: the same command with --out {folder} --resume goes on"
        ) from None
    written = files.write_all(document, folder)
    print_matrix(document, console)
    console.print(f"Results: {folder} ({', '.join(written)})")
    for place, text in ((junit, files.JUNIT), (html, files.PAGE)):
        if place is not None:
            write_whole(place, (folder / text).read_text(encoding="utf-8"))
    if json == "-":
        print((folder / files.DOCUMENT).read_text(encoding="utf-8"))
    elif json is not None:
        write_whole(Path(json), (folder / files.DOCUMENT).read_text(encoding="utf-8"))
    raise typer.Exit(exit_code(document["counts"]))


@app.command("check")
def check_command(
    target: Annotated[
        str,
        typer.Argument(help="file.py:function, file.py:Class, package.module:Class, or a log (.npz, .csv, .jsonl)."),
    ],
    experiment: Annotated[
        str, typer.Option(help="What a training function or a log is held to: a name from `parity list` or a file.")
    ] = "check-sgd",
    hyper: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A hyper-parameter of an optimizer class; repeatable.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="The reference that an optimizer class must be.")] = None,
    dtype: Annotated[
        str, typer.Option(help="float64, float32, bfloat16 or float16; of tensors, or of a log.")
    ] = "float64",
    device: Annotated[str, typer.Option(help="A torch device.")] = "cpu",
    limit: Annotated[float, typer.Option(min=1, help="Seconds that the code may take.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Say what an optimizer class, a training function or a log computes, and why it differs."""
    from rich.console import Console

    from parity.check.run import check, exit_code
    from parity.check.worker import TheirError
    from parity.report.check.files import write_all
    from parity.report.check.terminal import print_diagnosis
    from parity.report.files import check_place, write_whole

    choices("--dtype", [dtype], DTYPE_NAMES)
    if json not in (None, "-"):
        check_place(Path(str(json)))
    try:
        found = check(
            target,
            experiment=load_one(experiment),
            hyper=hyper or [],
            against=against,
            dtype=dtype,
            device=device,
            limit=limit,
        )
    except TheirError as error:
        print(f"{error}\n", file=sys.stderr)
        raise InputError(f"{target}: raised the exception above") from None
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    text, written = write_all(target, found, folder)
    print_diagnosis(target, found, console)
    console.print(f"Results: {folder} ({', '.join(written)})", soft_wrap=True, highlight=False)
    if json == "-":
        print(text)
    elif json is not None:
        write_whole(Path(json), text + "\n")
    raise typer.Exit(exit_code(found))


@app.command("power")
def power_command(
    dtype: Annotated[list[str], typer.Option(help="float64, float32, bfloat16 or all.")] = ["all"],
    quick: Annotated[bool, typer.Option("--quick", help="A sample of each measurement.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of data, initial weights, batches and the pairs drawn.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the cases that --out does not have yet.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Measure the judge: false alarms, faults caught, causes named, smallest faults seen."""
    if resume and out is None:
        raise InputError("--resume: needs the folder of the run to go on with; give --out")
    from rich.console import Console

    from parity.power.plan import DTYPES, plan
    from parity.power.run import exit_code, power
    from parity.report.files import check_place, write_whole
    from parity.report.matrix.progress import progress_bar
    from parity.report.power import files
    from parity.report.power.terminal import print_power

    cases = plan(choices("--dtype", dtype, DTYPES), seed=seed, quick=quick)
    if json not in (None, "-"):
        check_place(Path(str(json)))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    try:
        with progress_bar() as progress:
            document = power(cases, jobs=jobs or os.cpu_count() or 1, folder=folder, resume=resume, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; all results so far are kept: the same command with --out {folder} --resume goes on"
        ) from None
    written = files.write_all(document, folder)
    print_power(document, console)
    console.print(f"Results: {folder} ({', '.join(written)})", soft_wrap=True, highlight=False)
    if json == "-":
        print(files.to_json(document), end="")
    elif json is not None:
        write_whole(Path(json), files.to_json(document))
    raise typer.Exit(exit_code(document))


@app.command("known")
def known_command(
    fact: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this fact whole, with its script.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the facts as JSON, too; - for standard output.")
    ] = None,
) -> None:
    """Try what is known to be wrong or surprising in torch, and say whether it still is."""
    from importlib.metadata import version
    from platform import platform

    from rich.console import Console

    from parity.known import KNOWN
    from parity.report.files import check_place, write_whole
    from parity.report.known import print_fact, print_facts, to_json

    if fact is not None and fact not in KNOWN:
        raise InputError(f"{fact}: no such fact; `parity known` lists them{nearest(fact, KNOWN)}")
    if json is not None and json != "-":
        check_place(Path(json))
    found = {one: one.observe() for one in KNOWN.values() if fact in (None, one.id)}
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    if fact is not None:
        print_fact(KNOWN[fact], found[KNOWN[fact]], console)
    else:
        print_facts(found, console)
    document = to_json(found, {"torch": version("torch"), "platform": platform()})
    if json == "-":
        print(document)
    elif json is not None:
        write_whole(Path(json), document + "\n")
    raise typer.Exit(int(any(one.state == "no longer: remove me" for one in found.values())))


@app.command("list")
def list_command() -> None:
    """List the experiments that come with the package."""
    from rich.console import Console
    from rich.table import Table

    from parity import gallery

    table = Table(box=None)
    for column in ("name", "source", "what it is"):
        table.add_column(column)
    for name in gallery.names():
        for experiment in load_all(name):
            table.add_row(name, experiment.source, experiment.title)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


@app.command("show")
def show_command(name: Annotated[str, typer.Argument(help="A name from `parity list`, or a file.")]) -> None:
    """Print an experiment as the TOML that `parity run` reads: a file to start from."""
    from parity.experiment_file import to_toml

    print(to_toml(load_one(name)), end="")


def load_one(name: str) -> Experiment:
    """The experiment that a name, a pattern or a file stands for. Raises :class:`InputError` where they are several."""
    found = load_all(name)
    if len(found) > 1:
        names = ", ".join(experiment.name for experiment in found)
        raise InputError(f"{name}: stands for {len(found)} experiments ({names}); give the name of one")
    return found[0]


def load_all(*words: str) -> list[Experiment]:
    """The experiments that names, patterns or files stand for, each file once."""
    from parity import gallery
    from parity.experiment_file import load

    return [load(path) for path in dict.fromkeys(path for word in words for path in gallery.find(word))]


def new_folder() -> Path:
    """A folder for this run's results that is not there yet, named by the time."""
    from datetime import datetime
    from itertools import count

    stamp = Path("parity-results") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    candidates = (stamp if number == 1 else stamp.with_name(f"{stamp.name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())


def main(arguments: list[str] | None = None) -> int:
    """The console script: one line for bad input and exit code 2, 130 when interrupted."""
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except typer.TyperException as error:  # of the words on the command line; empty where the help was printed
        return _say(f"{message}; see parity --help" if (message := error.format_message()) else "")
    except InputError as error:
        return _say(str(error))
    except MemoryError as error:
        return _say(f"not enough memory ({error}); give fewer rows, features or epochs")
    except BrokenPipeError:
        return 2
    except Interrupted as stopped:
        _say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer's own way to say it, too
        _say("interrupted; the trajectories of finished runs are in the results folder, its earlier report is kept")
    return code


def _say(message: str) -> int:
    """One line for the reader, and the exit code of bad input."""
    if message:
        print(f"parity: {' '.join(message.split())}", file=sys.stderr)
    return 2
