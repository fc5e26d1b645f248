"""The settings of another library for the same rule, and the proof.

Both run from the same weights on the same gradients, and both are held to one reference, each step within the bound of
its rounding errors from what the run itself had before it (:mod:`parity.explain.replay`). Where both stay within it for
the whole life (rates that change, zero gradients, two parameters of one shape, one of one element), they make the same
steps but for rounding. Where one does not, the first number that no rounding explains is shown beside the other's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parity.errors import InputError
from parity.explain.feeds import FACTORS, SHAPES, Feed, drawn
from parity.explain.motion import Motion
from parity.explain.replay import replay, share_of
from parity.explain.update import explain_update
from parity.explain.update.references import shown
from parity.features.convert.optimizers.library import LIBRARIES, Library, defaults, library, named
from parity.features.convert.optimizers.writing import Inexpressible, Writing, reference_of, words_of
from parity.judge.undecidable import variants
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Array, Optimizer

FORM = 2.0
"""Form factor: code of unknown form."""
STEPS = 32
SILENT = (6, 7, 20)
"""Steps of zero gradients."""
Verdict = Literal["proven", "refuted", "absent", "not run"]
"""``absent``: there are no settings; ``not run``: there are, and nothing was run."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One library's run. ``words``: its settings; ``dtype``: in which; ``share``: the largest error ÷ allowance of
    ``count`` numbers that have a bound, 0 where most have none; ``first``: the first number beyond, as parameter, index
    and step; ``reason``: why, where that was proven; ``hidden``: numbers of the rule that these steps do not show.
    """

    library: str
    writing: Writing
    words: Mapping[str, Any]
    dtype: str
    weights: Mapping[str, Array]
    share: float
    count: int
    first: tuple[str, tuple[int, ...], int] | None
    reason: str
    hidden: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.library}.{self.writing.name}"

    @property
    def holds(self) -> bool:
        return self.share <= 1

    def at(self, place: tuple[str, tuple[int, ...], int]) -> float:
        """Its weight after that step."""
        name, index, step = place
        return float(self.weights[name][step + 1][index])


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Whether two libraries make the same steps. ``asked``, ``wanted``: their optimizers; ``call``: the settings of the
    wanted one, empty where it has none. ``reference``: the rule that both are held to. ``text``: why, or why not."""

    verdict: Verdict
    asked: str
    wanted: str
    call: str
    reference: Optimizer
    text: str


def equivalences(source: str, hyper: Mapping[str, Any], target: str, *, prove: bool) -> Iterator[Equivalence]:
    """What the target has for the source's settings. A library alone, or ``all``: every optimizer that may be it.

    Raises :class:`InputError` for names and numbers that are unknown, and where the source is not installed.
    """
    known, ways = named(source)
    reference = _reference(source, known, ways, hyper)
    own = next(way for way in ways if _family(way) is type(reference))
    sides: dict[str, Side] = {}
    for place, writing in _targets(target, reference):
        result = Equivalence(
            verdict="absent", asked=source, wanted=f"{place}.{writing.name}", call="", reference=reference, text=""
        )
        try:
            words = words_of(writing, reference)
        except Inexpressible as error:
            yield replace(result, text=str(error))
            continue
        result = replace(result, verdict="not run", call=call_of(result.wanted, words))
        if not prove:
            yield result
            continue
        other = library(place)
        dtype = next(one for one in ("float64", "float32") if one in other.SCALARS and one in known.SCALARS)
        if dtype not in sides:
            sides[dtype] = run_side(source.partition(".")[0], known, own, words_of(own, reference), reference, dtype)
        try:
            there = run_side(place, other, writing, words, reference, dtype)
        except ImportError as error:
            yield replace(result, text=str(_absent(place, other, error)))
            continue
        yield judged(result, sides[dtype], there)


def call_of(name: str, words: Mapping[str, Any]) -> str:
    """The call that one writes in the library."""
    return f"{name}({', '.join(f'{word}={value!r}' for word, value in words.items())})"


def _reference(source: str, known: Library, ways: list[Writing], hyper: Mapping[str, Any]) -> Optimizer:
    """The rule of the source's settings, in the first of its ways that takes them."""
    try:
        usual = defaults(known, ways[0].name)
    except ImportError as error:
        raise _absent(source.partition(".")[0], known, error) from None
    for i, way in enumerate(ways):
        try:
            return reference_of(way, hyper, usual)
        except InputError:
            if i == len(ways) - 1:
                raise
    raise AssertionError


def _absent(name: str, known: Library, error: ImportError) -> InputError:
    extra = f"pip install -e '.[{known.EXTRA}]'" if known.EXTRA else "install torch"
    return InputError(f"{name}: is not installed ({error}); {extra}")


