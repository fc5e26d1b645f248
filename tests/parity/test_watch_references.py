"""What an optimizer is held to by the live check, what has no reference, and how exactly torch computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.optimizer import Optimizer as TorchOptimizer

import parity
from parity.errors import InputError
from parity.features.watch.record import profile_for, scalar_of
from parity.features.watch.references import KNOWN, nearest_class
from parity.record.reference import in_effect
from parity.record.sums import accumulation
from refimpl.optimizers import SGDW, Adafactor, AdamW
from tests.parity.watched import hooks, one


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
