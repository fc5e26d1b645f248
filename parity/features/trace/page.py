"""A trace as Markdown, and as an HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from parity.features.trace.words import about, cells, columns, legend, where, written
from parity.markdown import as_text
from parity.output import make_folder, write_whole
from parity.templates import environment

if TYPE_CHECKING:
    from parity.features.trace.content import Trace

NAMES = MARKDOWN, HTML = "trace.md", "trace.html"


def to_markdown(trace: Trace) -> str:
    return _render("trace.md.j2", trace)


def to_html(trace: Trace) -> str:
    return _render("trace.html.j2", trace)


def write_all(trace: Trace, folder: Path) -> list[str]:
    """Both pages into ``folder``; their names. Raises :class:`InputError` where they cannot be written."""
    make_folder(folder, *NAMES)
    markdown, html = to_markdown(trace), to_html(trace)
    write_whole(folder / MARKDOWN, markdown)
    write_whole(folder / HTML, html)
    return list(NAMES)


def _render(template: str, trace: Trace) -> str:
    return (
        _templates()
        .get_template(template)
        .render(
            trace=trace,
            about=about(trace),
            columns=columns(trace),
            cells=cells,
            where=where,
            legend=legend,
            written=written,
        )
    )


@cache
def _templates() -> jinja2.Environment:
    templates = environment("parity.features.trace")
    templates.filters["as_text"] = as_text
    return templates
