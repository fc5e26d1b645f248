"""Callbacks that report to a task what a trainer did: its weights after each step, and the loss where it is known.

Torch's hooks see the steps of torch's optimizers without them; a callback adds the losses, and is what shows the steps
of a trainer whose optimizers are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from parity.errors import InputError, nearest


def callback(trainer: str, task: Any) -> Any:
    """A callback for ``"keras"``, ``"lightning"`` or ``"transformers"``.

    Raises :class:`parity.errors.InputError` for a trainer that is unknown, has no callbacks or is not installed.
    """
    if trainer in WITHOUT:
        raise InputError(f"task.callback({trainer!r}): {WITHOUT[trainer]}")
    if trainer not in TRAINERS:
        known = [*TRAINERS, *WITHOUT]
        allowed = f"allowed: {', '.join(TRAINERS)}{nearest(str(trainer), known)}"
        raise InputError(f"task.callback({trainer!r}): unknown; {allowed}")
    return TRAINERS[trainer](task)


def keras(task: Any) -> Any:
    """Keras with the backend torch: after each batch in which the optimizer stepped."""
    base = installed("keras").callbacks.Callback

    class TaskCallback(base):  # type: ignore[misc, valid-type]  # a class that is imported when it is asked for
        def on_train_begin(self, logs: Any = None) -> None:
            del logs
            self.steps = int(self.model.optimizer.iterations)
            self.report()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del batch, logs  # its loss is the mean since the epoch began
            if int(self.model.optimizer.iterations) > self.steps:
                self.steps = int(self.model.optimizer.iterations)
                self.report()

        def report(self) -> None:
            task.record([each.value for each in self.model.trainable_variables])

    return TaskCallback()


def lightning(task: Any) -> Any:
    """Lightning's ``Trainer``: after each step, with the mean of the losses of its batches."""
    base = installed("lightning.pytorch").Callback

    class TaskCallback(base):  # type: ignore[misc, valid-type]  # a class that is imported when it is asked for
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.steps = trainer.global_step
            self.losses: list[Any] = []
            task.record(pl_module)

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
            loss = outputs["loss"] if isinstance(outputs, dict) and "loss" in outputs else outputs
            self.losses.append(loss)
            if trainer.global_step > self.steps:
                known = all(each is not None for each in self.losses)
                task.record(pl_module, loss=sum(self.losses) / len(self.losses) if known else None)
                self.steps, self.losses = trainer.global_step, []

    return TaskCallback()


def transformers(task: Any) -> Any:
    """The ``Trainer`` of transformers: after each step."""
    base = installed("transformers").TrainerCallback

    class TaskCallback(base):  # type: ignore[misc, valid-type]  # a class that is imported when it is asked for
        def on_train_begin(self, *_: Any, model: Any = None, **__: Any) -> None:
            task.record(model)

        def on_step_end(self, *_: Any, model: Any = None, **__: Any) -> None:
            task.record(model)

    return TaskCallback()


def installed(module: str) -> Any:
    """A module of a package that this one does not need."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise InputError(f"{package}: is not installed; pip install 'step-parity[trainers]'") from error


TRAINERS: dict[str, Callable[[Any], Any]] = {
    "keras": keras,
    "lightning": lightning,
    "transformers": transformers,
}
SEEN = "has no callbacks, and needs none: the steps of torch's optimizers are seen as they are"
WITHOUT = {
    "accelerate": SEEN,
    "ignite": SEEN,
    "skorch": SEEN,
}
"""Why a trainer has no callback here."""
