"""How a result shows itself: as the text that its command prints, as a page in a notebook.

A class that inherits :class:`Shown` is a dataclass with ``repr=False``; where its feature has a picture it has a method
``plot``, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from parity.document import Document, to_json

if TYPE_CHECKING:  # the features, which import neither, take these names from here
    from matplotlib.figure import Figure as Figure
    from rich.console import Console as Console

WIDTH = 120
"""Columns of a text that no terminal asks for."""


def text_of(show: Callable[[Console], None], width: int = WIDTH) -> str:
    """What ``show`` prints, without colours and without blanks at the ends of lines."""
    from rich.console import Console

    text = StringIO()
    # In a notebook rich would print into the cell and not into the file.
    show(Console(file=text, width=width, color_system=None, force_terminal=False, force_jupyter=False))
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


class Shown:
    """A result: ``print(result)`` prints what its command prints; a notebook shows its page, or else that text."""

    def _print(self, console: Console) -> None:
        """Print what the command prints."""
        raise NotImplementedError

    def _page(self) -> str:
        """The whole HTML page, where the feature has one."""
        return ""

    def __str__(self) -> str:
        return text_of(self._print)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame of its own, so that its style stays there, or the text."""
        if page := self._page():
            return f'<iframe srcdoc="{escape(page)}" style="width: 100%; height: 40em; border: 0"></iframe>'
        return f"<pre>{escape(str(self))}</pre>"


class Documented(Shown):
    """A result that is a JSON document, too."""

    def _document(self) -> Document:
        """The document."""
        raise NotImplementedError

    def to_json(self) -> str:
        """The JSON document, as ``--json`` writes it; ``parity schema`` has its schema."""
        return to_json(self._document())


@dataclass(frozen=True, repr=False)
class Listing(Shown):
    """What there is to ask for: the ``names``, over which it can be iterated."""

    names: tuple[str, ...]
    show: Callable[[Console], None]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def _print(self, console: Console) -> None:
        self.show(console)
