"""Links from the pages to files of the repository, which the site brings along: it is complete without network.

A link is written as it works on a git host, relative to the page: ``../refimpl/problem.py``. A name after ``#`` is
resolved to its line, so that no line number is ever typed::

    ../refimpl/optimizers/adam.py#Adam.step            where the function begins
    ../refimpl/optimizers/adam.py#Adam.step.v          the last line in it that assigns v
    ../refimpl/optimizers/adam.py#Adam.step.return     its last return

In the site, ``docs/x.md`` is ``x.md``; every other file ``f`` that a page links to becomes ``source/f``: Markdown stays
a page, other text is shown with line numbers, pictures and data are copied.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?(?=\))")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1[`~]* *$", re.DOTALL | re.MULTILINE)
COPIED = {".png", ".svg", ".json", ".csv", ".npz", ".ipynb"}


def links(markdown: str) -> list[tuple[str, str]]:
    """(target, fragment) of every relative link and image outside of code blocks; each may be empty."""
    return [(found[1], found[2] or "") for found in LINK.finditer(FENCE.sub("", markdown))]


def line_of(source: str, symbol: str) -> int:
    """The line of a dotted name in Python source. Raises :class:`LookupError`."""
    node: ast.AST = ast.parse(source)
    for name in symbol.split("."):
        found = [inner for inner in ast.walk(node) if inner is not node and name in names(inner)]
        if not found:
            raise LookupError(f"{symbol}: there is no {name}")
        node = max(found, key=lambda inner: getattr(inner, "lineno", 0))
    return int(getattr(node, "lineno", 1))


def names(node: ast.AST) -> Iterator[str]:
    """What a statement defines: a class, a function, the variables assigned, ``return``."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Return():
            yield "return"


def repository_path(page: str, target: str) -> str:
    """The file that a link of a page means; both paths from the root of the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page


def site_path(path: str) -> str:
    """Where the site keeps a file of the repository: the path of its Markdown, or of its copy."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"source/{path}" if Path(path).suffix in {".md", *COPIED} else f"source/{path}.md"


def on_files(files: Any, *, config: Any) -> Any:
    """Add every file of the repository that a page links to, and what those link to."""
    from mkdocs.structure.files import File, InclusionLevel

    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(pages)
    while pages:
        page = pages.pop()
        for target, _ in links((ROOT / page).read_text(encoding="utf-8")):
            path = repository_path(page, target)
            file = ROOT / path
            if path in seen or path.startswith("docs/") or not file.is_file():
                continue
            seen.add(path)
            text: str | bytes = file.read_bytes() if file.suffix in COPIED else file.read_text(encoding="utf-8")
            if file.suffix == ".md":
                pages.append(path)
            elif isinstance(text, str):
                text = shown(path, text)
            files.append(File.generated(config, site_path(path), content=text, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to files of the repository become links to where the site keeps them."""
    from mkdocs.exceptions import PluginError

    src_uri = page.file.src_uri
    here = src_uri.removeprefix("source/") if page.file.generated_by else f"docs/{src_uri}"

    def link(found: re.Match[str]) -> str:
        target, fragment = found[1], found[2] or ""
        path = repository_path(here, target)
        if not target or (path.startswith("docs/") and here.startswith("docs/")):
            return found[0]
        if fragment and path.endswith(".py"):
            try:
                fragment = f"L-{line_of((ROOT / path).read_text(encoding='utf-8'), fragment)}"
            except LookupError as error:
                raise PluginError(f"{src_uri}: the link to {path}#{error.args[0]}") from error
        moved = posixpath.relpath(site_path(path), posixpath.dirname(src_uri) or ".")
        return f"{moved}#{fragment}" if fragment else moved

    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(link, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(link, markdown[end:])])


def shown(path: str, text: str) -> str:
    """A page that shows a file, each line a target."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, find_lexer_class_for_filename

    lexer = find_lexer_class_for_filename(path) or TextLexer
    code = highlight(text, lexer(), HtmlFormatter(linespans="L", cssclass="highlight source"))
    return f"---\ntitle: {path}\nhide: [navigation, toc]\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n{code}\n"
