"""What is known of a run: its weights at every step, perhaps more, and what it says of its arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import CARRIER, Bounded, Profile
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Params

MANY, MANY_INPUTS = 10_000, 1_000_000
"""Parameters, and inputs, from which on the judge computes in float64: 20 times faster, at most twice as wide in it."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What is known of a run of K steps.

    ``weights`` by parameter ``(K + 1, …)``, with the ``formats`` that they are stored in. ``loss`` ``(K,)`` or
    None. ``dtype``: what the run says it computes in; ``profiles``: of its ``"loss"`` and its ``"update"``.
    ``ignored``: elements of a parameter that nothing is expected of. ``gradients`` by parameter ``(K, …)``: what the
    optimizer was given. ``states`` by parameter and key ``(K + 1, …)``, or fewer, aligned at the end, where a key came
    into being later; their formats are those of ``parameter/key``. ``averages`` by parameter ``(K, …)``: moving ones of
    the weights after each step. ``inputs``: the data as the run had them, which are taken in the place of a design's;
    without them a design has its own, rounded to ``dtype``. ``written``: how far the numbers may be from those that the
    run had, half a unit of the last digit that was written, by parameter and for ``"loss"``, of the same shapes; what
    is not in it is exact.
    """

    weights: Mapping[str, Array]
    loss: Array | None
    dtype: str
    profiles: Mapping[str, Profile]
    formats: Mapping[str, Format]
    ignored: Mapping[str, Array] = field(default_factory=dict)
    gradients: Mapping[str, Array] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    averages: Mapping[str, Array] = field(default_factory=dict)
    inputs: Mapping[str, Array] = field(default_factory=dict)
    written: Mapping[str, Array] = field(default_factory=dict)

    def before(self, name: str, steps: Any, profile: Profile) -> Bounded:
        """A parameter before some steps, as far as it is known."""
        return Bounded(self.weights[name][steps], self.half_unit(name)[steps], profile)

    def half_unit(self, name: str) -> Array:
        """The error of a recorded number that comes from its written digits; 0 where it is exact."""
        like: Any = self.loss if name == "loss" else self.weights[name]
        return self.written.get(name, np.zeros(like.shape))

    @property
    def steps(self) -> int:
        return len(next(iter(self.weights.values()))) - 1

    @property
    def parameters(self) -> int:
        """The number of elements of all parameters."""
        return sum(values[0].size for values in self.weights.values())

    def format(self, name: str, key: str = "") -> Format:
        """The format in which a parameter, or a tensor of its state, is stored."""
        return self.formats.get(f"{name}/{key}" if key else name, self.profiles["loss"].compute)

    def births(self, name: str) -> dict[str, int]:
        """The step before which each key of a parameter's state was first recorded."""
        return {key: self.steps + 1 - len(values) for key, values in self.states.get(name, {}).items()}

    def state_before(self, name: str, steps: Array) -> dict[str, Array]:
        """The state before ``steps``, which all have the same keys, ``(steps, …)``."""
        states = self.states.get(name, {})
        births = self.births(name).items()
        return {key: states[key][steps - birth] for key, birth in births if steps[0] >= birth}


def profile_of(trajectory: Trajectory, part: str, *, form: float = 1.0) -> Profile:
    """The arithmetic of the ``"loss"`` (forward and backward pass) or of the ``"update"``.

    A run that declares nothing is taken to round every operation, sums included, to its dtype. ``form`` multiplies the
    unit roundoff, as does the form that the run itself declares, of all or of a part: 1 for an implementation of the
    formula's own form, 2 for one of unknown form. A run of :data:`MANY` parameters is judged in a carrier of 53 bits,
    and so are the losses and gradients of one of :data:`MANY_INPUTS` inputs: bounds of a float64 run are twice as wide
    for that.
    """
    many = sum(values[0].size for values in trajectory.params.values()) >= MANY
    many |= part == "loss" and "X" in trajectory.inputs and trajectory.inputs["X"].size >= MANY_INPUTS
    dtype = str(trajectory.meta.get("dtype", "float64"))
    declared: Mapping[str, Any] = trajectory.meta.get("profile", {}).get(part, {})
    others: dict[str, Any] = {
        name: FORMATS[declared[name]] for name in ("sums", "power", "operands") if declared.get(name)
    }
    return Profile(
        compute=FORMATS[declared.get("compute", dtype)],
        accumulate=FORMATS[declared.get("accumulate", dtype)],
        scalar=FORMATS[declared.get("scalar", "float64")],
        flush=bool(declared.get("flush", False)),
        products=bool(declared.get("products", False)),
        form=form * float(trajectory.meta.get("form", 1.0)) * float(declared.get("form", 1.0)),
        carrier=np.float64 if many else CARRIER,
        **others,
    )


