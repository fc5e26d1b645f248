"""``parity verify``: run the cases, keep every result as it comes, and say what came of them."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from parity.backends.torch_backend import TorchBackend
from parity.backends.torch_device import device_name
from parity.errors import InputError, Option, OptionError, nearest, spelled
from parity.features.verify.case import DTYPES, IMPLEMENTATIONS, MOST_RANKS, SIZES, Case, Result
from parity.features.verify.cover import cases, matches, offered
from parity.features.verify.known import as_known, with_fixed
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks import cover as reduced
from parity.features.verify.ranks.cover import cases as rank_cases
from parity.features.verify.ranks.group import run_all as run_ranks
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.features.verify.ranks.reductions import SITUATIONS as SITUATIONS_OF_RANKS
from parity.features.verify.run_case import run_case
from parity.installed import __version__
from parity.output import write_whole
from parity.processes import work_all
from parity.situations import SITUATIONS

RESULTS, EARLIER = "results.jsonl", "results-earlier.jsonl"
VERDICTS = ("agree", "known", "undecidable", "unsupported", "disagree", "fixed", "error")
FAILURES = ("disagree", "fixed")
LIKE, LIKE_RANKS = "SGD/momentum/fused/float32/cpu/plain/33", "SGD/momentum/ddp/float32/cpu/plain/33/ranks2"

Progress = Callable[[Counter[str], int], None]
"""Called with the counts of verdicts so far and the number of cases."""


def _quiet(*_: object) -> None:
    """Show no progress."""


def verify(
    wanted: Sequence[Case],
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    folder: Path | None = None,
    resume: bool = False,
    progress: Progress = _quiet,
) -> dict[str, Any]:
    """Run what is not in the folder's results yet, append each result as it comes, and return the document.

    The cases run in ``jobs`` processes of this machine, or where the ``executor`` runs them.
    Raises :class:`InputError` where the folder cannot be written, or holds results of another torch.
    """
    done = _earlier(folder) if folder and resume else {}
    results = {case.id: as_known(done[case.id]) for case in wanted if case.id in done}
    counts = Counter(result.verdict for result in results.values())
    progress(counts, len(wanted))
    with _Appending(folder, keep=resume) as keep:
        missing = [case for case in wanted if case.id not in results]
        for judged in chain(
            run_all([case for case in missing if case.ranks == 1], jobs, executor=executor),
            run_ranks([case for case in missing if case.ranks > 1], jobs),
        ):
            keep(judged)  # as it was judged: what is known may be another thing when it is read again
            result = as_known(judged)
            results[result.case.id] = result
            counts[result.verdict] += 1
            progress(counts, len(wanted))
    return document(list(with_fixed(results[case.id] for case in wanted)))


def select(
    optimizers: Sequence[str] | None,
    implementations: Sequence[str] | None,
    dtypes: Sequence[str] | None,
    devices: Sequence[str] | None,
    situations: Sequence[str] | None,
    expression: str = "",
    *,
    seed: int = 0,
    quick: bool = False,
    ranks: int | None = None,
) -> list[Case]:
    """The cases that the command line asks for. Raises :class:`InputError` for an unknown word, or if none is left."""
    backend = TorchBackend()
    named, narrowed = Case.parse(expression), bool(optimizers or implementations or dtypes or situations)
    if named is not None and ranks not in (None, named.ranks):
        whose = "one rank" if named.ranks == 1 else f"{named.ranks} ranks"
        raise OptionError(f"-k {named.id}: is a case of {whose}, given {ranks}; leave ", Option("ranks"), " out")
    if named is not None and not narrowed:
        return [_existing(named, backend)]
    if ranks is not None and any(device != "cpu" for device in devices or ()):
        raise OptionError(Option("ranks"), f" {ranks}: are processes on the CPU; allowed: ", Option("device"), " cpu")
    for device in devices or ():
        backend.check_device(device)
    chosen: dict[str, Any] = {} if ranks else {"devices": devices or backend.devices()}
    given_words = {
        "optimizers": optimizers,
        "implementations": implementations,
        "dtypes": dtypes,
        "situations": situations,
    }
    for what, known in words(ranks or 1).items():
        given = given_words[what]
        names = [spelled(name, (*known, "all")) for name in given or ()]
        for name in names:
            if ranks and what == "optimizers":
                reduced.check_reduced(spelled(name, reduced.NOT_ON_RANKS), "--optimizer")
            if name not in (*known, "all"):
                option = f"--{what[:-1]} {name}"
                raise InputError(f"{option}: unknown; allowed: {', '.join(known)}{nearest(name, known)}")
        if names:
            chosen[what] = list(known) if "all" in names else list(dict.fromkeys(names))
    selected = rank_cases(ranks, **chosen, seed=seed, quick=quick) if ranks else cases(**chosen, seed=seed, quick=quick)
    try:
        selected = [case for case in selected if not expression or matches(expression, case)]
    except ValueError as error:
        raise InputError(f"-k {expression}: is no expression; allowed: words with and, or, not, parentheses") from error
    if not selected:
        raise InputError(f"no case is left; an id looks like {LIKE_RANKS if ranks else LIKE}")
    return selected


def words(ranks: int) -> dict[str, Collection[str]]:
    """The words that cases of so many ranks are made of, by axis."""
    if ranks == 1:
        return {
            "optimizers": OPTIONS,
            "implementations": IMPLEMENTATIONS,
            "dtypes": DTYPES,
            "situations": SITUATIONS,
        }
    return {
        "optimizers": reduced.OPTIMIZERS,
        "implementations": REDUCTIONS,
        "dtypes": reduced.DTYPES,
        "situations": SITUATIONS_OF_RANKS,
    }


def _existing(case: Case, backend: TorchBackend) -> Case:
    """The case, if all that it names exists. Raises :class:`InputError`."""
    known_words = words(case.ranks)
    axes: dict[str, tuple[Any, Iterable[Any]]] = {
        "optimizer": (case.optimizer, known_words["optimizers"]),
        "options": (case.options, OPTIONS.get(case.optimizer, ())),
        "implementation": (case.implementation, known_words["implementations"]),
        "dtype": (case.dtype, known_words["dtypes"]),
        "situation": (case.situation, known_words["situations"]),
        "size": (case.size, SIZES),
    }
    if case.ranks != 1:
        reduced.check_reduced(case.optimizer, f"-k {case.id}:")
        situations = REDUCTIONS.get(case.implementation, {})
        how = situations.get(case.situation)
        axes["situation"] = (case.situation, situations)
        axes["device"] = (case.device, ("cpu",))
        if how is not None:
            axes["optimizer"] = (case.optimizer, [o for o in reduced.OPTIMIZERS if o not in how.without])
            axes["ranks"] = (case.ranks, [n for n in range(2, MOST_RANKS + 1) if how.possible(n)])
    for axis, (given, known) in axes.items():
        if given not in known:
            names = [str(name) for name in known]
            raise InputError(
                f"-k {case.id}: no {axis} {given}; allowed: {', '.join(names)}{nearest(str(given), names)}"
            )
    backend.check_device(case.device)
    return case


def run_all(
    cases: Sequence[Case], jobs: int, run: Callable[[Case], Result] = run_case, *, executor: Executor | None = None
) -> Iterator[Result]:
    """The results of cases as they come, from processes of this machine or from an executor."""
    return work_all(cases, jobs, run, _broken, executor)


def _broken(case: Case, why: str, seconds: float) -> Result:
    return Result(case=case, verdict="error", text=why, seconds=seconds)


def exit_code(counts: Mapping[str, int]) -> int:
    """1 where anything disagrees or a known deviation is gone; else 2 on an error or if nothing was judged; else 0."""
    if any(counts.get(verdict) for verdict in FAILURES):
        return 1
    judged = sum(counts.get(verdict, 0) for verdict in ("agree", "known", "undecidable"))
    return 2 if counts.get("error") or not judged else 0


def document(results: Sequence[Result]) -> dict[str, Any]:
    """The document that ``--json`` writes."""
    return {
        "document": "verify",
        "schema": 1,
        "counts": {verdict: n for verdict in VERDICTS if (n := sum(result.verdict == verdict for result in results))},
        "cases": [result.to_dict(OPTIONS[result.case.optimizer][result.case.options]) for result in results],
        "coverage": {"rows": list(coverage(results))},
        "environment": environment({result.case.device for result in results}) | on_ranks(results),
    }


def coverage(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Each optimizer × situation × implementation × dtype: how many cases were judged, or why none was."""
    cells: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        case = result.case
        cells.setdefault((case.optimizer, case.situation, case.implementation, case.dtype), []).append(result)
    for (optimizer, situation, implementation, dtype), some in cells.items():
        refused = [result.text for result in some if result.verdict == "unsupported"]
        whole = all(not offered(optimizer, implementation, result.case.device) for result in some)
        yield {
            "optimizer": optimizer,
            "situation": "all" if whole else situation,
            "implementation": implementation,
            "dtype": "all" if whole else dtype,
            "cases": len(some) - len(refused),
            "reason": refused[0] if len(refused) == len(some) else "",
        }


