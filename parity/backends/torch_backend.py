"""PyTorch: the same experiment through ``torch.nn`` and ``torch.optim``, or by hand, recorded step by step."""

from __future__ import annotations

import contextlib
import inspect
import platform
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.backends.base import Setting
from parity.backends.options import options_of
from parity.backends.torch_arithmetic import profiles
from parity.backends.torch_gradients import loss_and_gradient
from parity.backends.torch_manual import UPDATES
from parity.backends.torch_parts import evaluated, from_scratch, module, ready_made
from parity.backends.torch_penalties import penalty_gradient, penalty_value
from parity.backends.torch_schedules import torch_schedule
from parity.errors import OptionError, Unsupported, nearest
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.training import scheduled, stack_states
from refimpl.trajectory import SideEffect, Trajectory
from refimpl.types import Array

FLAGS = {
    "for-loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"foreach": False, "fused": True},
}


class TorchBackend:
    """Any device torch has."""

    name = "torch"

    def devices(self) -> list[str]:
        """``cpu``, and the accelerator if this machine has one."""
        if torch.accelerator.is_available():
            return ["cpu", str(torch.accelerator.current_accelerator())]
        return ["cpu"]

    def check_device(self, device: str) -> None:
        """Raise :class:`InputError` unless a tensor can be made and read back there."""
        try:
            torch.zeros(1, device=device).cpu()
        except Exception as error:  # torch raises AssertionError, RuntimeError, NotImplementedError …
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            allowed = self.devices()
            raise OptionError(
                f"--device {device}: torch cannot use it ({reason}); available here: {', '.join(allowed)}"
                f"{nearest(device, (*allowed, 'cuda', 'mps', 'xpu'))}"
            ) from error

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        form = realise(experiment, setting.formulation)
        material = experiment.draw()
        if not isinstance(experiment.model, Linear | MLP) or not isinstance(
            experiment.loss, SquaredError | CrossEntropy
        ):
            raise Unsupported("the torch backend has the linear model and the MLP, squared error and cross-entropy")
        with tf32(setting.tf32):
            run = _ByHand if setting.formulation == "manual" else _Autograd
            return run(experiment, form, material, setting).train()


