"""torch's L-BFGS, stage by stage: correct ones agree, and each of many real faults is caught."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from parity.judge.stages import Evaluation, GroupUpdate, check_lbfgs
from parity.record.products import Products, exactly
from parity.step.expected import Expected
from refimpl.optimizers import LBFGS
from tests.parity.stages import ROW, Array, Used, faulty, label, profile

LBFGS_MODULE = importlib.import_module("torch.optim.lbfgs")
GROUPS: list[list[tuple[int, ...]]] = [[(1,)], [(3,), (5, 3)], [(17,), (33,)]]
LBFGS_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.3, "history_size": 2},
    {"lr": 0.1, "line_search_fn": "strong_wolfe", "history_size": 3},
    {"lr": 30.0, "line_search_fn": "strong_wolfe"},
    {"tolerance_grad": 0.5, "tolerance_change": 0.1},
]


def row(value: Any) -> Any:
    """A tensor or number of torch's state as a row; a list as a tuple of them, without what is unused."""
    if isinstance(value, list):
        return tuple(row(each) for each in value if each is not None)
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
    return exactly(tensor).reshape(1, -1)


def together(tensors: Sequence[torch.Tensor]) -> Array:
    return np.concatenate([row(tensor) for tensor in tensors], axis=1)


def lbfgs(
    dtype: str,
    shapes: list[tuple[int, ...]],
    seed: int,
    *,
    reference: dict[str, Any] | None = None,
    module: Any = torch.optim,
    noise: float = 0.0,
    steps: int = 5,
    max_eval: int = 25,
    **options: Any,
) -> Iterator[Expected]:
    """On a quadratic ½wᵀAw − bᵀw, whose gradients may be noisy."""
    rng, kind = np.random.default_rng(seed), getattr(torch, dtype)
    params = [torch.nn.Parameter(torch.tensor(rng.standard_normal(shape)).to(kind)) for shape in shapes]
    size = sum(param.numel() for param in params)
    factor = rng.standard_normal((size, size))
    A, b = factor @ factor.T / size + np.eye(size) / 10, rng.standard_normal(size)
    optimizer = module.LBFGS(params, max_iter=1, max_eval=max_eval, **options)
    for number in range(steps):
        evaluations: list[Evaluation] = []

        def closure(evaluations: list[Evaluation] = evaluations) -> float:
            w = together(params)
            loss = torch.tensor((w @ A @ w.T / 2 - w @ b).item()).to(kind).item()
            gradient = torch.tensor(w @ A - b + noise * rng.standard_normal((1, size))).to(kind)
            for param, part in zip(params, gradient[0].split([p.numel() for p in params]), strict=True):
                param.grad = part.reshape(param.shape).clone()
            evaluations.append(Evaluation(params=w, loss=row(loss), gradient=row(gradient)))
            return loss

        before, state = together(params), {key: row(value) for key, value in optimizer.state[params[0]].items()}
        with Products() as products:
            optimizer.step(products.unseen(closure))
        yield from check_lbfgs(
            GroupUpdate(
                number=number,
                optimizer=LBFGS(**{**options, **(reference or {})}),
                profile=profile(dtype),
                before=before,
                state=state,
                after=together(params),
                state_after={key: row(value) for key, value in optimizer.state[params[0]].items()},
                evaluations=evaluations,
                max_eval=max_eval,
                format=dtype,
            ),
            products.made,
        )


DECISIONS = (
    "func_evals", "n_iter", "prev_flat_grad", "prev_loss", "tolerance_grad", "tolerance_change", "remembers",
    "number of old_dirs", "number of old_stps", "number of ro", "number of dot products", "old_dirs", "old_stps",
    "armijo", "curvature",
)  # fmt: skip
"""Held to equality, or to an inequality."""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ROW)
def test_every_stage_of_torchs_lbfgs_is_within_its_bound_and_uses_a_tenth_of_it(dtype: str) -> None:
    used = Used()
    for seed, (options, shapes) in enumerate(itertools.product(LBFGS_OPTIONS, GROUPS)):
        searches = "line_search_fn" in options
        for noise in (0.0,) if searches else (0.0, 0.1):
            one = Used().add(lbfgs(dtype, shapes, seed, noise=noise, **options))
            assert one.wrong == set(), (options, shapes, seed, noise)
            used.join(one)
    assert used.loose(*DECISIONS) == {}
    assert {"armijo", "curvature", "y", "s", "q", "al", "r", "d", "t", "w", "ro", "H_diag"} <= set(used.shares)


