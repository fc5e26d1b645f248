"""The bound holds: whatever real arithmetic computes, in any order, is within the error of the exact value.

Real arithmetic is NumPy's float16, float32 and float64 and torch's bfloat16, each operation rounded. Exact is ``mpf``
with 50 digits from the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.arithmetic.bounded import Bounded, Profile, Undecided, gamma
from refimpl.arithmetic.formats import FORMATS

Array = npt.NDArray[Any]
NAMES = ["float64", "float32", "bfloat16", "float16"]
N = 6


def profile_of(name: str, accumulate: str | None = None, **options: Any) -> Profile:
    return Profile(compute=FORMATS[name], accumulate=FORMATS[accumulate or name], **options)


class Real:
    """Numbers of one dtype; every operation rounds to it. bfloat16 is torch's, the others are NumPy's."""

    def __init__(self, name: str) -> None:
        self.name, self.torch = name, name == "bfloat16"

    def array(self, x: Any) -> Any:
        return torch.tensor(np.asarray(x), dtype=torch.bfloat16) if self.torch else np.asarray(x).astype(self.name)

    def apply(self, operation: str, *operands: Any) -> Any:
        name = {"absolute": "abs", "power": "pow"}.get(operation, operation) if self.torch else operation
        return getattr(torch if self.torch else np, name)(*operands)

    def float64(self, x: Any) -> Array:
        return x.to(torch.float64).numpy() if self.torch else np.asarray(x, np.float64)


def numbers(rng: np.random.Generator, name: str, *shape: int, exponents: tuple[int, int] = (-6, 6)) -> Array:
    """Floats of a format with random exponents; some are 0, some equal, some neighbours: where things cancel."""
    x = rng.choice([-1, 1], shape) * rng.uniform(1, 2, shape) * 2.0 ** rng.integers(*exponents, shape)
    x = np.where(rng.random(shape) < 0.1, 0, x)
    x = np.where(rng.random(shape) < 0.2, rng.choice([1.0, -1.0, 1 + 2 * FORMATS[name].u]), x)
    return FORMATS[name].round(x).astype(np.float64)


def assert_within(real: Array, exact: Array, bounded: Bounded, high_precision: Any) -> None:
    """|real − exact| ≤ error and |real − value| ≤ error, or the error is unbounded."""
    error = bounded.error
    assert real.shape == exact.shape == bounded.shape == error.shape
    known = np.isfinite(error)
    assert np.all(known | np.isinf(error))
    assert np.all(np.isfinite(real[known])), "an infinite or undefined result without an infinite bound"
    computed, allowed = high_precision.array(real[known]), high_precision.array(error[known])
    assert np.all(np.abs(computed - exact[known]) <= allowed)
    assert np.all(np.abs(computed - high_precision.array(bounded.value[known])) <= allowed)


# -- random expressions -----------------------------------------------------------------------------------------------

UNARY = ["negative", "absolute", "square", "sign", "root of absolute", "cube"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "where greater", "where equal"]


class Triple:
    """One array in three arithmetics, the operations applied to all of them; ``lost`` where a result is undefined."""

    def __init__(self, real: Any, exact: Array, bounded: Bounded, lost: Array, dtype: Real) -> None:
        self.real, self.exact, self.bounded, self.lost, self.dtype = real, exact, bounded, lost, dtype

    @classmethod
    def of(cls, x: Array, dtype: Real, profile: Profile, high_precision: Any) -> Triple:
        real = dtype.array(x)
        assert np.array_equal(dtype.float64(real), x)
        return cls(real, high_precision.array(x), Bounded.tensor(x, profile), np.zeros(x.shape, bool), dtype)

    def map(self, *operations: str) -> Triple:
        found = self
        for operation in operations:
            exact = getattr(np, operation)(found.exact) + 0 * found.exact  # the sign of an mpf is an int
            bounded = getattr(np, operation)(found.bounded)
            found = Triple(self.dtype.apply(operation, found.real), exact, bounded, found.lost, self.dtype)
        return found

    def combine(self, operation: str, other: Triple) -> Triple:
        lost = self.lost | other.lost
        left, right = self.exact, other.exact
        if operation == "divide":
            undefined = right == 0
            right = np.where(undefined, right + 1, right)
            bounded = self.bounded / other.bounded
            assert np.all(np.isinf(bounded.error[undefined & ~lost]))
            lost = lost | undefined
        elif operation.startswith("where"):
            comparison = operation.split()[1]
            exact = np.where(getattr(np, comparison)(left, right), left, right)
            chosen = self.dtype.apply(
                "where",
                self.dtype.apply(
                    "greater" if comparison == "greater" else "eq" if self.dtype.torch else "equal",
                    self.real,
                    other.real,
                ),
                self.real,
                other.real,
            )
            bounded = np.where(getattr(np, comparison)(self.bounded, other.bounded), self.bounded, other.bounded)
            return Triple(chosen, exact, bounded, lost, self.dtype)
        else:
            bounded = getattr(np, operation)(self.bounded, other.bounded)
        exact = getattr(np, operation)(left, right)
        return Triple(self.dtype.apply(operation, self.real, other.real), exact, bounded, lost, self.dtype)

    def check(self, high_precision: Any) -> None:
        here = ~self.lost
        bounded = Bounded(self.bounded.value[here], self.bounded.error[here], self.bounded.profile)
        assert_within(self.dtype.float64(self.real)[here], self.exact[here], bounded, high_precision)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), operations=st.lists(st.sampled_from(UNARY + BINARY), min_size=1, max_size=8))
@settings(max_examples=75)
def test_the_bound_holds_for_any_expression(name: str, high_precision: Any, seed: int, operations: list[str]) -> None:
    rng, dtype, profile = np.random.default_rng(seed), Real(name), profile_of(name)
    known = [Triple.of(numbers(rng, name, N), dtype, profile, high_precision) for _ in range(3)]
    with np.errstate(all="ignore"):
        for operation in operations:
            x, y = (known[i] for i in rng.integers(0, len(known), 2))
            if operation == "root of absolute":
                found = x.map("absolute", "sqrt")
            elif operation == "cube":
                cubed = dtype.apply("multiply", dtype.apply("multiply", x.real, x.real), x.real)
                found = Triple(cubed, x.exact**3, x.bounded**3, x.lost, dtype)
            elif operation in UNARY:
                found = x.map(operation)
            else:
                found = x.combine(operation, y)
            found.check(high_precision)
            known.append(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "sqrt", "square"])
def test_the_bound_of_one_operation_is_reached_within_a_factor_of_two(
    name: str, operation: str, high_precision: Any
) -> None:
    """It holds for every one of 4,000 random operands and for some the error is more than half of it."""
    rng, dtype, profile = np.random.default_rng(0), Real(name), profile_of(name)
    unary = operation in ("sqrt", "square")
    operands = [np.abs(numbers(rng, name, 4_000, exponents=(-3, 3))) for _ in range(1 if unary else 2)]
    operands = [np.where(x == 0, 1, x) for x in operands]
    real = dtype.float64(dtype.apply(operation, *(dtype.array(x) for x in operands)))
    exact = getattr(np, operation)(*(high_precision.array(x) for x in operands))
    bounded = getattr(np, operation)(*(Bounded.tensor(x, profile) for x in operands))
    assert_within(real, exact, bounded, high_precision)
    error, allowed = np.abs(high_precision.array(real) - exact), high_precision.array(bounded.error)
    assert np.any(error > 0.5 * allowed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [0, 1, 2, 3, 7])
def test_the_bound_of_an_integer_power_holds_for_repeated_multiplication(
    name: str, k: int, high_precision: Any
) -> None:
    rng, dtype, profile = np.random.default_rng(k), Real(name), profile_of(name)
    x = numbers(rng, name, 500, exponents=(-2, 2))
    real = dtype.array(np.ones(500))
    with np.errstate(over="ignore"):
        for _ in range(k):
            real = dtype.apply("multiply", real, dtype.array(x))
    for exponent in (k, np.full(500, k)):
        bounded = Bounded.tensor(x, profile) ** exponent
        assert_within(dtype.float64(real), high_precision.array(x) ** k, bounded, high_precision)
    if k < 2:
        assert np.all(bounded.error == 0)


def test_an_array_of_exponents_is_each_exponent_by_itself() -> None:
    profile = profile_of("float32")
    base = Bounded.hyper(0.9, profile)
    together = base ** np.arange(5)
    for k in range(5):
        single = base**k
        assert (together.value[k], together.error[k]) == (single.value, single.error)
    assert together.scalar


@pytest.mark.parametrize("error", [2.0**-70, 2.0**-64, 1e-30])
def test_a_power_keeps_an_error_too_small_for_the_carrier_to_add(error: float) -> None:
    x = Bounded(np.ones(1), error, profile_of("float64"))
    assert error <= (x**1).error <= error * (1 + 1e-15)
    assert (x**3).error >= 3 * error


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_real_power_of_an_uncertain_number_is_within_the_bound_and_the_bound_is_near(
    dtype: str, high_precision: Any
) -> None:
    profile = profile_of(dtype)
    rng = np.random.default_rng(0)
    x, y, e = rng.uniform(0.1, 3, 300), rng.uniform(-2, 2, 300), 2.0**-20
    found: Any = Bounded(x, e, profile) ** Bounded(y, e, profile)
    X, Y = high_precision.array(x), high_precision.array(y)
    shares = []
    for dx, dy in ((-e, -e), (-e, e), (e, -e), (e, e), (0, 0)):
        truth = np.array([(a + dx) ** (b + dy) for a, b in zip(X, Y, strict=True)])
        shares.append(np.abs(truth - high_precision.array(found.value)) / high_precision.array(found.error))
    assert 0.5 < np.max(shares) <= 1
    rounded: Any = Bounded(x, 0, profile) ** 0.5
    assert np.all(np.abs(np.sqrt(x.astype(np.longdouble)) - rounded.value) <= rounded.error)
    assert np.all(rounded.error <= 3 * profile.u(profile.compute) * rounded.value)
    unbounded: Any = Bounded(np.array([1e-30]), e, profile) ** 0.5
    assert np.isinf(unbounded.error)


@pytest.mark.parametrize("k", [-1, np.array([1, -1]), np.array([0.5])])
def test_an_exponent_that_is_no_integer_from_0_nor_one_real_number_is_refused(k: Any) -> None:
    with pytest.raises(TypeError, match="only integer exponents ≥ 0"):
        Bounded.tensor(np.ones(2), profile_of("float32")) ** k


# -- sums and matrix products -----------------------------------------------------------------------------------------


def running(terms: Array, dtype: Any) -> Array:
    """The sum of the terms one after another, each addition rounded."""
    total = np.zeros(terms.shape[:-1], dtype)
    for i in range(terms.shape[-1]):
        total = (total + terms[..., i]).astype(dtype)
    return total


def pairwise(terms: Array, dtype: Any) -> Array:
    while terms.shape[-1] > 1:
        if terms.shape[-1] % 2:
            terms = np.concatenate([terms, np.zeros_like(terms[..., :1])], axis=-1)
        terms = (terms[..., ::2] + terms[..., 1::2]).astype(dtype)
    return terms[..., 0]


ORDERS: dict[str, Callable[[Array, Any], Array]] = {
    "one after another": running,
    "pairwise": pairwise,
    "numpy": lambda terms, dtype: terms.sum(axis=-1, dtype=dtype),
    "backwards": lambda terms, dtype: running(terms[..., ::-1], dtype),
    "largest first": lambda terms, dtype: running(np.sort(terms)[..., ::-1], dtype),
    "smallest first": lambda terms, dtype: running(np.sort(terms), dtype),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "accumulate"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float16"), ("float16", "float32")],
)
def test_the_bound_of_a_sum_holds_in_any_order(name: str, accumulate: str, order: str, high_precision: Any) -> None:
    rng, profile = np.random.default_rng(0), profile_of(name, accumulate)
    for n in (1, 2, 3, 17, 200):
        x = numbers(rng, name, 20, n)
        total = ORDERS[order](x.astype(accumulate), np.dtype(accumulate)).astype(name)
        for axis, operand in ((1, x), (0, x.T)):
            bounded = Bounded.tensor(operand, profile).sum(axis=axis)
            assert_within(total.astype(float), high_precision.array(x).sum(axis=1), bounded, high_precision)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["matmul", "vecdot"])
@pytest.mark.parametrize(
    ("name", "accumulate"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float16"), ("float16", "float32")],
)
def test_the_bound_of_a_product_holds_in_any_order_also_where_the_factors_have_errors(
    name: str, accumulate: str, kind: str, order: str, high_precision: Any
) -> None:
    """The factors are sums themselves: x + y, rounded."""
    rng, profile = np.random.default_rng(0), profile_of(name, accumulate)
    for n in (1, 2, 17, 100):
        shapes = ((3, n), (3, n)) if kind == "vecdot" else ((3, n), (n, 2))
        terms = [numbers(rng, name, 2, *shape) for shape in shapes]
        factors = [(x.astype(name) + y.astype(name)).astype(accumulate) for x, y in terms]
        a, b = factors if kind == "vecdot" else (factors[0][:, None, :], factors[1].T[None, :, :])
        real = ORDERS[order]((a * b).astype(accumulate), np.dtype(accumulate)).astype(name)
        exact = getattr(np, kind)(*(high_precision.array(x) + high_precision.array(y) for x, y in terms))
        bounded = getattr(np, kind)(*(Bounded.tensor(x, profile) + Bounded.tensor(y, profile) for x, y in terms))
        assert_within(real.astype(float), exact, bounded, high_precision)


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_torchs_matrix_product_holds(name: str, high_precision: Any) -> None:
    """bfloat16 and float16 accumulate in float32 and are rounded once: so says the profile."""
    rng, profile = np.random.default_rng(0), profile_of(name, name if name in ("float64", "float32") else "float32")
    a, b = numbers(rng, name, 4, 33), numbers(rng, name, 33, 5)
    dtype = getattr(torch, name)
    real = (torch.tensor(a, dtype=dtype) @ torch.tensor(b, dtype=dtype)).to(torch.float64).numpy()
    bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
    assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)


def test_the_bound_of_a_long_sum_is_reached_to_a_tenth_in_the_worst_order() -> None:
    """1 + Σ u, one after another, loses every u: the error is nearly γₙ times the sum."""
    profile, n = profile_of("float32"), 1_000
    terms = np.array([1.0] + [2.0**-24] * n)
    lost = n * 2.0**-24
    assert running(terms.astype(np.float32), np.float32) == 1.0
    assert 0.1 < lost / Bounded.tensor(terms, profile).sum(0).error <= 1


@pytest.mark.parametrize("name", NAMES)
def test_gamma_is_unbounded_once_n_roundings_can_make_any_error(name: str) -> None:
    profile, most = profile_of(name), 2 ** FORMATS[name].digits
    assert gamma(0, profile) == 0
    assert np.isinf(gamma(most, profile))
    assert FORMATS[name].u <= gamma(1, profile) <= FORMATS[name].u * (1 + 1e-2)
    assert np.isfinite(gamma(most // 2, profile)) and gamma(most // 2, profile) >= 1 - 1e-9
    if name == "bfloat16":
        ones = Bounded.tensor(np.ones((1, most)), profile)
        assert np.isinf((ones @ ones.T).error).all() and np.isfinite((ones[:, :99] @ ones[:, :99].T).error).all()
        assert np.isinf(Bounded.tensor(np.ones(most + 1), profile).sum(0).error)


@pytest.mark.parametrize("format", ["tf32", "bfloat16"])
def test_operands_that_are_rounded_first_widen_the_bound_of_a_product_by_what_that_costs(
    format: str, high_precision: Any
) -> None:
    rng = np.random.default_rng(0)
    a, b = (FORMATS["float32"].round(rng.standard_normal(shape)).astype(float) for shape in ((20, 9), (9, 20)))
    narrow = [FORMATS[format].round(x).astype(np.float32) for x in (a, b)]
    real, exact = (narrow[0] @ narrow[1]).astype(float), high_precision.array(a) @ high_precision.array(b)
    plain = profile_of("float32")
    rounded = profile_of("float32", operands=FORMATS[format])
    wide, tight = (Bounded.tensor(a, p) @ Bounded.tensor(b, p) for p in (rounded, plain))
    assert_within(real, exact, wide, high_precision)
    error = np.abs(high_precision.array(real) - exact)
    assert np.any(error > 10 * high_precision.array(tight.error))  # it is needed
    assert np.any(error > 0.1 * high_precision.array(wide.error))  # and no more than needed
    assert_within(real, exact, np.matmul(Bounded.tensor(a, rounded), b), high_precision)


def test_operands_that_are_rounded_to_a_format_of_smaller_range_may_underflow_or_overflow(high_precision: Any) -> None:
    """Autocast to float16: 1e-7 keeps one bit, 1e-9 none, 1e5 becomes inf."""
    profile = profile_of("float32", operands=FORMATS["float16"])
    a, b = FORMATS["float32"].round(np.array([[1.3e-7], [1e-9], [1e5]])).astype(float), np.array([[2.0]])
    with np.errstate(over="ignore"):
        real = (a.astype(np.float16).astype(np.float32) @ b.astype(np.float32)).astype(float)
    bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
    assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)
    assert np.isinf(bounded.error[2]) and np.all(np.isfinite(bounded.error[:2]))


# -- errors that operands bring along ---------------------------------------------------------------------------------

CARRIED: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, np.add),
    "subtract": (2, np.subtract),
    "multiply": (2, np.multiply),
    "divide": (2, np.divide),
    "maximum": (2, np.maximum),
    "minimum": (2, np.minimum),
    "negative": (1, np.negative),
    "absolute": (1, np.absolute),
    "sqrt": (1, np.sqrt),
    "square": (1, np.square),
    "cube": (1, lambda x: x**3),
    "sum": (2, lambda *x: stack(*x).sum(0)),
    "vecdot": (4, lambda a, b, c, d: np.vecdot(stack(a, b), stack(c, d))),
    "matmul": (4, lambda a, b, c, d: (stack(a, b)[None, :] @ stack(c, d)[:, None])[0, 0]),
}

LOOSENESS = {
    "cube": 3,  # k·e·(|x| + e)ᵏ⁻¹ for (|x| + e)ᵏ − |x|ᵏ
    "vecdot": 1.2,  # where signs differ, the products of two errors cannot all be at their worst together
    "matmul": 1.2,
    "maximum": np.inf,  # the larger error passes through, whichever operand it belongs to
    "minimum": np.inf,
}
"""How much wider than the worst case a bound may be, where that is more than nothing."""


def stack(*parts: Any) -> Any:
    """Scalars of either kind as one array."""
    if not isinstance(parts[0], Bounded):
        return np.array(parts, object)
    return Bounded([x.value for x in parts], [x.error for x in parts], parts[0].profile)


@pytest.mark.parametrize("name", CARRIED)
def test_the_error_of_the_operands_is_carried_to_the_result_and_no_more_of_it_than_that(
    name: str, high_precision: Any
) -> None:
    """All operands at the ends of their intervals: within the bound, and at worst on it."""
    arity, operation = CARRIED[name]
    rng, profile, looseness = np.random.default_rng(0), profile_of("float64"), [0.0]
    for _ in range(60):
        values = rng.uniform(1, 4, arity) * (1 if name == "sqrt" else rng.choice([-1, 1], arity))
        errors = rng.choice([0, 2.0**-20, 0.25, 0.75], arity)
        found = operation(*(Bounded(value, error, profile) for value, error in zip(values, errors, strict=True)))
        v, e = high_precision.array(values), high_precision.array(errors)
        exact = operation(*v)
        ends = [operation(*(v + e * high_precision.array(np.array(signs)))) for signs in product((-1, 1), repeat=arity)]
        worst, bound = max(abs(end - exact) for end in ends), high_precision.number(float(found.error))
        assert worst <= bound * (1 + 1e-15)
        if worst:
            looseness.append((bound - 1e-13) / worst)  # 1e-13: the rounding of the result itself
    assert max(looseness) <= LOOSENESS.get(name, 1 + 1e-5)


@pytest.mark.parametrize(("value", "error"), [(1.0, 2.0**-10), (1 + 2.0**-24, 2.0**-40), (0.1, 0.05)])
def test_a_scalar_with_an_error_may_be_rounded_to_another_number_than_its_value(value: float, error: float) -> None:
    entered = Bounded(np.array(value), error, profile_of("float32"), scalar=True).entering()
    for end in (value - error, value, value + error):
        assert abs(np.longdouble(np.float32(end)) - value) <= entered.error
    assert entered.error <= error + 2.0**-23


@pytest.mark.parametrize("order", ORDERS)
def test_the_bound_of_a_sum_or_product_that_cancels_covers_the_rounding_of_its_partial_sums(
    order: str, high_precision: Any
) -> None:
    """Σ(x − x) in a random order: nothing is left of the value, and all of its rounding errors."""
    rng, profile = np.random.default_rng(0), profile_of("float32")
    x = numbers(rng, "float32", 40, 17)
    terms = rng.permuted(np.concatenate([x, -x], axis=1), axis=1)
    real = ORDERS[order](terms.astype(np.float32), np.dtype(np.float32)).astype(float)
    exact, bounded = high_precision.array(np.zeros(40)), Bounded.tensor(terms, profile)
    assert np.any(real != 0) or order in ("largest first", "smallest first")
    assert_within(real, exact, bounded.sum(axis=1), high_precision)
    assert_within(real, exact, np.vecdot(bounded, np.ones((40, 34))), high_precision)
    assert_within(real[:, None], exact[:, None], bounded @ np.ones((34, 1)), high_precision)


# -- range ------------------------------------------------------------------------------------------------------------


def test_a_result_that_may_overflow_is_unbounded() -> None:
    profile = profile_of("float16")
    x = Bounded.tensor(np.array([60000.0, 30000.0]), profile)
    for result in (x + x, x * 2, x / 0.5, x * x, x**2, np.square(x)):
        assert np.isinf(result.error[0])
    assert np.isfinite((x + x).error[1])
    assert np.isinf((Bounded(np.array([65000.0]), 1000, profile) + 0).error)


def test_partial_sums_that_overflow_make_a_sum_unbounded_whatever_it_cancels_to() -> None:
    terms = np.array([60000.0, 60000.0, -60000.0, -60000.0])
    assert Bounded.tensor(terms, profile_of("float16")).sum(0).error == np.inf
    assert Bounded.tensor(terms, profile_of("float16", "float32")).sum(0).error < 1
    ones = Bounded.tensor(np.ones(4), profile_of("float16"))
    assert np.vecdot(Bounded.tensor(terms, profile_of("float16")), ones).error == np.inf


@pytest.mark.parametrize("name", ["float32", "float16"])
def test_the_bound_holds_where_results_are_subnormal(name: str, high_precision: Any) -> None:
    rng, profile, tiny = np.random.default_rng(0), profile_of(name), float(FORMATS[name].smallest_normal)
    a, b = (numbers(rng, name, 500, exponents=(-3, 3)) for _ in range(2))
    small = FORMATS[name].round(a * tiny).astype(float)
    real = [x.astype(name) for x in (small, b)]
    exact, bounded = [high_precision.array(x) for x in (small, b)], [Bounded.tensor(x, profile) for x in (small, b)]
    product = (real[0] * real[1]).astype(float)
    assert np.any((np.abs(product) < tiny) & (product != 0))
    assert_within(product, exact[0] * exact[1], bounded[0] * bounded[1], high_precision)
    nonzero = b != 0
    quotient = (real[0][nonzero] / real[1][nonzero]).astype(float)
    assert_within(
        quotient, exact[0][nonzero] / exact[1][nonzero], bounded[0][nonzero] / bounded[1][nonzero], high_precision
    )
    total = running((real[0] * real[1]).reshape(50, 10), real[0].dtype).astype(float)
    sums: Any = np.vecdot(bounded[0].reshape(50, 10), bounded[1].reshape(50, 10))
    assert_within(total, np.vecdot(exact[0].reshape(50, 10), exact[1].reshape(50, 10)), sums, high_precision)


def test_the_bound_holds_on_a_device_that_flushes_subnormal_operands_and_results(high_precision: Any) -> None:
    rng, tiny = np.random.default_rng(0), float(FORMATS["float32"].smallest_normal)
    profile = profile_of("float32", flush=True)
    a, b = (FORMATS["float32"].round(numbers(rng, "float32", 600) * tiny).astype(float) for _ in range(2))
    large = FORMATS["float32"].round(numbers(rng, "float32", 600, exponents=(20, 40))).astype(float)
    bounded = {key: Bounded.tensor(x, profile) for key, x in (("a", a), ("b", b), ("large", large))}
    exact = {key: high_precision.array(x) for key, x in (("a", a), ("b", b), ("large", large))}

    def flush(x: Array) -> Array:
        return np.where(np.abs(x) < np.float32(tiny), np.float32(0), x).astype(np.float32)

    real = {key: flush(x.astype(np.float32)) for key, x in (("a", a), ("b", b), ("large", large))}
    for left, right in (("a", "b"), ("a", "large")):
        for operation in (np.add, np.subtract, np.multiply, np.maximum):
            computed = flush(operation(real[left], real[right])).astype(float)
            assert_within(
                computed, operation(exact[left], exact[right]), operation(bounded[left], bounded[right]), high_precision
            )
    total = np.zeros(60, np.float32)
    products = np.zeros(60, np.float32)
    for i in range(10):
        total = flush(total + real["a"].reshape(60, 10)[:, i])
        products = flush(products + flush(real["a"] * real["large"]).reshape(60, 10)[:, i])
    assert_within(
        total.astype(float), exact["a"].reshape(60, 10).sum(axis=1), bounded["a"].reshape(60, 10).sum(1), high_precision
    )
    dot: Any = np.vecdot(bounded["a"].reshape(60, 10), bounded["large"].reshape(60, 10))
    assert_within(
        products.astype(float),
        np.vecdot(exact["a"].reshape(60, 10), exact["large"].reshape(60, 10)),
        dot,
        high_precision,
    )
    assert np.all((Bounded.tensor(np.ones(3), profile) * 3).error < 1e-6)  # normal numbers keep their bound


@pytest.mark.parametrize("operation", [np.multiply, np.add, np.subtract, np.divide, np.maximum, np.matmul, np.vecdot])
def test_unbounded_operands_give_unbounded_results_without_a_warning(operation: Any) -> None:
    profile = profile_of("float32")
    lost = Bounded(np.zeros((2, 2)), np.inf, profile)
    for other in (Bounded.tensor(np.zeros((2, 2)), profile), Bounded.tensor(np.ones((2, 2)), profile), lost, lost / 0):
        for result in (operation(lost, other), operation(other, lost)):
            assert np.all(np.isinf(result.error))
    assert (
        np.all(np.isinf(lost.sum(0).error))
        and np.all(np.isinf((lost**2).error))
        and np.all(np.isinf(np.sqrt(lost).error))
    )


def test_division_by_what_may_be_0_is_unbounded() -> None:
    profile = profile_of("float32")
    for value, error in ((0.1, 0.2), (0.1, 0.1), (-0.1, 0.3), (0.0, 0.0)):
        assert np.isinf((1 / Bounded(np.array([value]), error, profile)).error)
    near = 1 / Bounded(np.array([0.1]), 0.05, profile)
    assert 10 <= near.error < 10 * 1.001  # 1/0.05 − 1/0.1


@pytest.mark.parametrize("error", [0.0, 1e-9, 0.1, 0.99, 1.0, 2.0])
def test_the_root_of_an_uncertain_number_covers_both_ends(error: float) -> None:
    bounded = np.sqrt(Bounded(np.array([1.0]), error, profile_of("float64")))
    for end in (max(1 - error, 0), 1 + error):
        assert abs(np.sqrt(np.longdouble(end)) - 1) <= bounded.error
    assert bounded.error <= 2 * error + 1e-15


def test_the_root_of_a_negative_number_is_unbounded() -> None:
    assert np.isinf(np.sqrt(Bounded.tensor(np.array([-1.0]), profile_of("float32"))).error)
    assert np.sqrt(Bounded.tensor(np.array([0.0]), profile_of("float32"))).error < 1e-40


# -- hyper-parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("beta", [0.9, 0.999, 0.9999, 0.5])
def test_an_expression_of_scalars_is_computed_in_doubles_and_rounded_once(
    name: str, beta: float, high_precision: Any
) -> None:
    """(1 − β)·g as torch has it; rounding β first would be 1,000 times worse, and is outside the bound."""
    rng, profile, dtype = np.random.default_rng(0), profile_of(name), Real(name)
    g = numbers(rng, name, 200, exponents=(0, 1))
    factor = FORMATS[name].round(np.array(1 - beta)).astype(float)
    real = dtype.float64(dtype.apply("multiply", dtype.array(factor), dtype.array(g)))
    exact = (1 - high_precision.number(beta)) * high_precision.array(g)
    bounded: Any = (1 - Bounded.hyper(beta, profile)) * Bounded.tensor(g, profile)
    assert not bounded.scalar
    assert_within(real, exact, bounded, high_precision)
    error, allowed = np.abs(high_precision.array(real) - exact), high_precision.array(bounded.error)
    assert np.any(error > 0.2 * allowed) or beta == 0.5  # ½ and its products are exact
    early = FORMATS[name].round(1 - FORMATS[name].round(np.array(beta))).astype(float)
    if beta == 0.999 and name == "float32":
        computed = dtype.float64(dtype.apply("multiply", dtype.array(early), dtype.array(g)))
        assert np.all(
            np.abs(high_precision.array(computed) - exact)[g != 0] > 5 * high_precision.array(bounded.error)[g != 0]
        )


def test_a_scalar_by_itself_is_the_double_that_was_given() -> None:
    profile = profile_of("float32")
    for value in (0.1, 0.999, 1e-8):
        scalar = Bounded.hyper(value, profile)
        assert scalar.scalar and scalar.error == 0 and scalar.value == value
        assert 0 < (1 - scalar).error <= 2.0**-53 * 1.001
        assert (scalar * scalar).scalar and (1 - scalar).scalar


def test_a_scalar_that_meets_a_tensor_is_off_by_its_own_rounding_error_exactly() -> None:
    profile, one = profile_of("float32"), Bounded.tensor(np.ones(1), profile_of("float32"))
    entered = Bounded.hyper(0.1, profile).entering()
    assert not entered.scalar
    assert entered.error == abs(np.longdouble(0.1) - np.longdouble(np.float32(0.1)))
    assert Bounded.hyper(0.5, profile).entering().error == 0
    assert np.isinf(Bounded.hyper(1e39, profile).entering().error)  # it becomes inf
    assert not (Bounded.hyper(0.1, profile) * one).scalar
    assert np.isinf((Bounded.hyper(1e39, profile) * (one * 1e-30)).error)
    double = profile_of("float64")
    assert Bounded.hyper(0.1, double).entering().error == 0


@pytest.mark.parametrize("beta", [0.9, 0.999])
def test_a_profile_that_keeps_scalars_in_float32_gives_them_that_precision(beta: float, high_precision: Any) -> None:
    profile = profile_of("float32", scalar=FORMATS["float32"])
    real = np.float32(1) - np.float32(beta)
    bounded: Any = (1 - Bounded.hyper(beta, profile)) * Bounded.tensor(np.ones(1), profile)
    assert_within(np.array([float(real)]), 1 - high_precision.array(np.array([beta])), bounded, high_precision)
    assert bounded.error > 1e-9


@pytest.mark.parametrize("order", ["condition true", "condition false", "undecided"])
def test_a_choice_between_a_scalar_and_a_tensor_rounds_the_scalar(order: str, high_precision: Any) -> None:
    profile = profile_of("float32")
    condition: Any = {
        "condition true": np.array([True]),
        "condition false": np.array([False]),
        "undecided": Bounded(np.array([0.0]), 1, profile) > 0,
    }[order]
    chosen = np.where(condition, Bounded.hyper(0.1, profile), Bounded.tensor(np.array([0.25]), profile))
    real = np.array([0.25 if order == "condition false" else float(np.float32(0.1))])
    exact = high_precision.array(np.array([0.25 if order == "condition false" else 0.1]))
    assert not chosen.scalar
    assert_within(real, exact, chosen, high_precision)
    assert np.where(condition, Bounded.hyper(0.1, profile), 0.0).scalar  # a choice between scalars is one


def test_the_form_factor_multiplies_the_unit_roundoff() -> None:
    x = np.array([1.5])
    errors = [(Bounded.tensor(x, profile_of("float32", form=form)) + 1).error.item() for form in (1.0, 2.0)]
    np.testing.assert_allclose(errors[1] / errors[0], 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_product_with_an_exact_zero_is_exact_and_one_with_an_uncertain_zero_is_not(dtype: str) -> None:
    """In every format 0·y is 0 and nothing else, unless y may be infinite."""
    profile, largest = profile_of(dtype), FORMATS[dtype].largest
    zero, y = Bounded.tensor(np.zeros(1), profile), Bounded(np.array([3.0]), 0.5, profile)
    assert (zero * y).error == 0 and (y * zero).error == 0 and (0 * y).error == 0
    assert (Bounded(np.zeros(1), 1e-6, profile) * y).error >= 3.5e-6
    assert np.isinf((zero * (Bounded.tensor(np.array([largest]), profile) * 2)).error)


def test_the_bound_is_in_the_units_of_the_formula() -> None:
    """u·|x| for one operation on exact numbers, and half the smallest subnormal where it can underflow."""
    profile, x = profile_of("float32"), Bounded.tensor(np.array([3.0]), profile_of("float32"))
    u, tau = 2.0**-24, 2.0**-150
    np.testing.assert_allclose((x + 1).error, 4 * u, rtol=1e-9)
    np.testing.assert_allclose((x * 2).error, 6 * u + tau, rtol=1e-9)
    tiny = Bounded.tensor(np.array([1e-30]), profile)
    np.testing.assert_allclose((tiny * tiny).error, tau, rtol=1e-9)
    np.testing.assert_allclose((-x).error, 0)
    np.testing.assert_allclose(((x + 1) + 1).error, (4 + 5) * u, rtol=1e-6)
    np.testing.assert_allclose(((x + 1) * 2).error, (4 * 2 + 8) * u, rtol=1e-6)
    assert np.all((Bounded.tensor(np.zeros(1), profile) + 0).error == 0)


# -- comparisons ------------------------------------------------------------------------------------------------------


def uncertain(value: float, error: float) -> Bounded:
    return Bounded(np.array(value), error, profile_of("float32"))


@pytest.mark.parametrize(
    ("value", "error", "decided"),
    [(1.0, 0.5, True), (-1.0, 0.5, True), (1.0, 1.0, False), (0.0, 0.1, False), (0.0, 0.0, True)],
)
def test_a_comparison_is_decided_where_no_error_can_turn_it(value: float, error: float, decided: bool) -> None:
    x = uncertain(value, error)
    decisions = {"x > 0": x > 0, "x < 0": x < 0, "x >= 0": x >= 0, "x <= 0": x <= 0, "x == 0": x == 0, "x != 0": x != 0}
    for text, decision in decisions.items():
        if decided:
            assert bool(decision) == eval(text, {"x": value})
        else:
            with pytest.raises(Undecided, match="use where"):
                bool(decision)


def test_errors_of_both_sides_count() -> None:
    with pytest.raises(Undecided):
        bool(uncertain(1.0, 0.3) > uncertain(0.5, 0.3))
    assert bool(uncertain(1.0, 0.2) > uncertain(0.5, 0.2))


def test_nothing_is_decided_by_a_number_that_is_not_known() -> None:
    for lost in (
        uncertain(0.0, 0.0) / 0,
        uncertain(1.0, 0.0) / 0,
        uncertain(1.0, np.inf),
        np.sqrt(uncertain(-1.0, 0.0)),
    ):
        for decision in (lost > 0, lost < 0, lost == 0, lost > lost):
            with pytest.raises(Undecided):
                bool(decision)
        hull: Any = np.where(lost > 0, uncertain(1.0, 0.0), uncertain(3.0, 0.0))
        assert 2 <= hull.error <= 2 + 1e-15
        assert np.sign(lost).error >= 2


def test_an_undecided_choice_covers_both_branches() -> None:
    x, y = uncertain(1.0, 0.25), uncertain(5.0, 0.5)
    for condition in (uncertain(0.1, 1) > 0, uncertain(-0.1, 1) > 0):
        chosen = np.where(condition, x, y)
        for end in (0.75, 1.25, 4.5, 5.5):
            assert abs(end - chosen.value) <= chosen.error
        assert chosen.error <= 4.5 + 1e-15
    for condition, branch in ((uncertain(1, 0.1) > 0, x), (uncertain(-1, 0.1) > 0, y)):
        chosen = np.where(condition, x, y)
        assert (chosen.value, chosen.error) == (branch.value, branch.error)


@pytest.mark.parametrize(
    ("value", "error", "reach"),
    [(1.0, 0.5, 0.0), (0.1, 0.2, 2.0), (0.2, 0.2, 2.0), (-0.1, 0.2, 2.0), (0.0, 0.1, 1.0), (0.0, 0.0, 0.0)],
)
def test_a_sign_that_errors_could_turn_covers_every_sign_it_could_be(value: float, error: float, reach: float) -> None:
    found = np.sign(uncertain(value, error))
    assert (found.value, found.error) == (np.sign(value), reach)


def test_the_larger_and_the_smaller_of_two_have_no_more_error_than_either() -> None:
    x, y = uncertain(1.0, 0.25), uncertain(1.1, 0.5)
    for function, value in ((np.maximum, 1.1), (np.minimum, 1.0)):
        assert (function(x, y).value, function(x, y).error) == (np.longdouble(value), 0.5)


# -- NumPy's side -----------------------------------------------------------------------------------------------------


def test_shapes_are_those_of_numpy() -> None:
    x = Bounded(np.arange(12.0).reshape(2, 1, 6), np.arange(12.0).reshape(2, 1, 6) / 128, profile_of("float32"))
    for moved in (x[:, 0], x[..., None], x[0], x.T, x.reshape(2, -1), x.swapaxes(1, 2), x[:, :, np.array([1, 0])]):
        assert moved.shape == moved.value.shape == moved.error.shape and moved.size == moved.value.size
        assert moved.ndim == len(moved.shape) and len(moved) == moved.shape[0]
        assert np.all(moved.error == moved.value / 128)
    assert x.sum(axis=2).shape == (2, 1) and (x @ x.swapaxes(1, 2)).shape == (2, 1, 1)


@pytest.mark.parametrize("function", [np.expm1, np.log1p, np.sin, np.floor, np.sum, np.stack])
def test_a_function_without_a_bound_is_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        function(Bounded.tensor(np.ones((2, 2)), profile_of("float32")))


def test_arrays_joined_keep_their_errors() -> None:
    x, y = (Bounded(np.full((2, n), float(n)), n / 8, profile_of("float32")) for n in (1, 3))
    joined: Any = np.concatenate([x, y], axis=1)
    assert joined.value.tolist() == [[1, 3, 3, 3]] * 2
    assert joined.error.tolist() == [[1 / 8, 3 / 8, 3 / 8, 3 / 8]] * 2


def test_the_largest_of_several_has_no_more_error_than_any() -> None:
    x = Bounded(np.array([[1.0, 1.1], [3.0, 0.0]]), np.array([[0.25, 0.5], [0.125, 0.0]]), profile_of("float32"))
    assert x.max(axis=1).value.tolist() == [float(np.longdouble(1.1)), 3.0]
    assert x.max(axis=1).error.tolist() == [0.5, 0.125]


def test_an_operation_never_changes_its_operands() -> None:
    profile = profile_of("float32")
    x, y = Bounded(np.ones(3), 0.125, profile), Bounded.hyper(0.1, profile)
    _ = (x + y, x * y, x / 2, x**2, x > y, np.where(x > 0, x, 0.0), np.sqrt(x), x @ x)
    assert np.all(x.value == 1) and np.all(x.error == 0.125)
    assert y.value == 0.1 and y.error == 0 and y.scalar


# -- exponential and logarithm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", [np.longdouble, np.float64])
@pytest.mark.parametrize("name", ["float64", "float32"])
@pytest.mark.parametrize("function", ["exp", "log"])
def test_the_bound_of_an_exponential_or_logarithm_holds_within_its_error_and_is_near(
    function: str, name: str, carrier: Any, high_precision: Any
) -> None:
    rng, profile = np.random.default_rng(0), profile_of(name, carrier=carrier)
    x = FORMATS[name].round(rng.uniform(0.1, 30, 300) * (-1 if function == "exp" else 1)).astype(float)
    true = np.frompyfunc(getattr(high_precision.number.context, function), 1, 1)
    for error in (0.0, 2.0**-20, 0.05):
        found: Any = getattr(np, function)(Bounded(x, error, profile))
        shares = []
        for shift in (-error, 0.0, error, error / 2):
            away = np.abs(true(high_precision.array(x) + shift) - high_precision.array(found.value))
            shares.append(np.max(away / high_precision.array(found.error)))
        assert max(shares) <= 1
        if error:
            assert max(shares) > 0.75
    for computed in (getattr(np, function)(x.astype(name)), getattr(torch, function)(torch.tensor(x.astype(name)))):
        away = np.abs(high_precision.array(np.asarray(computed, float)) - true(high_precision.array(x)))
        used = away / high_precision.array(getattr(np, function)(Bounded(x, 0, profile)).error)
        assert 0.1 < np.max(used) <= 1


def test_a_logarithm_of_what_may_be_zero_and_an_exponential_that_may_overflow_have_no_bound() -> None:
    for x, function in ((uncertain(1.0, 1.0), np.log), (uncertain(-1.0, 0.0), np.log), (uncertain(89.0, 0.0), np.exp)):
        assert np.isinf(function(x).error)  # type: ignore[call-overload]
    lost: Any = np.exp(uncertain(0.0, np.inf))
    assert np.isinf(lost.error)


# -- a carrier of 53 bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_bounds_in_a_carrier_of_53_bits_hold_and_are_at_most_twice_as_wide(name: str, high_precision: Any) -> None:
    rng, dtype = np.random.default_rng(0), Real(name)
    a, b = numbers(rng, name, 5, 40), numbers(rng, name, 40, 3)
    real = dtype.float64(dtype.apply("matmul", dtype.array(a), dtype.array(b)))
    errors = []
    for carrier in (np.longdouble, np.float64):
        profile = profile_of(name, carrier=carrier)
        bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
        assert bounded.value.dtype == bounded.error.dtype == np.dtype(carrier)
        assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)
        errors.append(bounded.error.astype(float))
    most = 2.01 if name == "float64" else 1.0001
    assert np.all(errors[1] >= errors[0] * (1 - 1e-15)) and np.all(errors[1] <= most * errors[0])


def test_a_bound_is_wider_than_what_computing_it_in_53_bits_rounds_away(high_precision: Any) -> None:
    """The largest error in a box of operands, and its rounding, are exactly inside of a bound that was rounded."""
    rng, profile = np.random.default_rng(0), profile_of("float64", carrier=np.float64)
    value, error = rng.uniform(1, 2, (2, 1000)), rng.uniform(20, 40, (2, 1000))
    x, y = (Bounded(value[i], error[i], profile) for i in (0, 1))
    (vx, vy), (ex, ey) = high_precision.array(value), high_precision.array(error)
    for result, reach, exact in ((x * y, vx * ey + vy * ex + ex * ey, vx * vy), (x + y, ex + ey, vx + vy)):
        away = np.abs(high_precision.array(result.value) - exact)
        rounding = high_precision.number(2) ** -53 * (np.abs(exact) + reach)
        assert np.all(away + reach + rounding <= high_precision.array(result.error))


@pytest.mark.parametrize(
    ("left", "right"), [((1, 4), (4, 5)), ((3, 2, 4), (3, 4, 5)), ((2, 4), (4, 1)), ((4,), (4, 3))]
)
def test_a_large_product_made_in_columns_is_the_same(left: Any, right: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = (Bounded(rng.normal(size=n), rng.random(n) * 1e-9, profile_of("float32")) for n in (left, right))
    whole = a @ b
    monkeypatch.setattr("refimpl.arithmetic.operations.LARGE", 9)
    parts = a @ b
    assert np.array_equal(parts.value, whole.value)
    np.testing.assert_allclose(parts.error, whole.error, rtol=1e-14)  # which BLAS may add in another order


@pytest.mark.parametrize("large", [1e300, 2.0**1000, 1e100])
def test_the_bound_of_a_product_counts_errors_that_are_0_in_float64(large: float, high_precision: Any) -> None:
    """There, 1e-324 is 0, and 0 times a number of 1e300 no bound for what is left of the product."""
    profile = profile_of("float64")
    values, smallest = np.full((3, 4), large), np.full((4, 2), np.longdouble("1e-324"))
    known, unknown = Bounded.tensor(values, profile), Bounded(np.zeros((4, 2)), smallest, profile)
    exact = 4 * high_precision.number(large) * high_precision.number("1e-324")
    for bounded in (known @ unknown, unknown.T @ known.T):
        assert np.all(high_precision.array(bounded.error) >= exact)
