"""The path that a case names must run: torch's inner functions are counted."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from parity.features.verify.case import Case
from parity.record.refusals import Vacuous

PATHS = {"for-loop": "_single_tensor_", "differentiable": "_single_tensor_", "capturable": "_single_tensor_"}
PATHS |= {"foreach": "_multi_tensor_", "fused": "_fused_"}


@contextlib.contextmanager
def path_must_run(case: Case) -> Iterator[None]:
    """Count the calls of torch's inner functions; raise :class:`Vacuous` where the one that a case names never ran."""
    if case.implementation == "compile":
        yield from compiled_must_run()
        return
    module = importlib.import_module(f"torch.optim.{MODULES.get(case.optimizer, case.optimizer.lower())}")
    prefix = PATHS.get(case.implementation, "")
    names = [name for name in vars(module) if prefix and name.startswith(prefix)]
    if not names:
        yield
        return
    calls: list[str] = []
    originals = {name: getattr(module, name) for name in names}

    def counting(name: str) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            graph = torch.is_grad_enabled() and kwargs.get("differentiable", True)
            differentiable = case.implementation != "differentiable" or graph
            capturable = case.implementation != "capturable" or kwargs.get("capturable")
            if differentiable and capturable:  # which share the for-loop's function
                calls.append(name)
            return originals[name](*args, **kwargs)

        return wrapped

    for name in names:
        setattr(module, name, counting(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(module, name, original)
    if not calls:
        raise Vacuous(f"torch never called {' or '.join(names)}: the {case.implementation} path did not run")


def compiled_must_run() -> Iterator[None]:
    """At least one frame of Python was compiled."""
    frames = torch._dynamo.utils.counters["frames"]
    before = frames["ok"]
    yield
    if frames["ok"] == before:
        raise Vacuous("torch compiled nothing: the steps ran as Python")


MODULES = {"AdamW": "adam", "Muon": "_muon", "Adafactor": "_adafactor", "SparseAdam": "sparse_adam"}
