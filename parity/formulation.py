"""Where each term of the objective lives: the same mathematics, realised in three ways.

``loss``           every penalty is part of the loss, and reaches the gradient through autograd
``weight_decay``   L2 penalties become the optimizer's coupled ``weight_decay``: λ/2·‖w‖² adds λw to the gradient
``manual``         no autograd and no ``torch.optim``: gradient and update written by hand, with L2 in the update

The reference runs the same realisation, so that it sees the same gradients and optimizer states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from parity.errors import Unsupported
from parity.experiment import Experiment
from refimpl.accumulation import Accumulation
from refimpl.averaging import EMA, SWA
from refimpl.clipping import Clip
from refimpl.freezing import Freeze
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.ranks import Ranks
from refimpl.training import Group
from refimpl.types import Optimizer, Penalty, Schedule

Formulation = Literal["loss", "weight_decay", "manual"]
FORMULATIONS: tuple[Formulation, ...] = ("loss", "weight_decay", "manual")


@dataclass(frozen=True)
class Realised:
    """The objective as experiments state it, the part of it that gradients contain, and an optimizer per parameter.

    ``accumulation``, ``ranks``, ``clip``, ``freeze``: what comes between the gradients and the optimizers. ``average``:
    of what they leave.
    """

    objective: Problem
    in_gradient: Problem
    optimizers: dict[str, Optimizer]
    schedule: Schedule
    accumulation: Accumulation | None = None
    ranks: Ranks | None = None
    clip: Clip | None = None
    freeze: tuple[Freeze, ...] = ()
    average: EMA | SWA | None = None

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(Group(parameters=(name,), optimizer=optimizer) for name, optimizer in self.optimizers.items())


def realise(experiment: Experiment, formulation: Formulation) -> Realised:
    """Put each penalty where the formulation has it. Raises :class:`Unsupported` where it has no place."""
    optimizers: dict[str, Any] = dict(experiment.optimizers)
    objective = Problem(model=experiment.model, loss=experiment.loss, penalties=experiment.penalties)
    remaining: list[Penalty] = []
    for penalty in experiment.penalties:
        for name in penalty.parameters:
            term = cast("Penalty", replace(cast("Any", penalty), parameters=(name,)))
            optimizer = optimizers[name]
            if optimizer.decay == "proximal":
                if optimizer.penalty is not None:
                    raise Unsupported(f"two penalties on {name}: the proximal operator of a sum is not implemented")
                optimizers[name] = replace(optimizer, penalty=term)
            elif formulation != "loss" and isinstance(term, L2) and _takes_coupled(optimizer):
                optimizers[name] = replace(optimizer, weight_decay=optimizer.weight_decay + term.strength)
            elif formulation == "weight_decay":
                kind = type(penalty).__name__
                raise Unsupported(f"{type(optimizer).__name__}'s weight_decay cannot express {kind} on {name} here")
            else:
                remaining.append(term)
    in_gradient = replace(objective, penalties=tuple(remaining))
    between = experiment.accumulation, experiment.ranks, experiment.clip, experiment.freeze, experiment.average
    return Realised(objective, in_gradient, optimizers, experiment.schedule, *between)


def _takes_coupled(optimizer: Any) -> bool:
    """Coupled decay equals the penalty, except when ascending: torch negates the gradient before it adds the decay."""
    return bool(optimizer.decay == "coupled" and not getattr(optimizer, "maximize", False))
