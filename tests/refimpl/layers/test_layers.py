"""Every layer of the registry: its gradients are the slopes of its output, in every arithmetic; torch is in bounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import Exact
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.layers import LAYERS, LOSSES, Embedding, LayerNorm
from refimpl.types import Layer
from tests.refimpl.layers.case import arrays, backward, changed, forward, in_torch
from tests.refimpl.layers.cases import CASES, MADE, draw

Array = npt.NDArray[Any]
ACCUMULATED = {"float64": "float64", "float32": "float32", "bfloat16": "float32"}
ANY = [label for label in MADE if not draw(label).floats and draw(label).slopes]
SMOOTH = [label for label in ANY if draw(label).smooth]
STEP = 2.0**-300
RATIONAL = [label for label in MADE if draw(label).rational]


def profile_of(dtype: str, **options: Any) -> Profile:
    return Profile(compute=FORMATS[dtype], accumulate=FORMATS[ACCUMULATED[dtype]], **options)


def in_bounds(case: Any, profile: Profile) -> Any:
    return changed(
        case, lambda x: Bounded.tensor(x, profile), lambda layer: lift(layer, lambda k: Bounded.hyper(k, profile))
    )


def expected(case: Any, upstream: Array, dtype: str) -> dict[str, Any]:
    """Output and gradients with their bounds; the parameters of some layers have a sum that torch on a CPU adds up as
    coarsely as it keeps tensors."""

    def under(profile: Profile) -> dict[str, Any]:
        bounded = in_bounds(case, profile)
        return {"output": forward(bounded), **backward(bounded, Bounded.tensor(upstream, profile))}

    results = under(profile_of(dtype))
    if isinstance(case.layer, LayerNorm | Embedding):
        coarse = under(profile_of(dtype, sums=FORMATS[dtype]))
        results |= {name: coarse[name] for name in case.params}
    return results


def upstream_of(case: Any, seed: int = 0, dtype: str = "float64") -> Array:
    """Of the shape of the output."""
    shape = forward(case).shape
    return FORMATS[dtype].round(np.random.default_rng([1, seed]).standard_normal(shape)).astype(float)


def total(products: Any) -> Any:
    return np.asarray(products).ravel().sum()


def test_every_layer_has_a_case_and_is_a_frozen_keyword_only_dataclass() -> None:
    assert not set(LAYERS) & set(LOSSES)
    assert set(CASES) == set(LAYERS | LOSSES)
    for name, cls in (LAYERS | LOSSES).items():
        assert {type(draw(label).layer) for label in CASES[name]} == {cls}
        assert isinstance(cls, type) and issubclass(cls, Layer)
        assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert all(each.kw_only for each in dataclasses.fields(cls))


@pytest.mark.parametrize("label", ANY)
def test_the_gradients_are_the_slopes_of_the_output(label: str, high_precision: Any) -> None:
    """By central differences of 50 digits, along two random directions for each array."""
    case = draw(label)
    upstream, rng = upstream_of(case), np.random.default_rng(2)
    exact = changed(case, high_precision.array, high_precision.hyper)
    delta, step = high_precision.array(upstream), high_precision.number("1e-15")
    gradients = backward(exact, delta)
    assert {name: x.shape for name, x in gradients.items()} == {name: x.shape for name, x in arrays(case).items()}
    for name, x in arrays(exact).items():
        for _ in range(2):
            v = high_precision.array(rng.standard_normal(x.shape))
            up, down = (total(delta * forward(exact, **{name: x + sign * step * v})) for sign in (1, -1))
            slope, scale = (up - down) / (2 * step), total(np.abs(gradients[name] * v)) + 1
            assert abs(slope - total(gradients[name] * v)) <= 1e-25 * scale


@pytest.mark.parametrize("label", SMOOTH)
def test_the_gradients_are_those_of_complex_steps(label: str) -> None:
    """∂L/∂xᵢ = Im L(x + ihεᵢ)/h in extended precision is within the bound that float64 has."""
    case = draw(label)
    upstream, rng = upstream_of(case), np.random.default_rng(2)
    profile = profile_of("float64")
    by_hand = backward(in_bounds(case, profile), Bounded.tensor(upstream, profile))
    wide = changed(case, lambda x: x.astype(np.clongdouble))
    for name, x in arrays(wide).items():
        for element in rng.choice(x.size, min(x.size, 12), replace=False):
            index = np.unravel_index(element, x.shape)
            stepped = x.copy()
            stepped[index] += 1j * STEP
            slope = total(upstream * forward(wide, **{name: stepped})).imag / STEP
            assert np.abs(slope - by_hand[name].value[index]) <= by_hand[name].error[index]


@pytest.mark.parametrize("label", RATIONAL)
def test_the_gradients_are_exact_where_the_layer_is_rational(label: str, rational: Any) -> None:
    """Central differences of a polynomial of degree 2 are its slope: all numbers are equal, as rational numbers."""
    case = changed(draw(label), lambda x: (np.rint(4 * x) + 0.5) / 8)  # away from 0
    exact = changed(case, rational.array, rational.hyper)
    delta, step = rational.array(np.rint(4 * upstream_of(case)) / 4), Exact.of(2.0**-10)
    for name, gradient in backward(exact, delta).items():
        x = arrays(exact)[name]
        for element in np.random.default_rng(2).choice(x.size, min(x.size, 3), replace=False):
            index = np.unravel_index(element, x.shape)
            sides = []
            for sign in (1, -1):
                stepped = x.copy()
                stepped[index] = x[index] + sign * step
                sides.append(total(delta * forward(exact, **{name: stepped})))
            assert (sides[0] - sides[1]) / (2 * step) == gradient[index]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("label", MADE)
def test_torch_is_within_the_bounds_and_near_them(label: str, dtype: str) -> None:
    """Over many draws; the bound is never as wide as a thousand errors that are typical."""
    errors: dict[str, list[Array]] = {}
    bounds: dict[str, list[Array]] = {}
    for seed in range(12):
        case = draw(label, seed, dtype)
        upstream = upstream_of(case, seed, dtype)
        output, gradients = in_torch(case, upstream, dtype)
        by_hand = expected(case, upstream, dtype)
        for name, found in {"output": output, **gradients}.items():
            assert by_hand[name].shape == found.shape
            error = np.abs(found - by_hand[name].value)
            assert np.all(error <= by_hand[name].error), (name, seed, np.nanmax(error / by_hand[name].error))
            errors.setdefault(name, []).append(error.ravel())
            bounds.setdefault(name, []).append(by_hand[name].error.ravel())
    for name in errors:
        error, bound = (np.concatenate(lists[name]) for lists in (errors, bounds))
        typical = np.sqrt(np.mean(error**2))
        assert typical == 0 or (case.cancels and dtype == "bfloat16") or np.sqrt(np.mean(bound**2)) <= 1000 * typical


@pytest.mark.parametrize("label", MADE)
def test_a_gradient_that_is_off_by_1e_4_is_outside_of_the_bounds_of_float32(label: str) -> None:
    profile = profile_of("float32")
    case = draw(label, 0, "float32")
    upstream = upstream_of(case, 0, "float32")
    gradients: Any = backward(in_bounds(case, profile), Bounded.tensor(upstream, profile))
    for gradient in gradients.values():
        assert not gradient.value.any() or np.any(np.abs(1e-4 * gradient.value) > gradient.error)
