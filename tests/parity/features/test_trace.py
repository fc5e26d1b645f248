"""The numbers of a trace are those of the reference and of torch, and each formula gives the number beside it."""

from __future__ import annotations

import math
import re
import sys
from cProfile import Profile
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from parity import gallery
from parity.backends.reference import run_reference
from parity.experiment import Experiment
from parity.experiment_file import load
from parity.features.trace import numbers
from parity.features.trace.content import Line, Trace
from parity.features.trace.expression import Expression, Leaf, Operation, Sum
from parity.features.trace.mathml import MATHML
from parity.features.trace.page import to_markdown
from parity.features.trace.run import trace
from parity.features.trace.step import trace_step
from parity.features.trace.text import TEXT
from parity.features.trace.ulp import ulps
from parity.formulation import realise
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.datasets import XOR, Gaussian
from refimpl.initial_weights import Values
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import OPTIMIZERS, SGD, Adam
from refimpl.penalties import L1, L2, PENALTIES, ElasticNet
from refimpl.problem import Problem
from refimpl.schedules import Step
from refimpl.training import Group

HYPER: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1},
    "sgdw": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "proximal_sgd": {"lr": 0.1},
    "adam": {"amsgrad": True},
    "radam": {"betas": (0.9, 0.5), "weight_decay": 0.1},  # rectified at the second step
    "adabelief": {"rectify": True, "betas": (0.9, 0.5), "weight_decay": 0.1},
    "rmsprop": {"centered": True, "momentum": 0.5},
    "lars": {"lr": 0.1, "weight_decay": 0.1},
    "schedule_free_sgd": {"warmup_steps": 2, "r": 1.0},
}
"""Where the defaults leave terms out, or there is none."""


def small(**changes: Any) -> Experiment:
    """Three features and five rows a batch, so that no sum is cut short."""
    defaults: dict[str, Any] = {
        "name": "small",
        "data": Gaussian(train_rows=12, features=3, noise=0.1, weight=0.7),
        "epochs": 1,
        "loss": SquaredError(factor=0.5, reduction="mean"),
        "penalties": (L2(strength=0.3),),
        "optimizer": SGD(lr=0.1),
        "init": {"weight": Values(values=(0.3, -0.7, 1.1)), "bias": Values(values=(0.2,))},
        "batches": Batches(size=5),
    }
    return Experiment(**(defaults | changes))


def with_optimizer(name: str) -> Experiment:
    optimizer: Any = OPTIMIZERS[name](**HYPER.get(name, {}))
    groups = (Group(parameters=("bias",), optimizer=SGD(lr=0.1)),) if name == "muon" else ()
    return small(optimizer=optimizer, groups=groups)


def line(found: Trace, symbol: str, step: int = 0) -> Line:
    (one,) = (each for section in found.steps[step].sections for each in section.lines if each.symbol == symbol)
    return one


def all_lines(found: Trace) -> list[Line]:
    return [each for step in found.steps for section in step.sections for each in section.lines]


# -- the reference's numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_traced_has_the_numbers_of_the_reference_to_the_last_bit(name: str) -> None:
    experiment = with_optimizer(name)
    form, material = realise(experiment, "loss"), experiment.draw()
    reference = run_reference(experiment, "loss")
    for parameter in reference.params:
        for step, rows in enumerate(material.order[0]):
            X, y = material.inputs["X"][:, rows], material.inputs["y"][:, rows]
            found = trace_step(form, reference, step, X, y, parameter, 0)
            np.testing.assert_array_equal(found.param.value, reference.params[parameter][step + 1])
            np.testing.assert_array_equal(found.gradient.value, reference.gradients[parameter][step])
            np.testing.assert_array_equal(found.loss.value, reference.loss[step])
            np.testing.assert_array_equal(found.objective.value, reference.objective[step])
            after = reference.state_before(step + 1)[parameter]
            assert set(found.state) == set(after) - {"step"}
            for key, value in found.state.items():
                np.testing.assert_array_equal(value.value, after[key])


def test_a_step_of_every_experiment_of_the_gallery_is_that_of_the_reference() -> None:
    for path in gallery.find("[!s]*") + gallery.find("s[01]-*"):
        name, experiment = path.stem, load(path)
        if not isinstance(experiment.model, Linear) or not isinstance(experiment.loss, SquaredError):
            continue
        short, material = replace(experiment, epochs=1), experiment.draw()
        rows, reference = material.order[0][0], run_reference(short, "loss")
        X, y = material.inputs["X"][:, rows], material.inputs["y"][:, rows]
        found = trace_step(realise(short, "loss"), reference, 0, X, y, "weight", 0)
        np.testing.assert_array_equal(found.param.value, reference.params["weight"][1], err_msg=name)
        np.testing.assert_array_equal(found.objective.value, reference.objective[0], err_msg=name)


