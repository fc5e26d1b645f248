"""What the benchmarks share: the environment they ran in, tables, and the files in ``results/``."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")
U = TypeVar("U")

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "scipy", "torch", "scikit-learn")
console = Console(width=None if sys.stdout.isatty() else 160)


def environment() -> dict[str, Any]:
    """Machine, versions, commit, date, and how busy the machine was before we started."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load average at start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: release for name in PACKAGES if (release := installed(name)) is not None},
        "commit": commit(),
    }


def cpu_model() -> str:
    """The processor's name, with the vector extension that torch uses on it."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def installed(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str:
    """The commit of this checkout, with a ``+`` where the working tree differs from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        code = ["status", "--porcelain", "--", "../refimpl", "../parity", "*.py"]
        dirty = subprocess.run([*git, *code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def one_thread() -> None:
    """Workers share the cores; tiny tensors gain nothing from threads."""
    import torch

    torch.set_num_threads(1)


def run_all(
    work: Callable[[T], U], items: Sequence[T], jobs: int, what: str, executor: Executor | None = None
) -> list[U]:
    """``work`` of each item, in their order, in ``jobs`` processes or in an executor, with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[U] = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=len(items))
        for result in executor.map(work, items) if executor is not None else _results(work, items, jobs):
            results.append(result)
            progress.advance(task)
    return results


def _results(work: Callable[[T], U], items: Sequence[T], jobs: int) -> Iterator[U]:
    if jobs == 1:
        one_thread()
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")  # a forked child of a process with threads can hang
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=one_thread) as pool:
        yield from pool.map(work, items, chunksize=max(1, min(8, len(items) // (8 * jobs))))


class Grid:
    """A table that can be shown in a terminal and written as Markdown; numeric columns are right-aligned."""

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        self.title, self.columns, self.rows, self.left = title, columns, rows, left

    def show(self) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="left" if i < self.left else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        """The table in Markdown, as GitHub shows it."""
        aligned = [":--" if i < self.left else "--:" for i in range(len(self.columns))]
        lines = [self.columns, aligned, *([cell.replace("|", "\\|") for cell in row] for row in self.rows)]
        return f"### {self.title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write(name: str, data: Mapping[str, Any], title: str, parts: Sequence[Grid | str], command: str = "") -> None:
    """``results/NAME.json`` with everything and ``results/NAME.md`` for readers; each appears whole or not at all.

    ``command``: what was run, where that is no script of this name.
    """
    where = data["environment"]
    machine = ", ".join(f"{key} {value}" for key, value in where.items() if value is not None)
    text = [f"# {title}\n", f"Measured by `{command or f'benchmarks/{name}.py'}`. {machine}.\n"]
    text += [part.markdown() if isinstance(part, Grid) else part.strip() + "\n" for part in parts]
    RESULTS.mkdir(exist_ok=True)
    _replace(RESULTS / f"{name}.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    _replace(RESULTS / f"{name}.md", "\n".join(text))
    console.print(f"written: {RESULTS / name}.json, {name}.md", soft_wrap=True)


def say(*lines: str) -> None:
    """Print lines as they are."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def significant(x: float | None, digits: int = 2) -> str:
    """A number for a table: ``0.012``, ``2.1e-06``; ``–`` where there is none."""
    if x is None:
        return "–"
    return f"{x:.{digits}g}"
