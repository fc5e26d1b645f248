"""What ``parity.watch`` sees beside the steps: each is a note and no violation; a plain training has none."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import parity
from parity.features.watch.record import WHOLE
from refimpl.optimizers import LAMB, OPTIMIZERS

Act = Callable[[nn.Module, torch.optim.Optimizer], Any]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))


def train(model: nn.Module, optimizer: Any, steps: int, between: Act = lambda *_: None) -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
        between(model, optimizer)


def kinds(watch: Any) -> dict[str, tuple[str, ...]]:
    assert watch.report.violations == []
    return {note.kind: note.parameters for note in watch.report.notes}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adafactor"])
def test_a_plain_training_has_no_note(name: str, every: int) -> None:
    model = network()
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    with parity.watch(optimizer, every=every, model=model) as watch:
        train(model, optimizer, 7, lambda *_: scheduler.step())
    assert watch.report.notes == []
    assert "note" not in str(watch.report)


def clamp(model: nn.Module, optimizer: Any) -> None:
    del optimizer
    model[2].weight.data.clamp_(-0.01, 0.01)  # type: ignore[index, union-attr]


def reset(model: nn.Module, optimizer: Any) -> None:
    del model
    for state in optimizer.state.values():
        state["exp_avg"] = torch.zeros_like(state["exp_avg"])


def reload(model: nn.Module, optimizer: Any) -> None:
    """A checkpoint that is what was there anyhow."""
    model.load_state_dict(model.state_dict())
    optimizer.load_state_dict(optimizer.state_dict())


ALL = ("0.weight", "0.bias", "2.weight", "2.bias")


@pytest.mark.parametrize(
    ("between", "expected"),
    [(clamp, {"weights written": ("2.weight",)}), (reset, {"state written": ALL}), (reload, {})],
    ids=["clamp", "reset", "reload"],
)
@pytest.mark.parametrize("every", [1, 2])
def test_what_is_written_between_steps_is_a_note_at_the_sampled_steps(between: Act, expected: Any, every: int) -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with parity.watch(optimizer, every=every, model=model) as watch:
        train(model, optimizer, 5, between)
    assert kinds(watch) == expected
    for note in watch.report.notes:
        assert (note.step, note.times) == (every, 4 // every)
        assert (
            f"written outside of the optimizer's step, first before step {every}" in str(note)
            or note.kind != "weights written"
        )


def test_what_is_written_between_steps_that_are_not_sampled_is_not_seen() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with parity.watch(optimizer, every=4, model=model) as watch:
        train(model, optimizer, 6, lambda m, o: clamp(m, o) if watch.report.steps == 2 else None)
    assert kinds(watch) == {}


def test_what_a_closure_writes_is_a_note_too() -> None:
    """Wasserstein networks clamp their weights in the training step, which Lightning calls as a closure."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def closure() -> torch.Tensor:
        clamp(model, optimizer)
        optimizer.zero_grad()
        loss = (model(torch.ones(4, 3)) ** 2).mean()
        loss.backward()
        return loss

    with parity.watch(optimizer, every=1, model=model) as watch:
        for _ in range(2):
            optimizer.step(closure)
    assert kinds(watch) == {"weights written": ("2.weight",)}
    assert watch.report.judged == 2


def test_averages_that_are_swapped_in_and_back_again_leave_no_note() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))

    def evaluate(model: nn.Module, optimizer: Any) -> None:
        del optimizer
        averaged.update_parameters(model)
        kept = {name: p.detach().clone() for name, p in model.named_parameters()}
        with torch.no_grad():
            for name, average in averaged.module.named_parameters():
                model.get_parameter(name).copy_(average)
            for name, value in kept.items():
                model.get_parameter(name).copy_(value)

    with parity.watch(optimizer, every=1, model=model) as watch:
        train(model, optimizer, 4, evaluate)
    assert kinds(watch) == {}


def test_a_model_that_was_replaced_is_warned_of_and_noted() -> None:
    old = network()
    optimizer = torch.optim.AdamW(old.parameters(), lr=0.01)
    new = network()
    with (
        pytest.warns(UserWarning, match="no parameter of AdamW is one of model="),
        parity.watch(optimizer, model=new) as watch,
    ):
        train(old, optimizer, 1)
    assert kinds(watch) == {"not of the model": tuple(f"group 0, parameter {i}" for i in range(4))}
    with warnings.catch_warnings(), parity.watch(optimizer, model=new, on_violation="collect") as watch:
        warnings.simplefilter("error")
        train(old, optimizer, 1)
    assert "held by the optimizer, but not among the parameters of model=" in str(watch.report)


