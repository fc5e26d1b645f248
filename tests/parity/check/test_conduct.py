"""What no optimizer must do is caught, and nothing else is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from parity import check
from parity.errors import InputError
from parity.explain import feeds
from parity.features.check.conduct import RULES, faults
from parity.features.check.drive import Driver
from tests.parity.check.classes import descend, made, own

pytestmark = pytest.mark.usefixtures("few_situations")


def broken(cls: Any, **hyper: Any) -> dict[str, str]:
    """The rules that a class breaks, with the evidence."""
    return {fault.id: fault.evidence for fault in faults(Driver(cls, hyper), feeds.SHAPES)}


# -- what none must do -------------------------------------------------------------------------------------------------


def _in_place(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(grad.mul_(group["lr"]))


def _last_left_out(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    whole = max(param.numel() // 8 * 8, 1)
    step = torch.zeros_like(param).flatten()
    step[:whole] = grad.flatten()[:whole]
    param.sub_(group["lr"] * step.view_as(param))


def _moves_idle(param: Tensor, grad: Tensor | None, group: dict[str, Any], state: dict[str, Any]) -> None:
    if grad is not None:
        state["b"] = 0.9 * state.get("b", 0) + grad
    if "b" in state:
        param.sub_(group["lr"] * state["b"])


def _decays_idle(param: Tensor, grad: Tensor | None, group: dict[str, Any], _: Any) -> None:
    param.mul_(1 - 1e-3)
    if grad is not None:
        param.sub_(group["lr"] * grad)


def _by_memory(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    place = torch.as_strided(param, (param.numel(),), (1,), param.storage_offset())
    place.sub_(group["lr"] * grad.flatten())


def _noisy(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * (grad + torch.randn_like(grad)))


def _divides(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad / grad.abs())


def _schedules(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad)
    group["lr"] *= 0.99


def _no_gradient(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad.clone())


class FirstGroup(torch.optim.Optimizer):
    """Reads lr from the first group only."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(self.param_groups[0]["lr"] * param.grad)


class OwnCount(torch.optim.Optimizer):
    """Counts its steps where no state_dict has them."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})
        self.count = 0

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(group["lr"] / self.count * param.grad)


@pytest.mark.parametrize(
    ("cls", "ids"),
    [
        pytest.param(made(descend), set(), id="nothing"),
        pytest.param(made(_in_place), {"gradient-changed"}, id="gradient"),
        pytest.param(made(_last_left_out), {"element-left-out"}, id="last-elements"),
        pytest.param(OwnCount, {"state-not-restored"}, id="state"),
        pytest.param(made(_moves_idle, skip_none=False), {"moved-frozen"}, id="frozen"),
        pytest.param(
            made(_decays_idle, skip_none=False),
            {"moved-without-gradient", "moved-frozen", "moved-not-required"},
            id="idle",
        ),
        pytest.param(
            made(_no_gradient, skip_none=False),
            {"moved-without-gradient", "moved-frozen", "moved-not-required"},
            id="gradient-none",
        ),
        pytest.param(made(_by_memory), {"layout"}, id="memory"),
        pytest.param(made(_noisy), {"global-random-state"}, id="noise"),
        pytest.param(made(_divides), {"not-finite"}, id="zero-division"),
        pytest.param(made(_schedules), {"hyper-parameters-changed"}, id="hyper"),
        pytest.param(FirstGroup, {"group-ignored"}, id="group"),
    ],
)
def test_each_planted_fault_of_conduct_is_found_and_no_other(cls: Any, ids: set[str]) -> None:
    found = broken(cls, lr=0.01)
    assert found.keys() == ids
    assert all(found.values())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RMSprop", "Rprop", "ASGD", "Adagrad", "Adafactor"])
def test_optimizers_of_torch_break_no_rule(name: str) -> None:
    assert broken(getattr(torch.optim, name)) == {}


def test_a_step_that_crashes_without_gradient_says_so() -> None:
    evidence = {fault.id: fault for fault in faults(Driver(made(_no_gradient, skip_none=False), {}), feeds.SHAPES)}
    assert "AttributeError: 'NoneType' object has no attribute 'clone'" in evidence["moved-without-gradient"].text


def test_a_state_that_a_step_makes_without_gradient_is_found() -> None:
    def step(param: Tensor, grad: Tensor | None, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["steps"] = state.get("steps", 0) + 1
        if grad is not None:
            param.sub_(group["lr"] * grad)

    assert "has got a state: steps" in broken(made(step, skip_none=False))["moved-without-gradient"]


def test_the_last_elements_are_named() -> None:
    assert "15 elements: 8, 9, 10, 11, …" in broken(made(_last_left_out))["element-left-out"]


def test_two_runs_that_differ_are_found() -> None:
    drift = iter(range(1, 100_000))

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.sub_(group["lr"] * (1 + 1e-12 * next(drift)) * grad)

    assert "not-repeatable" in broken(made(step))


@pytest.mark.usefixtures("few_references")
def test_a_fault_makes_a_right_update_disagree() -> None:
    found = own(_in_place)
    assert found.verdict == "disagree" and found.share <= 1
    assert found.family == "SGD(lr=0.01)"
    assert "add_" in found.findings[0].change


def test_every_rule_says_what_to_do() -> None:
    assert all(rule.text and rule.change for rule in RULES.values())


# -- numbers that overflow ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1e308, -1e31, math.inf, 10**400], ids=["1e308", "-1e31", "inf", "10^400"])
def test_a_number_that_float32_cannot_hold_is_refused_before_the_class_is_tried(value: float) -> None:
    with pytest.raises(InputError, match=r"lr=.*: allowed: finite numbers, at most 1e\+30 in size"):
        check("torch.optim:SGD", hyper={"lr": value})


def test_steps_that_overflow_whatever_the_layout_are_no_fault_of_the_layout() -> None:
    assert set(broken(torch.optim.SGD, lr=1e308)) == {"not-finite"}
