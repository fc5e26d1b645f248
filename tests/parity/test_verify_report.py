"""The reports of the matrix: each says everything that the document says, whatever characters it contains."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import junitparser
import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from parity.errors import InputError
from parity.features.verify import heatmap
from parity.features.verify.document import LOOKS, cells, in_words, number, read
from parity.features.verify.heatmap import draw
from parity.features.verify.junit import to_junit
from parity.features.verify.page import to_html
from parity.features.verify.terminal import SHOWN, print_matrix

OPTIMIZERS = {
    "SGD": ("for-loop", "foreach", "fused", "differentiable", "compile"),
    "Adam": ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile"),
    "AdamW": ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile"),
    "NAdam": ("for-loop", "foreach", "capturable", "differentiable"),
    "RAdam": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adamax": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adagrad": ("for-loop", "foreach", "fused", "differentiable"),
    "Adadelta": ("for-loop", "foreach", "capturable", "differentiable"),
    "RMSprop": ("for-loop", "foreach", "capturable", "differentiable"),
    "Rprop": ("for-loop", "foreach", "capturable", "differentiable"),
    "ASGD": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adafactor": ("for-loop", "foreach"),
    "Muon": ("for-loop",),
    "LBFGS": ("for-loop",),
    "SparseAdam": ("for-loop",),
}
IMPLEMENTATIONS = ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile")
DTYPES = ("float64", "float32", "bfloat16", "float16", "complex64")
SITUATIONS = (
    *("plain steps", "sizes at vector edges", "0-dimensional", "empty", "non-contiguous", "transposed", "expanded"),
    *("mixed sizes and dtypes", "groups with different decay", "parameter without gradient", "zero gradient"),
    *("frozen midway", "added later", "unfrozen late", "learning rate as a tensor", "state saved and loaded"),
    *("autocast", "GradScaler skips the first step", "GradScaler skips later", "clipped by norm", "clipped by value"),
    *("gradient accumulation", "sparse gradients", "side effects", "poisoned memory"),
)
# What a page, an XML file or a terminal could take for something else, or cannot hold at all.
ODD = "a < b & \"c\" 'd' </script><script>alert(1)</script> <!-- ]]> \x00\x1b[31m\x85\ud800\ufffe [bold]λ[/] 😀\nline 2"


def case(i: int, optimizer: str, implementation: str, dtype: str, situation: str, verdict: str) -> dict[str, Any]:
    name = f"{optimizer}-{implementation}-{dtype}-{situation.replace(' ', '_')}-{i}"
    text, check, used = (
        "",
        "update weight",
        round((i * 37 % 101) / 104 * (0.4 + 0.6 * ((len(optimizer) * 7 + len(dtype)) % 11) / 11), 4),
    )
    if verdict == "disagree":
        check, used = "state weight.exp_avg_sq", [3.2, 41.0, 81234.0, "inf"][i % 4]
        text = (
            f"exp_avg_sq[16] after step 3 is 0.0031; the reference allows 0.0029 ± 1.1e-05 ({used} times the tolerance)"
        )
    elif verdict == "known":
        check, used = "untouched gradients/weight", "inf"
        text = "foreach-nesterov-writes-grad: step() overwrites the gradients that it was given"
    elif verdict == "fixed":
        text = (
            "fused-sgd-half-tail: fused SGD now updates the whole vector; remove the entry from parity/features/known"
        )
    elif verdict == "undecidable":
        text = f"ηλ = 1e-07 is below half a unit of {dtype} at this weight"
    elif verdict == "unsupported":
        check, used, text = (
            None,
            None,
            f"`{implementation}` on complex tensors: RuntimeError: not implemented for 'ComplexFloat'",
        )
    elif verdict == "error":
        check, used, text = None, None, "IndexError: index 3 is out of bounds for dimension 0 with size 3"
    return {
        "id": name,
        "optimizer": optimizer,
        "options": {"lr": 0.1, "weight_decay": 0.01, "maximize": i % 2 == 0},
        "implementation": implementation,
        "dtype": dtype,
        "device": "cpu",
        "situation": situation,
        "size": [1, 3, 17, [3, 5], 1025][i % 5],
        "verdict": verdict,
        "check": check,
        "used": used,
        "text": text,
        "rerun": f"parity verify -k '{name}'",
        "seconds": 0.001 * (i % 40),
    }


def verdict_of(i: int, optimizer: str, implementation: str, dtype: str, situation: str) -> str:
    if optimizer == "SGD" and implementation == "fused" and dtype in ("bfloat16", "float16") and i % 7 == 0:
        return "known"
    if optimizer == "SGD" and implementation == "foreach" and situation == "side effects":
        return "known"
    if dtype == "complex64" and implementation in ("capturable", "fused", "compile"):
        return "unsupported"
    if (optimizer, implementation, dtype) == ("RAdam", "capturable", "float16") and i % 9 == 0:
        return "disagree"
    if (optimizer, implementation, dtype) == ("Adadelta", "foreach", "bfloat16") and i % 23 == 0:
        return "fixed"
    if (optimizer, implementation, dtype, situation) == ("ASGD", "differentiable", "float32", "empty"):
        return "error"
    if dtype in ("bfloat16", "float16") and situation == "groups with different decay":
        return "undecidable"
    return "agree"


def make(count: int = 6_000) -> dict[str, Any]:
    """As many cases as asked for, spread over everything that torch offers, with all verdicts among them."""
    places = [
        (optimizer, implementation, dtype, situation)
        for optimizer, implementations in OPTIMIZERS.items()
        for implementation, dtype, situation in itertools.product(implementations, DTYPES, SITUATIONS)
        if situation != "sparse gradients" or optimizer in ("SGD", "Adagrad", "SparseAdam")
    ]
    cases = []
    for i in range(count):
        place = places[i * len(places) // count if count < len(places) else i % len(places)]
        cases.append(case(i, *place, verdict_of(i, *place)))
    tally = Counter((c["optimizer"], c["situation"], c["implementation"], c["dtype"]) for c in cases)
    rows = []
    for place in itertools.product(OPTIMIZERS, SITUATIONS, IMPLEMENTATIONS, DTYPES):
        optimizer, situation, implementation, dtype = place
        number = tally[place]
        reason = None
        if not number and implementation not in OPTIMIZERS[optimizer]:
            reason = f"{optimizer} has no {implementation} implementation"
        elif not number and situation == "sparse gradients":
            reason = f"{optimizer} does not take sparse gradients"
        elif not number:
            reason = "left out of the covering array: each pair of its values occurs elsewhere"
        rows.append(
            {
                "optimizer": optimizer,
                "situation": situation,
                "implementation": implementation,
                "dtype": dtype,
                "cases": number,
                "reason": reason,
            }
        )
    return {
        "schema": 1,
        "cases": cases,
        "coverage": {"rows": rows},
        "environment": {
            "torch": "2.13.0+cpu",
            "numpy": "2.4.6",
            "python": "3.11.2",
            "device": "cpu",
            "threads": "2",
            "kernels": "AVX512",
            "system": "Linux x86_64, Intel Xeon",
            "date": "2026-11-02",
        },
        "counts": dict(Counter(c["verdict"] for c in cases)),
    }


CLEAN = ODD.translate({ord(c): "\N{REPLACEMENT CHARACTER}" for c in "\x00\x1b\x85\ud800\ufffe"})


def few(*verdicts: str, **changes: Any) -> dict[str, Any]:
    """A document with one case of each verdict named (or of all), each changed as asked."""
    cases = [
        case(i, "Adam", "foreach", "float32", "empty", verdict) | changes for i, verdict in enumerate(verdicts or LOOKS)
    ]
    return {
        "schema": 1,
        "cases": cases,
        "coverage": {"rows": []},
        "environment": {"torch": "2.13.0"},
        "counts": dict(Counter(c["verdict"] for c in cases)),
    }


def odd() -> dict[str, Any]:
    """Odd characters wherever the document has a text."""
    texts = ("optimizer", "implementation", "dtype", "device", "situation", "check", "text", "rerun")
    document = few(**dict.fromkeys(texts, ODD), options={ODD: ODD})
    for i, one in enumerate(document["cases"]):
        one["id"] = f"{i} {ODD}"
    row = {"optimizer": ODD, "situation": ODD, "implementation": ODD, "dtype": ODD, "cases": 0, "reason": ODD}
    return document | {"coverage": {"rows": [row]}, "environment": {ODD: ODD}}


@pytest.fixture(scope="module")
def big() -> dict[str, Any]:
    return make(6_000)


@pytest.fixture(scope="module")
def many() -> dict[str, Any]:
    """A quarter of the cases, of every optimizer."""
    return make(1_500)


# ---- the document -----------------------------------------------------------------------------------------------


def test_one_bad_case_among_many_good_ones_decides_what_a_cell_shows() -> None:
    document = few("agree", "unsupported", "known", "disagree", "undecidable")
    (cell,) = cells(read(document).cases, "optimizer", "dtype").values()
    assert (cell.verdict, cell.used, cell.cases) == ("disagree", math.inf, 5)


def test_a_case_that_is_not_offered_hides_no_agreement() -> None:
    ((_, cell),) = cells(read(few("unsupported", "agree")).cases, "optimizer").items()
    assert cell.verdict == "agree"


def test_a_share_that_is_not_a_number_counts_as_infinite() -> None:
    shares = [read(few("agree", used=used)).cases[0].share for used in (math.nan, "nan", "inf", math.inf, None, 0.25)]
    assert shares == [math.inf, math.inf, math.inf, math.inf, None, 0.25]


@pytest.mark.parametrize("change", [{"schema": 2}, {"cases": [{"id": "x"}]}, few() | {"counts": {"good": 1}}])
def test_a_document_of_another_schema_is_refused_in_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="schema 1") as caught:
        to_junit(few() | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (None, ""),
        (0.0, "0.00"),
        (0.974, "0.97"),
        (9.996, "10"),
        (37.2, "37"),
        (999.6, "1e3"),
        (4.2e5, "4e5"),
        (math.inf, "∞"),
    ],
)
def test_a_share_takes_at_most_five_characters(used: float | None, text: str) -> None:
    assert number(used) == text
    assert all(len(number(1.7 * 10.0**e)) <= 5 for e in range(-30, 308))


def test_options_and_shapes_are_put_in_words() -> None:
    assert [in_words(x) for x in ({"lr": 0.1, "betas": (0.9, 0.99)}, [3, 5], 17, "x", None)] == [
        *("lr=0.1, betas=(0.9, 0.99)", "3×5", "17", "x", "")
    ]


# ---- HTML -------------------------------------------------------------------------------------------------------


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


def test_an_empty_matrix_has_its_reports_too(tmp_path: Path) -> None:
    nothing = few() | {"cases": [], "counts": {}}
    assert "0 cases" in to_html(nothing)
    assert junitparser.JUnitXml.fromstring(to_junit(nothing).encode()).tests == 0
    assert draw(nothing, tmp_path / "map.png").exists()
    assert "0 cases" in printed(nothing)


# ---- JUnit ------------------------------------------------------------------------------------------------------


def test_a_junit_reader_finds_one_suite_per_optimizer_with_its_outcomes(many: dict[str, Any]) -> None:
    suites = list(junitparser.JUnitXml.fromstring(to_junit(many).encode()))
    assert [suite.name for suite in suites] == list(OPTIMIZERS)
    for suite in suites:
        mine = [c for c in many["cases"] if c["optimizer"] == suite.name]
        tally = Counter(c["verdict"] for c in mine)
        assert [suite.tests, suite.failures] == [len(mine), tally["disagree"] + tally["fixed"]]
        assert [suite.errors, suite.skipped] == [tally["error"], tally["unsupported"]]
        assert [one.name for one in suite] == [c["id"] for c in mine]
        assert suite.time == pytest.approx(sum(c["seconds"] for c in mine), abs=1e-3)


def test_each_verdict_has_its_junit_outcome_with_the_text_and_the_command() -> None:
    document = few()
    (suite,) = junitparser.JUnitXml.fromstring(to_junit(document).encode())
    for one, want in zip(suite, document["cases"], strict=True):
        outcome = {
            "disagree": junitparser.Failure,
            "fixed": junitparser.Failure,
            "error": junitparser.Error,
            "unsupported": junitparser.Skipped,
        }.get(want["verdict"])
        assert [type(result) for result in one.result] == ([outcome] if outcome else [])
        for result in one.result:
            assert (result.type, result.message) == (want["verdict"], want["text"])
            assert want["text"] in result.text and want["rerun"] in result.text
        assert bool(one.system_out) == (want["verdict"] == "undecidable")
        assert want["verdict"] != "undecidable" or want["text"] in one.system_out
    known = next(c for c in document["cases"] if c["verdict"] == "known")
    assert {p.name: p.value for p in suite.properties()} == {"torch": "2.13.0", f"known: {known['id']}": known["text"]}


# Of each element: its children, the attributes that it must have, those that it may have (after Jenkins' junit-10.xsd).
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": ({"skipped", "error", "failure", "system-out"}, {"name"}, {"time", "classname"}),
    **dict.fromkeys(("skipped", "error", "failure"), (set[str](), set[str](), {"type", "message"})),
    "system-out": (set(), set(), set()),
}


@pytest.mark.parametrize("document", [make(300), odd()], ids=["many", "odd"])
def test_junit_has_the_elements_and_attributes_of_the_common_schema_only(document: dict[str, Any]) -> None:
    for element in ElementTree.fromstring(to_junit(document)).iter():
        children, required, optional = SCHEMA[element.tag]
        assert {child.tag for child in element} <= children
        assert required <= set(element.attrib) <= required | optional
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))


def test_odd_characters_come_back_from_a_junit_reader() -> None:
    (suite,) = junitparser.JUnitXml.fromstring(to_junit(odd()).encode())
    assert suite.name == CLEAN
    failure = next(result for one in suite for result in one.result)
    assert CLEAN in failure.text and failure.message == CLEAN.splitlines()[0]


# ---- the picture ------------------------------------------------------------------------------------------------


def test_the_picture_says_sign_and_share_of_every_cell(big: dict[str, Any]) -> None:
    found = read(big)
    (axis,) = heatmap.picture(found).axes
    said = Counter(text.get_text() for text in axis.texts)
    summaries = cells(found.cases, "optimizer", "implementation", "dtype").values()
    for sign, wanted in Counter(LOOKS[cell.verdict].sign for cell in summaries).items():
        assert said[sign] == wanted
    for used, wanted in Counter(number(cell.used) for cell in summaries if cell.used is not None).items():
        assert said[used] == wanted
    assert [label.get_text() for label in axis.get_yticklabels()] == list(OPTIMIZERS)


def test_the_picture_is_a_png_on_opaque_white(tmp_path: Path) -> None:
    pixels = matplotlib.image.imread(draw(few(), tmp_path / "map.png"))
    assert pixels[0, 0].tolist() == [1, 1, 1, 1] and min(pixels.shape[:2]) > 250


@pytest.mark.slow
def test_no_two_letters_of_the_picture_meet(big: dict[str, Any]) -> None:
    figure = heatmap.picture(read(big))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    boxes = np.array([text.get_window_extent().extents for text in axis.texts if text.get_text()])
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    meets = (low < boxes[None, :, 2:]).all(axis=2) & (high > boxes[None, :, :2]).all(axis=2)
    assert (meets == np.eye(len(boxes), dtype=bool)).all()


def test_a_name_that_is_wider_than_its_columns_has_room() -> None:
    document = few("agree", "agree", "agree")
    for one, implementation in zip(document["cases"], ("capturable", "differentiable", "compile"), strict=True):
        one["implementation"] = implementation
    figure = heatmap.picture(read(document))
    figure.draw_without_rendering()
    names = [text for text in figure.axes[0].texts if text.get_weight() == "bold"]
    boxes = sorted((name.get_window_extent().x0, name.get_window_extent().x1) for name in names)
    assert [left < right for (_, left), (right, _) in itertools.pairwise(boxes)] == [True, True]


def test_each_device_has_columns_of_its_own() -> None:
    document = few("agree", "agree")
    document["cases"][1]["device"] = "cuda:0"
    (axis,) = heatmap.picture(read(document)).axes
    assert {"foreach, cpu", "foreach, cuda:0"} <= {text.get_text() for text in axis.texts}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        draw(few(), tmp_path / "absent" / "map.png")


# ---- the terminal -----------------------------------------------------------------------------------------------


def printed(document: dict[str, Any], width: int = 100) -> str:
    stream = io.StringIO()
    print_matrix(document, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_terminal_counts_the_verdicts_and_says_the_coverage(big: dict[str, Any]) -> None:
    lines = printed(big).splitlines()
    assert "6,000 of 11,250" in next(line for line in lines if line.startswith("coverage:"))
    assert all(f"{count:,} {verdict}" in lines[-1] for verdict, count in big["counts"].items())
    assert next(line for line in lines if " SGD " in line).split()[1:] == ["∞", "K"] * 5


def test_the_terminal_tells_of_empty_combinations_without_a_reason(big: dict[str, Any]) -> None:
    rows = [row | {"reason": None} for row in big["coverage"]["rows"]]
    assert "5,250 of them without a reason" in printed(big | {"coverage": {"rows": rows}})


def test_the_terminal_shows_each_failure_with_its_text_and_command() -> None:
    document = few()
    text = printed(document)
    for one in document["cases"]:
        shown = one["verdict"] in ("disagree", "fixed", "error")
        assert (f"{one['verdict']} {one['id']}: {one['text']}" in text) == shown
        assert (f"rerun with: {one['rerun']}" in text) == shown


def test_the_terminal_stops_after_twenty_failures_and_says_how_many_more() -> None:
    text = printed(few(*["disagree"] * 1_500))
    assert text.count("rerun with:") == SHOWN == 20
    assert "1,480 more" in text


def test_the_terminal_takes_no_text_for_markup_or_for_a_command() -> None:
    text = printed(odd(), width=10_000)
    assert text.count("[bold]λ[/]") == text.count("<!--") > 9 and "\x1b" not in text


# ---- the page in a browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    binary = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("needs Chromium and chromedriver on the PATH")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    quiet = ("disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update")
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("headless", "no-sandbox", *quiet, "disable-sync", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


class Tab:
    """A page opened in the browser, and the short ways to ask it."""

    def __init__(self, browser: Any, page: Path, fragment: str = "") -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(f"{page.as_uri()}{fragment}")
        assert self("document.documentElement.dataset.ready") == "yes"

    def __call__(self, expression: str) -> Any:
        return self.browser.execute_script(f"return {expression}")

    def view(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self("new Promise(requestAnimationFrame)")

    def click(self, selector: str) -> None:
        element = self.browser.find_element("css selector", selector)
        self.browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()
        self("new Promise((ready) => requestAnimationFrame(() => setTimeout(ready)))")  # "toggle" comes after the click

    def texts(self, selector: str) -> list[str]:
        return list(self(f"[...document.querySelectorAll({selector!r})].map((e) => e.textContent)"))

    def press(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def type(self, text: str) -> None:
        self.browser.find_element("id", "find").send_keys(text)


@pytest.fixture(scope="module")
def page(big: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "matrix.html"
    path.write_text(to_html(big), encoding="utf-8")
    return path


@pytest.fixture
def tab(browser: Any, page: Path) -> Iterator[Tab]:
    opened = Tab(browser, page)
    opened.view(1280, "light")
    yield opened
    assert browser.get_log("browser") == []  # no error, no warning, nothing blocked


# What reaches out of the page, of its scrolling box, or of its own box.
OVERFLOWING = """[...document.body.querySelectorAll("*")].filter((e) => e.getClientRects().length && (
    e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5 || e.getBoundingClientRect().left < 0
    || (e.matches(".scroll, .cell, .panel, button, td, th, dd, code, summary")
        && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
)).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_overflows(tab: Tab, width: int, scheme: str) -> None:
    tab.view(width, scheme)
    tab.click("#map .cell.disagree")
    tab.click(".case summary")
    tab.click("#coverage .cell")
    tab.click(".reason summary")
    assert tab("document.documentElement.scrollWidth") <= tab("document.documentElement.clientWidth") <= width
    assert tab(OVERFLOWING) == []


# WCAG's contrast of letters on the ground as it is painted, layer over layer.
CONTRASTS = """((paint) => {
    const painted = (layers) => {
        for (const colour of layers) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
        const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
        const linear = [r, g, b].map((v) => v <= 10.3 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    return [...document.querySelectorAll(".cell, .chip:enabled, .sign, p, dt, dd, h2, th, .muted, .bad")].map((e) => {
        const layers = [];
        for (let at = e; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
        const ground = painted(layers), letter = painted([...layers, getComputedStyle(e).color]);
        const ratio = (Math.max(ground, letter) + 0.05) / (Math.min(ground, letter) + 0.05);
        return [ratio, e.className, e.textContent.slice(0, 40)];
    });
})(document.createElement("canvas").getContext("2d", { willReadFrequently: true }))"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_letter_stands_out_from_its_ground(tab: Tab, scheme: str) -> None:
    """A contrast of at least 4.5 in the cells, the chips and the texts."""
    tab.view(1280, scheme)
    tab.click("#map .cell.disagree")
    tab.click(".case summary")
    contrasts = tab(CONTRASTS)
    assert len(contrasts) > 200
    assert [one for one in contrasts if one[0] < 4.5] == []


@pytest.mark.slow
def test_a_verdict_filters_the_map_and_the_cases(tab: Tab, big: dict[str, Any]) -> None:
    tab.click("[data-verdict=known]")
    wanted = {c["id"] for c in big["cases"] if c["verdict"] == "known"}
    assert set(tab.texts(".case .name")) == wanted
    assert set(tab.texts("#map .cell b")) == {"K"}
    assert tab.texts("#matching") == [f"{len(wanted)} of 6,000 cases"]
    tab.click("[data-verdict=error]")
    assert len(tab.texts(".case .name")) == len(wanted) + 1
    tab.click("#reset")
    assert tab.texts("#matching") == ["6,000 cases"]


@pytest.mark.slow
def test_words_filter_the_map_and_the_cases(tab: Tab, big: dict[str, Any]) -> None:
    tab.type("adamw FUSED autocast")
    wanted = {
        c["id"]
        for c in big["cases"]
        if (c["optimizer"], c["implementation"], c["situation"]) == ("AdamW", "fused", "autocast")
    }
    assert set(tab.texts(".case .name")) == wanted != set()
    tab.type(" no such word")
    assert "No case matches" in tab.texts("#list")[0]


@pytest.mark.slow
def test_a_cell_opens_its_cases_with_numbers_text_and_command(tab: Tab, big: dict[str, Any]) -> None:
    tab.click("#map .cell.disagree")
    mine = [
        c
        for c in big["cases"]
        if (c["optimizer"], c["implementation"], c["dtype"]) == ("RAdam", "capturable", "float16")
    ]
    assert set(tab.texts(".case .name")) == {c["id"] for c in mine}
    assert tab.texts("#cell-name")[0].startswith("RAdam · capturable · float16")
    tab.click(".case summary")
    worst = next(c for c in mine if c["id"] == tab.texts(".case .name")[0])
    assert worst["verdict"] == "disagree"
    assert tab.texts(".body p") == [worst["text"]] and tab.texts(".body code") == [worst["rerun"]]
    facts = dict(zip(tab.texts(".facts dt"), tab.texts(".facts dd"), strict=True))
    assert facts["options"] == in_words(worst["options"]) and facts["situation"] == worst["situation"]
    assert float(facts["error ÷ tolerance"]) == float(worst["used"])
    tab.click(".command button")
    assert tab.texts(".command button") in (["Copied"], ["Selected"])


@pytest.mark.slow
def test_the_keyboard_reaches_and_opens_every_cell(tab: Tab) -> None:
    from selenium.webdriver.common.keys import Keys

    place = "JSON.parse(document.activeElement.dataset.cell ?? 'null')"
    tab.browser.find_element("id", "find").click()
    tab.press(Keys.TAB)
    assert tab(place) == ["cpu", "SGD", "for-loop", "float64"]
    tab.press(Keys.ARROW_RIGHT)
    tab.press(Keys.ARROW_DOWN)
    assert tab(place) == ["cpu", "Adam", "for-loop", "float32"]
    tab.press(Keys.END)
    assert tab(place) == ["cpu", "Adam", "compile", "complex64"]
    tab.press(Keys.ENTER)
    assert tab("document.activeElement.id") == "cases-title"
    assert tab.texts("#cell-name")[0].startswith("Adam · compile · complex64")
    tab.press(Keys.ESCAPE)
    assert tab(place) == ["cpu", "Adam", "compile", "complex64"]


@pytest.mark.slow
def test_the_address_keeps_what_was_chosen(tab: Tab, page: Path) -> None:
    tab.click("[data-verdict=known]")
    tab.type("foreach")
    several = tab.texts(".case .name")
    tab.click("#map .cell")
    chosen, fragment = tab.texts(".case .name"), tab("location.hash")
    assert len(chosen) < len(several)
    again = Tab(tab.browser, page, fragment)
    assert again.texts(".case .name") == chosen != []
    assert again("document.getElementById('find').value") == "foreach"
    assert again("document.querySelector('[data-verdict=known]').ariaPressed") == "true"


@pytest.mark.slow
def test_the_theme_follows_the_system_until_it_is_chosen(tab: Tab) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab(ground)
    tab.view(1280, "dark")
    dark = tab(ground)
    tab.click("#theme")
    assert (tab.texts("#theme"), tab(ground)) == (["Theme: light"], light)
    tab.click("#theme")
    tab.view(1280, "light")
    assert (tab.texts("#theme"), tab(ground)) == (["Theme: dark"], dark)
    tab.click("#theme")
    assert dark != light == tab(ground)


@pytest.mark.slow
def test_the_name_of_an_implementation_with_one_dtype_is_not_broken(tab: Tab, tmp_path: Path) -> None:
    document = few("agree", "agree", "unsupported")
    for one, implementation in zip(document["cases"], ("capturable", "differentiable", "compile"), strict=True):
        one["implementation"] = implementation
    path = tmp_path / "narrow.html"
    path.write_text(to_html(document), encoding="utf-8")
    for width in (1280, 400):
        tab.view(width, "light")
        opened = Tab(tab.browser, path)
        assert max(opened("[...document.querySelectorAll('th[scope=colgroup]')].map((e) => e.clientHeight)")) < 30


@pytest.mark.slow
def test_every_empty_combination_gives_its_reason(tab: Tab, big: dict[str, Any]) -> None:
    reasons = Counter(row["reason"] for row in big["coverage"]["rows"] if not row["cases"])
    shown = [re.fullmatch(r"(.*) \(([\d,]+) combinations?\)", text) for text in tab.texts("#reasons summary")]
    assert {found[1]: int(found[2].replace(",", "")) for found in shown if found} == reasons
    tab.click("#coverage [title^='Muon, empty:']")
    assert "Muon has no fused implementation" in tab.texts("#combinations strong")


@pytest.mark.slow
def test_the_browser_takes_no_text_for_markup(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "odd.html"
    path.write_text(to_html(odd()), encoding="utf-8")
    opened = Tab(tab.browser, path)
    opened.click("#map .cell")
    opened.click(".case summary")
    assert opened.texts(".body p") == [CLEAN] and opened.texts(".body code") == [CLEAN]
    opened.click(".reason summary")
    assert opened.texts("dl.environment dd") == [CLEAN]
    for width in (1280, 400):
        opened.view(width, "light")
        assert opened(OVERFLOWING) == []
        assert opened("document.documentElement.scrollWidth") <= opened("document.documentElement.clientWidth")


@pytest.mark.slow
def test_the_worst_cases_come_first(tab: Tab, big: dict[str, Any]) -> None:
    worst = [look.sign for name, look in LOOKS.items() for _ in range(big["counts"][name])]
    assert tab.texts(".case .sign") == worst[:60]
    shares = [{"": -1.0, "∞": math.inf}.get(text) or float(text) for text in tab.texts(".case .used")]
    assert shares[:3] == sorted(shares[:3], reverse=True)


@pytest.mark.slow
def test_a_long_list_grows_on_demand(tab: Tab) -> None:
    assert len(tab.texts(".case")) == 60
    tab.click(".more")
    assert len(tab.texts(".case")) == 120
    assert tab("document.activeElement === document.querySelectorAll('.case')[60].querySelector('summary')")


@pytest.mark.slow
def test_6000_cases_load_and_filter_in_a_moment(tab: Tab) -> None:
    assert tab("performance.getEntriesByType('navigation')[0].loadEventEnd") < 10_000  # some 500 ms on two idle cores
    start = time.perf_counter()
    tab.type("adam")
    assert time.perf_counter() - start < 10
