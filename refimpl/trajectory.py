"""What a training run recorded, per step and per epoch, whichever framework it ran in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.errors import DataError
from refimpl.types import Array

LARGE = 2**25
"""Bytes from which on a file is not compressed: digits of weights take long and hardly become fewer."""


@dataclass(frozen=True)
class SideEffect:
    """Something that a step moved and should not have: element ``index`` of ``tensor`` at ``step``."""

    step: int
    tensor: str
    index: tuple[int, ...]
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """The record of a run of K steps in E epochs; every array has the axis of runs after that of steps.

    ``params[name]``            (K + 1, runs, …): before each step, and at the end
    ``gradients[name]``         (K, runs, …): what the optimizer was given
    ``state[name][key]``        (K + 1 or K, runs, …): before each step and at the end; K where the key exists only
                                after the first step. Entries are aligned at the end.
    ``averages[name]``          (K, runs, …): a moving average of a parameter after each step, where one was kept
    ``loss``, ``objective``     (K, runs): of the batch before the step, without penalties and with the gradient's
    ``norm``                    (K + 1, runs): ‖w‖₂ of the model's weights
    ``train_loss``, ``validation_loss``   (E + 1, runs): without penalty, before each epoch and at the end
    ``inputs[name]``            the data as this run had them: ``X``, ``y``, ``X_validation``, ``y_validation``
    ``formats[tensor]``         the dtype a tensor was stored in; here all are float64, which holds each exactly
    ``meta``                    where it ran: backend, device, versions, …

    A run that recorded losses only has the final ``params`` and ``averages`` (length 1, aligned at the end) and no
    gradients.
    """

    params: Mapping[str, Array]
    gradients: Mapping[str, Array]
    state: Mapping[str, Mapping[str, Array]]
    loss: Array
    objective: Array
    norm: Array
    train_loss: Array
    validation_loss: Array | None
    averages: Mapping[str, Array] = field(default_factory=dict)
    inputs: Mapping[str, Array] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    side_effects: tuple[SideEffect, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """K, the number of steps."""
        return len(self.loss)

    @property
    def large(self) -> bool:
        """True for a record of so many bytes that several are better not kept in memory."""
        return sum(values.nbytes for values in self._arrays().values()) > LARGE

    def without_steps(self) -> Trajectory:
        """The trajectory that the same run leaves when it records losses only."""
        params, averages = (
            {name: values[-1:].copy() for name, values in arrays.items()} for arrays in (self.params, self.averages)
        )
        return replace(self, params=params, averages=averages, gradients={}, state={})

    def state_before(self, step: int) -> dict[str, dict[str, Array]]:
        """The optimizer's state by parameter before ``step``; keys that did not exist yet are absent."""
        before: dict[str, dict[str, Array]] = {}
        for name, states in self.state.items():
            before[name] = {}
            for key, values in states.items():
                index = step - (self.steps + 1 - len(values))
                if index >= 0:
                    before[name][key] = values[index]
        return before

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one ``.npz`` (arrays, and the rest as JSON text); the file appears whole or not at all.

        Raises :class:`DataError` for arrays of objects (``mpf``, ``Fraction``): they would have to be pickled.
        """
        arrays = self._arrays()
        if any(values.dtype.hasobject for values in arrays.values()):
            raise DataError(
                str(path),
                given="arrays of objects",
                allowed="arrays of numbers",
                remedy="convert them to float64 first",
            )
        rest = {
            "schema": 1,
            "formats": dict(self.formats),
            "side_effects": [vars(effect) for effect in self.side_effects],
            "meta": dict(self.meta),
            "state": list(self.state),
        }
        final = Path(path)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                write = np.savez if self.large else np.savez_compressed
                write(file, **{"json": np.array(json.dumps(rest)), **arrays})  # type: ignore[arg-type]  # stub: bool
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)

    def _arrays(self) -> dict[str, Array]:
        arrays = {f"params/{name}": values for name, values in self.params.items()}
        arrays |= {f"gradients/{name}": values for name, values in self.gradients.items()}
        arrays |= {f"state/{name}/{key}": v for name, states in self.state.items() for key, v in states.items()}
        arrays |= {f"averages/{name}": values for name, values in self.averages.items()}
        arrays |= {f"inputs/{name}": values for name, values in self.inputs.items()}
        arrays |= {"loss": self.loss, "objective": self.objective, "norm": self.norm, "train_loss": self.train_loss}
        if self.validation_loss is not None:
            arrays["validation_loss"] = self.validation_loss
        return arrays

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read what :meth:`save` wrote. Raises :class:`DataError` for any other file."""
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return cls._from({name: archive[name] for name in archive.files})
        except Exception as error:  # on a broken archive numpy, zipfile, zlib raise over a dozen types
            raise DataError(
                str(path),
                given=f"no trajectory ({error})",
                allowed="a file written by Trajectory.save",
                remedy="run again",
            ) from error

    @classmethod
    def _from(cls, arrays: dict[str, Array]) -> Trajectory:
        """From the arrays of a file; any exception means that it is no trajectory."""
        rest = json.loads(str(arrays.pop("json")))
        loss, objective, norm = arrays.pop("loss"), arrays.pop("objective"), arrays.pop("norm")
        train_loss, validation_loss = arrays.pop("train_loss"), arrays.pop("validation_loss", None)
        stateful: dict[str, Any] = {name: {} for name in rest["state"]}  # an optimizer without state leaves no array
        tree: dict[str, dict[str, Any]] = {"params": {}, "gradients": {}, "averages": {}, "inputs": {}}
        tree["state"] = stateful
        for path_in_archive, values in arrays.items():
            branch, name, *key = path_in_archive.split("/")
            if key:
                tree[branch].setdefault(name, {})[key[0]] = values
            else:
                tree[branch][name] = values
        return cls(
            **tree,
            loss=loss,
            objective=objective,
            norm=norm,
            train_loss=train_loss,
            validation_loss=validation_loss,
            formats=rest["formats"],
            side_effects=tuple(SideEffect(**e | {"index": tuple(e["index"])}) for e in rest["side_effects"]),
            meta=rest["meta"],
        )
