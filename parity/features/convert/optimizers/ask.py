"""``parity.convert_optimizer``: the settings of another library, with their proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.errors import needs
from parity.features.convert.optimizers.proof import Equivalence, equivalences
from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.convert.document import ConvertOptimizerDocument
    from parity.shown import Console


@dataclass(frozen=True, repr=False)
class ConvertedOptimizer(Documented):
    """What each of the optimizers that were wanted has for the settings that were given."""

    each: tuple[Equivalence, ...]

    @property
    def exit_code(self) -> int:
        """1 where one is refuted; else 2 where there are no settings, nothing could be run or decided; else 0."""
        verdicts = {one.verdict for one in self.each}
        if "refuted" in verdicts:
            return 1
        usable = any(one.verdict == "proven" or (one.verdict == "not run" and not one.text) for one in self.each)
        return 0 if usable else 2

    def _document(self) -> ConvertOptimizerDocument:
        from parity.features.convert.document import optimizer_document

        return optimizer_document(self.each)

    def _print(self, console: Console) -> None:
        from parity.features.convert.optimizers.show import print_equivalences

        print_equivalences(self.each, console)


@needs(source="an optimizer of a library, such as torch.AdamW", target="another one, a library, or all")
def convert_optimizer(
    source: str, target: str, hyper: Mapping[str, Any] | None = None, *, prove: bool = False
) -> ConvertedOptimizer:
    """Which settings of another library make the steps of these: ``convert_optimizer("torch.AdamW", "optax.adamw")``.

    ``source``: a library and its optimizer; ``hyper``: its settings by its own names. ``target``: an optimizer of
    another library, a library alone, or ``"all"``. ``prove``: run both. Raises :class:`parity.errors.InputError` for
    names and numbers that are unknown, and where the source is not installed, whose defaults count.
    """
    return ConvertedOptimizer(tuple(equivalences(source, hyper or {}, target, prove=prove)))
