"""The measured law is the one that was executed, with error bars that hold it, and it never says more than the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from parity import gallery
from parity.backends.base import Setting
from parity.backends.reference import run_reference
from parity.backends.torch_backend import TorchBackend
from parity.experiment import Experiment
from parity.experiment_file import load
from parity.explain.formula import Term, formula, number
from parity.explain.law import Law, measure, measure_all
from parity.explain.motion import Motion, motions
from parity.explain.smallest import least_largest, solve
from parity.explain.terms import Equations, equations
from parity.explain.words import in_words, summary
from parity.formulation import realise
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, SGDW, Adam
from refimpl.penalties import L1, L2
from refimpl.schedules import Exponential, MultiStep, Step
from refimpl.types import Array

DTYPES = ("float64", "float32", "bfloat16")
ETA, MU, TAU, LAM = 0.01, 0.9, 0.3, 3.0
BOTH = ("weight", "bias")
PREVIOUS = "Δw₋₁"

# Changes of the small experiment → the law of the weights and that of the bias, from the recurrence in SGD's docstring.
LAWS: dict[str, tuple[dict[str, Any], dict[str, float], dict[str, float]]] = {
    "plain": ({}, {"∇L": -ETA, "w": -ETA * LAM}, {"∇L": -ETA}),
    "no penalty": ({"penalties": ()}, {"∇L": -ETA}, {"∇L": -ETA}),
    "ascent": ({"optimizer": SGD(lr=ETA, maximize=True), "penalties": ()}, {"∇L": ETA}, {"∇L": ETA}),
    "decayed bias": (
        {"penalties": (L2(strength=LAM, parameters=BOTH),)},
        {"∇L": -ETA, "w": -ETA * LAM},
        {"∇L": -ETA, "w": -ETA * LAM},
    ),
    "momentum": (
        {"optimizer": SGD(lr=ETA, momentum=MU)},
        {"∇L": -ETA, "w": -ETA * LAM, PREVIOUS: MU},
        {"∇L": -ETA, PREVIOUS: MU},
    ),
    "dampening": (
        {"optimizer": SGD(lr=ETA, momentum=MU, dampening=TAU)},
        {"∇L": -ETA * (1 - TAU), "w": -ETA * LAM * (1 - TAU), PREVIOUS: MU},
        {"∇L": -ETA * (1 - TAU), PREVIOUS: MU},
    ),
    "Nesterov": (  # Δw_k = μΔw_{k−1} − η(1 + μ)g_k + ημg_{k−1}, with g = ∇L + λw and w_{k−1} = w_k − Δw_{k−1}
        {"optimizer": SGD(lr=ETA, momentum=MU, nesterov=True)},
        {"∇L": -ETA * (1 + MU), "w": -ETA * LAM, PREVIOUS: MU - ETA * MU * LAM, "∇L₋₁": ETA * MU},
        {"∇L": -ETA * (1 + MU), PREVIOUS: MU, "∇L₋₁": ETA * MU},
    ),
    "L1 in the loss": ({"penalties": (L1(strength=0.5),)}, {"∇L": -ETA, "sign w": -ETA * 0.5}, {"∇L": -ETA}),
    "a stepped schedule": (
        {"schedule": Step(step_size=2, gamma=0.5)},
        {"s·∇L": -ETA, "s·w": -ETA * LAM},
        {"s·∇L": -ETA},
    ),
    "momentum under a schedule": (
        {"schedule": MultiStep(milestones=(5, 9), gamma=0.5, per="step"), "optimizer": SGD(lr=ETA, momentum=MU)},
        {"s·∇L": -ETA, "s·w": -ETA * LAM, "s/s₋₁·Δw₋₁": MU},
        {"s·∇L": -ETA, "s/s₋₁·Δw₋₁": MU},
    ),
    "momentum under a falling rate": (
        {"schedule": Exponential(gamma=0.9, per="step"), "optimizer": SGD(lr=ETA, momentum=MU)},
        {"s·∇L": -ETA, "s·w": -ETA * LAM, "s/s₋₁·Δw₋₁": MU},
        {"s·∇L": -ETA, "s/s₋₁·Δw₋₁": MU},
    ),
}


def small(bench: Any, **changes: Any) -> Experiment:
    """18 steps, and weights of the order of the truth's gradient, so that bfloat16 sees every term."""
    experiment: Experiment = bench.experiment(**{"epochs": 6, "init": INIT, **changes})
    return experiment


