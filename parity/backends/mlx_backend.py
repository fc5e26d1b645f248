"""MLX: gradients by ``mlx.core.value_and_grad``, steps by ``mlx.optimizers``, on its CPU stream.

Every operation runs as it is called (``for-loop``). Each parameter has an optimizer of its own, so that each may have
other numbers. Adam and AdamW are made with ``bias_correction=True``, which is not MLX's default. The rates are the
reference's schedule as numbers, given as arrays of the run's dtype: a Python number would become float32.

Arithmetic, as measured with mlx 0.32.4: IEEE 754 without flushing, operation by operation; sums and products of
matrices in low precision add in float32; βᵗ and 1 − βᵗ are float32 in every dtype. In float64 that is a fault of MLX,
and judged as one: Adam in float64 has the accuracy of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from parity.backends.base import Setting
from parity.backends.framework_run import (
    LOW,
    PRODUCT,
    FrameworkRun,
    Numbers,
    check_asked,
    check_cpu,
    decay_form,
    in_its_words,
    measured,
    rates,
    sum_of_rows,
    sum_over_rows,
)
from parity.backends.options import strengths
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, RMSprop
from refimpl.penalties import Norm, SubtractedL1
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Loss, Model, Optimizer, Penalty

mx: Any = import_module("mlx.core")
nn: Any = import_module("mlx.nn")
optimizers: Any = import_module("mlx.optimizers")

ADAM = {"exp_avg": "m", "exp_avg_sq": "v"}
KEYS: Mapping[type, Callable[[Any], Mapping[str, str]]] = {
    SGD: lambda o: {"momentum_buffer": "v"} if o.momentum else {},
    Adam: lambda _: ADAM,
    AdamW: lambda _: ADAM,
    RMSprop: lambda _: {"square_avg": "v"},
    Adagrad: lambda _: {"sum": "v"},
    Adadelta: lambda _: {"square_avg": "v", "acc_delta": "u"},
    Lion: lambda _: {"exp_avg": "m"},
}
"""torch's names of the state, and MLX's."""
UNCOUNTED = (SGD, Lion)
"""Optimizers whose state has no count in torch."""


class MlxBackend:
    """MLX on the CPU."""

    name = "mlx"

    def devices(self) -> list[str]:
        return ["cpu"]

    def check_device(self, device: str) -> None:
        check_cpu(self.name, device)

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        check_asked(self.name, experiment, setting)
        if setting.implementation != "for-loop":
            raise Unsupported(f"the mlx backend runs operation by operation, as for-loop; not {setting.implementation}")
        form, material = realise(experiment, setting.formulation), experiment.draw()
        usual = mx.default_device()
        mx.set_default_device(mx.cpu)
        try:
            with in_its_words((ValueError, RuntimeError)):
                return MlxRun(experiment, form, material, setting).train()
        finally:
            mx.set_default_device(usual)


class MlxRun(FrameworkRun):
    """``value_and_grad`` of the experiment's objective, and an optimizer for each parameter."""

    backend = "mlx"
    packages = ("mlx",)

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        self.dtype = getattr(mx, setting.dtype)
        super().__init__(experiment, form, material, setting)
        self.rates = rates(experiment, form, material)
        if setting.dtype == "float16" and any(isinstance(each, RMSprop | Adagrad) for each in form.optimizers.values()):
            raise Unsupported("mlx.optimizers: ηg/(√v + ε) underflows in float16 at ηg, where g/(√v + ε)·η is bounded")
        self.optimizers = {name: made(each) for name, each in form.optimizers.items()}
        for name, optimizer in self.optimizers.items():
            optimizer.init({name: self.params[name]})
        self.gradient = mx.value_and_grad(self.objective)
        self.count = 0

    def array(self, values: Array) -> Any:
        return mx.array(np.asarray(values, np.float64), dtype=self.dtype)

    def exactly(self, array: Any) -> Array:
        return np.array(array.astype(mx.float64), np.float64)

    def rows(self, array: Any, rows: Array) -> Any:
        return array[mx.array(np.asarray(rows))]

    def objective(self, params: Numbers, X: Any, y: Any, mask: Any) -> tuple[Any, Any]:
        """J, and beside it the loss alone."""
        loss = loss_value(self.loss, forward(self.model, params, X, mask), y)
        objective = loss
        for name, penalty in self.penalties:
            objective = objective + penalty_value(penalty, params[name])
        return objective, loss

    def step(self, X: Any, y: Any, mask: Any) -> tuple[Any, Any, Numbers]:
        (objective, loss), gradients = self.gradient(self.params, X, y, mask)
        after: dict[str, Any] = {}
        for name, optimizer in self.optimizers.items():
            optimizer.learning_rate = mx.array(self.rates[name][self.count], dtype=self.dtype)
            after |= optimizer.apply_gradients({name: gradients[name]}, {name: self.params[name]})
        self.params = after
        mx.eval(self.params, gradients)
        self.count += 1
        return loss, objective, gradients

    def state(self) -> dict[str, Numbers]:
        recorded: dict[str, Numbers] = {}
        for name, reference in self.form.optimizers.items():
            state = self.optimizers[name].state
            count = {} if isinstance(reference, UNCOUNTED) else {"step": state["step"]}
            recorded[name] = count | {ours: state[name][its] for ours, its in KEYS[type(reference)](reference).items()}
        return recorded

    def evaluate(self, X: Any, y: Any) -> Any:
        return loss_value(self.loss, forward(self.model, self.params, X, None), y)

    def norm(self) -> Any:
        return mx.linalg.norm(mx.concatenate([self.params[name].reshape(-1) for name in self.model.weights]))

    def arithmetic(self) -> dict[str, Any]:
        dtype = self.setting.dtype
        common: dict[str, Any] = {
            "compute": dtype,
            "accumulate": measured(self, (mx.matmul, PRODUCT), (lambda a, _: mx.sum(a, axis=1), sum_of_rows)),
            "sums": measured(self, (_bias_gradient, sum_over_rows)),
            "products": True,
            "scalar": "float32" if dtype in LOW else "float64",
        }
        form = max(_form(each, self.rates[name]) for name, each in self.form.optimizers.items())
        power = {"power": "float64" if dtype == "float64" else "float32"}
        return {"profile": {"loss": {**common, "form": 2}, "update": {**common, **power, "form": form}}}


