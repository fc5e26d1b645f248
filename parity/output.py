"""What every command shares: where its results go, how they are printed, and how it ends.

A file appears whole or not at all: it is written under a temporary name beside its place, then renamed. A link keeps
pointing where it points: the file that it names is replaced. What is there and is no regular file (a pipe, a device)
cannot be renamed over and is written directly.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from parity.errors import InputError, Option, OptionError

if TYPE_CHECKING:
    from rich.console import Console

RESUMABLE = "all results so far are kept: the same command with --out {folder} --resume goes on"
STYLE = {"agree": "green", "disagree": "bold red", "undecidable": "yellow", "unsupported": "dim", "error": "bold red"}
"""How a verdict looks in a terminal."""
Progress = Callable[..., None]
"""Called with how many are done, how many there are (None: not known) and, where there is more to say, a text."""


class Interrupted(Exception):
    """A command was interrupted; its text says what is kept."""


class Output:
    """The places to which one command prints and writes: its console, ``--json`` and ``--out``."""

    def __init__(self, json: str | None = None, out: Path | None = None, *others: Path | None) -> None:
        """Raises :class:`InputError` where a file cannot be written, before the work that it is for.

        ``json``: a file, or ``-`` for standard output; ``out``: the results folder; ``others``: further files.
        """
        self.json, self.out = json, out
        for place in (None if json in (None, "-") else Path(str(json)), *others):
            if place is not None:
                check_place(place)

    @cached_property
    def folder(self) -> Path:
        """The results folder: the one that was given, or a new one, named by the time."""
        return self.out or new_folder()

    @cached_property
    def console(self) -> Console:
        """Standard output, or standard error where the document goes to standard output."""
        from rich.console import Console

        return Console(stderr=self.json == "-", width=None if sys.stdout.isatty() else 120)

    def document(self, text: str) -> None:
        """The JSON document to where ``--json`` wants it, if anywhere."""
        whole = text.rstrip("\n") + "\n"
        if self.json == "-":
            print(whole, end="")
        elif self.json is not None:
            write_whole(Path(self.json), whole)

    def changed(self, files: Iterable[str]) -> None:
        """A line on standard error for each data file that is no longer what was read."""
        for file in files:
            self.say(f"{file}: has changed since it was read; the results are of its rows as they were; run it again")

    def say(self, line: str) -> None:
        """A line on standard error, beside the results."""
        print(f"parity: {line}", file=sys.stderr)

    def results(self, names: list[str]) -> None:
        """A line that says where the results are."""
        self.console.print(f"Results: {self.folder} ({', '.join(names)})", soft_wrap=True, highlight=False)


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """An interrupt in this block is :class:`Interrupted`, which says what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {kept}") from None


@contextmanager
def progress(what: str = "starting") -> Iterator[Progress]:
    """A progress bar on standard error, drawn on a terminal only: a function that is told how far the work is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    text = TextColumn("{task.description}")
    with Bar(*columns, text, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int | None, text: str = what) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield show


@contextmanager
def progress_of_counts() -> Iterator[Callable[[Mapping[str, int], int], None]]:
    """The same, for work that is told as the number of results of each kind, and the number of all cases."""
    with progress() as show:
        yield lambda counts, total: show(
            sum(counts.values()), total, ", ".join(f"{number} {kind}" for kind, number in counts.items() if number)
        )


def exit_code(counts: Mapping[str, int], *, judged: tuple[str, ...] = ("agree", "undecidable")) -> int:
    """1 where a verdict disagrees; else 2 on an error or where nothing was judged; else 0."""
    if counts.get("disagree"):
        return 1
    return 2 if counts.get("error") or not sum(counts.get(verdict, 0) for verdict in judged) else 0


def new_folder() -> Path:
    """A folder for a command's results that is not there yet, named by the time."""
    stamp = Path("parity-results") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    candidates = (stamp if number == 1 else stamp.with_name(f"{stamp.name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())


def make_folder(folder: Path, *names: str) -> Path:
    """Make a results folder. Raises :class:`InputError` where it, or a file of these names in it, cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder with ", Option("out")
        ) from error
    for name in names:
        check_place(folder / name)
    return folder


def check_place(path: Path) -> None:
    """Raise :class:`InputError` where a file cannot be written, before the work that it is for."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_special(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        probe = _temporary(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, text: str) -> Path:
    """Write to a temporary name beside ``path``, then rename. Raises :class:`InputError` where that cannot be done."""
    temporary = _temporary(path)
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
        else:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path.resolve())
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _is_special(path: Path) -> bool:
    """Whether it is there, links followed, and neither a regular file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _temporary(path: Path) -> Path:
    """Beside the file that is replaced, since only there can it be renamed."""
    path = path.resolve()
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written ({error.strerror}); choose another place")
