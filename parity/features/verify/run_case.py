"""One case, run and judged."""

from __future__ import annotations

import time
import warnings
from functools import partial

import numpy as np
import torch

from parity.errors import Unsupported
from parity.features.verify.case import Case, Result
from parity.features.verify.paths import path_must_run
from parity.features.verify.session import Check, Session
from parity.judge.update import Update, with_other
from parity.record.refusals import Broken, Vacuous
from parity.situations import SITUATIONS
from parity.step.expected import Comparison, Expected, Quantity, compare, in_use
from refimpl.arithmetic.formats import FORMATS
from refimpl.stepping import is_zero


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def run_case(case: Case) -> Result:
    """Run it in torch, judge every step, and say what came of it. Nothing escapes but a crash of the process."""
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # whatever an earlier case, broken off, has left
            warnings.simplefilter("ignore")  # torch's own, of beta features
            verdict = _judged(case)
    except Unsupported as refusal:
        verdict = Result(case=case, verdict="unsupported", text=str(refusal))
    except Broken as failure:
        text, check = str(failure), "step raises"
        verdict = Result(case=case, verdict="disagree", text=text, check=check, wrong=((check, text),))
    except Vacuous as reason:
        verdict = Result(case=case, verdict="error", text=f"proves nothing: {reason}")
    except Exception as error:  # whatever breaks in one case must not lose the others
        line = str(error).splitlines()[0] if str(error) else ""
        verdict = Result(case=case, verdict="error", text=f"{type(error).__name__}: {line}")
    return Result(**{**vars(verdict), "seconds": time.perf_counter() - begin})


def _judged(case: Case) -> Result:
    session = Session(case)
    with path_must_run(case):
        pieces = list(SITUATIONS[case.situation](session))
    return result_of(case, pieces, session.updates, session.judged)


def result_of(case: Case, pieces: list[Expected], updates: list[tuple[Update, Check]], steps: int) -> Result:
    """What the checks of a case come to. Raises :class:`Vacuous` where there is none."""
    if not any(piece.candidate.size for piece in pieces):
        raise Vacuous("nothing was compared")
    comparisons = compare(pieces)
    shares: dict[str, float] = {}
    for comparison in comparisons:
        if comparison.elements > comparison.exact + comparison.unknown:
            kind = kind_of(comparison.quantity)
            shares[kind] = max(comparison.used, shares.get(kind, 0.0))
    worst = max(comparisons, key=lambda c: c.used)
    used = max(float(np.max(c.share, initial=0)) for c in comparisons)
    result = partial(Result, case=case, used=used, shares=shares, steps=steps)
    disagreements = sorted((c.disagreement for c in comparisons if c.disagreement is not None), key=lambda d: d.step)
    if disagreements:
        wrong = tuple({kind_of(d.quantity): str(d) for d in reversed(disagreements)}.items())
        return result(
            verdict="disagree", text=str(disagreements[0]), check=kind_of(disagreements[0].quantity), wrong=wrong
        )
    check = kind_of(worst.quantity)
    if reason := unseen_decay(updates):
        return result(verdict="undecidable", text=reason, check=check)
    unseen = sorted({kind_of(c.quantity) for c in comparisons if c.elements and c.unknown == c.elements})
    if "weight" in unseen:
        text = f"no number of {', '.join(unseen)} has a bound: they may overflow, or a divisor may underflow to 0"
        return result(verdict="undecidable", text=text, check="weight")
    return result(verdict="agree", text=agreement(comparisons, worst), check=check)


def kind_of(quantity: Quantity) -> str:
    """``w.exp_avg`` → ``exp_avg``, ``w`` → ``weight``, ``v grad untouched`` → ``grad untouched``."""
    return quantity.stage or "weight"


def agreement(comparisons: list[Comparison], worst: Comparison) -> str:
    unknown = sum(c.unknown for c in comparisons)
    total = sum(c.elements for c in comparisons) - unknown
    text = f"{total:,} numbers within tolerance; {in_use(worst.used)}, by {kind_of(worst.quantity)}"
    return text + (f"; {unknown:,} more have no bound: a divisor may underflow, or they overflow" if unknown else "")


def unseen_decay(updates: list[tuple[Update, Check]]) -> str:
    """Why the decay cannot be seen in any step, or "" where there is none or some step shows it."""
    sized = [(update, check) for update, check in updates if update.before.size]
    decayed = [(update, check) for update, check in sized if not is_zero(getattr(update.optimizer, "weight_decay", 0))]
    for update, check in decayed:
        if any(bool(np.any(piece.share > 1)) for piece in check(with_other(update, "weight_decay", 0.0))):
            return ""
    if not decayed:
        return ""
    one, _ = decayed[0]
    eta_lambda = float(one.optimizer.lr * one.optimizer.weight_decay)  # type: ignore[attr-defined]
    format = FORMATS[one.formats["param"]]
    weight = float(np.max(np.abs(one.before)))
    return (
        f"agrees, except that weight_decay cannot be seen: ηλ = {eta_lambda:.3g} is below half a unit of {format.name} "
        f"at this weight (ηλ·|w| = {eta_lambda * weight:.3g}, half a unit at {weight:.3g} is "
        f"{float(format.half_ulp(np.array(weight))):.3g}, and other roundings add to it)"
    )
