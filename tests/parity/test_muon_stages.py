"""torch's Muon, stage by stage: correct ones agree, and each of many real faults is caught."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from parity.judge.stages import check_muon
from parity.judge.update import Update
from parity.record.products import Products, exactly
from parity.step.expected import Expected
from refimpl.optimizers import Muon
from tests.parity.stages import ROW, Used, faulty, label, profile

MUON = importlib.import_module("torch.optim._muon")
MUON_SHAPES = [(1, 1), (3, 5), (5, 3), (17, 33), (33, 17)]
MUON_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.3, "weight_decay": 0.0, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"},
    {"lr": 1.0, "momentum": 0.3, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 3, "eps": 0.1},
    {"lr": 0.1, "ns_steps": 0},
]


def muon(
    dtype: str,
    shape: tuple[int, int],
    seed: int,
    *,
    reference: dict[str, Any] | None = None,
    module: Any = torch.optim,
    scale: float = 1.0,
    steps: int = 2,
    **options: Any,
) -> Iterator[Expected]:
    rng, kind = np.random.default_rng(seed), getattr(torch, dtype)
    param = torch.nn.Parameter(torch.tensor(rng.standard_normal(shape)).to(kind))
    optimizer = module.Muon([param], **options)
    for number in range(steps):
        param.grad = torch.tensor(scale * rng.standard_normal(shape)).to(kind)
        before, gradient = exactly(param), exactly(param.grad)
        state = {key: exactly(value) for key, value in optimizer.state[param].items()}
        with Products() as products:
            optimizer.step()
        yield from check_muon(
            Update(
                parameter="w",
                number=number,
                optimizer=Muon(**{**options, **(reference or {})}),
                profile=profile(dtype),
                before=before,
                gradient=gradient,
                state=state,
                after=exactly(param),
                state_after={key: exactly(value) for key, value in optimizer.state[param].items()},
                formats={"param": dtype, "momentum_buffer": dtype},
            ),
            products.made,
        )


@pytest.mark.parametrize("dtype", ROW)
def test_every_stage_of_torchs_muon_is_within_its_bound_and_uses_a_tenth_of_it(dtype: str) -> None:
    used = Used()
    for seed, (options, shape) in enumerate(itertools.product(MUON_OPTIONS, MUON_SHAPES)):
        overwrites = dtype == "bfloat16" and not options.get("nesterov", True)
        one = Used().add(muon(dtype, shape, seed, **options))
        assert one.wrong <= ({"w.momentum_buffer"} if overwrites else set()), (options, shape, seed)
        if not overwrites:
            used.join(one)
    assert used.loose("w number of products") == {}
    assert set(used.shares) == {
        "w.momentum_buffer", "w start", "w number of products", "w gram", "w polynomial", "w iterate", "w",
    }  # fmt: skip


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_torch_overwrites_the_buffer_with_the_normalised_one_in_bfloat16_without_nesterov(
    dtype: str, nesterov: bool
) -> None:
    """``grad.bfloat16()`` is the buffer itself there, and is divided by its norm in place."""
    used = Used().add(muon(dtype, (3, 5), 0, nesterov=nesterov, steps=1))
    assert ("w.momentum_buffer" in used.wrong) == (dtype == "bfloat16" and not nesterov)


@pytest.mark.parametrize(
    ("reference", "where"),
    [
        ({"lr": 0.301}, {"w"}),
        ({"weight_decay": 0.11}, {"w"}),
        ({"momentum": 0.94}, {"w.momentum_buffer"}),
        ({"nesterov": False}, {"w start"}),
        ({"ns_coefficients": (3.47, -4.775, 2.0315)}, {"w iterate"}),
        ({"ns_coefficients": (3.4445, -4.82, 2.0315)}, {"w polynomial"}),
        ({"ns_coefficients": (3.4445, -4.775, 2.06)}, {"w polynomial"}),
        ({"ns_steps": 4}, {"w number of products"}),
        ({"ns_steps": 6}, {"w number of products"}),
        ({"eps": 50.0}, {"w start"}),
        ({"adjust_lr_fn": "match_rms_adamw"}, {"w"}),
    ],
    ids=label,
)
def test_a_reference_with_another_hyper_parameter_is_told_from_torchs_muon_at_its_stage(
    reference: dict[str, Any], where: set[str]
) -> None:
    for dtype in ("float32", "float16"):
        assert where <= Used().add(muon(dtype, (33, 17), 0, reference=reference, lr=0.3)).wrong, dtype


MUON_FAULTS = [
    ("grad.size(0) > grad.size(1)", "False", {"shape of w start"}),
    ("range(ns_steps)", "range(ns_steps - 1)", {"w number of products"}),
    ("beta=b, alpha=c", "beta=c, alpha=b", {"w polynomial"}),
    ("beta=b, alpha=c", "beta=b, alpha=1.01 * c", {"w polynomial"}),
    ("beta=a)", "beta=1.01 * a)", {"w iterate"}),
    ("gram_update, ortho_grad, beta", "gram_matrix, ortho_grad, beta", {"w iterate"}),
    ("ortho_grad @ ortho_grad.T", "ortho_grad @ (1.01 * ortho_grad).T", {"w gram"}),
    ("ortho_grad.norm()", "(1.02 * ortho_grad.norm())", {"w start"}),
    ("ortho_grad.norm()", "torch.linalg.matrix_norm(ortho_grad.float(), 2).bfloat16()", {"w start"}),
    ("max(1, A / B)", "max(1, B / A)", {"w"}),
    ("1 - lr * weight_decay", "1 - adjusted_lr * weight_decay", {"w"}),
    ("buf.lerp_(grad, 1 - momentum)", "buf.mul_(momentum).add_(grad)", {"w.momentum_buffer"}),
    ("grad.lerp(buf, momentum)", "buf.lerp(grad, momentum)", {"w start"}),
    ("alpha=-adjusted_lr", "alpha=-lr", {"w"}),
]


@pytest.mark.parametrize(("original", "fault", "where"), MUON_FAULTS, ids=label)
def test_a_fault_in_torchs_own_muon_is_caught_at_its_stage(original: str, fault: str, where: set[str]) -> None:
    module = faulty(MUON, original, fault)
    assert where <= Used().add(muon("float32", (33, 17), 0, module=module, lr=0.3)).wrong
