"""Optimizer classes of one's own: numbers and decay that are executed, and what no reference is."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from parity.errors import InputError
from parity.explain import feeds
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.held import parse_against
from parity.features.check.identify import identify
from parity.features.check.invariance import facts
from parity.features.check.optimizer import conclude
from tests.parity.check.classes import DECAYED, Step, descend, made, own

pytestmark = pytest.mark.usefixtures("few_situations")

# -- numbers that are executed -----------------------------------------------------------------------------------------


def _adam(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any], eps: float = 1e-8) -> None:
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
    v = state["v"] = 0.999 * state.get("v", 0) + (1 - 0.999) * grad * grad
    param.sub_(group["lr"] * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + eps))


def _heavy(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
    b = state["b"] = 0.9 * state.get("b", 0) + grad
    param.sub_(group["lr"] * b)


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_a_number_that_is_executed_with_another_value_is_found() -> None:
    found = own(partial(descend, factor=2.0), {"lr": 0.01})
    assert [finding.id for finding in found.findings] == ["lr-doubled"]
    assert "η is twice what was asked (lr = 0.02, asked 0.01)" in found.text


@pytest.mark.usefixtures("few_references")
def test_a_number_inside_of_the_code_is_found() -> None:
    found = own(partial(_adam, eps=1e-7), {"lr": 0.01}, "adam")
    assert [finding.id for finding in found.findings] == ["eps-other"]
    assert "eps = 1e-07, asked 1e-08" in found.text


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_an_epsilon_of_1e_minus_16_is_no_agreement() -> None:
    """Nothing loose lets a wrong formula pass: what is below float32's rounding is seen in float64."""

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["count"] = torch.ones(())  # as torch keeps its count
        v = state["v"] = 0.99 * state.get("v", 0) + (1 - 0.99) * grad * grad
        param.sub_(group["lr"] * grad / ((v + 1e-16).sqrt() + 1e-8))

    found = own(step, {"lr": 0.01}, "rmsprop")
    assert found.verdict == "disagree"
    assert "√(v + ε) in the place" not in found.text


@pytest.mark.usefixtures("few_references")
def test_a_dtype_in_which_it_is_something_else_is_named() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.add_(grad, alpha=-group["lr"] * (1.001 if param.dtype == torch.float32 else 1.0))

    found = conclude(examine(made(step), {}), {}, None)
    assert [finding.id for finding in found.findings] == ["dtype-float32"]
    assert "though it is in float64" in found.text


# -- decay -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_parameters_that_are_not_decayed_are_told() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if param.ndim > 1:
            param.mul_(1 - group["lr"] * group["weight_decay"])
        _heavy(param, grad, group, state)

    found = own(step, DECAYED, name="SGDW")
    assert found.verdict == "agree"
    assert found.family == (
        "SGDW(lr=0.01, momentum=0.9, weight_decay=0.1) for weight and twin and late, "
        "SGDW(lr=0.01, momentum=0.9) for vector and bias"
    )
    against = own(step, DECAYED, "sgdw(momentum=0.9)")
    assert "no weight decay (of vector and bias only)" in against.text


@pytest.mark.usefixtures("few_references")
def test_a_decay_that_is_off_is_tried_as_well() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.mul_(1 - group["weight_decay"]).sub_(group["lr"] * grad)

    found = own(step, {"lr": 0.01}, "sgdw")
    assert found.verdict == "disagree" and found.findings[0].id == "decay-when-on"
    assert "with weight_decay = 0.1, which is off here" in found.text
    assert "not multiplied by η" in found.text
    said = own(step, {"lr": 0.01, "weight_decay": 0.0}, "sgdw")
    assert said.verdict == "agree" and "not multiplied by η" in said.notes[0]
    assert own(step, {"lr": 0.01}, "sgdw(weight_decay=0.0)").verdict == "agree"


