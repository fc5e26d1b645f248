"""An optimizer class at work in the process of its own: made, fed, and recorded. Imported there only."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.explain.feeds import Feed, Played
from parity.features.check.task import exact
from parity.judge.stages import Product
from parity.record.products import Products
from refimpl.types import Array

Parameters = Mapping[str, Tensor]
REFUSALS = (RuntimeError, ValueError, NotImplementedError, AssertionError)
"""How code says that it does not take what it was given."""


class Driver:
    """One class with the hyper-parameters that were given, in one dtype on one device.

    ``closure``: its step demands one. ``keeps_float32``: it kept a float32 number, such as torch's count of steps.
    ``keeps_matrices``: its state has square matrices beside what has the shape of a parameter.
    ``multiplies``: the products of matrices of each call of ``step()`` are kept, those of the last one in ``products``.
    """

    def __init__(
        self,
        cls: Any,
        hyper: Mapping[str, Any],
        dtype: str = "float64",
        device: str = "cpu",
        closure: bool = False,
        *,
        multiplies: bool = False,
    ) -> None:
        self.cls, self.hyper = cls, dict(hyper)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = device
        self.closure = closure or _demands_closure(cls)
        self.keeps_float32 = self.keeps_matrices = False
        self.given: dict[Tensor, Tensor] = {}
        self.evaluated: list[dict[Tensor, tuple[Array, Array]]] = []
        self.multiplies = multiplies or any("muon" in base.__name__.lower() for base in cls.__mro__)
        self.products: tuple[Product, ...] = ()

    def narrow(self) -> Driver:
        """The same with float32 parameters."""
        driver = Driver(self.cls, self.hyper, "float32", self.device, self.closure, multiplies=self.multiplies)
        driver.keeps_matrices = self.keeps_matrices
        return driver

    def may_need_closure(self, error: Exception) -> bool:
        """Whether a step that failed without a closure may have failed for want of one."""
        takes = "closure" in inspect.signature(self.cls.step).parameters
        return "closure" in str(error) or (takes and isinstance(error, TypeError) and "not callable" in str(error))

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
        self.given = {
            parameter: self.tensor(gradients[name]) for name, parameter in parameters.items() if name in gradients
        }
        for parameter in parameters.values():
            parameter.grad = self.given[parameter].clone() if parameter in self.given else None
        self.act(optimizer)

    def act(self, optimizer: Any) -> None:
        """``step()``, with a closure where one is demanded."""
        self.evaluated = []
        recorder: Any = Products() if self.multiplies else nullcontext()
        with warnings.catch_warnings(), recorder:
            warnings.simplefilter("ignore")
            if self.closure:
                start = {parameter: parameter.detach().clone() for parameter in self.given}
                optimizer.step(lambda: self._evaluate(start))
            else:
                optimizer.step()
        self.products = tuple(recorder.made) if self.multiplies else ()

    def elsewhere(self, parameter: Tensor) -> tuple[Array, Array] | None:
        """How far away the last gradient of a step was taken, and that gradient; None where all were taken at w."""
        last = self.evaluated[-1].get(parameter) if len(self.evaluated) > 1 else None
        return last if last is not None and any(moved.any() for moved, _ in self.evaluated[-1].values()) else None

    def _evaluate(self, start: Mapping[Tensor, Tensor]) -> Tensor:
        """A quadratic with the gradient that was given where the step began, and the identity for its curvature."""
        moment: dict[Tensor, tuple[Array, Array]] = {}
        loss = torch.ones((), dtype=self.dtype, device=self.device)
        with torch.no_grad():
            for parameter, begin in start.items():
                moved = parameter - begin
                parameter.grad = self.given[parameter] + moved
                loss = loss + (self.given[parameter] * moved).sum() + moved.square().sum() / 2
                moment[parameter] = exact(moved), exact(parameter.grad)
        self.evaluated.append(moment)
        return loss

    def play(self, feed: Feed) -> Played:
        """A feed from a new optimizer on."""
        parameters = self.parameters(feed.weights)
        optimizer = self.make(list(parameters.values()), **feed.hyper)
        weights = {name: [exact(parameter)] for name, parameter in parameters.items()}
        given: dict[str, list[Array]] = {name: [] for name in parameters}
        kept: list[dict[str, dict[str, Array]]] = []
        numbers: list[dict[str, float]] = []
        elsewhere: dict[str, list[tuple[Array, Array] | None]] = {name: [] for name in parameters}
        products: list[tuple[Product, ...]] = []
        rated = _has_rate(optimizer)
        for k in range(len(next(iter(feed.gradients.values())))):
            if feed.factor and rated and k:
                _change_rates(optimizer, feed.factor[k] / feed.factor[k - 1])
            present = [name for name in parameters if k >= feed.late.get(name, 0)]
            self.step(optimizer, parameters, {name: feed.gradients[name][k] for name in present})
            for name, parameter in parameters.items():
                weights[name].append(exact(parameter))
                given[name].append(exact(self.tensor(feed.gradients[name][k])))
                elsewhere[name].append(self.elsewhere(parameter))
            numbers.append(_floats(optimizer.param_groups[0]))
            kept.append({name: state_of(optimizer, parameter) for name, parameter in parameters.items()})
            products.append(self.products)
        self.keeps_matrices |= any(map(_is_matrix, (array for name in kept[-1] for array in kept[-1][name].values())))
        self.keeps_float32 |= any(tensor.dtype == torch.float32 for tensor in _numbers(optimizer))
        return Played(
            weights=_stacked(weights),
            gradients=_stacked(given),
            factor=feed.factor if rated else (),
            late=feed.late,
            numbers={name: tuple(range(len(some))) for name, some in given.items()},
            products=tuple(products) if self.multiplies else (),
            elsewhere={name: tuple(moments) for name, moments in elsewhere.items()},
            state={name: over_steps([moment[name] for moment in kept]) for name in parameters},
            kept={key: np.array([each[key] for each in numbers if key in each]) for key in numbers[0]},
        )


def _stacked(moments: Mapping[str, list[Array]]) -> dict[str, Array]:
    return {name: np.stack(arrays) for name, arrays in moments.items()}


def _has_rate(optimizer: Any) -> bool:
    """Whether every group has a rate that a scheduler would change."""
    return all(isinstance(group.get("lr"), int | float) for group in optimizer.param_groups)


def _change_rates(optimizer: Any, factor: float) -> None:
    if factor != 1:
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * factor


def _floats(group: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that a group keeps, such as its rate, and what the optimizer itself wrote there."""
    return {key: value for key, value in group.items() if type(value) is float}