@pytest.mark.parametrize(
    ("reference", "where"),
    [
        ({"lr": 0.3001}, {"t"}),
        ({"history_size": 2}, {"number of ro"}),
        ({"tolerance_grad": 1e9}, {"tolerance_grad"}),
        ({"tolerance_change": 1e9}, {"tolerance_change"}),
    ],
    ids=label,
)
def test_a_reference_with_another_hyper_parameter_is_told_from_torchs_lbfgs(
    reference: dict[str, Any], where: set[str]
) -> None:
    assert where <= Used().add(lbfgs("float32", [(3,), (5, 3)], 0, reference=reference, lr=0.3)).wrong


LBFGS_FAULTS = [
    ("y = flat_grad.sub(prev_flat_grad)", "y = flat_grad.sub(prev_flat_grad, alpha=0.99)", {"y"}),
    ("s = d.mul(t)", "s = d.mul(1.0)", {"s"}),
    ("ro.append(1.0 / ys)", "ro.append(1.001 / ys)", {"ro"}),
    ("H_diag = ys / y.dot(y)", "H_diag = ys / s.dot(s)", {"H_diag"}),
    ("if ys > 1e-10", "if ys > 1e10", {"remembers"}),
    ("old_dirs.pop(0)", "old_dirs.pop()", {"old_dirs"}),
    ("d = flat_grad.neg()", "d = flat_grad.neg() * 1.001", {"d"}),
    ("q = flat_grad.neg()", "q = flat_grad.neg() * 1.001", {"q"}),
    ("dot(q) * ro[i]", "dot(q) * ro[0]", {"al"}),
    ("alpha=-al[i]", "alpha=al[i]", {"q"}),
    ("torch.mul(q, H_diag)", "torch.mul(q, 1.001 * H_diag)", {"r"}),
    ("dot(r) * ro[i]", "dot(r) * ro[0]", {"r"}),
    ("alpha=al[i] - be_i", "alpha=al[i] + be_i", {"d", "r"}),
    ("1.0 / flat_grad.abs().sum()", "1.0 / flat_grad.abs().max()", {"t"}),
    ("prev_flat_grad.copy_(flat_grad)", "pass", {"prev_flat_grad"}),
    ("if gtd > -tolerance_change", "if gtd > -1e9", {"w"}),
    ("p.add_(update[offset : offset + numel].view_as(p), alpha=step_size)",
     "p.add_(update[:numel].view_as(p), alpha=step_size)", {"w"}),
]  # fmt: skip


@pytest.mark.parametrize(("original", "fault", "where"), LBFGS_FAULTS, ids=label)
def test_a_fault_in_torchs_own_lbfgs_is_caught_at_its_stage(original: str, fault: str, where: set[str]) -> None:
    module = faulty(LBFGS_MODULE, original, fault)
    assert where <= Used().add(lbfgs("float32", [(3,), (5, 3)], 0, module=module, lr=0.3, history_size=3)).wrong


@pytest.mark.parametrize(
    ("lr", "original", "fault", "where"),
    [
        (30.0, "c1=1e-4, c2=0.9", "c1=-1e9, c2=1e9", {"armijo", "curvature"}),
        (0.01, "c2=0.9", "c2=1e9", {"curvature"}),
    ],
)
def test_a_line_search_that_ends_without_its_conditions_is_caught(
    lr: float, original: str, fault: str, where: set[str]
) -> None:
    def wrong(module: Any) -> set[str]:
        options: dict[str, Any] = {"lr": lr, "line_search_fn": "strong_wolfe", "module": module}
        return Used().add(lbfgs("float32", [(3,), (5, 3)], 0, **options)).wrong

    assert wrong(torch.optim) == set()
    assert wrong(faulty(LBFGS_MODULE, original, fault)) == where


def test_products_of_the_closure_are_not_torchs_optimizers() -> None:
    x = torch.ones(2)
    with Products() as products:
        products.unseen(lambda: x.dot(x))()
        x.dot(2 * x)
    (product,) = products.made
    assert product.name == "dot" and product.result == 4 and np.array_equal(product.right, [[2, 2]])


def test_operands_are_kept_as_they_were_before_the_step_changes_them() -> None:
    x = torch.ones(2)
    with Products() as products:
        x.dot(x)
        x.mul_(3)
    assert np.array_equal(products.made[0].left, [[1, 1]])
