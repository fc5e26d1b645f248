"""The live check: silent on every correct optimizer, loud on planted faults, and no trace of it in the training."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

import parity
from parity.features.verify.options import OPTIONS
from parity.features.watch.references import KNOWN
from parity.features.watch.report import Violated
from parity.record.reference import REFERENCES, in_effect
from refimpl.optimizers import AdamW
from refimpl.types import Optimizer
from tests.parity.watched import SlowSecondGroup, after_step, cnn, one, train, train_mixed, two_groups

# -- a real training ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2])
def test_a_fault_in_one_parameter_group_is_caught_at_the_first_sampled_step_and_named(every: int) -> None:
    model = cnn()
    optimizer = SlowSecondGroup(two_groups(model), lr=0.01)
    with pytest.raises(Violated) as caught, parity.watch(optimizer, every=every, model=model, elements=100):
        train(model, optimizer, 5)
    violations = caught.value.report.violations
    assert caught.value.report.steps == 1
    assert {violation.group for violation in violations} == {1}
    assert {violation.parameter for violation in violations} == {"3.weight", "3.bias", "6.weight", "6.bias"}
    assert {violation.quantity for violation in violations} == {"parameter"}
    assert "step 0, 6.weight[" in str(caught.value)


def test_the_correct_training_is_silent_and_is_what_it_was_without_the_watch() -> None:
    model, twin = cnn(), cnn()
    optimizer, other = (torch.optim.AdamW(two_groups(net), lr=0.01) for net in (model, twin))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
    other_scheduler = torch.optim.lr_scheduler.StepLR(other, 3, gamma=0.5)
    with parity.watch(optimizer, every=4, model=model, elements=100) as watch:
        losses = train(model, optimizer, 10, scheduler)
    assert losses == train(twin, other, 10, other_scheduler)
    assert losses[-1] < losses[0]
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))
    report = watch.report
    assert (report.steps, report.judged, report.violations, report.unbounded) == (10, 3, [], 0)
    assert all(0.1 < report.shares[quantity] <= 1 for quantity in ("parameter", "exp_avg", "exp_avg_sq"))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_autocast_with_a_gradient_scaler_is_silent_and_skipped_steps_too(name: str, fused: bool) -> None:
    model = cnn()
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, fused=fused)
    with parity.watch(optimizer, every=1, elements=100) as watch:
        train_mixed(model, optimizer, 5, overflows=(0, 3))
    assert watch.report.judged == (5 if fused else 3)  # a scaler that unscales by itself makes no step at all
    assert watch.report.numbers > 1000


def test_a_fault_is_caught_under_autocast_with_a_gradient_scaler() -> None:
    model = cnn()
    optimizer = SlowSecondGroup(two_groups(model), lr=0.01)
    with pytest.raises(Violated, match=r"step 0, .* \(group 1\)"), parity.watch(optimizer):
        train_mixed(model, optimizer, 2)


def test_a_step_that_the_scaler_skips_inside_a_fused_kernel_must_move_nothing() -> None:
    def creep(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0].view(-1)[0] += 1.0

    model = cnn()
    optimizer = after_step(creep)(model.parameters(), fused=True)
    with parity.watch(optimizer, on_violation="collect", model=model) as watch:
        train_mixed(model, optimizer, 1, overflows=(0,))
    assert [(v.parameter, v.quantity, v.index) for v in watch.report.violations] == [
        ("0.weight", "untouched", (0, 0, 0, 0)),
        ("0.weight", "version untouched", (0,)),
    ]


# -- every optimizer ------------------------------------------------------------------------------------------------


def implementations(name: str) -> list[dict[str, Any]]:
    known = getattr(torch.optim, name).__init__.__code__.co_varnames
    return [flags for flags in ({"foreach": False}, {"foreach": True}, {"fused": True}) if next(iter(flags)) in known]


CASES = [(name, options, {}) for name in KNOWN for options in OPTIONS[name]]
CASES += [(name, next(iter(OPTIONS[name])), flags) for name in KNOWN for flags in implementations(name)]


def run(name: str, options: dict[str, Any], on_violation: Any = "raise", reference: Any = None, **given: Any) -> Any:
    """Three steps on a matrix and a vector, every one of them judged; Muon takes the matrix alone."""
    generator = torch.Generator().manual_seed(3)
    shapes = [(20, 15)] if name == "Muon" else [(20, 15), (7,)]
    parameters = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    optimizer = getattr(torch.optim, name)(parameters, **options)
    watching = parity.watch(optimizer, every=1, elements=50, on_violation=on_violation, reference=reference, **given)
    with watching as watch:
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
    return watch.report


@pytest.mark.parametrize(
    ("name", "options", "flags"),
    CASES,
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "only",
)
def test_every_optimizer_of_torch_is_silent(name: str, options: str, flags: dict[str, Any]) -> None:
    report = run(name, {**OPTIONS[name][options], **flags})
    assert report.judged == 3
    assert report.numbers > 300
    assert 0.05 < report.shares["parameter"] <= 1


@pytest.mark.parametrize("name", KNOWN)
def test_a_rate_that_is_wrong_by_a_little_is_caught_in_every_optimizer(name: str) -> None:
    def wrong(group: Any) -> Optimizer:
        right = in_effect(REFERENCES[name], group)
        if name == "Rprop":  # whose rate is only its first step
            return dataclasses.replace(right, etas=(right.etas[0], right.etas[1] * 1.001))  # type: ignore[attr-defined,type-var]
        return dataclasses.replace(right, lr=right.lr * 1.001)  # type: ignore[attr-defined,type-var]

    report = run(name, {"lr": 0.03}, "collect", wrong)
    assert {violation.quantity for violation in report.violations} >= {"parameter"}


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16", "complex64"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_other_dtypes_are_silent_and_the_last_element_is_always_seen(name: str, dtype: str) -> None:
    def last(optimizer: Any) -> None:
        (w,) = optimizer.param_groups[0]["params"]
        w.view(-1)[-1] *= 1.5

    options = {"lr": 0.03} if name == "SGD" else {"lr": 0.03, "eps": 1e-3}
    right, wrong = getattr(torch.optim, name), after_step(last, getattr(torch.optim, name))
    for cls in (right, wrong):
        w = one(1000, getattr(torch, dtype))
        optimizer = cls([w], **options)
        with parity.watch(optimizer, elements=10, on_violation="collect") as watch:
            optimizer.step()
        found = {violation.index[:1] for violation in watch.report.violations}
        assert found == ({(999,)} if cls is wrong else set())


@pytest.mark.parametrize("form", ["number", "tensor"])
def test_the_rate_in_effect_counts_whether_number_or_tensor(form: str) -> None:
    rate: Any = 0.125 if form == "number" else torch.tensor(0.125)
    for reference, wrong in ((None, []), (AdamW(lr=0.125), [1, 2])):
        optimizer = torch.optim.AdamW([one(50)], lr=rate, foreach=False)
        with parity.watch(optimizer, every=1, reference=reference, on_violation="collect") as watch:
            for factor in (1.0, 0.5, 3.0):
                group = optimizer.param_groups[0]
                group["lr"] = group["lr"] * factor
                optimizer.step()
        assert [violation.step for violation in watch.report.violations] == wrong


def test_muon_is_judged_by_its_products_also_with_a_parameter_that_has_no_gradient() -> None:
    matrices = [torch.randn(shape, generator=torch.Generator().manual_seed(4)) for shape in ((6, 9), (5, 3), (4, 4))]
    parameters = [matrix.requires_grad_() for matrix in matrices]
    for parameter in (parameters[0], parameters[2]):
        parameter.grad = parameter.detach().flip(0)
    optimizer = torch.optim.Muon([{"params": parameters[:2]}, {"params": parameters[2:], "ns_steps": 3}])
    with parity.watch(optimizer, every=1) as watch:
        optimizer.step()
        parameters[0].detach() @ parameters[0].detach().T
    assert {"momentum_buffer", "start", "gram", "polynomial", "iterate", "parameter"} <= watch.report.shares.keys()
    assert not is_in_torch_dispatch_mode()
