"""Losses that are not what was asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

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
class Divided:
    """A loss that is divided once more: by the batch's number of rows, or by ``size``, whatever the batch has."""

    loss: SquaredError
    size: int | None = None

    def value(self, outputs: Array, targets: Array) -> Array:
        return self._divided(self.loss.value(outputs, targets), outputs)

    def gradient(self, outputs: Array, targets: Array) -> Array:
        return self._divided(self.loss.gradient(outputs, targets), outputs)

    def _divided(self, numbers: Any, outputs: Array) -> Array:
        divided: Array = numbers / (self.size or outputs.shape[1])
        return divided


@dataclass(frozen=True, kw_only=True)
class OfEachRow(ABC):
    """``factor·mean ρ(rᵢ)``: ∂L/∂ŷᵢ = factor·ρ′(rᵢ)/n."""

    factor: float = 1.0

    @abstractmethod
    def rho(self, r: Array) -> Any: ...

    @abstractmethod
    def slope(self, r: Array) -> Any: ...

    def value(self, outputs: Array, targets: Array) -> Array:
        each = self.rho(outputs - targets)
        value: Array = self.factor * each.reshape(len(each), -1).sum(axis=1) / outputs.shape[1]
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        gradient: Array = self.factor * self.slope(outputs - targets) / outputs.shape[1]
        return gradient


@dataclass(frozen=True, kw_only=True)
class Absolute(OfEachRow):
    """ρ(r) = |r|; with an ``edge`` beyond it only, ``edge·(|r| − edge/2)``, and r²/2 below it (Huber)."""

    edge: float = 0.0

    def rho(self, r: Array) -> Any:
        size = np.abs(r)
        inside = np.minimum(size, self.edge)
        return inside * inside / 2 + self.edge * (size - inside) if self.edge else size

    def slope(self, r: Array) -> Any:
        return np.minimum(np.maximum(r, -self.edge), self.edge) if self.edge else np.sign(r)


@dataclass(frozen=True, kw_only=True)
class LogCosh(OfEachRow):
    """ρ(r) = log cosh r = |r| + log(1 + e^(−2|r|)) − log 2; ρ′ = tanh r = sign(r)·(1 − e^(−2|r|))/(1 + e^(−2|r|))."""

    def rho(self, r: Array) -> Any:
        size = np.abs(r)
        return size + np.log(1 + np.exp(-2 * size)) - np.log(2.0)

    def slope(self, r: Array) -> Any:
        small = np.exp(-2 * np.abs(r))
        return np.sign(r) * ((1 - small) / (1 + small))


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
