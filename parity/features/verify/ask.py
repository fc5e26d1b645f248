"""``parity.verify``: the cases that are asked for, run and judged."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.errors import InputError, check_number
from parity.features.verify import verify as cases
from parity.features.verify.case import MOST_RANKS
from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.verify.document import VerifyDocument
    from parity.shown import Console, Figure


@dataclass(frozen=True, repr=False)
class Verified(Documented):
    """The ``document`` of ``parity verify``: every case with its verdict. Printed, it is the text of the command; in a
    notebook, its page.
    """

    document: Mapping[str, Any]

    @property
    def counts(self) -> Mapping[str, int]:
        """Verdict → number of cases."""
        counts: Mapping[str, int] = self.document["counts"]
        return counts

    @property
    def exit_code(self) -> int:
        """1 where anything disagrees or a known deviation is gone; else 2 on an error or nothing judged; else 0."""
        return cases.exit_code(self.counts)

    def _document(self) -> VerifyDocument:
        from parity.features.verify.document import read

        return read(self.document)

    def _print(self, console: Console) -> None:
        from parity.features.verify.terminal import print_matrix

        print_matrix(self.document, console)

    def _page(self) -> str:
        from parity.features.verify.page import to_html

        return to_html(self.document)

    def plot(self) -> Figure:
        """Optimizer × implementation × dtype: the worst verdict and the largest error ÷ tolerance."""
        from parity.features.verify.document import read
        from parity.features.verify.heatmap import picture

        return picture(read(self.document))


def verify(
    optimizers: str | Sequence[str] = (),
    *,
    implementations: str | Sequence[str] = (),
    dtypes: str | Sequence[str] = (),
    devices: str | Sequence[str] = (),
    situations: str | Sequence[str] = (),
    expression: str = "",
    ranks: int | None = None,
    quick: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    executor: Executor | None = None,
    out: str | Path | None = None,
    resume: bool = False,
) -> Verified:
    """Hold torch's optimizers to their references: implementations, dtypes, and the situations of real training.

    Each of the first five is one word or several, all where none is given. ``expression``: words of a case's id, with
    and, or, not. ``ranks``: reductions over so many processes, two or more, in place of
    implementations. ``quick``: a sample, in seconds. ``seed``: of all numbers that are drawn. ``jobs``: processes, by
    default one for each core; or ``executor``: one of ``concurrent.futures``, which runs the cases where it wants.
    ``out``: a folder to which every result is appended as it comes, and ``resume`` goes on with what it lacks. A script
    that calls this needs ``if __name__ == "__main__"``, since processes are started.
    Raises :class:`parity.errors.InputError` for unknown words, a folder that cannot be written, or if no case is left.
    """
    check_number("seed", seed, 0, whole=True)
    check_number("jobs", 1 if jobs is None else jobs, 1, whole=True)
    check_number("ranks", 2 if ranks is None else ranks, 2, whole=True)
    if ranks is not None and ranks > MOST_RANKS:
        raise InputError(f"ranks: given {ranks}; allowed: 2 to {MOST_RANKS}")
    if ranks is not None and executor is not None:
        raise InputError("ranks: are processes of this machine, which an executor does not run; leave executor out")
    if resume and out is None:
        raise InputError("resume: needs the folder of the run to go on with; give out")
    wanted = cases.select(
        _listed(optimizers),
        _listed(implementations),
        _listed(dtypes),
        _listed(devices),
        _listed(situations),
        expression,
        seed=seed,
        quick=quick,
        ranks=ranks,
    )
    folder = None if out is None else Path(out)
    return Verified(
        cases.verify(wanted, jobs=jobs or os.cpu_count() or 1, executor=executor, folder=folder, resume=resume)
    )


def _listed(words: str | Sequence[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)
