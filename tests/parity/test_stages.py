"""Muon and L-BFGS of torch, stage by stage: correct ones agree, and each of many real faults is caught."""

from __future__ import annotations

import importlib
import inspect
import itertools
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from parity.judge.stages import Evaluation, GroupUpdate, check_lbfgs, check_muon
from parity.judge.update import Update
from parity.record.products import Products, exactly
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import LBFGS, Muon


def label(value: object) -> str:
    """A name that is the same in every process."""
    return ",".join(sorted(map(str, value))) if isinstance(value, set) else str(value)


Array = npt.NDArray[Any]
LOW = ("bfloat16", "float16")
ROW = [
    "float32",
    "bfloat16",
    pytest.param("float64", marks=pytest.mark.slow),
    pytest.param("float16", marks=pytest.mark.slow),
]
"""A correct run is tried in all dtypes; where a fault shows in float32, it does so in float64."""


def profile(dtype: str) -> Profile:
    """torch sums low precision up in float32 (measured: test_adafactor)."""
    return Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32" if dtype in LOW else dtype])


def faulty(module: types.ModuleType, original: str, fault: str) -> types.ModuleType:
    """torch's own module with one piece of its source replaced."""
    source = inspect.getsource(module)
    assert original in source, original
    copy = types.ModuleType(module.__name__)
    copy.__file__, copy.__package__ = module.__file__, module.__package__
    exec(compile(source.replace(original, fault), str(module.__file__), "exec"), vars(copy))
    return copy


class Used:
    """The largest share of the tolerance by kind of quantity, without the number of the iteration or pair."""

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}

    def add(self, pieces: Iterable[Expected]) -> Used:
        for piece in pieces:
            kind = str(replace(piece.quantity, number=None))
            self.shares[kind] = max(self.shares.get(kind, 0), float(np.max(piece.share, initial=0)))
        return self

    def join(self, other: Used) -> None:
        for kind, share in other.shares.items():
            self.shares[kind] = max(self.shares.get(kind, 0), share)

    @property
    def wrong(self) -> set[str]:
        return {kind for kind, share in self.shares.items() if share > 1}

    def loose(self, *ignored: str) -> dict[str, float]:
        return {kind: share for kind, share in self.shares.items() if share < 0.1 and kind not in ignored}


# -- Muon --------------------------------------------------------------------------------------------------------------

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


# -- L-BFGS ------------------------------------------------------------------------------------------------------------

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