def test_xor_is_what_a_hand_computes_in_fractions() -> None:
    """All numbers are dyadic, so that float64 has them exactly, in the reference and in torch."""
    w, b, lr, lam = [Fraction(1, 2), Fraction(-1, 4)], Fraction(1, 8), Fraction(1, 8), Fraction(1, 4)
    experiment = small(
        data=XOR(),
        loss=SquaredError(factor=1.0, reduction="mean"),
        penalties=(L2(strength=float(lam), parameters=("weight", "bias")),),
        optimizer=SGD(lr=float(lr), momentum=0.5),
        init={"weight": Values(values=tuple(map(float, w))), "bias": Values(values=(float(b),))},
        batches=Batches(order="fixed"),
        epochs=2,
    )
    data = experiment.draw().dataset
    X = [[Fraction(x) for x in row] for row in data.X[0]]
    y = [Fraction(target) for target in data.y[0, :, 0]]
    found = trace(experiment, steps=2, row=2, parameter="weight[1]")
    velocity = [Fraction(0)] * 3
    for step in (0, 1):
        r = [x[0] * w[0] + x[1] * w[1] + b - target for x, target in zip(X, y, strict=True)]
        by_data = [sum(2 * ri * x[j] for ri, x in zip(r, X, strict=True)) / 4 for j in (0, 1)] + [sum(r) / 2]
        whole = [slope + lam * value for slope, value in zip(by_data, [*w, b], strict=True)]
        loss, penalties = sum(ri**2 for ri in r) / 4, [lam / 2 * (w[0] ** 2 + w[1] ** 2), lam / 2 * b**2]
        velocity = [Fraction(1, 2) * v + g for v, g in zip(velocity, whole, strict=True)]
        expected = {
            "r": r[2],
            "δ": r[2] / 2,
            "L": loss,
            "Ω₁": penalties[0],
            "Ω₂": penalties[1],
            "J": loss + sum(penalties),
            "∂L/∂w": by_data[1],
            "∂Ω₁/∂w": lam * w[1],
            "g": whole[1],
            "v₁" if step == 0 else "v₂": velocity[1],
        }
        w, b = [w[0] - lr * velocity[0], w[1] - lr * velocity[1]], b - lr * velocity[2]
        expected["w₁" if step == 0 else "w₂"] = w[1]
        for symbol, value in expected.items():
            one = line(found, symbol, step)
            assert Fraction(one.value) == value, symbol
            assert one.ulps in (0, None), symbol
        assert [Fraction(row.residual) for row in found.steps[step].rows] == r
        assert sum(Fraction(row.share) for row in found.steps[step].rows) == by_data[1]
        assert [row.framework for row in found.steps[step].rows] == list(map(float, r))


@pytest.mark.parametrize(("parameter", "letter"), [("weight[1]", "w"), ("bias", "b")])
def test_the_pieces_of_the_gradient_are_differences_of_the_pieces_of_the_objective(parameter: str, letter: str) -> None:
    penalties = (L2(strength=0.3, parameters=("weight", "bias")), L1(strength=0.2, parameters=("weight", "bias")))
    experiment = small(penalties=penalties)
    found, material = trace(experiment, steps=1, parameter=parameter), experiment.draw()
    rows = list(found.steps[0].batch)
    X, y = material.inputs["X"][:, rows], material.inputs["y"][:, rows]
    name, place = ("weight", 1) if letter == "w" else ("bias", 0)

    def moved(h: float) -> dict[str, Any]:
        params = {key: value.copy() for key, value in material.params.items()}
        params[name].ravel()[place] += h
        return params

    def slope(function: Any) -> float:
        return float((function(moved(1e-5)) - function(moved(-1e-5)))[0]) / 2e-5

    problem = Problem(model=experiment.model, loss=experiment.loss, penalties=penalties)
    pieces = [each for each in found.steps[0].sections[2].lines if each.symbol.startswith("∂")]
    assert pieces[0].value == pytest.approx(slope(lambda p: problem.data_loss(p, X, y)), rel=1e-8)
    l2, l1 = pieces[1:]
    assert l2.value == pytest.approx(slope(lambda p: penalties[0].value(p[name])), rel=1e-8)
    assert l1.value == pytest.approx(slope(lambda p: penalties[1].value(p[name])), rel=1e-8)
    assert line(found, "g").value == pytest.approx(slope(lambda p: problem.objective(p, X, y)), rel=1e-8)
    assert sum(row.share for row in found.steps[0].rows) == pytest.approx(pieces[0].value, rel=1e-12)


# -- the formulas ----------------------------------------------------------------------------------------------------


