"""The protocol of a backend, which runs an experiment and hands back a trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from parity.experiment import Experiment
from parity.formulation import Formulation
from refimpl.trajectory import Trajectory

Implementation = Literal["for-loop", "foreach", "fused"]
IMPLEMENTATIONS: tuple[Implementation, ...] = ("for-loop", "foreach", "fused")
DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How an experiment is run: on what device, in which dtype, in which form, by which implementation."""

    dtype: str
    device: str = "cpu"
    formulation: Formulation = "loss"
    implementation: Implementation = "for-loop"
    tf32: bool = False

    def __str__(self) -> str:
        return f"{self.device} {self.dtype} {self.formulation} {self.implementation}{' tf32' if self.tf32 else ''}"


class Backend(Protocol):
    """A framework. Its trajectory's ``meta`` has ``backend``, ``versions`` and, for the judge, ``profile``."""

    name: str

    def devices(self) -> list[str]:
        """The devices of this machine that it can use."""

    def check_device(self, device: str) -> None:
        """Raise :class:`parity.errors.InputError` unless the device can be used."""

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        """Run it and record every step. Raises :class:`parity.errors.Unsupported` in the framework's words."""
