"""optax: gradients by ``jax.grad``, steps by optax's transformations, on the CPU.

``for-loop`` runs operation by operation, as one writes it in Python; ``fused`` compiles the gradient, and the step, by
``jax.jit``. Every parameter has a transformation of its own, chained from optax's parts, so that each is torch's rule::

    coupled decay       add_decayed_weights before the rule          g + λw
    decoupled decay     add_decayed_weights after it                 η(d + λw)
    maximize            scale(−1) before both                        −g
    the rate            scale_by_learning_rate of the count          −η_t d

What optax has by another rule only is refused. The rates are the reference's schedule as numbers: optax's own schedules
do not run.

Arithmetic, as measured with jaxlib 0.10.2: float32, bfloat16 and float64 flush subnormal numbers to 0; a division by a
number is a product with its rounded reciprocal; βᵗ is good to an ulp, in float32 unless the run is in float64, while
1 − β is a Python number; products of matrices in low precision add in float32, but the gradient of a bias does not.
Compiled code makes the loss's derivative anew for every gradient that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from parity.backends.base import Setting
from parity.backends.framework_run import (
    LOW,
    PRODUCT,
    TINY,
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
from parity.backends.optax_rules import KEYS, rule
from parity.backends.options import strengths
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.optimizers import SGD
from refimpl.penalties import Norm, SubtractedL1
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Loss, Model, Optimizer, Penalty

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
optax: Any = import_module("optax")


class OptaxBackend:
    """JAX on the CPU."""

    name = "optax"

    def devices(self) -> list[str]:
        return ["cpu"]

    def check_device(self, device: str) -> None:
        check_cpu(self.name, device)

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        check_asked(self.name, experiment, setting)
        if setting.implementation == "foreach":
            raise Unsupported("JAX has no foreach: for-loop is operation by operation, fused is compiled by jax.jit")
        form, material = realise(experiment, setting.formulation), experiment.draw()
        with on_cpu(setting.dtype), in_its_words((NotImplementedError,)):
            return OptaxRun(experiment, form, material, setting).train()


@contextmanager
def on_cpu(dtype: str) -> Iterator[None]:
    """JAX's CPU, and 64 bits where the run has them; as it was before, afterwards."""
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(dtype == "float64"))
        stack.enter_context(jax.default_device(jax.devices("cpu")[0]))
        yield


class OptaxRun(FrameworkRun):
    """``jax.value_and_grad`` of the experiment's objective, and a transformation for each parameter."""

    backend = "optax"
    packages = ("jax", "jaxlib", "optax")

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        super().__init__(experiment, form, material, setting)
        self.rates = rates(experiment, form, material)
        self.rules = {name: rule(optax, each, _rate(self.rates[name])) for name, each in form.optimizers.items()}
        self.states = {name: self.rules[name].init(self.params[name]) for name in self.params}
        compile: Callable[[Any], Any] = jax.jit if setting.implementation == "fused" else lambda function: function
        self.gradient = compile(jax.value_and_grad(self.objective, has_aux=True))
        self.update = compile(self.updated)
        self.loss_of = compile(lambda params, X, y: loss_value(self.loss, forward(self.model, params, X, None), y))

    def array(self, values: Array) -> Any:
        return jnp.asarray(values, self.setting.dtype)

    def exactly(self, array: Any) -> Array:
        return np.array(array, np.float64)

    def rows(self, array: Any, rows: Array) -> Any:
        return array[np.asarray(rows)]

    def objective(self, params: Numbers, X: Any, y: Any, mask: Any) -> tuple[Any, Any]:
        """J, and beside it the loss alone."""
        loss = loss_value(self.loss, forward(self.model, params, X, mask), y)
        objective = loss
        for name, penalty in self.penalties:
            objective = objective + penalty_value(penalty, params[name])
        return objective, loss

    def updated(self, gradients: Numbers, states: Mapping[str, Any], params: Numbers) -> Any:
        """The parameters and the states after a step."""
        made = {name: each.update(gradients[name], states[name], params[name]) for name, each in self.rules.items()}
        after = {name: optax.apply_updates(params[name], made[name][0]) for name in params}
        return after, {name: state for name, (_, state) in made.items()}

    def step(self, X: Any, y: Any, mask: Any) -> tuple[Any, Any, Numbers]:
        (objective, loss), gradients = self.gradient(self.params, X, y, mask)
        self.params, self.states = self.update(gradients, self.states, self.params)
        return loss, objective, gradients

    def state(self) -> dict[str, Numbers]:
        recorded: dict[str, Numbers] = {}
        for name, optimizer in self.form.optimizers.items():
            keys = KEYS[type(optimizer)](optimizer)
            recorded[name] = {ours: _part(self.states[name], its) for ours, its in keys.items()}
        return recorded

    def evaluate(self, X: Any, y: Any) -> Any:
        return self.loss_of(self.params, X, y)

    def norm(self) -> Any:
        return jnp.linalg.norm(jnp.concatenate([self.params[name].reshape(-1) for name in self.model.weights]))

    def arithmetic(self) -> dict[str, Any]:
        dtype = self.setting.dtype
        flush = bool(self.array(np.array(TINY[dtype])) * 1 == 0)
        numbers = "float64" if dtype == "float64" else "float32"
        common: dict[str, Any] = {
            "compute": dtype,
            "accumulate": measured(self, (jax.jit(jnp.matmul), PRODUCT), (jax.jit(_row_sums), sum_of_rows)),
            "sums": measured(self, (jax.jit(_bias_gradient), sum_over_rows)),
            "products": True,
            "scalar": "float32" if dtype in LOW else "float64",
            "flush": flush,
        }
        form = max(_form(each, self.rates[name]) for name, each in self.form.optimizers.items())
        return {
            "profile": {
                "loss": {**common, "form": 2},
                "update": {**common, "power": numbers, "form": form},
            },
            "recomputes": self.setting.implementation == "fused",
        }


