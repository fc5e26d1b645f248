"""An experiment: everything that decides what a training run computes, as immutable data.

Nothing in it belongs to a framework. Made from the reference's own objects, in Python or from a TOML file
(:mod:`parity.experiment_file`)::

    Experiment(
        name="mine", data=Gaussian(train_rows=20, features=200), epochs=10,
        loss=SquaredError(factor=0.5, reduction="mean"), penalties=(L2(strength=3.0),),
        optimizer=SGD(lr=0.01), init={"weight": Normal(std=0.01)}, batches=Batches(size=5),
    )
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from refimpl.accumulation import Accumulation, Window
from refimpl.averaging import EMA, SWA
from refimpl.batches import Batches, Order
from refimpl.clipping import Clip
from refimpl.datasets.dataset import Dataset, first_not_finite
from refimpl.datasets.generator import Generator
from refimpl.datasets.source import FromFiles, shown
from refimpl.errors import ParameterError
from refimpl.freezing import Freeze
from refimpl.initial_weights import Init, draw_all
from refimpl.memory import gibibytes, memory
from refimpl.models import Linear
from refimpl.problem import Problem
from refimpl.ranges import number_fields
from refimpl.ranks import Ranks
from refimpl.resuming import Resume
from refimpl.schedules import Constant
from refimpl.training import Group, draw_masks, scheduled
from refimpl.types import Array, ClassLoss, Loss, Model, Optimizer, Penalty, Schedule

NAME = re.compile(r"[^\W_][\w .+=,-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One training run.

    ``data``: a generator or a file. ``loss``: with its factor and reduction. ``penalties``: terms of the objective; how
    a framework realises them (in the loss, or as ``weight_decay``) is the *formulation*, chosen when it is run.
    ``optimizer``: of every parameter that is in no group. ``groups``: other optimizers for the parameters they name.
    ``init``: by parameter; a parameter without one starts at 0. ``batches``, ``epochs``: the order of the rows.
    ``accumulation``: how many batches make one step. ``ranks``: over how many ranks each batch is divided. ``clip``:
    how long the gradients of a step may be. ``freeze``: parameters that some steps do not train. ``ema``: a moving
    average of the weights; ``swa``: their equal average. ``resume``: before which steps the training is saved and
    loaded.
    ``seed``: of data, initial weights, batch order and the masks of dropout, each with a stream of its own.
    ``title``, ``source``: what it is and where it is from, in words; a copy with another name has its own.
    Raises :class:`parity.InputError` where the parts do not fit together.
    """

    name: str
    data: Generator
    loss: Loss
    optimizer: Optimizer
    epochs: int
    penalties: tuple[Penalty, ...] = ()
    groups: tuple[Group, ...] = ()
    schedule: Schedule = Constant()  # noqa: RUF009  # frozen
    init: Mapping[str, Init] = field(default_factory=dict)
    batches: Batches = Batches()  # noqa: RUF009  # frozen
    accumulation: Accumulation | None = None
    ranks: Ranks | None = None
    clip: Clip | None = None
    freeze: tuple[Freeze, ...] = ()
    ema: EMA | None = None
    swa: SWA | None = None
    resume: Resume | None = None
    model: Model = Linear()  # noqa: RUF009  # frozen
    seed: int = 0
    title: str = ""
    source: str = ""
    described: tuple[str, str, str] = field(default=("", "", ""), repr=False, compare=False)
    """The name that title and source were written for, and both: not to be given."""

    def __post_init__(self) -> None:
        self._drop_words_of_another()
        if not NAME.fullmatch(self.name):
            raise ParameterError(
                "name",
                given=reprlib.repr(self.name),
                allowed="letters, digits, spaces and _ . + = , -, at most 100, the first a letter or a digit",
                remedy="choose another name: files of results are called by it",
            )
        for name, least in (("epochs", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ParameterError(
                    name, given=getattr(self, name), allowed=f"an integer ≥ {least}", remedy=f"change {name}"
                )
        self._check_numbers()
        if self.ema is not None and self.swa is not None:
            raise ParameterError("swa", given="beside ema", allowed="one average of the weights", remedy="drop one")
        Problem(model=self.model, loss=self.loss, penalties=self.penalties)
        self.optimizers  # noqa: B018  # raises where a group names an unknown parameter or one twice
        self._check_schedule(0)
        for i, freeze in enumerate(self.freeze):
            unknown = [repr(name) for name in freeze.parameters if name not in self.model.ndim]
            if unknown:
                where, allowed = f"freeze[{i}].parameters", ", ".join(self.model.ndim)
                raise ParameterError(where, given=unknown[0], allowed=allowed, remedy="name the model's parameters")

    def _drop_words_of_another(self) -> None:
        """Of a copy with another name, which ``dataclasses.replace`` hands the title and the source of the first."""
        name, *words = self.described or ("",)
        for what, word in zip(("title", "source"), words, strict=False):
            if name and name != self.name and getattr(self, what) == word:
                object.__setattr__(self, what, "")
        object.__setattr__(self, "described", (self.name, self.title, self.source))

    def _check_numbers(self) -> None:
        """One run has one value of each hyper-parameter, and states each penalty as its own."""
        parts: dict[str, Any] = {name: getattr(self, name) for name in ("model", "loss", "optimizer", "schedule")}
        parts |= {f"penalties[{i}]": penalty for i, penalty in enumerate(self.penalties)}
        parts |= {f"groups[{i}]": group.optimizer for i, group in enumerate(self.groups)}
        for where, part in parts.items():
            for name in number_fields(part.__class__):
                value = getattr(part, name)
                numbers = value if isinstance(value, tuple) else (value,)  # betas are two
                if not all(isinstance(number, int | float | None) for number in numbers):
                    given, remedy = reprlib.repr(value), "make one experiment for each value"
                    raise ParameterError(f"{where}.{name}", given=given, allowed="one Python number", remedy=remedy)
            if getattr(part, "penalty", None) is not None:
                given, remedy = repr(part.penalty), "state it in penalties"
                raise ParameterError(f"{where}.penalty", given=given, allowed="no penalty here", remedy=remedy)

    def _check_schedule(self, count: int) -> None:
        """Raise where the schedule has no sense for an optimizer after so many advances."""
        for optimizer in self.optimizers.values():
            try:
                with np.errstate(all="ignore"):  # a rate that is not finite is refused by the optimizer
                    scheduled(optimizer, self.schedule, count)
            except ArithmeticError as error:
                raise ParameterError(
                    "schedule", given=self.schedule, allowed="rates that stay finite", remedy="change schedule"
                ) from error

    @property
    def trainer_parts(self) -> tuple[str, ...]:
        """What is asked beside the batches and the optimizer: accumulation, ranks, clip, freeze, ema, swa, resume."""
        parts = ("accumulation", "ranks", "clip", "freeze", "ema", "swa", "resume")
        asked = {name: getattr(self, name) or None for name in parts}
        return tuple(name for name, part in asked.items() if part is not None)

    @property
    def average(self) -> EMA | SWA | None:
        """The average of the weights that is asked for."""
        return self.ema or self.swa

    @property
    def resumed_at(self) -> tuple[int, ...]:
        """The steps before which the training is saved and loaded."""
        return () if self.resume is None else self.resume.at

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        """The optimizer of each parameter, in the model's order."""
        chosen: dict[str, Optimizer] = dict.fromkeys(self.model.ndim, self.optimizer)
        seen: set[str] = set()
        for group in self.groups:
            for name in group.parameters:
                if name not in chosen or name in seen:
                    given = f"{name!r} twice" if name in seen else repr(name)
                    raise ParameterError(
                        "groups.parameters", given=given, allowed=", ".join(chosen), remedy="name each at most once"
                    )
                seen.add(name)
                chosen[name] = group.optimizer
        return chosen

    def draw(self) -> Material:
        """Data, initial weights, batch order and masks, made from the seed: the same for every framework."""
        data_seed, init_seed, order_seed, mask_seed = np.random.SeedSequence(self.seed).spawn(4)
        dataset = self.data.make(np.random.default_rng(data_seed))
        self._check_targets(dataset)
        _, rows, features = dataset.X.shape
        shapes = self.model.shapes(features)
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            params = draw_all(self.init, shapes, features, dataset.truth, np.random.default_rng(init_seed))
        for name, values in params.items():
            if (bad := first_not_finite(values)) is not None:
                where, number = f"init.{name}{list(bad[1:])}", float(values[bad])
                raise ParameterError(where, given=number, allowed="a finite number", remedy=f"change init.{name}")
        self._check_memory(rows, shapes)
        loaded = self._order(rows, np.random.default_rng(order_seed))
        order, windows = loaded, tuple[Window, ...]()
        if self.accumulation is not None:
            with in_part("accumulation"):
                order, windows = self.accumulation.windows(loaded)
        if self.ranks is not None:
            with in_part("ranks"):
                order, windows = self.ranks.divide(order, windows)
        if self.resume is not None:
            self.resume.check(sum(map(len, order)))
        advances = len(order) if self.schedule.per == "epoch" else sum(len(batches) for batches in order)
        self._check_schedule(advances - 1)
        masks = draw_masks(self.model, order, np.random.default_rng(mask_seed))
        return Material(dataset=dataset, params=params, order=order, masks=masks, loaded=loaded, windows=windows)

    def _check_targets(self, dataset: Dataset) -> None:
        """Raise :class:`refimpl.errors.RefimplError` where targets, loss and outputs of the model do not fit."""
        outputs = self.model.outputs
        for name, targets in (("y", dataset.y), ("y_validation", dataset.y_validation)):
            if isinstance(self.loss, ClassLoss) and targets is not None:
                self.loss.check_classes(name, targets, outputs)
        if outputs > 1 and not isinstance(self.loss, ClassLoss):
            raise ParameterError(
                "model.outputs",
                given=f"{outputs} with {type(self.loss).__name__}",
                allowed="1, as there is one target per row",
                remedy="set outputs = 1, or take cross_entropy for classes",
            )

    def _check_memory(self, rows: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise where the record of a run is more than the machine's memory."""
        batches = self.epochs * -(-rows // min(self.batches.size or rows, rows))
        steps = batches if self.accumulation is None else -(-batches // self.accumulation.micro)
        wanted = self._record_size(rows, steps, shapes)
        if wanted > memory():
            raise ParameterError(
                "epochs",
                given=f"{self.epochs}: {steps} steps, whose record takes {gibibytes(wanted)}",
                allowed=f"what the memory of this machine holds, {gibibytes(memory())}",
                remedy="give fewer epochs, or a larger batch size",
            )

    def record_size(self, material: Material) -> int:
        """The bytes of the record of a run."""
        shapes = {name: values.shape[1:] for name, values in material.params.items()}
        return self._record_size(material.dataset.X.shape[1], sum(map(len, material.order)), shapes)

    def _record_size(self, rows: int, steps: int, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """8 bytes for each number: the order of the rows; weights, gradients, averages and states at each step."""
        numbers = 0
        for name, optimizer in self.optimizers.items():
            kept = optimizer.init(np.zeros((1, *shapes[name])))
            numbers += (2 if self.average is None else 3) * math.prod(shapes[name]) + sum(
                np.size(value) for value in kept.values()
            )
        return 8 * (self.epochs * rows + steps * numbers)

    @property
    def changed_files(self) -> tuple[str, ...]:
        """The data files that no longer hold what was read of them."""
        sources = self.data.sources if isinstance(self.data, FromFiles) else ()
        return tuple(shown(source.path) for source in sources if source.changed())

    def _order(self, rows: int, rng: np.random.Generator) -> Order:
        with in_part("batches"):
            return self.batches.draw(rows, self.epochs, rng)


def check_plain(experiment: Experiment, tool: str) -> None:
    """Raise :class:`ParameterError` where gradients are accumulated, reduced over ranks, clipped or of frozen
    parameters. An average of the weights and a training that is resumed leave every step what it is."""
    parts = [part for part in experiment.trainer_parts if part not in ("ema", "swa", "resume")]
    if parts:
        raise ParameterError(
            experiment.name,
            given=f"an experiment with {', '.join(parts)}",
            allowed=f"one without, for {tool}",
            remedy="parity run and parity check judge it",
        )


@contextmanager
def in_part(name: str) -> Iterator[None]:
    """An error of a part of the experiment names the part."""
    try:
        yield
    except ParameterError as e:
        raise ParameterError(f"{name}.{e.what}", given=e.given, allowed=e.allowed, remedy=e.remedy) from e


@dataclass(frozen=True, repr=False)
class Material:
    """The arrays of an experiment: ``dataset``, initial ``params`` ``(1, …)``, the ``order`` of the rows of every step
    and, for a model with dropout, the ``masks`` of the steps.

    ``loaded``: the batches as a loader gives them, which are the steps unless gradients are accumulated; ``windows``:
    of each step the batches that it is made of, where they are, or the shards of ranks.
    """

    dataset: Dataset
    params: Mapping[str, Array]
    order: Order
    masks: tuple[Array, ...] = ()
    loaded: Order = ()
    windows: tuple[Window, ...] = ()

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in self.params.items())
        return f"Material({self.dataset!r}, {shapes}, {sum(map(len, self.order))} steps)"

    @property
    def inputs(self) -> dict[str, Array]:
        """The data by the names that a trajectory uses."""
        arrays = {f.name: getattr(self.dataset, f.name) for f in fields(self.dataset) if f.name != "truth"}
        return {name: array for name, array in arrays.items() if array is not None}
