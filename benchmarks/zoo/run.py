"""Check every optimizer of the catalogue as `parity check` does, and write ``../results/zoo.json``.

    pip install -e '.[zoo]'
    python -m benchmarks.zoo.run [--jobs 2] [--limit 120] [--only lamb] [--fresh] [--scheduler tcp://host:8786]

Each check has a process of its own, with a time limit; on a Dask cluster a worker makes it, without one. What it finds
is appended to ``zoo-checks.jsonl`` in the temporary folder at once, so that an interrupted run goes on where it
stopped; ``--fresh`` starts over.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.zoo.catalogue import CATALOGUE, PACKAGES, Entry
from parity.cluster import executor_of
from parity.features.check.assumed import ANY
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import needs_products, of_shapes, parse_against, wanted
from parity.features.check.identify import judge
from parity.features.check.optimizer import conclude
from parity.features.check.target import load, parse
from parity.hyper_words import hyper_parameters
from parity.options import Scheduler

RESULTS = Path(__file__).parents[1] / "results" / "zoo.json"
CHECKS = Path(tempfile.gettempdir()) / "zoo-checks.jsonl"
PROCESSES = multiprocessing.get_context("forkserver")  # one import of every package, a fresh fork for every check


def check(entry: Entry, limit: float) -> dict[str, Any]:
    """Run one check in a process of its own, which is ended after ``limit`` seconds."""
    started = time.perf_counter()
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_work, args=(theirs, entry), daemon=True)
    process.start()
    theirs.close()
    try:
        report = ours.recv() if ours.poll(limit) else _no_answer(f"no answer in {limit:g} s")
    except EOFError:
        report = _no_answer("its process crashed")
    process.kill()
    process.join()
    ours.close()
    return {"command": list(entry.command), **report, "seconds": round(time.perf_counter() - started, 1)}


def _work(connection: Connection, entry: Entry) -> None:
    """What the process of one check does."""
    connection.send(found(entry))


def check_there(entry: Entry) -> dict[str, Any]:
    """The same row from a worker of a cluster."""
    started = time.perf_counter()
    return {"command": list(entry.command), **found(entry), "seconds": round(time.perf_counter() - started, 1)}


def found(entry: Entry) -> dict[str, Any]:
    """Examine the class; what the page needs of it."""
    torch.set_num_threads(1)  # of tensors this small
    hyper = hyper_parameters(entry.hyper)
    try:
        with redirect_stdout(StringIO()):
            examined = examine(load(parse(entry.target)), hyper, products=needs_products(entry.against))
        diagnosis = conclude(examined, hyper, entry.against or ANY)
        in_float32 = _share_in_float32(examined, entry) if entry.against else None
    except Exception as error:  # theirs: they do not import here, or refuse
        return _no_answer(f"{type(error).__name__}: {error}".splitlines()[0])
    kept = {name: getattr(diagnosis, name) for name in ("against", "verdict", "text", "family", "unseen", "notes")}
    findings = [{"id": one.id, "text": one.text, "evidence": one.evidence} for one in diagnosis.findings]
    share = diagnosis.share if math.isfinite(diagnosis.share) else None
    return {**kept, "share": share, "float32": in_float32, "findings": findings}


def _share_in_float32(examined: Examined, entry: Entry) -> float | None:
    """The tolerance used in float32 alone: some packages compute in nothing wider."""
    if "float32" not in examined.dtypes:
        return None
    demand, hyper = parse_against(entry.against), hyper_parameters(entry.hyper)
    held = of_shapes(wanted(demand, hyper, examined.given), demand, hyper, examined)
    share = judge(held, examined.dtypes["float32"], "float32").share
    return float(share) if math.isfinite(share) else None


def _no_answer(said: str) -> dict[str, Any]:
    return {"verdict": "error", "text": said, "findings": [], "notes": []}


def environment() -> dict[str, Any]:
    """The versions and the kind of machine that the numbers depend on."""
    versions = {}
    for package in (*PACKAGES, "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}", **versions}


def checked(
    wanted: Sequence[Entry], limit: float, cluster: Executor | None, here: Executor
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Every entry with its row, as they come; a worker that is lost with a check costs that check alone."""
    running = {
        here.submit(check, entry, limit) if cluster is None else cluster.submit(check_there, entry): entry
        for entry in wanted
    }
    for future in as_completed(running):
        entry = running[future]
        try:
            yield entry, future.result()
        except Exception as error:  # whatever the cluster says of it
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            yield entry, {"command": list(entry.command), **_no_answer(text), "seconds": 0.0}


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Checks at the same time.")] = 2,
    limit: Annotated[float, typer.Option(min=1, help="Seconds that the code of one check may take.")] = 120.0,
    only: Annotated[str, typer.Option(help="Part of a target; writes no results.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Check everything again.")] = False,
    scheduler: Scheduler = None,
) -> None:
    """Run what is missing, then write the whole."""
    modules = {entry.target.partition(":")[0] for entry in CATALOGUE if only in entry.target}
    PROCESSES.set_forkserver_preload(["__main__", *sorted(modules)])
    if fresh:
        CHECKS.unlink(missing_ok=True)
    lines = CHECKS.read_text(encoding="utf-8").splitlines() if CHECKS.exists() else []
    rows = {tuple(row["command"]): row for row in map(json.loads, lines)}
    wanted = [entry for entry in CATALOGUE if only in entry.target and (only or entry.command not in rows)]
    with (
        executor_of(scheduler) as cluster,
        ThreadPoolExecutor(jobs) as here,
        CHECKS.open("a", encoding="utf-8") as file,
    ):
        for done, (entry, row) in enumerate(checked(wanted, limit, cluster, here), 1):
            rows[entry.command] = row
            if row["seconds"]:  # of a check that was lost with its worker, nothing is kept: it is tried again
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
            text = f"{done}/{len(wanted)} {entry.target} {row['verdict']} ({row['seconds']} s): {row['text']}"
            print(text if only else text[:150], flush=True)
    if only:
        return
    ordered = [rows[entry.command] for entry in CATALOGUE]
    total = sum(row["seconds"] for row in ordered)
    document = {"environment": environment(), "seconds": round(total), "checks": ordered}
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(ordered)} checks, {total:.0f} s in all: {RESULTS}")


if __name__ == "__main__":
    typer.run(main)
