"""A tensor that a class keeps, held to one that its reference keeps (``--state exp_avg=state1``).

The reference's state is carried along the run from its own beginning, with its bound; after each step the tensor of the
class must lie within it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.errors import Option, OptionError, nearest
from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.replay import replay_state
from parity.features.check.examined import Examined
from parity.features.check.held import key_of, recorded
from parity.features.check.identify import Held, first_of
from refimpl.optimizers.soap import SOAP


def check_names(examined: Examined, held: Held) -> None:
    """Raise :class:`InputError` for a name that the reference, or the class, has not."""
    played = examined.runs["drawn"]
    name, optimizer = next(iter(held.items()))
    weights = played.weights[name]
    _, made = optimizer.step(weights[:1], played.gradients[name][:1], optimizer.init(weights[:1]))
    kept = {key for tensors in played.state.values() for key in tensors}
    for own, theirs in examined.state.items():
        if own not in made:
            has = f"{key_of(optimizer)} keeps {', '.join(made) or 'nothing'}"
            raise OptionError(Option("state"), f" {own}={theirs}: {has}{nearest(own, made)}")
        if theirs not in kept:
            has = f"the class keeps {', '.join(sorted(kept)) or 'no tensor in self.state'}"
            raise OptionError(Option("state"), f" {own}={theirs}: {has}{nearest(theirs, kept)}")


def of_states(examined: Examined, held: Held) -> tuple[list[Finding], int]:
    """The tensors that are not those of the reference, and how many numbers were held to it.

    Raises :class:`InputError` for a name that the reference, or the class, has not.
    """
    if any(isinstance(optimizer, SOAP) for optimizer in held.values()):  # all of whose tensors were judged as its parts
        kept = [played.state.values() for played in examined.dtypes.values()]
        return [], sum(t[own].size for states in kept for t in states for own in examined.state if own in t)
    if examined.state:
        check_names(examined, held)
    all_findings, count = [], 0
    for own, theirs in examined.state.items():
        for dtype, played in examined.dtypes.items():
            first, numbers = _first(held, played, dtype, own, theirs)
            count += numbers
            if first:
                text = f"{theirs} is not the {own} of {key_of(next(iter(held.values())))} in {dtype}"
                all_findings.append(
                    Finding(id=f"state-{own}", text=text, evidence=f"first disagreement: {first}", change="")
                )
                break
    return all_findings, count


def _first(held: Held, played: Played, dtype: str, own: str, theirs: str) -> tuple[str, int]:
    """The first number that is off, in words, and how many have a bound."""
    firsts: list[tuple[int, str]] = []
    count = 0
    for motion in recorded(held, played, dtype):
        name, late = motion.parameter, played.late.get(motion.parameter, 0)
        kept = played.state[name].get(theirs)
        if kept is None or kept.shape[1:] != motion.weights.shape[1:]:
            firsts.append((late, f"{name} has none of the parameter's shape"))
            continue
        for k, piece in enumerate(replay_state(held[name], motion, own, kept[late:])):
            count += int(np.isfinite(piece.allowance).sum())
            if np.any(piece.share > 1):
                firsts.append((late + k, first_of(piece, late + k)))
                break
    return (min(firsts)[1] if firsts else ""), count


def pairs(words: Sequence[str]) -> dict[str, str]:
    """``exp_avg=state1`` → ``{"exp_avg": "state1"}``. Raises :class:`InputError`."""
    state: dict[str, str] = {}
    for word in words:
        own, equals, theirs = word.partition("=")
        if not equals or not own or not theirs:
            raise OptionError(Option("state"), f" {word}: allowed: name=name, the reference's and the class's")
        if own in state:
            raise OptionError(Option("state"), f" {own}: given twice")
        state[own] = theirs
    return state
