"""Arithmetic that is narrower than the run says, with every rounding where it happens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from parity.explain.catalogue.name import Name
from parity.explain.faults.models import Narrow
from parity.step.design import Design
from refimpl.models import Linear

INTEGERS = "small integers, which narrow formats hold exactly"
LEAVE = "leave autocast, or ask for it"


def narrow(design: Design, _: float, **options: Any) -> Design | None:
    """Forward and backward pass of a linear model in a narrower format."""
    model = design.form.in_gradient.model
    return design.with_model(Narrow(bias=model.bias, **options)) if isinstance(model, Linear) else None


def kept(design: Design, _: float, **formats: str) -> Design:
    """The weights or the state rounded after each step."""
    return replace(design, **formats)  # type: ignore[arg-type]  # of two fields that are formats


PRECISION = {
    "precision-float32-forward": Name(
        text="the forward and backward pass run in float32, products and sums",
        change="make model and data float64 and leave them so",
        probe=INTEGERS,
        apply=partial(narrow, format="float32"),
    ),
    "precision-tf32": Name(
        text="the forward and backward pass round their operands to TF32",
        change="torch.backends.cuda.matmul.fp32_precision = 'ieee'",
        probe=INTEGERS,
        apply=partial(narrow, format="tf32", results=False),
    ),
    "precision-float16-forward": Name(
        text="the forward and backward pass run in float16",
        change=LEAVE,
        probe=INTEGERS,
        apply=partial(narrow, format="float16"),
    ),
    "precision-autocast": Name(
        text="the forward and backward pass run in bfloat16, as under autocast",
        change=LEAVE,
        probe=INTEGERS,
        apply=partial(narrow, format="bfloat16"),
    ),
    **{
        f"precision-{format}-state": Name(
            text=f"the optimizer keeps its state (momentum, averages) in {format}",
            change="keep the optimizer's state in the dtype of the weights: torch.zeros_like(p)",
            probe="no momentum and no averages, where there is no state",
            apply=partial(kept, state_format=format),
        )
        for format in ("float32", "bfloat16", "float16")
    },
    **{
        f"precision-{format}-weights": Name(
            text=f"the weights are rounded to {format} after each step",
            change="keep the weights in float32 or float64",
            probe=f"whether the weights are {format} numbers",
            apply=partial(kept, weights_format=format),
        )
        for format in ("bfloat16", "float16")
    },
}
