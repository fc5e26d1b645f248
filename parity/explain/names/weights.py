"""How much each row counted: q = δ ÷ the asked δ, by step, by place in the batch, by row of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import Series, compounding, laws, listed, shortest, steps_text
from refimpl.types import Array

RANKS = 4
"""Ranks at most that rows are tried to be dealt to, whatever was measured."""


def causes(chain: Chain) -> Iterator[Cause]:
    """The first pattern that holds: a number for each step, for each place in the batch, for each row; else all."""
    q, bars = chain.counts
    if chain.alike is not None:
        yield from _by_step(chain, chain.alike)
    yield from _by_place(q, bars)
    yield from _by_row(chain, q, bars)
    yield from _by_sample(chain, q, bars)
    off = [k for k, (times, bar) in enumerate(zip(q, bars, strict=True)) if np.any(np.abs(times - 1) > bar)][:2]
    times = ", ".join(f"in step {k} {_numbers(q[k])} times" for k in off or [0])
    yield counted(q, "rows-as-measured", numbers=sum(map(len, q)), named=False, times=times)


def dealt(chain: Chain) -> Iterator[Cause]:
    """The mean of the means of ranks with unequal shares of a batch: in few bits, rows are not measured so well."""
    sizes = [len(rows) for rows in chain.design.rows]
    for ranks in range(2, min(min(sizes), RANKS) + 1):
        shards = {n: _shards(n, ranks) for n in sizes}
        full = shards[max(sizes)]
        if np.ptp(full):
            q = [n / (ranks * shards[n][np.arange(n) % ranks]) for n in sizes]
            most = q[sizes.index(max(sizes))]
            words = {"ranks": ranks, "shards": listed(full), "n": max(sizes), "times": _numbers(most)}
            yield counted(q, "rows-ranks-unequal", **words)


def _shards(n: int, ranks: int) -> Array:
    """How many of n rows each rank has, where every so-manieth is its own."""
    return np.array([len(range(r, n, ranks)) for r in range(ranks)])


def counted(q: Sequence[Array], id: str, **words: Any) -> Cause:
    """Rows that count q times; what :func:`~parity.explain.cause.cause` takes beside."""
    return cause(id, partial(replace, row_times=tuple(np.asarray(each, float) for each in q)), **words)


def _numbers(q: Array) -> str:
    """With so many digits that numbers which differ, from each other or from 1, look different."""
    shown = q[:6]
    apart = np.diff(np.sort(np.append(shown, 1.0)))
    least = float(np.min(apart[apart > 1e-6], initial=1.0))
    digits = max(3, 1 + math.ceil(-math.log10(least)))
    return ", ".join(f"{each:.{digits}g}" for each in shown) + (" …" if len(q) > 6 else "")


def _by_step(chain: Chain, c: Series) -> Iterator[Cause]:
    """All rows of a step count c times."""
    sizes = np.array([len(some) for some in chain.design.rows])
    n, total, most = sizes.astype(float), len(chain.y), int(sizes.max())

    def each(values: Array) -> list[Array]:
        """One value for all rows of a step."""
        return [np.full(size, value) for size, value in zip(sizes, values, strict=True)]

    if c.is_(n / total):
        yield counted(each(n / total), "loss-over-all-rows", total=total)
    for micro in range(1, most):
        windows = np.ceil(sizes / micro) / math.ceil(most / micro)
        if c.is_(windows) and np.any(windows != 1):
            times = _numbers(np.unique(windows[windows != 1]))
            yield counted(each(windows), "accumulation-short-window", most=most, micro=micro, times=times)
            return
    yield from _of_step(chain, c)
    if (constant := c.constant) is None:
        odd = np.abs(c.value - 1) > c.error
        yield counted(
            each(c.value),
            "loss-factor-as-measured",
            numbers=int(odd.sum()),
            named=False,
            times=Series(c.value[odd], c.error[odd]).text(),
            steps=steps_text(odd, chain.design.epoch),
        )
    elif abs(constant - 1) > np.min(c.error):
        value = shortest(float(np.max(c.value - c.error)), float(np.min(c.value + c.error)))
        shares = chain.engine.loss_shares(chain.design)
        as_reported = ", whose value is as reported" if shares and min(shares.values()) <= 1 else ""
        alike = each(np.full(len(n), value))
        yield counted(alike, "loss-gradient-factor", numbers=1, value=value, as_reported=as_reported)


def _of_step(chain: Chain, c: Series) -> Iterator[Cause]:
    """The factor of a step as a function of its epoch, or of its gradient: clipped before the optimizer's decay."""
    anew = compounding(c, chain.design.epoch)
    if anew is not None:
        q = [np.full(len(some), value) for some, value in zip(chain.design.rows, anew.made, strict=True)]
        what = "the data's part of the gradient"
        yield counted(q, "loss-factor-compounds", of="gradient-scale-compounds", numbers=2, law=anew, what=what)
    data = [np.append(d @ chain.X[some], d.sum()) for d, some in zip(chain.delta, chain.design.rows, strict=True)]
    for law in laws(c, {"‖∇L‖": np.array([np.linalg.norm(each) for each in data])}):
        q = [np.full(len(some), value) for some, value in zip(chain.design.rows, law.made, strict=True)]
        if law.form == "power":
            yield counted(q, "loss-gradient-of-norm", numbers=1, law=law)
        else:
            yield counted(q, "gradient-clipped-before-decay", numbers=1, law=law, hint=still_scaled(law.c))


