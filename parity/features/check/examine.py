"""All that is asked of an optimizer class, in the process of its own, as plain data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.optimizer import required

from parity.errors import InputError
from parity.explain.feeds import SHAPES, Feed, drawn, feeds, judged
from parity.explain.finding import Finding
from parity.features.check.blame import blame
from parity.features.check.conduct import faults
from parity.features.check.drive import REFUSALS, Driver
from parity.features.check.examined import Examined
from parity.features.check.kind import as_class, kind_of
from parity.features.check.life.live import live
from parity.features.check.put_off import put_off_dynamo
from parity.features.check.target import Target, load


def examine_target(
    target: Target, hyper: Mapping[str, Any], meant: bool, dtypes: Sequence[str], device: str, products: bool = False
) -> Examined | None:
    """Examine an optimizer; this runs in the process of its code. None of a training function.

    ``meant``: the options say that it is an optimizer.
    """
    put_off_dynamo()
    torch.set_num_threads(1)  # of tensors this small
    code = load(target)
    if kind_of(str(target), code, hyper if meant else None) == "training function":
        return None
    return examine(code, hyper, dtypes, device, products=products)


def examine(
    code: Any,
    hyper: Mapping[str, Any],
    dtypes: Sequence[str] = ("float64", "float32"),
    device: str = "cpu",
    *,
    products: bool = False,
) -> Examined:
    """Drive an optimizer class, or what a function makes of parameters; ``products``: those of matrices are kept.

    Raises :class:`InputError` for what is neither and for a hyper-parameter that it does not take, and else what it
    raises when it is made.
    """

    def works(other: Mapping[str, Any]) -> bool:
        try:
            return bool(_driven(code, other, device)[1])
        except Exception:
            return False

    try:
        driver, shapes, refusal = _driven(code, hyper, device)
    except InputError:
        raise
    except Exception as error:
        blame(code, hyper, works, f"{type(error).__name__}: {error}")
        raise
    cls = driver.cls
    defaults = _defaults(cls)
    given = {**defaults, **hyper}
    if not shapes:
        blame(code, hyper, works, refusal)
        return Examined(name=cls.__name__, given=given, defaults=defaults, refusal=refusal)
    driver.multiplies |= products
    drawn_feed, broken = _judged(driver, shapes)
    runs, notes = {"drawn": driver.play(drawn_feed)}, [refusal] if refusal else []
    if wrapper := getattr(cls, "__wrapped_by__", ""):
        notes.append(f"{wrapper} wraps {cls.__name__}, which was checked; what the wrapper itself does was not")
    for name, feed in feeds(shapes, given, drawn_feed.late["late"]):
        if name in runs:
            continue
        try:
            runs[name] = driver.play(feed)
        except Exception as error:  # a value of a hyper-parameter that it does not take
            notes.append(f"the feed {name!r} was left out: {type(error).__name__}: {error}")
    narrow, raised = {}, {}
    for dtype in dtypes:
        try:
            narrow[dtype] = (
                runs["drawn"]
                if dtype == "float64"
                else Driver(cls, hyper, dtype, device, driver.closure, multiplies=driver.multiplies).play(drawn_feed)
            )
        except Exception as error:
            raised[dtype] = f"{type(error).__name__}: {error}"
    return Examined(
        name=cls.__name__,
        given=given,
        defaults=defaults,
        shapes=shapes,
        runs=runs,
        dtypes=narrow,
        raised=raised,
        keeps_float32=driver.keeps_float32,
        faults=(*broken, *faults(driver, shapes)),
        lives=tuple(live(driver, "vector" in shapes, given)),
        notes=tuple(notes),
        torchs=cls.step.__module__.startswith("torch.optim"),
        bases=tuple(base.__name__.lower() for base in cls.__mro__[1:]),
    )


def _driven(code: Any, hyper: Mapping[str, Any], device: str) -> tuple[Driver, Mapping[str, tuple[int, ...]], str]:
    """The class at work, the parameters that it steps, and its words of refusal."""
    driver = Driver(as_class(code, hyper), hyper, device=device)
    return driver, *_taken(driver)


def _judged(driver: Driver, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Feed, tuple[Finding, ...]]:
    """What the class is judged by; without a late parameter, and a finding, where only such a one makes it raise."""
    feed, without = judged(shapes), judged(shapes, late=0)
    try:
        driver.play(feed)
    except Exception as error:
        try:
            driver.play(without)
        except Exception:
            raise error from None
        broken = Finding(
            id="late-gradient-raises",
            text=f"it raises {type(error).__name__}: {error}, where a parameter gets its first gradient after others",
            evidence=f"a parameter without a gradient in the first {feed.late['late']} steps; without one it steps",
            change="ask of every parameter by itself whether it has its state already",
        )
        return without, (broken,)
    return feed, ()


def _taken(driver: Driver) -> tuple[Mapping[str, tuple[int, ...]], str]:
    """The parameters that it steps: all, or matrices only; and its words of refusal."""
    said = ""
    for shapes in (SHAPES, {"weight": SHAPES["weight"]}):
        feed = drawn(shapes, steps=1)
        try:
            driver.make(list(driver.parameters(feed.weights).values()))
        except REFUSALS as error:
            said = said or f"{type(error).__name__}: {error}"
            if len(shapes) == 1:
                raise
            continue
        try:
            driver.play(feed)
        except Exception as error:
            if not driver.closure and driver.may_need_closure(error):
                driver.closure = True
                return _taken(driver)
            said = said or f"{type(error).__name__}: {error}"
            if not isinstance(error, REFUSALS):
                raise
            continue
        return shapes, said and f"matrices only: {said}"
    return {}, said


def _defaults(cls: Any) -> dict[str, Any]:
    """The default values of the constructor; functions among them say nothing to a reference, and cannot be sent."""
    parameters = inspect.signature(cls).parameters.values()
    given = (p for p in parameters if p.default is not inspect.Parameter.empty and p.default is not required)
    return {p.name: p.default for p in given if not callable(p.default)}