class _Run(ABC):
    """The loop and the recording; subclasses take one step. Everything recorded is copied, exactly, to float64."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        self.form, self.material, self.setting, self.schedule = form, material, setting, experiment.schedule
        self.model, self.loss = experiment.model, experiment.loss
        self.dtype: torch.dtype = getattr(torch, setting.dtype)
        self.inputs = {name: self.tensor(array[0]) for name, array in material.inputs.items()}
        self.params = {name: self.tensor(array[0]) for name, array in material.params.items()}
        self.masks = [self.tensor(mask[0]) for mask in material.masks]
        self.side_effects: list[SideEffect] = []
        self.epoch = self.step_number = 0

    def tensor(self, array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float64).to(self.setting.device, self.dtype)

    @abstractmethod
    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        """Take one step; return loss, objective and the gradients that the optimizer was given."""

    @abstractmethod
    def state(self) -> dict[str, dict[str, Tensor]]:
        """The optimizer's state tensors by parameter."""

    def end_of_epoch(self) -> None:  # noqa: B027  # nothing to advance by default
        """Advance a schedule that counts epochs."""

    def evaluate(self, X: Tensor, y: Tensor) -> float:
        """The loss without penalty on all rows."""
        return ready_made(self.loss, evaluated(self.model, self.params, X), y).item()

    def provenance(self) -> dict[str, Any]:
        """The name of the device, which a reader of the trajectory needs to know."""
        on_cpu = torch.device(self.setting.device).type == "cpu"
        return {} if on_cpu else {"device_name": torch.get_device_module(self.setting.device).get_device_name()}

    def train(self) -> Trajectory:
        inputs_before = {name: self._shared(name, array) for name, array in record(self.inputs).items()}
        params, gradients, states = [record(self.params)], [], [self.recorded_state()]
        loss, objective, norm = [], [], [self.norm()]
        train_loss, validation_loss = [], []

        def record_epoch() -> None:
            with torch.no_grad():
                train_loss.append([self.evaluate(self.inputs["X"], self.inputs["y"])])
                if "X_validation" in self.inputs:
                    validation = self.evaluate(self.inputs["X_validation"], self.inputs["y_validation"])
                    validation_loss.append([validation])

        record_epoch()
        for batches in self.material.order:
            for rows in batches:
                index = torch.tensor(rows, device=self.setting.device)
                X, y = self.inputs["X"][index], self.inputs["y"][index]
                step_loss, step_objective, gradient = self.step(X, y)
                loss.append([step_loss])
                objective.append([step_objective])
                gradients.append(gradient)
                params.append(record(self.params))
                states.append(self.recorded_state())
                norm.append(self.norm())
                self.step_number += 1
            record_epoch()
            self.epoch += 1
            self.end_of_epoch()

        self.compare("inputs/", inputs_before, record(self.inputs))
        sizes = {len(batch) for batches in self.material.order for batch in batches}
        sizes |= {array.shape[1] for array in inputs_before.values()}
        layers = {tuple(self.params[name].shape) for name in self.model.weights}
        form = profiles(self.setting, rows=sizes, layers=layers)
        return Trajectory(
            params={name: np.stack([p[name] for p in params]) for name in self.params},
            gradients={name: np.stack([g[name] for g in gradients]) for name in self.params},
            state=stack_states(states),
            loss=np.array(loss),
            objective=np.array(objective),
            norm=np.array(norm),
            train_loss=np.array(train_loss),
            validation_loss=np.array(validation_loss) if validation_loss else None,
            inputs=inputs_before,
            formats=self.formats(),
            side_effects=tuple(self.side_effects),
            meta={
                "backend": "torch",
                "versions": versions(),
                **asdict(self.setting),
                "profile": form,
                **self.provenance(),
            },
        )

    def _shared(self, name: str, array: Array) -> Array:
        """The experiment's own array where it is the same: data may be large."""
        asked = self.material.inputs[name]
        return asked if np.array_equal(asked, array) else array

    def first_step_in_torchs_words(self) -> contextlib.AbstractContextManager[None]:
        """An operation that torch does not have for the dtype or device shows at the first step."""
        refusals = (RuntimeError, NotImplementedError)
        return in_torchs_words(refusals) if self.step_number == 0 else contextlib.nullcontext()

    def norm(self) -> list[float]:
        weights = [self.params[name].detach().flatten() for name in self.model.weights]
        return [torch.linalg.vector_norm(torch.cat(weights)).item()]

    def recorded_state(self) -> dict[str, dict[str, Array]]:
        return {name: record(tensors) for name, tensors in self.state().items()}

    def formats(self) -> dict[str, str]:
        """The dtype of each tensor, read off the tensor itself."""
        formats = {name: dtype_name(tensor) for name, tensor in self.params.items()}
        for name, tensors in self.state().items():
            formats |= {f"{name}/{key}": dtype_name(tensor) for key, tensor in tensors.items()}
        return formats

    def compare(self, what: str, before: Mapping[str, Array], after: Mapping[str, Array]) -> None:
        """Note the first element of each array that changed and should not have."""
        for name, old in before.items():
            changed = np.argwhere(~((old == after[name]) | (np.isnan(old) & np.isnan(after[name]))))
            if len(changed):
                index = tuple(int(i) for i in changed[0])
                values = float(old[index]), float(after[name][index])
                self.side_effects.append(SideEffect(self.step_number, what + name, index[1:], *values))


