"""Adam, AdamW, NAdam, RAdam, Adamax and SparseAdam: torch's steps, the papers' formulas, and what must follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from operator import attrgetter
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import torch

from parity.judge.update import Update, check
from parity.step.arithmetics import Rounding
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from refimpl.types import State

Array = npt.NDArray[Any]
Case = tuple[Any, str, str]
SIZES = (1, 3, 17, 33)
"""Around the blocks of vector kernels."""
RUNS, STEPS = 4, 8

ANY: list[dict[str, Any]] = [
    {},
    {"lr": 0.03, "betas": (0.7, 0.9), "eps": 1e-3},
    {"lr": 0.03, "weight_decay": 0.3},
    {"lr": 0.03, "weight_decay": 0.3, "maximize": True},
]
AMSGRAD: list[dict[str, Any]] = [
    {"lr": 0.03, "amsgrad": True, "betas": (0.7, 0.6)},
    {"lr": 0.03, "amsgrad": True, "weight_decay": 0.3, "eps": 1e-3, "maximize": True},
]
DECOUPLED: dict[str, Any] = {"lr": 0.03, "weight_decay": 0.3, "decoupled_weight_decay": True}
OPTIONS: Mapping[Any, list[dict[str, Any]]] = {
    Adam: [*ANY, *AMSGRAD, DECOUPLED],
    AdamW: [*ANY, *AMSGRAD, {"lr": 0.03, "weight_decay": 0}],
    NAdam: [*ANY, DECOUPLED, {"lr": 0.03, "momentum_decay": 0.3}, {"momentum_decay": 0}],
    RAdam: [*ANY, DECOUPLED, {"lr": 0.03, "betas": (0.7, 0.8)}, {"lr": 0.03, "betas": (0.7, 0.6)}],
    Adamax: ANY,
    SparseAdam: [ANY[0], ANY[1], {"lr": 0.03, "maximize": True}],
}
FLAGS: Mapping[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
CASES: list[Case] = [
    (cls, implementation, dtype)
    for cls in OPTIONS
    for implementation in FLAGS
    for dtype in ("float64", "float32", "bfloat16", "float16")
    if (implementation == "for-loop" or cls is not SparseAdam) and (implementation != "fused" or cls in (Adam, AdamW))
]


def name_of(value: Any) -> str:
    value = type(value) if is_dataclass(value) and not isinstance(value, type) else value
    return value.__name__ if isinstance(value, type) else str(value)


# -- torch's steps, each judged from torch's own numbers ---------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Holding:
    """SparseAdam at the step of a gradient that holds these elements."""

    optimizer: SparseAdam
    held: Array

    decay = "coupled"

    def init(self, param: Array) -> State:
        return self.optimizer.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        return self.optimizer.step_sparse(param, grad, self.held, state)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost more than they give at these sizes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def numbers(tensors: list[torch.Tensor]) -> Array:
    """One row for each tensor, exactly."""
    return torch.stack([tensor.detach() for tensor in tensors]).double().numpy()


def joined(parts: list[Array]) -> Array:
    """``(runs, elements)`` of all sizes side by side; a number for each run is the same for every size."""
    if parts[0].ndim == 1:
        assert all(np.array_equal(part, parts[0]) for part in parts)
        return parts[0]
    return np.concatenate(parts, axis=1)


class Recorder:
    """``RUNS`` parameters of every size under one torch optimizer; each step is one record over all of them."""

    def __init__(self, cls: Any, implementation: str, dtype: str, options: dict[str, Any], seed: int) -> None:
        self.cls, self.dtype, self.rng = cls, dtype, np.random.default_rng(seed)
        self.by_size = [[torch.nn.Parameter(self.draw(size)) for _ in range(RUNS)] for size in SIZES]
        flags = {} if cls is SparseAdam else FLAGS[implementation]
        self.peer = getattr(torch.optim, cls.__name__)([p for ps in self.by_size for p in ps], **options, **flags)
        group = self.peer.param_groups[0]
        self.reference = cls(**{field.name: group[field.name] for field in fields(cls) if field.name in group})
        self.profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
        self.number = 0

    def draw(self, size: int) -> torch.Tensor:
        return torch.tensor(self.rng.standard_normal(size), dtype=getattr(torch, self.dtype))

    def params(self) -> Array:
        return joined([numbers(list(ps)) for ps in self.by_size])

    def kept(self, key: str) -> list[list[torch.Tensor]]:
        return [[torch.as_tensor(self.peer.state[p][key]) for p in ps] for ps in self.by_size]

    def state(self) -> dict[str, Array]:
        return {key: joined(list(map(numbers, self.kept(key)))) for key in self.peer.state[self.by_size[0][0]]}

    def step(self) -> Update:
        gradients = [[self.draw(size) for _ in range(RUNS)] for size in SIZES]
        reference = self.reference
        if self.cls is SparseAdam:
            held = [[torch.tensor(self.rng.random(size) < 0.6) for _ in range(RUNS)] for size in SIZES]
            for gradient in gradients[-1]:
                gradient[:5] = 0  # held, but 0
            for ps, gs, hs in zip(self.by_size, gradients, held, strict=True):
                for p, g, h in zip(ps, gs, hs, strict=True):
                    p.grad = torch.sparse_coo_tensor(torch.nonzero(h).T, g[h], g.shape, check_invariants=True)
            mask = joined([np.stack([h.numpy() for h in hs]) for hs in held])
            reference = Holding(optimizer=self.reference, held=mask)
        else:
            for ps, gs in zip(self.by_size, gradients, strict=True):
                for p, g in zip(ps, gs, strict=True):
                    p.grad = g
        before, state = self.params(), self.state()
        self.peer.step()
        self.number += 1
        dtypes = {key: str(self.kept(key)[0][0].dtype).removeprefix("torch.") for key in self.state()}
        return Update(
            parameter="w",
            number=self.number - 1,
            optimizer=reference,
            profile=self.profile,
            before=before,
            gradient=joined(list(map(numbers, gradients))),
            state=state,
            after=self.params(),
            state_after=self.state(),
            formats={"param": self.dtype, **dtypes},
        )


def run_of_torch(cls: Any, implementation: str, dtype: str, options: dict[str, Any], seed: int) -> list[Update]:
    """The first step, before which there is no state, and all later ones as runs of one update."""
    recorder = Recorder(cls, implementation, dtype, options, seed)
    first, *later = (recorder.step() for _ in range(STEPS))

    def together(part: Any) -> Any:
        values = [part(update) for update in later]
        if isinstance(values[0], Mapping):
            return {key: np.concatenate([value[key] for value in values]) for key in values[0]}
        return np.concatenate(values)

    arrays = ("before", "gradient", "state", "after", "state_after")
    joint: Any = replace(later[0], **{name: together(attrgetter(name)) for name in arrays})
    if cls is SparseAdam:
        held = together(lambda update: update.optimizer.held)
        joint = replace(joint, optimizer=Holding(optimizer=recorder.reference, held=held))
    return [first, joint]


@pytest.mark.parametrize(("cls", "implementation", "dtype"), CASES, ids=name_of)
def test_each_step_of_torch_is_the_references_within_its_rounding(cls: Any, implementation: str, dtype: str) -> None:
    used: dict[tuple[str, int], float] = {}
    for seed, options in enumerate(OPTIONS[cls]):
        if (cls, implementation, dtype) == (RAdam, "foreach", "float16"):
            options = {"eps": 1e-3, **options}  # the default is 0 in float16: see the next test
        for update in run_of_torch(cls, implementation, dtype, options, seed):
            for expected in check(update):
                worst = float(expected.share.max())
                assert worst <= 1, (options, str(expected.quantity), worst)
                key = str(expected.quantity), min(update.number, 1)  # the first step, the later ones
                used[key] = max(worst, used.get(key, 0))
                known = np.isfinite(expected.allowance)
                assert known.all() or (dtype in ("bfloat16", "float16") and known.mean() > 0.9)
    loose = {key: share for key, share in used.items() if share < 0.1}
    assert loose == {("w.step", 0): 0, ("w.step", 1): 0}  # these are equal, and every other bound is sharp


@pytest.mark.parametrize(("dtype", "eps", "gradient"), [("float16", 1e-8, 1e-3), ("float64", 0.0, 0.0)])
def test_foreach_radam_divides_0_by_0_before_it_rectifies(dtype: str, eps: float, gradient: float) -> None:
    """The rule needs no second moment yet, and the for-loop takes none. A torch that is mended fails here."""
    for foreach in (False, True):
        w = torch.nn.Parameter(torch.ones(1, dtype=getattr(torch, dtype)))
        w.grad = torch.full_like(w, gradient)
        torch.optim.RAdam([w], lr=0.1, eps=eps, foreach=foreach).step()
        assert bool(torch.isnan(w)) == foreach


def test_foreach_radam_stands_still_in_float16_when_it_begins_to_rectify() -> None:
    """It divides √v by s = ηr√c₂/c₁ = 4e-6, which overflows. A torch that is mended fails here."""
    for foreach in (False, True):
        w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float16))
        peer = torch.optim.RAdam([w], eps=1e-3, foreach=foreach)
        for _ in range(6):
            w.detach().zero_()
            w.grad = torch.full_like(w, 30.0)
            peer.step()
        assert (w.item() == 0) == foreach


def test_nadams_for_loop_stands_still_after_a_gradient_of_256_in_float16() -> None:
    """v/c₂ = g² overflows; √v/√c₂, which foreach takes, does not. A torch that is mended fails here."""
    for foreach in (False, True):
        w = torch.nn.Parameter(torch.ones(1, dtype=torch.float16))
        w.grad = torch.full_like(w, 300.0)
        torch.optim.NAdam([w], lr=0.1, foreach=foreach).step()
        assert (w.item() < 1) == foreach


WRONG: list[tuple[Any, str, Any]] = [
    *[(cls, "betas", (0.9, 0.9991)) for cls in OPTIONS],
    *[(cls, "betas", (0.901, 0.999)) for cls in OPTIONS],
    *[(cls, "lr", 0.0301) for cls in OPTIONS],
    *[(cls, "eps", 0.0101) for cls in OPTIONS],
    *[(cls, "maximize", False) for cls in OPTIONS],
    *[(cls, "weight_decay", 0.301) for cls in OPTIONS if cls is not SparseAdam],
    *[(cls, "amsgrad", False) for cls in (Adam, AdamW)],
    *[(cls, "decoupled_weight_decay", True) for cls in (Adam, NAdam, RAdam)],
    (NAdam, "momentum_decay", 0.0041),
]


@cache
def recorded(cls: Any, dtype: str) -> list[Update]:
    """A run with every option on."""
    given: dict[str, Any] = {"lr": 0.03, "eps": 0.01, "weight_decay": 0.3, "maximize": True, "amsgrad": True}
    known = {each.name for each in fields(cls)}
    return run_of_torch(cls, "for-loop", dtype, {name: given[name] for name in given if name in known}, seed=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("cls", "field", "value"), WRONG, ids=name_of)
def test_a_hyper_parameter_that_is_a_little_wrong_is_caught(cls: Any, field: str, value: Any, dtype: str) -> None:
    shares = []
    for update in recorded(cls, dtype):
        right: Any = update.optimizer
        if cls is SparseAdam:
            wrong: Any = replace(right, optimizer=replace(right.optimizer, **{field: value}))
        else:
            wrong = replace(right, **{field: value})
        assert all(expected.share.max() <= 1 for expected in check(update))
        shares += [expected.share.max() for expected in check(replace(update, optimizer=wrong))]
    assert max(shares) > 1


def test_a_sparse_gradient_given_in_pieces_counts_as_their_sum() -> None:
    w = torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64))
    peer = torch.optim.SparseAdam([w], lr=0.1)
    pieces = torch.tensor([[1.0, 2.0], [4.0, -3.0], [0.5, 0.25]], dtype=torch.float64)
    w.grad = torch.sparse_coo_tensor(torch.tensor([[2, 0, 2]]), pieces, (3, 2), check_invariants=True)
    peer.step()
    grad = np.array([[[4.0, -3.0], [np.nan, np.nan], [1.5, 2.25]]])
    after, state = SparseAdam(lr=0.1).step_sparse(np.ones((1, 3, 2)), grad, np.array([[[True], [False], [True]]]), {})
    np.testing.assert_allclose(after[0], w.detach().numpy(), rtol=4e-16)
    for key in ("exp_avg", "exp_avg_sq"):
        np.testing.assert_allclose(state[key][0], peer.state[w][key].numpy(), rtol=1e-15)


def test_a_gradient_that_holds_nothing_counts_as_a_step() -> None:
    w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    peer = torch.optim.SparseAdam([w], lr=0.1)
    nowhere = torch.zeros((1, 0), dtype=torch.int64)
    w.grad = torch.sparse_coo_tensor(nowhere, torch.zeros(0, dtype=w.dtype), (3,), check_invariants=True)
    peer.step()
    after, state = SparseAdam(lr=0.1).step_sparse(np.ones((1, 3)), np.zeros((1, 3)), np.full((1, 3), False), {})
    assert np.all(after == 1) and np.all(w.detach().numpy() == 1)
    assert state["step"].item() == peer.state[w]["step"] == 1


# -- the papers' formulas, unrolled, in 50 digits ----------------------------------------------------------------------


def unrolled(optimizer: Any, w: Any, gradients: list[Any], context: Any) -> Any:
    """The weight after the last gradient: averages as sums over all gradients, corrections as the papers have them."""
    exact = context.mpf
    lr, eps = exact(optimizer.lr), exact(optimizer.eps)
    beta1, beta2 = (exact(beta) for beta in optimizer.betas)
    decay = exact(getattr(optimizer, "weight_decay", 0))
    decoupled = optimizer.decay == "decoupled"
    seen: list[Any] = []
    squares: list[Any] = []

    def momentum(t: int) -> Any:
        return beta1 * (1 - exact(0.96) ** (t * exact(optimizer.momentum_decay)) / 2)

    for t, gradient in enumerate(gradients, 1):
        seen.append((-gradient if optimizer.maximize else gradient) + (0 if decoupled else decay * w))
        m = sum((1 - beta1) * beta1 ** (t - i) * g for i, g in enumerate(seen, 1))
        v = sum((1 - beta2) * beta2 ** (t - i) * g**2 for i, g in enumerate(seen, 1))
        squares.append(v)
        c1, c2 = 1 - beta1**t, 1 - beta2**t
        start = w - lr * decay * w if decoupled else w
        match optimizer:
            case Adam() | AdamW():
                greatest = max(squares) if optimizer.amsgrad else v
                w = start - lr * (m / c1) / (context.sqrt(greatest / c2) + eps)
            case NAdam():
                product = context.fprod(momentum(i) for i in range(1, t + 1))
                ahead = momentum(t + 1) * m / (1 - product * momentum(t + 1))
                ahead += (1 - momentum(t)) * seen[-1] / (1 - product)
                w = start - lr * ahead / (context.sqrt(v / c2) + eps)
            case RAdam():
                longest = 2 / (1 - beta2) - 1
                length = longest - 2 * t * beta2**t / c2
                w = start - lr * m / c1
                if length > 5:
                    variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
                    w = start - lr * (m / c1) * context.sqrt(variance) * context.sqrt(c2) / (context.sqrt(v) + eps)
            case Adamax():
                w = start - lr / c1 * m / max(beta2 ** (t - i) * (abs(g) + eps) for i, g in enumerate(seen, 1))
            case SparseAdam():
                w = start - lr * context.sqrt(c2) / c1 * m / (context.sqrt(v) + eps)
    return w


@pytest.mark.parametrize(
    ("cls", "options"), [(cls, options) for cls in OPTIONS for options in OPTIONS[cls]], ids=name_of
)
def test_the_recurrence_is_the_papers_unrolled_formula_to_45_digits(
    cls: Any, options: dict[str, Any], high_precision: Any
) -> None:
    context = mpmath.MPContext()
    context.dps = 60
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((1, 3)), rng.standard_normal((12, 1, 3))
    optimizer = cls(**options)
    lifted, param, state = high_precision.hyper(optimizer), high_precision.array(start), {}
    for gradient in gradients:
        param, state = lifted.step(param, high_precision.array(gradient), state)
    for i in range(3):
        expected = unrolled(optimizer, context.mpf(start[0, i]), [context.mpf(g) for g in gradients[:, 0, i]], context)
        assert abs(context.mpf(param[0, i]) - expected) <= context.mpf(10) ** -45


# -- other libraries, judged like torch: in float64, from their own numbers, as code of unknown form -------------------

UNKNOWN_FORM = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"], form=2)


def judged(optimizer: Any, number: int, before: Any, gradient: Array, state: State, after: Any, kept: State) -> float:
    """The largest share of its tolerance that one step of another library used."""
    update = Update(
        parameter="w",
        number=number,
        optimizer=optimizer,
        profile=UNKNOWN_FORM,
        before=np.asarray(before),
        gradient=gradient,
        state=state,
        after=np.asarray(after),
        state_after=kept,
        formats={"param": "float64", **dict.fromkeys(kept, "float64")},
    )
    return max(float(expected.share.max()) for expected in check(update))


@pytest.fixture(scope="module")
def optax() -> Iterator[Any]:
    """Imported here, because jax takes a second; with float64 switched on."""
    import jax
    import optax

    with jax.enable_x64(True):
        yield optax


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("adam", {"eps": 1e-3}, Adam(lr=0.1, eps=1e-3)),
        ("adam", {"b1": 0.7, "b2": 0.9}, Adam(lr=0.1, betas=(0.7, 0.9))),
        ("amsgrad", {"eps": 1e-3}, Adam(lr=0.1, eps=1e-3, amsgrad=True)),
        ("adamw", {"eps": 1e-3, "weight_decay": 0.3}, AdamW(lr=0.1, eps=1e-3, weight_decay=0.3)),
        ("nadam", {"eps": 1e-3}, NAdam(lr=0.1, eps=1e-3, momentum_decay=1e4)),  # 0.96^10000 = 0: μ does not move
        (
            "nadamw",
            {"weight_decay": 0.3},
            NAdam(lr=0.1, momentum_decay=1e4, weight_decay=0.3, decoupled_weight_decay=True),
        ),
        ("radam", {"eps": 0}, RAdam(lr=0.1, eps=0)),  # optax adds ε after the correction
        ("radam", {"eps": 0, "b2": 0.9}, RAdam(lr=0.1, eps=0, betas=(0.9, 0.9))),
        ("adamax", {"eps": 1e-3}, Adamax(lr=0.1, eps=1e-3)),
    ],
    ids=name_of,
)
def test_each_step_of_optax_is_the_references_where_both_define_it(
    name: str, theirs: dict[str, Any], ours: Any, optax: Any
) -> None:
    peer = getattr(optax, name)(0.1, **theirs)
    rng = np.random.default_rng(0)
    param, state = rng.standard_normal((1, 5)), {}
    peer_state = peer.init(param)
    used = []
    for number, gradient in enumerate(rng.standard_normal((12, 1, 5))):
        if name == "amsgrad":  # theirs keeps max v̂, ours max v, which is the same while both grow
            gradient = np.copysign(1.5**number, gradient)
        updates, peer_state = peer.update(gradient, peer_state, param)
        after = np.asarray(optax.apply_updates(param, updates))
        (moments,) = (part for part in peer_state if hasattr(part, "mu"))
        second = "exp_inf" if name == "adamax" else "exp_avg_sq"
        kept: dict[str, Array] = {"step": np.atleast_1d(np.asarray(moments.count))}
        kept |= {"exp_avg": np.asarray(moments.mu), second: np.asarray(moments.nu)}
        if name == "amsgrad":
            kept["max_exp_avg_sq"] = kept["exp_avg_sq"]
        if isinstance(ours, NAdam):
            kept["mu_product"] = np.array([0.9 ** (number + 1)])  # theirs needs no product
        assert after.dtype == kept["exp_avg"].dtype == np.float64
        used.append(judged(ours, number, param, gradient, state, after, kept))
        param, state = after, kept
    assert 0.02 < max(used) <= 1


@pytest.mark.parametrize(
    ("attributes", "ours"),
    [
        ({"epsilon": 0.0}, Adam(lr=0.125, betas=(0.875, 0.9375), eps=0)),
        ({"epsilon": 0.0, "norm_coefficient": 0.25}, Adam(lr=0.125, betas=(0.875, 0.9375), eps=0, weight_decay=0.25)),
        ({"epsilon": 0.0078125}, SparseAdam(lr=0.125, betas=(0.875, 0.9375), eps=0.0078125)),
    ],
    ids=name_of,
)
def test_each_step_of_onnxs_adam_is_the_references(attributes: dict[str, float], ours: Any) -> None:
    """ONNX adds ε before the correction, as SparseAdam does; its attributes are float32, which holds these exactly."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    domain = "ai.onnx.preview.training"
    names = ["R", "T", "X", "G", "V", "H"]
    node = helper.make_node(
        "Adam", names, ["X_new", "V_new", "H_new"], domain=domain, alpha=0.875, beta=0.9375, **attributes
    )
    kinds = [TensorProto.DOUBLE, TensorProto.INT64, *[TensorProto.DOUBLE] * 4]
    inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, kinds, strict=True)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in ("X_new", "V_new", "H_new")]
    model = helper.make_model(
        helper.make_graph([node], "adam", inputs, outputs), opset_imports=[helper.make_opsetid(domain, 1)]
    )
    peer = ReferenceEvaluator(model)
    rng = np.random.default_rng(0)
    param, state = rng.standard_normal((1, 5)), {}
    m, v, used = np.zeros((1, 5)), np.zeros((1, 5)), []
    for number, gradient in enumerate(rng.standard_normal((8, 1, 5))):
        count = np.array(number + 1)
        given = {"R": np.array(0.125), "T": count, "X": param, "G": gradient, "V": m, "H": v}
        after, m, v = peer.run(None, given)
        kept = {"step": count.reshape(1), "exp_avg": m, "exp_avg_sq": v}
        used.append(judged(ours, number, param, gradient, state, after, kept))
        param, state = after, kept
    assert 0.02 < max(used) <= 1


