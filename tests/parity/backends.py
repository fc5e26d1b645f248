"""A backend whose runs are made by a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parity.backends.base import Setting
from parity.errors import InputError
from refimpl.trajectory import Trajectory


@dataclass
class Stub:
    """A backend whose runs are made by a function."""

    make: Callable[[Any, Setting], Trajectory]
    name: str = "stub"

    def devices(self) -> list[str]:
        return ["here"]

    def check_device(self, device: str) -> None:
        if device != "here":
            raise InputError(f"device {device!r}: available: here")

    def run(self, experiment: Any, setting: Setting) -> Trajectory:
        return self.make(experiment, setting)