# -- what no reference is ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few_references")
def test_what_is_no_reference_is_told_by_measurement_and_not_judged() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["b"] = 0.5 * state.get("b", 0) + grad / grad.norm().clamp_min(1e-30)
        param.sub_(group["lr"] * state["b"] * state["b"].abs())

    found = own(step)
    assert (found.verdict, found.share, found.family, found.findings) == ("undecidable", math.inf, "", ())
    said = "\n".join(found.notes)
    assert "1024 times the scale of the gradients makes the same steps" in said
    assert "steps are proportional to lr" in said
    assert "changes the steps of 32 others" in said
    assert "with 0.25, 0.0625" in said
    assert "the nearest reference is" in found.text


def _trusted(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * param.norm() * grad / grad.norm().clamp_min(1e-30))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param(
            descend, ["proportional to the scale of the gradients", "changes the steps of no other"], id="sgd"
        ),
        pytest.param(descend, ["no momentum", "the first step is −0.01 = 1·η times the gradient"], id="sgd-first"),
        pytest.param(_trusted, ["proportional to the weights", "of the gradients makes the same"], id="trust-ratio"),
    ],
)
def test_what_a_step_depends_on_is_measured(step: Step, said: list[str]) -> None:
    driver = Driver(made(step), {"lr": 0.01})
    told = "\n".join(facts({name: driver.play(feed) for name, feed in feeds.feeds(feeds.SHAPES, driver.hyper)}, 0.01))
    assert all(part in told for part in said), told


@pytest.mark.slow
def test_two_references_in_one_class_are_told_apart() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        (_adam if param.ndim > 1 else _heavy)(param, grad, group, state)

    found = own(step)
    assert (found.verdict, found.family) == (
        "agree",
        "Adam(lr=0.01) for weight and twin and late, SGD(lr=0.01, momentum=0.9) for vector and bias",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_matrices_only_is_enough() -> None:
    found = examine(torch.optim.Muon, {"lr": 0.01}, dtypes=("float64",))
    assert list(found.shapes) == ["weight"] and "only supports 2D" in found.notes[0]
    assert identify(found)[0] is None


def test_a_class_that_a_late_gradient_makes_raise_is_told_and_still_explained() -> None:
    class AllAtOnce(torch.optim.Optimizer):
        """Momentum that is used before it is advanced; the first parameter decides whether all have a buffer."""

        def __init__(self, params: Any, lr: float = 0.01) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self) -> None:
            with_gradient = [p for p in self.param_groups[0]["params"] if p.grad is not None]
            first = "buffer" not in self.state[with_gradient[0]]
            for p in with_gradient:
                if first:
                    self.state[p]["buffer"] = p.grad.clone()
                p -= self.param_groups[0]["lr"] * self.state[p]["buffer"]
                if not first:
                    self.state[p]["buffer"].mul_(0.9).add_(p.grad)

    found = conclude(examine(AllAtOnce, {}), {}, "sgd(momentum=0.9)")
    assert [finding.id for finding in found.findings][1:] == ["late-gradient-raises"]
    assert "it is advanced after it was used; it raises KeyError: 'buffer'" in found.text


@pytest.mark.slow
def test_a_limit_that_is_another_number_is_told() -> None:
    """RAdam as in the paper, which rectifies from ρ > 4 on; torch does from ρ > 5 on."""

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        t = state["step"] = state.get("step", 0) + 1
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
        v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * grad * grad
        most = 2 / (1 - 0.999) - 1
        rho = most - 2 * t * 0.999**t / (1 - 0.999**t)
        update = m / (1 - 0.9**t)
        if rho > 4:
            r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            update = update * r * math.sqrt(1 - 0.999**t) / (v.sqrt() + 1e-8)
        param.add_(update, alpha=-group["lr"])

    found = conclude(examine(made(step, lr=0.001), {}, ("float64",)), {}, "radam")
    assert "rho > 4 stands for rho > 5" in found.text


