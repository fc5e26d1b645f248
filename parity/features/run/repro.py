"""A disagreement as a script of its own, for a bug report: torch and NumPy only, the recorded inputs inside."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from parity.backends.options import options_of
from parity.backends.torch_text import keywords, loss_lines, penalty_text
from parity.formulation import realise
from parity.output import write_whole
from parity.step.expected import Quantity
from parity.templates import environment
from refimpl.models import MLP
from refimpl.training import scheduled
from refimpl.trajectory import Trajectory
from refimpl.types import Array, LinearModel, Model

if TYPE_CHECKING:
    from parity.features.run.results import Run


MANY = 20_000
"""Numbers from which on Python takes long to read them one by one."""


def write_repro(one: Run, path: Path) -> Path:
    """Write the script for the run's first disagreement and return its path."""
    trajectory, first = one.trajectory, one.verdict.first
    assert trajectory is not None and first is not None
    context: dict[str, Any] = {
        "title": f"{one.experiment.name}, {one.setting}: torch disagrees with the mathematics of the step.",
        "first": first,
        "tensors": {},
        "setting": one.setting,
        "versions": ", ".join(f"{name} {v}" for name, v in trajectory.meta.get("versions", {}).items()),
    }
    quantity = first.quantity
    if quantity.kind in ("update", "state", "untouched gradient"):
        context |= _step(one, trajectory, quantity)
    elif quantity.kind in ("initial", "data", "untouched input"):
        material = one.experiment.draw()
        asked = {**material.params, **material.inputs}[quantity.parameter]
        context |= {"kind": "stored", "asked": _list(asked)}
    elif quantity.kind == "norm":
        weights = {_word(name): _list(trajectory.params[name][first.step]) for name in one.experiment.model.weights}
        context |= {"kind": "norm", "tensors": weights}
    else:
        context |= _pass(one, trajectory, quantity)
    return write_whole(path, _template().render(context))


def _step(one: Run, trajectory: Trajectory, quantity: Quantity) -> dict[str, Any]:
    """One step of the optimizer, from the recorded weights, gradient and state."""
    assert one.verdict.first is not None
    step = one.verdict.first.step
    name = quantity.parameter
    form = realise(one.experiment, one.setting.formulation)
    material = one.experiment.draw()
    epoch = next(i for i, end in enumerate(np.cumsum([len(batches) for batches in material.order])) if step < end)
    count = epoch if form.schedule.per == "epoch" else step
    optimizer: Any = scheduled(form.optimizers[name], form.schedule, count)
    options = options_of(optimizer)
    state = trajectory.state_before(step).get(name, {})
    context = {
        "tensors": {
            "w": _list(trajectory.params[name][step]),
            "g": _list(trajectory.gradients[name][step]),
            **{state_key: _list(values) for state_key, values in state.items()},
        },
        "state": list(state),
        "key": quantity.key,
        "untouched": quantity.kind == "untouched gradient",
    }
    if one.setting.formulation != "manual":
        import torch

        from parity.backends.torch_autograd import flags_of

        flags = flags_of(getattr(torch.optim, type(optimizer).__name__), one.setting.implementation)
        return context | {
            "kind": "torch.optim",
            "optimizer": type(optimizer).__name__,
            "options": keywords(options | flags),
        }
    function, source = trajectory.meta["by_hand"][type(optimizer).__name__]
    return context | {
        "kind": "by hand",
        "source": source,
        "function": function,
        "options": keywords(options_of(optimizer)),
    }


def _pass(one: Run, trajectory: Trajectory, quantity: Quantity) -> dict[str, Any]:
    """A forward and backward pass at the recorded weights, on the batch of the step or on all rows."""
    assert one.verdict.first is not None
    step = one.verdict.first.step
    kind = "pass"
    X, y = "X", "y"
    if quantity.kind in ("train loss", "validation loss"):
        kind = "all rows"
        X, y = ("X", "y") if quantity.kind == "train loss" else ("X_validation", "y_validation")
        rows = np.arange(trajectory.inputs[X].shape[1])
    else:
        rows = [rows for batches in one.experiment.draw().order for rows in batches][step]
    params = {name: values[step] for name, values in trajectory.params.items()}
    form = realise(one.experiment, one.setting.formulation)
    got = {"gradient": f"{_word(quantity.parameter)}.grad", "objective": "objective"}.get(quantity.kind, "loss")
    if quantity.kind == "gradient off span":
        kind, got = "off span", ""
    ready_made = one.setting.formulation == "weight_decay" or kind == "all rows"
    masks = one.experiment.draw().masks
    mask = {"mask": _list(masks[step])} if masks and kind == "pass" else {}
    return {
        "kind": kind,
        "tensors": {
            "X": _list(trajectory.inputs[X][:, rows]),
            "y": _list(trajectory.inputs[y][:, rows]),
            **{_word(name): _list(values) for name, values in params.items()},
            **mask,
        },
        "parameters": [_word(name) for name in params],
        "bias": "bias" in params,
        "outputs": _outputs_text(one.experiment.model, bool(mask)),
        "loss": loss_lines(one.experiment.loss, "outputs", ready_made=ready_made),
        "penalties": [text for name, penalty in form.in_gradient.terms if (text := penalty_text(_word(name), penalty))],
        "got": got,
        "penalty_off_span": _off_span_of_penalties(form, params, trajectory.inputs["X"][:, rows]),
    }


def _outputs_text(model: Model, masked: bool) -> list[str]:
    """The forward pass, line by line."""
    if isinstance(model, MLP):
        dropped = [f"hidden = hidden * (mask / (1 - {float(model.dropout)!r}))"] if masked else []
        hidden = "hidden = torch.relu(torch.nn.functional.linear(X, fc1_weight, fc1_bias))"
        return [hidden, *dropped, "outputs = torch.nn.functional.linear(hidden, fc2_weight, fc2_bias)"]
    bias = ", bias" if "bias" in model.ndim else ""
    return [f"outputs = torch.nn.functional.linear(X, weight{bias})"]


def _off_span_of_penalties(form: Any, params: dict[str, Array], X: Array) -> list[float]:
    """What the penalties, which are no combination of the rows, contribute to the complement of their span."""
    if not isinstance(form.in_gradient.model, LinearModel):
        return []
    zero = {name: np.zeros_like(values) for name, values in params.items()}
    penalties = form.in_gradient.penalised(zero, params)
    flat = np.concatenate([values.ravel() for values in penalties.values()])
    basis, _ = np.linalg.qr(form.in_gradient.model.rows(X)[0].T)
    return [float(number) for number in flat - basis @ (basis.T @ flat)]


def _word(name: str) -> str:
    """A parameter's name as Python can have it."""
    return name.replace(".", "_")


def _list(values: Array) -> Any:
    """Nested lists without the axis of runs, where ``repr`` of a double loses nothing; of many numbers, their bytes."""
    if values.size <= MANY:
        return values[0].tolist()
    return f'np.frombuffer(bytes.fromhex("{values[0].astype("<f8").tobytes().hex()}"), "<f8").reshape{values.shape[1:]}'


@cache
def _template() -> jinja2.Template:
    return environment("parity.features.run").get_template("repro.py.j2")
