"""Cases of every loss, with numbers drawn for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from refimpl.layers import Absolute, BCEWithLogits, CrossEntropy, Huber, SquaredError
from tests.refimpl.layers.case import Case

functional = torch.nn.functional
REDUCTIONS: Any = ["mean", "sum", "none"]


def cross_entropy(how: str = "", places: tuple[int, ...] = (), **options: Any) -> Any:
    """``how``: ``weighted``, ``ignored`` rows, or both; ``nothing`` is a batch whose rows are all ignored."""

    def make(rng: np.random.Generator) -> Case:
        layer, n, k = CrossEntropy(**options), int(rng.integers(1, 6)), 5
        classes = rng.integers(0, k, (n, *places))
        if "ignored" in how:
            classes[rng.random(classes.shape) < 0.4] = layer.ignore_index
            classes.flat[0] = 1
        return Case(
            layer=layer,
            params={"weight": rng.uniform(0.2, 2, k)} if "weighted" in how else {},
            x=(rng.uniform(0.1, 6) * rng.standard_normal((n, k, *places)), classes),
            torch=lambda z, y, weight=None: functional.cross_entropy(
                z,
                y,
                weight,
                ignore_index=layer.ignore_index,
                reduction=layer.reduction,
                label_smoothing=layer.label_smoothing,
            ),
            fixed=("weight",),
        )

    return make


def regression(layer: Any, function: Any, **what: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        return Case(
            layer=layer,
            x=(2 * rng.standard_normal((3, 4)), rng.standard_normal((3, 4))),
            torch=lambda z, y: function(z, y, reduction=layer.reduction),
            fixed=("x1",),
            **what,
        )

    return make


def huber(**options: Any) -> Any:
    layer = Huber(**options)
    return regression(
        layer,
        lambda z, y, reduction: functional.huber_loss(z, y, reduction=reduction, delta=layer.delta),
        rational=True,
        smooth=False,
    )


def bce_with_logits(*weights: str, scale: float = 2.0, rare: float = 1.0, **options: Any) -> Any:
    """``rare``: targets are so near to 1, and positives weigh so little."""

    def make(rng: np.random.Generator) -> Case:
        layer = BCEWithLogits(**options)
        shapes = {"weight": (3, 1), "pos_weight": (4,)}
        y = rng.random((3, 4))
        y[0] = rng.integers(0, 2, 4)
        y = 1 - rare * y
        return Case(
            layer=layer,
            params={name: rare * rng.uniform(0.2, 2, shapes[name]) for name in weights},
            x=(scale * rng.standard_normal((3, 4)), y),
            torch=lambda z, y, weight=None, pos_weight=None: functional.binary_cross_entropy_with_logits(
                z, y, weight, reduction=layer.reduction, pos_weight=pos_weight
            ),
            fixed=("x1", "weight", "pos_weight"),
            smooth=False,
        )

    return make


LOSS_CASES: dict[str, dict[str, Callable[[np.random.Generator], Case]]] = {
    "cross_entropy": {
        "cross-entropy": cross_entropy(),
        "cross-entropy of places": cross_entropy("ignored", (2, 3), reduction="none"),
        "weighted cross-entropy": cross_entropy("weighted ignored", (3,)),
        "smoothed cross-entropy": cross_entropy("ignored", label_smoothing=0.1, reduction="sum", ignore_index=2),
        "smoothed and weighted cross-entropy": cross_entropy("weighted ignored", (2,), label_smoothing=0.25),
    },
    "squared_error": {
        f"squared error, {how}": regression(SquaredError(reduction=how), functional.mse_loss, rational=True)
        for how in REDUCTIONS
    },
    "absolute": {
        f"absolute error, {how}": regression(Absolute(reduction=how), functional.l1_loss, rational=True, smooth=False)
        for how in REDUCTIONS
    },
    "huber": {"huber": huber(delta=0.75), "huber, sum": huber(reduction="sum"), "huber, none": huber(reduction="none")},
    "bce_with_logits": {
        "bce": bce_with_logits(),
        "weighted bce": bce_with_logits("weight", "pos_weight", reduction="sum"),
        "bce of positives that weigh little": bce_with_logits("pos_weight", rare=0.01, reduction="none"),
        "bce of large outputs": bce_with_logits("pos_weight", scale=40.0, reduction="none"),
    },
}
