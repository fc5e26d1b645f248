"""The live check: silent on every correct optimizer, loud on planted faults, and no trace of it in the training."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer as TorchOptimizer
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

import parity
from parity.errors import InputError
from parity.features.verify.options import OPTIONS
from parity.features.watch import hooks as hooks_module
from parity.features.watch.elements import BLOCKS, chosen, edges
from parity.features.watch.record import profile_for, scalar_of
from parity.features.watch.references import KNOWN, nearest_class
from parity.features.watch.report import Violated
from parity.record.reference import REFERENCES, in_effect
from parity.record.sums import accumulation
from refimpl.optimizers import SGDW, Adafactor, AdamW
from refimpl.types import Optimizer


def cnn() -> nn.Sequential:
    """Two convolutions with batch norm between them, and a classifier: tensors of 4 to 1,152 elements."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 16, 4),
    )


def batches(steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        labels = torch.randint(4, (8,), generator=generator)
        yield torch.randn(8, 1, 8, 8, generator=generator) + labels.reshape(-1, 1, 1, 1), labels


def train(model: nn.Module, optimizer: TorchOptimizer, steps: int, scheduler: Any = None) -> list[float]:
    """Real training; the losses."""
    losses = []
    for images, labels in batches(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
    return losses


def train_mixed(model: nn.Module, optimizer: TorchOptimizer, steps: int, overflows: tuple[int, ...] = ()) -> None:
    """Under autocast, with a ``GradScaler`` that skips the steps whose loss is made infinite."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for number, (images, labels) in enumerate(batches(steps)):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(images), labels)
        scaler.scale(loss * (torch.inf if number in overflows else 1)).backward()
        scaler.step(optimizer)
        scaler.update()


def one(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A parameter with a gradient."""
    generator = torch.Generator().manual_seed(2)
    w = torch.randn(size, generator=generator).to(dtype).requires_grad_()
    w.grad = torch.randn(size, generator=generator).to(dtype)
    return w


def two_groups(model: nn.Module) -> list[dict[str, Any]]:
    parameters = list(model.parameters())
    return [{"params": parameters[:4]}, {"params": parameters[4:], "lr": 0.003}]


class SlowSecondGroup(torch.optim.AdamW):
    """Makes the steps of its second group 1e-4 too short."""

    def step(self, closure: Any = None) -> Any:
        group = self.param_groups[1]
        rate = group["lr"]
        group["lr"] = rate * (1 - 1e-4)
        result = super().step(closure)
        group["lr"] = rate
        return result


def after_step(change: Callable[[Any], None], base: Any = torch.optim.AdamW) -> Any:
    """A class whose every step is followed by ``change(optimizer)``."""

    class Changed(base):
        def step(self, closure: Any = None) -> None:
            super().step(closure)
            with torch.no_grad():
                change(self)

    return Changed


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


# -- which elements -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 4096, 65_535, 65_536, 65_537, 200_000, 2_359_296])
def test_the_edges_are_both_ends_and_both_sides_of_multiples_of_every_block(size: int) -> None:
    found = set(edges(size).tolist())
    assert {0, size - 1} <= found <= set(range(size))
    for block in BLOCKS:
        for near in (block, size // 2, size):
            multiple = near // block * block
            assert {side for side in (multiple - 1, multiple) if 0 <= side < size} <= found
    assert len(found) <= 128 + 6 * len(BLOCKS)


def test_of_a_large_tensor_as_many_elements_are_drawn_as_asked_anew_for_each_seed() -> None:
    first, again, other = (chosen(100_000, 4096, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first is not None
    assert other is not None
    assert np.array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 1000
    assert 4096 <= len(first) <= 4096 + len(edges(100_000))
    assert np.all(np.diff(first) > 0)
    assert chosen(4096, 4096, np.random.default_rng(0)) is None


def test_the_generators_of_torch_and_numpy_stay_where_they_are() -> None:
    w = one(10_000)
    optimizer = torch.optim.SGD([w], lr=0.1)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    with parity.watch(optimizer, elements=10):
        optimizer.step()
    assert torch.equal(torch_before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@pytest.mark.parametrize("layout", ["rows", "transposed", "channels_last"])
def test_the_element_that_is_named_is_the_one_that_is_wrong_in_any_layout(layout: str) -> None:
    shape = (64, 3, 5, 7)
    index = (63, 2, 4, 5)  # one of the last 64

    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][index] += 0.25

    start = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    if layout == "transposed":
        start = start.transpose(0, 3).contiguous().transpose(0, 3)
    elif layout == "channels_last":
        start = start.to(memory_format=torch.channels_last)
    w = start.requires_grad_()
    assert w.is_contiguous() == (layout == "rows")
    w.grad = torch.randn_like(start)
    optimizer = after_step(spoil, torch.optim.SGD)([w], lr=0.1, momentum=0.9)
    with parity.watch(optimizer, on_violation="collect", elements=10) as watch:
        optimizer.step()
    (violation,) = watch.report.violations
    assert violation.index == index
    assert violation.candidate == w[index].item()
    assert violation.candidate - violation.expected == pytest.approx(0.25)


def test_numbers_that_overflow_are_counted_as_unbounded_without_a_warning() -> None:
    w = one(50)
    assert w.grad is not None
    w.grad[:3] = torch.tensor([torch.inf, torch.nan, 3e38])
    optimizer = torch.optim.ASGD([w])
    with parity.watch(optimizer, every=1) as watch:
        optimizer.step()
        optimizer.step()
    assert watch.report.unbounded >= 6
    assert f"{watch.report.unbounded} more have no bound" in str(watch.report)


def test_full_sees_the_element_that_a_sample_misses() -> None:
    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][7777] += 0.25

    found = {}
    for full in (False, True):
        optimizer = after_step(spoil, torch.optim.SGD)([one(20_000)], lr=0.1)
        with parity.watch(optimizer, on_violation="collect", elements=10, full=full) as watch:
            optimizer.step()
        found[full] = [violation.index for violation in watch.report.violations]
        assert (watch.report.numbers >= 40_000) == full
    assert found == {False: [], True: [(7777,)]}


def test_other_elements_are_drawn_at_each_step() -> None:
    """A fault in one element in 20 is seen in the end, however few are drawn at a time."""

    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][10_007::20] += 0.25

    optimizer = after_step(spoil, torch.optim.SGD)([one(20_000)], lr=0.1)
    with parity.watch(optimizer, every=1, on_violation="collect", elements=10) as watch:
        for _ in range(20):
            optimizer.step()
    drawn = {violation.index for violation in watch.report.violations}
    assert len(drawn) >= 3


# -- what must not move ---------------------------------------------------------------------------------------------


def spoil_gradient(optimizer: Any) -> None:
    optimizer.param_groups[0]["params"][0].grad[3] = 0


def move_idle(optimizer: Any) -> None:
    optimizer.param_groups[0]["params"][1].mul_(0.999)


def count_twice(optimizer: Any) -> None:
    next(iter(optimizer.state.values()))["step"] += 1


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


# -- the hooks ------------------------------------------------------------------------------------------------------


def hooks(optimizer: Any) -> int:
    return len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)


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


# -- references, and what has none ----------------------------------------------------------------------------------


class HandWritten(TorchOptimizer):
    """SGD with decoupled weight decay, in its simplest form."""

    def __init__(self, parameters: Any, lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(p.grad, alpha=-group["lr"])


@pytest.mark.parametrize(
    ("reference", "right"),
    [
        (SGDW(lr=0.1, weight_decay=0.5), True),
        (SGDW(lr=0.1, weight_decay=0.6), False),
        (SGDW, True),
        (lambda group: SGDW(lr=group["lr"], weight_decay=group["weight_decay"]), True),
        (lambda group: SGDW(lr=group["lr"], weight_decay=2 * group["weight_decay"]), False),
    ],
    ids=["instance", "wrong instance", "class", "function", "wrong function"],
)
def test_a_hand_written_optimizer_is_held_to_the_reference_that_is_given(reference: Any, right: bool) -> None:
    optimizer = HandWritten([one(50)], lr=0.1, weight_decay=0.5)
    with parity.watch(optimizer, reference=reference, on_violation="collect") as watch:
        optimizer.step()
    assert bool(watch.report.violations) != right


def test_an_optimizer_without_a_reference_is_told_what_is_known_and_what_to_give() -> None:
    optimizer = HandWritten([one(5)], lr=0.1, weight_decay=0.0)
    words = r"HandWritten: has no reference; known are ASGD, .*SGD and classes derived.*give reference="
    with pytest.raises(InputError, match=words), parity.watch(optimizer):
        pass
    with pytest.raises(InputError, match="must be an optimizer"), parity.watch(optimizer, reference=3):  # type: ignore[arg-type]
        pass
    assert hooks(optimizer) == 0


def test_all_optimizers_of_torch_are_known_or_said_to_be_beyond() -> None:
    exported = {n for n, o in vars(torch.optim).items() if isinstance(o, type) and issubclass(o, TorchOptimizer)}
    assert set(KNOWN) == exported - {"Optimizer", "LBFGS", "SparseAdam"}


def test_a_class_is_held_to_the_nearest_class_of_torch_and_not_to_a_name() -> None:
    class Adam(torch.optim.SGD):
        pass

    class Mine(torch.optim.AdamW):  # which torch derives from Adam
        pass

    assert nearest_class(Adam([one(5)])) == "SGD"
    assert nearest_class(Mine([one(5)])) == "AdamW"


@pytest.mark.parametrize("name", ["SparseAdam"])
def test_what_is_beyond_the_watch_says_so_at_entry(name: str) -> None:
    class Derived(getattr(torch.optim, name)):  # type: ignore[misc]
        pass

    for cls in (getattr(torch.optim, name), Derived):
        words = rf"{cls.__name__}: not supported by parity.watch: .*parity verify --optimizer {name}"
        with pytest.raises(InputError, match=words), parity.watch(cls([one(5)])):
            pass


def test_a_sparse_gradient_is_said_to_be_unsupported_and_the_others_are_judged() -> None:
    embedding, dense = nn.Embedding(10, 3, sparse=True), one(5)
    embedding(torch.tensor([1, 2])).sum().backward()
    optimizer = torch.optim.SGD([embedding.weight, dense], lr=0.1)
    with parity.watch(optimizer, on_violation="collect") as watch:
        optimizer.step()
    assert watch.report.unsupported == [
        "group 0, parameter 0: has a sparse gradient, which parity.watch does not judge"
    ]
    assert watch.report.numbers == 10


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": 0}, "every=0"),
        ({"elements": 0}, "elements=0"),
        ({"seed": -1}, "seed=-1"),
        ({"on_violation": "shout"}, "raise, warn, collect"),
    ],
    ids=["every", "elements", "seed", "on_violation"],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words), parity.watch(torch.optim.SGD([one(5)]), **given):
        pass


def test_a_reference_keeps_the_hyper_parameters_of_each_group() -> None:
    groups = [{"params": [one(5)]}, {"params": [one(6)], "betas": [0.5, torch.tensor(0.75)], "lr": torch.tensor(0.5)}]
    optimizer = torch.optim.AdamW(groups, lr=0.1)
    first, second = (in_effect(AdamW, group) for group in optimizer.param_groups)
    assert (first, second) == (AdamW(lr=0.1), AdamW(lr=0.5, betas=(0.5, 0.75)))
    assert [type(number) for number in (second.lr, *second.betas)] == [float, float, float]


def test_sums_of_low_precision_are_bounded_as_torch_was_measured_to_make_them() -> None:
    w = torch.zeros(20, 15, dtype=torch.bfloat16)
    profile = profile_for(Adafactor(), {}, w)
    assert (profile.compute.name, profile.accumulate.name) == ("bfloat16", accumulation("bfloat16", (20, 15)))
    assert profile_for(AdamW(lr=0.1), {}, w).accumulate.name == "bfloat16"


def test_fused_kernels_of_accelerators_compute_low_precision_in_float32() -> None:
    for device, fused, expected in (("meta", True, "float32"), ("meta", False, "bfloat16"), ("cpu", True, "bfloat16")):
        w = torch.empty(3, dtype=torch.bfloat16, device=device)
        assert profile_for(AdamW(lr=0.1), {"fused": fused}, w).compute.name == expected


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"lr": 0.1, "capturable": False, "params": [torch.zeros(1)]}, "float64"),
        ({"lr": 0.1, "capturable": True}, "float32"),
        ({"lr": 0.1, "differentiable": True}, "float32"),
        ({"lr": torch.tensor(0.1)}, "float32"),
        ({"lr": torch.tensor(0.1, dtype=torch.float64)}, "float64"),
        ({"lr": 0.1, "betas": (0.9, torch.tensor(0.99))}, "float32"),
    ],
    ids=["numbers", "capturable", "differentiable", "tensor", "double tensor", "tensor in a pair"],
)
def test_hyper_parameters_are_computed_as_precisely_as_torch_keeps_them(group: dict[str, Any], expected: str) -> None:
    assert scalar_of(group) == expected