def _form(optimizer: Optimizer, its_rates: tuple[float, ...]) -> float:
    """1 for SGD, which is the formula. Of ``w − η(d + λw)`` η, λ, λw, the sum and the product round: 5 of ηλw, where
    ``w(1 − ηλ)`` rounds twice."""
    if isinstance(optimizer, SGD):
        return 1.0
    return decay_form(optimizer, its_rates, 2.5) if optimizer.decay == "decoupled" else 2.0


def _rate(rates: tuple[float, ...]) -> Callable[[Any], Any]:
    """η as a function of the count of steps, a number where it is always the same."""
    if len(set(rates)) == 1:
        return lambda _: rates[0]
    every = jnp.asarray(rates)
    return lambda count: every[count]


def _part(state: Any, field: str) -> Any:
    """The first field of that name in a chain's states."""
    return optax.tree.get_all_with_path(state, field)[0][1]


def _row_sums(a: Any, _: Any) -> Any:
    return jnp.sum(a, axis=1)


def _bias_gradient(a: Any, _: Any) -> Any:
    """Of ``a + bias`` with respect to the bias, for the upstream ``a``: its sum over the rows, as autodiff makes it."""
    _, pull = jax.vjp(lambda bias: jnp.zeros_like(a) + bias, jnp.zeros_like(a[0]))
    return pull(a)[0]


def forward(model: Model, params: Numbers, X: Any, mask: Any) -> Any:
    """The model's outputs; in training with the mask of a model that drops units."""
    if isinstance(model, Linear):
        outputs = X @ params["weight"].T
        return outputs + params["bias"] if model.bias else outputs
    assert isinstance(model, MLP)
    hidden = jax.nn.relu(X @ params["fc1.weight"].T + params["fc1.bias"])
    if mask is not None:
        hidden = hidden * (mask / (1 - float(model.dropout)))
    return hidden @ params["fc2.weight"].T + params["fc2.bias"]


def loss_value(loss: Loss, outputs: Any, y: Any) -> Any:
    """The loss without penalty."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction):
            r = outputs - y
            return float(factor) * (jnp.mean(r * r) if reduction == "mean" else jnp.sum(r * r))
        case CrossEntropy(reduction=reduction):
            of_row = optax.softmax_cross_entropy_with_integer_labels(outputs, y[:, 0].astype(int))
            return jnp.mean(of_row) if reduction == "mean" else jnp.sum(of_row)
    raise Unsupported(f"the optax backend has no {type(loss).__name__} loss")


def penalty_value(penalty: Penalty, w: Any) -> Any:
    """``λ₁‖w‖₁ + λ₂/2‖w‖²``, ``λ‖w‖₂`` or ``−λ‖w‖₁``."""
    match penalty:
        case Norm(strength=strength):
            return float(strength) * jnp.linalg.norm(w)
        case SubtractedL1(strength=strength):
            return -float(strength) * jnp.sum(jnp.abs(w))
    l1, l2 = strengths(penalty)
    terms = [l1 * jnp.sum(jnp.abs(w))] if l1 else []
    terms += [l2 / 2 * jnp.sum(w * w)] if l2 else []
    return sum(terms[1:], terms[0]) if terms else 0
