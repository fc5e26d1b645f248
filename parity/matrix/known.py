"""Which disagreements of the matrix each known deviation explains: where it shows, and in which quantity."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from parity.known import KNOWN
from parity.matrix.case import Case, Result
from parity.matrix.options import OPTIONS
from parity.matrix.situations.reload import other

LOW = ("bfloat16", "float16")
STRIDED = ("strided", "transposed", "expanded", "strided-gradient")

Shows = Callable[[Case, str], bool]
"""Of a case and the quantity that decided: whether the deviation shows there."""

SHOWS: Mapping[str, Shows] = {
    "foreach-nesterov-overwrites-grad": lambda case, check: (
        case.optimizer == "SGD"
        and "foreach" in running(case)
        and case.options.startswith("nesterov")
        and check == "grad untouched"
    ),
    "fused-sgd-late-parameter": lambda case, check: (
        case.optimizer == "SGD" and "fused" in running(case) and check == "step raises" and has_momentum(case)
    ),
    "fused-sgd-uninitialised-momentum": lambda case, _: (
        case.optimizer == "SGD"
        and case.implementation == "fused"
        and case.situation == "scaler-skips-first"
        and has_momentum(case)
    ),
    "fused-ignores-strides": lambda case, _: case.implementation == "fused" and case.situation in STRIDED,
    "fused-sgd-skips-vectors": lambda case, _: (
        case.optimizer == "SGD"
        and case.implementation == "fused"
        and (case.dtype in LOW or case.situation == "dtypes")
        and case.device.startswith("cpu")
    ),
    "fused-state-on-skipped-step": lambda case, check: (
        case.implementation == "fused" and case.situation == "scaler-skips-first" and check.endswith("untouched")
    ),
    "foreach-radam-nan": lambda case, _: (
        case.optimizer == "RAdam" and "foreach" in running(case) and case.dtype == "float16"
    ),
    "nadam-float16-overflow": lambda case, check: (
        case.optimizer == "NAdam"
        and case.dtype == "float16"
        and bool(running(case) & {"for-loop", "differentiable"})
        and check == "weight"
    ),
    "differentiable-decay-overwrites-grad": lambda case, check: (
        case.implementation == "differentiable" and check == "grad untouched"
    ),
    "checkpoint-rounds-scalars": lambda case, check: (
        case.optimizer in ("NAdam", "ASGD")
        and case.situation.startswith("reload")
        and case.dtype in LOW
        and check.split()[0] in ("mu_product", "mu", "eta")
    ),
    "adafactor-empty-parameter": lambda case, check: (
        case.optimizer == "Adafactor" and case.situation == "empty" and check == "step raises"
    ),
    "adafactor-eps-of-first-dtype": lambda case, check: (
        case.optimizer == "Adafactor" and case.situation == "dtypes" and check == "weight"
    ),
    "muon-overwrites-buffer": lambda case, check: (
        case.optimizer == "Muon"
        and case.options == "no-nesterov"
        and (case.dtype == "bfloat16" or case.situation == "dtypes")
        and check == "momentum_buffer"
    ),
    "adagrad-sparse-complex": lambda case, _: (
        case.optimizer == "Adagrad" and case.situation == "sparse" and case.dtype == "complex64"
    ),
    "lbfgs-moves-idle": lambda case, check: case.optimizer == "LBFGS" and check == "untouched",
}
"""The others do not show in any case: the bound already allows for them, or the matrix does not go there."""


def running(case: Case) -> set[str]:
    """The implementations that make steps in a case."""
    return {case.implementation} | ({other(case.implementation)} if case.situation == "reload-other" else set())


def has_momentum(case: Case) -> bool:
    return bool(OPTIONS[case.optimizer][case.options].get("momentum"))


@cache
def happens(id: str) -> bool | None:
    """Whether the deviation still happens here, tried once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        return KNOWN[id].happens()


def as_known(result: Result) -> Result:
    """A disagreement that a known deviation explains, and that still happens on this machine, is ``known``."""
    if result.verdict != "disagree":
        return result
    for id, shows in SHOWS.items():
        if shows(result.case, result.check) and happens(id):
            return replace(result, verdict="known", text=f"{id}: {result.text}")
    return result


def with_fixed(results: Iterable[Result]) -> Iterator[Result]:
    """Cases that would show a known deviation, and do not because it no longer happens, are ``fixed: remove me``."""
    gone = {id: shows for id, shows in SHOWS.items() if happens(id) is False}
    for result in results:
        id = next((id for id, shows in gone.items() if shows(result.case, result.check)), None)
        if id is not None and result.verdict == "agree":
            text = f"fixed: remove me: {id} no longer happens in this torch; {result.text}"
            yield replace(result, verdict="fixed", text=text)
        else:
            yield result
