"""What a training function is given, and how it reports what it did.

::

    def train(task):
        net = torch.nn.Linear(task.features, 1)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr)
        task.record(net)
        for epoch in range(task.epochs):
            for X, y in task.loader:
                loss = ...
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                task.record(net, loss=loss)

Instead of calling ``record`` a function may yield, after every step, what it would record.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from parity.errors import InputError
from parity.features.check.align import WATCH
from parity.features.check.events import Records
from parity.features.check.task_batches import EpochBatches, EpochRows
from parity.record.local import dtensor
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.experiment import Experiment
    from parity.features.check.task_data import TaskData


class Task:
    """An experiment as a training function sees it.

    ``X`` ``(n, p)``, ``y`` ``(n, 1)``; ``X_validation``, ``y_validation`` or None; ``weight`` ``(1, p)`` and ``bias``
    ``(1,)``: the initial weights, new copies each time they are asked for. ``epochs``, ``features``, ``batch_size``.
    ``loader``: every pass over it is the next epoch, as pairs of ``X`` and ``y``; ``rows``: the row numbers of every
    epoch's batches. ``dataset``, ``sampler``, ``batch_sampler``: the same for a ``DataLoader``; ``param_groups(net)``:
    the optimizer's groups. ``lr`` and ``hyper``: the optimizer's numbers and options. ``l2``, ``l1``: strengths of the
    penalties on the weight, λ of λ/2·‖w‖² and of λ·‖w‖₁. ``accumulate``: how many batches make one step;
    ``max_norm``: how long the gradient of a step may be, or None. ``resume_at``: the steps before which the training is
    to be saved and loaded. ``ranks``: over how many ranks a batch is divided; ``shard(rank, X, y)``: the rows of one of
    them; ``rank``, ``world_size``: which of the processes that were started this one is, and their number. ``dtype``,
    ``device``: of all tensors.
    """

    def __init__(
        self, data: TaskData, dtype: str = "float64", device: str = "cpu", rank: int = 0, world_size: int = 1
    ) -> None:
        self._data = data
        self.rank, self.world_size = rank, world_size
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = device
        self._inputs = {name: self._tensor(array) for name, array in data.inputs.items()}
        self._params = {name: self._tensor(array) for name, array in data.params.items()}
        self.rows = [[torch.tensor(rows, device=device) for rows in batches] for batches in data.order]
        self.epochs = data.epochs
        self.batch_size = len(self.rows[0][0])
        self.hyper = dict(data.hyper)
        self.lr, self.l1, self.l2 = data.lr, data.l1, data.l2
        self.accumulate, self.max_norm, self.resume_at = data.accumulate, data.max_norm, data.resume_at
        self.ranks = len(data.shards[self.batch_size])
        self.loader = Loader(self)
        order = [[rows.tolist() for rows in batches] for batches in self.rows]
        self.sampler, self.batch_sampler = EpochRows(order), EpochBatches(order)
        self.records: Records = []
        self.averages: list[dict[str, Array]] = []
        self.noted: Callable[[Mapping[str, Tensor]], None] | None = None

    def _tensor(self, array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float64).to(self.device, self.dtype)

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment that the data belong to."""
        asked = self._data.experiment
        experiment: Experiment = pickle.loads(asked) if isinstance(asked, bytes) else asked
        return experiment

    @property
    def X(self) -> Tensor:
        return self._inputs["X"].clone()

    @property
    def y(self) -> Tensor:
        return self._inputs["y"].clone()

    @property
    def dataset(self) -> TensorDataset:
        """The rows of the training data: ``dataset[i]`` is ``(x, y)``, of shapes ``(p,)`` and ``(1,)``."""
        return TensorDataset(self.X, self.y)

    @property
    def X_validation(self) -> Tensor | None:
        return self._inputs.get("X_validation")

    @property
    def y_validation(self) -> Tensor | None:
        return self._inputs.get("y_validation")

    @property
    def features(self) -> int:
        return self._inputs["X"].shape[1]

    @property
    def initial(self) -> Mapping[str, Tensor]:
        """The initial values of the model's parameters by name."""
        return {name: values.clone() for name, values in self._params.items()}

    @property
    def weight(self) -> Tensor:
        return self._params["weight"].clone()

    @property
    def bias(self) -> Tensor:
        """Zeros where the model has none."""
        return self._params.get("bias", self._params["weight"].new_zeros(1)).clone()

    def shard(self, rank: int, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """One rank's rows of a batch ``X``, ``y`` of the loader.

        Raises :class:`InputError` where there is no such rank, or no batch of so many rows.
        """
        if rank not in range(self.ranks):
            raise InputError(f"shard({rank!r}): allowed: a rank from 0 to {self.ranks - 1}; set [ranks] count for more")
        if len(X) not in self._data.shards or len(y) != len(X):
            sizes = ", ".join(map(str, sorted(self._data.shards)))
            raise InputError(f"shard: given {len(X)} and {len(y)} rows; allowed: a batch of the loader, of {sizes}")
        own = torch.tensor(self._data.shards[len(X)][rank], device=X.device)
        return X[own], y[own]

    def param_groups(self, net: nn.Module) -> list[dict[str, Any]]:
        """The parameter groups of the experiment: those of equal options together, each with ``lr``, ``weight_decay``
        and the other options in which groups differ. An L2 penalty is part of ``weight_decay``.

        Raises :class:`InputError` where groups cannot say what is asked, or the parameters are others.
        """
        groups = self._data.groups
        if isinstance(groups, str):
            raise InputError(f"param_groups: {groups}; allowed: penalties that weight_decay can express, one optimizer")
        named = self._arrays("param_groups", (net,), {})[0]
        asked = [name for names, _ in groups for name in names]
        if sorted(asked) != sorted(named):
            given = " and ".join(named)
            raise InputError(f"param_groups({type(net).__name__}): has {given}; allowed: {' and '.join(asked)}")
        return [{"params": [named[name] for name in names], **options} for names, options in groups]

    def record(self, *parameters: Any, loss: Any = None, **by_name: Any) -> None:
        """Report the weights: a module, a mapping by name, ``weight, bias``, or ``weight=…, bias=…``; after every step,
        and before the first one where the initial weights may be other than those given. ``loss``: of the step's batch,
        before the step.

        Raises :class:`InputError` for anything else.
        """
        value = loss.detach() if isinstance(loss, Tensor) else loss  # torch warns of a number made of a graph
        if value is not None:
            try:
                value = float(value)
            except (TypeError, ValueError, RuntimeError):
                raise InputError(f"record(loss={type(loss).__name__}): allowed: one number") from None
        named, arrays = self._arrays("record", parameters, by_name)
        self.records.append((arrays, value))
        if self.noted is not None:
            self.noted(named)

    def record_average(self, *parameters: Any, **by_name: Any) -> None:
        """Report a moving average of the weights after a step, as :meth:`record` takes them."""
        self.averages.append(self._arrays("record_average", parameters, by_name)[1])

    def callback(self, trainer: str) -> Any:
        """A callback for ``"keras"``, ``"lightning"`` or ``"transformers"``: it calls :meth:`record` after each step.

        Raises :class:`InputError` for a trainer that is unknown, has no callbacks or is not installed.
        """
        from parity.features.check.callbacks import callback

        return callback(trainer, self)

    def _arrays(
        self, call: str, parameters: tuple[Any, ...], by_name: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Array]]:
        """The tensors of a report, and their values."""
        if by_name and (parameters or not by_name.keys() <= {"weight", "bias"} or "weight" not in by_name):
            given = ", ".join([*(type(each).__name__ for each in parameters), *(f"{name}=…" for name in by_name)])
            raise InputError(f"{call}({given}): allowed: {call}(net), {call}(w, b) or {call}(weight=w, bias=b)")
        named = _named(call, tuple(by_name[name] for name in ("weight", "bias") if name in by_name) or parameters)
        shapes = {"weight": (1, 1, self.features), "bias": (1, 1)}
        for name, each in named.items():
            if each.layout is not torch.strided:
                raise InputError(f"{call}: {name} is {each.layout}; allowed: dense tensors, so call .to_dense()")
            if each.numel() != (allowed := math.prod(shapes[name])):
                raise InputError(f"{call}: {name} has {each.numel()} numbers; allowed: {allowed}, the weight first")
        return named, {name: exact(each).reshape(shapes[name]) for name, each in named.items()}


