"""What several tests of the judge ask for."""

from __future__ import annotations

from typing import Any

from refimpl.optimizers import SGD

DTYPES = ("float64", "float32", "bfloat16", "float16")
LOW = ("bfloat16", "float16")
OTHERS = ("float64", *LOW)
"""Every part of the judge is tried in float32, and some of them in all dtypes."""
ULP = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}  # of 1
FORMULATIONS = ("loss", "weight_decay", "manual")
MOMENTUM = {"optimizer": SGD(lr=0.01, momentum=0.9)}
NESTEROV = {"optimizer": SGD(lr=0.01, momentum=0.9, nesterov=True)}
BOTH = ("weight", "bias")


def first(verdict: Any) -> tuple[str, int]:
    assert verdict.name == "disagree", verdict.text
    return str(verdict.first.quantity), verdict.first.step