def still_scaled(limit: float) -> str:
    """What a limit is that becomes a number of fewer digits when it is multiplied by the power of 2 of a loss scale."""
    if float(f"{limit:.2g}") == limit and limit >= 0.1:
        return ""
    digits = len(repr(limit).split("e")[0].replace(".", "").strip("0"))
    for scale in (2**m for m in range(1, 25)):
        whole = float(f"{limit * scale:.1g}")
        exact = (digits > 3 and float(f"{whole / scale:.{digits}g}") == limit) or abs(
            limit * scale - whole
        ) <= 1e-5 * whole
        if whole >= 1 and exact and len(f"{whole:g}") < len(f"{limit:g}"):
            return (
                f"; {limit:g} is {whole:g}/{scale}: so it is when scaled gradients are clipped before they are unscaled"
            )
    return ""


def _by_sample(chain: Chain, q: Sequence[Array], bars: Sequence[Array]) -> Iterator[Cause]:
    """The weight of a row as a function of its own gradient ``g_i = ∂L_i·(x_i, 1)``, or of its residual."""
    slope = [len(some) * np.abs(delta) for some, delta in zip(chain.design.rows, chain.delta, strict=True)]
    inputs = [np.linalg.norm(chain.X[some], axis=1) for some in chain.design.rows]
    residuals = [np.abs(chain.residuals(k)) for k in range(chain.steps)]
    each = [s * np.sqrt(x**2 + 1) for s, x in zip(slope, inputs, strict=True)]
    alone = [s * x for s, x in zip(slope, inputs, strict=True)]
    features = {"‖gᵢ‖": each, "‖∂w gᵢ‖": alone, "|rᵢ|": residuals, "‖xᵢ‖": inputs}
    edges = np.cumsum([len(some) for some in q])[:-1]
    series = Series(np.concatenate(q), np.concatenate(bars))
    for law in laws(series, {name: np.concatenate(values) for name, values in features.items()}):
        id = "gradient-per-sample" if "g" in law.feature else "rows-weighted-by-feature"
        how = f"clipped to the norm {law.c:g}" if law.form == "clip" else "divided by its norm"
        yield counted(np.split(law.made, edges), id, numbers=1, law=law, how=how)


def _by_place(q: Sequence[Array], bars: Sequence[Array]) -> Iterator[Cause]:
    """Rows count by their place, the same in every batch of a size."""
    pattern: dict[int, Array] = {}
    low = high = np.zeros(0)
    for size in sorted({len(each) for each in q}):
        some = [i for i, each in enumerate(q) if len(each) == size]
        low = np.max([q[i] - bars[i] for i in some], axis=0)
        high = np.min([q[i] + bars[i] for i in some], axis=0)
        if np.any(low > high):
            return
        pattern[size] = np.array([shortest(a, b) for a, b in zip(low, high, strict=True)])
    full = pattern[max(pattern)]
    if np.ptp(full) < 1e-6:
        yield from _by_place_in_short(q, pattern)
        return
    id, words = _of_places(full, low, high)
    named = counted([pattern[len(each)] for each in q], id, n=len(full), times=_numbers(full), **words)
    yield replace(
        named, text=named.text + "".join(_of_short(size, its) for size, its in pattern.items() if its is not full)
    )


def _by_place_in_short(q: Sequence[Array], pattern: dict[int, Array]) -> Iterator[Cause]:
    """Full batches are as asked, and rows of shorter ones count by their place, as where these are filled up."""
    most = max(pattern)
    short = {size: its for size, its in pattern.items() if np.ptp(its) > 1e-6}
    if not short or np.any(np.abs(pattern[most] - 1) > 1e-6):
        return
    words = "; ".join(f"{_numbers(its)} times in one of {size}" for size, its in short.items())
    last = all(
        np.all(np.abs(its[:-1] / its[0] - 1) < 1e-6) and abs(its[-1] / its[0] - (most - size + 1)) < 1e-6
        for size, its in short.items()
    )
    why = f": they are filled up to {most} with their last row again" if last else ""
    yield counted([pattern[len(each)] for each in q], "rows-of-short-batches", words=words, why=why)


