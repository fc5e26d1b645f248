"""The stage of a situation: parameters, an optimizer over them, and steps that are watched.

``parity verify`` judges what a step did at once (:mod:`parity.features.verify.session`); ``parity check`` records it,
because the reference of a class is known only later (:mod:`parity.features.check.life.recorder`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from parity.record.snapshot import Snapshot
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile


class Session(Protocol):
    """``number``: the steps that were made. ``scalar``: the format of numbers such as 1 − βᵗ."""

    parameters: dict[str, Tensor]
    optimizer: Any
    dtype: torch.dtype
    number: int
    scalar: str

    @property
    def kind(self) -> str:
        """The name of the optimizer's class."""

    @property
    def implementation(self) -> str:
        """``for-loop``, ``foreach``, ``fused``, …"""

    @property
    def device(self) -> str:
        """The device of all tensors."""

    @property
    def size(self) -> int:
        """The number of elements of the main parameter."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the main parameter."""

    def other_shape(self, size: int) -> tuple[int, ...]:
        """The shape of another parameter."""

    def hyper(self, name: str) -> Any:
        """A hyper-parameter that is in effect from the start; None where the optimizer has none of that name."""

    def values(self, shape: Sequence[int], scale: float = 1.0, dtype: torch.dtype | None = None) -> Tensor:
        """Drawn numbers."""

    def parameter(self, name: str, start: Tensor | Sequence[int] | None = None) -> Tensor:
        """A new parameter with given values, or drawn ones of a shape, which is by default the main one."""

    def start(self, groups: Sequence[Mapping[str, Any]] | None = None, **options: Any) -> None:
        """The optimizer over all parameters, or over groups of ``params`` (names) with options of their own."""

    def build(self, groups: Sequence[Mapping[str, Any]], implementation: str = "", **options: Any) -> Any:
        """An optimizer. Raises :class:`~parity.errors.Unsupported` in the words of its class."""

    def gradients(self, names: Iterable[str] | None = None, scale: float = 1.0) -> dict[str, Tensor]:
        """A drawn gradient for each parameter, or for those named."""

    def sparse(self, gradient: Tensor) -> Tensor:
        """Half the rows of a gradient."""

    def step(self, gradients: Mapping[str, Tensor] | None = None) -> Iterator[Expected]:
        """One step with these gradients, drawn ones by default; parameters without one must stay as they are."""

    def advance(self, steps: int) -> None:
        """As many steps, of which only what they lead to is watched."""

    def act(self) -> None:
        """The optimizer's step, on the gradients that are there."""

    def watched(
        self, act: Callable[[], Any], *, moved: Iterable[str], seen: Mapping[str, Tensor] | None = None
    ) -> Iterator[Expected]:
        """Do something that may move these parameters only; ``seen``: gradients as the optimizer is to see them."""

    def snapshot(self) -> dict[str, Snapshot]:
        """Everything that a step could touch, exactly."""

    def profile(self, dtype: str) -> Profile:
        """The arithmetic of the implementation."""
