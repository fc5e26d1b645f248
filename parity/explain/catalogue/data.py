"""Rows, batches and features that are not those that were handed out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue.name import Name
from parity.explain.faults.models import WithoutBias
from parity.step.design import Design
from refimpl.batches import Order
from refimpl.types import Array


def per_epoch(design: Design) -> list[Array]:
    """The rows of each epoch in their order."""
    return [np.concatenate(batches) for batches in design.material.order]


def cut(rows: list[Array], size: int, *, drop_last: bool = False) -> Order:
    ends = [len(epoch) - len(epoch) % size if drop_last else len(epoch) for epoch in rows]
    return tuple(
        tuple(epoch[a : min(a + size, end)] for a in range(0, end, size)) for epoch, end in zip(rows, ends, strict=True)
    )


def size_of(design: Design) -> int:
    return len(design.rows[0])


def reordered(design: Design, order: Order) -> Design | None:
    same = len(order) == len(design.material.order) and all(
        len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(order, design.material.order, strict=True)
    )
    return None if same else design.with_order(order)


def resized(design: Design, _: float, times: float) -> Design | None:
    size = int(size_of(design) * times)
    return reordered(design, cut(per_epoch(design), size)) if size else None


def without_intercept(design: Design, in_model: float) -> Design | None:
    """The bias never moves; and (1) takes no part in the outputs either."""
    if "bias" not in design.form.optimizers:
        return None
    found = replace(design, frozen=design.frozen | {"bias"})
    if in_model == 0:
        return found
    return found.with_model(WithoutBias())


def features(design: Design, kind: float) -> Design | None:
    """Columns centred (0), divided by their deviation, too, with n − 1 (1) or n (2), or moved into [0, 1] (3)."""
    X = design.material.dataset.X
    mean, low, high = (f(X, axis=1, keepdims=True) for f in (np.mean, np.min, np.max))
    if kind == 3:
        changed, scale = (X - low) / (high - low), high - low
    else:
        deviation = np.std(X, axis=1, keepdims=True, ddof=1 if kind == 1 else 0)
        scale = np.ones_like(deviation) if kind == 0 else deviation
        changed = (X - mean) / scale
    roundings = 2 * (X.shape[1] + 4) * float(np.max(np.abs(X)) / np.min(scale) / np.max(np.abs(changed)))
    return design.with_data(roundings, X=changed)


def centred_targets(design: Design, kind: float) -> Design | None:
    """Minus their mean (0), and divided by their deviation with n − 1 (1) or n (2)."""
    y = design.material.dataset.y
    scale = 1.0 if kind == 0 else float(np.std(y, ddof=1 if kind == 1 else 0))
    changed = (y - np.mean(y)) / scale
    return design.with_data(
        2 * (y.shape[1] + 4) * float(np.max(np.abs(y)) / scale / np.max(np.abs(changed))), y=changed
    )


BATCH = "the full batch, where the order of rows makes no difference"

DATA = {
    "batches-not-shuffled": Name(
        text="rows are taken as they lie, where a new order each epoch was asked",
        change="set shuffle=True",
        probe=BATCH,
        apply=lambda design, _: reordered(design, cut([np.sort(rows) for rows in per_epoch(design)], size_of(design))),
    ),
    "batches-shuffled-once": Name(
        text="every epoch takes the rows in the order of the first",
        change="shuffle anew each epoch",
        probe=BATCH,
        apply=lambda design, _: reordered(design, (design.material.order[0],) * len(design.material.order)),
    ),
    "last-batch-dropped": Name(
        text="the last, smaller batch of every epoch is left out",
        change="set drop_last=False",
        probe="a batch size that divides the number of rows",
        apply=lambda design, _: reordered(design, cut(per_epoch(design), size_of(design), drop_last=True)),
    ),
    **{
        id: Name(
            text=f"batches are {size} as large as asked",
            change="set batch_size to what was asked",
            probe="the number of steps in an epoch",
            apply=partial(resized, times=times),
        )
        for id, size, times in (("batch-size-doubled", "twice", 2.0), ("batch-size-halved", "half", 0.5))
    },
    "full-batch": Name(
        text="every step takes all rows",
        change="loop over the batches of an epoch",
        probe="the number of steps in an epoch",
        apply=lambda design, _: reordered(design, cut(per_epoch(design), design.material.dataset.X.shape[1])),
    ),
    "full-batch-every-step": Name(
        text="every step takes all rows, as often as there are batches",
        change="use the batch, not the whole data, inside the loop",
        probe=BATCH,
        apply=lambda design, _: reordered(
            design,
            tuple(tuple(np.sort(np.concatenate(batches)) for _ in batches) for batches in design.material.order),
        ),
    ),
    "targets-shifted": Name(
        text="targets are shifted by {value:+.0f} against the rows",
        change="index X and y with the same rows",
        probe="one row: its target",
        apply=lambda design, shift: design.with_data(y=np.roll(design.material.dataset.y, int(shift), axis=1)),
        values=(1.0, -1.0),
    ),
    "targets-reversed": Name(
        text="targets are in reverse order against the rows",
        change="index X and y with the same rows",
        probe="one row: its target",
        apply=lambda design, _: design.with_data(y=design.material.dataset.y[:, ::-1]),
    ),
    "intercept-frozen": Name(
        text="the bias is used and never updated",
        change="give the bias to the optimizer",
        probe="a bias that starts far from its best value",
        apply=without_intercept,
        values=(0.0,),
    ),
    "intercept-missing": Name(
        text="the model has no intercept: the bias takes no part in the outputs",
        change="use a layer with bias=True, or add b to X @ w",
        probe="a bias that starts far from 0",
        apply=without_intercept,
        values=(1.0,),
    ),
    "features-centred": Name(
        text="the mean of every feature was subtracted",
        change="train on the data as they are, or ask for centred ones",
        probe="data with mean 0, where it makes no difference",
        apply=features,
        values=(0.0,),
    ),
    "features-standardised": Name(
        text="every feature was centred and divided by its deviation (form {value:.0f}: 1 with n − 1, 2 with n)",
        change="train on the data as they are, or ask for standardised ones",
        probe="data with mean 0 and deviation 1, where it makes no difference",
        apply=features,
        values=(1.0, 2.0),
    ),
    "features-in-unit-range": Name(
        text="every feature was moved into the range from 0 to 1",
        change="train on the data as they are",
        probe="data in that range, where it makes no difference",
        apply=features,
        values=(3.0,),
    ),
    "targets-centred": Name(
        text="the mean of the targets was subtracted",
        change="train on the targets as they are, or ask for centred ones",
        probe="targets with mean 0, where it makes no difference",
        apply=centred_targets,
        values=(0.0,),
    ),
    "targets-standardised": Name(
        text="targets were centred and divided by their deviation (form {value:.0f}: 1 with n − 1, 2 with n)",
        change="train on the targets as they are",
        probe="targets with mean 0 and deviation 1, where it makes no difference",
        apply=centred_targets,
        values=(1.0, 2.0),
    ),
}
