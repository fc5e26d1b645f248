"""A training loop to begin with: the optimizer, the loss and the schedule of an experiment, written with torch."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import torch

from parity.backends.options import options_of
from parity.backends.torch_schedules import SCHEDULERS
from parity.backends.torch_text import keywords, loss_lines, penalty_text
from parity.errors import InputError, Unsupported
from parity.experiment import Experiment
from parity.formulation import Realised, realise
from parity.step.design import check_linear

START = "check-sgd"
"""The experiment of the loop where none is asked for."""


def template(experiment: Experiment, asked: str) -> str:
    """The file. ``asked``: how the experiment is called on the command line.

    Raises :class:`InputError` for a model that is not linear, and for what torch does not have.
    """
    check_linear(experiment)
    if experiment.trainer_parts:
        parts = ", ".join(experiment.trainer_parts)
        raise InputError(f"{asked}: asks for {parts}, which no template has; give another experiment")
    form = _realised(experiment)
    starts, none = ["net.weight.copy_(task.weight)", "net.bias.copy_(task.bias)"], ""
    if "bias" not in experiment.model.ndim:
        starts, none = starts[:1], ", bias=False"
    scheduler, advance = _scheduler(form), []
    if scheduler:
        advance = ["scheduler.step()"]
    penalties = [text for name, one in form.in_gradient.terms if (text := penalty_text(f"net.{name}", one))]
    loss = loss_lines(experiment.loss, "net(X)", ready_made=True)
    objective = [f"objective = {' + '.join(['loss', *penalties])}"] if penalties else []
    step = [
        *loss,
        *objective,
        "optimizer.zero_grad()",
        f"{'objective' if penalties else 'loss'}.backward()",
        "optimizer.step()",
        *(advance if form.schedule.per == "step" else []),
        "task.record(net, loss=loss)",
    ]
    lines = [
        f'"""The loop of {experiment.name}. Make it your own, then see what it computes:',
        "",
        f"    parity check loop.py:train --experiment {asked}",
        '"""',
        "",
        "import torch",
        "",
        "",
        "def train(task):",
        f"    net = torch.nn.Linear(task.features, 1{none}, dtype=task.dtype, device=task.device)",
        "    with torch.no_grad():",
        *(f"        {line}" for line in starts),
        *(f"    {line}" for line in _optimizer(form)),
        *(f"    {line}" for line in scheduler),
        "    task.record(net)  # before the first step",
        "    for _ in range(task.epochs):",
        "        for X, y in task.loader:",
        *(f"            {line}" for line in step),
        *(f"        {line}" for line in advance if form.schedule.per == "epoch"),
    ]
    return "\n".join(lines) + "\n"


def _realised(experiment: Experiment) -> Realised:
    """With L2 penalties as the optimizer's ``weight_decay``, as one writes it; in the loss where that cannot be."""
    try:
        return realise(experiment, "weight_decay")
    except Unsupported:
        return realise(experiment, "loss")


def _optimizer(form: Realised) -> list[str]:
    """The lines that make torch's optimizer; parameters with equal options are one group.

    What all groups share is said once, in the constructor: torch's Adagrad reads one option of no group.
    """
    kinds = sorted({type(optimizer).__name__ for optimizer in form.optimizers.values()})
    kind = getattr(torch.optim, kinds[0], None)
    if kind is None or len(kinds) > 1:
        raise InputError(f"--template: there is no torch.optim.{' and '.join(kinds)}; give another experiment")
    options = {name: _options(kind, optimizer) for name, optimizer in form.optimizers.items()}
    first = next(iter(options.values()))
    shared = {key: value for key, value in first.items() if all(one.get(key) == value for one in options.values())}
    groups: dict[str, list[str]] = {}
    for name, one in options.items():
        own = "".join(f', "{key}": {value!r}' for key, value in one.items() if key not in shared)
        groups.setdefault(own, []).append(f"net.{name}")
    if len(groups) == 1:
        return [f"optimizer = torch.optim.{kinds[0]}(net.parameters(), {keywords(shared)})"]
    return [
        "groups = [",
        *(f'    {{"params": [{", ".join(names)}]{own}}},' for own, names in groups.items()),
        "]",
        f"optimizer = torch.optim.{kinds[0]}(groups, {keywords(shared)})",
    ]


def _options(kind: Any, optimizer: Any) -> dict[str, Any]:
    """The rate, and the options that are not torch's defaults."""
    usual = {name: one.default for name, one in inspect.signature(kind).parameters.items()}
    options = options_of(optimizer)
    other = {name: value for name, value in options.items() if name in usual and value != usual[name]}
    return {"lr": options["lr"], **{name: value for name, value in other.items() if name != "lr"}}


def _scheduler(form: Realised) -> list[str]:
    """The line that makes torch's scheduler, if the rate changes."""
    schedule: Any = form.schedule
    name = SCHEDULERS[type(schedule)]
    if name is None:
        return []
    options = {field.name: getattr(schedule, field.name) for field in fields(schedule) if field.name != "per"}
    return [f"scheduler = torch.optim.lr_scheduler.{name}(optimizer, {keywords(options)})"]
