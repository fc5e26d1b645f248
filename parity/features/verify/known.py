"""Which disagreements of the matrix each known deviation explains: in which cases it shows, and in which quantities.

A case is ``known`` only if known deviations explain *every* quantity of it that disagrees.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch

from parity.features.known.fact import STATES
from parity.features.known.known import KNOWN
from parity.features.verify.case import Case, Result
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.own_rows import SAID as OWN_ROWS
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.situations.reload import other_implementation

LOW = ("bfloat16", "float16")
STRIDED = ("strided", "transposed", "strided-gradient")
LATE = ("unfrozen-late", "added-later", "frozen-midway")
RELOADED = ("reload", "reload-other", "checkpoint")
REPLICAS = {"hsdp": 2}
"""How many groups of ranks have a whole parameter each, where it is not one."""
STATE = ("weight", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "sum", "untouched")


@dataclass(frozen=True)
class Shows:
    """``where``: cases that show a deviation; ``what``: quantities; ``text``: what the number must say, if anything."""

    where: Callable[[Case], bool]
    what: tuple[str, ...]
    text: str = ""

    def explains(self, case: Case, check: str, text: str) -> bool:
        """The reproductions were seen on the CPU: elsewhere they explain nothing."""
        return case.device.startswith("cpu") and self.where(case) and check in self.what and self.text in text


def running(case: Case) -> set[str]:
    """The implementations that make steps in a case."""
    return {case.implementation} | (
        {other_implementation(case.implementation)} if case.situation == "reload-other" else set()
    )


def option(case: Case, name: str) -> bool:
    """Whether the case's option set switches something on."""
    return bool(OPTIONS[case.optimizer][case.options].get(name))


def low(case: Case) -> bool:
    """Whether some parameter has 16 bits."""
    return case.dtype in LOW or case.situation == "dtypes"


def sgd(implementation: str) -> Callable[[Case], bool]:
    return lambda case: case.optimizer == "SGD" and implementation in running(case)


def divided(case: Case) -> bool:
    """Whether each rank has a part of each parameter."""
    if case.ranks == 1:
        return False
    asked = REDUCTIONS[case.implementation][case.situation].asked
    return asked.sharded and case.ranks > REPLICAS.get(case.implementation, 1)


SHOWS: Mapping[str, Shows] = {
    "foreach-nesterov-overwrites-grad": Shows(
        lambda case: sgd("foreach")(case) and option(case, "nesterov"), ("grad untouched",)
    ),
    "fused-sgd-late-parameter": Shows(
        lambda case: sgd("fused")(case) and option(case, "momentum") and case.situation in LATE, ("step raises",)
    ),
    "fused-sgd-uninitialised-momentum": Shows(
        lambda case: sgd("fused")(case) and option(case, "momentum") and case.situation == "scaler-skips-first",
        ("weight", "momentum_buffer", "momentum_buffer untouched"),
    ),
    "fused-ignores-strides": Shows(lambda case: case.implementation == "fused" and case.situation in STRIDED, STATE),
    "fused-sgd-skips-vectors": Shows(lambda case: sgd("fused")(case) and low(case), ("weight",)),
    "fused-sgd-low-precision-momentum": Shows(
        lambda case: sgd("fused")(case) and low(case) and option(case, "momentum"), ("weight", "momentum_buffer")
    ),
    "fused-state-on-skipped-step": Shows(
        lambda case: case.implementation == "fused" and case.situation == "scaler-skips-first",
        ("step untouched", "exp_avg untouched", "exp_avg_sq untouched", "max_exp_avg_sq untouched"),
    ),
    "foreach-radam-nan": Shows(
        lambda case: case.optimizer == "RAdam" and "foreach" in running(case) and low(case), ("weight",), "nan"
    ),
    "foreach-radam-stands-still": Shows(
        lambda case: case.optimizer == "RAdam" and "foreach" in running(case) and case.dtype == "float16", ("weight",)
    ),
    "nadam-float16-overflow": Shows(
        lambda case: (
            case.optimizer == "NAdam"
            and case.dtype == "float16"
            and bool(running(case) & {"for-loop", "differentiable"})
        ),
        ("weight",),
    ),
    "differentiable-decay-overwrites-grad": Shows(
        lambda case: case.implementation == "differentiable" and option(case, "weight_decay"), ("grad untouched",)
    ),
    "checkpoint-rounds-scalars": Shows(
        lambda case: case.optimizer in ("NAdam", "ASGD") and case.situation in RELOADED and case.dtype in LOW,
        ("mu_product", "mu_product loaded", "mu loaded", "eta loaded"),
    ),
    "adafactor-empty-parameter": Shows(
        lambda case: case.optimizer == "Adafactor" and case.situation == "empty", ("step raises",), "ZeroDivisionError"
    ),
    "adafactor-eps-of-first-dtype": Shows(
        lambda case: case.optimizer == "Adafactor" and case.situation == "dtypes", ("weight",)
    ),
    "adafactor-norms-of-shards": Shows(
        lambda case: case.optimizer == "Adafactor" and divided(case), ("weight",), OWN_ROWS
    ),
    "muon-overwrites-buffer": Shows(
        lambda case: (
            case.optimizer == "Muon"
            and OPTIONS["Muon"][case.options].get("nesterov") is False
            and (case.dtype == "bfloat16" or case.situation == "dtypes")
        ),
        ("momentum_buffer",),
    ),
    "adagrad-sparse-complex": Shows(
        lambda case: case.optimizer == "Adagrad" and case.situation == "sparse" and case.dtype == "complex64",
        ("weight", "sum"),
    ),
    "lbfgs-moves-idle": Shows(
        lambda case: case.optimizer == "LBFGS" and case.situation == "frozen-midway", ("untouched",)
    ),
}
"""The others do not show in any case: the bound already allows for them, or the matrix does not go there."""


@cache
def happens(id: str) -> bool | None:
    """Whether the deviation still happens here, tried once; None where the reproduction breaks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        state = KNOWN[id].observe().state
    return next(answer for answer, name in STATES.items() if name == state)


def explanation(case: Case, check: str, text: str) -> str | None:
    """The known deviation that explains a disagreement, and still happens on this machine."""
    ids = (id for id, shows in SHOWS.items() if shows.explains(case, check, text) and happens(id))
    return next(ids, None)


def as_known(result: Result) -> Result:
    """A result whose every disagreement is explained is ``known``."""
    if result.verdict != "disagree":
        return result
    reasons = [explanation(result.case, check, text) for check, text in result.wrong]
    if not reasons or None in reasons:
        return result
    names = ", ".join(sorted({reason for reason in reasons if reason is not None}))
    return replace(result, verdict="known", text=f"{names}: {result.text}")


def with_fixed(results: Iterable[Result]) -> Iterator[Result]:
    """Agreeing cases that used to show a deviation which no longer happens are ``fixed: remove me``.

    Asked for the versions of torch that the fact names: on another one it may never have happened.
    """
    version = torch.__version__.partition("+")[0]
    gone = {id: shows for id, shows in SHOWS.items() if version in KNOWN[id].versions and happens(id) is False}
    for result in results:
        case = result.case
        id = next((id for id, shows in gone.items() if case.device.startswith("cpu") and shows.where(case)), None)
        if id is not None and result.verdict == "agree":
            text = f"fixed: remove me: {id} no longer happens in this torch; {result.text}"
            yield replace(result, verdict="fixed", text=text)
        else:
            yield result
