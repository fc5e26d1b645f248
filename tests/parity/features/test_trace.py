"""The numbers of a trace are those of the reference and those of the framework."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from parity import gallery
from parity.backends.reference import run_reference
from parity.experiment_file import load
from parity.features.trace.page import to_markdown
from parity.features.trace.run import trace
from parity.features.trace.step import trace_step
from parity.features.trace.text import TEXT
from parity.features.trace.ulp import ulps
from parity.formulation import realise
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.datasets import XOR
from refimpl.initial_weights import Values
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import OPTIMIZERS, SGD, Adam
from refimpl.penalties import L1, L2
from refimpl.problem import Problem
from tests.parity.features.traces import all_lines, line, small, with_optimizer

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