# -- what must follow --------------------------------------------------------------------------------------------------


def run(optimizer: Any, gradients: Array, start: Any = 1.0) -> list[tuple[Array, State]]:
    """(param, state) after each step."""
    param, state, found = np.full(gradients.shape[1:], start), {}, []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


GRADIENTS = np.random.default_rng(1).standard_normal((20, 1, 4))


def same(first: list[tuple[Array, State]], second: list[tuple[Array, State]]) -> bool:
    return all(
        np.array_equal(param, other) and all(np.array_equal(state[key], others[key]) for key in {**state, **others})
        for (param, state), (other, others) in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("cls", [Adam, AdamW, Adamax])
def test_without_averages_it_is_descent_by_the_sign(cls: Any) -> None:
    decay = {"weight_decay": 0} if cls is AdamW else {}
    for count, (param, _) in enumerate(run(cls(lr=0.125, betas=(0, 0), eps=0, **decay), GRADIENTS)):
        assert np.array_equal(param, 1 - 0.125 * np.sign(GRADIENTS[: count + 1]).sum(axis=0))


@pytest.mark.parametrize("options", [{}, AMSGRAD[0], {"lr": 0.1, "maximize": True, "eps": 0.01}], ids=str)
def test_adamw_without_decay_is_adam_and_with_it_is_adam_decoupled(options: dict[str, Any]) -> None:
    assert same(run(AdamW(**options, weight_decay=0), GRADIENTS), run(Adam(**options), GRADIENTS))
    decoupled = Adam(**options, weight_decay=0.3, decoupled_weight_decay=True)
    assert same(run(AdamW(**options, weight_decay=0.3), GRADIENTS), run(decoupled, GRADIENTS))
    assert not same(run(decoupled, GRADIENTS), run(replace(decoupled, decoupled_weight_decay=False), GRADIENTS))


@pytest.mark.parametrize("cls", [Adam, AdamW, NAdam, RAdam])
def test_decoupled_decay_alone_shrinks_the_weights_by_1_minus_lr_times_decay(cls: Any) -> None:
    decoupled = {} if cls is AdamW else {"decoupled_weight_decay": True}
    ended = run(cls(lr=0.5, weight_decay=0.5, **decoupled), np.zeros((9, 1, 2)))[-1]
    assert np.all(ended[0] == 0.75**9) and np.all(ended[1]["exp_avg"] == 0)


@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_amsgrads_largest_average_never_falls_and_the_plain_one_does(cls: Any) -> None:
    gradients = GRADIENTS / np.arange(1, 21).reshape(-1, 1, 1)
    states = [state for _, state in run(cls(lr=0.1, betas=(0.5, 0.6), amsgrad=True), gradients)]
    for key, falls in (("max_exp_avg_sq", False), ("exp_avg_sq", True)):
        assert np.any(np.diff([state[key] for state in states], axis=0) < 0) == falls


FIRST_STEP: Mapping[Any, Any] = {
    Adam: lambda g, eps: g / (np.abs(g) + eps),
    AdamW: lambda g, eps: g / (np.abs(g) + eps),
    Adamax: lambda g, eps: g / (np.abs(g) + eps),
    SparseAdam: lambda g, eps: g / (np.abs(g) + eps / np.sqrt(0.001)),
    RAdam: lambda g, _: g,
    # 0.96^{1·ψ} with ψ = 0: μ = 0.45, so (1 − μ)/(1 − μ) + μ·0.1/(1 − μ²)
    NAdam: lambda g, eps: (1 + 0.45 * 0.1 / (1 - 0.45**2)) * g / (np.abs(g) + eps),
}


@pytest.mark.parametrize("cls", FIRST_STEP, ids=name_of)
def test_the_first_step_is_as_long_as_its_corrections_say(cls: Any) -> None:
    options = {AdamW: {"weight_decay": 0}, NAdam: {"momentum_decay": 0}}.get(cls, {})
    after, _ = cls(lr=0.1, eps=0.01, **options).step(np.zeros((1, 4)), GRADIENTS[0], {})
    np.testing.assert_allclose(after, -0.1 * FIRST_STEP[cls](GRADIENTS[0], 0.01), rtol=1e-13)  # 1 − 0.999 has 13 digits


@pytest.mark.parametrize("cls", OPTIONS, ids=name_of)
def test_to_maximize_is_to_minimize_with_the_gradient_reversed(cls: Any) -> None:
    assert same(run(cls(maximize=True), GRADIENTS), run(cls(), -GRADIENTS))


@pytest.mark.parametrize("cls", [Adam, AdamW, NAdam, Adamax, SparseAdam])
def test_without_eps_the_scale_of_the_gradient_does_not_matter(cls: Any) -> None:
    small, large = (run(cls(eps=0), GRADIENTS * scale) for scale in (2.0**-20, 2.0**20))
    assert all(np.array_equal(param, other) for (param, _), (other, _) in zip(small, large, strict=True))


@pytest.mark.parametrize(("beta2", "expected"), [(0.999, 5), (0.8, 6), (0.6, 20)])
def test_radam_is_momentum_until_its_average_has_more_than_5_gradients(beta2: float, expected: int) -> None:
    wild, tame = (run(RAdam(lr=0.1, betas=(0.9, beta2), eps=eps), GRADIENTS) for eps in (10.0, 0.0))
    assert [np.array_equal(a, b) for (a, _), (b, _) in zip(wild, tame, strict=True)].count(True) == expected
    for t, (param, state) in enumerate(wild[1:expected], 2):
        step = 0.1 * state["exp_avg"] / (1 - 0.9**t)
        np.testing.assert_allclose(wild[t - 2][0] - param, step, rtol=1e-13, atol=1e-15)


def test_radam_with_just_5_gradients_in_its_average_is_momentum_as_in_torch() -> None:
    beta2, t = 0.8397685748659791, np.array([[6]])
    if (2 / (1 - beta2) - 1 - 2 * t * beta2**t / (1 - beta2**t)).item() != 5:
        pytest.skip("ρ₆ of this β₂ is 5 in glibc's powers; another one's are rounded otherwise")
    options: dict[str, Any] = {"lr": 0.1, "betas": (0.9, beta2), "eps": 10.0}
    state = {"exp_avg": GRADIENTS[0], "exp_avg_sq": GRADIENTS[1] ** 2}
    after, _ = RAdam(**options).step(np.zeros((1, 4)), GRADIENTS[2], state | {"step": np.array([5])})
    param = torch.nn.Parameter(torch.zeros(1, 4, dtype=torch.float64))
    peer = torch.optim.RAdam([param], foreach=False, **options)
    peer.state[param] = {key: torch.tensor(values) for key, values in state.items()} | {"step": torch.tensor(5.0)}
    param.grad = torch.tensor(GRADIENTS[2])
    peer.step()
    np.testing.assert_allclose(after, param.detach().numpy(), rtol=1e-14)


def test_radam_of_a_long_run_is_adam() -> None:
    gradient, moment = GRADIENTS[:1, 0], np.abs(GRADIENTS[1])
    state = {"step": np.array([10**6]), "exp_avg": GRADIENTS[2], "exp_avg_sq": moment}
    steps = [cls(eps=0).step(np.zeros((1, 4)), gradient, state)[0] for cls in (Adam, RAdam)]
    np.testing.assert_allclose(*steps, rtol=1e-12)


def test_radam_where_no_step_is_ever_rectified_divides_by_nothing() -> None:
    """ρ∞ = 4 makes r's denominator 0, ρ∞ = 2 too; warnings are errors."""
    for beta2 in (0.0, 1 / 3, 0.5, 0.6):
        run(RAdam(betas=(0.9, beta2), eps=0), np.zeros((20, 1, 4)))


def test_each_run_of_a_batch_rectifies_when_its_own_beta2_says() -> None:
    batch = RAdam(lr=0.1, betas=(0.9, np.array([[0.999], [0.9], [0.6]])))
    together = run(batch, np.repeat(GRADIENTS, 3, axis=1))
    for index, beta2 in enumerate((0.999, 0.9, 0.6)):
        alone = run(RAdam(lr=0.1, betas=(0.9, beta2)), GRADIENTS)
        for (param, _), (other, _) in zip(together, alone, strict=True):
            np.testing.assert_allclose(param[index : index + 1], other, rtol=1e-13)


def test_nadams_product_is_that_of_its_momenta() -> None:
    for count, (_, state) in enumerate(run(NAdam(betas=(0.8, 0.999), momentum_decay=0), GRADIENTS), 1):
        np.testing.assert_allclose(state["mu_product"], 0.4**count, rtol=1e-14)  # μ = β₁/2


@pytest.mark.parametrize("scalar", ["float64", "float32"])
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_nadams_product_is_rounded_to_float32_whatever_the_dtype(dtype: str, scalar: str) -> None:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype], scalar=FORMATS[scalar])
    lifted = Rounding(profile)
    state = {key: lifted.tensor(np.full((1, 3), 0.5)) for key in ("exp_avg", "exp_avg_sq")}
    state |= {"step": np.array([3]), "mu_product": lifted.tensor(np.array([0.125]))}
    param = lifted.tensor(np.ones((1, 3)))
    product: Any = lifted.hyper(NAdam()).step(param, param, state)[1]["mu_product"]
    share = product.error / product.value / FORMATS["float32"].u
    assert 2 <= share < 10


