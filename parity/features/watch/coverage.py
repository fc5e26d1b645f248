"""Which parameters the optimizer and the model share, and what becomes of the others, seen at sampled steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from parity.features.watch.elements import ENDS, chosen
from parity.features.watch.notes import Note, equal
from parity.features.watch.record import StepRecord, on_device
from parity.record.local import local, unreadable
from parity.record.snapshot import exact_at
from refimpl.types import Array


class Coverage:
    """A look at each sampled step; ``notes`` has what all of them have shown.

    ``without``: parameters that had no gradient at any look, by identity. ``resting``: those of the model that the
    optimizer does not hold, which had a gradient and have not moved since the step that stands beside their values.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, model: torch.nn.Module | None, names: Callable[[int, int], str]
    ) -> None:
        self.optimizer, self.model, self.names = optimizer, model, names
        self.steps: list[int] = []
        self.without: dict[int, str] = {}
        self.resting: dict[str, tuple[int, Array]] = {}
        self.still: set[str] = set()
        self.moving: set[str] = set()
        self.strangers: tuple[str, ...] = ()

    def look(self, step: int, records: Sequence[StepRecord]) -> None:
        """Look at all parameters after a step, of which ``records`` have what it found."""
        idle = {id(r.parameter): r.name for r in records if r.before.gradient is None and r.parameter.requires_grad}
        self.without = {key: name for key, name in idle.items() if not self.steps or key in self.without}
        self.steps.append(step)
        self.look_at_others(step)

    def look_at_others(self, step: int) -> None:
        """Look at the parameters of the model that the optimizer does not hold, and at the reverse."""
        if self.model is None:
            return
        of_model = dict(self.model.named_parameters())
        known, held = set(map(id, of_model.values())), set[int]()
        strangers = []
        for place, group in enumerate(self.optimizer.param_groups):
            held.update(map(id, group["params"]))
            strangers += [self.names(place, at) for at, p in enumerate(group["params"]) if id(p) not in known]
        self.strangers = tuple(strangers)
        for name, parameter in of_model.items():
            if id(parameter) not in held and parameter.requires_grad and name not in self.moving:
                self.rest(name, parameter, step)

    def rest(self, name: str, parameter: Tensor, step: int) -> None:
        """Look at a parameter that the optimizer does not hold."""
        if unreadable(parameter) or (parameter.grad is None and name not in self.resting):
            return
        part = local(parameter)
        value = exact_at(part, on_device(chosen(part.numel(), ENDS, np.random.default_rng(0)), part), part.shape)
        if name not in self.resting:
            self.resting[name] = (step, value)
        elif equal(self.resting[name][1], value):
            self.still.add(name)
        else:
            del self.resting[name]
            self.still.discard(name)
            self.moving.add(name)

    def finish(self, steps: int) -> None:
        """Look at the others once more, after so many steps, if some were made since the last look."""
        if self.steps and steps > self.steps[-1] + 1:
            self.look_at_others(steps - 1)

    @property
    def shares_nothing(self) -> bool:
        """Whether no parameter of the optimizer is one of the model's."""
        held = sum(len(group["params"]) for group in self.optimizer.param_groups)
        return len(self.strangers) == held > 0

    def notes(self) -> Iterator[Note]:
        """What all looks have shown; what takes two looks waits for the second."""
        if not self.steps:
            return
        first, times = self.steps[0], len(self.steps)
        if self.strangers:
            yield Note(kind="not of the model", parameters=self.strangers, step=first, times=times)
        if self.without and times > 1:
            yield Note(kind="without gradient", parameters=tuple(self.without.values()), step=first, times=times)
        if names := tuple(name for name in self.resting if name in self.still):
            since = min(self.resting[name][0] for name in names)
            yield Note(kind="never moved", parameters=names, step=since, times=times)
