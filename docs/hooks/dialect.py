"""Pages are written as git hosts read them; Python-Markdown, which builds the site, reads some of it otherwise.

* What goes on in a list item is indented to its text, by two columns; it wants four.
* An item may follow a paragraph of its own in the item before; it wants an empty line between.
* ``\\|`` in code in a table is ``|``; it keeps the backslash.

Browsers break a line after a hyphen; a word of code in the text, such as ``--dtype``, is kept in one piece.
"""

from __future__ import annotations

import re
from typing import Any

ITEM = re.compile(r"([*-]|\d+\.) ")
CELL = re.compile(r"<td.*?</td>", re.DOTALL)
CODE = re.compile(r"<code>[^<]*</code>")
HYPHENATED = re.compile(r"(?<![^\s>])(?=[^\s<]{2,28}(?![^\s<]))[^\s<]*-[^\s<]*")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The Markdown of a page with its lists as Python-Markdown wants them."""
    lines: list[str] = []
    in_list = in_code = paragraphs = False
    for line in markdown.split("\n"):
        if line.startswith("```"):
            in_code = not in_code
        if line and not line.startswith(" "):
            in_list = not in_code and bool(ITEM.match(line))
            lines += [""] if in_list and paragraphs else []
            paragraphs = False
        paragraphs |= in_list and not line
        lines.append("  " + line if in_list and line.startswith("  ") else line)
    return "\n".join(lines)


def on_page_content(content: str, **_: Any) -> str:
    """The HTML of a page with pipes in its tables, and with hyphenated words of code in one piece."""
    content = CELL.sub(lambda cell: cell[0].replace("\\|", "|"), content)
    return CODE.sub(lambda code: HYPHENATED.sub(r'<span class="unbroken">\g<0></span>', code[0]), content)