INIT = {"weight": Normal(std=0.3), "bias": Normal(std=0.1)}


def of_run(bench: Any, experiment: Experiment, dtype: str = "float64", **setting: Any) -> list[Motion]:
    formulation = setting.get("formulation", "loss")
    run = bench.torch(experiment, dtype=dtype, **setting)
    return motions(realise(experiment, formulation), experiment.draw(), run)


def of_reference(experiment: Experiment) -> dict[str, Law]:
    """What was asked, measured on the reference's own run."""
    material = experiment.draw()
    run = replace(run_reference(experiment, "loss"), inputs=material.inputs)
    return {law.parameter: law for law in measure_all(motions(realise(experiment, "loss"), material, run))}


def exactly(coefficients: dict[str, float], parameter: str = "weight") -> Law:
    """A law by its coefficients."""
    terms = tuple(Term(name, value, 0.0) for name, value in coefficients.items())
    return Law(parameter=parameter, terms=terms, share=0.0, explained=True)


def holds(law: Law, truth: dict[str, float]) -> None:
    """The terms are the executed ones, and every error bar has the executed coefficient in it."""
    assert law.explained, law.text
    assert {term.term for term in law.terms} == truth.keys(), law.text
    for term in law.terms:
        assert abs(term.coefficient - truth[term.term]) <= term.error, law.text


def driven(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer],
    *,
    dtype: str = "float64",
    seed: int = 0,
    steps: int = 12,
    size: int = 17,
    extra: Callable[[torch.Tensor], torch.Tensor] | None = None,
    start: float = 0.0,
    factor: Array | None = None,
) -> Motion:
    """A torch optimizer with drawn gradients, known exactly; ``extra`` is added to what it is given.

    ``start``: mean of the initial weights. ``factor``: of the learning rate at each step.
    """
    factor = np.ones(steps) if factor is None else factor
    rng = np.random.default_rng(seed)
    kind, format = getattr(torch, dtype), FORMATS[dtype]
    w = torch.tensor(start + rng.normal(size=size)).to(kind).requires_grad_()
    optimizer = make([w])
    weights, gradients = [w.detach().double().numpy().copy()], []
    rate = optimizer.param_groups[0]["lr"]
    for k in range(steps):
        optimizer.param_groups[0]["lr"] = rate * factor[k]
        drawn = torch.tensor(rng.normal(size=size)).to(kind)
        gradients.append(drawn.double().numpy().copy())
        w.grad = drawn if extra is None else drawn + extra(w.detach())
        optimizer.step()
        weights.append(w.detach().double().numpy().copy())
    profile = Profile(compute=format, accumulate=format)
    gradient = Bounded.tensor(np.array(gradients), profile)
    return Motion(
        parameter="weight",
        weights=np.array(weights),
        gradient=gradient,
        format=format,
        profile=profile,
        factor=factor,
    )


def sgd(**options: Any) -> Callable[[list[torch.Tensor]], torch.optim.Optimizer]:
    return lambda params: torch.optim.SGD(params, **options)


# -- the law is the one that was executed ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("what", LAWS)
def test_torchs_law_is_measured(what: str, dtype: str, bench: Any) -> None:
    changes, of_weight, of_bias = LAWS[what]
    weight, bias = measure_all(of_run(bench, small(bench, **changes), dtype))[:2]
    holds(weight, of_weight)
    holds(bias, of_bias)
    assert weight.share <= 1 and bias.share <= 1
    assert not weight.alternatives


@pytest.mark.parametrize("what", LAWS)
def test_low_precision_never_rules_the_law_out(what: str, bench: Any) -> None:
    changes, of_weight, of_bias = LAWS[what]
    truths = {"weight": exactly(of_weight), "bias": exactly(of_bias, "bias")}
    if what in ("dampening", "Nesterov"):  # their first step is another, which is known of and not asked for here
        truths = {name: replace(law, start=((0, ()),)) for name, law in truths.items()}
    for motion in of_run(bench, small(bench, **changes), "bfloat16"):
        law = measure(motion, truths[motion.parameter])
        assert law.explained and law.as_asked, law.text


