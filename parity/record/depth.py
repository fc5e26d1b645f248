"""How deep a kernel's tree of additions is, measured: γ of the depth bounds its rounding, where γₙ counts every order.

A sum of n terms is a binary tree whose leaves are the terms; a term's error grows with the additions that it goes
through, the depth of its leaf, and not with all n − 1: ``|ŝ − s| ≤ γ_h Σ|terms|`` with h the depth of the deepest leaf
(N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2).

The tree shows in what is lost. Let term i be M, term j −M and all others 1, where M + n rounds to M: each 1 that is
added before M and −M meet is lost, the others count. So n minus the result is the number of leaves of the smallest
subtree that holds i and j, and of a leaf i the different numbers, over all j, are the sizes of its ancestors. Those of
the j with one number are the leaves of the other branch there, whose tree is found in the same way. (P. Xie et al.,
"FPRev: Revealing the Order of Floating-Point Summation in Numerical Software", 2024.)

Only what is consistent counts: the sizes must be those of nested sets, in every row and column of the product that was
looked at, and the same wherever in the left factor the row stands; otherwise there is no depth, and n stays. What a
kernel adds in one instruction of several terms (tensor cores) is no binary tree, and is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from refimpl.types import Array

Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The product ``(m, n) × (n, columns) → (m, columns)`` whose sums over n are looked into."""
UNITS: dict[str, tuple[float, float, int]] = {
    "float64": (2.0**600, 1.0, 2**53),
    "float32": (2.0**100, 1.0, 2**24),
    "bfloat16": (2.0**100, 1.0, 2**8),
    "float16": (2.0**15, 2.0**-24, 2**11),
}
"""M, the number that all other terms have, so that 2²⁴·n of them are less than M, and how many of these a result holds
exactly: of more than that it is asked part by part, with zeros for the rest."""
MOST = 2**13
"""Terms beyond which the probe would take seconds, and would not be lost beside M where float16 is added in float32."""
TURNS = (0, 1, 3)
"""How far the rows are turned, so that the same sums are made in other places of the left factor."""


class Inconclusive(Exception):
    """The sums are not those of one binary tree, or not of the same everywhere."""


def depth(kernel: Kernel, n: int, rows: int, columns: int, dtype: str, device: str = "cpu") -> int | None:
    """The most additions that a term goes through in a product of these shapes; None where the probe is not conclusive.

    ``rows`` and ``columns`` of the product; the probe fills whole left factors of ``rows`` rows, as a kernel may choose
    its order by the shape.
    """
    if n < 2 or n > MOST:
        return None if n > MOST else 0
    probe = Probe(kernel, n, rows, columns, dtype, device)
    try:
        return max(probe.deepest(column) for column in probe.kinds())
    except Inconclusive:
        return None


class Probe:
    """One kernel and one shape."""

    def __init__(self, kernel: Kernel, n: int, rows: int, columns: int, dtype: str, device: str) -> None:
        self.kernel, self.n, self.rows = kernel, n, rows
        self.big, self.one, self.exact = UNITS[dtype]
        self.dtype = getattr(torch, dtype)
        self.right = torch.ones(n, columns, dtype=self.dtype, device=device)
        self.rng = np.random.default_rng(0)

    def sizes(self, pairs: Array, turn: int = 0) -> Array:
        """Leaves of the smallest subtree that holds i and j, for each pair ``(pairs, 2)`` and column."""
        found = []
        for start in range(0, len(pairs), self.rows):
            some = pairs[start : start + self.rows]
            at = (np.arange(len(some)) + turn) % self.rows
            kept = sum(self._kept(some, at, part) for part in range(0, self.n, self.exact))
            found.append(self.n - np.asarray(kept))
        return np.concatenate(found)

    def _kept(self, pairs: Array, at: Array, part: int) -> Array:
        """How many terms of a part of all are not lost, for each pair, in the rows ``at`` ``(pairs, columns)``."""
        left = torch.zeros((self.rows, self.n), dtype=self.dtype, device=self.right.device)
        left[:, part : part + self.exact] = self.one
        left[at, pairs[:, 0]], left[at, pairs[:, 1]] = self.big, -self.big
        kept: Array = self.kernel(left, self.right)[at].double().cpu().numpy() / self.one
        if not (np.isfinite(kept).all() and (kept == np.rint(kept)).all() and (kept >= 0).all()):
            raise Inconclusive
        return kept.astype(int)

    def kinds(self) -> list[Array]:
        """The columns of each tree: those whose sums of one leaf with all others have the same sizes."""
        leaf = int(self.rng.integers(self.n))
        pairs = np.array([(leaf, j) for j in range(self.n) if j != leaf])
        sizes = self.sizes(pairs)
        for turn in TURNS[1:]:
            if not np.array_equal(sizes, self.sizes(pairs, turn)):
                raise Inconclusive
        _, kind = np.unique(sizes, axis=1, return_inverse=True)
        return [np.flatnonzero(kind == k) for k in range(kind.max() + 1)]

    def deepest(self, columns: Array) -> int:
        """The depth of the deepest leaf of the tree that these columns have.

        ``groups``: sets of leaves that are the leaves of a subtree, and how many additions lie above it.
        """
        groups: list[tuple[Array, int]] = [(np.arange(self.n), 0)]
        deepest = 0
        while groups:
            leaves = [int(self.rng.choice(group)) for group, _ in groups]
            others = [group[group != leaf] for (group, _), leaf in zip(groups, leaves, strict=True)]
            pairs = [np.stack([np.full_like(j, leaf), j], axis=1) for leaf, j in zip(leaves, others, strict=True)]
            sizes = np.split(self._of_all(np.concatenate(pairs), columns), np.cumsum([len(j) for j in others])[:-1])
            below = []
            for (_, above), j, size in zip(groups, others, sizes, strict=True):
                ancestors, counts = np.unique(size, return_counts=True)
                if not np.array_equal(ancestors, 1 + np.cumsum(counts)):  # each is the one below and a branch
                    raise Inconclusive
                deepest = max(deepest, above + len(ancestors))
                for k, ancestor in enumerate(ancestors):
                    branch, over = j[size == ancestor], above + len(ancestors) - k
                    deepest = max(deepest, over)
                    if len(branch) > 1:
                        below.append((branch, over))
            groups = below
        return deepest

    def _of_all(self, pairs: Array, columns: Array) -> Array:
        sizes = self.sizes(pairs)[:, columns]
        if np.any(sizes != sizes[:, :1]):
            raise Inconclusive
        one: Any = sizes[:, 0]
        return np.asarray(one)
