"""Every picture of the product, with names that are long or odd: its texts are whole and its colours told apart.

The pictures of bridges have no names of users in them; ``test_bridges.py`` holds them to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba

import parity
from benchmarks.power import heatmap as power
from benchmarks.power.document import read as read_power
from parity.backends.torch_manual import UPDATES
from parity.explain.finding import Diagnosis
from parity.explain.pattern import Pattern
from parity.features.check import picture as check
from parity.features.run import pictures as run
from parity.features.sweep.grid import grid
from parity.features.sweep.marks import marks
from parity.features.sweep.picture import picture as draw_sweep
from parity.features.sweep.run import sweep
from parity.features.verify import heatmap as verify
from parity.features.verify.document import LOOKS
from parity.features.verify.document import read as read_verify
from parity.pictures import COLOURS, INFINITE, INK, WITHIN, colours, draw_shares, in_lines, new_figure, width_of
from refimpl.batches import Batches
from refimpl.penalties import L1, L2, ElasticNet

NAMES = {"short": "s0", "wide": "W" * 100, "words": "ridge of λ, Ω and Ж on many-words ".ljust(98, "y") + " z"}
ODD = {
    "formula": "runs/$x^2$/cost_$5.py:train",
    "no glyph": "数据/我的😀.py:train",
    "path": "/very/long" * 40 + ".py:train",
}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report(bench: Any) -> Any:
    """Seven penalties and two dtypes, and a run of each that disagrees."""
    penalties: list[Any] = [
        (),
        *((L2(strength=float(x)),) for x in range(1, 6)),
        (L1(strength=1.0), ElasticNet(l1=1.0, l2=1.0)),
    ]
    experiments = [
        bench.experiment(name=f"p{i}", penalties=some, epochs=1, batches=Batches(size=6))
        for i, some in enumerate(penalties)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(UPDATES, "SGD", lambda w, g, state, *, lr, **_: (w.sub_(0.5 * lr * g), state)[1])
        settings: Any = {"devices": ["cpu"], "dtypes": ["float64", "bfloat16"], "formulations": ["loss", "manual"]}
        return parity.run(experiments, **settings)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("what", ["losses", "norms"])
@pytest.mark.parametrize("count", [1, 7])
def test_the_pictures_of_a_family(what: str, count: int, name: str, report: Any, whole: Callable[..., None]) -> None:
    references = list(report.references[:count])
    runs = [one for one in report.runs if one.experiment in [r.experiment for r in references]]
    whole(getattr(run, what)(name, references, runs))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("what", ["tolerance", "free_runs"])
@pytest.mark.parametrize("dtypes", [1, 2])
def test_the_pictures_of_an_experiment(
    what: str, dtypes: int, name: str, report: Any, whole: Callable[..., None]
) -> None:
    runs = [one for one in report.runs if one.experiment.name == "p1"]
    whole(getattr(run, what)(name, [one for one in runs if one.setting.dtype == "float64" or dtypes == 2]))


def test_many_ways_to_run_have_a_colour_each(report: Any, whole: Callable[..., None]) -> None:
    some = next(one for one in report.runs if one.experiment.name == "p1")
    many = [replace(some, setting=replace(some.setting, device=f"cuda:{i}")) for i in range(20)]
    whole(run.free_runs("many", many))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("values", ["log:0.1:10:5", "0:400:50"], ids=["steady", "diverges"])
def test_the_picture_of_a_sweep(name: str, seeds: int, values: str, bench: Any, whole: Callable[..., None]) -> None:
    found = sweep(bench.experiment(epochs=8 if "400" in values else 1), grid(values), seeds=seeds)
    whole(draw_sweep(replace(found, experiment=replace(found.experiment, name=name)), marks(found)))


SHARES = np.array([1e4, 2.0, np.inf, 1e-9, np.nan, 3.0])


@pytest.mark.parametrize("name", [*NAMES.values(), *ODD.values()], ids=[*NAMES, *ODD])
@pytest.mark.parametrize("labels", [1, 9])
@pytest.mark.parametrize("map", [False, True], ids=["no map", "map"])
def test_the_picture_of_a_check(name: str, labels: int, map: bool, whole: Callable[..., None]) -> None:
    residual = {f"{i}: {name}"[: 40 + 30 * i]: SHARES / (i + 1) for i in range(labels)}
    where = (Pattern(name, np.stack([SHARES, SHARES], axis=1), ""),) if map else ()
    diagnosis = Diagnosis(verdict="disagree", text="", against="", share=2.0, residual=residual, patterns=where)
    whole(check.picture(name, diagnosis))


def matrix(
    names: list[str], *, devices: tuple[str, ...] = ("cpu",), implementations: tuple[str, ...] = ("fused",)
) -> Any:
    """A document of ``parity verify`` with each verdict, and an agreement whose share is infinite."""
    cases = [
        {
            **dict.fromkeys(("id", "situation", "text", "rerun"), ""),
            **dict.fromkeys(("check", "seconds")),
            "size": 1,
            "options": {},
            "optimizer": name,
            "implementation": way,
            "dtype": dtype,
            "device": device,
            "verdict": verdict,
            "used": used,
        }
        for i, name in enumerate(names)
        for device in devices
        for way in implementations
        for dtype, (verdict, used) in zip(
            ("float64", "bfloat16", "complex128"),
            [(v, "inf" if v == "agree" or i % 2 else 0.5) for v in (*LOOKS, *LOOKS, *LOOKS)][3 * i :],
            strict=False,
        )
    ]
    counts = dict.fromkeys(LOOKS, 12_345)
    return read_verify({"schema": 1, "cases": cases, "coverage": {"rows": []}, "environment": {}, "counts": counts})


@pytest.mark.parametrize("name", [*NAMES.values(), *ODD.values()], ids=[*NAMES, *ODD])
def test_the_picture_of_the_matrix(name: str, whole: Callable[..., None]) -> None:
    whole(verify.picture(matrix([name, "SGD", "Adam", "LBFGS", "Rprop", "Muon", "ASGD"])))
    ways = ("for-loop", name, "differentiable")
    whole(verify.picture(matrix([name], devices=("cpu", "cuda:0"), implementations=ways)))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("rows", [1, 12])
def test_the_picture_of_the_faults(rows: int, name: str, whole: Callable[..., None]) -> None:
    report = read_power(json.loads((ROOT / "benchmarks" / "results" / "power.json").read_text(encoding="utf-8")))
    faults = list(dict.fromkeys(case.faults[0] for case in report.singles))[:rows]
    some = [case for case in report.singles if case.faults[0] in faults]
    some = [msgspec.structs.replace(case, faults=[name]) if case.faults == faults[:1] else case for case in some]
    whole(power.picture(msgspec.structs.replace(report, cases=some)))


# -- infinity ------------------------------------------------------------------------------------------------------


def is_green(colour: Any) -> bool:
    red, green, blue, _ = to_rgba(colour)
    return green > 1.1 * red and green > 1.1 * blue


def test_an_infinite_share_is_drawn_in_a_colour_of_its_own(whole: Callable[..., None]) -> None:
    figure, (axis,) = new_figure(1, 1, "shares")
    draw_shares(axis, np.arange(6), SHARES, 1e-3, 1e6, color=COLOURS[2], label="gradient")
    line, marks_of_infinity = axis.lines
    assert np.isnan(np.asarray(line.get_ydata())).tolist() == [False, False, True, False, True, False]
    assert list(marks_of_infinity.get_xdata()) == [2, 4] and marks_of_infinity.get_color() == INFINITE
    whole(figure)


def test_no_map_has_infinity_in_green() -> None:
    diagnosis = Diagnosis(verdict="disagree", text="", against="", share=2.0, residual={"as asked": SHARES})
    (image,) = check.picture("t", replace(diagnosis, patterns=(Pattern("w", SHARES[:, None], ""),))).axes[1].images
    drawn = image.to_rgba(image.get_array())[0]
    assert [tuple(drawn[i]) == to_rgba(INFINITE) for i in range(6)] == [False, False, True, False, True, False]
    assert tuple(drawn[3]) == to_rgba(WITHIN) and not any(is_green(colour) for colour in drawn)


def test_no_square_of_the_matrix_is_green_beyond_the_limit() -> None:
    (axis,) = verify.picture(matrix(["A", "B", "C", "D", "E", "F", "G"])).axes
    signs = {text.get_position(): text.get_text() for text in axis.texts}
    squares = {(box.get_x(), box.get_y()): box.get_facecolor() for box in axis.patches}
    infinite = [(x - 0.5, round(y - 0.72)) for (x, y), sign in signs.items() if sign == "∞"]
    assert len(infinite) > 6
    assert not [place for place in infinite if is_green(squares[place])]


# -- texts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES.values(), *ODD.values()], ids=[*NAMES, *ODD])
def test_lines_have_all_characters_and_fit(name: str) -> None:
    lines = in_lines(name, 12, 3.0).replace(r"\$", "$").split("\n")
    assert all(width_of(line, 12) <= 3.0 for line in lines)
    assert len("".join(lines).replace(" ", "")) == len(name.replace(" ", ""))


def test_colours_are_never_the_same() -> None:
    for count in (1, 6, 7, 40):
        assert len(set(colours(count))) == count


def test_every_colour_is_seen_on_the_dark_pages_of_the_site() -> None:
    """What the rule of the style sheet makes of it has at least the contrast that it has on white."""
    sheet = (ROOT / "docs" / "stylesheets" / "extra.css").read_text(encoding="utf-8")
    assert "img { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }" in sheet
    ground = np.array(to_rgb("#1e2129"))  # of a page
    for colour in [*COLOURS, INK, INFINITE]:
        light = np.array(to_rgb(colour))
        turned = np.clip(1 + light - 2 * light @ [0.213, 0.715, 0.072], 0, 1)  # light and dark change places
        dark = 1 - (1 - turned) * (1 - ground)
        assert contrast(dark, ground) > min(contrast(light, np.ones(3)), 4.5), colour


def contrast(one: Any, other: Any) -> float:
    """That of the Web Content Accessibility Guidelines, of sRGB colours."""
    lights = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] for c in (one, other)
    ]
    return float((max(lights) + 0.05) / (min(lights) + 0.05))
