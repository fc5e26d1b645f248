"""Docstrings are written as Sphinx reads them; the API reference reads them as Markdown.

* ``:class:`Name``` becomes a link, where the reference has the name.
* ``::`` before an indented block becomes ``:``; Markdown takes the block for code without it.
* In such a block all is code, and the marks of code in it are left out.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Module, NameResolutionError, Object

ROLE = re.compile(r":[a-z]+:`(~?)([\w.]+)`")
BLOCK = re.compile(r"(^|\S)::$", re.MULTILINE)
LINE_OF_BLOCK = re.compile(r"^ {4}.*``.*$", re.MULTILINE)


class Markdown(Extension):
    """An extension of griffe, which collects the docstrings."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None and not obj.is_module:
            obj.docstring.value = markdown(obj.docstring.value, obj)

    def on_module(self, *, mod: Module, **_: Any) -> None:
        """Of a package of the reference only its own names are shown: its modules follow, with theirs."""
        if mod.docstring is not None:
            mod.docstring.value = markdown(mod.docstring.value, mod)
        if mod.path.startswith("refimpl.") and mod.exports is not None:
            mod.exports = [name for name in mod.exports if not mod.members[str(name)].is_alias]


def markdown(text: str, where: Object) -> str:
    """The Markdown of a docstring; names are looked up as the code at ``where`` would."""

    def link(role: re.Match[str]) -> str:
        short, name = role.groups()
        try:
            path = where.resolve(name)
        except NameResolutionError:
            path = name
        shown = name.rpartition(".")[2] if short else name
        return f'<autoref optional identifier="{path}"><code>{shown}</code></autoref>'

    text = LINE_OF_BLOCK.sub(lambda line: line[0].replace("``", ""), text)
    return BLOCK.sub(lambda colons: f"{colons[1]}:" if colons[1] else "", ROLE.sub(link, text))
