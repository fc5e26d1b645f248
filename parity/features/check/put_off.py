"""Puts off the import of ``torch._dynamo``, which torch's optimizers make at their first step: it costs as much time as
torch itself, and without ``torch.compile`` nothing of it acts.

A module stands in its place that has the two functions which they call. Outside of compiled code both do nothing, and
nothing is compiled before the real module is there: any other use of it, such as ``torch.compile``, imports it, after
which all is as torch has it.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


def put_off_dynamo() -> None:
    """Put off the import of ``torch._dynamo``; to be called in a process of its own, after the import of torch."""
    if NAME not in sys.modules:
        sys.modules[NAME] = StandIn(NAME)
        sys.meta_path.insert(0, PartsFinder())


class StandIn(ModuleType):
    """The module until it is needed."""

    __path__: list[str] = []  # noqa: RUF012  # it is a package, whose parts are found by Parts

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing, as nothing is compiled."""

    def disable(self, fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """The function as it is, until there is something to be disabled; without one, what does that to a function."""
        if fn is None:
            return lambda given: self.disable(given, *args, **kwargs)
        disabled: list[Callable[..., Any]] = []

        def call(*given: Any, **named: Any) -> Any:
            if sys.modules.get(NAME) is self:
                return fn(*given, **named)
            if not disabled:
                disabled.append(sys.modules[NAME].disable(fn, *args, **kwargs))
            return disabled[0](*given, **named)

        return call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(the_real_one(), name)


class PartsFinder(MetaPathFinder):
    """Finds ``torch._dynamo.…`` while the package is put off: importing it brings them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del path, target
        if not name.startswith(f"{NAME}.") or not isinstance(sys.modules.get(NAME), StandIn):
            return None
        the_real_one()
        module = importlib.import_module(name)
        del sys.modules[name]  # or it is loaded once more, by the way it came; the loader puts it back
        return ModuleSpec(name, ModuleLoader(module), origin=module.__file__)


class ModuleLoader(Loader):
    """Loads a module that is there."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        del spec
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__spec__"] = self.spec  # not as an attribute: some refuse those that they do not know


def the_real_one() -> ModuleType:
    """Import it, in place of what stands for it, without searches for garbage among the many objects that it makes."""
    if isinstance(sys.modules.get(NAME), StandIn):
        del sys.modules[NAME]
    searched = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(NAME)
    finally:
        if searched:
            gc.enable()
