"""Steps that are called with a closure, as Lightning calls all of them, are judged as any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

import parity
from parity.errors import InputError
from parity.features.watch.report import Violated

Style = Callable[[Any, Callable[[], Any]], Any]
STYLES: dict[str, Style] = {
    "position": lambda optimizer, closure: optimizer.step(closure),
    "keyword": lambda optimizer, closure: optimizer.step(closure=closure),
}


class Training:
    """A matrix, its optimizer, and a closure that does what Lightning's does: zero, loss, backward, clip."""

    def __init__(self, cls: Any, **options: Any) -> None:
        generator = torch.Generator().manual_seed(2)
        self.w = torch.randn(4, 6, generator=generator).requires_grad_()
        self.x, self.y = torch.randn(8, 6, generator=generator), torch.randn(8, 4, generator=generator)
        self.optimizer = cls([self.w], **options)
        self.calls = 0

    def closure(self) -> Tensor:
        self.calls += 1
        self.optimizer.zero_grad()
        loss = ((self.x @ self.w.T - self.y) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([self.w], 0.5)
        return loss


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["SGD", "AdamW", "Muon", "Adafactor"])
def test_the_gradients_that_a_closure_makes_are_those_that_a_step_is_judged_by(name: str, style: str) -> None:
    watched, plain = (Training(getattr(torch.optim, name), lr=0.01) for _ in range(2))
    with parity.watch(watched.optimizer, every=2) as watch:
        losses = [STYLES[style](watched.optimizer, watched.closure) for _ in range(4)]
    assert losses == [STYLES[style](plain.optimizer, plain.closure) for _ in range(4)]
    assert torch.equal(watched.w, plain.w)
    assert (watch.report.steps, watch.report.judged, watched.calls) == (4, 2, 4)
    assert watch.report.numbers >= 2 * 2 * 24
    assert not is_in_torch_dispatch_mode()


class Eager(torch.optim.AdamW):
    """Moves a weight before it calls the closure."""

    def step(self, closure: Any = None) -> Any:
        self.param_groups[0]["params"][0].data[1, 2] += 1.0
        return super().step(closure)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("cls", "text"), [(None, r"parameter 0\[\d, \d\] .* is"), (Eager, r"untouched\[1, 2\] is")])
def test_a_fault_of_a_step_with_a_closure_is_caught_at_the_first_step(
    cls: Any, text: str, style: str, short: Any
) -> None:
    training = Training(cls or short, lr=0.01)
    with pytest.raises(Violated, match=text) as caught, parity.watch(training.optimizer):
        STYLES[style](training.optimizer, training.closure)
    assert caught.value.report.steps == 1


def test_a_rate_that_the_closure_sets_is_in_effect() -> None:
    training = Training(torch.optim.AdamW, lr=0.01)

    def closure() -> Tensor:
        training.optimizer.param_groups[0]["lr"] *= 0.5
        return training.closure()

    with parity.watch(training.optimizer, every=1) as watch:
        training.optimizer.step(closure)
        training.optimizer.step(closure)
    assert watch.report.judged == 2


class Twice(torch.optim.SGD):
    """Calls its closure once more, as a line search does."""

    def step(self, closure: Any = None) -> Any:
        closure()
        return super().step(closure)


def test_a_closure_that_is_called_more_than_once_is_unsupported_in_one_line() -> None:
    training = Training(Twice, lr=0.01)
    with pytest.raises(InputError, match="evaluates its closure more than once"), parity.watch(training.optimizer):
        training.optimizer.step(training.closure)
    with (
        pytest.warns(UserWarning, match="more than once") as seen,
        parity.watch(training.optimizer, on_violation="warn"),
    ):
        training.optimizer.step(training.closure)
        training.optimizer.step(training.closure)
    assert len(seen) == 1
    with parity.watch(training.optimizer, on_violation="collect", every=1) as watch:
        training.optimizer.step(training.closure)
        training.optimizer.step(training.closure)
    assert (watch.report.steps, watch.report.judged, len(watch.report.unsupported)) == (2, 0, 1)
    assert str(watch.report).count("unsupported: a step that evaluates its closure more than once") == 1


def test_a_closure_that_raises_leaves_nothing_behind() -> None:
    training = Training(torch.optim.Muon, lr=0.01)

    def closure() -> Tensor:
        raise OSError("no luck")

    with parity.watch(training.optimizer, every=1) as watch:
        with pytest.raises(OSError, match="no luck"):
            training.optimizer.step(closure)
        training.optimizer.step(training.closure)
    assert (watch.report.steps, watch.report.judged) == (2, 1)
    assert not is_in_torch_dispatch_mode()


# -- L-BFGS -----------------------------------------------------------------------------------------------------------


def lbfgs(cls: Any, steps: int, **options: Any) -> Any:
    """Steps on a matrix and a vector."""
    generator = torch.Generator().manual_seed(5)
    W, b = (torch.randn(shape, generator=generator).requires_grad_() for shape in ((3, 6), (3,)))
    x, y = torch.randn(20, 6, generator=generator), torch.randn(20, 3, generator=generator)
    optimizer = cls([W, b], **options)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = ((x @ W.T + b - y) ** 2).mean()
        loss.backward()
        return loss

    with parity.watch(optimizer, every=1, on_violation="collect") as watch:
        for _ in range(steps):
            optimizer.step(closure)
    return watch.report


@pytest.mark.parametrize("options", [{"lr": 0.3}, {"lr": 0.3, "history_size": 2}, {"lr": 1.0, "tolerance_grad": 10.0}])
def test_one_evaluation_of_lbfgs_is_judged_stage_by_stage(options: dict[str, Any]) -> None:
    report = lbfgs(torch.optim.LBFGS, 6, max_iter=1, **options)
    assert (report.steps, report.judged, report.violations, report.unsupported, report.notes) == (6, 6, [], [], [])
    assert "tolerance_grad" in options or {"parameter", "d", "al", "q", "ro"} <= report.shares.keys()


class LastMoved(torch.optim.LBFGS):
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        result = super().step(closure)
        self.param_groups[0]["params"][1].data[2] *= 1.001
        return result


def test_a_fault_of_lbfgs_is_caught_and_named() -> None:
    report = lbfgs(LastMoved, 3, max_iter=1, lr=0.3)
    named = [(v.step, v.parameter, v.index) for v in report.violations if v.quantity == "parameter"]
    assert named == [(step, "group 0, parameter 1", (2,)) for step in range(3)]


@pytest.mark.parametrize("options", [{}, {"max_iter": 4, "line_search_fn": "strong_wolfe"}])
def test_several_evaluations_of_lbfgs_are_unsupported_in_one_line(options: dict[str, Any]) -> None:
    report = lbfgs(torch.optim.LBFGS, 1, **options)
    assert (report.judged, len(report.unsupported), report.violations) == (0, 1, [])
    assert "evaluates its closure more than once" in report.unsupported[0]