class Loader:
    """The batches in the experiment's order; every ``iter`` is the next epoch, from the first again after the last."""

    def __init__(self, task: Task) -> None:
        self._task, self._epoch = task, 0

    def __len__(self) -> int:
        return len(self._task.rows[0])

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = self._task.rows[self._epoch % len(self._task.rows)]
        self._epoch += 1
        for rows in batches:
            yield self._task._inputs["X"][rows], self._task._inputs["y"][rows]


def exact(tensor: Tensor) -> Array:
    """A copy in float64; of a ``DTensor`` the whole, for which all ranks must ask."""
    whole = tensor.detach().full_tensor() if isinstance(tensor, dtensor()) else tensor.detach()
    copied: Array = whole.to("cpu", torch.float64, copy=True).numpy()
    return copied


def _named(call: str, parameters: tuple[Any, ...]) -> dict[str, Tensor]:
    """``weight`` and ``bias``, whatever they were given as."""
    what: Any = parameters[0] if len(parameters) == 1 else parameters
    if isinstance(what, nn.Module):
        what = dict(what.named_parameters())
    if isinstance(what, Mapping):  # the weight is the larger one, or called so where both are one number
        names = sorted(what, key=lambda name: (-_size(what[name]), not str(name).endswith("weight")))
        tensors = [what[name] for name in names]
    else:
        tensors = list(what) if isinstance(what, tuple | list) else [what]
    if not 1 <= len(tensors) <= 2 or not all(isinstance(each, Tensor) for each in tensors):
        kinds = ", ".join(type(each).__name__ for each in tensors) or "nothing"
        many = len(tensors) > 2 and all(isinstance(each, Tensor) for each in tensors)
        layers = f" of one linear layer; {WATCH}" if many else ""
        raise InputError(f"{call}({kinds}): allowed: a module, or weight and bias as tensors,{layers}".rstrip(","))
    return dict(zip(("weight", "bias"), tensors, strict=False))


def _size(what: Any) -> int:
    return what.numel() if isinstance(what, Tensor) else 0
