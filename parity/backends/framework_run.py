"""A run in a framework that has no part of its own for the loop: the loop, and the recording of every step in float64.

A framework's file makes arrays, takes one step and evaluates a loss; what it cannot be asked is refused here.
"""

from __future__ import annotations

import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np

from parity.backends.base import Setting
from parity.errors import OptionError, Unsupported, is_ours
from parity.experiment import Experiment, Material
from parity.formulation import Realised
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.training import hyper_parameters, scheduled, stack_states
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Optimizer

LOW = ("bfloat16", "float16")
TINY = {"float64": 2.0**-1074, "float32": 2.0**-149, "bfloat16": 2.0**-133, "float16": 2.0**-24}
"""The smallest subnormal number of each dtype."""
Kernel = tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]
"""What a framework makes of two matrices ``(n, k)`` and ``(k, m)``, and the formula of it."""
Numbers = Mapping[str, Any]
"""Arrays of the framework by name."""


class FrameworkRun(ABC):
    """The loop; a subclass has the framework's own arrays and its step. It makes ``self.params`` when it is made."""

    backend: str
    packages: tuple[str, ...]

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        self.form, self.material, self.setting = form, material, setting
        self.model, self.loss, self.penalties = experiment.model, experiment.loss, form.in_gradient.terms
        if not isinstance(self.model, Linear | MLP) or not isinstance(self.loss, SquaredError | CrossEntropy):
            raise Unsupported(
                f"the {self.backend} backend has the linear model and the MLP, squared error and cross-entropy"
            )
        self.inputs: dict[str, Any] = {name: self.array(values[0]) for name, values in material.inputs.items()}
        self.params: dict[str, Any] = {name: self.array(values[0]) for name, values in material.params.items()}
        self.masks = [self.array(mask[0]) for mask in material.masks]

    @abstractmethod
    def array(self, values: Array) -> Any:
        """An array of the framework in the run's dtype."""

    @abstractmethod
    def exactly(self, array: Any) -> Array:
        """The numbers of an array of the framework, exact in float64."""

    @abstractmethod
    def rows(self, array: Any, rows: Array) -> Any:
        """Rows of an array of the framework."""

    @abstractmethod
    def step(self, X: Any, y: Any, mask: Any) -> tuple[Any, Any, Numbers]:
        """Take one step; return loss, objective and the gradients that the optimizer was given."""

    @abstractmethod
    def state(self) -> dict[str, Numbers]:
        """The optimizer's state by parameter, under torch's keys; empty where it is not recorded."""

    @abstractmethod
    def evaluate(self, X: Any, y: Any) -> Any:
        """The loss without penalty on all rows."""

    @abstractmethod
    def norm(self) -> Any:
        """‖w‖₂ of the model's weights."""

    @abstractmethod
    def arithmetic(self) -> dict[str, Any]:
        """What ``meta`` says of the arithmetic: ``profile``, and what goes with it."""

    def train(self) -> Trajectory:
        """Every batch of the experiment, recorded."""
        inputs = {name: self.exactly(array)[None] for name, array in self.inputs.items()}
        params, states, gradients = [self._recorded(self.params)], [self._recorded_state()], []
        loss, objective, norm = list[list[float]](), list[list[float]](), [self.number(self.norm())]
        train_loss, validation_loss = list[list[float]](), list[list[float]]()

        def record_epoch() -> None:
            train_loss.append(self.number(self.evaluate(self.inputs["X"], self.inputs["y"])))
            if "X_validation" in self.inputs:
                X, y = self.inputs["X_validation"], self.inputs["y_validation"]
                validation_loss.append(self.number(self.evaluate(X, y)))

        record_epoch()
        for batches in self.material.order:
            for rows in batches:
                X, y = (self.rows(self.inputs[name], rows) for name in ("X", "y"))
                mask = self.masks[len(loss)] if self.masks else None
                of_step = self.step(X, y, mask)
                loss.append(self.number(of_step[0]))
                objective.append(self.number(of_step[1]))
                gradients.append(self._recorded(of_step[2]))
                params.append(self._recorded(self.params))
                states.append(self._recorded_state())
                norm.append(self.number(self.norm()))
            record_epoch()
        return Trajectory(
            params=_stacked(params),
            gradients=_stacked(gradients),
            state=self._without_beginnings(stack_states(states)),
            loss=np.array(loss),
            objective=np.array(objective),
            norm=np.array(norm),
            train_loss=np.array(train_loss),
            validation_loss=np.array(validation_loss) if validation_loss else None,
            inputs=inputs,
            formats=dict.fromkeys(params[0], self.setting.dtype),
            meta={
                "backend": self.backend,
                "versions": versions(*self.packages),
                **asdict(self.setting),
                **self.arithmetic(),
            },
        )

    def number(self, scalar: Any) -> list[float]:
        """A number of the framework, of the one run."""
        return [float(self.exactly(scalar))]

    def _recorded(self, arrays: Numbers) -> dict[str, Array]:
        return {name: self.exactly(array)[None] for name, array in arrays.items()}

    def _recorded_state(self) -> dict[str, dict[str, Array]]:
        return {name: self._recorded(arrays) for name, arrays in self.state().items()}

    def _without_beginnings(self, state: Mapping[str, Mapping[str, Array]]) -> dict[str, dict[str, Array]]:
        """Zeros before the first step, where the reference has no such state yet, are no state: both count it as 0."""
        kept: dict[str, dict[str, Array]] = {}
        for name, arrays in state.items():
            known = self.form.optimizers[name].init(self.material.params[name])
            zeros = {key: key not in known and not np.any(values[0]) for key, values in arrays.items()}
            kept[name] = {key: values[1:] if zeros[key] else values for key, values in arrays.items()}
        return kept


