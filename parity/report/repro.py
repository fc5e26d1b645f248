"""A disagreement as a script of its own, for a bug report: torch and NumPy only, the recorded inputs inside."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from parity.backends.options import options_of, strengths
from parity.formulation import realise
from parity.report.files import write_whole
from refimpl.training import scheduled
from refimpl.trajectory import Trajectory
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.results import Run


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
    subject, _, rest = first.quantity.partition(" ")
    if subject in ("update", "state") or first.quantity.startswith("untouched gradients/"):
        context |= _step(one, trajectory, rest.removeprefix("gradients/"), subject)
    elif subject in ("initial", "data", "untouched"):
        material = one.experiment.draw()
        asked = {**material.params, **material.inputs}[rest.removeprefix("inputs/")]
        context |= {"kind": "stored", "asked": asked[0].tolist()}
    elif subject == "norm":
        context |= {"kind": "norm", "tensors": {"weight": _list(trajectory.params["weight"][first.step])}}
    else:
        context |= _pass(one, trajectory, first.quantity)
    return write_whole(path, _template().render(context))


def _step(one: Run, trajectory: Trajectory, what: str, subject: str) -> dict[str, Any]:
    """One step of the optimizer, from the recorded weights, gradient and state."""
    assert one.verdict.first is not None
    step = one.verdict.first.step
    name, _, key = what.partition(".")
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
        "key": key,
        "untouched": subject == "untouched",
    }
    if one.setting.formulation != "manual":
        flags = {"foreach": one.setting.implementation == "foreach", "fused": one.setting.implementation == "fused"}
        return context | {
            "kind": "torch.optim",
            "optimizer": type(optimizer).__name__,
            "options": _keywords(options | flags),
        }
    function, source = trajectory.meta["by_hand"][type(optimizer).__name__]
    return context | {
        "kind": "by hand",
        "source": source,
        "function": function,
        "options": _keywords(options_of(optimizer)),
    }


def _pass(one: Run, trajectory: Trajectory, quantity: str) -> dict[str, Any]:
    """A forward and backward pass at the recorded weights, on the batch of the step or on all rows."""
    assert one.verdict.first is not None
    step = one.verdict.first.step
    kind = "pass"
    X, y = "X", "y"
    if quantity in ("train loss", "validation loss"):
        kind = "all rows"
        X, y = ("X", "y") if quantity == "train loss" else ("X_validation", "y_validation")
        rows = np.arange(trajectory.inputs[X].shape[1])
    else:
        rows = [rows for batches in one.experiment.draw().order for rows in batches][step]
    params = {name: values[step] for name, values in trajectory.params.items()}
    form = realise(one.experiment, one.setting.formulation)
    got = {"loss": "loss", "objective": "objective"}.get(quantity, "loss" if kind == "all rows" else "")
    if quantity == "gradient off span":
        kind = "off span"
    elif not got:
        got = f"{quantity.split()[1]}.grad"
    loss: Any = one.experiment.loss
    return {
        "kind": kind,
        "tensors": {
            "X": _list(trajectory.inputs[X][:, rows]),
            "y": _list(trajectory.inputs[y][:, rows]),
            **{name: _list(values) for name, values in params.items()},
        },
        "bias": "bias" in params,
        "factor": float(loss.factor),
        "reduction": loss.reduction,
        "penalties": [text for name, penalty in form.in_gradient.terms if (text := _penalty_text(name, penalty))],
        "got": got,
        "penalty_off_span": _off_span_of_penalties(form, params, trajectory.inputs["X"][:, rows]),
    }


def _off_span_of_penalties(form: Any, params: dict[str, Array], X: Array) -> list[float]:
    """What the penalties, which are no combination of the rows, contribute to the complement of their span."""
    zero = {name: np.zeros_like(values) for name, values in params.items()}
    penalties = form.in_gradient.penalised(zero, params)
    flat = np.concatenate([values.ravel() for values in penalties.values()])
    basis, _ = np.linalg.qr(form.in_gradient.model.rows(X)[0].T)
    return [float(number) for number in flat - basis @ (basis.T @ flat)]


def _penalty_text(name: str, penalty: Any) -> str:
    l1, l2 = strengths(penalty)
    terms = [f"{l1!r} * {name}.abs().sum()"] if l1 else []
    return " + ".join(terms + ([f"{l2!r} / 2 * ({name} * {name}).sum()"] if l2 else []))


def _keywords(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _list(values: Array) -> Any:
    """Nested lists without the axis of runs; ``repr`` of a double loses nothing."""
    return values[0].tolist()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("parity.report"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Python, not HTML
    )
    return environment.get_template("repro.py.j2")
