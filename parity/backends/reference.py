"""The reference as a backend: :func:`refimpl.training.train` in float64."""

from __future__ import annotations

from parity.experiment import Experiment, Material
from parity.formulation import Formulation, realise
from refimpl.training import train
from refimpl.trajectory import Trajectory


def run_reference(experiment: Experiment, formulation: Formulation, material: Material | None = None) -> Trajectory:
    """The trajectory that mathematics and float64 give, for comparison side by side; ``material``: as it was drawn."""
    material = material or experiment.draw()
    form = realise(experiment, formulation)
    inputs = material.inputs
    validation = (inputs["X_validation"], inputs["y_validation"]) if "X_validation" in inputs else None
    return train(
        form.in_gradient,
        form.groups,
        material.params,
        inputs["X"],
        inputs["y"],
        material.order,
        schedule=form.schedule,
        validation=validation,
        masks=material.masks,
        windows=material.windows,
        clip=form.clip,
        freeze=form.freeze,
        average=form.average,
    )
