"""L-BFGS, as ``torch.optim.LBFGS`` with ``max_iter=1``: a quasi-Newton step from the last changes of the gradient.

All parameters are one vector w, all gradients one vector g. With the last m = ``history_size`` pairs (sᵢ, yᵢ) and
ρᵢ = 1/(yᵢ·sᵢ), oldest first::

    y = g − g₋, s = t₋d₋                          what the last step changed
    remember (s, y) and H = y·s / y·y             where y·s > 1e-10, else neither
    d = −g                                        the first step; later the two-loop recursion:
        q = −g;   for i from the newest:  αᵢ = ρᵢ·(sᵢ·q);  q ← q − αᵢyᵢ
        r = Hq;   for i from the oldest:  r ← r + (αᵢ − ρᵢ·(yᵢ·r))sᵢ
        d = r
    t = η·min(1, 1/Σ|gᵢ|)                         the first step; later η, or what a line search found
    w ← w + td

Nothing happens where max|gᵢ| ≤ ``tolerance_grad``; w stays where g·d > −``tolerance_change``. A line search
``"strong_wolfe"`` ends, if it is not cut short by ``max_eval`` or ``tolerance_change``, at a t with

    f(w + td) ≤ f(w) + 1e-4·t·g·d  and  |g(w + td)·d| ≤ −0.9·g·d.

Sources: Nocedal & Wright, *Numerical Optimization*, 2nd ed., Algorithm 7.4 (7.20 for H) and (3.7) for the conditions
of Wolfe; documentation of ``torch.optim.LBFGS``. torch differs from the book: the first step is scaled by 1/Σ|gᵢ| where
that is below 1; η, not 1, is the step length and the first trial of the line search; a pair of little curvature is
skipped; s is t₋d₋, not the difference of the weights, so that a step which was not taken because
g·d > −``tolerance_change`` still counts as one; ``max_eval`` is ``max_iter·5//4`` by default, so that a line search
with ``max_iter=1`` ends after its first evaluation and takes whichever of 0 and η has the lower loss.

It updates several arrays at once and so is no :class:`~refimpl.types.Optimizer`, nor in the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, check_fields, check_integers
from refimpl.types import Array, Number, Params

LEAST_CURVATURE = 1e-10
ARMIJO = 1e-4
CURVATURE = 0.9
"""Constants of torch, the doubles that it has for them."""


@dataclass(frozen=True, kw_only=True)
class LBFGS:
    """State, with vectors ``(runs, p)`` and numbers ``(runs, 1)``, absent before the first step:

    ``n_iter`` steps made; ``d`` and ``t`` of the last one; ``prev_flat_grad`` g₋; ``old_dirs`` y, ``old_stps`` s,
    ``ro`` ρ and ``al`` α, a tuple with one entry for each pair; ``H_diag`` H.
    """

    lr: NonNegative = 1.0
    tolerance_grad: NonNegative = 1e-7
    tolerance_change: NonNegative = 1e-9
    history_size: int = 100
    line_search_fn: Literal["strong_wolfe", None] = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, history_size=1)

    def init_group(self, params: Params) -> Mapping[str, Any]:
        del params
        return {}

    def step_group(
        self, params: Params, grads: Params, state: Mapping[str, Any], *, length: Number | None = None
    ) -> tuple[Params, Mapping[str, Any]]:
        """One step of all parameters; ``length``: the step length that a line search found, ``(runs, 1)``.

        Each run decides for itself whether it stops or remembers a pair; :class:`ParameterError` where runs of a batch
        decide differently.
        """
        g = flat(grads)
        if agreed(self.is_optimal(g)):
            return params, state
        first = "d" not in state
        if first:
            pairs: tuple[Pair, ...] = ()
            al: tuple[Array, ...] = ()
            H: Any = 1
            d = -g
        else:
            pairs = tuple(zip(state["old_stps"], state["old_dirs"], state["ro"], strict=True))
            H = state["H_diag"]
            y, s = change(g, state["prev_flat_grad"]), moved_by(state["d"], state["t"])
            if agreed(is_curved(y, s)):
                pairs = (*pairs, (s, y, inverse(dot(y, s))))[-self.history_size :]
                H = scale(y, s)
            al, d = two_loops(g, pairs, H)
        t = self.length(g, first=first) if length is None else length
        after = {
            "n_iter": state.get("n_iter", 0) + 1,
            "d": d,
            "t": t,
            "old_dirs": tuple(y for _, y, _ in pairs),
            "old_stps": tuple(s for s, _, _ in pairs),
            "ro": tuple(rho for _, _, rho in pairs),
            "H_diag": H,
            "al": al,
            "prev_flat_grad": g,
        }
        if agreed(self.is_flat(g, d)):
            return params, after
        return unflat(flat(params) + moved_by(d, t), params), after  # w + td

    def is_optimal(self, g: Array) -> Any:
        return np.abs(g) <= self.tolerance_grad  # max|gᵢ| ≤ tolerance, where it holds for all

    def is_flat(self, g: Array, d: Array) -> Any:
        return dot(g, d) > -self.tolerance_change  # g·d > −tolerance

    def length(self, g: Array, *, first: bool) -> Any:
        return np.minimum(1, 1 / np.abs(g).sum(axis=1)[:, None]) * self.lr if first else self.lr  # η·min(1, 1/Σ|gᵢ|)


Pair = tuple[Array, Array, Array]
"""s, y and ρ."""


def dot(x: Array, y: Array) -> Any:
    """x·y, ``(runs, 1)``."""
    return np.vecdot(x, y)[:, None]


def change(g: Array, before: Array) -> Any:
    return g - before  # y = g − g₋


def moved_by(d: Array, t: Any) -> Any:
    return d * t  # s = td


def is_curved(y: Array, s: Array) -> Any:
    return dot(y, s) > LEAST_CURVATURE  # y·s > 1e-10


def inverse(ys: Array) -> Any:
    return 1 / ys  # ρ = 1/(y·s)


def scale(y: Array, s: Array) -> Any:
    return dot(y, s) / dot(y, y)  # H = y·s / y·y


def two_loops(g: Array, pairs: tuple[Pair, ...], H: Any) -> tuple[tuple[Array, ...], Array]:
    """The α of each pair, oldest first, and the direction."""
    q, al = -g, []
    for s, y, rho in reversed(pairs):
        al.append(along(q, s, rho))
        q = without(q, y, al[-1])
    r = q * H  # Hq
    al.reverse()
    for (s, y, rho), alpha in zip(pairs, al, strict=True):
        r = corrected(r, s, y, rho, alpha)
    return tuple(al), r


def along(q: Array, s: Array, rho: Array) -> Any:
    return dot(s, q) * rho  # α = ρ(s·q)


def without(q: Array, y: Array, alpha: Array) -> Any:
    return q - alpha * y  # q − αy


def corrected(r: Array, s: Array, y: Array, rho: Array, alpha: Array) -> Any:
    return r + (alpha - dot(y, r) * rho) * s  # r + (α − ρ(y·r))s


def armijo_excess(loss: Any, loss_after: Any, t: Any, slope: Any) -> Any:
    return loss_after - (loss + ARMIJO * t * slope)  # ≤ 0: f(w + td) ≤ f(w) + c₁·t·g·d


def curvature_excess(slope: Any, slope_after: Any) -> Any:
    return np.abs(slope_after) + CURVATURE * slope  # ≤ 0: |g(w + td)·d| ≤ −c₂·g·d


def flat(arrays: Params) -> Array:
    """All arrays behind one another: ``(runs, p)``."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays.values()], axis=1)


def unflat(vector: Array, like: Params) -> Params:
    """The arrays that make up a vector ``(runs, p)``, of the shapes of others."""
    ends = np.cumsum([array.size // len(array) for array in like.values()])
    parts = np.split(vector, ends[:-1], axis=1)
    return {name: part.reshape(array.shape) for (name, array), part in zip(like.items(), parts, strict=True)}


def agreed(condition: Any) -> bool:
    """True where it holds for every element of every run, False where in no run for all of its elements."""
    per_run = np.all(np.asarray(condition), axis=1)
    if per_run.all() or not per_run.any():
        return bool(per_run.all())
    raise ParameterError(
        "params",
        given="a batch of runs of which some stop, or skip a pair, where others do not",
        allowed="runs that decide alike",
        remedy="run them apart",
    )
