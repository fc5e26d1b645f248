"""What a target is: an optimizer, which is fed gradients, or a training function, which is run. Imported in its process
only.

An optimizer is a class, or a function of the parameters that returns one::

    def make(params):
        return torch.optim.AdamW(params, lr=0.01, weight_decay=0.1)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from parity.errors import InputError, Option, OptionError, nearest
from parity.features.check.align import WATCH

Kind = Literal["optimizer", "training function"]
FUNCTIONS = (FunctionType, MethodType, partial)
INNER = ("optimizer", "base_optimizer", "inner_optimizer", "_optimizer", "optim", "opt")
"""Names under which a wrapper keeps the optimizer that it wraps."""
DEPTH = 3
"""Wrappers around wrappers that are looked into."""
MODELS = ("model", "net", "network", "module")
"""Names that people give to an argument that is a model."""


def kind_of(name: str, code: Any, hyper: Mapping[str, Any] | None = None) -> Kind:
    """The kind of what was loaded as ``name``. Raises :class:`InputError`, with what to do, for what is neither.

    ``hyper``: what an optimizer is made with; None where nothing says that an optimizer is meant.
    """
    if isinstance(code, nn.Module) or (isinstance(code, type) and issubclass(code, nn.Module)):
        raise InputError(
            f"{name}: is a module; give the function that trains it, if it is one linear layer; else {WATCH}"
        )
    if isinstance(code, Optimizer):
        made = type(code).__name__
        raise InputError(f"{name}: is an {made} that was made already; give its class, or a function that makes one")
    if isinstance(code, type):
        if not issubclass(code, Optimizer) and not _makes_optimizer(code, ["params"], hyper or {}, surely=True):
            raise InputError(
                f"class {code.__name__}: is no torch.optim.Optimizer; give a class that is derived from it"
            )
        return "optimizer"
    if not callable(code):
        raise InputError(f"{name}: is of type {type(code).__name__}; give a function or an optimizer class")
    demanded = arguments(code)
    if not demanded or demanded[0] == "task":
        return "training function"
    if _makes_optimizer(code, demanded, hyper, surely=hyper is None):
        return "optimizer"
    if demanded[0] in MODELS:
        raise InputError(
            f"{name}: demands {' and '.join(demanded)}; a training function takes a task or nothing, a function that "
            f"makes an optimizer takes the parameters, make(params); else {WATCH}"
        )
    if hyper is None and len(demanded) > 1:
        raise InputError(
            f"{name}: demands {', '.join(demanded)}; write a function of the task, or of nothing, that calls it, as "
            "`parity check --template` shows"
        )
    return "training function"


def arguments(code: Callable[..., Any]) -> list[str]:
    """The names of the arguments that a function demands by position."""
    try:
        parameters = inspect.signature(code).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind in positional]


def _makes_optimizer(
    code: Callable[..., Any], demanded: list[str], hyper: Mapping[str, Any] | None, *, surely: bool
) -> bool:
    """Whether a function whose first argument is called as parameters are returns an optimizer of them.

    Any function is tried where ``hyper`` says that an optimizer is meant, but one of a model. What raises is none where
    it must be one ``surely``.
    """
    if not ("param" in demanded[0] or (hyper is not None and demanded[0] not in MODELS)):
        return False
    try:
        return unwrapped(code([nn.Parameter(torch.zeros(1))], **(hyper or {}))) is not None
    except Exception:  # a training function, which has no use for a list; an optimizer says so again when it is fed
        return not surely


def unwrapped(made: Any) -> Optimizer | None:
    """An optimizer, or the one that an object keeps under a name that people give to it; None where there is none."""
    for _ in range(DEPTH):
        if isinstance(made, Optimizer):
            return made
        made = next((getattr(made, name) for name in INNER if hasattr(made, name)), None)
    return None


def _check_names(code: Callable[..., Any], hyper: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` for a hyper-parameter that a class or a function does not take."""
    parameters = inspect.signature(code).parameters
    names = list(parameters)[1:]
    wrong = next((name for name in hyper if name not in names), None)
    if wrong is not None and all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
        has = f"it has {', '.join(names)}" if names else "it has none"
        name = getattr(code, "__name__", type(code).__name__)
        raise OptionError(
            Option("hyper"), f" {wrong}: {name} has no such hyper-parameter; {has}{nearest(wrong, names)}"
        )


def as_class(code: Any, hyper: Mapping[str, Any]) -> type[Optimizer]:
    """An optimizer class; of a function that returns an optimizer, the class that makes what the function does.

    Of a wrapper it is the class of what is wrapped. Its defaults are the numbers that the function chose. Raises
    :class:`InputError` where no optimizer is returned, and for a hyper-parameter that neither takes.
    """
    if callable(code):
        _check_names(code, hyper)
    if isinstance(code, type) and issubclass(code, Optimizer):
        return code
    a_class = isinstance(code, type)
    if not (_makes_optimizer(code, ["params"], hyper, surely=True) if a_class else isinstance(code, FUNCTIONS)):
        what = f"class {code.__name__}" if a_class else type(code).__name__
        raise InputError(f"{what}: is no torch.optim.Optimizer; give a class that is derived from it")
    outer = code([nn.Parameter(torch.zeros(1))], **hyper)
    made = unwrapped(outer)
    if made is None:
        raise InputError(
            f"{type(outer).__name__}: was returned, which is no torch.optim.Optimizer; give an optimizer class, or a "
            "function of the parameters that returns an optimizer"
        )
    accepted, own = inspect.signature(code).parameters, inspect.signature(type(made)).parameters
    numbers = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
        for name, value in made.defaults.items()
        if name in own
    ]

    every = any(one.kind is one.VAR_KEYWORD for one in accepted.values())

    def new(_: type, params: Any, **options: Any) -> Any:
        taken = {name: value for name, value in options.items() if every or name in accepted or name in hyper}
        optimizer = unwrapped(code(params, **taken))
        assert optimizer is not None
        for group in optimizer.param_groups:  # what the function does not take is an option of every group
            group.update({name: value for name, value in options.items() if name not in taken})
        return optimizer

    params = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wrapper = "" if made is outer else type(outer).__name__
    body = {"__new__": new, "__signature__": inspect.Signature([params, *numbers]), "__wrapped_by__": wrapper}
    return type(type(made).__name__, (type(made),), body)
