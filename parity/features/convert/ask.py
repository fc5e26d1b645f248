"""``parity.convert``: a conversion with its proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.errors import Option, check_number
from parity.features.convert.convert import Conversion, library, option, read, read_facts
from parity.features.convert.convert import convert as _convert
from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.convert.document import ConvertDocument
    from parity.features.convert.prove.proof import Proof
    from parity.shown import Console


@dataclass(frozen=True, repr=False)
class Converted(Documented):
    """A ``conversion``, and its ``proof`` where it was asked for. Printed, it is the text of ``parity convert``."""

    conversion: Conversion
    proof: Proof | None = None

    @property
    def result(self) -> dict[str, float | str]:
        """The target's numbers and choices."""
        return self.conversion.result

    @property
    def exit_code(self) -> int:
        """That of the proof; 0 where none was asked for."""
        if self.proof is None:
            return 0
        from parity.features.convert.prove.proof import exit_code

        return exit_code([self.proof])

    def _document(self) -> ConvertDocument:
        from parity.features.convert.document import conversion_document

        return conversion_document(self.conversion, self.proof)

    def _print(self, console: Console) -> None:
        from parity.features.convert.show import print_conversion, print_proof

        print_conversion(self.conversion, console)
        if self.proof is not None:
            print_proof(self.proof, console)


def convert(
    source: str | None = None,
    target: str | None = None,
    *,
    to_loss: str | None = None,
    rows: int | str | None = None,
    sd_y: float | str | None = None,
    prove: bool = False,
    seed: int = 0,
    **numbers: float | str,
) -> Converted:
    """Which λ of one library is which of another: ``convert("torch", "sklearn.Ridge", loss="mse", weight_decay=3, …)``.

    ``source``, ``target``: names of ``parity convert --list``. ``numbers``: what the source is given, by its own names.
    ``to_loss``: of the target, by default its first. ``rows``: of the data, where a mean meets a sum. ``sd_y``: the
    standard deviation of the targets, with 1/n, for glmnet. ``prove``: run both, on data drawn from ``seed``.
    Raises :class:`parity.errors.InputError` for names that are unknown, and numbers that are missing or out of range.
    """
    check_number("seed", seed, 0, whole=True)
    given = read(source, {option(name): str(value) for name, value in numbers.items()})
    facts = read_facts(*(None if value is None else str(value) for value in (rows, sd_y)))
    conversion = _convert(given, library(Option("to"), target), facts, to_loss)
    return proven(conversion, seed) if prove else Converted(conversion)


def proven(conversion: Conversion, seed: int) -> Converted:
    """The conversion with its proof, for which both are run on data drawn from ``seed``."""
    from parity.features.convert.prove.proof import prove

    return Converted(conversion, prove(conversion, seed=seed))
