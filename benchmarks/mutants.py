"""How much do the tests of the references notice? Small faults are put into each formula, one at a time.

mutmut changes one operator, number, name, argument or text in the body of a function and runs the tests that reach this
function until one fails: the mutant is killed. One that no test fails on survives: it is equivalent, and ``REASONS``
says why, or a test is missing, and the result says so. Optimizers, penalties and losses, in a temporary copy of the
repository; docstrings, annotations and the defaults of fields are left alone, and so are properties.

    python -m benchmarks.mutants [--only sgd --only adam] [--again] [--jobs 2] [--quick]

``--again`` runs what may have changed since the committed result: the mutants that survived, for tests that were added,
and all mutants of files that were edited. mutmut does not run on Windows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.common import RESULTS, Grid, console, environment, installed, say, write
from benchmarks.mutants_equivalent import REASONS

ROOT = Path(__file__).parents[1]
FOLDERS = ("refimpl/optimizers", "refimpl/penalties", "refimpl/losses")
REGISTRIES_TEST = "tests/refimpl/test_registries.py"
GOAL = 0.98

SETTINGS = """
[tool.mutmut]
source_paths = ["refimpl"]
only_mutate = [{only}]
also_copy = ["parity"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-k", "not optax and not onnx"]
pytest_add_cli_args_test_selection = [{tests}]
timeout_multiplier = 5.0
timeout_constant = 5.0
use_git_change_detection = false
"""

WITHOUT_SHRINKING = """

from hypothesis import Phase

settings.register_profile("mutants", settings.get_profile("deterministic"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutants")
"""
"""Appended to the copy of conftest.py: one failing example kills a mutant, the smallest one is not wanted."""

CONTROL = "refimpl/control.py"
CONTROL_SOURCE = "def same(x):\n    return x * 1\n"
CONTROL_TEST = "from refimpl.control import same\n\n\ndef test_control():\n    assert same(2) == 2\n"
CONTROL_STATUS = {"return x / 1": "survived", "return x * 2": "killed"}
"""If the forked test runs failed by themselves, every mutant would seem killed: this one must not be."""

STATUS = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test"} | dict.fromkeys(
    (-24, 24, 36, 152, 255), "timeout"
)
"""By pytest's exit code, or the signal that ended it."""
NOTICED = ("killed", "timeout")


@dataclass(frozen=True)
class Mutant:
    """What became of one mutant; ``line`` is what it has in the place of the original, ``diff`` is of its function."""

    name: str
    status: str
    line: str = ""
    diff: str = ""


@dataclass(frozen=True)
class File:
    """The mutants of one source file; ``digest`` is of its text when it was measured."""

    path: str
    digest: str
    measured: str
    counts: Mapping[str, int]
    survivors: Sequence[Mutant]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def noticed(self) -> int:
        return sum(self.counts.get(status, 0) for status in NOTICED)

    def reason(self, mutant: Mutant) -> str | None:
        return REASONS.get(self.path, {}).get(mutant.line)


def sources() -> list[str]:
    """The files that are mutated."""
    files = (path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py")))
    return [path.relative_to(ROOT).as_posix() for path in files if path.name != "__init__.py"]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def copy(to: Path, paths: Sequence[str]) -> None:
    """Copy the files that the tests need, with the control and mutmut's settings."""
    for folder in ("refimpl", "parity", "tests/refimpl"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "tests" / "conftest.py", to / "tests")
    control_test = "tests/refimpl/test_control.py"
    (to / CONTROL).write_text(CONTROL_SOURCE)
    (to / control_test).write_text(CONTROL_TEST)
    with (to / "tests/conftest.py").open("a") as conftest:
        conftest.write(WITHOUT_SHRINKING)
    folders = sorted({f"tests/{Path(path).parent.as_posix()}" for path in paths})
    only = ", ".join(json.dumps(name) for name in [*paths, CONTROL])
    tests = ", ".join(json.dumps(name) for name in [*folders, REGISTRIES_TEST, control_test])
    project = (ROOT / "pyproject.toml").read_text()
    (to / "pyproject.toml").write_text(project + SETTINGS.format(only=only, tests=tests))


def mutmut(*arguments: str, at: Path) -> subprocess.Popen[str]:
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a forked child of threads can hang
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=at, env=os.environ | one_thread, **streams)


def run(at: Path, names: Sequence[str], jobs: int) -> None:
    """Let mutmut run the named mutants, or all of them, with a progress bar; raises with its words where it fails."""
    process = mutmut("run", "--max-children", str(jobs), *names, at=at)
    assert process.stdout is not None
    lines: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("tests without a fault", total=None)
        for line in process.stdout:  # text mode ends a line at mutmut's carriage returns, too
            lines.append(line)
            if match := re.search(r"(\d+)/(\d+) ", line):
                progress.update(task, description="mutants", completed=int(match[1]), total=int(match[2]))
    if process.wait():
        raise RuntimeError(f"mutmut ended with {process.returncode}:\n{''.join(lines[-40:])}")


def statuses(at: Path, path: str) -> dict[str, str]:
    """The status of each mutant of a file that was run."""
    meta = json.loads((at / "mutants" / f"{path}.meta").read_text())
    codes: dict[str, int | None] = meta["exit_code_by_key"]
    return {name: STATUS.get(code, f"exit code {code}") for name, code in codes.items() if code is not None}


def shown(at: Path, name: str, status: str) -> Mutant:
    """A mutant with its diff."""
    text, _ = mutmut("show", name, at=at).communicate()
    diff = text[text.index("@@") :].strip()
    lines = diff.splitlines()
    changed = {sign: [line[1:].split("  # ")[0].strip() for line in lines if line.startswith(sign)] for sign in "+-"}
    return Mutant(name, status, " ".join(changed["+"]) or "- " + " ".join(changed["-"]), diff)


def measure(at: Path, paths: Sequence[str], before: Mapping[str, File], names: Sequence[str]) -> Iterator[File]:
    """The result of each file; where only some mutants were ``names``d, the others are as before."""
    control = [shown(at, name, status) for name, status in statuses(at, CONTROL).items()]
    if not names and not CONTROL_STATUS.items() <= {mutant.line: mutant.status for mutant in control}.items():
        raise RuntimeError(f"the control mutants are not what they must be: {control}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for path in paths:
        status_of = statuses(at, path)
        text = (at / path).read_text()
        counts = Counter(status_of.values())
        if names and path in before and digest(text) == before[path].digest:
            rerun = [mutant.name for mutant in before[path].survivors]
            counts = Counter(before[path].counts)
            counts.subtract(mutant.status for mutant in before[path].survivors)
            counts.update(status_of[name] for name in rerun)
            status_of = {name: status_of[name] for name in rerun}
        survivors = [shown(at, name, status) for name, status in status_of.items() if status not in NOTICED]
        yield File(path, digest(text), now, {status: n for status, n in sorted(counts.items()) if n}, survivors)


def earlier() -> dict[str, File]:
    """The committed result."""
    path = RESULTS / "mutants.json"
    if not path.exists():
        return {}
    files = json.loads(path.read_text())["files"]
    return {f["path"]: File(**{**f, "survivors": [Mutant(**mutant) for mutant in f["survivors"]]}) for f in files}


def wildcards(path: str) -> list[str]:
    """Names of all mutants of a file, as mutmut takes them."""
    return [path.removesuffix(".py").replace("/", ".") + ".*"]


def grid(files: Sequence[File]) -> Grid:
    """One row for each file, and the total."""
    columns = [
        "file",
        "mutants",
        "killed",
        "timeout",
        "survived",
        "of these equivalent",
        "score",
        "without equivalents",
    ]
    rows = [row(file.path, [file]) for file in files]
    return Grid("Mutants by file", columns, [*rows, row("all", files)])


def row(name: str, files: Sequence[File]) -> list[str]:
    total, noticed = sum(file.total for file in files), sum(file.noticed for file in files)
    equivalent = sum(file.reason(mutant) is not None for file in files for mutant in file.survivors)
    killed, timeout = (sum(file.counts.get(status, 0) for file in files) for status in NOTICED)
    numbers = [total, killed, timeout, total - noticed, equivalent]
    return [name, *map(str, numbers), f"{noticed / total:.1%}", f"{noticed / (total - equivalent):.1%}"]


def listed(files: Sequence[File]) -> str:
    """Every survivor with its diff and reason."""
    text = []
    for file in files:
        for mutant in file.survivors:
            reason = file.reason(mutant) or f"**A test is missing** ({mutant.status})."
            name = mutant.name.rpartition(".")[2].replace("ǁ", ".").removeprefix("x.").removeprefix("x_")
            text.append(f"#### {file.path}: {name}\n\n{reason}\n\n```diff\n{mutant.diff}\n```\n")
    return "### Survivors\n\n" + ("\n".join(text) or "None.\n")


def main(
    only: Annotated[list[str] | None, typer.Option(help="The file of this name, without .py; may be repeated.")] = None,
    again: Annotated[bool, typer.Option(help="Only survivors of the committed result and files edited since.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option(help="One small file, nothing written.")] = False,
) -> None:
    """Run, count, and write results/mutants.json and .md; with --only or --again, what was not run stays as it was."""
    start, where, before = time.perf_counter(), environment() | {"mutmut": installed("mutmut")}, earlier()
    wanted = ["l2"] if quick else only
    paths = [path for path in sources() if wanted is None or Path(path).stem in wanted]
    if not paths:
        raise typer.BadParameter(f"no such file; allowed: {', '.join(Path(path).stem for path in sources())}")
    names: list[str] = []
    if again:
        edited = [p for p in paths if p not in before or digest((ROOT / p).read_text()) != before[p].digest]
        names = [name for path in edited for name in wildcards(path)]
        names += [mutant.name for path in paths if path not in edited for mutant in before[path].survivors]
        paths = [path for path in paths if path in edited or before[path].survivors]
        if not names:
            say("nothing to run: no mutant survived and no file was edited")
            return
    with tempfile.TemporaryDirectory() as folder:
        copy(Path(folder), paths)
        run(Path(folder), names, jobs)
        measured = {file.path: file for file in measure(Path(folder), paths, before, names)}
    merged = {} if quick else before
    files = [file for path in sources() if (file := measured.get(path, merged.get(path))) is not None]
    report(files, where, time.perf_counter() - start, written=not quick)


def report(files: Sequence[File], where: dict[str, Any], took: float, *, written: bool) -> None:
    """Tables, the sentence, and the files."""
    table, rows = grid(files), row("all", files)
    missing = [(file, mutant) for file in files for mutant in file.survivors if file.reason(mutant) is None]
    total, score = sum(file.total for file in files), sum(file.noticed for file in files) / sum(f.total for f in files)
    sentence = (
        f"{total:,} mutants in {len(files)} files: {score:.1%} noticed ({rows[2]} killed, {rows[3]} by timeout; goal "
        f"{GOAL:.0%}: {'reached' if score >= GOAL else 'MISSED'}); {rows[4]} survive: {rows[5]} are equivalent "
        f"and {len(missing)} lack a test; the last run took {took:.0f} s"
    )
    table.show()
    say(*(f"{file.path}: {mutant.status}: {mutant.line}" for file, mutant in missing), sentence)
    if not written:
        say("--quick: nothing written; without it, results/mutants.json and .md are")
        return
    data = {"environment": where, "summary": sentence, "files": [asdict(file) for file in files]}
    write("mutants", data, "Mutants of the references", [f"{sentence}.", table, listed(files)])


if __name__ == "__main__":
    typer.run(main)
