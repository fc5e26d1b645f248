"""The error that operands bring along is carried to the result, and no more of it than that."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded
from tests.refimpl.arithmetic.roundings import profile_of

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
