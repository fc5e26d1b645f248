"""A diagnosis with the name of what was checked, which shows itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from parity.errors import EXPERIMENT, needs
from parity.explain.diagnosis import diagnose as _diagnose
from parity.explain.finding import Diagnosis
from parity.loading import Asked, load
from parity.shown import Documented
from refimpl.trajectory import Trajectory

if TYPE_CHECKING:
    from parity.features.check.document import CheckDocument
    from parity.shown import Console, Figure


@dataclass(frozen=True, kw_only=True, repr=False)
class Checked(Documented, Diagnosis):
    """What a check found, and the ``target`` that was checked. Printed, it is the text of ``parity check``."""

    target: str

    def _document(self) -> CheckDocument:
        from parity.features.check.document import document, environment

        return document(self.target, self, environment())

    def _print(self, console: Console) -> None:
        from parity.features.check.terminal import print_diagnosis

        print_diagnosis(self.target, self, console)

    def plot(self) -> Figure:
        """Error ÷ tolerance after each step. Raises :class:`parity.errors.InputError` where no steps were compared."""
        from parity.features.check.picture import picture

        return picture(self.target, self)


def checked(target: str, diagnosis: Diagnosis) -> Checked:
    """The diagnosis of a target."""
    return Checked(target=target, **{field.name: getattr(diagnosis, field.name) for field in fields(Diagnosis)})


@needs(experiment=EXPERIMENT, trajectory="what a run recorded, a Trajectory")
def diagnose(experiment: Asked, trajectory: Trajectory) -> Checked:
    """Hold a run whose weights were recorded to an experiment, and say what differs and why.

    ``experiment``: a name of ``parity list``, a file or an experiment. Raises :class:`parity.errors.InputError`.
    """
    return checked("trajectory", _diagnose(load(experiment), trajectory))
