"""The settings of another library, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from parity.explain.update.references import shown
from parity.features.convert.optimizers.proof import Equivalence

STYLE = {"proven": "green", "refuted": "bold red"}


def print_equivalences(each: Sequence[Equivalence], console: Console) -> None:
    """The source's call and its rule, then the call of each optimizer that may be it, its verdict and why."""
    if not each:
        console.print("[yellow]absent[/]: no optimizer that was asked for is of this rule", highlight=False)
        return
    console.print(f"[bold]{escape(each[0].own_call)}[/]", soft_wrap=True, highlight=False)
    console.print(f"  rule: {escape(shown(each[0].reference))}\n", soft_wrap=True, highlight=False)
    for one in each:
        console.print(f"→ [bold]{escape(one.call or one.wanted)}[/]", soft_wrap=True, highlight=False)
        text = f": {escape(one.text)}" if one.text else "; --prove runs both"
        console.print(f"  [{STYLE.get(one.verdict, 'yellow')}]{one.verdict}[/]{text}", highlight=False)
