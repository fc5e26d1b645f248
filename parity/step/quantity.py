"""The names of compared quantities: of a run, or of one step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

OfRun = Literal["data", "initial", "initial state", "train loss", "validation loss", "norm"]
OfBatch = Literal["loss", "objective", "objective as asked", "gradient", "gradient off span"]
OfStep = Literal["untouched gradient", "untouched input", "state", "update", "whole step"]
OfTensor = Literal["value", "start value", "loaded", "untouched", "version", "gradient untouched", "clipped"]
OfTensors = Literal["accumulated", "storage", "count"]
OfStage = Literal["start", "gram", "polynomial", "iterate", "products"]
Kind = Literal[OfRun, OfBatch, OfStep, OfTensor, OfTensors, OfStage]
"""The kinds in the order of the computation; ``"value"``, of a tensor after a step, is named by the tensor alone."""
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMELESS = ("train loss", "validation loss", "norm", "loss", "objective", "objective as asked", "gradient off span")
"""Kinds that a run has once."""
TEXTS: dict[Kind, str] = {
    **{kind: f"{kind} {{tensor}}" for kind in KINDS[: KINDS.index("value")]},
    **{kind: f"{{tensor}} {kind}" for kind in KINDS[KINDS.index("value") :]},
    **{kind: kind for kind in KINDS if kind in NAMELESS},
    "untouched gradient": "untouched gradients/{tensor}",
    "untouched input": "untouched inputs/{tensor}",
    "value": "{tensor}",
    "start value": "{tensor} initial",
    "version": "{tensor} version untouched",
    "gradient untouched": "{tensor} grad untouched",
    "count": "number of {tensor}",
    "products": "{tensor} number of products",
}


@dataclass(frozen=True)
class Quantity:
    """``parameter`` (or the name of an input or a hyper-parameter), ``key`` of a tensor of its state, ``number`` of an
    iteration or of a pair of vectors; ``shape``: not its numbers, but its shape."""

    kind: Kind
    parameter: str = ""
    key: str = ""
    number: int | None = None
    shape: bool = False

    @property
    def order(self) -> int:
        """The place of its kind in the computation of a step."""
        return KINDS.index(self.kind)

    @property
    def tensor(self) -> str:
        """``weight``, or ``weight.exp_avg`` of its state."""
        return ".".join(name for name in (self.parameter, self.key) if name)

    @property
    def local(self) -> str:
        """The text without the parameter: ``exp_avg``, ``grad untouched``, and nothing for the parameter itself."""
        return str(replace(self, parameter=""))

    @property
    def stage(self) -> str:
        """The name of the stage without the number of the iteration."""
        return replace(self, number=None).local

    def __str__(self) -> str:
        number = "" if self.number is None else f" {self.number}"
        text = f"{TEXTS[self.kind].format(tensor=self.tensor)}{number}".strip()
        return f"shape of {text}" if self.shape else text
