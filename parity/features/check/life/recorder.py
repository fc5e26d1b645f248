"""A class in a situation: its steps are recorded, and judged when its reference is known. Imported in its process only.

One session of :mod:`parity.situations`; ``parity verify`` has the other one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.errors import Unsupported, is_ours
from parity.explain.feeds import Played
from parity.features.check.drive import REFUSALS, Driver, over_steps, state_of
from parity.features.check.task import exact
from parity.judge.stages import Product
from parity.record.snapshot import Snapshot, same
from parity.step.expected import Expected, Quantity
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

SHAPE = (3, 5)
"""Of the main parameter: small, because sizes and blocks are tried elsewhere."""
CHANGED = ("lr", "weight_decay", "momentum", "betas")
"""The hyper-parameters that situations change."""


class Recorder:
    """Parameters, an optimizer of the class, and what each step did; see :class:`~parity.situations.session.Session`.

    ``vectors``: whether the class takes parameters of one axis.
    """

    scalar = "float64"
    implementation = "for-loop"
    size = SHAPE[0] * SHAPE[1]
    shape: tuple[int, ...] = SHAPE

    def __init__(self, driver: Driver, vectors: bool, given: Mapping[str, Any]) -> None:
        self.driver, self.vectors, self.given = driver, vectors, given
        self.rng = np.random.default_rng(3)
        self.dtype = driver.dtype
        self.parameters: dict[str, Tensor] = {}
        self.optimizer: Any = None
        self.number = 0
        self.usual: dict[str, Any] = {}
        self.steps: dict[str, list[_Step]] = {}
        self.products: list[tuple[Product, ...]] = []
        self.negated = self.refused = False

    @property
    def kind(self) -> str:
        return str(self.driver.cls.__name__)

    @property
    def device(self) -> str:
        return self.driver.device

    def other_shape(self, size: int) -> tuple[int, ...]:
        return (size,) if self.vectors else (size, 2)

    def hyper(self, name: str) -> Any:
        """As given; a decay that is off is none: what it does when it is on is asked by itself."""
        return self.given.get(name) or None if name == "weight_decay" else self.given.get(name)

    def values(self, shape: Sequence[int], scale: float = 1.0, dtype: torch.dtype | None = None) -> Tensor:
        drawn = torch.from_numpy(np.asarray(self.rng.standard_normal(tuple(shape)) * scale))
        return drawn.to(self.device, dtype or self.dtype)

    def parameter(self, name: str, start: Tensor | Sequence[int] | None = None) -> Tensor:
        if not self.vectors and isinstance(start, Tensor) and start.ndim < 2:
            raise Unsupported("it takes matrices only")
        tensor = start if isinstance(start, Tensor) else self.values(self.shape if start is None else start)
        self.parameters[name] = tensor.detach().requires_grad_()
        return self.parameters[name]

    def start(self, groups: Sequence[Mapping[str, Any]] | None = None, **options: Any) -> None:
        self.negated = bool(options.get("maximize")) and not self.given.get("maximize")
        self.optimizer = self.build(groups or [{"params": list(self.parameters)}], **options)

    def build(self, groups: Sequence[Mapping[str, Any]], implementation: str = "", **options: Any) -> Any:
        del implementation  # a class has one
        named = [{**group, "params": [self.parameters[name] for name in group["params"]]} for group in groups]
        try:
            made = self.driver.make(named, **options)
            plain = self.driver.make([torch.nn.Parameter(self.values(self.shape))])
        except REFUSALS as error:
            if is_ours(error):
                raise
            self.refused = True
            raise Unsupported(_line(error)) from error
        self.usual = _numbers(plain.param_groups[0])
        if unknown := {key for group in groups for key in group} - {"params", *plain.param_groups[0]}:
            raise Unsupported(f"its groups have no {' and '.join(sorted(unknown))}")
        return made

    def gradients(self, names: Iterable[str] | None = None, scale: float = 1.0) -> dict[str, Tensor]:
        chosen = list(self.parameters) if names is None else list(names)
        return {n: self.values(self.parameters[n].shape, scale, self.parameters[n].dtype) for n in chosen}

    def sparse(self, gradient: Tensor) -> Tensor:
        raise Unsupported(f"gradients are dense here, {tuple(gradient.shape)}")

    def step(self, gradients: Mapping[str, Tensor] | None = None) -> Iterator[Expected]:
        given = dict(self.gradients() if gradients is None else gradients)
        for name, parameter in self.parameters.items():
            parameter.grad = given.get(name)
        yield from self.watched(self.act, moved=given)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            for _ in self.step():
                pass

    def act(self) -> None:
        self.driver.given = {p: p.grad.clone() for p in self.parameters.values() if p.grad is not None}
        self.driver.act(self.optimizer)

    def watched(
        self, act: Callable[[], Any], *, moved: Iterable[str], seen: Mapping[str, Tensor] | None = None
    ) -> Iterator[Expected]:
        moved = list(moved)
        before = {name: exact(parameter) for name, parameter in self.parameters.items()}
        given = {name: exact(seen[name] if seen else _there(self.parameters[name].grad)) for name in moved}
        if self.negated:  # the reference is asked without it
            given = {name: -gradient for name, gradient in given.items()}
        changes = {name: self._changes(name) for name in moved}
        self.driver.evaluated, self.driver.products = [], ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            act()
        for name, parameter in self.parameters.items():
            now = exact(parameter)
            if name in moved:
                elsewhere = self.driver.elsewhere(parameter)
                kept = state_of(self.optimizer, parameter) if self.driver.keeps_matrices else {}
                step = _Step(self.number, before[name], given[name], now, changes[name], elsewhere, kept)
                self.steps.setdefault(name, []).append(step)
            else:
                yield same(Quantity("untouched", name), self.number, before[name][None], now[None])
        self.products.append(self.driver.products)
        self.number += 1

    def snapshot(self) -> dict[str, Snapshot]:
        """The parameters; what a class keeps, and in what form, is its own affair."""
        return {name: Snapshot.of(parameter, {}) for name, parameter in self.parameters.items()}

    def profile(self, dtype: str) -> Profile:
        return Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])

    def played(self) -> Played:
        """What was recorded; before its first gradient a parameter has steps of nothing."""
        weights, gradients, late, changes, elsewhere, numbers, state = {}, {}, {}, {}, {}, {}, {}
        for name, steps in self.steps.items():
            wait = late[name] = steps[0].number
            weights[name] = np.stack([steps[0].before] * (wait + 1) + [step.after for step in steps])
            gradients[name] = np.stack([0 * steps[0].gradient] * wait + [step.gradient for step in steps])
            changes[name] = tuple(step.changes for step in steps)
            elsewhere[name] = (None,) * wait + tuple(step.elsewhere for step in steps)
            numbers[name] = (*range(wait), *(step.number for step in steps))
            state[name] = over_steps([{}] * wait + [step.kept for step in steps])
        return Played(
            weights=weights,
            gradients=gradients,
            late=late,
            changes=_where_any(changes),
            elsewhere=elsewhere,
            numbers=numbers,
            state=state,
            products=tuple(self.products) if self.driver.multiplies else (),
        )

    def _changes(self, name: str) -> dict[str, Any]:
        """The hyper-parameters of a parameter's group that are others than those of a group without options."""
        parameter = self.parameters[name]
        groups = (g for g in self.optimizer.param_groups if any(p is parameter for p in g["params"]))
        group = next(groups, None)
        if group is None:
            raise Unsupported("its groups do not keep the parameters that they are given")
        return {key: value for key, value in _numbers(group).items() if value != self.usual.get(key)}


class _Step:
    """One step of one parameter: ``(…)`` each, exact."""

    def __init__(
        self,
        number: int,
        before: Array,
        gradient: Array,
        after: Array,
        changes: Mapping[str, Any],
        elsewhere: tuple[Array, Array] | None,
        kept: Mapping[str, Array],
    ) -> None:
        self.number, self.before, self.gradient, self.after = number, before, gradient, after
        self.changes, self.elsewhere, self.kept = changes, elsewhere, kept


def _numbers(group: Mapping[str, Any]) -> dict[str, Any]:
    """The hyper-parameters of a group that situations change, as Python has them."""
    plain = {
        name: value.item() if isinstance(value, Tensor) else value for name, value in group.items() if name in CHANGED
    }
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def _where_any(changes: Mapping[str, tuple[Mapping[str, Any], ...]]) -> dict[str, tuple[Mapping[str, Any], ...]]:
    return {name: steps for name, steps in changes.items() if any(steps)}


def _there(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