def test_adamax_divides_by_the_largest_of_the_decayed_magnitudes() -> None:
    magnitudes = np.abs(GRADIENTS) + 0.125
    for t, (_, state) in enumerate(run(Adamax(betas=(0.9, 0.5), eps=0.125), GRADIENTS)):
        weights = 0.5 ** np.arange(t, -1, -1).reshape(-1, 1, 1)  # powers of two: exact
        assert np.array_equal(state["exp_inf"], (weights * magnitudes[: t + 1]).max(axis=0))


def test_sparse_adam_leaves_alone_what_the_gradient_does_not_hold() -> None:
    rng = np.random.default_rng(0)
    optimizer = SparseAdam(lr=0.1)
    param, state = rng.standard_normal((2, 5, 3)), {}
    for _ in range(4):
        held = rng.random((2, 5, 1)) < 0.5  # whole rows
        grad = np.where(held, rng.standard_normal((2, 5, 3)), np.nan)
        after, new = optimizer.step_sparse(param, grad, held, state)
        dense, of_dense = optimizer.step(param, np.where(held, grad, 0), state)
        for key, before, found, all_held in (
            ("param", param, after, dense),
            *[
                (key, state.get(key, np.zeros_like(param)), new[key], of_dense[key])
                for key in ("exp_avg", "exp_avg_sq")
            ],
        ):
            rows = held[..., 0]
            assert np.array_equal(found[~rows], before[~rows]), key
            assert np.array_equal(found[rows], all_held[rows]), key
            assert np.all(found[rows] != before[rows]), key
        param, state = after, new


def test_sparse_adam_is_not_adam_with_zeros_filled_in() -> None:
    """A held 0 decays the averages and moves the weight; an element that is absent keeps both."""
    optimizer = SparseAdam(lr=0.1)
    param, state = optimizer.step(np.ones((1, 2)), np.ones((1, 2)), {})
    after, new = optimizer.step_sparse(param, np.zeros((1, 2)), np.array([[True, False]]), state)
    assert after[0, 0] < param[0, 0] and after[0, 1] == param[0, 1]
    assert new["exp_avg"][0, 0] < state["exp_avg"][0, 0] and new["exp_avg"][0, 1] == state["exp_avg"][0, 1]


def test_sparse_adam_that_holds_everything_is_adam_with_eps_before_the_correction() -> None:
    """ε√c₂ added after the correction is ε added before it."""
    sparse, state = np.ones((1, 4)), {}
    for t, gradient in enumerate(GRADIENTS, 1):
        adam = Adam(lr=0.1, eps=0.01 / np.sqrt(1 - 0.999**t)).step(sparse, gradient, state)[0]
        sparse, state = SparseAdam(lr=0.1, eps=0.01).step(sparse, gradient, state)
        np.testing.assert_allclose(sparse, adam, rtol=1e-13)
