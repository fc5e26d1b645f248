"""The site: every link and line, every formula, and the whole of it built."""

from __future__ import annotations

import ast
import html
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import markdown
import pytest
import yaml
from math_core import LatexToMathML

import parity
from parity.markdown import as_text
from refimpl import layers
from refimpl.losses import LOSSES
from refimpl.models import MODELS
from refimpl.optimizers import LBFGS, OPTIMIZERS
from refimpl.optimizers.wrappers import WRAPPERS
from refimpl.penalties import PENALTIES
from refimpl.schedules import PROGRAMMED, REACTIVE, SCHEDULES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples")),
    *sorted(DOCS.rglob("*.md")),
]
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", re.DOTALL)


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LINKS = hook("links")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """The prose: no code blocks, no code spans."""
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", LINKS.FENCE.sub("", text), flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """What git hosts and the site make of the headings (lower case, no punctuation, hyphens), and ids in HTML."""
    headings = re.findall(r"^#+ (.*?) *#*$", LINKS.FENCE.sub("", text), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain} | set(re.findall(r'\bid="([^"]+)"', text))


# -- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_relative_link_leads_to_a_file_and_a_place_in_it(page: Path) -> None:
    for target, fragment in LINKS.links(read(page)):
        there = (page.parent / unquote(target)).resolve() if target else page
        assert there.exists(), target
        if fragment and there.suffix == ".py":
            line = read(there).splitlines()[LINKS.line_of(read(there), fragment) - 1]
            assert re.search(rf"\b{fragment.split('.')[-1]}\b", line), f"{target}#{fragment} leads to: {line}"
        elif fragment:
            assert unquote(fragment) in anchors(read(there)), f"{target}#{fragment}"


def test_a_name_leads_to_the_line_that_a_reader_would_point_at() -> None:
    source = (
        "x = 1\n\nclass A:\n    def f(self):\n        b, c = 1, 2\n        b = 3\n        return b\n\n    y: int = 2\n"
    )
    wanted = {"x": 1, "A": 3, "A.f": 4, "A.f.c": 5, "A.f.b": 6, "A.f.return": 7, "A.y": 9}
    assert {symbol: LINKS.line_of(source, symbol) for symbol in wanted} == wanted


@pytest.mark.parametrize("symbol", ["B", "A.g", "f.x", "A.f.return"])
def test_a_name_that_is_gone_is_an_error(symbol: str) -> None:
    with pytest.raises(LookupError):
        LINKS.line_of("class A:\n    def f(self): ...\n", symbol)


# -- mathematics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_formula_becomes_mathml(page: Path) -> None:
    converter = LatexToMathML()
    for found in FORMULA.finditer(without_code(read(page))):
        latex = found[1] or found[2]
        assert r"\\[" not in latex, "the length after a line would be shown as text"
        converter.convert_with_local_state(latex, displaystyle=found[1] is not None)


def test_a_line_is_not_broken_before_a_comma_or_inside_of_a_name() -> None:
    marked = '<p>(<span class="arithmatex">\\(u\\)</span>), <code>parity run check-sgd --dtype float64</code></p>'
    shown = hook("dialect").on_page_content(hook("formulas").on_page_content(marked, page=None))
    pieces = re.findall('<span class="unbroken">(.*?)</span>', shown)
    assert pieces == ["(<math><mi>u</mi></math>),", "check-sgd", "--dtype"]


@pytest.mark.parametrize(
    ("page", "function", "classes"),
    [
        ("losses-and-penalties", "value", [*LOSSES.values(), *PENALTIES.values()]),
        ("losses-and-penalties", "backward", [*MODELS.values()]),
        ("layers", "backward", [*layers.LAYERS.values(), *layers.LOSSES.values()]),
        ("optimizers", "step", [*OPTIMIZERS.values()]),
        ("optimizers", "step", [*WRAPPERS.values()]),
        ("optimizers", "step_group", [LBFGS]),
        ("schedules", "at", [*SCHEDULES.values(), *PROGRAMMED.values()]),
        ("schedules", "react", [*REACTIVE.values()]),
    ],
)
def test_the_mathematics_has_every_entry_of_the_registries(page: str, function: str, classes: list[type]) -> None:
    linked = LINKS.links(read(DOCS / "mathematics" / f"{page}.md"))
    for cls in classes:
        place = f"../../{cls.__module__.replace('.', '/')}.py", f"{cls.__name__}.{function}"
        assert place in linked, f"{cls.__name__}: give it a section with a link to {place[0]}#{place[1]}"


# -- the site ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a warning, such as a page in no menu or a link to nowhere, is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
def test_the_site_needs_no_network(site: Path) -> None:
    """What a page loads is beside it: pictures, scripts, style sheets, and what style sheets name."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        loaded = re.findall(
            r'<(?:script|img|iframe)\b[^>]*?\ssrc="?([^"\s>]+)|<link\b[^>]*?\shref="?([^"\s>]+)', read(page)
        )
        for address in ("".join(pair) for pair in loaded):
            assert not re.match(r"(?:https?:)?//", address), f"{page}: {address}"
            there = page.parent / unquote(address).partition("?")[0]
            assert there.exists() or address.startswith("data:") or page.name == "404.html", f"{page}: {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", read(sheet)), sheet


