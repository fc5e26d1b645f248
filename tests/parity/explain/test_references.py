"""A reference is recognised by the steps that torch's optimizers really made, and a faulty optimizer by none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from parity.errors import InputError
from parity.explain.motion import Motion
from parity.explain.replay import replay
from parity.explain.update.references import ReferenceFit, fit
from parity.features.verify.options import OPTIONS
from parity.step.expected import compare
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import OPTIMIZERS, SGD, Adam, AdEMAMix, Rprop

TELLING = {
    "SGD": "momentum+decay",
    "Adam": "amsgrad+decay+maximize",
    "AdamW": "decay",
    "NAdam": "decoupled",
    "RAdam": "rectified",
    "Adamax": "averages",
    "SparseAdam": "averages",
    "Adagrad": "accumulator",
    "Adadelta": "rho",
    "RMSprop": "all",
    "Rprop": "etas",
    "ASGD": "lambd",
    "Adafactor": "decay",
}
"""For each optimizer of torch options that tell it from every other."""
ALIKE = {"SparseAdam": {"adabound"}}
"""What fits as asked, too: AdaBound has ε before the correction as well, and its bounds do not act in so few steps."""
FEW = {name: OPTIMIZERS[name] for name in ("sgd", "sgdw", "adam", "adamw", "rmsprop", "adagrad")}


def record(
    make: Callable[[list[torch.Tensor]], Any],
    dtype: str = "float64",
    *,
    steps: int = 12,
    sparse: bool = False,
    rates: Sequence[float] = (),
    shapes: Sequence[tuple[int, ...]] = ((3, 5),),
) -> list[Motion]:
    """What an optimizer makes of drawn gradients."""
    rng = np.random.default_rng(7)

    def draw(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape)).to(getattr(torch, dtype))

    params = [draw(shape).requires_grad_() for shape in shapes]
    optimizer = make(params)
    weights, gradients = [[exact(p)] for p in params], [[] for _ in params]
    for k in range(steps):
        for group in optimizer.param_groups if len(rates) else ():
            group["lr"] = rates[k]
        for i, param in enumerate(params):
            gradient = draw(tuple(param.shape))
            gradients[i].append(exact(gradient))
            param.grad = gradient.to_sparse() if sparse else gradient
        optimizer.step()
        for i, param in enumerate(params):
            weights[i].append(exact(param))
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32" if dtype == "bfloat16" else dtype])
    return [
        Motion(
            parameter=f"p{i}",
            weights=np.stack(weights[i]),
            gradient=Bounded.tensor(np.stack(gradients[i]), profile),
            format=FORMATS[dtype],
            profile=profile,
            factor=np.asarray(rates) / rates[0] if len(rates) else np.ones(steps),
        )
        for i in range(len(params))
    ]


def exact(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy().copy()


def of(fits: Sequence[ReferenceFit], name: str) -> ReferenceFit:
    return next(each for each in fits if each.name == name)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float32") for name in TELLING),
        *(pytest.param(name, "float64", marks=() if name == "SGD" else pytest.mark.slow) for name in TELLING),
    ],
)
def test_every_optimizer_of_torch_is_recognised_by_name_and_options(name: str, dtype: str) -> None:
    options: Mapping[str, Any] = OPTIONS[name][TELLING[name]]
    shapes = ((3, 5), (7,), (1,))
    motions = record(
        lambda params: getattr(torch.optim, name)(params, **options), dtype, sparse=name == "SparseAdam", shapes=shapes
    )
    first, *others = fit(motions, options)
    assert first.fits and type(first.optimizer).__name__ == name
    assert first.changed == ()
    assert all(
        getattr(first.optimizer, f.name) == options[f.name] for f in fields(first.optimizer) if f.name in options
    )
    assert {each.name for each in others if each.fits and not each.changed} == ALIKE.get(name, set())


def test_coupled_decay_is_told_from_decoupled() -> None:
    motions = record(lambda params: torch.optim.Adam(params, lr=0.01, weight_decay=0.1))
    first, *others = fit(motions, {"lr": 0.01, "weight_decay": 0.1})
    assert first.fits and first.optimizer == Adam(lr=0.01, weight_decay=0.1)
    assert not of(others, "adamw").fits and of(others, "adamw").residual > 0


@dataclass(frozen=True)
class Wrong:
    """What was run beside what was asked for, and the one number that differs."""

    made: Callable[[list[torch.Tensor]], Any]
    asked: Mapping[str, Any]
    name: str
    number: str
    value: float


WRONG = {
    "rate": Wrong(lambda p: torch.optim.Adam(p, lr=0.023), {"lr": 0.01}, "adam", "lr", 0.023),
    "average": Wrong(lambda p: torch.optim.AdamW(p, betas=(0.9, 0.98)), {"lr": 0.001}, "adamw", "betas[1]", 0.98),
    "decay": Wrong(lambda p: torch.optim.SGD(p, lr=0.1), {"lr": 0.1, "weight_decay": 0.3}, "sgd", "weight_decay", 0.0),
    "momentum": Wrong(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), {"lr": 0.1}, "sgd", "momentum", 0.9),
    "lr_decay": Wrong(
        lambda p: torch.optim.Adagrad(p, lr=0.1), {"lr": 0.1, "lr_decay": 0.2}, "adagrad", "lr_decay", 0.0
    ),
}


@pytest.mark.parametrize(
    ("which", "dtype"),
    [
        ("rate", "float32"),
        ("average", "float64"),
        ("momentum", "float64"),
        *(pytest.param(which, "float64", marks=pytest.mark.slow) for which in ("rate", "decay", "lr_decay")),
        pytest.param("momentum", "float32", marks=pytest.mark.slow),
    ],
)
def test_a_number_that_was_not_asked_for_is_found_with_its_few_digits(which: str, dtype: str) -> None:
    wrong = WRONG[which]
    first = fit(
        record(wrong.made, dtype), wrong.asked, {wrong.name: OPTIMIZERS[wrong.name], "rprop": OPTIMIZERS["rprop"]}
    )[0]
    assert first.fits and first.name == wrong.name and set(first.changed) == {wrong.number}
    name, _, index = wrong.number.removesuffix("]").partition("[")
    value = getattr(first.optimizer, name)
    assert (value[int(index)] if index else value) == wrong.value


@pytest.mark.parametrize(
    "families", [FEW, pytest.param(OPTIMIZERS, marks=pytest.mark.slow)], ids=["few families", "all families"]
)
def test_an_option_that_was_not_asked_for_is_found(families: Mapping[str, Any]) -> None:
    motions = record(lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True))
    first = fit(motions, {"lr": 0.1}, families)[0]
    assert first.optimizer == SGD(lr=0.1, momentum=0.9, nesterov=True)
    assert set(first.changed) == {"momentum", "nesterov"}


class Faulty(torch.optim.Optimizer):
    """Adam with ε inside the root, or without the corrections."""

    def __init__(self, params: list[torch.Tensor], *, inside: bool, corrected: bool) -> None:
        super().__init__(params, {})
        self.inside, self.corrected = inside, corrected

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for param in self.param_groups[0]["params"]:
            state = self.state[param]
            t = state["t"] = state.get("t", 0) + 1
            m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * param.grad
            v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * param.grad**2
            c1, c2 = (1 - 0.9**t, 1 - 0.999**t) if self.corrected else (1, 1)
            root = (v / c2 + 1e-3).sqrt() if self.inside else (v / c2).sqrt() + 1e-3
            param -= 0.01 * (m / c1) / root


INSIDE, UNCORRECTED = {"inside": True, "corrected": True}, {"inside": False, "corrected": False}


@pytest.mark.parametrize(
    ("fault", "families", "dtype"),
    [
        (INSIDE, ("adam", "sgd"), "float64"),
        pytest.param(INSIDE, FEW, "float32", marks=pytest.mark.slow),
        pytest.param(UNCORRECTED, FEW, "float64", marks=pytest.mark.slow),
        pytest.param(UNCORRECTED, FEW, "float32", marks=pytest.mark.slow),
    ],
    ids=["inside", "inside-float32", "uncorrected", "uncorrected-float32"],
)
def test_a_faulty_optimizer_fits_no_family_and_that_is_said(
    fault: Mapping[str, bool], families: Sequence[str], dtype: str
) -> None:
    asked = {"lr": 0.01, "eps": 1e-3}
    found = fit(record(lambda params: Faulty(params, **fault), dtype), asked, {name: FEW[name] for name in families})
    assert not any(each.fits for each in found)
    assert all(each.residual > 0 for each in found)


def test_references_with_the_same_law_come_in_the_order_of_the_registry() -> None:
    found = fit(record(lambda params: torch.optim.SGD(params, lr=0.1)), {"lr": 0.1})
    assert [each.name for each in found[:3]] == ["sgd", "sgdw", "proximal_sgd"]
    assert all(each.fits and not each.changed for each in found[:3])


def test_a_scheduled_rate_is_followed() -> None:
    rates = [0.1 * 0.7**k for k in range(12)]
    motions = record(lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9), rates=rates)
    asked = {"lr": 0.1, "momentum": 0.9}
    assert fit(motions, asked, FEW)[0].fits
    assert fit(motions, {"lr": 0.1}, {"sgd": SGD})[0].changed == ("momentum",)
    unscheduled = [replace(motion, factor=np.ones(12)) for motion in motions]
    assert not fit(unscheduled, asked, {"sgd": SGD})[0].fits


def test_step_sizes_made_of_hyper_parameters_alone_are_rounded_like_tensors() -> None:
    motions = record(lambda params: torch.optim.Rprop(params, lr=0.03, etas=(0.4, 1.3)), "float32", steps=40)
    for motion in motions:
        (comparison,) = compare(replay(Rprop(lr=0.03, etas=(0.4, 1.3)), motion))
        assert 0.1 < comparison.used <= 1


def test_the_replay_names_the_first_step_that_is_wrong() -> None:
    motion = record(lambda params: torch.optim.SGD(params, lr=0.1))[0]
    motion.weights[5:, 0, 0] += 1e-9
    (comparison,) = compare(replay(SGD(lr=0.1), motion))
    assert comparison.disagreement is not None
    assert (comparison.disagreement.step, comparison.disagreement.index) == (4, (0, 0, 0)[-2:])


def test_a_run_is_judged_up_to_its_first_number_that_is_not_finite() -> None:
    motions = record(lambda params: torch.optim.SGD(params, lr=0.1))
    for motion in motions:
        motion.weights[7:] = np.nan
    pieces = list(replay(SGD(lr=0.1), motions[0]))
    assert len(pieces) == 7 and np.all(pieces[-1].share == np.inf)
    for motion in motions:
        motion.weights[:] = np.nan
    with pytest.raises(InputError, match="no step from finite weights"):
        fit(motions, {"lr": 0.1})


def test_a_reference_that_breaks_does_not_break_the_search() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Broken(SGD):
        def init(self, param: Any) -> Any:
            raise ZeroDivisionError(f"planted for {param.ndim} axes")

    found = fit(record(lambda params: torch.optim.SGD(params, lr=0.1)), {"lr": 0.1}, {"broken": Broken, "sgd": SGD})
    assert found[0].name == "sgd" and found[0].fits
    assert found[1].text == "broken could not be tried: ZeroDivisionError: planted for 3 axes"


def test_options_of_other_families_are_passed_over_and_counted() -> None:
    motions = record(lambda params: torch.optim.SGD(params, lr=0.1))
    asked = {"lr": 0.1, "momentum": 0.9, "foreach": True, "eps": 1e-8}
    first = fit(motions, asked, {name: OPTIMIZERS[name] for name in ("sgd", "adam")})[0]
    assert first.name == "sgd" and set(first.changed) == {"momentum", "eps"}


def test_muon_is_left_out_and_that_is_said() -> None:
    motions = record(lambda params: torch.optim.SGD(params, lr=0.1), steps=2)
    muon = of(fit(motions, {"lr": 0.1}, {"sgd": SGD, "muon": OPTIMIZERS["muon"]}), "muon")
    assert not muon.fits and "left out" in muon.text


class OfReference:
    """A reference in the place of an optimizer of torch."""

    param_groups = ()

    def __init__(self, reference: Any, params: list[torch.Tensor]) -> None:
        self.reference, self.params = reference, params
        self.states: list[Any] = [{} for _ in params]

    @torch.no_grad()
    def step(self) -> None:
        for i, param in enumerate(self.params):
            after, self.states[i] = self.reference.step(param.numpy()[None], param.grad.numpy()[None], self.states[i])  # type: ignore[union-attr]  # it has one
            param.copy_(torch.from_numpy(after[0]))


def test_a_number_called_alpha_that_is_no_share_is_solved_for_as_it_is() -> None:
    """1 − α has no logarithm where α is 5."""
    motions = record(lambda params: OfReference(AdEMAMix(lr=0.01, alpha=7.0), params))
    (found,) = fit(motions, {"lr": 0.01, "alpha": 5.0}, {"ademamix": AdEMAMix})
    assert found.fits and found.changed == ("alpha",)
    assert found.optimizer.alpha == pytest.approx(7.0, rel=1e-9)  # type: ignore[union-attr]
