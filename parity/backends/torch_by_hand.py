"""A run by hand: no autograd and no ``torch.optim``."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from parity.backends.base import Setting
from parity.backends.options import options_of
from parity.backends.torch_gradients import clipped, loss_and_gradient
from parity.backends.torch_manual import UPDATES
from parity.backends.torch_penalties import penalty_gradient, penalty_value
from parity.backends.torch_run import Run, record, saved
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised
from refimpl.averaging import EMA
from refimpl.training import scheduled
from refimpl.types import Array


class ByHand(Run):
    """Gradient and update from :mod:`parity.backends.torch_gradients` and :mod:`parity.backends.torch_manual`."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        if setting.implementation != "for-loop":
            raise Unsupported(f"written by hand there is no {setting.implementation} implementation")
        super().__init__(experiment, form, material, setting)
        for kind in {type(optimizer).__name__ for optimizer in form.optimizers.values()} - UPDATES.keys():
            raise Unsupported(f"{kind} is not written by hand here")
        self.averages: dict[str, Tensor] = {}
        self.averaged = 0
        self.states: dict[str, dict[str, Tensor]] = {name: {} for name in self.params}

    def state(self) -> dict[str, dict[str, Tensor]]:
        return self.states

    def resume(self) -> None:
        kept = self.params, self.states, self.averages, self.averaged
        self.params, self.states, self.averages, self.averaged = saved(kept)

    def average(self) -> dict[str, Tensor]:
        of_weights, n = self.form.average, self.averaged
        if of_weights is None:
            return {}
        if not n:
            self.averages = {name: w.clone() for name, w in self.params.items()}
        elif isinstance(of_weights, EMA):
            d = float(of_weights.decay)
            self.averages = {name: d * e + (1 - d) * self.params[name] for name, e in self.averages.items()}
        else:
            self.averages = {name: a + (self.params[name] - a) / (n + 1) for name, a in self.averages.items()}
        self.averaged = n + 1
        return self.averages

    def provenance(self) -> dict[str, Any]:
        updates = {kind: UPDATES[kind] for kind in {type(o).__name__ for o in self.form.optimizers.values()}}
        sources = {kind: [update.__name__, inspect.getsource(update)] for kind, update in updates.items()}
        return super().provenance() | {"by_hand": sources}

    @torch.no_grad()
    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        step_loss = step_objective = 0.0
        gradients: list[dict[str, Tensor]] = []
        with self.first_step_in_torchs_words():
            for batches in self.ranks(X, y):
                of_rank: dict[str, Tensor] = {}
                for X_micro, y_micro, mask in batches:
                    loss, objective, of_micro = self.micro_batch(X_micro, y_micro, mask)
                    of_rank = {name: of_rank[name] + g if of_rank else g for name, g in of_micro.items()}
                    step_loss, step_objective = step_loss + loss, step_objective + objective
                gradients.append(of_rank)
            gradient, frozen = self.reduced(gradients), self.frozen()
            gradient |= {name: torch.zeros_like(gradient[name]) for name in frozen}
            gradient = gradient if self.form.clip is None else clipped(gradient, self.form.clip)
            recorded = record(gradient)
            count = self.epoch if self.schedule.per == "epoch" else self.step_number
            for name, base in self.form.optimizers.items():
                if name in frozen:
                    continue
                optimizer = scheduled(base, self.schedule, count)
                update, options = UPDATES[type(optimizer).__name__], options_of(optimizer)
                self.states[name] = update(self.params[name], gradient[name], self.states[name], **options)
        self.compare("gradients/", recorded, record(gradient))
        return step_loss / self.window.world, step_objective / self.window.world, recorded

    def micro_batch(self, X: Tensor, y: Tensor, mask: Tensor | None) -> tuple[float, float, dict[str, Tensor]]:
        """The loss, the objective and the gradient of one micro-batch, divided as the window says."""
        loss, gradient = loss_and_gradient(self.model, self.loss, self.params, X, y, mask)
        objective = loss
        for name, penalty in self.form.in_gradient.terms:
            objective = objective + penalty_value(penalty, self.params[name])
            gradient[name] = gradient[name] + penalty_gradient(penalty, self.params[name])
        divisor = self.window.divisor
        if divisor > 1:
            loss, objective = loss / divisor, objective / divisor
            gradient = {name: each / divisor for name, each in gradient.items()}
        return loss.item(), objective.item(), gradient