def complete(trajectory: Trajectory, *, form: float = 1.0) -> Recording:
    """All that was recorded, finite or not; for ``form`` see :func:`profile_of`."""
    dtype = str(trajectory.meta.get("dtype", "float64"))
    profiles = {part: profile_of(trajectory, part, form=form) for part in ("loss", "update")}
    stored = dict.fromkeys(trajectory.params, profiles["loss"].compute)
    return Recording(
        weights={name: values[:, 0] for name, values in trajectory.params.items()},
        loss=trajectory.loss[:, 0],
        dtype=dtype,
        profiles=profiles,
        formats=stored | {tensor: FORMATS[name] for tensor, name in trajectory.formats.items()},
        gradients={name: values[:, 0] for name, values in trajectory.gradients.items()},
        states={name: {k: v[:, 0] for k, v in states.items()} for name, states in trajectory.state.items()},
        averages={name: values[:, 0] for name, values in trajectory.averages.items()},
        inputs=trajectory.inputs,
    )


def with_zeros(trajectory: Trajectory, params: Params) -> tuple[Trajectory, list[str]]:
    """A parameter that was not recorded counts as one that stays 0; and the names of these."""
    missing = [name for name in params if name not in trajectory.params]
    zeros = {name: np.zeros((trajectory.steps + 1, *params[name].shape)) for name in missing}
    return (replace(trajectory, params={**trajectory.params, **zeros}) if missing else trajectory), missing


def recording_of(trajectory: Trajectory) -> tuple[Recording, bool]:
    """The record up to its first number that is not finite, without the data, and whether all of it is."""
    whole = complete(trajectory)
    weights = {name: np.asarray(values, float) for name, values in whole.weights.items()}
    finite = np.logical_and.reduce([np.isfinite(v.reshape(len(v), -1)).all(axis=1) for v in weights.values()])
    last = len(finite) if finite.all() else max(int(np.argmin(finite)), 1)
    losses = trajectory.loss[: last - 1, 0]
    recording = replace(
        whole,
        weights={name: values[:last] for name, values in weights.items()},
        loss=losses if np.isfinite(losses).all() and len(losses) == last - 1 else None,
        gradients={name: values[: last - 1] for name, values in whole.gradients.items()},
        states={
            name: {key: values[: last - whole.births(name)[key]] for key, values in states.items()}
            for name, states in whole.states.items()
        },
        averages={name: values[: last - 1] for name, values in whole.averages.items()},
        inputs={},
        written={
            name: units[: last - 1] if name == "loss" else units[:last, 0]
            for name, units in trajectory.meta.get("written", {}).items()
        },
    )
    return recording, bool(finite.all())


def still(weights: Array) -> Array:
    """Which elements of a parameter ``(K + 1, …)`` never moved, though others did."""
    same: Array = (weights == weights[0]).all(axis=0)
    return same if not same.all() else np.zeros_like(same)


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
    """The run as if its record named another format."""
    sums = "float32" if FORMATS[format].digits < FORMATS["float32"].digits else format
    profile = {"compute": format, "accumulate": sums}
    inputs = {name: np.asarray(FORMATS[format].round(values), float) for name, values in trajectory.inputs.items()}
    params = dict(trajectory.params)
    if trajectory.meta.get("assumed start"):
        start = {name: np.asarray(FORMATS[format].round(values[:1]), float) for name, values in params.items()}
        params = {name: np.concatenate([start[name], values[1:]]) for name, values in params.items()}
    meta = {**trajectory.meta, "dtype": format, "profile": {"loss": profile, "update": profile}}
    return replace(trajectory, params=params, inputs=inputs, formats={}, meta=meta)