def _of_short(size: int, q: Array) -> str:
    """What is the case in the batches of fewer rows, where that is not as asked."""
    if np.all(np.abs(q) < 1e-6):
        return f"; of a batch of {size} no row counts"
    return f"; in a batch of {size} they count {_numbers(q)} times" if np.any(np.abs(q - 1) > 1e-6) else ""


def _of_places(q: Array, low: Array, high: Array) -> tuple[str, dict[str, Any]]:
    """Weights by place in the batch: a name only where what it says lies between ``low`` and ``high``."""
    n = len(q)
    zero = np.flatnonzero(np.abs(q) < 1e-6)
    if len(zero):
        rest = q[np.abs(q) >= 1e-6]
        times = np.unique(np.round(rest, 6))
        others = "as asked" if np.array_equal(times, [1.0]) else f"{_numbers(times)} times"
        return "rows-dropped", {"places": listed(zero), "others": others}
    groups = _groups(q)
    m = len(groups)
    expected = np.concatenate([np.full(size, n / (m * size)) for size, _ in groups])
    counts = np.rint(q / np.min(q))
    twice = _within(counts * n / counts.sum(), low, high)
    even = all(size == groups[0][0] for size, _ in groups[:-1]) and groups[-1][0] <= groups[0][0]
    if twice and not even:
        again = np.flatnonzero(counts > 1)
        often = "twice" if (counts[again] == 2).all() else f"{_numbers(counts[again])} times"
        return "rows-repeated", {"places": listed(again), "often": often, "rows": int(counts.sum())}
    if m > 1 and _within(expected, low, high):
        return "rows-mean-of-means", {"sizes": ", ".join(str(size) for size, _ in groups)}
    for ranks in range(2, n):
        shards = _shards(n, ranks)
        if np.ptp(shards) and _within(n / (ranks * shards[np.arange(n) % ranks]), low, high):
            return "rows-ranks-unequal", {"ranks": ranks, "shards": listed(shards)}
    doubled = np.flatnonzero(q > 1.5 * np.min(q))
    several = len(doubled) and _within(counts[doubled] * np.min(q), low[doubled], high[doubled])
    more = f"; those at the places {listed(doubled)} count several times the others" if several else ""
    return "rows-by-place", {"more": more}


def _within(expected: Array, low: Array, high: Array) -> bool:
    return bool(np.all((low <= expected) & (expected <= high)))


def _groups(q: Array) -> list[tuple[int, float]]:
    """Neighbours of one weight, cut into parts of the size that their weight stands for where there are several."""
    n = len(q)
    edges = np.flatnonzero(np.abs(np.diff(q)) > 1e-6 * np.abs(q[:-1])) + 1
    runs = list(np.split(q, edges))
    for m in range(2, n + 1):  # m parts: one of weight v has n/(m·v) rows
        sizes = [n / (m * part[0]) for part in runs]
        if all(abs(size - round(size)) < 1e-4 and round(size) >= 1 for size in sizes):
            counts = [len(part) / round(size) for part, size in zip(runs, sizes, strict=True)]
            if all(abs(count - round(count)) < 1e-9 for count in counts) and round(sum(counts)) == m:
                return [
                    (round(size), float(part[0]))
                    for part, size, count in zip(runs, sizes, counts, strict=True)
                    for _ in range(round(count))
                ]
    return [(len(part), float(part[0])) for part in runs]


def _by_row(chain: Chain, q: Sequence[Array], bars: Sequence[Array]) -> Iterator[Cause]:
    """A row of the data counts the same whenever it comes."""
    n = len(chain.y)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    for k, some in enumerate(chain.design.rows):
        low[some], high[some] = np.maximum(low[some], q[k] - bars[k]), np.minimum(high[some], q[k] + bars[k])
    if np.any(low > high) or not np.isfinite(low).all():
        return
    weight = np.array([shortest(a, b) for a, b in zip(low, high, strict=True)])
    other = np.flatnonzero(np.abs(weight - 1) > 1e-6)
    if np.ptp(weight) < 1e-6:
        return
    if len(chain.design.material.order) > 1:
        words = ", ".join(f"row {i}: {weight[i]:.4g}" for i in other[:6]) + " times" + " …" * (len(other) > 6)
        yield counted([weight[some] for some in chain.design.rows], "rows-weighted", numbers=len(other), words=words)
