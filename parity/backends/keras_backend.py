"""Keras: its layers, losses, regularizers and optimizers, on its torch or its JAX backend, on the CPU.

``KERAS_BACKEND`` chooses between the two when Keras is imported, torch where it is not set; the versions of a run say
which it was. Each parameter has an optimizer of its own. The state is not compared: Keras keeps the rate inside of the
velocity, ``m = −ηb``, which is torch's rule while the rate stays what it is, and its other states come with rules that
are not torch's. What Keras 3.15 has by another rule only is refused::

    Adam, AdamW         α·m/(√v + ε), α = η√c₂/c₁: ε before the correction of v; the same where ε = 0
    RMSprop             ηg/√(v + ε): ε inside of the root; the same where ε = 0
    Adagrad             the same
    weight_decay        decoupled in every class; for SGD without momentum that is L2
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
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
from parity.backends.options import strengths
from parity.errors import InputError, Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from refimpl.losses import SquaredError
from refimpl.models import MLP
from refimpl.optimizers import SGD, SGDW, Adadelta, Adagrad, Adam, AdamW, Lion, RMSprop
from refimpl.penalties import Norm, SubtractedL1
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Loss, Optimizer, Penalty

os.environ.setdefault("KERAS_BACKEND", "torch")
keras: Any = import_module("keras")
EARLY = (Adam, AdamW, RMSprop, Adagrad)
"""Optimizers whose rate is multiplied before the division that would make up for it."""
PACKAGES = {"torch": ("keras", "torch"), "jax": ("keras", "jax", "jaxlib")}


class KerasBackend:
    """Keras on the CPU."""

    name = "keras"

    def __init__(self) -> None:
        if keras.backend.backend() not in PACKAGES:
            allowed = ", ".join(PACKAGES)
            raise InputError(f"backend 'keras': KERAS_BACKEND is {keras.backend.backend()!r}; allowed: {allowed}")

    def devices(self) -> list[str]:
        return ["cpu"]

    def check_device(self, device: str) -> None:
        check_cpu(self.name, device)

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        check_asked(self.name, experiment, setting)
        if setting.implementation != "for-loop":
            raise Unsupported(
                f"the keras backend runs operation by operation, as for-loop; not {setting.implementation}"
            )
        form, material = realise(experiment, setting.formulation), experiment.draw()
        usual = keras.config.floatx()
        with ExitStack() as stack:
            stack.callback(keras.config.set_floatx, usual)
            keras.config.set_floatx("float64" if setting.dtype == "float64" else "float32")
            if keras.backend.backend() == "jax":
                stack.enter_context(import_module("jax").enable_x64(setting.dtype == "float64"))
            stack.enter_context(keras.device("cpu"))
            with in_its_words((ValueError, TypeError, RuntimeError, NotImplementedError)):
                return KerasRun(experiment, form, material, setting).train()


class KerasRun(FrameworkRun):
    """A functional model of Dense layers with regularizers, and an optimizer for each of its variables."""

    backend = "keras"

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        super().__init__(experiment, form, material, setting)
        self.packages = PACKAGES[keras.backend.backend()]
        self.rates = rates(experiment, form, material)
        if setting.dtype == "float16" and any(isinstance(each, EARLY) for each in form.optimizers.values()):
            raise Unsupported("keras.optimizers: η√c₂·m/√v and ηg/√v underflow in float16 before the division")
        self.optimizers = {name: made(each, self.rates[name]) for name, each in form.optimizers.items()}
        regularizers = regularizers_of(self.penalties)
        self.net = self.network(regularizers)
        names = [name for layer in ("fc1.", "fc2.") for name in self.params if name.startswith(layer)]
        names = names or list(self.params)  # kernel and bias, layer by layer, as Keras orders its variables
        self.variables = dict(zip(names, self.net.trainable_variables, strict=True))
        for name, variable in self.variables.items():
            variable.assign(turned(self.params[name]))
            self.optimizers[name].build([variable])
        reduction = {"mean": "sum_over_batch_size", "sum": "sum"}[experiment.loss.reduction]  # type: ignore[attr-defined]
        self.keras_loss = made_loss(experiment.loss, reduction, setting.dtype)
        self.factor = float(getattr(experiment.loss, "factor", 1))
        self.count = 0

    def network(self, regularizers: dict[str, Any]) -> Any:
        """The model, with the mask of the hidden units as its second input where it drops some."""

        def dense(prefix: str, units: int, **options: Any) -> Any:
            return keras.layers.Dense(
                units,
                use_bias=f"{prefix}bias" in self.params,
                kernel_initializer="zeros",
                kernel_regularizer=regularizers.get(f"{prefix}weight"),
                bias_regularizer=regularizers.get(f"{prefix}bias"),
                dtype=self.setting.dtype,
                **options,
            )

        X = keras.Input(self.inputs["X"].shape[1:], dtype=self.setting.dtype)
        if not isinstance(self.model, MLP):
            return keras.Model([X], dense("", 1)(X))
        hidden = dense("fc1.", self.model.hidden, activation="relu")(X)
        if not self.masks:
            return keras.Model([X], dense("fc2.", self.model.outputs)(hidden))
        keep = keras.Input((self.model.hidden,), dtype=self.setting.dtype)
        hidden = keras.layers.Multiply(dtype=self.setting.dtype)([hidden, keep])
        return keras.Model([X, keep], dense("fc2.", self.model.outputs)(hidden))

    def array(self, values: Array) -> Any:
        return keras.ops.convert_to_tensor(np.asarray(values, np.float64), dtype=self.setting.dtype)

    def exactly(self, array: Any) -> Array:
        if keras.backend.backend() == "torch":  # where Keras's own conversion warns, and has no bfloat16
            return np.array(array.detach().double().cpu().numpy())
        return np.array(array, np.float64)

    def rows(self, array: Any, rows: Array) -> Any:
        return keras.ops.take(array, np.asarray(rows), axis=0)

    def fed(self, X: Any, mask: Any) -> list[Any]:
        """The inputs that the model is given; without a mask every unit stays."""
        if not self.masks:
            return [X]
        assert isinstance(self.model, MLP)
        keep = keras.ops.ones((X.shape[0], self.model.hidden), self.setting.dtype)
        return [X, keep if mask is None else mask / (1 - float(self.model.dropout))]

    def step(self, X: Any, y: Any, mask: Any) -> tuple[Any, Any, Numbers]:
        of_backend = with_torch if keras.backend.backend() == "torch" else with_jax
        loss, objective, gradients = of_backend(self, self.fed(X, mask), y)
        for (name, variable), gradient in zip(self.variables.items(), gradients, strict=True):
            optimizer = self.optimizers[name]
            optimizer.learning_rate = self.rates[name][self.count]
            with import_module("torch").no_grad() if keras.backend.backend() == "torch" else nullcontext():
                optimizer.apply([gradient], [variable])
        self.params = {name: turned(variable.value) for name, variable in self.variables.items()}
        self.count += 1
        return loss, objective, {name: turned(g) for name, g in zip(self.variables, gradients, strict=True)}

    def state(self) -> dict[str, Numbers]:
        """Only of what has none."""
        plain = all(isinstance(o, SGD | SGDW) and not o.momentum for o in self.form.optimizers.values())
        return {name: {} for name in self.params} if plain else {}

    def evaluate(self, X: Any, y: Any) -> Any:
        return self.factor * self.keras_loss(y, self.net(self.fed(X, None)))

    def norm(self) -> Any:
        return keras.ops.norm(keras.ops.concatenate([keras.ops.ravel(self.params[n]) for n in self.model.weights]))

    def arithmetic(self) -> dict[str, Any]:
        dtype = self.setting.dtype
        sums = lambda a, _: keras.ops.sum(a, axis=1)  # noqa: E731
        common: dict[str, Any] = {
            "compute": dtype,
            "accumulate": measured(self, (keras.ops.matmul, PRODUCT), (sums, sum_of_rows)),
            "sums": measured(self, (bias_gradient, sum_over_rows)),
            "products": True,
            "scalar": "float32" if dtype in LOW else "float64",
            "flush": bool(np.all(self.exactly(self.array(np.array(TINY[dtype])) * 1) == 0)),
        }
        update = {
            **common,
            "power": dtype,
            "form": max(form_of(each, self.rates[name]) for name, each in self.form.optimizers.items()),
        }
        return {"profile": {"loss": {**common, "form": 2}, "update": update}}


def turned(array: Any) -> Any:
    """A kernel ``(inputs, outputs)`` for a weight ``(outputs, inputs)``, and back; a bias as it is."""
    return keras.ops.transpose(array) if len(array.shape) == 2 else array


# -- gradients ---------------------------------------------------------------------------------------------------------


def with_torch(run: KerasRun, fed: list[Any], y: Any) -> tuple[Any, Any, list[Any]]:
    """Loss, objective and gradients by ``backward``."""
    run.net.zero_grad()
    loss = run.factor * run.keras_loss(y, run.net(fed))
    objective = sum(run.net.losses, loss)
    objective.backward()
    return loss, objective, [variable.value.grad.clone() for variable in run.variables.values()]


def with_jax(run: KerasRun, fed: list[Any], y: Any) -> tuple[Any, Any, list[Any]]:
    """Loss, objective and gradients by ``jax.value_and_grad`` of ``stateless_call``."""

    def of(values: list[Any]) -> tuple[Any, Any]:
        outputs, _, penalties = run.net.stateless_call(values, [], fed, return_losses=True)
        loss = run.factor * run.keras_loss(y, outputs)
        return sum(penalties, loss), loss

    values = [variable.value for variable in run.variables.values()]
    (objective, loss), gradients = import_module("jax").value_and_grad(of, has_aux=True)(values)
    return loss, objective, gradients


def bias_gradient(a: Any, _: Any) -> Any:
    """Of ``a + bias`` with respect to the bias, for the upstream ``a``: its sum over the rows, as autodiff makes it."""
    if keras.backend.backend() == "torch":
        bias = keras.ops.zeros_like(a[0]).requires_grad_()
        (keras.ops.zeros_like(a) + bias).backward(a)
        return bias.grad
    _, pull = import_module("jax").vjp(lambda bias: keras.ops.zeros_like(a) + bias, keras.ops.zeros_like(a[0]))
    return pull(a)[0]


# -- Keras's parts -----------------------------------------------------------------------------------------------------


def made_loss(loss: Loss, reduction: str, dtype: str) -> Callable[[Any, Any], Any]:
    """Keras's loss, which averages over the outputs of a row as well."""
    if isinstance(loss, SquaredError):
        return keras.losses.MeanSquaredError(reduction=reduction, dtype=dtype)  # type: ignore[no-any-return]
    of_classes = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction, dtype=dtype)
    return lambda y, outputs: of_classes(keras.ops.cast(y, "int32"), outputs)