@pytest.mark.parametrize(("every", "steps"), [(1, 3), (2, 3), (100, 3)])
def test_a_head_that_was_replaced_is_said_from_both_sides(every: int, steps: int) -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model[2] = nn.Linear(5, 1)
    with parity.watch(optimizer, every=every, model=model) as watch:
        train(model, optimizer, steps)
    expected = {
        "not of the model": ("group 0, parameter 2", "group 0, parameter 3"),
        "without gradient": ("group 0, parameter 2", "group 0, parameter 3"),
        "never moved": ("2.weight", "2.bias"),
    }
    if every == 100:  # one look
        del expected["without gradient"]
    assert kinds(watch) == expected
    assert "2.weight, 2.bias: of model=, had gradients, but nothing has moved them since step 0" in str(watch.report)


def test_the_rest_of_a_model_that_a_second_optimizer_moves_is_no_note() -> None:
    model = network()
    first, second = (torch.optim.SGD(part.parameters(), lr=0.01) for part in (model[0], model[2]))
    with parity.watch(first, every=1, model=model) as watch:
        train(model, first, 3, lambda *_: second.step())
    assert kinds(watch) == {}


def test_a_parameter_that_is_frozen_or_has_a_gradient_now_and_then_is_no_note() -> None:
    model = network()
    model[0].bias.requires_grad_(False)  # type: ignore[union-attr, operator]
    spare = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([*model.parameters(), spare], lr=0.01)

    def now_and_then(*_: Any) -> None:
        if watch.report.steps == 2:
            spare.grad = torch.ones(2)

    with parity.watch(optimizer, every=1) as watch:
        train(model, optimizer, 2)
        assert kinds(watch) == {"without gradient": ("group 0, parameter 4",)}
        now_and_then()
        optimizer.step()
    assert kinds(watch) == {}


def test_notes_are_in_the_document() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with parity.watch(optimizer, every=1, model=model) as watch:
        train(model, optimizer, 3, clamp)
    (note,) = json.loads(watch.report.to_json())["notes"]
    assert (note["kind"], note["parameters"], note["step"], note["times"]) == ("weights written", ["2.weight"], 1, 2)
    assert note["text"].startswith("2.weight: written outside of")


# -- what is held whole, and foreign states -------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_references_that_are_not_elementwise_are_said_to_see_whole_tensors(name: str) -> None:
    """Half of the columns of a matrix are moved as the whole of it moves them, or the reference is one of ``WHOLE``."""
    cls = OPTIMIZERS[name]
    optimizer = cls() if name in ("adafactor", "muon", "rprop", "adadelta") else cls(lr=0.1)  # type: ignore[call-arg]
    if hasattr(optimizer, "delta"):  # whose step is another one where the gradient is at right angles
        optimizer = replace(optimizer, delta=9.0)
    rng = np.random.default_rng(0)
    param, first, second = rng.normal(size=(3, 1, 6, 4))

    def step(columns: slice) -> Any:
        part, state = param[..., columns], optimizer.init(param[..., columns])
        for grad in (first, 8 * second):  # far larger than was expected
            part, state = optimizer.step(part, grad[..., columns], state)
        return part

    elementwise = np.allclose(step(slice(None))[..., :2], step(slice(2)), rtol=1e-12, atol=0)
    assert elementwise != isinstance(optimizer, WHOLE)


class Lamb(torch.optim.Optimizer):
    """LAMB with states of other names, and one that the reference has not."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": 0.01})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        del closure
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                t = state["count"] = state.get("count", 0) + 1
                m, v = (state.setdefault(key, torch.zeros_like(p)) for key in ("m", "v"))
                m.mul_(0.9).add_(p.grad, alpha=1 - 0.9)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=1 - 0.999)
                u = m / (1 - 0.9**t) / (v.sqrt() / (1 - 0.999**t) ** 0.5 + 1e-6) + group["weight_decay"] * p
                p.sub_(group["lr"] * p.norm() / u.norm() * u)
                state["seen"] = torch.ones(2)


NAMES = {"m": "exp_avg", "v": "exp_avg_sq", "count": "step", "seen": None}


def test_states_of_other_names_are_compared_with_those_of_the_reference() -> None:
    torch.manual_seed(0)
    w = torch.randn(200, 30).requires_grad_()
    for names, expected in ((NAMES, set()), (None, {"m", "v", "count", "seen", "exp_avg", "exp_avg_sq", "step"})):
        optimizer = Lamb([w], lr=0.01)
        watching = parity.watch(
            optimizer, every=1, reference=LAMB, state_names=names, elements=10, on_violation="collect"
        )
        with watching as watch:
            for _ in range(2 if names else 1):
                w.grad = torch.randn(200, 30)
                optimizer.step()
        assert {violation.quantity for violation in watch.report.violations} == expected
        assert watch.report.numbers > 3 * 6000 or not names  # a norm is of the whole tensor
