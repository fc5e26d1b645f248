"""Weights that something wrote, as what they were made of: those that were there, and those of earlier moments.

With H_0 … H_k the weights so far, the last of them those that were there, the new ones are held to a multiple of H_k, a
threshold, one of the H_j, and to what their coefficients show, which ``w = Σ_j c_j·H_j`` gives::

    c_j = (1 − d)·d^(k−j)          a running average with the factor d, from H_0 or H_1 on
    c_j = 1/n on a set of moments  their mean
    c_k = α, c_j = 1 − α           pulled back to an earlier moment
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from parity.explain.measure.series import listed
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array

ROUNDINGS = 64
"""Roundings that a sum over the moments of a run may have."""


def said(new: Array, moments: Sequence[Array], steps: Array, u: float) -> str:
    """What was written in ``steps``, in words; nothing where it is none of these.

    ``new``: what was written ``(K, n)``; ``moments``: for each step H_0 … H_k ``(k + 1, n)``; ``u``: unit roundoff.
    """
    room = ROUNDINGS * u * float(max(np.max(np.abs(new[steps])), max(np.max(np.abs(moments[k])) for k in steps)))
    there = {int(k): moments[k][-1] for k in steps}
    for words, made in _candidates(new, moments, there, steps, room):
        if all(np.all(np.abs(made(int(k)) - new[k]) <= room) for k in steps):
            return words
    return ""


Made = Callable[[int], Array]


def _candidates(
    new: Array, moments: Sequence[Array], there: dict[int, Array], steps: Array, room: float
) -> Iterator[tuple[str, Made]]:
    yield from _of_elements(new, there, steps, room)
    ratios = {k: float(new[k] @ a / (a @ a)) if a.any() else 0.0 for k, a in there.items()}
    lengths = np.array([np.linalg.norm(new[k]) for k in steps])
    if len(steps) > 1 and np.ptp(lengths) <= room * np.sqrt(new.shape[1]) and np.ptp([*ratios.values()]) > room:
        yield f"they are cut to the norm {lengths[0]:.4g}", lambda k: ratios[k] * there[k]
    for format in (FORMATS[name] for name in ("float32", "float16", "bfloat16")):
        if format.u > room / max(float(np.max(np.abs(new[steps]))), 1e-300):
            yield f"they are rounded to {format.name}", partial(_rounded, there, format)
    yield f"they are multiplied by {_few([*ratios.values()])}", lambda k: ratios[k] * there[k]
    jumps = [0, *map(int, steps)]
    made_since = {k: moments[k][jumps[i]] for i, k in enumerate(map(int, steps))}
    since = "since the start" if len(steps) == 1 else "since the start, or since they were last written"
    twice = f"they are moved on by all that was learnt {since}, as where a trained part is added twice"
    yield twice, lambda k: 2 * there[k] - made_since[k]
    nearest = {int(k): int(np.argmin(np.abs(moments[k] - new[k]).sum(axis=1))) for k in steps}
    back = ", ".join(map(str, [*nearest.values()][:4]))
    yield f"with those of an earlier moment, before step {back}", lambda k: moments[k][nearest[k]]
    first = int(steps[0])
    H = moments[first]
    if len(H) <= new.shape[1] and len(H) > 1:
        yield from _combined(np.linalg.lstsq(H.T, new[first], rcond=None)[0], moments)


def _rounded(there: dict[int, Array], format: Format, k: int) -> Array:
    return np.asarray(format.round(there[k]), float)


def _few(numbers: Sequence[float]) -> str:
    if np.ptp(numbers) <= 1e-6:
        return f"{numbers[0]:.6g}"
    return ", ".join(f"{c:.6g}" for c in numbers[:4]) + (" …" if len(numbers) > 4 else "")


def _of_elements(new: Array, there: dict[int, Array], steps: Array, room: float) -> Iterator[tuple[str, Made]]:
    """A threshold, or a cut, of every number for itself."""
    cut = np.concatenate([(np.abs(there[k]) - np.abs(new[k]))[(new[k] != 0) & (there[k] != 0)] for k in steps])
    threshold = float(np.median(cut)) if len(cut) else 0.0
    if threshold > room:
        words = f"every number is moved by {threshold:.4g} towards 0 and stops there"
        soft = f"{words} (soft threshold, a proximal step of L1)"
        yield soft, lambda k: np.sign(there[k]) * np.maximum(np.abs(there[k]) - threshold, 0)
    most = max(float(np.max(np.abs(there[k][new[k] == 0]), initial=0.0)) for k in steps)
    if most:
        hard = f"numbers of up to {most:.4g} are set to 0 (hard threshold, pruning)"
        yield hard, lambda k: np.where(np.abs(there[k]) <= most, 0.0, there[k])
    low, high = float(np.min(new[steps])), float(np.max(new[steps]))
    ends = [f"from below at {low:.4g}"] if any(there[k].min() < low for k in steps) else []
    ends += [f"from above at {high:.4g}"] if any(there[k].max() > high for k in steps) else []
    yield f"they are cut off {' and '.join(ends)}", lambda k: np.clip(there[k], low, high)


def _combined(c: Array, moments: Sequence[Array]) -> Iterator[tuple[str, Made]]:
    """Name what the coefficients of the first written step show."""
    k = len(c) - 1
    for digits in (1, 2, 3, 4):
        d = float(f"{c[k - 1] / c[k]:.{digits}g}") if k > 1 and c[k] else float(f"{c[0]:.{digits}g}")
        for first in (0, 1) if 0 < d < 1 else ():
            words = f"with the running average a ← {d:g}·a + {1 - d:.4g}·w of the weights after each step"
            begin = " so far" if first == 0 else ", which begins with those after the first one"
            yield words + begin, lambda k, d=d, first=first: _average(moments[k][first:], d)  # type: ignore[misc]
    some = np.flatnonzero(c > 0.5 * np.max(c))
    after, gap = int(some[0]), int(some[1] - some[0]) if len(some) > 1 else 0
    if len(some) > 1:
        since = f"step {after - 1} and all later ones" if gap == 1 else f"steps {listed(some - 1)}, and so on"
        since = "all steps so far" if after <= 1 and gap == 1 else since
        words = f"with the mean of the weights after {since}"
        yield words, lambda k: np.asarray(moments[k][after::gap].mean(axis=0))
    ago = k - int(np.argsort(np.abs(c))[-2]) if abs(c[k]) == np.max(np.abs(c)) else k - int(np.argmax(np.abs(c)))
    alpha = float(f"{c[k]:.4g}")
    if ago and alpha < 1:
        words = f"with {alpha:g} times what was there and {1 - alpha:.4g} times the weights of {ago} steps before"
        yield words, lambda k: alpha * moments[k][-1] + (1 - alpha) * moments[k][max(len(moments[k]) - 1 - ago, 0)]


def _average(H: Array, d: float) -> Array:
    """a ← d·a + (1 − d)·H_j."""
    a = H[0]
    for w in H[1:]:
        a = d * a + (1 - d) * w
    return np.asarray(a)
