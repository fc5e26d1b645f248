"""A run through ``torch.nn``, autograd and ``torch.optim``; penalties that are in the gradient are part of the loss."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from parity.backends.base import Setting
from parity.backends.options import options_of
from parity.backends.torch_parts import from_scratch, module, ready_made
from parity.backends.torch_penalties import penalty_value
from parity.backends.torch_run import Run, in_torchs_words, record, saved
from parity.backends.torch_schedules import torch_schedule
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised
from refimpl.averaging import EMA
from refimpl.types import Array

FLAGS = {
    "for-loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"foreach": False, "fused": True},
}


def flags_of(kind: type, implementation: str) -> dict[str, bool]:
    """The options that choose an implementation, as far as a class of optimizers has them: some have a loop only."""
    known = inspect.signature(kind).parameters
    return {flag: on for flag, on in FLAGS[implementation].items() if on or flag in known}


TORCH_EPS = 1e-6
"""The number that torch adds to a norm before it divides by it."""


class Autograd(Run):
    """``torch.nn``, autograd and ``torch.optim``; penalties that are in the gradient are part of the loss."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        super().__init__(experiment, form, material, setting)
        self.make()

    def make(self) -> None:
        """Make the module and what trains it, as a program does at its start."""
        form, setting = self.form, self.setting
        self.net = module(self.model, self.inputs["X"].shape[1], setting.device, self.dtype)
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                parameter.copy_(self.params[name])
        self.params = dict(self.net.named_parameters())
        groups: list[dict[str, Any]] = []  # parameters with equal options share one, as they do in real code
        for name, optimizer in form.optimizers.items():
            options = options_of(optimizer)
            same = next((group for group in groups if {**group, "params": None} == {**options, "params": None}), None)
            if same is None:
                groups.append({"params": [self.params[name]], **options})
            else:
                same["params"].append(self.params[name])
        kinds = {type(optimizer).__name__ for optimizer in form.optimizers.values()}
        if len(kinds) > 1:
            raise Unsupported(f"one torch optimizer cannot be {' and '.join(sorted(kinds))} at once")
        with in_torchs_words((RuntimeError, TypeError, ValueError, AttributeError)):
            kind = getattr(torch.optim, kinds.pop())
            flags = flags_of(kind, setting.implementation)
            start = {name: value for name, value in groups[0].items() if name == "initial_accumulator_value"}
            self.optimizer: torch.optim.Optimizer = kind(groups, **flags, **start)  # Adagrad reads it of no group
            self.scheduler = torch_schedule(self.schedule, self.optimizer)
            multi_avg_fn: Any = get_ema_multi_avg_fn  # Any: torch leaves it untyped
            self.averaged: AveragedModel | None = None
            if isinstance(form.average, EMA):
                self.averaged = AveragedModel(self.net, multi_avg_fn=multi_avg_fn(float(form.average.decay)))
            elif form.average is not None:
                self.averaged = AveragedModel(self.net)

    def resume(self) -> None:
        parts: dict[str, Any] = {"net": self.net, "optimizer": self.optimizer}
        parts |= {} if self.scheduler is None else {"scheduler": self.scheduler}
        parts |= {} if self.averaged is None else {"averaged": self.averaged}
        checkpoint = saved({name: part.state_dict() for name, part in parts.items()})
        self.make()
        for name, state in checkpoint.items():
            getattr(self, name).load_state_dict(state)

    def state(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: {key: v for key, v in self.optimizer.state[parameter].items() if isinstance(v, Tensor)}
            for name, parameter in self.params.items()
        }

    def average(self) -> dict[str, Tensor]:
        if self.averaged is None:
            return {}
        self.averaged.update_parameters(self.net)
        return dict(self.averaged.module.named_parameters())

    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        frozen = self.frozen()
        for name, parameter in self.params.items():
            parameter.requires_grad_(name not in frozen)
        step_loss = step_objective = 0.0
        gradients: list[dict[str, Tensor]] = []
        with self.first_step_in_torchs_words():
            for batches in self.ranks(X, y):
                self.optimizer.zero_grad()
                for X_micro, y_micro, mask in batches:
                    loss, objective = self.backward(X_micro, y_micro, mask)
                    step_loss, step_objective = step_loss + loss, step_objective + objective
                gradients.append({name: p.grad for name, p in self.params.items() if p.grad is not None})
            for name, gradient_of_all in self.reduced(gradients).items():
                self.params[name].grad = gradient_of_all
            self.clip()
            gradient = self.gradient()
            with in_torchs_words((TypeError,)) if self.live else contextlib.nullcontext():
                self.optimizer.step()  # a fused SGD cannot take a first gradient that comes late
        self.compare("gradients/", gradient, self.gradient())
        if self.scheduler is not None and self.schedule.per == "step":
            self.scheduler.step()
        return step_loss / self.window.world, step_objective / self.window.world, gradient

    def backward(self, X: Tensor, y: Tensor, mask: Tensor | None) -> tuple[float, float]:
        """Add the gradient of one micro-batch to those before it; return its part of the loss and of the objective."""
        outputs = self.net(X) if mask is None else self.net(X, mask)
        loss = (from_scratch if self.setting.formulation == "loss" else ready_made)(self.loss, outputs, y)
        penalised: Any = loss  # Any: torch leaves backward() untyped
        for name, penalty in self.form.in_gradient.terms:
            penalised = penalised + penalty_value(penalty, self.params[name])
        divisor = self.window.divisor
        if divisor > 1:
            loss, penalised = loss / divisor, penalised / divisor
        if penalised.requires_grad:  # not where every parameter is frozen
            penalised.backward()
        return loss.item(), penalised.item()

    def gradient(self) -> dict[str, Array]:
        """What the optimizer is given: zeros where a parameter is frozen and has no gradient."""
        grads = {name: p.grad for name, p in self.params.items()}
        return record({n: torch.zeros_like(self.params[n]) if g is None else g for n, g in grads.items()})

    def clip(self) -> None:
        """Clip the gradients in place, by torch's own function."""
        clip = self.form.clip
        if clip is None:
            return
        if clip.eps != TORCH_EPS:
            raise Unsupported(f"clip_grad_norm_ has eps = {TORCH_EPS}; clip.eps is {clip.eps}")
        together = [list(self.params.values())] if clip.of == "all" else [[each] for each in self.params.values()]
        for some in together:
            torch.nn.utils.clip_grad_norm_(some, float(clip.norm))

    def end_of_epoch(self) -> None:
        if self.scheduler is not None and self.schedule.per == "epoch":
            self.scheduler.step()