def environment(devices: Iterable[str]) -> dict[str, str]:
    """Versions and machine."""
    versions = {
        "parity": __version__,
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
    }
    for device in devices:
        if name := device_name(device):
            versions[device] = name
    return versions


def on_ranks(results: Iterable[Result]) -> dict[str, str]:
    """How many ranks there were, and what they spoke through."""
    counts = sorted({result.case.ranks for result in results} - {1})
    return {"ranks": f"{', '.join(map(str, counts))} (gloo)"} if counts else {}


class _Appending:
    """Results, a line each, whole as soon as they are there: what an interrupt leaves is what had come."""

    def __init__(self, folder: Path | None, *, keep: bool) -> None:
        self.path = folder / RESULTS if folder else None
        self.keep_earlier = keep
        self.file: Any = None

    def __enter__(self) -> Callable[[Result], None]:
        if self.path is None:
            return lambda _: None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.keep_earlier:
                self.path.replace(self.path.with_name(EARLIER))
            self.file = self.path.open("a" if self.keep_earlier else "w", encoding="utf-8")
        except OSError as error:
            where = self.path.parent
            raise InputError(f"{where}: cannot be written ({error.strerror}); choose another folder") from error
        return self._write

    def _write(self, result: Result) -> None:
        self.file.write(json.dumps({**asdict(result), "torch": torch.__version__}) + "\n")
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def _earlier(folder: Path) -> dict[str, Result]:
    """The results that an earlier run left; a line that is no result, such as one that was cut off, is run again.

    The file is whole afterwards; as it was, it is kept beside it. Raises :class:`InputError` where there is something
    else in its place.
    """
    results: dict[str, Result] = {}
    path = folder / RESULTS
    if not path.exists():
        return results
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror}); choose ", Option("out"), " anew") from error
    whole = []
    for line in lines:
        try:
            text = line.decode("utf-8")
            record = json.loads(text)
            version_then, case = record.pop("torch"), Case(**record.pop("case"))
            record["wrong"] = tuple((check, text) for check, text in record["wrong"])
            result = Result(case=case, **record)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
        if version_then != torch.__version__:
            raise OptionError(
                f"{path}: holds results of torch {version_then}, not {torch.__version__}; choose ",
                Option("out"),
                " anew",
            )
        whole.append(text)
        results[case.id] = result
    if len(whole) < len(lines) or not path.read_bytes().endswith(b"\n"):
        path.replace(path.with_name(EARLIER))
        write_whole(path, "".join(f"{line}\n" for line in whole))
    return results