def _form(optimizer: Optimizer, its_rates: tuple[float, ...]) -> float:
    """1 for SGD, which is the formula. The others round η, λ and ηλ in the dtype before they make 1 − ηλ."""
    if isinstance(optimizer, SGD):
        return 1.0
    return decay_form(optimizer, its_rates, 3) if optimizer.decay == "decoupled" else 2.0


def made(optimizer: Optimizer) -> Any:
    """MLX's optimizer of the same rule; its rate is set at every step. Raises :class:`Unsupported`."""
    o: Any = optimizer
    kind = type(o).__name__
    if getattr(o, "maximize", False):
        raise Unsupported("mlx.optimizers have no maximize")
    if optimizer.decay == "coupled" and not isinstance(o, SGD) and o.weight_decay:
        raise Unsupported(f"mlx.optimizers.{kind} has no coupled weight decay")
    match o:
        case SGD():
            if o.momentum and o.dampening:
                raise Unsupported("mlx.optimizers.SGD dampens the first step, too")
            numbers = {"momentum": float(o.momentum), "weight_decay": float(o.weight_decay)}
            return optimizers.SGD(0.0, **numbers, nesterov=o.nesterov)
        case Adam() | AdamW():
            if o.amsgrad:
                raise Unsupported(f"mlx.optimizers.{kind} has no amsgrad")
            more = {"weight_decay": float(o.weight_decay)} if o.decay == "decoupled" else {}
            make = optimizers.AdamW if more else optimizers.Adam
            return make(0.0, betas=list(map(float, o.betas)), eps=float(o.eps), bias_correction=True, **more)
        case RMSprop():
            if o.momentum or o.centered:
                raise Unsupported("mlx.optimizers.RMSprop has no momentum, and is not centered")
            return optimizers.RMSprop(0.0, alpha=float(o.alpha), eps=float(o.eps))
        case Adagrad():
            if o.lr_decay or o.initial_accumulator_value:
                raise Unsupported("mlx.optimizers.Adagrad has no lr_decay, and starts from 0")
            return optimizers.Adagrad(0.0, eps=float(o.eps))
        case Adadelta():
            return optimizers.AdaDelta(0.0, rho=float(o.rho), eps=float(o.eps))
        case Lion():
            return optimizers.Lion(0.0, betas=list(map(float, o.betas)), weight_decay=float(o.weight_decay))
    raise Unsupported(f"mlx.optimizers has no {kind} by torch's rule")


def _bias_gradient(a: Any, _: Any) -> Any:
    """Of ``a + bias`` with respect to the bias, for the upstream ``a``: its sum over the rows, as MLX makes it."""
    return mx.vjp(lambda bias: mx.zeros_like(a) + bias, [mx.zeros_like(a[0])], [a])[1][0]


def forward(model: Model, params: Numbers, X: Any, mask: Any) -> Any:
    """The model's outputs; in training with the mask of a model that drops units."""
    if isinstance(model, Linear):
        outputs = X @ params["weight"].T
        return outputs + params["bias"] if model.bias else outputs
    assert isinstance(model, MLP)
    hidden = nn.relu(X @ params["fc1.weight"].T + params["fc1.bias"])
    if mask is not None:
        hidden = hidden * (mask / (1 - float(model.dropout)))
    return hidden @ params["fc2.weight"].T + params["fc2.bias"]


def loss_value(loss: Loss, outputs: Any, y: Any) -> Any:
    """The loss without penalty, by MLX's own functions."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction):
            return float(factor) * nn.losses.mse_loss(outputs, y, reduction=reduction)
        case CrossEntropy(reduction=reduction):
            return nn.losses.cross_entropy(outputs, y[:, 0].astype(mx.int32), reduction=reduction)
    raise Unsupported(f"the mlx backend has no {type(loss).__name__} loss")


def penalty_value(penalty: Penalty, w: Any) -> Any:
    """``λ₁‖w‖₁ + λ₂/2‖w‖²``, ``λ‖w‖₂`` or ``−λ‖w‖₁``."""
    match penalty:
        case Norm(strength=strength):
            return float(strength) * mx.linalg.norm(w)
        case SubtractedL1(strength=strength):
            return -float(strength) * mx.sum(mx.abs(w))
    l1, l2 = strengths(penalty)
    terms = [l1 * mx.sum(mx.abs(w))] if l1 else []
    terms += [l2 / 2 * mx.sum(w * w)] if l2 else []
    return sum(terms[1:], terms[0]) if terms else 0
