"""The settings of another library for the same rule, and the proof.

Both run from the same weights on the same gradients, and both are held to one reference, each step within the bound of
its rounding errors from what the run itself had before it (:mod:`parity.features.convert.optimizers.side`). Where both
stay within it for the whole life (rates that change, zero gradients, two parameters of one shape, one of one element),
they make the same steps but for rounding. Where one does not, they are compared with each other: the first number in
which no rounding explains that they differ is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from parity.errors import InputError
from parity.explain.update.references import shown
from parity.features.convert.optimizers.library import LIBRARIES, Library, defaults, library, named
from parity.features.convert.optimizers.side import Side, parting, run_side
from parity.features.convert.optimizers.writing import Inexpressible, Writing, reference_of, words_of
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer

Verdict = Literal["proven", "refuted", "not decided", "absent", "not run"]
"""``absent``: there are no settings; ``not run``: there are, and nothing was run."""


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Whether two libraries make the same steps. ``asked``, ``wanted``: their optimizers; ``own_call``, ``call``: their
    settings, the latter empty where there are none. ``reference``: the rule that both are held to. ``text``: why, or
    why not."""

    verdict: Verdict
    asked: str
    wanted: str
    own_call: str
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
    own_words = words_of(own, reference)
    own_call = call_of(known, own, own_words)
    sides: dict[str, Side] = {}
    for place, writing in _targets(target, reference):
        name, other = f"{place}.{writing.name}", library(place)
        result = Equivalence(
            verdict="absent", asked=source, wanted=name, own_call=own_call, call="", reference=reference, text=""
        )
        try:
            words = words_of(writing, reference)
        except Inexpressible as error:
            yield replace(result, text=str(error))
            continue
        result = replace(result, verdict="not run", call=call_of(other, writing, words))
        if not prove:
            yield result
            continue
        dtype = next(one for one in ("float64", "float32") if one in other.SCALARS and one in known.SCALARS)
        if dtype not in sides:
            own_name = f"{source.partition('.')[0]}.{own.name}"
            sides[dtype] = run_side(own_name, known, own, own_words, reference, dtype)
        try:
            there = run_side(name, other, writing, words, reference, dtype)
        except ImportError as error:
            yield replace(result, text=str(_absent(place, other, error)))
            continue
        yield judged(result, sides[dtype], there)


def call_of(known: Library, writing: Writing, words: Mapping[str, Any]) -> str:
    """The call that one writes in Python."""
    return f"{known.MODULE}.{writing.name}({', '.join(f'{word}={value!r}' for word, value in words.items())})"


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
    """Proven where both are the reference; refuted where they part before both have left it."""
    result = replace(result, verdict="not decided")
    if not here.moves:
        return replace(result, text="no weight moves with these numbers, so that nothing is shown")
    if not here.count or not there.count:
        return replace(result, text="most numbers have no bound with these settings, so that nothing is shown")
    left = [(side, side.left) for side in (there, here) if side.left is not None]
    if left:
        return _of_departures(result, here, there, left)
    endless = " and ".join(dict.fromkeys(side.name for side in (here, there) if not side.finite))
    if endless:
        return replace(result, text=f"weights of {endless} are not finite, where the rule has no bound")
    hidden = f"; {', '.join(there.hidden)} cannot be seen in these steps" if there.hidden else ""
    text = (
        f"both make the steps of {shown(result.reference)}: {here.count + there.count:,} numbers in {there.dtype} "
        f"within their bounds, at most {max(here.share, there.share):.2g} of them used{hidden}"
    )
    return replace(result, verdict="proven", text=text)


def _of_departures(result: Equivalence, here: Side, there: Side, left: Sequence[tuple[Side, int]]) -> Equivalence:
    """Where at least one is not the reference: whether they are alike.

    The bounds are those of the rule, and its state is carried along. So they tell two runs apart as long as one of the
    two has made its steps; after that, and where both are proven to make the same other steps, nothing is decided.
    """
    leaving = " and ".join(dict.fromkeys(f"{side.name} leaves the rule in step {k}" for side, k in left))
    texts = [f"neither is the rule: {leaving}" if len(left) > 1 else leaving]
    reasons = list(dict.fromkeys(f"{side.name}: {side.reason or 'why is not known'}" for side, _ in left))
    place = parting(here, there)
    if place is None:
        texts.append("the two are equal to each other within its bounds as far as seen")
        return replace(result, text="; ".join([*texts, *reasons]))
    name, index, step = place
    at = f"{name}[{', '.join(map(str, index))}] after step {step}"
    first = f"{at}: {here.name} has {here.at(place):.17g}, {there.name} {there.at(place):.17g}"
    both_same = len(left) > 1 and bool(here.reason) and here.reason == there.reason
    both_before = len(left) > 1 and step > max(k for _, k in left)
    if both_same or both_before:
        texts.append(f"they part later, {first}" if both_before else first)
        return replace(result, text="; ".join([*texts, *reasons]))
    return replace(result, verdict="refuted", text="; ".join([first, *reasons]))
