"""The settings of another library, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from parity.explain.update.references import shown
from parity.features.convert.optimizers.proof import Equivalence

STYLE = {"proven": "green", "refuted": "bold red", "absent": "yellow", "not run": "yellow"}


def print_equivalences(each: Sequence[Equivalence], console: Console) -> None:
    """The rule, then each optimizer that may be it with its settings, its verdict and why."""
    if not each:
        console.print("[yellow]absent[/]: no optimizer that was asked for is of this rule", highlight=False)
        return
    console.print(f"{escape(each[0].asked)} is {escape(shown(each[0].reference))}\n", soft_wrap=True, highlight=False)
    for one in each:
        console.print(f"[bold]{escape(one.call or one.wanted)}[/]", soft_wrap=True, highlight=False)
        text = f": {escape(one.text)}" if one.text else "; --prove runs both"
        console.print(f"  [{STYLE[one.verdict]}]{one.verdict}[/]{text}", highlight=False)