def _stacked(moments: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.stack([moment[name] for moment in moments]) for name in moments[0]}


# -- what can be asked -------------------------------------------------------------------------------------------------


def check_asked(name: str, experiment: Experiment, setting: Setting) -> None:
    """Raise :class:`Unsupported` for what only the torch backend has."""
    if setting.formulation == "manual":
        raise Unsupported(f"the {name} backend has nothing written by hand; ask for --formulation loss or weight_decay")
    if experiment.trainer_parts:
        raise Unsupported(f"the {name} backend has no {', '.join(experiment.trainer_parts)}")


def check_cpu(name: str, device: str) -> None:
    """Raise :class:`OptionError` for any device but the CPU, the only one whose arithmetic was measured."""
    if device != "cpu":
        raise OptionError(f"--device {device}: the arithmetic of {name} is known on the CPU only; allowed: cpu")


def rates(experiment: Experiment, form: Realised, material: Material) -> dict[str, tuple[float, ...]]:
    """η at each step, by parameter, as the reference's schedule has it. Raises :class:`Unsupported` where the schedule
    moves another number, too."""
    counts = [e if experiment.schedule.per == "epoch" else None for e, some in enumerate(material.order) for _ in some]
    moved: dict[str, tuple[float, ...]] = {}
    for name, base in form.optimizers.items():
        each = [scheduled(base, form.schedule, k if count is None else count) for k, count in enumerate(counts)]
        still = {key: value for key, value in hyper_parameters(base).items() if key != "lr"}
        if any(hyper_parameters(one)[key] != value for one in each for key, value in still.items()):
            raise Unsupported(f"{type(experiment.schedule).__name__} moves more than the learning rate")
        moved[name] = tuple(float(hyper_parameters(one)["lr"]) for one in each)
    return moved


def versions(*packages: str) -> dict[str, str]:
    """The versions that a run depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in (*packages, "numpy")}}


@contextmanager
def in_its_words(refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn what a framework raises in its own code into :class:`Unsupported`, in its words; what ours raises stays."""
    try:
        yield
    except refusals as error:
        if is_ours(error):
            raise
        raise Unsupported(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}") from error


# -- arithmetic --------------------------------------------------------------------------------------------------------


def decay_form(optimizer: Optimizer, its_rates: Sequence[float], roundings: float) -> float:
    """The factor on the unit roundoff of another form of ``w(1 − ηλ)``, in which so many roundings of ηλw are more.

    The formula rounds 1 − ηλ once: to it they are ``roundings·ηλ/|1 − ηλ|``. At least 2, for what else is of another
    form.
    """
    decays = [rate * float(getattr(optimizer, "weight_decay", 0)) for rate in its_rates]
    return max([2.0, *(1 + roundings * d / max(abs(1 - d), 2.0**-20) for d in decays)])


def shapes_met(run: FrameworkRun) -> Iterator[tuple[int, int, int]]:
    """Rows, features and outputs of the matrix products of a run."""
    sizes = {len(rows) for batches in run.material.order for rows in batches}
    sizes |= {values.shape[1] for values in run.material.inputs.values()}
    layers = {tuple(run.material.params[name].shape[1:]) for name in run.model.weights}
    yield from ((rows, features, outputs) for rows, (outputs, features) in product(sorted(sizes), sorted(layers)))


def measured(run: FrameworkRun, *kernels: Kernel, draws: int = 8) -> str:
    """float32 where kernels of low precision, on matrices of the shapes of the run, stay within its bound; else the
    dtype."""
    dtype = run.setting.dtype
    if dtype not in LOW:
        return dtype
    rng = np.random.default_rng(0)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32"], carrier=np.float64)
    for rows, features, outputs in shapes_met(run):
        for n, inner, m in ((rows, features, outputs), (outputs, rows, features)):  # forward, backward
            for _ in range(draws):  # each has a chance of hiding low-precision sums; eight do not
                a, b = (run.array(rng.uniform(0.5, 1, shape)) for shape in ((n, inner), (inner, m)))
                exact = [Bounded.tensor(run.exactly(x), profile) for x in (a, b)]
                bounds = [formula(*exact) for _, formula in kernels]
                made = [run.exactly(kernel(a, b)) for kernel, _ in kernels]
                if any(np.any(np.abs(x - y.value) > y.error) for x, y in zip(made, bounds, strict=True)):
                    return dtype
    return "float32"


PRODUCT: Callable[[Any, Any], Any] = np.matmul
"""The formula of a product of matrices."""


def sum_of_rows(a: Any, _: Any) -> Any:
    """The formula of a sum along the last axis."""
    return a.sum(axis=1)


def sum_over_rows(a: Any, _: Any) -> Any:
    """The formula of the gradient of a bias."""
    return a.sum(axis=0)