@pytest.mark.slow
def test_the_site_shows_what_was_written(site: Path) -> None:
    """No LaTeX is left over, every formula is MathML, and no list or table is shown as text."""
    formulas = 0
    for page in site.rglob("*.html"):
        article = re.sub(r"<(pre|code)\b.*?</\1>", "", read(page).partition("<article")[2], flags=re.DOTALL)
        assert not re.search(r"arithmatex|\$\$|\\[a-z(\[]", article), page
        assert not re.search(r"<(?:p|li)>[^<]*\n *(?:\* |- |\d+\. |\||```)", article), page
        formulas += article.count("<math")
    written = sum(len(FORMULA.findall(without_code(read(page)))) for page in DOCS.rglob("*.md"))
    assert formulas >= written > 300


@pytest.mark.slow
def test_lines_of_code_are_targets(site: Path) -> None:
    """A link to `Adam.step.v` leads to the line that has the formula."""
    page = read(site / "mathematics" / "optimizers.html")
    (line,) = re.findall(r'href="\.\./source/refimpl/optimizers/adam\.py\.html#L-(\d+)">\\?<math><mi>m', page)[:1]
    code = read(site / "source" / "refimpl" / "optimizers" / "adam.py.html")
    assert "β₁m + (1 − β₁)g" in code.split(f'id="L-{line}"')[1].split('id="L-')[0]


def public_names(body: list[ast.stmt], inside: str) -> Iterator[str]:
    """The dotted path of each class, function, constant, method and field without an underscore."""
    for statement in body:
        for name in LINKS.names(statement):
            if not name.startswith("_") and name != "return":
                yield f"{inside}.{name}"
                if isinstance(statement, ast.ClassDef):
                    yield from public_names(statement.body, f"{inside}.{name}")


@pytest.mark.slow
def test_the_api_has_every_public_name_and_field(site: Path) -> None:
    shown = {name for page in (site / "api").glob("*.html") for name in re.findall(r'id="?([\w.]+)', read(page))}
    modules = {path: path.relative_to(ROOT).with_suffix("") for path in (ROOT / "refimpl").rglob("*.py")}
    wanted = {
        name
        for path, module in modules.items()
        if module.name != "__main__"
        for name in public_names(ast.parse(read(path)).body, ".".join(module.parts).removesuffix(".__init__"))
    }
    assert len(wanted) > 500
    assert wanted <= shown, sorted(wanted - shown)
    for name in parity.__all__:
        promised = getattr(parity, name)
        members = [field.name for field in fields(promised)] if is_dataclass(promised) else []
        assert {f"parity.{name}", *(f"parity.{name}.{member}" for member in members)} <= shown, name


def test_the_menu_has_every_page_once() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        children = entry.values() if isinstance(entry, dict) else entry
        return [page for child in children for page in pages(child)]  # type: ignore[attr-defined]

    config = re.sub(r"!!python\S+", "", read(ROOT / "mkdocs.yml"))
    listed = pages(yaml.safe_load(config)["nav"])
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize(
    "text", ["sqrt(1 - beta2**t) / (1 - beta1**t)", "step_, _b_ and a_b_c", "|w| < *eps* `a*b|c`", "\\*"]
)
def test_a_text_is_shown_as_it_is_in_a_cell_of_a_page(text: str) -> None:
    table = markdown.markdown(f"| a | b |\n| - | - |\n| {as_text(text)} | end |", extensions=["tables"])
    cells = [
        re.sub("</?code>", "`", cell) for cell in re.findall("<td>(.*)</td>", hook("dialect").on_page_content(table))
    ]
    assert [html.unescape(cell) for cell in cells] == [text, "end"]
