"""``parity.bridge``: one bridge with its numbers, or the list of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from parity.errors import InputError, check_number, nearest, spelled
from parity.features.bridges.bridge import Bridge, Computation
from parity.features.bridges.bridges import BRIDGES
from parity.shown import Documented, Listing

if TYPE_CHECKING:
    from parity.features.bridges.document import BridgeDocument
    from parity.shown import Console, Figure


@dataclass(frozen=True, repr=False)
class Built(Documented):
    """A bridge, by its ``id``, and the ``evidence`` computed from a ``seed``.

    Printed, it is the text of ``parity bridge ID``.
    """

    id: str
    bridge: Bridge
    evidence: Computation
    seed: int

    @property
    def holds(self) -> bool:
        """Whether the two sides of each identity agree to the digits that are promised."""
        return all(identity.holds for identity in self.evidence.identities)

    def _document(self) -> BridgeDocument:
        from parity.features.bridges.document import document

        return document(self.id, self.bridge, self.evidence, self.seed)

    def _print(self, console: Console) -> None:
        from parity.features.bridges.terminal import print_bridge

        print_bridge(self.bridge, self.evidence, console)

    def plot(self) -> Figure:
        """The picture of the bridge."""
        from parity.features.bridges.pictures import PICTURES

        return PICTURES[self.id](self.evidence)


@overload
def bridge(id: None = None, *, seed: int = 0) -> Listing: ...
@overload
def bridge(id: str, *, seed: int = 0) -> Built: ...
def bridge(id: str | None = None, *, seed: int = 0) -> Built | Listing:
    """Show exactly how two ideas are one: a statement, its proof, and numbers that were computed twice.

    ``id``: of the bridge; without one all of them are listed. ``seed``: of the data and everything else drawn.
    Raises :class:`parity.errors.InputError` for an unknown id, or a seed below 0.
    """
    check_number("seed", seed, 0, whole=True)
    if id is None:
        return Listing(tuple(BRIDGES), _list)
    id = known(id)
    return Built(id, BRIDGES[id], BRIDGES[id].compute(seed), seed)


def known(id: str) -> str:
    """The id as it is spelled here. Raises :class:`InputError` for one that is unknown."""
    id = spelled(str(id), BRIDGES)
    if id not in BRIDGES:
        raise InputError(f"{id}: no such bridge; `parity bridge` lists them{nearest(id, BRIDGES)}")
    return id


def _list(console: Console) -> None:
    from parity.features.bridges.terminal import print_bridges

    print_bridges(BRIDGES, console)
