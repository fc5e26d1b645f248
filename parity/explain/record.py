"""What is known of a run: its weights at every step, perhaps its losses, and what it says of its arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.explain.pattern import still
from parity.judge.profile import profile_of
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What is known of a run.

    ``weights`` by parameter ``(K + 1, …)``, with the ``formats`` that they are stored in. ``loss`` ``(K,)`` or
    None. ``dtype``: what the run says it computes in; ``profiles``: of its ``"loss"`` and its ``"update"``.
    ``ignored``: elements of a parameter that nothing is expected of. ``written``: how far the numbers may be from those
    that the run had, half a unit of the last digit that was written, by parameter and for ``"loss"``, of the same
    shapes; what is not in it is exact.
    """

    weights: Mapping[str, Array]
    loss: Array | None
    dtype: str
    profiles: Mapping[str, Profile]
    formats: Mapping[str, Format]
    ignored: Mapping[str, Array] = field(default_factory=dict)
    written: Mapping[str, Array] = field(default_factory=dict)

    def before(self, name: str, steps: Any, profile: Profile) -> Bounded:
        """A parameter before some steps, as far as it is known."""
        return Bounded(self.weights[name][steps], self.half_unit(name)[steps], profile)

    def half_unit(self, name: str) -> Array:
        """What a recorded number may be off by how it was written; 0 where it is exact."""
        like: Any = self.loss if name == "loss" else self.weights[name]
        return self.written.get(name, np.zeros(like.shape))

    @property
    def steps(self) -> int:
        return len(next(iter(self.weights.values()))) - 1


def with_zeros(trajectory: Trajectory, params: Params) -> tuple[Trajectory, list[str]]:
    """A parameter that was not recorded counts as one that stays 0; and the names of these."""
    missing = [name for name in params if name not in trajectory.params]
    zeros = {name: np.zeros((trajectory.steps + 1, *params[name].shape)) for name in missing}
    return (replace(trajectory, params={**trajectory.params, **zeros}) if missing else trajectory), missing


def recording_of(trajectory: Trajectory) -> tuple[Recording, bool]:
    """The record up to its first number that is not finite, and whether all of it is."""
    dtype = str(trajectory.meta.get("dtype", "float64"))
    weights = {name: np.asarray(values[:, 0], float) for name, values in trajectory.params.items()}
    finite = np.logical_and.reduce([np.isfinite(v.reshape(len(v), -1)).all(axis=1) for v in weights.values()])
    last = len(finite) if finite.all() else max(int(np.argmin(finite)), 1)
    losses = trajectory.loss[: last - 1, 0]
    recording = Recording(
        weights={name: values[:last] for name, values in weights.items()},
        loss=losses if np.isfinite(losses).all() and len(losses) == last - 1 else None,
        dtype=dtype,
        profiles={part: profile_of(trajectory, part) for part in ("loss", "update")},
        formats={name: FORMATS[trajectory.formats.get(name, dtype)] for name in weights},
        written=_written(trajectory.meta.get("written", {}), last),
    )
    return recording, bool(finite.all())


def _written(units: Mapping[str, Array], rows: int) -> dict[str, Array]:
    """Half units of the first rows."""
    return {name: values[: rows - 1] if name == "loss" else values[:rows, 0] for name, values in units.items()}


def without_still(recording: Recording) -> Recording:
    """Elements that never moved, though others did, are judged apart."""
    chosen = {name: still(values) for name, values in recording.weights.items()}
    return replace(recording, ignored={name: some for name, some in chosen.items() if some.any()})


def narrower(recording: Recording) -> str | None:
    """A format with fewer digits than the run says, which all weights after the first step are numbers of.

    None where the weights are known to some digits only.
    """
    if recording.written:
        return None
    after = np.concatenate([values[1:].reshape(-1) for values in recording.weights.values()])
    for name in ("bfloat16", "float16", "float32"):
        fewer = FORMATS[name].digits < FORMATS[recording.dtype].digits
        if fewer and len(after) and np.any(after) and np.all(FORMATS[name].round(after) == after):
            return name
    return None


def said_in(trajectory: Trajectory, format: str) -> Trajectory:
    """The same run as if it had said that it is in another format."""
    sums = "float32" if FORMATS[format].digits < FORMATS["float32"].digits else format
    profile = {"compute": format, "accumulate": sums}
    inputs = {name: np.asarray(FORMATS[format].round(values), float) for name, values in trajectory.inputs.items()}
    params = dict(trajectory.params)
    if trajectory.meta.get("assumed start"):
        start = {name: np.asarray(FORMATS[format].round(values[:1]), float) for name, values in params.items()}
        params = {name: np.concatenate([start[name], values[1:]]) for name, values in params.items()}
    meta = {**trajectory.meta, "dtype": format, "profile": {"loss": profile, "update": profile}}
    return replace(trajectory, params=params, inputs=inputs, formats={}, meta=meta)