@pytest.mark.parametrize("implementation", ["foreach", "fused"])
def test_every_implementation_has_the_law(implementation: str, bench: Any) -> None:
    changes, of_weight, _ = LAWS["momentum"]
    weight = measure(of_run(bench, small(bench, **changes), "float32", implementation=implementation)[0])
    holds(weight, of_weight)


@pytest.mark.parametrize("formulation", ["loss", "weight_decay", "manual"])
def test_every_formulation_has_the_law(formulation: str, bench: Any) -> None:
    holds(measure(of_run(bench, small(bench), formulation=formulation)[0]), LAWS["plain"][1])


def test_decoupled_decay_with_momentum_has_its_own_law(bench: Any) -> None:
    """Δw_k = −ηλw_k − ηb_k and b_k = μb_{k−1} + g_k make c_w = −ηλ(1 − μ) and c_Δ = μ(1 − ηλ)."""
    experiment = small(bench, optimizer=SGDW(lr=ETA, momentum=MU, weight_decay=1.0), penalties=())
    law = measure(of_run(bench, experiment, formulation="manual")[0])
    holds(law, {"∇L": -ETA, "w": -ETA * (1 - MU), PREVIOUS: MU * (1 - ETA)})


def test_coefficients_of_the_textbook_run_have_twelve_digits() -> None:
    experiment = load(gallery.find("s0-concise-lam3")[0])
    run = TorchBackend().run(experiment, Setting(dtype="float64"))
    weight, bias = measure_all(motions(realise(experiment, "loss"), experiment.draw(), run))
    holds(weight, {"∇L": -0.01, "w": -0.03})
    holds(bias, {"∇L": -0.01})
    assert all(term.error <= 1e-12 * abs(term.coefficient) for term in (*weight.terms, *bias.terms))
    assert (weight.text, bias.text) == ("Δw = −0.0100·∇L − 0.0300·w", "Δb = −0.0100·∇L")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("term", "extra"),
    [
        ("w/‖w‖", lambda w: 0.25 * w / torch.linalg.vector_norm(w)),  # ‖w‖, not squared
        ("sign w", lambda w: 0.25 * torch.sign(w)),
        ("1", lambda w: torch.full_like(w, 0.25)),
        ("w", lambda w: 0.25 * w),
    ],
    ids=["norm", "sign", "constant", "weights"],
)
def test_a_term_that_was_added_is_found(term: str, extra: Any, dtype: str) -> None:
    law = measure(driven(sgd(lr=0.125), dtype=dtype, extra=extra))
    holds(law, {"∇L": -0.125, term: -0.125 * 0.25})
    assert not law.alternatives


def test_pieces_of_the_batch_are_terms(bench: Any) -> None:
    """Subtracting (n, 1) from (n,) adds η·cov(x, y) to the step of the mean of squares."""
    motion = of_run(bench, small(bench))[0]
    piece = motion.pieces["cov(x, y)"]
    wrong = motion.weights.copy()
    wrong[1:] += np.cumsum(0.02 * np.asarray(piece.value, float), axis=0)  # ∇L and w belong to the weights before
    moved = replace(motion, weights=wrong)
    exact = moved.moves - motion.moves
    assert np.allclose(np.asarray(exact, float), 0.02 * np.asarray(piece.value, float), rtol=1e-9, atol=1e-15)
    found = {term.term for term in measure(replace(moved, gradient=_gradient_for(moved, piece))).terms}
    assert found == {"∇L", "cov(x, y)"}


def _gradient_for(motion: Motion, piece: Any) -> Bounded:
    """The gradient with which the motion is Δw = −0.01·∇L + 0.02·piece."""
    value = (0.02 * piece.value - motion.moves) / np.longdouble(0.01)
    return Bounded(value, 1e-14, motion.profile)