class _Autograd(_Run):
    """``torch.nn``, autograd and ``torch.optim``; penalties that are in the gradient are part of the loss."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        super().__init__(experiment, form, material, setting)
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
            known = inspect.signature(kind).parameters  # an optimizer may have the for-loop only
            flags = {flag: on for flag, on in FLAGS[setting.implementation].items() if on or flag in known}
            start = {name: value for name, value in groups[0].items() if name == "initial_accumulator_value"}
            self.optimizer: torch.optim.Optimizer = kind(groups, **flags, **start)  # Adagrad reads it of no group
            self.scheduler = torch_schedule(self.schedule, self.optimizer)

    def state(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: {key: v for key, v in self.optimizer.state[parameter].items() if isinstance(v, Tensor)}
            for name, parameter in self.params.items()
        }

    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        self.optimizer.zero_grad()
        with self.first_step_in_torchs_words():
            outputs = self.net(X, self.masks[self.step_number]) if self.masks else self.net(X)
            loss = (from_scratch if self.setting.formulation == "loss" else ready_made)(self.loss, outputs, y)
            penalised: Any = loss  # Any: torch leaves backward() untyped
            for name, penalty in self.form.in_gradient.terms:
                penalised = penalised + penalty_value(penalty, self.params[name])
            penalised.backward()
            gradient = record({name: parameter.grad for name, parameter in self.params.items()})
            self.optimizer.step()
        after = record({name: parameter.grad for name, parameter in self.params.items()})
        self.compare("gradients/", gradient, after)
        if self.scheduler is not None and self.schedule.per == "step":
            self.scheduler.step()
        return loss.item(), penalised.item(), gradient

    def end_of_epoch(self) -> None:
        if self.scheduler is not None and self.schedule.per == "epoch":
            self.scheduler.step()


class _ByHand(_Run):
    """Gradient and update from :mod:`parity.backends.torch_gradients` and :mod:`parity.backends.torch_manual`."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        if setting.implementation != "for-loop":
            raise Unsupported(f"written by hand there is no {setting.implementation} implementation")
        super().__init__(experiment, form, material, setting)
        for kind in {type(optimizer).__name__ for optimizer in form.optimizers.values()} - UPDATES.keys():
            raise Unsupported(f"{kind} is not written by hand here")
        self.states: dict[str, dict[str, Tensor]] = {name: {} for name in self.params}

    def state(self) -> dict[str, dict[str, Tensor]]:
        return self.states

    def provenance(self) -> dict[str, Any]:
        updates = {kind: UPDATES[kind] for kind in {type(o).__name__ for o in self.form.optimizers.values()}}
        sources = {kind: [update.__name__, inspect.getsource(update)] for kind, update in updates.items()}
        return super().provenance() | {"by_hand": sources}

    @torch.no_grad()
    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        with self.first_step_in_torchs_words():
            mask = self.masks[self.step_number] if self.masks else None
            loss, gradient = loss_and_gradient(self.model, self.loss, self.params, X, y, mask)
            objective = loss
            for name, penalty in self.form.in_gradient.terms:
                objective = objective + penalty_value(penalty, self.params[name])
                gradient[name] = gradient[name] + penalty_gradient(penalty, self.params[name])
            recorded = record(gradient)
            count = self.epoch if self.schedule.per == "epoch" else self.step_number
            for name, base in self.form.optimizers.items():
                optimizer = scheduled(base, self.schedule, count)
                update, options = UPDATES[type(optimizer).__name__], options_of(optimizer)
                self.states[name] = update(self.params[name], gradient[name], self.states[name], **options)
        self.compare("gradients/", recorded, record(gradient))
        return loss.item(), objective.item(), recorded


# -- recording -----------------------------------------------------------------------------------------------------


def record(tensors: Mapping[str, Any]) -> dict[str, Array]:
    """Exact float64 copies with the axis of runs, ``(1, …)``."""
    return {name: t.detach().to("cpu", torch.float64, copy=True).numpy()[None] for name, t in tensors.items()}


def dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


@contextlib.contextmanager
def in_torchs_words(refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn torch's refusals into :class:`Unsupported`, in torch's words."""
    try:
        yield
    except refusals as error:
        raise Unsupported(str(error).splitlines()[0]) from error


@contextlib.contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Matrix products in float32 on CUDA: with TF32 operands, or, by default, without; restored afterwards.

    Touched only where it is not what is wanted already: torch refuses to mix its older way of setting it with this.
    """
    matmul: Any = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    if on == (before == "tf32"):
        yield
        return
    matmul.fp32_precision = "tf32" if on else "ieee"
    try:
        yield
    finally:
        matmul.fp32_precision = before
