"""Hold a training function or an optimizer class to its reference, in one's own tests, whatever runs them.

::

    from parity import assert_optimizer, assert_parity

    assert_parity(train, "check-mse")
    assert_optimizer(MyAdamW, against="adamw", lr=0.01, weight_decay=0.1)

With pytest they are fixtures, too (:mod:`parity.pytest_plugin`). Nothing heavy is imported until one of them is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from parity.errors import EXPERIMENT, needs
from parity.loading import Asked, load

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis
    from refimpl.trajectory import Trajectory

WIDTH = 100
"""Columns of the text of a failure."""


class ParityFailure(AssertionError):
    """What was asserted does not hold; pytest shows its text and no traceback."""


class Undecidable(UserWarning):
    """It agrees, and would do so as well without what is named."""


@needs(train="a function of a task", experiment=EXPERIMENT)
def assert_parity(
    train: Callable[..., Any], experiment: Asked, *, dtype: str = "float64", strict: bool = False
) -> None:
    """Run ``train(task)`` (:class:`parity.features.check.task.Task`) and demand that every step is as asked.

    ``experiment``: a name of ``parity list``, a ``.toml`` file, or the object. ``dtype``: of model and data.
    ``strict``: what cannot be decided fails; otherwise it is an :class:`Undecidable` warning.

    Raises :class:`ParityFailure`, what ``train`` raises, and :class:`parity.errors.InputError` for bad input.
    """
    __tracebackhide__ = True
    from parity.explain.diagnosis import diagnose
    from parity.features.check.in_process import trajectory_here

    asked = load(experiment)
    trajectory, observed = trajectory_here(train, asked, dtype)
    found = diagnose(asked, trajectory, observed=observed)
    _demand(found, _name(train), strict)


@needs(cls="a class of optimizers", against="a reference, such as adamw or sgd(nesterov=True)")
def assert_optimizer(
    cls: type, against: str, *, dtypes: tuple[str, ...] = ("float64", "float32"), strict: bool = False, **hyper: Any
) -> None:
    """Demand that a ``torch.optim.Optimizer`` makes the steps of the reference ``against``, and breaks nothing else.

    ``against``: ``"adamw"``, or with options of its own ``"sgd(nesterov=True)"``. ``hyper``: what the class is
    constructed with, as in ``lr=0.01``; the reference gets the same. ``dtypes``: of the parameters. ``strict``: as of
    :func:`assert_parity`.

    Raises :class:`ParityFailure`, and :class:`parity.errors.InputError` for what is no optimizer class or no reference.
    """
    __tracebackhide__ = True
    from parity.features.check.in_process import check_class_here

    _demand(check_class_here(cls, hyper, against, dtypes), _name(cls), strict)


def parity_trajectory(train: Callable[..., Any], experiment: Asked, *, dtype: str = "float64") -> Trajectory:
    """What ``train(task)`` reported: ``params`` by name ``(K + 1, 1, …)`` and ``loss`` ``(K, 1)``."""
    from parity.features.check.in_process import trajectory_here

    return trajectory_here(train, load(experiment), dtype)[0]


def _name(code: Any) -> str:
    return str(getattr(code, "__qualname__", type(code).__name__))


def _demand(found: Diagnosis, name: str, strict: bool) -> None:
    """Fail unless it agrees, or cannot be told from what agrees."""
    __tracebackhide__ = True
    from parity.features.check.run import exit_code

    if exit_code(found) != 0 or (strict and found.verdict == "undecidable"):
        raise ParityFailure(_text(found, name))
    if found.verdict == "undecidable":
        warnings.warn(f"{name} against {found.against}: {found.text}", Undecidable, stacklevel=4)


def _text(found: Diagnosis, name: str) -> str:
    """Verdict, what was measured, findings with evidence and change."""
    from parity.features.check.terminal import print_diagnosis
    from parity.shown import text_of

    return text_of(lambda console: print_diagnosis(name, found, console), WIDTH)