def regularizers_of(penalties: Any) -> dict[str, Any]:
    """``L1L2`` by parameter. Raises :class:`Unsupported` for what it cannot be."""
    regularizers: dict[str, Any] = {}
    terms: list[tuple[str, Penalty]] = list(penalties)
    for name, penalty in terms:
        if isinstance(penalty, Norm | SubtractedL1) or name in regularizers:
            raise Unsupported("keras.regularizers: L1 and L2, one of each parameter, only")
        l1, l2 = strengths(penalty)
        regularizers[name] = keras.regularizers.L1L2(l1=l1, l2=l2 / 2)  # its L2 is λΣw²
    return regularizers


def made(optimizer: Optimizer, its_rates: tuple[float, ...]) -> Any:
    """Keras's optimizer of the same rule. Raises :class:`Unsupported` where Keras has another."""
    o: Any = optimizer
    kind = type(o).__name__
    make = keras.optimizers
    decay = float(getattr(o, "weight_decay", 0))
    own = {"weight_decay": decay} if decay else {}
    if getattr(o, "maximize", False):
        raise Unsupported("keras.optimizers have no maximize")
    if decay and o.decay == "coupled" and not (isinstance(o, SGD) and not o.momentum):
        raise Unsupported("keras.optimizers have decoupled weight decay only; L2 is a regularizer there")
    lr = its_rates[0]
    if getattr(o, "momentum", 0) and len(set(its_rates)) > 1:
        raise Unsupported(
            f"keras.optimizers.{kind} keeps the rate in its velocity: another rule where the rate changes"
        )
    match o:
        case SGD() | SGDW():
            if o.momentum and o.dampening:
                raise Unsupported("keras.optimizers.SGD has no dampening")
            return make.SGD(lr, momentum=float(o.momentum), nesterov=o.nesterov, **own)
        case Adam() | AdamW() | RMSprop() | Adagrad() if o.eps:
            where = "before v is corrected" if isinstance(o, Adam | AdamW) else "inside of the root"
            raise Unsupported(f"keras.optimizers.{kind} adds ε {where}, as another rule has it unless eps is 0")
        case Adam() | AdamW():
            if o.amsgrad:
                raise Unsupported("keras.optimizers have amsgrad by another rule")
            beta_1, beta_2 = map(float, o.betas)
            return make.Adam(lr, beta_1=beta_1, beta_2=beta_2, epsilon=0.0, **own)
        case RMSprop():
            if o.momentum or o.centered:
                raise Unsupported("keras.optimizers.RMSprop has momentum and centered by another rule")
            return make.RMSprop(lr, rho=float(o.alpha), epsilon=0.0)
        case Adadelta():
            return make.Adadelta(lr, rho=float(o.rho), epsilon=float(o.eps))
        case Lion():
            return make.Lion(lr, beta_1=float(o.betas[0]), beta_2=float(o.betas[1]), **own)
    raise Unsupported(f"keras.optimizers has no {kind} by torch's rule")


def form_of(optimizer: Optimizer, its_rates: tuple[float, ...]) -> float:
    """The factor on the unit roundoff that Keras's form of a step needs.

    On JAX decay is ``w − wλη``, where λ, wλ, η and the product round; on torch λ and ηλ round in the dtype before
    1 − ηλ does. For L2 as this decay, ``(1 − ηλ)|w| ≤ |w⁺| + η|g|`` makes that at most 3 times the roundings of
    ``w − η(g + λw)``.
    """
    return 3.0 if optimizer.decay == "coupled" else decay_form(optimizer, its_rates, 4)
