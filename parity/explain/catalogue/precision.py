"""Arithmetic that is narrower than the run says, with every rounding where it happens."""

from __future__ import annotations

from dataclasses import replace

from parity.explain.catalogue.name import Apply, Name
from parity.explain.faults.models import Narrow
from parity.step.design import Design
from refimpl.models import Linear


def narrow(format: str, *, results: bool = True) -> Apply:
    """Forward and backward pass of a linear model in a narrower format."""

    def apply(design: Design, _: float) -> Design | None:
        problem = design.form.in_gradient
        if not isinstance(problem.model, Linear):
            return None
        model = Narrow(bias=problem.model.bias, format=format, results=results)
        return replace(design, form=replace(design.form, in_gradient=replace(problem, model=model)))

    return apply


def state(format: str) -> Apply:
    """The optimizer's state rounded after each step."""
    return lambda design, _: replace(design, state_format=format)


INTEGERS = "small integers, which narrow formats hold exactly"

PRECISION = {
    "precision-float32-forward": Name(
        text="the forward and backward pass run in float32, products and sums",
        change="make model and data float64 and leave them so",
        probe=INTEGERS,
        apply=narrow("float32"),
    ),
    "precision-tf32": Name(
        text="the forward and backward pass round their operands to TF32",
        change="torch.backends.cuda.matmul.fp32_precision = 'ieee'",
        probe=INTEGERS,
        apply=narrow("tf32", results=False),
    ),
    "precision-float16-forward": Name(
        text="the forward and backward pass run in float16",
        change="leave autocast, or ask for it",
        probe=INTEGERS,
        apply=narrow("float16"),
    ),
    "precision-autocast": Name(
        text="the forward and backward pass run in bfloat16, as under autocast",
        change="leave autocast, or ask for it",
        probe=INTEGERS,
        apply=narrow("bfloat16"),
    ),
    **{
        f"precision-{format}-state": Name(
            text=f"the optimizer keeps its state (momentum, averages) in {format}",
            change="keep the optimizer's state in the dtype of the weights: torch.zeros_like(p)",
            probe="no momentum and no averages, where there is no state",
            apply=state(format),
        )
        for format in ("float32", "bfloat16", "float16")
    },
    "precision-bfloat16-weights": Name(
        text="the weights are rounded to bfloat16 after each step",
        change="keep the weights in float32 or float64",
        probe="whether the weights are bfloat16 numbers",
        apply=lambda design, _: replace(design, weights_format="bfloat16"),
    ),
    "precision-float16-weights": Name(
        text="the weights are rounded to float16 after each step",
        change="keep the weights in float32 or float64",
        probe="whether the weights are float16 numbers",
        apply=lambda design, _: replace(design, weights_format="float16"),
    ),
}
