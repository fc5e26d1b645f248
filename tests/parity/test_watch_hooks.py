"""The hooks of the live check: there inside only, one step for each, and what they tell of a violation."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

import parity
from parity.features.watch import hooks as hooks_module
from tests.parity.watched import after_step, count_twice, hooks, one


def test_the_hooks_are_there_inside_only_also_when_the_body_raises() -> None:
    optimizer = torch.optim.SGD([one(5)], lr=0.1)
    with parity.watch(optimizer):
        assert hooks(optimizer) == 2
    assert hooks(optimizer) == 0
    with pytest.raises(KeyError), parity.watch(optimizer):
        raise KeyError
    assert hooks(optimizer) == 0


def test_a_step_that_calls_the_step_of_its_base_class_is_one_step() -> None:
    torch.optim.SGD([one(5)], lr=0.1)  # from here on the base class has hooks of its own
    optimizer = after_step(lambda _: None, torch.optim.SGD)([one(5)], lr=0.1)
    with parity.watch(optimizer, every=2) as watch:
        for _ in range(4):
            optimizer.step()
    assert (watch.report.steps, watch.report.judged) == (4, 2)


@pytest.mark.parametrize("name", ["SGD", "Muon"])
def test_after_a_step_that_raised_the_next_one_is_judged(name: str) -> None:
    def fail(optimizer: Any) -> None:
        if optimizer.fails:
            raise OSError("no luck")

    w = torch.randn(4, 6, generator=torch.Generator().manual_seed(6)).requires_grad_()
    w.grad = w.detach().flip(1)
    optimizer = after_step(fail, getattr(torch.optim, name))([w], lr=0.1)
    for every in (1, 2):
        with parity.watch(optimizer, every=every) as watch:
            optimizer.fails = True
            with pytest.raises(OSError, match="no luck"):
                optimizer.step()
            optimizer.fails = False
            optimizer.step()
        assert (watch.report.steps, watch.report.judged) == (2, 2 - every)
    with pytest.raises(OSError, match="no luck"), parity.watch(optimizer):
        optimizer.fails = True
        optimizer.step()
    assert not is_in_torch_dispatch_mode()
    assert hooks(optimizer) == 0


def test_an_exception_of_the_judge_comes_out_and_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("in the judge")

    monkeypatch.setattr(hooks_module, "compare", breaks)
    w = one(5)
    start = w.detach().clone()
    optimizer = torch.optim.SGD([w], lr=0.1)
    with (
        pytest.raises(ZeroDivisionError, match="in the judge") as caught,
        parity.watch(optimizer, on_violation="collect"),
    ):
        optimizer.step()
    assert "parity.watch could not judge step 0" in caught.value.__notes__[0]
    assert not torch.equal(start, w)  # the step itself was made
    assert hooks(optimizer) == 0


def test_a_violation_raises_warns_or_is_collected() -> None:
    def build() -> Any:
        return after_step(count_twice)([one(5)])

    optimizer = build()
    with pytest.warns(UserWarning, match="step is 2.0"), parity.watch(optimizer, on_violation="warn") as watch:
        optimizer.step()
    assert len(watch.report.violations) == 1
    optimizer = build()
    with warnings.catch_warnings(), parity.watch(optimizer, on_violation="collect", every=1) as watch:
        warnings.simplefilter("error")
        for _ in range(12):
            optimizer.step()
    assert [violation.step for violation in watch.report.violations] == list(range(12))
    text = str(watch.report)
    assert text.startswith("Changed: 12 of 12 steps judged, ")
    assert "12 violations:\n  step 0, group 0, parameter 0 (group 0): step is 2.0, expected 1.0 ± 0" in text
    assert text.endswith("  and 2 more")


def test_the_report_of_a_correct_run_and_of_none_at_all() -> None:
    optimizer = torch.optim.SGD([one(5)], lr=0.1)
    with parity.watch(optimizer) as watch:
        assert str(watch.report).splitlines()[-1] == "nothing was judged"
        optimizer.step()
    lines = str(watch.report).splitlines()
    assert lines[0].startswith("SGD: 1 of 1 steps judged, 10 numbers compared, ")
    assert lines[1].startswith("largest share of the tolerance: parameter 0.")
    assert lines[2:] == ["no violation"]


def test_parameters_are_called_by_the_names_of_the_model_of_the_optimizer_or_by_their_place() -> None:
    model = nn.Linear(3, 2)
    for give, named, expected in (
        (model, False, "bias"),
        (None, True, "bias"),
        (None, False, "group 0, parameter 1"),
        (nn.Linear(3, 2), False, "group 0, parameter 1"),
    ):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        parameters: Any = model.named_parameters() if named else model.parameters()
        optimizer = after_step(lambda o: o.param_groups[0]["params"][1].add_(1.0))(parameters)
        with parity.watch(optimizer, model=give, on_violation="collect") as watch:
            optimizer.step()
        assert [violation.parameter for violation in watch.report.violations] == [expected]
