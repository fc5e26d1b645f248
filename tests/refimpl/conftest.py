"""The entries of every registry as fixtures, and the arithmetics that formulas are run in.

A test that names ``any_loss``, ``any_penalty``, ``any_optimizer``, ``any_schedule`` or ``any_init`` runs once for each
of ``examples.py``; one that names ``every_optimizer``, ``every_schedule`` or ``every_penalty`` gets all of them by
label. ``test_registries.py`` fails while an entry has none.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.lift import lift
from refimpl.initial_weights import INITS
from refimpl.losses import LOSSES
from refimpl.optimizers import OPTIMIZERS
from refimpl.penalties import PENALTIES
from refimpl.schedules import PROGRAMMED, SCHEDULES
from tests.refimpl.examples import EXAMPLES, OF_CLASSES, WITH_ROOTS

REGISTRIES: dict[str, dict[str, Any]] = {
    "loss": LOSSES,
    "penalty": PENALTIES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES | PROGRAMMED,
    "init": INITS,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in REGISTRIES:
        if f"any_{kind}" in metafunc.fixturenames:
            made = labelled(kind)
            metafunc.parametrize(f"any_{kind}", made.values(), ids=made)


def labelled(kind: str) -> dict[str, Any]:
    """Every example of a registry by its label, which is the entry's name and a number."""
    return {
        f"{name}{i}": entry(**arguments)
        for name, entry in REGISTRIES[kind].items()
        if name not in OF_CLASSES
        for i, arguments in enumerate(EXAMPLES[kind].get(name, []))
    }


@pytest.fixture(scope="session")
def every_optimizer() -> dict[str, Any]:
    return labelled("optimizer")


@pytest.fixture(scope="session")
def every_schedule() -> dict[str, Any]:
    return labelled("schedule")


@pytest.fixture(scope="session")
def every_penalty() -> dict[str, Any]:
    return labelled("penalty")


@pytest.fixture(scope="session")
def registries() -> dict[str, dict[str, Any]]:
    return REGISTRIES


@pytest.fixture(scope="session")
def examples() -> dict[str, dict[str, list[dict[str, Any]]]]:
    return EXAMPLES


FIFTY_DIGITS = mpmath.MPContext()
FIFTY_DIGITS.dps = 50
FIFTY_DIGITS.mpf.cos = lambda number: FIFTY_DIGITS.cos(number)  # the methods that np.cos … ask an object for
FIFTY_DIGITS.mpf.exp = lambda number: FIFTY_DIGITS.exp(number)
FIFTY_DIGITS.mpf.log = lambda number: FIFTY_DIGITS.log(number)
FIFTY_DIGITS.mpf.log1p = lambda number: FIFTY_DIGITS.log1p(number)
FIFTY_DIGITS.mpf.tanh = lambda number: FIFTY_DIGITS.tanh(number)
FIFTY_DIGITS.mpf.erf = lambda number: FIFTY_DIGITS.erf(number)


class HighPrecision:
    """``mpf`` numbers of 50 digits in object arrays: more than any float64 result can need."""

    number = FIFTY_DIGITS.mpf

    @staticmethod
    def array(x: Any) -> Any:
        """Exactly, ``longdouble`` too: it is the sum of two doubles."""
        x = np.asarray(x)
        if x.dtype == np.longdouble:
            with np.errstate(invalid="ignore"):
                high = x.astype(float)
                low = np.where(np.isfinite(high), x - high, 0).astype(float)
            return HighPrecision.array(high) + HighPrecision.array(low)
        objects = np.empty(x.shape, object)
        objects[...] = np.frompyfunc(FIFTY_DIGITS.mpf, 1, 1)(x)
        return objects

    @staticmethod
    def hyper(obj: Any) -> Any:
        return lift(obj, FIFTY_DIGITS.mpf)


class Rational:
    """:class:`refimpl.arithmetic.exact.Exact` in object arrays."""

    @staticmethod
    def array(x: Any) -> Any:
        return exact(np.asarray(x))

    @staticmethod
    def hyper(obj: Any) -> Any:
        return lift(obj, exact)

    @staticmethod
    def allows(obj: Any) -> bool:
        return all(type(obj) is not registry.get(name) for registry in REGISTRIES.values() for name in WITH_ROOTS)


class LongDouble:
    """The widest float of the platform."""

    @staticmethod
    def array(x: Any) -> Any:
        return np.asarray(x, np.longdouble)

    @staticmethod
    def hyper(obj: Any) -> Any:
        return lift(obj, np.longdouble)


@pytest.fixture(scope="session")
def high_precision() -> type[HighPrecision]:
    return HighPrecision


@pytest.fixture(scope="session")
def rational() -> type[Rational]:
    return Rational


@pytest.fixture(scope="session")
def long_double() -> type[LongDouble]:
    return LongDouble
