"""Losses that are not what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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


@dataclass(frozen=True, kw_only=True)
class OverBatchSize:
    """A sum that is divided by the size that batches should have, also where the last one is smaller."""

    loss: SquaredError
    size: int

    def value(self, outputs: Array, targets: Array) -> Array:
        value: Array = self._sum().value(outputs, targets) / self.size
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        gradient: Array = self._sum().gradient(outputs, targets) / self.size
        return gradient

    def _sum(self) -> SquaredError:
        return replace(self.loss, reduction="sum")


@dataclass(frozen=True, kw_only=True)
class Absolute:
    """``mean|rᵢ|``, or beyond ``edge`` only: ``rᵢ²/2`` below it and ``edge·(|rᵢ| − edge/2)`` above (Huber).

    ∂L/∂ŷᵢ = factor·sign(rᵢ)/n, or rᵢ cut off at ±edge, times factor over n.
    """

    edge: float = 0.0
    factor: float = 1.0

    def value(self, outputs: Array, targets: Array) -> Array:
        size = np.abs(outputs - targets)
        inside = np.minimum(size, self.edge)
        each = inside * inside / 2 + self.edge * (size - inside) if self.edge else size
        value: Array = self.factor * each.reshape(len(each), -1).sum(axis=1) / outputs.shape[1]
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        r = outputs - targets
        cut = np.minimum(np.maximum(r, -self.edge), self.edge) if self.edge else np.sign(r)
        gradient: Array = self.factor * cut / outputs.shape[1]
        return gradient


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The mean square of ``r − r̄``, the variance of the residuals: ∂L/∂ŷᵢ is that of the square at ``rᵢ − r̄``."""

    loss: SquaredError

    def _centred(self, outputs: Array, targets: Array) -> Array:
        r = outputs - targets
        centred: Array = r - (r.sum(axis=1) / r.shape[1]).reshape(-1, 1, 1)
        return centred

    def value(self, outputs: Array, targets: Array) -> Array:
        return self.loss.value(self._centred(outputs, targets), 0 * targets)

    def gradient(self, outputs: Array, targets: Array) -> Array:
        return self.loss.gradient(self._centred(outputs, targets), 0 * targets)


@dataclass(frozen=True, kw_only=True)
class Rectified:
    """The square of ``max(ŷ, 0) − y``: a row with ŷ < 0 has no gradient."""

    loss: SquaredError

    def value(self, outputs: Array, targets: Array) -> Array:
        return self.loss.value(np.maximum(outputs, 0), targets)

    def gradient(self, outputs: Array, targets: Array) -> Array:
        gradient: Array = np.where(outputs > 0, self.loss.gradient(outputs, targets), 0 * outputs)
        return gradient


@dataclass(frozen=True, kw_only=True)
class LogCosh:
    """``factor·mean log cosh rᵢ``, with log cosh r = |r| + log(1 + e^(−2|r|)) − log 2::

    ∂L/∂ŷᵢ = factor·tanh(rᵢ)/n,        tanh r = sign(r)·(1 − e^(−2|r|))/(1 + e^(−2|r|))
    """

    factor: float = 1.0

    def value(self, outputs: Array, targets: Array) -> Array:
        size = np.abs(outputs - targets)
        each = size + np.log(1 + np.exp(-2 * size)) - np.log(2.0)
        value: Array = self.factor * each.reshape(len(each), -1).sum(axis=1) / outputs.shape[1]
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        r = outputs - targets
        small = np.exp(-2 * np.abs(r))
        gradient: Array = self.factor * np.sign(r) * ((1 - small) / (1 + small)) / outputs.shape[1]
        return gradient
