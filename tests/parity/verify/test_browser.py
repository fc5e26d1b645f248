"""The page of a matrix in a browser: nothing overflows, and all of it can be filtered, opened and reached."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.features.verify.document import LOOKS, in_words
from parity.features.verify.page import to_html
from tests.parity.verify.reports import CLEAN, few, odd


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
