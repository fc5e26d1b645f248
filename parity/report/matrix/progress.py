"""The progress bar of ``parity verify``, with the counts of verdicts so far."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[Mapping[str, int], int], None]]:
    """A function to call with the counts and the number of cases; drawn on a terminal only."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    text = TextColumn("{task.description}")
    with Progress(*columns, text, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=None)

        def show(counts: Mapping[str, int], total: int) -> None:
            said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
            bar.update(task, completed=sum(counts.values()), total=total, description=said)

        yield show
