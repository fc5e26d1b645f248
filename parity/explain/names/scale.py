"""The whole gradient, times a number in each step: clipping, accumulation, a factor of the world size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause, cause_of
from parity.explain.faults.twists import Masked
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, compounding, multiple, steps_text
from parity.explain.names import rates
from parity.explain.names.seen import twisted
from parity.step.design import Design
from refimpl.clipping import Clip
from refimpl.types import Array


def measure(chain: Chain) -> dict[str, Series] | None:
    """s_k of ``g = s_k·g_asked`` by parameter; None where a gradient is no multiple of the asked one."""
    assert chain.given is not None
    value, error = chain.given.value, chain.given.error
    scales = {name: multiple(value[name], asked, SLACK * error[name]) for name, asked in chain.asked.whole.items()}
    known = {name: scale for name, scale in scales.items() if scale is not None}
    return known if known.keys() == scales.keys() else None


def causes(chain: Chain) -> Iterator[Cause]:
    """The causes that the multiples show; the numbers themselves where no cause is known for them."""
    scales = measure(chain)
    if scales is None or all(one.is_(1.0) for one in scales.values()):
        return
    yield from _clipped_each(chain, scales)
    parts = [(name, one) for name, one in scales.items() if not one.is_(1.0)]
    if len(parts) == len(scales) and all(alike(one, scales["weight"]) for one in scales.values()):
        parts = [("", scales["weight"])]
    if parts[0][0] == "" and parts[0][1].is_(-1.0):
        yield from (cause_of(NAMES["maximize"], value) for value in NAMES["maximize"].values)
    if [name for name, _ in parts] == ["bias"] and parts[0][1].is_(0.0):
        yield from (cause_of(NAMES["intercept-frozen"], value) for value in NAMES["intercept-frozen"].values)
    of = {name: f" of the {name}" if name else "" for name, _ in parts}
    constant = all(one.constant is not None for _, one in parts)
    if chain.given is not None and chain.given.source == "weights" and constant and parts[0][0] == "":
        asked, times = chain.design.rates("weight"), scales["weight"]  # weights alone show the product
        yield from rates.causes(chain.design, Series(times.value * asked, times.error * np.abs(asked)))
    anew = compounding(scales["weight"], chain.design.epoch) if parts[0][0] == "" else None
    if anew is not None:
        made = {name: Series(anew.made, 0 * anew.made) for name in scales}
        yield cause("gradient-scale-compounds", partial(_scaled, scales=made), numbers=2, law=anew, what="the gradient")
    yield cause(
        "gradient-scaled",
        partial(_scaled, scales=scales),
        numbers=len(parts) * (1 if constant else chain.steps),
        named=constant,
        said="; ".join(f"the gradient{of[name]} is multiplied by {_of_steps(one, chain)}" for name, one in parts),
        when=" in every step" if constant else "",
    )


def _of_steps(scale: Series, chain: Chain) -> str:
    """The multiples, with the steps that have another one than 1, where others have that."""
    odd = np.abs(scale.value - 1) > scale.error
    if odd.all() or not odd.any():
        return scale.text()
    return f"{Series(scale.value[odd], scale.error[odd]).text()} in {steps_text(odd, chain.design.epoch)}"


def alike(one: Series, other: Series) -> bool:
    """Whether two series cannot be told apart."""
    return bool(np.all(np.abs(one.value - other.value) <= one.error + other.error))


def _scaled(design: Design, scales: dict[str, Series]) -> Design:
    value: dict[str, Array] = {}
    for name, one in scales.items():
        constant = one.constant
        value[name] = one.value if constant is None else np.full(len(one.value), float(f"{constant:.6g}"))
    return replace(design, scale={**design.scale, **value})


def _clipped_each(chain: Chain, scales: dict[str, Series]) -> Iterator[Cause]:
    """min(1, c/‖g‖) with the norm of each parameter for itself."""
    assert chain.given is not None
    norms = {name: np.linalg.norm(each, axis=1) for name, each in chain.given.value.items()}
    smaller = {name: scales[name].value < 1 - scales[name].error for name in scales}
    reached = np.concatenate([norms[name][smaller[name]] for name in scales])
    if not len(reached):
        return
    limit = float(f"{np.max(reached):.3g}")
    if not limit or np.any(np.abs(reached - limit) > 1e-3 * limit):
        return  # a gradient of 0 is not a clipped one
    yield cause("gradient-clipped-each", partial(twisted, twist=Clip(norm=limit, of="each")), numbers=1, limit=limit)


def elementwise(chain: Chain) -> Iterator[Cause]:
    """What the multiples are of the inputs, where that is known, and the multiples themselves."""
    assert chain.given is not None
    value, asked, bar = chain.given.value["weight"], chain.asked.weight, SLACK * chain.given.error["weight"]
    with np.errstate(all="ignore"):
        low, high = np.sort([(value - bar) / asked, (value + bar) / asked], axis=0)
    low, high = np.max(np.where(asked == 0, -np.inf, low), axis=0), np.min(np.where(asked == 0, np.inf, high), axis=0)
    if not np.all(low <= high) or not np.isfinite([low, high]).all() or np.max(low) <= np.min(high):
        return  # no such numbers, or one for all
    for words, times in _of_inputs(chain).items():
        if np.all((low <= times) & (times <= high)):
            yield cause("gradient-in-other-units", partial(twisted, twist=Masked(times)), words=words)
    times = (low + high) / 2
    yield cause(
        "gradient-by-element",
        partial(twisted, twist=Masked(times)),
        numbers=len(times),
        named=False,
        times=", ".join(f"{each:.4g}" for each in times[:4]) + " …" * (len(times) > 4),
    )


def _of_inputs(chain: Chain) -> Mapping[str, Array]:
    """1/s_j² for the numbers that inputs are divided by."""
    X = chain.X
    scales = {
        "their standard deviation (÷ n)": X.std(axis=0),
        "their standard deviation (÷ (n − 1))": X.std(axis=0, ddof=1),
        "their range": np.ptp(X, axis=0),
        "their largest absolute value": np.abs(X).max(axis=0),
        "their norm": np.linalg.norm(X, axis=0),
    }
    return {words: 1 / s**2 for words, s in scales.items() if np.all(s > 0)}
