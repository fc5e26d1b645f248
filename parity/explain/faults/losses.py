"""Losses that are not what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.losses import SquaredError
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Broadcast:
    """``ŷ`` of shape ``(n, 1)`` minus ``y`` of shape ``(n,)``: all n² differences, ``c·mean over i, j of (ŷᵢ − yⱼ)²``.

    ::

        ∂L/∂ŷᵢ = (2c/n)(ŷᵢ − mean(y))        2c·(nŷᵢ − Σyⱼ) for the sum
    """

    loss: SquaredError

    def value(self, outputs: Array, targets: Array) -> Array:
        n = outputs.shape[1]
        differences = outputs - targets.swapaxes(1, 2)  # (runs, n, n)
        columns = [self.loss.value(differences[:, :, j : j + 1], 0 * targets) for j in range(n)]
        whole: Array = sum(columns[1:], columns[0])
        return whole / n if self.loss.reduction == "mean" else whole

    def gradient(self, outputs: Array, targets: Array) -> Array:
        n = outputs.shape[1]
        mean_y = (targets.sum(axis=1) / n).reshape(-1, 1, 1)
        gradient: Array = self.loss.gradient(outputs, mean_y + 0 * targets)
        return gradient if self.loss.reduction == "mean" else n * gradient


@dataclass(frozen=True, kw_only=True)
class MeanTwice:
    """A mean that is divided by n once more."""

    loss: SquaredError

    def value(self, outputs: Array, targets: Array) -> Array:
        value: Array = self.loss.value(outputs, targets) / outputs.shape[1]
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        gradient: Array = self.loss.gradient(outputs, targets) / outputs.shape[1]
        return gradient