@pytest.mark.usefixtures("few_references")
def test_a_step_that_demands_a_closure_gets_one() -> None:
    class WithClosure(made(descend)):  # type: ignore[misc]
        def step(self, closure: Any) -> Any:
            loss = closure()
            super().step()
            return loss

    assert conclude(examine(WithClosure, {}, ("float64",)), {}).family == "SGD(lr=0.01)"


# -- float64 -----------------------------------------------------------------------------------------------------------


def _rounds(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
    _heavy(param, grad, group, state)
    param.copy_(param.float())


def _moves_narrowly(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
    b = state["b"] = 0.9 * state.get("b", 0) + grad
    param.sub_((group["lr"] * b.float()).to(param.dtype))


def _rate_of_float32(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
    b = state["b"] = 0.9 * state.get("b", 0) + grad
    state["rate"] = torch.tensor(group["lr"], dtype=torch.float32)
    param.sub_(state["rate"].double() * b)


@pytest.mark.every_case
@pytest.mark.usefixtures("few_references")
@pytest.mark.parametrize(
    ("step", "id"),
    [(_rounds, "float32-weights"), (_moves_narrowly, "float32-moves"), (_rate_of_float32, "float32-numbers")],
)
def test_a_float64_step_that_is_rounded_to_float32_is_a_finding(step: Step, id: str) -> None:
    found = own(step, {"lr": 0.01}, "sgd(momentum=0.9)")
    assert found.verdict == "disagree"
    assert found.findings[0].id == id


# -- wrappers ----------------------------------------------------------------------------------------------------------


class _Lookahead(torch.optim.SGD):
    every = 5

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        own = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        slow = {p: self.state[p].setdefault("slow", p.clone()) for p in own}
        loss = super().step(closure)
        for p, s in slow.items():
            self.state[p]["count"] = self.state[p].get("count", 0) + 1
            if self.state[p]["count"] % self.every == 0:
                s.lerp_(p, 0.5)
                p.copy_(s)
        return loss


class _SAM(torch.optim.Optimizer):
    """As in its paper; ``back``: whether it goes back before the step."""

    back, rho = True, 0.05

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any) -> Any:
        loss = closure()
        with torch.no_grad():
            own = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            norm = torch.stack([p.grad.norm() for p in own]).norm() + 1e-12
            moves = [self.rho * p.grad / norm for p in own]
            for p, e in zip(own, moves, strict=True):
                p.add_(e)
        closure()
        with torch.no_grad():
            lr = {p: group["lr"] for group in self.param_groups for p in group["params"]}
            for p, e in zip(own, moves, strict=True):
                p.sub_(e if self.back else 0 * e).sub_(lr[p] * p.grad)
        return loss


@pytest.mark.every_case
@pytest.mark.usefixtures("few_references")
@pytest.mark.parametrize(
    ("cls", "against", "id"),
    [
        (_Lookahead, "lookahead(sgd)", ""),
        (_Lookahead, "lookahead(sgd, k=4)", "k-other"),
        (_SAM, "sam(sgd)", ""),
        (_SAM, "sam(sgd, rho=0.1)", "sam-elsewhere"),
        (type("NotBack", (_SAM,), {"back": False}), "sam(sgd)", "sam-not-back"),
        (torch.optim.SGD, "sam(sgd)", "sam-absent"),
    ],
)
def test_a_class_is_held_to_a_wrapper(cls: Any, against: str, id: str) -> None:
    found = conclude(examine(cls, {"lr": 0.01}, ("float64",)), {"lr": 0.01}, against)
    assert found.verdict == ("disagree" if id else "agree"), found.text
    assert not id or id in [one.id for one in found.findings]


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("lookahead", "lookahead is put around a reference: lookahead\\(sgd\\)"),
        ("sgd(adam)", "sgd is put around nothing"),
        ("lookahead(sdg)", "no such reference; did you mean 'sgd'"),
        ("lookahead(sgd, q=1)", "lookahead has no q; it has k, alpha"),
        ("lookahead(sgd, 3)", "allowed: a name"),
    ],
)
def test_a_wrapper_that_is_not_asked_for_rightly_is_refused(against: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_against(against)
