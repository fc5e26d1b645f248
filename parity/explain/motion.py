"""How one parameter moved in a run, beside what it may have been moved by: what an update is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.judge.stages import Product
from parity.step.design import Design
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import Format
from refimpl.training import hyper_parameters
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One parameter over K steps; steps are the leading axis.

    ``weights`` ``(K + 1, …)``: before each step and at the end, exact. ``gradient`` ``(K, …)``: what the optimizer was
    given, :class:`~refimpl.arithmetic.bounded.Bounded`. ``factor`` ``(K,)``: η_k/η₀ as the schedule has it. ``format``:
    in which the weights are stored. ``profile``: of the update's arithmetic. ``changes``: of each step, the
    hyper-parameters by name that are others than the optimizer's; nothing where none are. ``slack`` ``(K, …)``: how far
    from ``weights`` a step may have begun, where code moves them and comes back. ``calls`` ``(K,)``: the number of the
    call of ``step()`` in which each step was made, some of which were without a gradient. ``products``: of each step,
    the products of matrices that were made in it; none where they were not recorded. ``sums``: of each step, what
    an optimizer that shares numbers among all parameters is to find in the state (:func:`parity.explain.joint.joined`).
    ``kept``: the tensors of the code's own state after each step ``(K, …)`` by name, NaN before they were there.
    """

    parameter: str
    weights: Array
    gradient: Any
    format: Format
    profile: Profile
    factor: Array
    changes: tuple[Mapping[str, Any], ...] = ()
    slack: Array | None = None
    calls: Array | None = None
    products: tuple[tuple[Product, ...], ...] = ()
    sums: tuple[Mapping[str, Any], ...] = ()
    kept: Mapping[str, Array] = field(default_factory=dict)


def rate_factor(design: Design, name: str) -> Array:
    """η_k/η₀ at each step, 1 where nothing is scheduled."""
    lr = hyper_parameters(design.form.optimizers[name]).get("lr")
    return design.rates(name) / float(lr) if lr else np.ones(design.steps)
