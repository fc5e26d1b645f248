"""Run both sides of a conversion on the same data, and hold each to the exact minimiser of the source's objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import permutations
from math import isfinite
from typing import Any

from parity.features.convert.convert import Conversion, convert
from parity.features.convert.prove import (
    keras_peer,
    optax_peer,
    recorded,
    sklearn_peer,
    sklearn_sgd_peer,
    statsmodels_peer,
    torch_peer,
)
from parity.features.convert.prove.peer_run import PeerRun, State, absent
from parity.features.convert.prove.sample import Sample, draw
from refimpl.conventions import CONVENTIONS
from refimpl.errors import ParameterError
from refimpl.objective import LOSSES, Convention, Facts, Objective

PEERS: dict[str, tuple[str, Callable[[Any, Facts, Sample], PeerRun]]] = {
    "torch": ("torch", torch_peer.run),
    "sklearn.Ridge": ("sklearn", sklearn_peer.run_ridge),
    "sklearn.Lasso": ("sklearn", sklearn_peer.run_lasso),
    "sklearn.ElasticNet": ("sklearn", sklearn_peer.run_elastic_net),
    "sklearn.SGDRegressor": ("sklearn", sklearn_sgd_peer.run),
    "statsmodels": ("statsmodels", statsmodels_peer.run),
    "optax": ("optax", optax_peer.run),
    "keras": ("keras", keras_peer.run),
}
"""By convention: the package that must be there, and what runs it. Those of R are in ``recorded``."""

DISTRIBUTIONS = {"sklearn": "scikit-learn"}
ROWS = 20
PENALTIES = {"‖w‖²": (0.0, 3.0), "‖w‖₁": (0.7, 0.0), "both": (0.7, 3.0)}
"""λ₁ and λ₂ beside mean(r²), for the proof of all pairs."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Evidence for the source and for the target; ``seen``: how far doubling the strengths moves the minimiser."""

    conversion: Conversion
    source: PeerRun
    target: PeerRun
    seen: float
    seed: int

    @property
    def judged(self) -> bool:
        """Whether there is any evidence that could have spoken against it."""
        return self.state != "undecidable" and any(one.holds is not None for one in (self.source, self.target))

    @property
    def state(self) -> State:
        """``agree`` where both were run; undecidable where a run overflowed or doubling is hardly seen."""
        both = (self.source, self.target)
        if any(one.holds is False for one in both):
            return "disagree"
        if any(one.how == "run" and one.holds is None for one in both):
            return "undecidable"
        if any(one.allowed is not None and self.seen < 10 * one.allowed for one in both):
            return "undecidable"
        return "agree" if all(one.how == "run" for one in both) else "by formula"

    @property
    def digits(self) -> float | None:
        """The worse of the two; None where one was not run."""
        digits = [one.digits for one in (self.source, self.target) if one.digits is not None and one.how == "run"]
        return min(digits) if len(digits) == 2 else None


def prove(conversion: Conversion, *, seed: int = 0) -> Proof:
    """Draw rows, solve in rationals, run both. Raises :class:`InputError` where no rows can be drawn for it."""
    facts = conversion.facts if conversion.facts.rows else replace(conversion.facts, rows=ROWS)
    sample = draw(conversion.objective, facts, seed=seed)
    source, target = (examine(one, facts, sample) for one in (conversion.source, conversion.target))
    return Proof(conversion=conversion, source=source, target=target, seen=sample.seen, seed=seed)


def exit_code(proofs: Sequence[Proof]) -> int:
    """1 where one disagrees, else 2 where nothing could be judged, else 0."""
    if any(proof.state == "disagree" for proof in proofs):
        return 1
    return 0 if any(proof.judged for proof in proofs) else 2


def examine(convention: Convention, facts: Facts, sample: Sample) -> PeerRun:
    """Run one library, where it is installed."""
    if convention.name not in PEERS:
        return recorded.run(convention)
    package, run = PEERS[convention.name]
    if find_spec(package) is None:
        return absent(convention.name, package)
    evidence = run(convention, facts, sample)
    if evidence.distance is None or evidence.allowed is None or not isfinite(evidence.distance + evidence.allowed):
        evidence = replace(evidence, text=f"{evidence.text}: not finite", distance=None, allowed=None)
    return replace(evidence, text=f"{evidence.text}, {package} {version(DISTRIBUTIONS.get(package, package))}")


def prove_all(*, seed: int = 0) -> Iterator[tuple[str, Proof]]:
    """Every ordered pair of libraries with every penalty that both have: the penalty, and the proof."""
    facts = Facts(rows=ROWS, sd_y=2.0)
    for penalty, (l1, l2) in PENALTIES.items():
        objective = Objective(loss=LOSSES["mse"], l1=l1, l2=l2)
        sample = draw(objective, facts, seed=seed)
        examined = cache(partial(examine, facts=facts, sample=sample))  # most pairs come to the same numbers
        sources = []
        for made in CONVENTIONS.values():
            with suppress(ParameterError):  # it has no such penalty
                sources.append(made.of(objective, facts, made.losses[0]))
        for one, other in permutations(sources, 2):
            conversion = convert(one, type(other), facts)
            source, target = examined(conversion.source), examined(conversion.target)
            yield penalty, Proof(conversion=conversion, source=source, target=target, seen=sample.seen, seed=seed)
