"""The formulas of a trace give the numbers beside them."""

from __future__ import annotations

import math
import re
import sys
from cProfile import Profile
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from parity.features.trace import numbers
from parity.features.trace.expression import Expression, Leaf, Operation, Sum
from parity.features.trace.mathml import MATHML
from parity.features.trace.page import to_markdown
from parity.features.trace.run import trace
from parity.features.trace.text import TEXT
from refimpl.datasets import Gaussian
from refimpl.optimizers import OPTIMIZERS
from refimpl.penalties import PENALTIES, ElasticNet
from refimpl.schedules import Step
from tests.parity.features.traces import HYPER, all_lines, line, small, with_optimizer


def evaluated(text: str) -> Any:
    """What a line of arithmetic gives, by Python's own rules for brackets and signs."""
    text = text.split(", since")[0].replace("≥", ">=").replace("≤", "<=").replace("−", "-")
    text = re.sub(r"×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "e" + m[1].translate(PLAIN), text)
    text = re.sub(r"([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"**{m[1].translate(PLAIN)}", text)
    text = re.sub(r"√([0-9.e-]+)", r"√(\1)", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    names: dict[str, Any] = {"sqrt": math.sqrt, "sign": np.sign, "abs": abs, "max": max, "min": min, "exp": math.exp}
    python = text.replace("·", "*").replace("^", "**").replace("√", "sqrt")
    return eval(python, {"__builtins__": {}}, names | {"true": True, "false": False})


PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def random_tree(rng: np.random.Generator, depth: int) -> tuple[Expression, float]:
    """A formula of at most so many levels, and what it gives."""
    if depth == 0 or rng.random() < 0.2:
        value = float(rng.choice([-1.5, 2.0, -3e-7, 4.0]))
        return Leaf("a", value), value
    trees = [random_tree(rng, depth - 1) for _ in range(3)]
    parts, (x, y, z) = tuple(part for part, _ in trees), (value for _, value in trees)
    kind = rng.choice(["+", "−", "·", "/", "^", "sqrt", "absolute", "negative", "maximum", "sum"])
    if kind == "sum":
        return Sum(parts, 3), x + y + z
    if kind == "^":
        return Operation("^", (parts[0], Leaf(None, 2))), x**2
    if kind == "sqrt":
        return Operation("sqrt", (Operation("^", (parts[0], Leaf(None, 2))),)), abs(x)
    if kind == "absolute":
        return Operation(kind, (Leaf("a", -1.5),)), 1.5
    if kind == "negative":
        return Operation(kind, parts[:1]), -x
    value = {"+": x + y, "−": x - y, "·": x * y, "/": x / y if y else math.nan, "maximum": max(x, y)}[kind]
    return Operation(kind, parts[:2]), value


def test_brackets_are_where_the_rules_of_arithmetic_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "DIGITS", 17)
    rng = np.random.default_rng(0)
    for _ in range(400):
        tree, value = random_tree(rng, 4)
        if math.isfinite(value):
            text = TEXT.numbers(tree)
            assert evaluated(text) == pytest.approx(value, rel=1e-9, abs=1e-12), text


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_formula_gives_the_number_beside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all digits inserted, and read as Python reads it, so that brackets are where they must be."""
    monkeypatch.setattr(numbers, "DIGITS", 17)
    found = trace(with_optimizer(name), steps=2)
    for each in all_lines(found):
        text = TEXT.numbers(each.formula)
        assert evaluated(text) == pytest.approx(each.value, rel=1e-9, abs=1e-300), f"{each.symbol} = {text}"
        ElementTree.fromstring(f"<math>{MATHML.symbols(each.formula)}</math>")  # well formed


@pytest.mark.parametrize("penalty", PENALTIES)
def test_every_penalty_has_its_value_and_its_gradient_spelled_out(
    penalty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "DIGITS", 17)
    one: Any = PENALTIES[penalty]
    strengths = {"l1": 0.2, "l2": 0.3} if one is ElasticNet else {"strength": 0.3}
    found = trace(small(penalties=(one(**strengths),)), steps=1, parameter="weight[1]")
    for symbol in ("Ω", "∂Ω/∂w"):
        shown = line(found, symbol)
        assert "λ" in TEXT.symbols(shown.formula)
        assert evaluated(TEXT.numbers(shown.formula)) == pytest.approx(shown.value, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "symbol", "formula"),
    [
        ("sgd", "w₂", "w₁ − η·v₂"),
        ("sgd", "v₂", "μ·v₁ + (1 − τ)·g′"),
        ("adamw", "m₂", "β₁·m₁ + (1 − β₁)·g"),
        ("adamw", "w₂", "decayed − (η / c₁)·m₂ / (√v₂ / √c₂ + ε)"),
        ("rprop", "product", "g·p₁"),
        ("lamb", "ratio", "‖w‖ / length, since ‖w‖ > 0"),
        ("asgd", "a₂", "a₁ + μ₁·(w₂ − a₁)"),
        ("radam", "rectified", "2 / (1 − β₂) − 1 − 2·t·β₂ᵗ / c₂ > 5"),
    ],
)
def test_formulas_read_as_they_are_printed_in_papers(name: str, symbol: str, formula: str) -> None:
    optimizer: Any = OPTIMIZERS[name](**HYPER.get(name, {}))
    found = trace(small(optimizer=optimizer), steps=2)
    assert TEXT.symbols(line(found, symbol, 1).formula) == formula


def test_a_long_sum_keeps_its_first_terms_and_its_last_and_says_how_many_are_left_out() -> None:
    found = trace(small(data=Gaussian(train_rows=12, features=50), init={}), steps=1)
    assert "… (45 more)" in TEXT.numbers(line(found, "ŷ").formula)


def test_the_rate_is_that_of_the_schedule_at_each_step() -> None:
    found = trace(small(schedule=Step(step_size=1, gamma=0.5, per="step")), steps=3)
    assert [step.hyper["η"] for step in found.steps] == [0.1, 0.05, 0.025]


def test_a_profiler_of_the_caller_goes_on() -> None:
    profiler = Profile()
    profiler.enable()
    trace(small(), steps=1)
    to_markdown(trace(small(), steps=1))
    profiler.disable()
    seen = {entry.code.co_name for entry in profiler.getstats() if not isinstance(entry.code, str)}
    assert {"trace", "to_markdown"} <= seen
    assert sys.getprofile() is None
