"""The first steps of an experiment in the reference and in a framework, side by side."""

from __future__ import annotations

import numpy as np

from parity.backends.base import DTYPES, Setting
from parity.backends.reference import run_reference
from parity.errors import EXPERIMENT, InputError, Unsupported, check_name, needs
from parity.experiment import check_plain
from parity.features.trace.choose import check_row, find_element, shortened
from parity.features.trace.content import Step, Trace
from parity.features.trace.framework import run_framework
from parity.features.trace.sections import Chosen, Page
from parity.features.trace.step import letter, trace_step
from parity.formulation import FORMULATIONS, Formulation, realise
from parity.loading import Asked, load
from refimpl.errors import RefimplError
from refimpl.losses import SquaredError
from refimpl.models import Linear


@needs(experiment=EXPERIMENT)
@np.errstate(over="ignore", invalid="ignore")  # a run that diverges is shown as it is
def trace(
    experiment: Asked,
    *,
    steps: int = 3,
    row: int = 0,
    parameter: str = "weight[0]",
    dtype: str = "float64",
    formulation: Formulation = "loss",
    framework: str = "torch",
) -> Trace:
    """Every number of the first ``steps`` steps of the experiment that one element's update is made of.

    ``experiment``: a name of ``parity list``, a file or an experiment. ``row``: the how-many-th of each batch.
    ``parameter``: one element, ``weight[3]`` or ``bias``. ``dtype``: of the framework; the reference computes in
    float64. Raises :class:`parity.errors.InputError`.
    """
    experiment = load(experiment)
    dtype, formulation = check_name("dtype", dtype, DTYPES), check_name("formulation", formulation, FORMULATIONS)
    if not isinstance(experiment.model, Linear) or not isinstance(experiment.loss, SquaredError):
        model, loss = type(experiment.model).__name__, type(experiment.loss).__name__
        raise InputError(
            f"{experiment.name}: has {model} with {loss}; a trace is written for the linear model with squared error"
        )
    try:
        check_plain(experiment, "a trace")
        material = experiment.draw()
        shown = shortened(experiment, material, steps)
        form, reference = realise(experiment, formulation), run_reference(shown, formulation)
    except (Unsupported, RefimplError) as error:
        raise InputError(f"{experiment.name}: {error}") from error
    batches = [(epoch, rows) for epoch, some in enumerate(material.order) for rows in some][:steps]
    check_row(row, [rows for _, rows in batches])
    name, place = find_element(parameter, material.params)
    element = f"{name}[{place}]" if material.params[name][0].size > 1 else name
    chosen = Chosen(name, place, element, row, dtype)
    other = run_framework(framework, shown, Setting(dtype=dtype, formulation=formulation))
    pages = []
    for step, (epoch, rows) in enumerate(batches):
        X, y = material.inputs["X"][:, rows], material.inputs["y"][:, rows]
        count = epoch if form.schedule.per == "epoch" else step
        traced = trace_step(form, reference, step, X, y, name, count)
        page = Page(traced, chosen, None if isinstance(other, str) else other, step, X, y, form.in_gradient.terms)
        pages.append(
            Step(
                number=step + 1,
                epoch=epoch + 1,
                batch=tuple(map(int, rows)),
                rows=page.rows(tuple(map(int, rows))),
                hyper={symbol: float(value) for symbol, value in traced.hyper.items()},
                sections=page.sections(),
            )
        )
    return Trace(
        experiment=experiment.name,
        title=experiment.title,
        optimizer=type(form.optimizers[name]).__name__,
        element=element,
        row=row,
        letter=letter(name),
        dtype=dtype,
        formulation=formulation,
        framework=framework,
        refusal=other if isinstance(other, str) else "",
        steps=tuple(pages),
    )
