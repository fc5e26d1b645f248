"""What a case says: a correct step agrees, and each fault of a step is caught and named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from parity.features.verify import session as session_module
from parity.features.verify.options import OPTIONS
from parity.features.verify.run_case import run_case
from parity.record.reference import REFERENCES
from parity.situations import SITUATIONS
from tests.parity.verify.cases import (
    broken,
    case,
    count_twice,
    decay_the_idle,
    last_element,
    move_storage,
    nudge_gradient,
)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_correct_implementation_agrees_in_every_situation(situation: str) -> None:
    result = run_case(case(situation=situation, optimizer="RMSprop", options="all"))
    assert result.verdict == ("unsupported" if situation == "sparse" else "agree"), result.text


@pytest.mark.parametrize("optimizer", sorted(REFERENCES.keys() & OPTIONS.keys()))
def test_a_rate_that_is_wrong_by_a_little_is_caught(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference of every optimizer is given a learning rate that is 1e-4 too large; torch has the right one."""
    situation = "sparse" if optimizer == "SparseAdam" else "plain"
    options = next(iter(OPTIONS[optimizer]))
    right = case(optimizer=optimizer, options=options, situation=situation)
    assert run_case(right).verdict == "agree"
    original = session_module.Session.hyper_of

    def wrong(self: Any, name: str) -> Any:
        reference = original(self, name)
        if optimizer == "Rprop":  # whose rate is only its first step
            return dataclasses.replace(reference, etas=(reference.etas[0], reference.etas[1] * 1.0001))
        return dataclasses.replace(reference, lr=reference.lr * 1.0001)

    monkeypatch.setattr(session_module.Session, "hyper_of", wrong)
    assert run_case(right).verdict == "disagree"


@pytest.mark.parametrize(
    ("change", "situation", "check"),
    [
        (nudge_gradient, "plain", "grad untouched"),
        (decay_the_idle, "no-gradient", "untouched"),
        (count_twice, "plain", "step"),
        (move_storage, "plain", "storage"),
        (last_element, "plain", "weight"),
        (last_element, "reload", "weight"),
    ],
)
def test_what_a_step_must_not_do_is_caught_and_named(
    change: Any, situation: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.optim, "Adam", broken(change))
    result = run_case(case(situation=situation))
    assert result.verdict == "disagree"
    assert result.check == check


def test_a_path_that_did_not_run_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Quiet(torch.optim.Adam):
        """Says foreach and uses the for-loop."""

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                group["foreach"] = False
            super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Quiet)
    result = run_case(case(implementation="foreach"))
    assert result.verdict == "error" and "_multi_tensor_adam" in result.text


def test_a_case_does_not_depend_on_what_another_left_of_torchs_modes() -> None:
    with torch.no_grad():
        assert run_case(case(implementation="differentiable")).verdict == "agree"


def test_a_decay_below_the_resolution_of_the_dtype_is_undecidable_and_says_so() -> None:
    result = run_case(case(optimizer="AdamW", options="defaults", dtype="bfloat16"))
    assert result.verdict == "undecidable"
    assert "ηλ = 1e-05 is below half a unit of bfloat16 at this weight" in result.text


def test_what_torch_refuses_is_unsupported_in_its_words() -> None:
    result = run_case(case(implementation="capturable"))
    assert result.verdict == "unsupported" and "capturable=True" in result.text
    result = run_case(case(optimizer="RMSprop", options="defaults", implementation="fused"))
    assert (result.verdict, result.text) == ("unsupported", "torch.optim.RMSprop has no option fused")


def test_an_exception_of_a_step_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    monkeypatch.setattr(torch.optim.Adam, "step", failing)
    result = run_case(case())
    assert (result.verdict, result.check) == ("disagree", "step raises")


def test_a_gradient_that_changes_under_a_gradient_scaler_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim, "Adam", broken(nudge_gradient))
    result = run_case(case(situation="scaler-skips-later"))
    assert (result.verdict, result.check) == ("disagree", "grad untouched")


def test_a_differentiable_step_that_is_none_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(torch.optim.RMSprop):
        """Says differentiable and is not."""

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                group["differentiable"] = False
            with torch.no_grad():
                super().step(closure)

    monkeypatch.setattr(torch.optim, "RMSprop", Plain)
    result = run_case(case(optimizer="RMSprop", options="decay", implementation="differentiable"))
    assert result.verdict == "error" and "differentiable path did not run" in result.text


def test_a_wrong_start_of_the_state_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    start = torch.optim.Adagrad.__init__

    def wrong(self: Any, *words: Any, **options: Any) -> None:
        start(self, *words, **options)
        for state in self.state.values():
            state["sum"] *= 1.001

    monkeypatch.setattr(torch.optim.Adagrad, "__init__", wrong)
    result = run_case(case(optimizer="Adagrad", options="accumulator"))
    assert (result.verdict, result.check) == ("disagree", "sum initial")
