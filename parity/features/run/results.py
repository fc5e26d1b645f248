"""What a run of the tool found, as data: reports are made from it and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from parity.backends.base import Setting
from parity.experiment import Experiment
from parity.judge.free_run import FreeRun
from parity.judge.verdict import Verdict
from parity.output import exit_code
from parity.shown import Documented
from refimpl.trajectory import Trajectory

if TYPE_CHECKING:
    from parity.features.run.document import RunDocument
    from parity.shown import Console, Figure


@dataclass(frozen=True)
class Run:
    """One experiment in one setting: what it recorded and what the judge says of it.

    ``free_run``: how far the weights drifted from the reference's own; it never decides.
    ``ridge_distance``: ‖w − w*‖₂ of the final weights to the exact minimiser, where the experiment has one.
    ``repro``: the script that reproduces the first disagreement, if one was written.
    """

    experiment: Experiment
    backend: str
    setting: Setting
    verdict: Verdict
    trajectory: Trajectory | None = None
    free_run: FreeRun | None = None
    ridge_distance: float | None = None
    repro: Path | None = None

    @property
    def digits(self) -> float | None:
        """Agreement of the free runs: −log₁₀ of the largest relative difference of the weights."""
        return None if self.free_run is None else self.free_run.digits

    @property
    def used(self) -> float | None:
        """The largest share of the tolerance that any quantity used; None where nothing was compared."""
        return max(self.verdict.used.values(), default=None)


@dataclass(frozen=True)
class Reference:
    """The reference's own run of an experiment, and in words which data it and all the others were given."""

    experiment: Experiment
    trajectory: Trajectory
    ridge_distance: float | None
    data: str = ""


@dataclass(frozen=True, repr=False)
class Report(Documented):
    """All runs, the reference's trajectories by experiment, the versions, and the folder with the results, if any.

    Printed, it is the table of ``parity run``.
    """

    runs: tuple[Run, ...]
    references: tuple[Reference, ...]
    environment: dict[str, str]
    folder: Path | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 if anything disagrees; else 2 on an error or if nothing could be judged; else 0."""
        return exit_code(self.counts)

    def _document(self) -> RunDocument:
        from parity.features.run.document import document

        return document(self)

    def _print(self, console: Console) -> None:
        from parity.features.run.terminal import print_report

        print_report(self, console)

    def plot(self, what: Literal["losses", "norm", "tolerance", "free-run"] = "losses", experiment: str = "") -> Figure:
        """A picture of one experiment, the first where none is named; losses and norms of other λ, too.

        ``what``: the losses by epoch, ‖w‖₂ by step, error ÷ tolerance by step, or the drift of the free runs.
        Raises :class:`parity.errors.InputError` for another word, an experiment that is not here, or no run to draw.
        """
        from parity.features.run.pictures import draw

        return draw(self, what, experiment)
