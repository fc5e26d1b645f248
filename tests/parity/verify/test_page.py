"""The page of a matrix carries every case and every row, and asks the network for nothing."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from parity.features.verify.document import in_words
from parity.features.verify.page import to_html
from tests.parity.verify.reports import CLEAN, few, odd


class Page(HTMLParser):
    """The elements of a page and the text of its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][1].get("id") == "data":
            self.data = self.data or data

    def rows(self, what: str) -> list[dict[str, Any]]:
        columns = json.loads(self.data)[what]
        lists = [[column["values"][i] for i in column["rows"]] for column in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def test_the_page_carries_every_case_and_every_row_of_the_coverage(many: dict[str, Any]) -> None:
    page = Page(to_html(many))
    for got, want in zip(page.rows("cases"), many["cases"], strict=True):
        assert got == want | {"options": in_words(want["options"]), "size": in_words(want["size"])}
    assert page.rows("coverage") == many["coverage"]["rows"]


def test_the_page_is_one_file_that_asks_the_network_for_nothing(many: dict[str, Any]) -> None:
    text = to_html(many)
    links = [(tag, a[name]) for tag, a in Page(text).elements for name in ("src", "href", "action") if name in a]
    assert links == [("link", "data:,")]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", text)
    assert "default-src 'none'" in text


@pytest.mark.slow
def test_6000_cases_make_a_page_of_a_megabyte_or_two_in_a_moment(big: dict[str, Any]) -> None:
    start = time.process_time()
    size = len(to_html(big).encode())
    assert size < 2_000_000
    assert time.process_time() - start < 5


def test_no_text_leaves_the_place_that_the_page_has_for_it() -> None:
    page, plain = Page(to_html(odd())), Page(to_html(few()))
    assert [tag for tag, _ in page.elements if tag == "script"] == ["script", "script"]
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    assert {one["text"] for one in page.rows("cases")} == {CLEAN}