# -- error bars -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_error_bars_hold_the_truth_for_every_seed(dtype: str) -> None:
    """Gradients are exact here, so that nothing but the update's own rounding is allowed."""
    for seed in range(8):
        rng = np.random.default_rng([seed, 1])
        lr, momentum, decay = 2.0 ** rng.uniform(-4, -1), rng.uniform(0.3, 0.9), rng.uniform(0.2, 1.0)
        dampening = rng.uniform(0.1, 0.5)
        options = {"lr": lr, "momentum": momentum, "weight_decay": decay, "dampening": dampening}
        truth = {"∇L": -lr * (1 - dampening), "w": -lr * (1 - dampening) * decay, PREVIOUS: momentum}
        motion = driven(sgd(**options), dtype=dtype, seed=seed)
        law = measure(motion, replace(exactly(truth), start=((0, ()),)))
        assert law.as_asked
        if dtype != "bfloat16" or {term.term for term in law.terms} == truth.keys():
            holds(law, truth)
        if dtype != "bfloat16":
            unit = FORMATS[dtype].u
            assert all(term.error <= 500 * unit for term in law.terms)


@pytest.mark.parametrize("dtype", DTYPES)
def test_error_bars_hold_the_truth_of_nesterov_for_every_seed(dtype: str) -> None:
    for seed in range(4):
        lr, momentum, decay = 0.1 + 0.02 * seed, 0.5 + 0.05 * seed, 0.3
        motion = driven(sgd(lr=lr, momentum=momentum, weight_decay=decay, nesterov=True), dtype=dtype, seed=seed)
        truth = {
            "∇L": -lr * (1 + momentum),
            "w": -lr * decay,
            PREVIOUS: momentum - lr * decay * momentum,
            "∇L₋₁": lr * momentum,
        }
        law = measure(motion, replace(exactly(truth), start=((0, ()),)))
        assert law.as_asked
        if dtype != "bfloat16":
            holds(law, truth)


@pytest.mark.parametrize("dtype", DTYPES)
def test_allowance_is_that_of_running_error_arithmetic(dtype: str) -> None:
    """Never below the bound of evaluating the law as it is written, and within a small factor of it."""
    motion = driven(sgd(lr=0.1, weight_decay=0.3), dtype=dtype)
    system = equations(motion)
    chosen, c = [system.names.index(name) for name in ("∇L", "w")], np.array([-0.1, -0.03])
    hyper = [Bounded.hyper(value, motion.profile) for value in c]
    step = hyper[0] * motion.gradient + hyper[1] * Bounded.tensor(motion.weights[:-1], motion.profile)
    whole: Any = Bounded.tensor(motion.weights[:-1], motion.profile) + step
    ratio = system.allowance(chosen, np.abs(c)) / np.asarray(whole.error, float).ravel()
    assert ratio.min() > 0.4  # half an ulp of the result, where running-error arithmetic has u times the number
    assert ratio.max() < 4


def test_the_program_finds_chebyshevs_approximation() -> None:
    """Of a constant it is the middle of the range, wherever the mean is."""
    for count in (7, 2000):
        residual = np.concatenate([np.full(count, 0.5), [-1.0]])
        change = least_largest(np.ones((count + 1, 1)), residual)
        assert change == pytest.approx([-0.25])


# -- what is not so, is not said ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("what", ["plain", "momentum", "Nesterov", "L1 in the loss"])
def test_a_law_without_one_of_its_terms_is_ruled_out(what: str, dtype: str, bench: Any) -> None:
    changes, of_weight, _ = LAWS[what]
    system = later(of_run(bench, small(bench, **changes), dtype)[0])
    chosen = tuple(system.names.index(name) for name in of_weight)
    assert solve(system, chosen).possible
    for left_out in chosen:
        assert not solve(system, [i for i in chosen if i != left_out]).possible


