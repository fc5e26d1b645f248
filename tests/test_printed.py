"""README.md and docs/comparison.md show what their blocks of Python print, and the README is one screen.

``python tests/test_printed.py`` writes the outputs anew. What the README shows of ``parity check`` is written and held
by ``tests/parity/check/test_check_page.py``.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "docs" / "comparison.md"]
SHOWN = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
"""A block, and what it prints."""
MEASURED = re.compile(r"\d+\.\d+")
"""Seconds, and shares of the tolerance, which may be others on another machine."""


def printed(page: Path, code: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
    return text.getvalue()


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("page", "number"),
    [(page, number) for page in PAGES for number in range(len(SHOWN.findall(page.read_text(encoding="utf-8"))))],
    ids=lambda one: one.stem if isinstance(one, Path) else str(one),
)
def test_a_page_shows_what_its_python_prints(page: Path, number: int) -> None:
    code, shown = SHOWN.findall(page.read_text(encoding="utf-8"))[number]
    assert MEASURED.sub("#", printed(page, code)) == MEASURED.sub("#", shown)
    assert shown


def test_the_readme_is_one_screen() -> None:
    """Of a page that is scrolled once: what, for whom, install, two tools with their output, one picture, links."""
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 110
    assert len([line for line in lines if line.startswith("![")]) == 1


def rewrite() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for code, shown in SHOWN.findall(text):
            head = f"{code}```\n\n```text\n"
            text = text.replace(f"{head}{shown}```", f"{head}{printed(page, code)}```")
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    rewrite()
