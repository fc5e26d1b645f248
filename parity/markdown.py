"""Plain text in a page of Markdown."""

from __future__ import annotations

import re

MARKS = re.compile(r"`[^`]*`|[*\\$|<]|(?<!\w)_|_(?!\w)")
"""Code, which stays code, and what Markdown takes for its own marks."""


def as_text(text: str) -> str:
    """The text in one line, so that a page, and a cell of its tables, shows it as it is."""
    return MARKS.sub(_kept, " ".join(text.split()))


def _kept(found: re.Match[str]) -> str:
    mark = found[0]
    if mark.startswith("`"):
        return mark.replace("|", "\\|")
    return "&lt;" if mark == "<" else f"\\{mark}"
