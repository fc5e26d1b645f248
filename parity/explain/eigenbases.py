"""SOAP along a run of code of any form: each step is held to the bases that the code itself had, which is no free run.

Two correct codes need not have the same basis: in a null space, or among eigenvalues that are equal but for rounding,
it is arbitrary. So a basis is judged by what it must be, and all else given the basis. u is the unit roundoff of the
arithmetic, ‖·‖ the 1-norm::

    precond i        L + (1 − β)(GGᵀ − L), from the recorded L before
    orthogonality    |QᵀQ − I| ≤ θ                              θ = 60·n·2u of eigenvectors, 30·n·u of QR
    eigenvectors     of the first Q: |QᵀLQ| ≤ ((√n + 3)θ + nu)·‖L‖ beside the diagonal
    power iteration  of a later one, QR = LQ₀P: |QᵀLq| ≤ 61·n·u·(‖Lq‖ + e) + (1 + θ)e below its row, of each column q
    basis            of any other step: as it was, exactly
    exp_avg_sq, exp_avg, weights        given the basis before the step, from the recorded averages before

θ is what LAPACK demands of every build in its own tests (:mod:`refimpl.arithmetic.roots` has that of eigenvectors).
‖A − QΛQᵀ‖ ≤ θ‖A‖ with QᵀQ = I + F gives QᵀAQ = (I + F)Λ(I + F) + QᵀEQ: no more than (√n + 3)θ‖A‖ beside the
diagonal; and nu‖A‖ where A was rounded first. Of QR they demand ‖R − QᵀA‖ ≤ 30·n·u‖A‖. To scale a column of A by a
power of two scales that of R and changes nothing else, so that the promise for the A whose columns have all the same
length but for a factor of 2 is 60·n·u of each column alone; once more nu for a Q that was rounded when it was stored.
e: by how much the computed column Lq may be off, of which QᵀLq has (1 + θ)e.

P is the order of the numbers qᵀLq. Columns whose numbers rounding could have put in another order form a block: no
element below the block may be larger than that, and v, which is put in the same order, may be that of any column of it.

Published code has a basis of float32 numbers for float64 weights. Where all numbers of a tensor are such, it is held to
the arithmetic of float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from parity.explain.kept_bases import Kept, Tensor, kept_of
from parity.explain.motion import Motion
from parity.step.expected import Expected, Kind, Quantity, expect_one
from refimpl.arithmetic.bases import descending, folded, rotated, unfolded
from refimpl.arithmetic.bounded import Bounded, Profile, gamma
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.kernels import either
from refimpl.arithmetic.roots import SMALL, THRESHOLD
from refimpl.optimizers.soap import SOAP
from refimpl.types import Array, Decay, State

FLOAT32 = FORMATS["float32"]
THRESHOLD_OF_QR = 30
"""Of the ratios that LAPACK's tests of QR print."""
SHIFT = 1e-30
"""What published code adds to the diagonal of a matrix before it decomposes it."""


