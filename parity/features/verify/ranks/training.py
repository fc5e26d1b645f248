"""A rank at work: the steps of a plan, made with one of torch's reductions, and recorded."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from parity.features.verify.case import Case
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.checkpoint import save_and_load
from parity.features.verify.ranks.plan import Asked, Plan, plan_of
from parity.features.verify.ranks.record import Record, Shard, Step
from parity.record.products import Products
from parity.record.reference import REFERENCES, in_effect
from parity.record.refusals import failing, refusing
from parity.record.snapshot import Snapshot
from refimpl.types import Array, Optimizer


def own_part(tensor: Any) -> Tensor:
    """The part on this rank of a tensor that may be divided over ranks."""
    from torch.distributed.tensor import DTensor  # which takes a second, and the judge's process needs none of it

    plain: Tensor = tensor.detach()
    part: Tensor = plain.to_local() if isinstance(plain, DTensor) else plain
    return part


def shard_of(parameter: Any, state: Mapping[str, Any]) -> Shard | None:
    """Which rows of a parameter this rank has, where they are divided."""
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    if not isinstance(parameter, DTensor) or not any(placement.is_shard() for placement in parameter.placements):
        return None
    _, offset = compute_local_shape_and_global_offset(parameter.shape, parameter.device_mesh, parameter.placements)
    keys = (key for key, value in state.items() if isinstance(value, DTensor) and value.shape == parameter.shape)
    return Shard(offset[0], parameter.shape[0], frozenset(keys))


class Given(nn.Module):
    """A model whose gradient is what it is given: of Σ p·g, the derivative by p is g, exactly."""

    def __init__(self, start: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, values in start.items():
            self.register_parameter(name, nn.Parameter(values))

    def forward(self, *rows: Mapping[str, Tensor]) -> Tensor:
        """Σ p·g over the rows, and the parameters that are given a gradient."""
        terms = [(self.get_parameter(name) * g).sum() for gradients in rows for name, g in gradients.items()]
        return torch.stack(terms).sum()


class Training(ABC):
    """A case on one rank. A reduction overrides how the model is wrapped and how a step's gradients are made."""

    broadcasts = False
    """Whether the ranks begin with the weights of rank 0, whatever their own are."""

    def __init__(self, case: Case, asked: Asked, rank: int, options: Mapping[str, Any]) -> None:
        self.case, self.rank, self.options = case, rank, options
        self.dtype: torch.dtype = getattr(torch, case.dtype)
        self.plan: Plan = plan_of(case, asked)
        self.make(1 + rank if self.broadcasts else 1)  # what must not be seen of the others

    def make(self, times: float) -> None:
        """Model and optimizer, from so many times the weights of the plan."""
        self.model: nn.Module = self.new_model({n: times * self.tensor(w) for n, w in self.plan.start.items()})
        for name in self.plan.asked.frozen:
            self.model.get_parameter(name).requires_grad_(False)
        with refusing():
            self.wrapped: Any = self.wrap()
            self.optimizer: Any = self.make_optimizer()

    # -- what a reduction overrides -------------------------------------------------------------------------------

    def new_model(self, start: Mapping[str, Tensor]) -> nn.Module:
        """The model before it is wrapped."""
        return Given(start)

    @abstractmethod
    def wrap(self) -> Any:
        """The model as the ranks share it."""

    def make_optimizer(self) -> Any:
        """torch's optimizer over the model's parameters."""
        return self.kind(self.model.parameters(), **OPTIONS[self.case.optimizer][self.case.options])

    def syncing(self, last: bool) -> AbstractContextManager[Any]:
        """A context around a micro-batch, in which nothing is sent before the last one; none where that needs none."""
        del last
        return contextlib.nullcontext()

    def micro_batch(self, gradients: Mapping[str, Tensor], last: bool) -> None:
        """One forward and backward pass."""
        with self.syncing(last):
            self.wrapped(gradients).backward()

    def accumulate(self, own: Sequence[Mapping[str, Tensor]]) -> None:
        """The micro-batches of a step."""
        self.optimizer.zero_grad()
        for j, gradients in enumerate(own):
            self.micro_batch(gradients, last=j == len(own) - 1)

    def step(self) -> None:
        """The optimizer's step."""
        self.optimizer.step()

    def reload(self) -> None:
        """Save all and load it into a new model and optimizer, with :mod:`torch.distributed.checkpoint`."""
        save_and_load(self)

    @property
    def inner(self) -> Any:
        """The optimizer that makes the updates of this rank."""
        return self.optimizer

    # -- the same for all -----------------------------------------------------------------------------------------

    @property
    def kind(self) -> Any:
        """torch's class."""
        return getattr(torch.optim, self.case.optimizer)

    def tensor(self, values: Array, dtype: torch.dtype | None = None) -> Tensor:
        """The values, which the dtype holds exactly."""
        return torch.from_numpy(values.copy()).to(dtype or self.dtype)

    def run(self) -> Record:
        """Make and record every step of the plan."""
        steps = [self.recorded(number) for number in self.numbers()]
        return Record(steps=steps, end=self.snapshot())

    def numbers(self) -> Iterator[int]:
        """The steps that this rank has batches for."""
        for number in range(len(self.plan.windows)):
            if not (self.plan.left(number) and self.rank == self.plan.ranks - 1):
                yield number

    def recorded(self, number: int) -> Step:
        """One step."""
        own = self.plan.windows[number].gradients[self.rank]
        local = getattr(torch, self.plan.asked.local or self.case.dtype)
        with failing(number) if number else refusing():
            self.accumulate([{name: self.tensor(g, local) for name, g in some.items()} for some in own])
        before, optimizers = self.snapshot(), self.in_effect()
        recorder: Any = Products() if self.case.optimizer == "Muon" else contextlib.nullcontext()
        with failing(number) if number else refusing(), recorder:
            self.step()
        after, shards = self.snapshot(), self.shards()
        if number == self.plan.asked.reloads:
            self.reload()
        products = recorder.made if isinstance(recorder, Products) else ()
        return Step(before=before, after=after, optimizers=optimizers, products=products, shards=shards)

    def in_effect(self) -> dict[str, Optimizer]:
        """The reference of each parameter that has a gradient and is updated here."""
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        references: dict[str, Optimizer] = {}
        for group in self.inner.param_groups:
            for parameter in group["params"]:
                name = names[id(parameter)]
                if parameter.grad is not None:
                    references[name] = in_effect(REFERENCES[self.case.optimizer], group)
        return references

    def snapshot(self) -> dict[str, Snapshot]:
        """This rank's part of every parameter, with gradient and state, exactly."""
        taken = {}
        for name, parameter in self.model.named_parameters():
            state = self.inner.state.get(parameter, {})
            parts = {key: own_part(value) if isinstance(value, Tensor) else value for key, value in state.items()}
            gradient = None if parameter.grad is None else own_part(parameter.grad)
            taken[name] = Snapshot.of(own_part(parameter), parts, gradient=gradient)
        return taken

    def shards(self) -> dict[str, Shard]:
        """Which rows this rank has, of the parameters that are divided."""
        found = {name: shard_of(p, self.inner.state.get(p, {})) for name, p in self.model.named_parameters()}
        return {name: shard for name, shard in found.items() if shard is not None}