def evaluated(text: str) -> Any:
    """What a line of arithmetic gives, by Python's own rules for brackets and signs."""
    text = text.split(", since")[0].replace("≥", ">=").replace("≤", "<=").replace("−", "-")
    text = re.sub(r"×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "e" + m[1].translate(PLAIN), text)
    text = re.sub(r"([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"**{m[1].translate(PLAIN)}", text)
    text = re.sub(r"√([0-9.e-]+)", r"√(\1)", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    names: dict[str, Any] = {"sqrt": math.sqrt, "sign": np.sign, "abs": abs, "max": max, "min": min}
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


# -- the framework's numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["weight", "bias"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_torchs_numbers_are_those_of_its_own_run(dtype: str, parameter: str, bench: Any) -> None:
    experiment = small(optimizer=Adam(lr=0.1), penalties=(L2(strength=0.3, parameters=(parameter,)),))
    name, w = parameter, parameter[0]
    element = "bias" if name == "bias" else "weight[0]"
    found, run = trace(experiment, steps=2, dtype=dtype, parameter=element), bench.torch(experiment, dtype=dtype)
    for step, after in enumerate("₁₂"):
        shown: Any = {each.symbol: each.framework for section in found.steps[step].sections for each in section.lines}
        assert shown["L"] == run.loss[step, 0]
        assert shown["J"] == run.objective[step, 0]
        assert shown["g"] == run.gradients[name][step].ravel()[0]
        assert shown[f"{w}{after}"] == run.params[name][step + 1].ravel()[0]
        assert shown[f"m{after}"] == run.state[name]["exp_avg"][step].ravel()[0]
        unit = 2 * FORMATS[dtype].u
        assert shown[f"∂L/∂{w}"] + shown[f"∂Ω/∂{w}"] == pytest.approx(shown["g"], rel=4 * unit)
        assert shown[f"∂Ω/∂{w}"] == pytest.approx(0.3 * run.params[name][step].ravel()[0], rel=2 * unit)
        for row in found.steps[step].rows:
            assert row.framework == pytest.approx(row.residual, abs=200 * unit)


@pytest.mark.parametrize("formulation", ["loss", "weight_decay", "manual"])
def test_a_penalty_is_shown_where_the_formulation_has_it(formulation: Any) -> None:
    found = trace(small(), steps=1, formulation=formulation)
    in_gradient = any(each.symbol == "∂Ω/∂w" for each in all_lines(found))
    assert in_gradient == (formulation == "loss")
    assert any("g + λ·w₀" in TEXT.symbols(each.formula) for each in all_lines(found)) == (not in_gradient)
    assert line(found, "w₁").value == trace(small(), steps=1).steps[0].sections[-1].lines[-1].value
    assert all(each.ulps is None or abs(each.ulps) <= 64 for each in all_lines(found))


def test_a_state_is_measured_in_the_dtype_that_torch_keeps_it_in() -> None:
    """NAdam's product of μ is kept in float32, whatever the weights are."""
    product = line(trace(with_optimizer("nadam"), steps=1), "Π₁")
    assert product.stored == "float32"
    assert abs(product.ulps or 0) <= 1
    assert product.framework != product.value


def test_what_torch_does_not_have_is_traced_in_the_reference_alone() -> None:
    found = trace(with_optimizer("lion"), steps=1)
    assert "Lion" in found.refusal
    assert all(each.framework is None for each in all_lines(found))
    assert found.refusal in to_markdown(found)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_neighbours_are_one_unit_apart(dtype: str) -> None:
    """NumPy's own neighbours: beside powers of two, at 0, among subnormal numbers and at the largest."""
    kind, format = np.dtype(dtype).type, FORMATS[dtype]
    info = np.finfo(dtype)
    for x in (0, 1, 2, 1.5, -1, -0.25, 0.1, info.tiny, -info.tiny, info.smallest_subnormal, info.max):
        value = kind(x)
        for direction in (-np.inf, np.inf):
            with np.errstate(over="ignore"):
                neighbour = np.nextafter(value, kind(direction))
            expected = int(np.sign(direction)) if np.isfinite(neighbour) else None
            assert ulps(float(neighbour), float(value), format) == expected
    assert ulps(float(kind(1.5) + 7 * np.spacing(kind(1.5))), 1.5, format) == 7


def test_the_reference_is_rounded_to_the_dtype_before_it_is_compared() -> None:
    assert ulps(float(np.float32(0.1)), 0.1, FORMATS["float32"]) == 0
    assert ulps(1 + 2.0**-7, 1 + 2.0**-20, FORMATS["bfloat16"]) == 1
    assert ulps(1.0, 1e300, FORMATS["float32"]) is None
    assert ulps(math.nan, 1.0, FORMATS["float64"]) is None


def test_a_run_that_diverges_is_shown_as_it_is() -> None:
    found = trace(small(optimizer=SGD(lr=1e200), epochs=2), steps=6)
    assert not math.isfinite(line(found, "L", 5).value)
    assert "not a number" in to_markdown(found)
