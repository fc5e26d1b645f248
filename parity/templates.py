"""The templates of pages and scripts: kept in the package that fills them in, with every name in them known."""

from __future__ import annotations

import jinja2


def environment(package: str) -> jinja2.Environment:
    """The templates of a package. What goes into HTML is escaped, unless it is marked as HTML."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is not None and ".html" in name,
    )
