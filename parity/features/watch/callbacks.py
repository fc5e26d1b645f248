"""Callbacks for trainers: a watch for each optimizer, which starts and stops with the training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import torch

from parity.errors import InputError, nearest, needs
from parity.features.watch.hooks import Watch
from parity.features.watch.report import WatchReport
from parity.features.watch.watch import watch


@needs(trainer="the name of a trainer, such as lightning")
def watch_callback(trainer: str, **options: Any) -> Any:
    """A callback for ``"lightning"``, ``"pytorch_lightning"`` or ``"transformers"``, to be given to the trainer.

    It judges the steps of each optimizer of the training. ``callback.watches`` has the watches, ``callback.reports``
    what they have seen. ``options``: those of :func:`parity.watch`, but ``model``, which the trainer knows.

    Raises :class:`parity.errors.InputError` for a trainer that is unknown or not installed.
    """
    if trainer in WITHOUT:
        raise InputError(f"{trainer}: {WITHOUT[trainer]}")
    if trainer not in TRAINERS:
        known = [*TRAINERS, *WITHOUT]
        raise InputError(f"trainer {trainer!r}: unknown; allowed: {', '.join(known)}{nearest(str(trainer), known)}")
    return TRAINERS[trainer](options)


class Watching:
    """The watches of one training."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.options = options
        self.watches: list[Watch] = []

    @property
    def reports(self) -> list[WatchReport]:
        """What each watch has seen, in the order of the optimizers."""
        return [each.report for each in self.watches]

    def begin(self, optimizers: Iterable[Any], model: torch.nn.Module) -> None:
        """Watch these optimizers, and no longer those of an earlier training."""
        self.end()
        self.watches = [watch(optimizer, model=model, **self.options).start() for optimizer in optimizers]

    def end(self) -> None:
        """Watch no further step."""
        for each in self.watches:
            each.stop()


def lightning(options: Mapping[str, Any], module: str = "lightning.pytorch") -> Any:
    """A callback that Lightning's ``Trainer(callbacks=[...])`` takes."""
    base = installed(module).Callback

    class WatchCallback(Watching, base):  # type: ignore[misc, valid-type]  # a class that is imported when it is asked for
        def on_train_start(self, trainer: Any, pl_module: torch.nn.Module) -> None:
            self.begin(trainer.optimizers, pl_module)

        def on_train_end(self, trainer: Any, pl_module: torch.nn.Module) -> None:
            del trainer, pl_module
            self.end()

        def on_exception(self, trainer: Any, pl_module: torch.nn.Module, exception: BaseException) -> None:
            del trainer, pl_module, exception
            self.end()

    return WatchCallback(options)


def transformers(options: Mapping[str, Any]) -> Any:
    """A callback that the ``Trainer(callbacks=[...])`` of transformers takes."""
    base = installed("transformers").TrainerCallback

    class WatchCallback(Watching, base):  # type: ignore[misc, valid-type]  # a class that is imported when it is asked for
        def on_train_begin(
            self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **_: Any
        ) -> None:
            del args, state, control
            self.begin([optimizer], model)

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.end()

    return WatchCallback(options)


def installed(module: str) -> Any:
    """A module of a package that this one does not need."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise InputError(f"{package}: is not installed; pip install {package}") from error


TRAINERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "lightning": lightning,
    "pytorch_lightning": lambda options: lightning(options, "pytorch_lightning"),
    "transformers": transformers,
}
WITHOUT = {
    "accelerate": "has no callbacks; parity.watch(optimizer) takes the optimizer that accelerator.prepare returns",
    "keras": "trains with optimizers of its own; parity.watch judges those of torch, as in a loop written in torch",
}
"""Why a trainer has no callback, and what to do in its place."""