@dataclass(frozen=True, kw_only=True)
class Based:
    """SOAP, each of whose steps goes on from what the code ``kept``.

    The state has ``turn``, the number of gradients, and ``stages``, what each part of the last step is held to.
    """

    decay: ClassVar[Decay] = "decoupled"
    inner: SOAP
    kept: Kept
    made: type[Made]

    def init(self, param: Array) -> State:
        return {**self.inner.init(param), "turn": np.zeros(len(param), int)}

    def step(self, param: Any, grad: Any, state: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        turn = state["turn"]
        number = int(turn.flat[0])
        if self.kept.missing:
            return Bounded(param.value, np.inf, param.profile), {"turn": turn + 1}
        made = self.made(self.inner, self.kept, number, param, grad, state)
        return made.weights, {"turn": turn + 1, "stages": made.stages, **made.state}


def based(optimizer: Any, motion: Motion, made: type[Made] | None = None) -> Any:
    """The optimizer with every SOAP in it judged by the bases of the code; any other as it is.

    ``made``: what makes its steps, where that is another rule than the reference's.
    """
    if isinstance(optimizer, Based):
        return optimizer
    if isinstance(optimizer, SOAP):
        kept = kept_of(optimizer, motion.gradient.value[: len(motion.weights) - 1], motion.kept)
        return Based(inner=optimizer, kept=kept, made=made or Made)
    inner = getattr(optimizer, "inner", None)
    return optimizer if inner is None else replace(optimizer, inner=based(inner, motion))


class Made:
    """One step, number ``k`` from 0 on: its ``weights`` and what each part of it is held to."""

    def __init__(self, rule: SOAP, kept: Kept, k: int, param: Bounded, grad: Bounded, state: Mapping[str, Any]) -> None:
        self.rule, self.kept, self.k, self.grad, self.profile = rule, kept, k, grad, param.profile
        self.stages: list[Expected] = [*self._preconds()]
        self.state: dict[str, Any] = {}
        if k == 0:
            self.weights, nothing = param, 0 * grad
            self._keep(nothing, nothing)
            self.stages += [stage for axis in kept.bases for stage in self._first_basis(axis)]
            return
        Q = self._in_use(k - 1)
        m, turned = self._first(Q, state)
        v = self._average(self._before(kept.second, state, "exp_avg_sq"), self._square(rotated(grad, Q)), rule.betas[1])
        self.weights = self._moved(param, turned, v, Q)
        if k % rule.precondition_frequency == 0:
            for axis in kept.bases:
                order, ends = self._order(axis)
                self.stages += self._next_basis(axis, order, ends)
                v = self._put(v, axis, order, ends)
            m = rotated(rotated(m, Q, back=True), self._in_use(k)) if kept.turned else m
        else:
            self.stages += [self._same(basis) for basis in kept.bases.values()]
            m = either(m, rotated(rotated(m, Q, back=True), Q)) if kept.turned else m
        self._keep(m, v)

    def _in_use(self, k: int) -> dict[int, Any]:
        """The bases after step k."""
        return {axis: Bounded.tensor(basis.after[k : k + 1], self.profile) for axis, basis in self.kept.bases.items()}

    def _moved(self, param: Any, turned: Any, v: Any, Q: Mapping[int, Any]) -> Any:
        return self.rule.moved(param, turned, v, Q, np.full((len(param), *(1,) * (param.ndim - 1)), self.k))

    # -- averages ------------------------------------------------------------------------------------------------------

    def _first(self, Q: Mapping[int, Any], state: Mapping[str, Any]) -> tuple[Any, Any]:
        """m as it is kept, and in the rotated space."""
        before, beta = self._before(self.kept.first, state, "exp_avg"), self.rule.betas[0]
        if self.kept.turned:
            m = self._average(before, rotated(self.grad, Q), beta)
            return m, m
        m = self._average(before, self.grad, beta)
        return m, rotated(m, Q)

    def _average(self, before: Any, term: Any, beta: Any) -> Any:
        """In either of its usual forms."""
        return either(before + (1 - beta) * (term - before), beta * before + (1 - beta) * term)

    def _square(self, x: Any) -> Any:
        return x * x

    def _before(self, tensor: Tensor | None, state: Mapping[str, Any], own: str) -> Any:
        """An average before the step: as it is kept, else carried along; 0 while there is none."""
        if tensor is None:
            return state.get(own, 0 * self.grad)
        return Bounded.tensor(np.nan_to_num(tensor.after[self.k - 1 : self.k]), self.profile)

    def _keep(self, m: Any, v: Any) -> None:
        """What both averages are held to, where they are kept; and the state that is carried along."""
        for own, tensor, average in (("exp_avg_sq", self.kept.second, v), ("exp_avg", self.kept.first, m)):
            self.state[own] = average
            if tensor is not None and not np.isnan(tensor.after[self.k]).all():
                self.stages.append(self._held("value", tensor, average))

    # -- matrices ------------------------------------------------------------------------------------------------------

    def _preconds(self) -> Iterator[Expected]:
        rule, k = self.rule, self.k
        for axis, tensor in self.kept.preconds.items():
            profile = self._profile(tensor.after[k])
            G = unfolded(self.grad.under(profile), axis)
            before = Bounded.tensor(tensor.after[k - 1 : k] if k else np.zeros_like(tensor.after[:1]), profile)
            beta = rule.betas[1] if rule.shampoo_beta is None else rule.shampoo_beta
            beta = Bounded(beta.value, beta.error, profile, scalar=True) if isinstance(beta, Bounded) else beta
            yield self._held("value", tensor, self._average(before, G @ G.swapaxes(-1, -2), beta))

    def _profile(self, numbers: Array) -> Profile:
        """The arithmetic of a tensor: that of float32 where it has wider weights and no wider numbers."""
        if self.profile.compute.digits > FLOAT32.digits and np.array_equal(FLOAT32.round(numbers), numbers):
            return replace(self.profile, compute=FLOAT32, accumulate=FLOAT32)
        return self.profile

    def _first_basis(self, axis: int) -> Iterator[Expected]:
        """Eigenvectors of the matrix as it is kept."""
        basis, Q, A = self._of(axis)
        profile, n, carrier = self._profile(Q[0]), Q.shape[-1], self.profile.carrier
        u, own = profile.u(profile.compute), n * profile.carrier_u
        theta = carrier(THRESHOLD * n * 2 * u)
        yield self._orthogonal(basis, theta + own)
        size = np.abs(A).sum(axis=1).max(initial=0) + carrier(SHIFT)
        room = (np.sqrt(carrier(n)) + 3) * theta + n * u + 4 * own
        room = room * size if np.sqrt(n) * theta <= SMALL else carrier(np.inf)
        beside = (Q.swapaxes(1, 2) @ A @ Q) * (1 - np.eye(n, dtype=int))
        yield self._held("eigenvectors", basis, self._nothing(beside, room), candidate=beside)

    def _next_basis(self, axis: int, order: Array, ends: Array) -> Iterator[Expected]:
        """The Q of QR = LQ₀P: what is below the diagonal of QᵀLQ₀P, or below a block of it."""
        basis, Q, A = self._of(axis)
        profile, n, carrier = self._profile(Q[0]), Q.shape[-1], self.profile.carrier
        u, own = profile.u(profile.compute), n * profile.carrier_u
        theta = carrier(THRESHOLD_OF_QR * n * u) + own
        yield self._orthogonal(basis, theta)
        before = np.asarray(basis.after[self.k - 1 : self.k], carrier)[:, :, order]
        S = A @ before
        off = (gamma(n, profile) + 2 * u + u * u + 2 * own) * (np.abs(A) @ np.abs(before))  # both may be rounded first
        column, apart = (np.abs(x).sum(axis=1, keepdims=True) for x in (S, off))
        room = (2 * THRESHOLD_OF_QR + 1) * n * u * (column + apart) + (1 + theta) * apart + 2 * own * column
        room = room + 4 * n * n * profile.tau(profile.compute)
        below = np.arange(n)[:, None] > ends[None, :]
        under = np.where(below, Q.swapaxes(1, 2) @ S, 0)
        yield self._held("power iteration", basis, self._nothing(under, room), candidate=under)

    def _order(self, axis: int) -> tuple[Array, Array]:
        """The order of the columns, and of each place the last one of its block."""
        basis, _, A = self._of(axis)
        n = A.shape[-1]
        if not self.rule.ordered:
            return np.arange(n), np.arange(n)
        profile = self._profile(basis.after[self.k])
        Q = np.asarray(basis.after[self.k - 1 : self.k], self.profile.carrier)
        reach = (np.abs(Q) * (np.abs(A) @ np.abs(Q))).sum(axis=1)[0]
        once = gamma(n, profile) + 2 * profile.u(profile.compute)
        off = ((1 + once) ** 2 - 1 + 4 * n * profile.carrier_u) * reach + 4 * n * n * profile.tau(profile.compute)
        numbers = (Q * (A @ Q)).sum(axis=1)
        order = descending(numbers)[0]
        low, high = (numbers[0] - off)[order], (numbers[0] + off)[order]
        ends, last = np.empty(n, int), n - 1
        for place in range(n - 1, -1, -1):
            if place < n - 1 and low[: place + 1].min() > high[place + 1 :].max():
                last = place
            ends[place] = last
        return order, ends

    def _same(self, basis: Tensor) -> Expected:
        return self._held("basis", basis, Bounded.tensor(basis.after[self.k - 1 : self.k], self.profile))

    def _of(self, axis: int) -> tuple[Tensor, Array, Array]:
        """The basis, its numbers and those of the matrix after the step, ``(1, n, n)`` in the carrier."""
        basis, precond = self.kept.bases[axis], self.kept.preconds[axis]
        Q, A = (np.asarray(one.after[self.k : self.k + 1], self.profile.carrier) for one in (basis, precond))
        return basis, Q, (A + A.swapaxes(1, 2)) / 2

    def _orthogonal(self, basis: Tensor, room: Any) -> Expected:
        Q = np.asarray(basis.after[self.k : self.k + 1], self.profile.carrier)
        product, n = Q.swapaxes(1, 2) @ Q, Q.shape[-1]
        unit = Bounded(np.broadcast_to(np.eye(n), product.shape), room, self.profile)
        return self._held("orthogonality", basis, unit, candidate=product)

    def _nothing(self, like: Array, room: Any) -> Bounded:
        return Bounded(np.zeros(like.shape), np.broadcast_to(room, like.shape), self.profile)

    def _held(self, kind: Kind, tensor: Tensor, bounded: Any, candidate: Array | None = None) -> Expected:
        numbers = tensor.after[self.k : self.k + 1] if candidate is None else candidate
        bounded = Bounded(bounded.value, bounded.error, self.profile)
        return expect_one(Quantity(kind, key=tensor.name), self.k, numbers, bounded, self.profile.compute)

    def _put(self, v: Any, axis: int, order: Array, ends: Array) -> Any:
        """v with one axis in that order; of a block any of its numbers."""
        low, high = (unfolded(x, axis)[:, order] for x in (v.value - v.error, v.value + v.error))
        for end in np.unique(ends):
            block = np.flatnonzero(ends == end)
            low[:, block] = low[:, block].min(axis=1, keepdims=True)
            high[:, block] = high[:, block].max(axis=1, keepdims=True)
        value = unfolded(v.value, axis)[:, order]
        error = np.maximum(high - value, value - low)
        error = np.where(np.isnan(error), np.inf, v.profile.widened(error))
        value, error = (folded(x, axis, v.shape) for x in (value, error))
        return Bounded(value, error, v.profile)
