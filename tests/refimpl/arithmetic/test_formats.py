"""The formats are those of the hardware: rounding, spacing and range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from refimpl.arithmetic.formats import BLOCK, FORMATS

Array = npt.NDArray[Any]
NUMPY = {"float64": np.float64, "float32": np.float32, "float16": np.float16}
TORCH = {name: getattr(torch, name) for name in ("float64", "float32", "bfloat16", "float16")}


def as_float32(bits: Array) -> Array:
    return bits.astype(np.uint32).view(np.float32)


def random_floats(width: int, seed: int = 0, count: int = 20_000) -> Array:
    """Every exponent, subnormals included, evenly: random bits, without inf and nan."""
    bits = np.random.default_rng(seed).integers(0, 2**width, count, dtype=f"uint{width}")
    x = bits.view(f"float{width}")
    return x[np.isfinite(x)]


def edges(x: Array) -> Array:
    """Numbers of a narrower format, the midpoints between neighbours, and their own neighbours."""
    with np.errstate(all="ignore"):
        middle = (x[:-1] + x[1:]) / 2
        found = np.concatenate([x, middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)])
    return found[np.isfinite(found)]


def cast(x: Array, dtype: Any) -> Array:
    with np.errstate(over="ignore"):
        return x.astype(dtype).astype(np.longdouble)


@pytest.mark.parametrize(("name", "wide"), [("float32", np.float64), ("float16", np.float64), ("float16", np.float32)])
def test_round_is_numpys_cast_on_ties_subnormals_and_overflow(name: str, wide: Any) -> None:
    dtype = NUMPY[name]
    narrow = np.sort(random_floats(np.dtype(dtype).itemsize * 8, count=4_000)).astype(wide)
    neighbours = np.concatenate(
        [edges(np.array([x, np.nextafter(dtype(x), dtype(np.inf))], wide)) for x in narrow[::40]]
    )
    for x in (random_floats(np.dtype(wide).itemsize * 8), edges(narrow), neighbours, np.array([0.0, -0.0], wide)):
        found = FORMATS[name].round(x)
        assert found.dtype == np.longdouble
        assert np.array_equal(found, cast(x, dtype))
        assert np.array_equal(np.signbit(found), np.signbit(x))


def test_round_is_torchs_cast_to_bfloat16_on_ties_subnormals_and_overflow() -> None:
    bits = np.random.default_rng(0).integers(0, 2**16, 4_000).astype(np.uint32) << 16  # bfloat16 numbers
    patterns = [bits, bits | 0x8000, bits | 0x7FFF, bits | 0x8001, bits | 0x0001]  # ties and their neighbours
    x = np.concatenate([random_floats(32), *(as_float32(pattern) for pattern in patterns)])
    x = np.concatenate([x[np.isfinite(x)], np.float32([3.3895314e38, 3.3961775e38, 3.4e38, 9.2e-41, 4.6e-41, 1e-45])])
    expected = torch.from_numpy(x).to(torch.bfloat16).to(torch.float64).numpy()
    assert np.isinf(expected).any() and (np.abs(expected[expected != 0]) < 2.0**-126).any()
    assert np.array_equal(FORMATS["bfloat16"].round(x), expected)


def test_round_to_tf32_keeps_ten_stored_bits_of_float32() -> None:
    x = random_floats(32)
    x = x[np.abs(x) < 3.4e38]
    bits = x.view(np.uint32)
    kept = (bits + 0xFFF + ((bits >> 13) & 1)) & ~np.uint32(0x1FFF)  # nearest, ties to even, on the bit pattern
    with np.errstate(over="ignore"):
        assert np.array_equal(FORMATS["tf32"].round(x), as_float32(kept).astype(np.longdouble))


@given(x=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_round_to_a_format_that_holds_the_number_changes_nothing(x: float) -> None:
    for name in ("float64", "float32"):
        assert FORMATS[name].round(np.array(x)) == x


@pytest.mark.parametrize("name", FORMATS)
def test_round_is_idempotent_and_carries_inf_and_nan(name: str) -> None:
    once = FORMATS[name].round(random_floats(64))
    assert np.array_equal(FORMATS[name].round(once), once)
    found = FORMATS[name].round(np.array([np.inf, -np.inf, np.nan]))
    assert found[:2].tolist() == [np.inf, -np.inf] and np.isnan(found[2])


@pytest.mark.parametrize("name", FORMATS)
def test_many_numbers_are_rounded_as_few_are(name: str) -> None:
    x = random_floats(64, count=2 * BLOCK + 3)
    x = np.concatenate([x[: len(x) // 2 * 2], [np.inf, -0.0]]).reshape(2, -1)
    few = np.concatenate([FORMATS[name].round(part) for part in np.array_split(x.reshape(-1).astype(np.longdouble), 9)])
    many = FORMATS[name].round(x)
    assert many.dtype == np.longdouble and many.shape == x.shape
    assert np.array_equal(many.reshape(-1), few) and np.array_equal(np.signbit(many.reshape(-1)), np.signbit(few))


@pytest.mark.parametrize("name", NUMPY)
def test_half_ulp_is_half_of_numpys_spacing_at_0_and_among_subnormals_too(name: str) -> None:
    x = np.concatenate([random_floats(NUMPY[name]().itemsize * 8), NUMPY[name]([0.0, 1.0, -1.0, 2.0])])
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.spacing(np.abs(x)).astype(np.longdouble)
    finite = np.isfinite(spacing)  # above the largest number there is none
    assert np.array_equal(FORMATS[name].half_ulp(x)[finite], spacing[finite] / 2)


@given(x=st.floats(-1e30, 1e30))
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "float16"])
def test_half_ulp_is_the_largest_error_of_rounding(name: str, x: float) -> None:
    format = FORMATS[name]
    error = np.abs(np.longdouble(x) - format.round(np.array(x)))
    assert error <= format.half_ulp(np.array(x)) <= max(format.u * abs(x), format.tiny)


@pytest.mark.parametrize("name", TORCH)
def test_range_and_precision_are_torchs(name: str) -> None:
    format, info = FORMATS[name], torch.finfo(TORCH[name])
    assert format.name == name
    assert format.largest == info.max
    assert format.smallest_normal == info.smallest_normal
    assert 2 * format.u == info.eps
    assert 2 * format.tiny == np.longdouble(info.smallest_normal) * info.eps
    smallest = torch.tensor(float(2 * format.tiny), dtype=TORCH[name])
    assert smallest > 0 and float(smallest) == 2 * format.tiny


def test_tf32_has_the_range_of_float32_and_the_precision_of_float16() -> None:
    assert FORMATS["tf32"].digits == FORMATS["float16"].digits
    assert FORMATS["tf32"].smallest_normal == FORMATS["float32"].smallest_normal


def test_a_format_is_found_by_its_own_name() -> None:
    assert all(format.name == name for name, format in FORMATS.items())
