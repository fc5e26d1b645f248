"""The formulas of the pages, ``$…$`` and ``$$…$$``, become MathML while the site is built: no script, no network.

``pymdownx.arithmatex`` finds them and marks them, as LaTeX between ``\\(…\\)`` or ``\\[…\\]``. What cannot be converted
ends the build. Browsers break a line between a formula and the comma behind it, unless both stand in one element.
"""

from __future__ import annotations

import html
import re
from typing import Any

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
PUNCTUATED = re.compile(r"\(?(<a [^>]*>)?<math>(?:(?!</math>).)*</math>(?(1)</a>)[.,;:)?]+", re.DOTALL)
CONVERTER = LatexToMathML()


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """The HTML of a page with MathML in the place of LaTeX."""

    def mathml(found: re.Match[str]) -> str:
        kind, latex = found[1], html.unescape(found[2]).strip()
        try:
            formula = CONVERTER.convert_with_local_state(latex, displaystyle=kind == "div")
        except LatexError as error:
            raise PluginError(f"{page.file.src_uri}: {latex}: {error}") from error
        return f'<div class="formula" tabindex="0">{formula}</div>' if kind == "div" else formula

    return PUNCTUATED.sub(r'<span class="unbroken">\g<0></span>', MARKED.sub(mathml, content))
