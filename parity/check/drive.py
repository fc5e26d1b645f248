"""An optimizer class at work in the process of its own: made, fed, and recorded. Imported there only."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.check.feeds import Feed, Played
from parity.check.task import exact
from refimpl.types import Array

Parameters = Mapping[str, Tensor]
REFUSALS = (RuntimeError, ValueError, NotImplementedError, AssertionError)
"""How code says that it does not take what it was given."""


class Driver:
    """One class with the hyper-parameters that were given, in one dtype on one device.

    ``closure``: its step demands one. ``keeps_float32``: it kept a float32 tensor, such as torch's count of steps.
    """

    def __init__(self, cls: Any, hyper: Mapping[str, Any], dtype: str = "float64", device: str = "cpu") -> None:
        self.cls, self.hyper = cls, dict(hyper)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = device
        self.closure = _demands_closure(cls)
        self.keeps_float32 = False

    def parameters(self, values: Mapping[str, Array]) -> dict[str, Tensor]:
        """New parameters with these values."""
        return {name: torch.nn.Parameter(self.tensor(value)) for name, value in values.items()}

    def tensor(self, value: Array) -> Tensor:
        return torch.tensor(np.asarray(value, float), dtype=torch.float64).to(self.device, self.dtype)

    def make(self, parameters: Sequence[Any], **hyper: Any) -> Any:
        """The optimizer over tensors or groups, in the mode for training if it has modes."""
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = self.cls(parameters, **{**deepcopy(self.hyper), **hyper})
        if callable(getattr(optimizer, "train", None)):
            optimizer.train()
        return optimizer

    def step(self, optimizer: Any, parameters: Parameters, gradients: Mapping[str, Array]) -> None:
        """One step; parameters without one of the ``gradients`` have none."""
        for name, parameter in parameters.items():
            parameter.grad = self.tensor(gradients[name]) if name in gradients else None
        self.act(optimizer)

    def act(self, optimizer: Any) -> None:
        """``step()``, with a closure of a fixed loss where one is demanded."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.closure:
                optimizer.step(lambda: torch.ones((), dtype=self.dtype, device=self.device))
            else:
                optimizer.step()

    def play(self, feed: Feed) -> Played:
        """A feed from a new optimizer on."""
        parameters = self.parameters(feed.weights)
        optimizer = self.make(list(parameters.values()), **feed.hyper)
        weights = {name: [exact(parameter)] for name, parameter in parameters.items()}
        given: dict[str, list[Array]] = {name: [] for name in parameters}
        for k in range(len(next(iter(feed.gradients.values())))):
            gradients = {n: feed.gradients[n][k] + feed.coupled * weights[n][-1] for n in parameters}
            self.step(optimizer, parameters, gradients)
            for name, parameter in parameters.items():
                weights[name].append(exact(parameter))
                given[name].append(exact(self.tensor(gradients[name])))
        self.keeps_float32 |= any(tensor.dtype == torch.float32 for tensor in _tensors(optimizer))
        return Played(weights=_stacked(weights), gradients=_stacked(given))


def _stacked(moments: Mapping[str, list[Array]]) -> dict[str, Array]:
    return {name: np.stack(arrays) for name, arrays in moments.items()}


def _tensors(optimizer: Any) -> Iterator[Tensor]:
    """All that it keeps beside the parameters."""
    for kept in (*optimizer.state.values(), *optimizer.param_groups):
        values = kept.values() if isinstance(kept, dict) else ()
        yield from (value for value in values if isinstance(value, Tensor))


def _demands_closure(cls: Any) -> bool:
    closure = inspect.signature(cls.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
