"""An experiment as arrays and numbers: what a training function is given, without the reference that it is held to."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.errors import InputError, Unsupported
from refimpl.errors import RefimplError
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.experiment import Experiment
    from refimpl.batches import Order


Groups = tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...]


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """``inputs`` and initial ``params`` by name, without the axis of runs; the ``order`` of the rows of each batch;
    ``hyper``: numbers and options of the optimizer; ``l1``, ``l2``: strengths of the penalties on the weight;
    ``accumulate``: how many batches make one step; ``max_norm``: how long a gradient may be; ``resume_at``: the
    steps before which it is resumed; ``shards``: by the size of a batch, the places of each rank's rows in it;
    ``groups``: parameters with equal options and these, or why there are none.

    ``experiment`` stays pickled in the process of the code: to read it is to import the whole reference, which few
    functions need.
    """

    inputs: Mapping[str, Array]
    params: Mapping[str, Array]
    order: Order
    epochs: int
    hyper: Mapping[str, Any]
    lr: float
    l1: float
    l2: float
    accumulate: int
    max_norm: float | None
    resume_at: tuple[int, ...]
    shards: Mapping[int, tuple[Array, ...]]
    groups: Groups | str
    experiment: Experiment | bytes

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"experiment": pickle.dumps(self.experiment)}


def task_data(experiment: Experiment, count: int = 1) -> TaskData:
    """Draw an experiment. ``count``: over how many ranks a batch is divided where the experiment does not say.

    Raises :class:`InputError` where it cannot be drawn, or a rank would have no row of a batch.
    """
    from refimpl.training import hyper_parameters  # here, for the process of the code needs none of it

    try:
        material = experiment.draw()
    except RefimplError as error:
        raise InputError(f"{experiment.name}: {error}") from error
    strengths = [_strengths(penalty) for penalty in experiment.penalties if "weight" in penalty.parameters]
    l1, l2 = (float(sum(pair[i] for pair in strengths)) for i in (0, 1))
    return TaskData(
        inputs={name: array[0] for name, array in material.inputs.items()},
        params={name: array[0] for name, array in material.params.items()},
        order=material.loaded,
        epochs=experiment.epochs,
        hyper={name: value for name, value in vars(experiment.optimizer).items() if name != "penalty"},
        lr=float(hyper_parameters(experiment.optimizer)["lr"]),
        l1=l1,
        l2=l2,
        accumulate=1 if experiment.accumulation is None else experiment.accumulation.micro,
        max_norm=None if experiment.clip is None else float(experiment.clip.norm),
        resume_at=experiment.resumed_at,
        shards=_shards(experiment, count, {len(rows) for batches in material.loaded for rows in batches}),
        groups=_groups(experiment),
        experiment=experiment,
    )


def _groups(experiment: Experiment) -> Groups | str:
    """The parameters by their options, with penalties as ``weight_decay``; or the reason why that cannot be."""
    from parity.backends.options import options_of
    from parity.formulation import realise

    try:
        optimizers = realise(experiment, "weight_decay").optimizers
        options = {name: options_of(optimizer) for name, optimizer in optimizers.items()}
    except Unsupported as error:
        return str(error)
    kinds = sorted({type(optimizer).__name__ for optimizer in optimizers.values()})
    if len(kinds) > 1:
        return f"the experiment has {' and '.join(kinds)}"
    said = {"lr", "weight_decay"} | _differing(options.values())
    owned = {name: {key: value for key, value in own.items() if key in said} for name, own in options.items()}
    groups: list[tuple[tuple[str, ...], Mapping[str, Any]]] = []
    for own in owned.values():
        if all(own != other for _, other in groups):
            groups.append((tuple(name for name, others in owned.items() if others == own), own))
    return tuple(groups)


def _differing(options: Iterable[Mapping[str, Any]]) -> set[str]:
    """The options that not all have alike."""
    first, *others = options
    return {key for key in first if any(other.get(key) != first[key] for other in others)}


def _shards(experiment: Experiment, count: int, sizes: set[int]) -> dict[int, tuple[Array, ...]]:
    """The places of each rank's rows in batches of these sizes; there are ``count`` where no ranks are asked for."""
    from refimpl.ranks import Ranks

    ranks = experiment.ranks or Ranks(count=count)
    try:
        return {size: tuple(ranks.shards(size)) for size in sizes}
    except RefimplError as error:
        raise InputError(f"{experiment.name}: {error}") from error


def _strengths(penalty: Any) -> tuple[Any, Any]:
    """The strengths of λ‖w‖₁ and of λ/2·‖w‖²."""
    from refimpl.penalties import L1, L2, ElasticNet

    if isinstance(penalty, L1):
        return penalty.strength, 0.0
    if isinstance(penalty, L2):
        return 0.0, penalty.strength
    return (penalty.l1, penalty.l2) if isinstance(penalty, ElasticNet) else (0.0, 0.0)
