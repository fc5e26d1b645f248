"""Adam and its kin against the papers' formulas, unrolled, in 50 digits, and against optax and ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from parity.judge.update import Update, check
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from refimpl.types import State
from tests.refimpl.optimizers.adam_family import OPTIONS, Array, name_of

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


@pytest.mark.every_case
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