def later(motion: Motion) -> Equations:
    system = equations(motion)
    return system.at(system.step >= 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_adam_has_no_linear_law(dtype: str, bench: Any) -> None:
    law = measure(of_run(bench, small(bench, optimizer=Adam(lr=ETA)), dtype)[0])
    assert not law.explained
    assert law.share > 1e3
    assert law.text.startswith("not explained: no law of up to 5 terms is within rounding")


def test_one_wrong_element_leaves_no_law() -> None:
    motion = driven(sgd(lr=0.125))
    wrong = motion.weights.copy()
    wrong[7:, 3] += 1e-3
    assert not measure(replace(motion, weights=wrong)).explained


def test_one_wrong_element_of_a_long_run_leaves_no_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is: the search sees a sample of the run, the law is held to all of it."""
    monkeypatch.setattr("parity.explain.law.SAMPLE", 60)
    motion = driven(sgd(lr=0.125))
    holds(measure(motion), {"∇L": -0.125})
    for element in range(8):
        wrong = motion.weights.copy()
        wrong[-1, element] += 1e-3
        law = measure(replace(motion, weights=wrong))
        assert not law.explained and law.share > 1e3


def constant_and(errors: list[float]) -> Equations:
    """Δw = c + e with an allowance of 1."""
    moved, ones = np.array(errors, np.longdouble), np.ones((len(errors), 1), np.longdouble)
    return Equations(("1",), ones, np.zeros(ones.shape), moved, np.ones(len(errors)), np.full(len(errors), 2), 0.0)


def test_a_law_is_possible_if_any_coefficient_is_and_not_only_that_of_least_squares() -> None:
    """Least squares has the mean, 1.84 from the lowest; the middle is 0.95 from both ends."""
    fit = solve(constant_and([0.9] * 30 + [-1.0]), (0,))
    assert fit.possible
    assert fit.share == pytest.approx(0.95)
    assert abs(fit.coefficient[0] - 0.839) < fit.error[0]


def test_a_law_is_impossible_if_no_coefficient_reaches_every_element() -> None:
    """The sum of squares and the residuals of least squares would be small enough."""
    assert not solve(constant_and([1.05, -1.05] + [0.0] * 30), (0,)).possible


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_further_term_may_be_0_where_the_law_is_whole(dtype: str) -> None:
    law = measure(driven(sgd(lr=0.125, weight_decay=0.25), dtype=dtype))
    assert {term.term for term in law.absent} == {PREVIOUS, "∇L₋₁", "sign w", "w/‖w‖", "1", "Δw₋₂"}
    assert all(abs(term.coefficient) <= term.error < 1e-3 for term in law.absent)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_law_in_other_words_is_one_law(dtype: str) -> None:
    """w₋₁ = w − Δw₋₁: a law in two of the three could be written in any two, and is written in w and Δw₋₁."""
    law = measure(driven(sgd(lr=0.125, momentum=0.5, weight_decay=0.25), dtype=dtype))
    assert {term.term for term in law.terms} == {"∇L", "w", PREVIOUS}
    assert not law.alternatives
    assert "w₋₁" not in {term.term for term in law.absent}


def test_decay_of_the_weights_before_is_one_term() -> None:
    before = [torch.zeros(17, dtype=torch.float64)]

    def stale(w: torch.Tensor) -> torch.Tensor:
        late, before[0] = before[0], w.clone()
        return 0.25 * late

    holds(measure(driven(sgd(lr=0.125), extra=stale)), {"∇L": -0.125, "w₋₁": -0.125 * 0.25})


def test_terms_that_are_equal_on_the_data_are_alternatives() -> None:
    """Weights that stay above 0 have sign 1: a constant and the sign cannot be told apart."""
    law = measure(driven(sgd(lr=0.125), extra=lambda w: 0.25 * torch.sign(w), start=20.0))
    assert [{term.term for term in law.terms}, *({t.term for t in other} for other in law.alternatives)] == [
        {"∇L", "sign w"},
        {"∇L", "1"},
    ]


def test_what_low_precision_cannot_see_is_not_called_absent(bench: Any) -> None:
    """ηλ = 1e-5 is far below half an ulp of bfloat16: a run with it looks like one without."""
    experiment = small(bench, penalties=(L2(strength=1e-3),))
    asked = of_reference(experiment)
    assert {term.term for term in asked["weight"].terms} == {"∇L", "w"}
    laws = measure_all(of_run(bench, experiment, "bfloat16"), asked)
    assert {term.term for term in laws[0].terms} == {"∇L"}
    assert laws[0].as_asked
    sentences = in_words(laws, list(asked.values()))
    assert all(sentence.as_asked for sentence in sentences), summary(sentences)


# -- the first steps ------------------------------------------------------------------------------------------------


def test_the_undampened_first_step_is_seen(bench: Any) -> None:
    changes, _, _ = LAWS["dampening"]
    weight, bias = measure_all(of_run(bench, small(bench, **changes)))
    assert weight.first == "first step: Δw = −0.0100·∇L − 0.0300·w"
    assert bias.first == "first step: not by this law"  # a single number


@pytest.mark.parametrize("what", ["plain", "momentum", "momentum under a schedule"])
def test_of_an_ordinary_first_step_nothing_is_said(what: str, bench: Any) -> None:
    assert [law.first for law in measure_all(of_run(bench, small(bench, **LAWS[what][0])))[:2]] == ["", ""]


# -- joint laws -----------------------------------------------------------------------------------------------------


def test_parameters_that_share_a_law_have_a_joint_one(bench: Any) -> None:
    changes, of_weight, _ = LAWS["decayed bias"]
    laws = measure_all(of_run(bench, small(bench, **changes)))
    assert [law.parameter for law in laws] == ["weight", "bias", "weight, bias"]
    holds(laws[2], of_weight)


def test_parameters_with_different_laws_have_no_joint_one(bench: Any) -> None:
    assert [law.parameter for law in measure_all(of_run(bench, small(bench)))] == ["weight", "bias"]


# -- too little data, broken data -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2])
def test_too_few_steps_are_said(steps: int) -> None:
    law = measure(driven(sgd(lr=0.125), steps=steps))
    assert not law.explained
    assert law.text == "not explained: 0 numbers from the third step on, a law needs 2; run more steps"


def test_too_few_numbers_for_the_terms_are_said() -> None:
    """Two from the third step on have a law of one term at most, as any two terms would fit them."""
    law = measure(driven(sgd(lr=0.125, momentum=0.5), steps=4, size=1))
    assert not law.explained
    assert law.text.startswith("not explained: no law of up to 1 terms is within rounding")
    assert law.text.endswith("; 2 numbers do not tell more terms, run more steps")


@pytest.mark.parametrize("name", [name for name in gallery.names() if not name.startswith("s2-")])
def test_every_experiment_of_the_gallery_is_measured(name: str) -> None:
    """Each with SGD has a law, unless it is too short for one; those of networks are not measured."""
    experiment = load(gallery.find(name)[0])
    for law in of_reference(replace(experiment, epochs=min(experiment.epochs, 4))).values():
        assert law.text
        if isinstance(experiment.optimizer, SGD):
            assert law.explained or "run more steps" in law.reason


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_run_is_measured_up_to_the_first_number_that_is_not_finite(value: float) -> None:
    motion = driven(sgd(lr=0.125))
    weights = motion.weights.copy()
    weights[8:, 0] = value
    holds(measure(replace(motion, weights=weights)), {"∇L": -0.125})
    weights[1:] = value
    assert not measure(replace(motion, weights=weights)).explained


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_parameter_that_never_moved_has_the_law_of_rest(dtype: str) -> None:
    law = measure(driven(sgd(lr=0.0), dtype=dtype))
    assert law.explained
    assert law.text == "Δw = 0"


def test_steps_of_a_rate_of_zero_are_left_out() -> None:
    """After η_{k−1} = 0 the last update says nothing of the momentum."""
    factor = np.array([1.0, 1, 1, 0.5, 0.5, 0, 1, 1, 0.25, 1, 1, 1])
    motion = driven(sgd(lr=0.125), factor=factor)
    assert 6 not in equations(motion).step
    holds(measure(motion), {"s·∇L": -0.125})


# -- words ----------------------------------------------------------------------------------------------------------


def said(bench: Any, run: dict[str, Any], asked: dict[str, Any], dtype: str = "float64") -> str:
    """The one line on a run of one experiment where another was asked for."""
    wanted = small(bench, **asked)
    reference = of_reference(wanted)
    trajectory = bench.torch(small(bench, **run), dtype=dtype)
    laws = measure_all(motions(realise(wanted, "loss"), wanted.draw(), trajectory), reference)
    values = {"η": ETA, "η·λ": ETA * LAM, "μ": MU}
    return summary(in_words(laws, list(reference.values()), values=values, factors={"the batch size": 5.0}))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_as_asked_is_said_term_by_term(dtype: str, bench: Any) -> None:
    assert said(bench, {}, {}, dtype) == (
        "weight: gradient −0.0100·∇L = η as asked; decay −0.0300·w = η·λ as asked; no momentum, as asked; "
        "bias: gradient −0.0100·∇L = η as asked; no decay, as asked; no momentum, as asked"
    )


def test_what_is_too_small_to_be_seen_is_not_called_absent_beside_what_is_wrong(bench: Any) -> None:
    tiny = {"penalties": (L2(strength=1e-3),)}
    line = said(bench, {**tiny, "optimizer": SGD(lr=0.1)}, {**tiny, "optimizer": SGD(lr=0.02)}, "bfloat16")
    assert "weight: gradient" in line and "times what was asked" in line
    assert "decay" not in line


def test_coefficients_are_called_what_was_asked_for_however_wide_the_error_bars(bench: Any) -> None:
    """In bfloat16 a decay of 0.03 ± 0.01 could be η, or η·λ."""
    line = said(bench, LAWS["momentum"][0], LAWS["momentum"][0], "bfloat16")
    assert all(words in line for words in ("·∇L = η as asked", "·w = η·λ as asked", "·Δw₋₁ = μ as asked"))


FULL = {"batches": load(gallery.find("s1-xor")[0]).batches}  # all rows at once: no ragged batch
SPOKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no half": (
        {"loss": SquaredError(factor=1.0, reduction="mean")},
        {},
        "weight: gradient −0.0200·∇L, asked −0.0100·∇L: 2 times what was asked; "
        "bias: gradient −0.0200·∇L, asked −0.0100·∇L: 2 times what was asked",
    ),
    "half of the decay": (
        {"penalties": (L2(strength=1.5),)},
        {},
        "weight: decay −0.0150·w, asked −0.0300·w: what was asked ÷ 2",
    ),
    "a sum": (
        {"loss": SquaredError(factor=0.5, reduction="sum"), **FULL},
        FULL,
        "weight: gradient −0.120·∇L, asked −0.0100·∇L: 12.0 times what was asked; "
        "bias: gradient −0.120·∇L, asked −0.0100·∇L: 12.0 times what was asked",
    ),
    "a decayed bias": (LAWS["decayed bias"][0], {}, "bias: decay −0.0300·b, asked none"),
    "no decay": ({"penalties": ()}, {}, "weight: no decay, asked −0.0300·w"),
    "no momentum": (
        {},
        LAWS["momentum"][0],
        "weight: no momentum, asked 0.900·Δw₋₁; bias: no momentum, asked 0.900·Δb₋₁",
    ),
    "no schedule": (
        {"penalties": ()},
        {**LAWS["a stepped schedule"][0], "penalties": ()},
        "weight, bias: gradient −0.0100·∇L, asked −0.0100·s·∇L: it does not follow the schedule",
    ),
    "ascent": (
        LAWS["ascent"][0],
        {"penalties": ()},
        "weight, bias: gradient 0.0100·∇L, asked −0.0100·∇L: what was asked with the other sign",
    ),
    "Adam": (
        {"optimizer": Adam(lr=ETA)},
        {},
        "weight: not explained: no law of up to 5 terms is within rounding",
    ),
}


@pytest.mark.parametrize("what", SPOKEN)
def test_what_differs_is_said(what: str, bench: Any) -> None:
    run, asked, words = SPOKEN[what]
    line = said(bench, run, asked)
    assert line.startswith(words) if what == "Adam" else line == words


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("what", ["decayed bias", "dampening", "Nesterov", "L1 in the loss", "a stepped schedule"])
def test_of_a_correct_run_nothing_is_said_to_differ(what: str, dtype: str, bench: Any) -> None:
    line = said(bench, LAWS[what][0], LAWS[what][0], dtype)
    assert ", asked" not in line and "asked:" not in line


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-0.02, 1e-15, "−0.0200"),
        (1 / 3, 1e-15, "0.3333333333"),
        (1 / 3, 1e-6, "0.33333"),
        (0.021, 0.004, "(0.0210 ± 0.004)"),
        (0.0, 1e-3, "(0 ± 0.001)"),
        (123456.0, 1e-6, "123456"),
        (1.5e-9, 1e-15, "1.50e-9"),
        (float("inf"), 1.0, "(inf ± 1)"),
    ],
)
def test_numbers_have_the_digits_that_are_known(value: float, error: float, text: str) -> None:
    assert number(value, error) == text.replace("-", "−")


def test_formulas_are_written_as_people_write_them() -> None:
    terms = [Term("∇L", -0.02, 1e-12), Term("1", 0.5, 1e-12), Term("s·w", -0.03, 0.01)]
    assert formula(terms) == "Δw = −0.0200·∇L + 0.500 − (0.030 ± 0.01)·s·w, s = η_k/η₀"
    assert formula([]) == "Δw = 0"
