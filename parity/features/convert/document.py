"""The documents of ``parity convert``: of one conversion, of the proofs of all pairs, of the list of conventions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from parity.document import Document, Number
from parity.explain.update.references import shown
from parity.features.convert.convert import Conversion, condition, notes, settings, steps
from parity.features.convert.optimizers.proof import Equivalence, Verdict
from parity.features.convert.prove.peer_run import How, PeerRun, State
from refimpl.conventions import CONVENTIONS
from refimpl.conventions.table import rows

if TYPE_CHECKING:
    from parity.features.convert.prove.proof import Proof


class PeerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a library did. ``distance`` to the exact minimiser, and how large it may be, are relative; null where
    nothing was run or it overflowed.
    """

    library: str
    how: How
    text: str
    distance: Number | None
    allowed: Number | None


class ProofRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """The evidence for both sides. ``moved_by_doubling``: how far twice the strengths would move the minimiser."""

    state: State
    source: PeerRecord
    target: PeerRecord
    moved_by_doubling: Number
    seed: int


class ConvertDocument(Document, frozen=True, kw_only=True, tag="convert", rename={"source": "from", "target": "to"}):
    """One conversion. ``from``, ``to``: the ``library`` and its numbers and choices by its own names; ``condition``:
    under which alone it holds, or null; ``derivation``: pairs of what a line is and the formula; ``proof``: null where
    none was asked for.
    """

    schema: Literal[1]
    source: dict[str, float | str]
    target: dict[str, float | str]
    condition: str | None
    call: str
    rows: int | None
    sd_y: Number | None
    derivation: list[list[str]]
    notes: list[str]
    proof: ProofRecord | None


class PairRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """The proof of one conversion, by the names of the libraries."""

    penalty: str
    source: str
    target: str
    proof: ProofRecord


class ProofsDocument(Document, frozen=True, kw_only=True, tag="convert-proofs"):
    """Every pair of libraries with every penalty that both have: ``parity convert --prove``."""

    schema: Literal[1]
    pairs: list[PairRecord]


class ConventionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a library writes its objective with one loss; ``choice``: its name of the loss, where it has several;
    ``alpha``: of scikit-learn's Ridge, in the library's numbers.
    """

    name: str
    link: str
    choice: str
    loss: str
    lambda1: str
    lambda2: str
    alpha: str
    intercept: str


class ConventionsDocument(Document, frozen=True, kw_only=True, tag="convert-list"):
    """The table of conventions: ``parity convert --list``."""

    schema: Literal[1]
    conventions: list[ConventionRecord]


class EquivalenceRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """One pair of optimizers. ``rule``: the reference that both are held to; ``from_call``: the settings of ``from``;
    ``call``: those of ``to``, empty where it has none; ``text``: why, or why not.
    """

    source: str
    target: str
    verdict: Verdict
    rule: str
    from_call: str = ""
    call: str
    text: str


class ConvertOptimizerDocument(Document, frozen=True, kw_only=True, tag="convert-optimizer"):
    """The settings of other libraries for one optimizer: ``parity convert --from torch.AdamW --to all --prove``."""

    schema: Literal[1]
    each: list[EquivalenceRecord]


def optimizer_document(each: Sequence[Equivalence]) -> ConvertOptimizerDocument:
    """Every optimizer that was wanted."""
    records = [
        EquivalenceRecord(
            source=one.asked,
            target=one.wanted,
            verdict=one.verdict,
            rule=shown(one.reference),
            from_call=one.own_call,
            call=one.call,
            text=one.text,
        )
        for one in each
    ]
    return ConvertOptimizerDocument(schema=1, each=records)


def conversion_document(conversion: Conversion, proof: Proof | None) -> ConvertDocument:
    """The numbers of both sides, the derivation, and the proof where there is one."""
    return ConvertDocument(
        schema=1,
        source={"library": conversion.source.name, **settings(conversion.source)},
        target={"library": conversion.target.name, **conversion.result},
        condition=condition(conversion),
        call=conversion.target.call,
        rows=conversion.facts.rows,
        sd_y=conversion.facts.sd_y,
        derivation=[list(step) for step in steps(conversion)],
        notes=notes(conversion),
        proof=None if proof is None else _proof(proof),
    )


def proofs_document(proofs: Sequence[tuple[str, Proof]]) -> ProofsDocument:
    """Every pair with every penalty."""
    pairs = [
        PairRecord(penalty=penalty, source=proof.source.library, target=proof.target.library, proof=_proof(proof))
        for penalty, proof in proofs
    ]
    return ProofsDocument(schema=1, pairs=pairs)


def conventions_document() -> ConventionsDocument:
    """The table of conventions."""
    conventions = [
        ConventionRecord(
            name=row.name,
            link=row.link,
            choice=row.choice,
            loss=row.loss,
            lambda1=row.lambda1,
            lambda2=row.lambda2,
            alpha=row.alpha,
            intercept=CONVENTIONS[row.name].intercept,
        )
        for row in rows()
    ]
    return ConventionsDocument(schema=1, conventions=conventions)


def _proof(proof: Proof) -> ProofRecord:
    return ProofRecord(
        state=proof.state,
        source=_peer(proof.source),
        target=_peer(proof.target),
        moved_by_doubling=proof.seen,
        seed=proof.seed,
    )


def _peer(run: PeerRun) -> PeerRecord:
    return PeerRecord(library=run.library, how=run.how, text=run.text, distance=run.distance, allowed=run.allowed)