def state_of(optimizer: Any, parameter: Tensor) -> dict[str, Array]:
    """The tensors that are kept for a parameter."""
    own = optimizer.state.get(parameter, {})
    return {name: exact(value) for name, value in _tensors(own)}


def _tensors(kept: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in a state, those in lists and dictionaries as ``Q.0``."""
    if isinstance(kept, Tensor):
        yield name, kept
    elif isinstance(kept, Mapping | list | tuple):
        for key, value in kept.items() if isinstance(kept, Mapping) else enumerate(kept):
            yield from _tensors(value, f"{name}.{key}" if name else str(key))


def over_steps(moments: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Tensors of one shape throughout, over the steps."""
    last = moments[-1]
    stacked = {}
    for key, value in last.items():
        rows = [moment.get(key, np.full(value.shape, np.nan)) for moment in moments]
        if all(row.shape == value.shape for row in rows):
            stacked[key] = np.stack(rows)
    return stacked


def _is_matrix(array: Array) -> bool:
    return array.ndim == 2 and array.shape[0] == array.shape[1]


def _numbers(optimizer: Any) -> Iterator[Tensor]:
    """The numbers that the optimizer keeps in tensors of one element, whatever the size of the parameter."""
    by_key: dict[str, list[Tensor]] = {}
    for kept in (*optimizer.state.values(), *optimizer.param_groups):
        for key, value in kept.items() if isinstance(kept, dict) else ():
            if isinstance(value, Tensor):
                by_key.setdefault(str(key), []).append(value)
    for tensors in by_key.values():
        yield from tensors if all(tensor.numel() == 1 for tensor in tensors) else ()


def _demands_closure(cls: Any) -> bool:
    closure = inspect.signature(cls.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
