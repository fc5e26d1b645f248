"""What a step depends on, measured: said of optimizers that no reference and no linear law fits.

Each fact is the comparison of one run with the plain one, which differs in one thing: the scale of the gradients or of
the weights, the rate, one element of one gradient, or gradients that are zero after the first. It is said with the
decay and the number of steps that it was measured with, for it is known of these alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parity.explain.feeds import SCALE, Played
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

NEARLY = 1e-3
"""Relative difference up to which a step counts as the same: ε in a divisor leaves some."""
NONE = 1e-12
"""Share of the largest move below which there is none."""
ROUNDINGS = 8
"""Roundings of a weight in one step: half a unit in its last place each."""


def facts(runs: Mapping[str, Played], lr: float | None, lam: float | None = None) -> Iterator[str]:
    """The properties of an unknown optimizer: a line for the runs without decay, and one for those with it.

    ``lr`` and ``lam``: the rate, and the weight decay of the runs with one, where it has them.
    """
    plain = runs.get("plain")
    if plain is None or not any(plain.moves(name).any() for name in plain.weights):
        return
    without = " with weight_decay = 0" if lam is not None else ""
    measured = "; ".join(_measured(runs, plain, lr))
    yield f"measured in {len(_moves_of_steps(plain))} steps{without}: {measured}"
    if lam is not None and "decay" in runs:
        for said in _of_weights(runs["decay"], runs.get("decay, weights"), runs.get("decay, other weights"), lr, lam):
            yield f"with weight_decay = {lam:g}: {said}"


def _measured(runs: Mapping[str, Played], plain: Played, lr: float | None) -> Iterator[str]:
    names = tuple(plain.weights)
    if "gradients" in runs:
        yield _scaled(plain, runs["gradients"], SCALE, "the scale of the gradients", "they are normalised or clipped")
    yield from _of_weights(plain, runs.get("weights"), runs.get("other weights"), lr)
    if "plain 2η" in runs:
        yield _scaled(plain, runs["plain 2η"], 2.0, "lr", "")
    if "one element" in runs:
        yield _elementwise(plain, runs["one element"], names)
    if "impulse" in runs:
        yield _memory(runs["impulse"], names[0])
    yield _first(plain, names[0], lr)


def _of_weights(
    plain: Played, scaled: Played | None, other: Played | None, lr: float | None, lam: float = 0.0
) -> Iterator[str]:
    """How the moves go with the weights.

    That they do not is said only where it is shown: at weights that are c times as large, and at c times other ones,
    each move is the same within the rounding of the weights, ::

        |Δw′ − Δw| ≤ r·u·(|w| + |w′| + …),   so that a share s of the weights is lost only with s·|w′ − w| below it
    """
    if scaled is None or other is None:
        return
    shares = [_largest_share(plain, run) for run in (scaled, other)]
    if all(share is not None for share in shares):
        bound = min(share for share in shares if share is not None)
        yield f"steps do not depend on the weights: none takes more than {bound:.0e} of them"
        return
    taken = _taken(plain, other)
    if taken is not None:
        rate = f" = {taken / (lr * lam):.6g}·η·λ" if lr and lam else f" = {taken / lr:.6g}·η" if lr else ""
        yield f"steps depend on the weights: the first one takes {taken:.6g}{rate} of them"
        return
    yield _scaled(plain, scaled, SCALE, "the weights", "", never=True)


def _largest_share(plain: Played, run: Played) -> float | None:
    """The share of the weights that a step may take unseen; None where its moves are not those of the plain run."""
    unseen = 0.0
    for name, weights in run.weights.items():
        sizes = sum(np.abs(w[:-1]) + np.abs(w[1:]) for w in (plain.weights[name], weights))
        room = ROUNDINGS * FORMATS["float64"].u * sizes
        if not np.all(np.abs(run.moves(name) - plain.moves(name)) <= room):
            return None
        apart = np.abs(weights[:-1] - plain.weights[name][:-1])
        unseen = max(unseen, float(np.max(2 * room / np.where(apart > 0, apart, np.nan))))
    return unseen


def _taken(plain: Played, other: Played) -> float | None:
    """The share of every weight that the first step takes; None where it is no share of them."""
    shares = []
    for name, weights in other.weights.items():
        moved = other.moves(name)[0] - plain.moves(name)[0]
        shares.append((-moved / (weights[0] - plain.weights[name][0])).ravel())
    every = np.concatenate(shares)
    share = float(np.median(every))
    return share if share and np.all(np.abs(every - share) <= NEARLY * abs(share)) else None


def _moves_of_steps(run: Played) -> Array:
    return run.moves(next(iter(run.weights)))


def _moves(run: Played) -> Array:
    return np.concatenate([run.moves(name).ravel() for name in run.weights])


def _scaled(plain: Played, other: Played, factor: float, what: str, called: str, *, never: bool = False) -> str:
    """How the moves go with one thing that was multiplied; ``never``: it is known that they depend on it."""
    one, its = _moves(plain), _moves(other)
    size = np.linalg.norm(one)
    same, proportional = (np.linalg.norm(its - f * one) / (f * size) for f in (1.0, factor))
    if same <= NEARLY and not never:
        return f"{factor:g} times {what} makes the same steps{_to(same)}{f': {called}' if called else ''}"
    if proportional <= NEARLY:
        return f"steps are proportional to {what}{_to(proportional)}"
    ratio = np.linalg.norm(its) / size
    change = f"changes them by {same:.0e} of their size" if same <= NEARLY else f"makes them {ratio:.3g} times as large"
    return f"steps depend on {what}: {factor:g} times it {change}"


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
    return f"another gradient of the first element of {names[0]} changes the steps of no other element"


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
