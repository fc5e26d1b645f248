"""What a step depends on, measured: said of optimizers that no reference and no linear law fits.

Each fact is the comparison of one run with the plain one, which differs in one thing: the scale of the gradients or of
the weights, the rate, one element of one gradient, or gradients that are zero after the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parity.features.check.feeds import SCALE, Played
from refimpl.types import Array

NEARLY = 1e-3
"""Relative difference up to which a step counts as the same: ε in a divisor leaves some."""
NONE = 1e-12
"""Share of the largest move below which there is none."""


def facts(runs: Mapping[str, Played], lr: float | None) -> Iterator[str]:
    """The properties of an unknown optimizer, each in one line."""
    plain = runs.get("plain")
    if plain is None or not any(plain.moves(name).any() for name in plain.weights):
        return
    names = tuple(plain.weights)
    if "gradients" in runs:
        yield _scaled(plain, runs["gradients"], SCALE, "the scale of the gradients", "normalised")
    if "weights" in runs:
        yield _scaled(plain, runs["weights"], SCALE, "the weights", "")
    if "plain 2η" in runs:
        yield _scaled(plain, runs["plain 2η"], 2.0, "lr", "")
    if "one element" in runs:
        yield _elementwise(plain, runs["one element"], names)
    if "impulse" in runs:
        yield _memory(runs["impulse"], names[0])
    yield _first(plain, names[0], lr)


def _moves(run: Played) -> Array:
    return np.concatenate([run.moves(name).ravel() for name in run.weights])


def _scaled(plain: Played, other: Played, factor: float, what: str, called: str) -> str:
    """How the moves go with one thing that was multiplied."""
    one, its = _moves(plain), _moves(other)
    size = np.linalg.norm(one)
    same, proportional = (np.linalg.norm(its - f * one) / (f * size) for f in (1.0, factor))
    if same <= NEARLY:
        return f"steps do not depend on {what}{_to(same)}{f': they are {called}' if called else ''}"
    if proportional <= NEARLY:
        return f"steps are proportional to {what}{_to(proportional)}"
    ratio = np.linalg.norm(its) / size
    return f"steps depend on {what}: {factor:g} times it makes them {ratio:.3g} times as large"


def _to(difference: Any) -> str:
    return f" (to {difference:.0e} of their size)" if difference else ""


def _elementwise(plain: Played, other: Played, names: tuple[str, ...]) -> str:
    """The words for the elements that the gradient of the first element moves beside its own."""
    largest = float(np.max(np.abs(_moves(plain))))
    changed = {name: np.abs(other.moves(name) - plain.moves(name)) > NONE * largest for name in names}
    own = changed[names[0]].any(axis=0).ravel()[1:]
    others = [name for name in names[1:] if changed[name].any()]
    if others:
        return f"the gradient of one element of {names[0]} changes the steps of other parameters ({', '.join(others)})"
    if own.any():
        return f"the gradient of one element changes the steps of {int(own.sum())} others of the same parameter"
    return "each element steps by its own gradients alone"


def _memory(impulse: Played, name: str) -> str:
    """How it goes on after one gradient."""
    sizes = np.linalg.norm(impulse.moves(name).reshape(len(impulse.moves(name)), -1), axis=1)
    if sizes[0] == 0 or sizes[1] <= NONE * sizes[0]:
        return "it has no momentum: after one gradient, zeros move nothing"
    shares = ", ".join(f"{share:.4g}" for share in sizes[1:5] / sizes[0])
    return f"it has momentum: after one gradient, steps of zero gradients go on, with {shares} of the first one's size"


def _first(plain: Played, name: str, lr: float | None) -> str:
    """The words for how the first step depends on its gradient."""
    move, gradient = plain.moves(name)[0].ravel(), plain.gradients[name][0].ravel()
    if not move.any():
        return "the first step moves nothing"
    unit = f" = {np.abs(move).max() / lr:.6g}·η" if lr else ""
    if np.ptp(np.abs(move)) <= NEARLY * np.abs(move).max():
        return f"in the first step every element moves by {np.abs(move).max():.6g}{unit}"
    ratio = -move / gradient
    if np.ptp(ratio) <= NEARLY * np.abs(ratio).max():
        rate = f" = {ratio.mean() / lr:.6g}·η" if lr else ""
        return f"the first step is −{ratio.mean():.6g}{rate} times the gradient"
    return (
        f"in the first step the largest move is {np.abs(move).max():.6g}{unit}, the smallest {np.abs(move).min():.3g}"
    )
