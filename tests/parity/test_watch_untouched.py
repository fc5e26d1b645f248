"""What a step must not touch, the gradients, the state and what it was not given, is watched, too."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import parity
from parity.features.watch.report import Violated
from tests.parity.watched import after_step, count_twice, one


def spoil_gradient(optimizer: Any) -> None:
    optimizer.param_groups[0]["params"][0].grad[3] = 0


def move_idle(optimizer: Any) -> None:
    optimizer.param_groups[0]["params"][1].mul_(0.999)


def keep_more(optimizer: Any) -> None:
    next(iter(optimizer.state.values()))["extra"] = torch.ones(50)


def keep_less(optimizer: Any) -> None:
    del next(iter(optimizer.state.values()))["exp_avg"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (spoil_gradient, r"parameter 0 \(group 0\): grad untouched\[3\] is 0.0"),
        (move_idle, r"parameter 1 \(group 0\): untouched\[\d+\] is"),
        (count_twice, r"parameter 0 \(group 0\): step is 2.0, expected 1.0 ± 0"),
        (keep_more, r"parameter 0 \(group 0\): no extra in the reference"),
        (keep_less, r"parameter 0 \(group 0\): no exp_avg in the optimizer"),
    ],
)
def test_what_a_step_must_not_do_is_caught_and_named(change: Any, text: str) -> None:
    idle = one(50)
    idle.grad = None
    optimizer = after_step(change)([one(50), idle])
    with pytest.raises(Violated, match=text), parity.watch(optimizer):
        optimizer.step()


def test_overwriting_of_the_gradient_by_foreach_nesterov_is_reported_as_the_deviation_that_it_is() -> None:
    w = one(50)
    before = w.grad.clone() if w.grad is not None else None
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, nesterov=True, foreach=True)
    with parity.watch(optimizer, on_violation="collect") as watch:
        optimizer.step()
    assert before is not None
    assert w.grad is not None
    overwritten = not torch.equal(before, w.grad)
    assert {violation.quantity for violation in watch.report.violations} == (
        {"grad untouched"} if overwritten else set()
    )
