"""Why a run is not that of a wrapper it is held to: other numbers of it, or only the optimizer inside.

Of a lookahead each k is tried; α then follows from the first pull, with the slow weights φ = w₀ and the weights w after
the inner step::

    α = (w_k − φ)·(w − φ) / ‖w − φ‖²

A number is named only if the replay with it brings every recorded weight within its bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.motion import Motion
from parity.explain.replay import share_of
from parity.explain.update.references import shown
from parity.explain.update.trial import UpdateRecord
from parity.explain.words import of_number
from parity.features.check.held import key_of, motions
from refimpl.optimizers.wrappers import Lookahead
from refimpl.types import Optimizer

DIGITS = 10
"""Of a number that is proposed; the replay decides whether it is the one."""


def of_wrapped(held: Mapping[str, Optimizer], played: Played, first: str) -> Finding:
    """What was executed in the place of the wrapper, proven, or that the update is not that of it."""
    recorded = motions(played, "float64")
    rule: Any = held[recorded[0].parameter]
    for id, text, change, other in _others(rule, recorded):
        share = share_of(other, recorded)
        if share <= 1:
            evidence = f"so all recorded weights lie within their bounds, at most {share:.2g} of them used; {first}"
            return Finding(id=id, text=text, evidence=evidence, change=change)
    name = f"{key_of(rule)}({key_of(rule.inner)})"
    return Finding(
        id="update",
        text=f"the update is not that of {name}; {first}",
        evidence=f"neither are other numbers of {name} it, nor the optimizer inside alone; {first}",
        change=f"compare with {shown(rule)}; --against {key_of(rule.inner)} says what it does beside that one",
    )


def _others(rule: Any, recorded: Sequence[Motion]) -> Iterator[tuple[str, str, str, Any]]:
    """Id, text, advice, and the optimizer that the run may be of instead."""
    name = type(rule).__name__
    yield "wrapper-absent", f"it is {shown(rule.inner)} alone, without {name}", f"put {name} around it", rule.inner
    if isinstance(rule, Lookahead):
        for k in range(1, len(recorded[0].gradient.value) + 1):
            alpha = _pulled(replace(rule, k=k, alpha=1.0), recorded[0], k)
            for other in (replace(rule, k=k), *([replace(rule, k=k, alpha=alpha)] if alpha is not None else [])):
                given: Any = {"k": (rule.k, other.k), "alpha": (rule.alpha, other.alpha)}
                off = [of_number(n, asked, executed) for n, (asked, executed) in given.items() if asked != executed]
                if off:
                    ids, words = zip(*off, strict=True)
                    text, change = ("; and ".join(s) for s in ([w.text for w in words], [w.change for w in words]))
                    yield "+".join(ids), text, change, other


def _pulled(inside: Lookahead, motion: Motion, k: int) -> float | None:
    """α of the pull after step k, the first one; None where it is no share."""
    slow, pulled = motion.weights[0], motion.weights[k]
    fast = UpdateRecord(motion, inside).predicted(inside, k)[-1]
    way = float(np.sum((fast - slow) ** 2))
    alpha = float(np.sum((pulled - slow) * (fast - slow))) / way if way else np.nan
    return float(f"{alpha:.{DIGITS}g}") if 0 <= alpha <= 1 else None
