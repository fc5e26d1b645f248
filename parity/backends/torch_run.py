"""A run in torch: the loop, and the recording of every step, exactly, in float64."""

from __future__ import annotations

import contextlib
import platform
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.backends.base import Setting
from parity.backends.torch_arithmetic import profiles
from parity.backends.torch_device import device_name
from parity.backends.torch_parts import evaluated, ready_made
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised
from refimpl.accumulation import Window
from refimpl.freezing import live
from refimpl.training import stack_states
from refimpl.trajectory import SideEffect, Trajectory
from refimpl.types import Array


class Run(ABC):
    """The loop and the recording; subclasses take one step. Everything recorded is copied, exactly, to float64."""

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        self.form, self.material, self.setting, self.schedule = form, material, setting, experiment.schedule
        self.model, self.loss = experiment.model, experiment.loss
        self.dtype: torch.dtype = getattr(torch, setting.dtype)
        self.inputs = {name: self.tensor(array[0]) for name, array in material.inputs.items()}
        self.params = {name: self.tensor(array[0]) for name, array in material.params.items()}
        self.masks = [self.tensor(mask[0]) for mask in material.masks]
        self.resumed_at = experiment.resumed_at
        self.side_effects: list[SideEffect] = []
        self.epoch = self.step_number = 0
        steps = [rows for batches in material.order for rows in batches]
        self.windows = material.windows or tuple(Window((len(rows),), 1) for rows in steps)
        self.live = live(form.freeze, len(steps))

    def tensor(self, array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float64).to(self.setting.device, self.dtype)

    @abstractmethod
    def step(self, X: Tensor, y: Tensor) -> tuple[float, float, dict[str, Array]]:
        """Take one step; return loss, objective and the gradients that the optimizer was given."""

    @property
    def window(self) -> Window:
        """The micro-batches of the step; a batch that is one step is one of them."""
        return self.windows[self.step_number]

    def ranks(self, X: Tensor, y: Tensor) -> Iterator[list[tuple[Tensor, Tensor, Tensor | None]]]:
        """Of each rank the batches whose gradients make its part of the step, with the masks of a model that drops
        units. The ranks take turns in one process."""
        mask, slices, micro = (
            self.masks[self.step_number] if self.masks else None,
            self.window.slices,
            self.window.micro,
        )
        for start in range(0, len(slices), micro):
            own = slices[start : start + micro]
            yield [(X[rows], y[rows], None if mask is None else mask[rows]) for rows in own]

    def reduced(self, gradients: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The sum of the ranks' gradients, divided by the number of ranks where it is a mean."""
        total = dict(gradients[0])
        for of_rank in gradients[1:]:
            total = {name: total[name] + g for name, g in of_rank.items()}
        return {name: g / self.window.world for name, g in total.items()} if self.window.world > 1 else total

    def frozen(self) -> list[str]:
        """The parameters that the step does not train."""
        return [name for name, trained in self.live.items() if not trained[self.step_number]]

    @abstractmethod
    def state(self) -> dict[str, dict[str, Tensor]]:
        """The optimizer's state tensors by parameter."""

    @abstractmethod
    def average(self) -> dict[str, Tensor]:
        """Take the weights after the step into their moving average, by parameter; empty where none is kept."""

    @abstractmethod
    def resume(self) -> None:
        """Save the training, and go on with new objects that it is loaded into."""

    def end_of_epoch(self) -> None:  # noqa: B027  # nothing to advance by default
        """Advance a schedule that counts epochs."""

    def evaluate(self, X: Tensor, y: Tensor) -> float:
        """The loss without penalty on all rows."""
        return ready_made(self.loss, evaluated(self.model, self.params, X), y).item()

    def provenance(self) -> dict[str, Any]:
        """The name of the device, which a reader of the trajectory needs to know."""
        name = device_name(self.setting.device)
        return {"device_name": name} if name else {}

    def train(self) -> Trajectory:
        inputs_before = {name: self._shared(name, array) for name, array in record(self.inputs).items()}
        params, gradients, states = [record(self.params)], [], [self.recorded_state()]
        loss, objective, norm, averages = [], [], [self.norm()], []
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
                if self.step_number in self.resumed_at:
                    self.resume()
                index = torch.tensor(rows, device=self.setting.device)
                # not X[index]: its kernel waits for threads, milliseconds where another program has the cores
                X, y = (self.inputs[name].index_select(0, index) for name in ("X", "y"))
                step_loss, step_objective, gradient = self.step(X, y)
                loss.append([step_loss])
                objective.append([step_objective])
                gradients.append(gradient)
                params.append(record(self.params))
                states.append(self.recorded_state())
                norm.append(self.norm())
                averages.append(record(self.average()))
                self.step_number += 1
            record_epoch()
            self.epoch += 1
            self.end_of_epoch()

        for name, tensor in self.inputs.items():  # one at a time: data may be large
            self.compare("inputs/", {name: inputs_before[name]}, record({name: tensor}))
        sizes = {len(batch) for batches in self.material.loaded for batch in batches}
        sizes |= {size for window in self.material.windows for size in window.sizes}
        sizes |= {array.shape[1] for array in inputs_before.values()}
        layers = {tuple(self.params[name].shape) for name in self.model.weights}
        form = profiles(self.setting, rows=sizes, layers=layers)
        return Trajectory(
            params={name: np.stack([p[name] for p in params]) for name in self.params},
            gradients={name: np.stack([g[name] for g in gradients]) for name in self.params},
            state=stack_states(states),
            averages={name: np.stack([each[name] for each in averages]) for name in self.params if any(averages)},
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
            if np.array_equal(old, after[name]):
                continue
            changed = np.argwhere(~((old == after[name]) | (np.isnan(old) & np.isnan(after[name]))))
            if len(changed):
                index = tuple(int(i) for i in changed[0])
                values = float(old[index]), float(after[name][index])
                self.side_effects.append(SideEffect(self.step_number, what + name, index[1:], *values))


# -- recording -----------------------------------------------------------------------------------------------------


def record(tensors: Mapping[str, Any]) -> dict[str, Array]:
    """Exact float64 copies with the axis of runs, ``(1, …)``."""
    return {name: t.detach().to("cpu", torch.float64).numpy()[None].copy() for name, t in tensors.items()}


def saved(state: Any) -> Any:
    """The state as it comes back from a checkpoint that is written and read."""
    checkpoint = BytesIO()
    torch.save(state, checkpoint)
    checkpoint.seek(0)
    return torch.load(checkpoint, weights_only=False)  # it is our own


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
