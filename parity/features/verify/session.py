"""A torch optimizer at work: its parameters, its steps, and what each step did to everything in reach.

A situation (:mod:`parity.situations`) is a script over a session. Every step is recorded
exactly and yields its checks: the update of each parameter that has a gradient, held to the reference, and that
nothing else has moved.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.errors import Unsupported
from parity.features.verify.case import Case
from parity.features.verify.group import lbfgs_step
from parity.features.verify.options import OPTIONS
from parity.judge.stages import check_muon
from parity.judge.update import Update, check
from parity.record.products import Products
from parity.record.reference import REFERENCES, WITH_SUMS, in_effect, profile_of
from parity.record.refusals import failing, refusing
from parity.record.snapshot import Snapshot, exact, gradient_untouched, held_by, real_name, same, untouched
from parity.record.sums import accumulation
from parity.step.expected import Expected, Quantity
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import LBFGS, Muon
from refimpl.types import Array, Optimizer

FLAGS: Mapping[str, Mapping[str, bool]] = {
    "for-loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "capturable": {"capturable": True, "foreach": False},
    "differentiable": {"differentiable": True, "foreach": False},
    "compile": {"foreach": True},
}
SHAPES = {1: (1, 1), 3: (1, 3), 7: (7, 1), 8: (2, 4), 15: (3, 5), 16: (4, 4), 31: (1, 31), 33: (3, 11), 100: (10, 10)}
"""Matrices of as many elements, for optimizers that treat them in a way of their own."""
WITH_TENSOR_COUNT = ("capturable", "differentiable", "compile")
"""Where 1 − βᵗ and the like are computed from the count as torch keeps it: a float32 tensor."""
Check = Callable[[Update], Iterator[Expected]]
"""The judge of a recorded step."""


class Session:
    """The parameters, optimizer and recorded checks of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = np.random.default_rng(case.entropy)
        self.options: dict[str, Any] = dict(OPTIONS[case.optimizer][case.options])
        self.dtype: torch.dtype = getattr(torch, case.dtype)
        self.parameters: dict[str, Tensor] = {}
        self.optimizer: torch.optim.Optimizer
        self.number = self.judged = 0
        self.works = False
        self.started: set[str] = set()
        self.updates: list[tuple[Update, Check]] = []
        self.groups: list[partial[Iterator[Expected]]] = []
        self.scalar = "float32" if case.implementation in WITH_TENSOR_COUNT else "float64"

    # -- making ---------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        return self.case.optimizer

    @property
    def implementation(self) -> str:
        return self.case.implementation

    @property
    def device(self) -> str:
        return self.case.device

    @property
    def size(self) -> int:
        return self.case.size

    def hyper(self, name: str) -> Any:
        """What the case or else torch's class has for it; None where there is none."""
        usual = inspect.signature(getattr(torch.optim, self.case.optimizer)).parameters
        return self.options.get(name, usual[name].default) if name in usual else None

    @property
    def shape(self) -> tuple[int, ...]:
        """The main parameter's: a matrix where the optimizer treats matrices in a way of their own."""
        size = self.case.size
        if self.case.optimizer not in ("Muon", "Adafactor"):
            return (size,)
        matrix = SHAPES.get(size, (size // 25, 25) if size % 25 == 0 else (size, 1))
        return matrix if self.case.optimizer == "Muon" or min(matrix) > 1 else (size,)

    def other_shape(self, size: int) -> tuple[int, ...]:
        """The shape of a second parameter."""
        return (size, 2) if self.case.optimizer == "Muon" else (size,)

    def values(self, shape: Sequence[int], scale: float = 1.0, dtype: torch.dtype | None = None) -> Tensor:
        """Normal numbers, of either sign and of many sizes."""
        dtype = dtype or self.dtype
        parts = [self.rng.standard_normal(tuple(shape)) * scale for _ in range(1 + dtype.is_complex)]
        tensors = [torch.from_numpy(np.asarray(part)) for part in parts]
        return (torch.complex(*tensors) if dtype.is_complex else tensors[0]).to(self.case.device, dtype)

    def parameter(self, name: str, start: Tensor | Sequence[int] | None = None) -> Tensor:
        """A new parameter with given values, or drawn ones of a shape."""
        tensor = start if isinstance(start, Tensor) else self.values(self.shape if start is None else start)
        leaf = tensor if tensor.grad_fn is not None else tensor.detach().requires_grad_()
        if self.case.implementation == "differentiable":  # torch updates in place what is no leaf
            leaf = leaf if tensor.grad_fn is not None else leaf.clone()
            leaf.retain_grad()
        self.parameters[name] = leaf
        return leaf

    def start(self, groups: Sequence[Mapping[str, Any]] | None = None, **options: Any) -> None:
        """The optimizer over all parameters, or over groups of ``params`` (names) with options of their own."""
        chosen = groups if groups is not None else [{"params": list(self.parameters)}]
        self.optimizer = self.build(chosen, **options)

    def build(self, groups: Sequence[Mapping[str, Any]], implementation: str = "", **options: Any) -> Any:
        """A torch optimizer; what torch refuses is unsupported, in its own words."""
        named = [{**group, "params": [self.parameters[name] for name in group["params"]]} for group in groups]
        kind = getattr(torch.optim, self.case.optimizer)
        self.works = False
        with refusing():
            return kind(named, **{**self.options, **self.flags(kind, implementation), **options})

    def flags(self, kind: Any, implementation: str = "") -> dict[str, bool]:
        """What selects the implementation; an optimizer that has only the for-loop knows no flag for it."""
        implementation = implementation or self.case.implementation
        known = kind.__init__.__code__.co_varnames
        flags = FLAGS[implementation]
        if implementation == "for-loop":
            return {name: value for name, value in flags.items() if name in known}
        if missing := [name for name in flags if name not in known and flags[name]]:
            raise Unsupported(f"torch.optim.{kind.__name__} has no option {missing[0]}")
        return dict(flags)

    # -- steps ----------------------------------------------------------------------------------------------------

    def gradients(self, names: Iterable[str] | None = None, scale: float = 1.0) -> dict[str, Tensor]:
        """A drawn gradient for each parameter, or for those named."""
        chosen = list(self.parameters) if names is None else list(names)
        return {name: self.values(p.shape, scale, p.dtype) for name in chosen for p in [self.parameters[name]]}

    def step(self, gradients: Mapping[str, Tensor] | None = None) -> Iterator[Expected]:
        """One step with these gradients, drawn ones by default; parameters without one must stay as they are."""
        yield from self.watched(self.act, moved=self.given(self.gradients() if gradients is None else gradients))

    def advance(self, steps: int) -> None:
        """Make as many steps, which are not judged."""
        for _ in range(steps):
            self.given(self.gradients())
            with failing(self.number) if self.works else refusing():
                self.optimizer.step()
            self.works = True
            self.number += 1
        self.started.update(self.parameters)

    def given(self, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gradients as the parameters have them from now on; a parameter without one has none."""
        given = dict(gradients)
        if self.case.optimizer == "SparseAdam":  # which takes no others
            given = {name: self.sparse(gradient) for name, gradient in given.items()}
        for name, parameter in self.parameters.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a gradient on what is no leaf
                parameter.grad = given.get(name)
        return given

    def sparse(self, gradient: Tensor) -> Tensor:
        """Half the rows of a gradient, chosen anew each time, as embeddings have them."""
        if gradient.is_sparse or gradient.ndim == 0:
            return gradient
        rows = torch.from_numpy(self.rng.permutation(len(gradient))[: (len(gradient) + 1) // 2])
        half = torch.sparse_coo_tensor(rows[None], gradient[rows], gradient.shape, check_invariants=True)
        return half.to(self.case.device).coalesce()

    def act(self) -> None:
        """The optimizer's step."""
        if self.case.implementation == "compile":
            torch.compile(self.optimizer.step, fullgraph=False)()
        elif self.case.optimizer == "LBFGS":
            every = list(self.parameters.values())
            profile, dtype = self.profile(real_name(every[0])), real_name(every[0])
            self.groups.append(lbfgs_step(self.optimizer, every, self.number, profile, dtype))
        else:
            self.optimizer.step()

    def watched(
        self, act: Callable[[], Any], *, moved: Iterable[str], seen: Mapping[str, Tensor] | None = None
    ) -> Iterator[Expected]:
        """Do something that may move these parameters only; ``seen``: gradients as the optimizer is to see them."""
        moved, before = set(moved), self.snapshot()
        hypers = {name: self.hyper_of(name) for name in moved}
        recorder = Products() if self.case.optimizer == "Muon" else contextlib.nullcontext()
        groups_before = len(self.groups)
        with failing(self.number) if self.works else refusing(), recorder:
            act()
        self.works = self.works or bool(moved)
        after, number = self.snapshot(), self.number
        self.number += 1
        self.judged += len(moved)
        for check_group in self.groups[groups_before:]:
            for piece in check_group():
                yield replace(piece, quantity=replace(piece.quantity, parameter="w"))
        products = recorder.made if isinstance(recorder, Products) else []
        for name in self.parameters:
            if name in moved:
                gradient = exact(seen[name]) if seen else before[name].gradient
                assert gradient is not None
                update = self.update(name, number, hypers[name], before[name], gradient, after[name])
                checks: Check = check
                if isinstance(update.optimizer, Muon):
                    count = 3 * update.optimizer.ns_steps
                    checks = partial(check_muon, products=products[:count])
                    products = products[count:]
                yield from self.initial_state(update)
                if self.case.optimizer != "LBFGS":
                    self.updates.append((update, checks))
                    yield from checks(update)
                yield same(Quantity("storage", name), number, before[name].place, after[name].place)
            else:
                yield from untouched(name, number, before[name], after[name], versions=self.case.optimizer != "LBFGS")
            unscaled, fused = exact(seen[name]) if seen else None, self.case.implementation == "fused"
            yield from gradient_untouched(name, number, before[name], after[name], unscaled, fused=fused)

    def initial_state(self, update: Update) -> Iterator[Expected]:
        """Check the state that an optimizer keeps from the beginning, before the first step of a parameter."""
        if update.parameter in self.started or self.case.optimizer == "LBFGS":
            return
        self.started.add(update.parameter)
        for key, value in update.optimizer.init(update.before).items() if update.state else ():
            stored = FORMATS[update.formats[key]].round(value)
            quantity = Quantity("start value", update.parameter, key)
            yield same(quantity, update.number, stored, update.state.get(key))

    def update(
        self, name: str, number: int, optimizer: Optimizer, before: Snapshot, gradient: Array, after: Snapshot
    ) -> Update:
        """The record of one parameter's step."""
        sparse = self.parameters[name].grad
        held = held_by(sparse) if sparse is not None and sparse.is_sparse else None
        return Update(
            parameter=name,
            number=number,
            optimizer=optimizer,
            profile=self.profile(after.formats["param"]),
            before=before.value,
            gradient=gradient,
            held=held,
            state=before.state,
            after=after.value,
            state_after=after.state,
            formats=after.formats,
        )

    def profile(self, dtype: str) -> Profile:
        """The arithmetic of the implementation."""
        case = self.case
        sums = measured_sums(dtype, case.size, case.device) if case.optimizer in WITH_SUMS else None
        return profile_of(dtype, case.device, fused=case.implementation == "fused", scalar=self.scalar, sums=sums)

    def hyper_of(self, name: str) -> Optimizer:
        """The reference with the hyper-parameters that torch has in effect for a parameter."""
        parameter = self.parameters[name]
        group = next(g for g in self.optimizer.param_groups if any(p is parameter for p in g["params"]))
        return in_effect(REFERENCES.get(self.case.optimizer, LBFGS), group)

    def snapshot(self) -> dict[str, Snapshot]:
        """Everything a step could touch, exactly."""
        states = {} if self.case.optimizer == "LBFGS" else self.optimizer.state  # its own is judged as a whole
        return {name: Snapshot.of(p, states.get(p, {})) for name, p in self.parameters.items()}


@cache
def measured_sums(dtype: str, size: int, device: str) -> str:
    """The format in which torch adds up, for matrices and rows of this many elements."""
    return accumulation(dtype, SHAPES.get(size, (size // 25, 25) if size % 25 == 0 else (size, 1)), device)