def _targets(target: str, reference: Optimizer) -> Iterator[tuple[str, Writing]]:
    """The optimizers that may be the rule: those of its family."""
    if "." in target:
        ways = named(target)[1]
        place = target.partition(".")[0]
        of_family = [way for way in ways if _family(way) is type(reference)]
        if not of_family:
            families = " or ".join(dict.fromkeys(way.family for way in ways))
            raise InputError(f"{target}: is {families}, and the source is {shown(reference)}; ask for its family")
        yield from ((place, way) for way in of_family)
        return
    for place in LIBRARIES if target == "all" else (target,):
        for way in library(place).WRITINGS:
            if _family(way) is type(reference):
                yield place, way


def _family(writing: Writing) -> Any:
    return OPTIMIZERS[writing.family]


def judged(result: Equivalence, here: Side, there: Side) -> Equivalence:
    """Proven where both are the reference; else the first number of the one that is not."""
    if not any(np.ptp(weights, axis=0).any() for weights in here.weights.values()):
        return replace(result, text="no weight moves with these numbers, so that nothing is shown")
    if not here.count or not there.count:
        return replace(result, text="most numbers have no bound with these settings, so that nothing is shown")
    wrong = [side for side in (there, here) if not side.holds]
    if not wrong:
        hidden = f"; {', '.join(there.hidden)} cannot be seen in these steps" if there.hidden else ""
        share = max(here.share, there.share)
        text = (
            f"both make the steps of {shown(result.reference)}: {here.count + there.count:,} numbers in {there.dtype} "
            f"within their bounds, at most {share:.2g} of them used{hidden}"
        )
        return replace(result, verdict="proven", text=text)
    side = wrong[0]
    assert side.first is not None
    name, index, step = side.first
    at = f"{name}[{', '.join(map(str, index))}] after step {step}"
    text = f"{at}: {here.name} has {here.at(side.first):.17g}, {there.name} {there.at(side.first):.17g}"
    why = side.reason or "why is not known"
    return replace(result, verdict="refuted", text=f"{text}; {side.name}: {why}")


# -- one run -----------------------------------------------------------------------------------------------------------


def life() -> Feed:
    """Rates that change by powers of two, some zero gradients, two parameters of one shape and one of one element."""
    feed = drawn({**SHAPES, "twin": SHAPES["weight"]}, steps=STEPS)
    gradients = {name: some.astype("float32").astype(float) for name, some in feed.gradients.items()}
    for some in gradients.values():
        some[list(SILENT)] = 0
    weights = {name: start.astype("float32").astype(float) for name, start in feed.weights.items()}
    factor = tuple(FACTORS[k * len(FACTORS) // STEPS] for k in range(STEPS))
    return Feed(weights=weights, gradients=gradients, factor=factor)


def run_side(
    place: str, known: Library, writing: Writing, words: Mapping[str, Any], reference: Optimizer, dtype: str
) -> Side:
    """Run a library and hold it to the reference. Raises ImportError where it is not installed."""
    feed = life()
    moments = known.run(writing.name, words, feed, dtype)
    weights = {name: np.stack([np.asarray(moment[name], float) for moment in moments]) for name in moments[0]}
    motions = list(_motions(weights, feed, dtype, known.SCALARS[dtype]))
    share, count, total, first = 0.0, 0, 0, None
    for motion in motions:
        for k, piece in enumerate(replay(reference, motion)):
            worst = float(np.max(piece.share, initial=0))
            share, count, total = (
                max(share, worst),
                count + int(np.isfinite(piece.allowance).sum()),
                total + piece.share.size,
            )
            if worst > 1:
                if first is None or k < first[2]:
                    at = np.unravel_index(np.argmax(piece.share > 1), piece.share.shape)
                    first = (motion.parameter, tuple(int(i) for i in at[1:]), k)
                break
    finite = all(np.isfinite(some).all() for some in weights.values())
    share = share if finite else np.inf
    explained = explain_update({motion.parameter: reference for motion in motions}, motions) if share > 1 else None
    reason = explained.best.text if explained is not None and explained.best is not None else ""
    count = count if 2 * count > total else 0
    hidden = _hidden(reference, motions) if share <= 1 else ()
    return Side(
        library=place,
        writing=writing,
        words=words,
        dtype=dtype,
        weights=weights,
        share=share,
        count=count,
        first=first or ("weight", (0, 0), 0),
        reason=reason,
        hidden=hidden,
    )


def _motions(weights: Mapping[str, Array], feed: Feed, dtype: str, scalar: str) -> Iterator[Motion]:
    format = FORMATS[dtype]
    profile = Profile(compute=format, accumulate=format, scalar=FORMATS[scalar], form=FORM)
    for name, moments in weights.items():
        gradient = Bounded.tensor(feed.gradients[name], profile)
        factor = np.array(feed.factor)
        yield Motion(parameter=name, weights=moments, gradient=gradient, format=format, profile=profile, factor=factor)


def _hidden(reference: Optimizer, motions: list[Motion]) -> tuple[str, ...]:
    """Numbers that could have a neutral value without leaving the bounds."""
    return tuple(name for name, _, other in variants(reference) if share_of(other, motions) <= 1)
