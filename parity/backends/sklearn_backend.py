"""scikit-learn: ``SGDRegressor.partial_fit``, which steps on one row at a time, in float64 and float32.

For row i with ``r = wᵀxᵢ + b − yᵢ`` its step at a constant rate is that of ½r² with L2 on the weight::

    w ← (1 − ηα)w − ηr·xᵢ               α = λ; not below 0·w
    b ← b − ηr

Its L1 is cut by what has been cumulated so far (Tsuruoka, Tsujii & Ananiadou, 2009), which is no subgradient's step;
it has no momentum, and no other optimizer. It hands out no gradients, so that whole steps are compared; the losses are
made of its predictions. It keeps w as ``s·v``, with ``s = 1 − ηα``: on the way ``ηr/s``, ``v − xᵢ·ηr/s``, s and ``s·v``
round. By ``(1 − ηα)|w| ≤ |w⁺| + η|g|`` these are at most 3 times the roundings of ``w − η(g + λw)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from parity.backends.base import Setting
from parity.backends.framework_run import FrameworkRun, Numbers, check_asked, check_cpu, in_its_words, rates
from parity.errors import Unsupported
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.trajectory import Trajectory
from refimpl.types import Array

sklearn: Any = import_module("sklearn.linear_model")
FORM = 3


class SklearnBackend:
    """scikit-learn's ``SGDRegressor``."""

    name = "sklearn"

    def devices(self) -> list[str]:
        return ["cpu"]

    def check_device(self, device: str) -> None:
        check_cpu(self.name, device)

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        check_asked(self.name, experiment, setting)
        if setting.implementation != "for-loop":
            raise Unsupported(
                f"SGDRegressor has one implementation, which is for-loop here; not {setting.implementation}"
            )
        if setting.dtype not in ("float64", "float32"):
            raise Unsupported("SGDRegressor computes in float64 and float32")
        form, material = realise(experiment, setting.formulation), experiment.draw()
        with in_its_words((ValueError,)):
            return SklearnRun(experiment, form, material, setting).train()


class SklearnRun(FrameworkRun):
    """``partial_fit`` of row after row."""

    backend = "sklearn"
    packages = ("scikit-learn",)

    def __init__(self, experiment: Experiment, form: Realised, material: Material, setting: Setting) -> None:
        super().__init__(experiment, form, material, setting)
        every = rates(experiment, form, material)
        self.alpha = decay_of(form)
        _check(experiment, form, material)
        if len(set(every.values())) > 1:
            raise Unsupported("SGDRegressor has one rate for weight and bias")
        self.rates = every["weight"]
        if max(self.rates) * self.alpha > 1:
            raise Unsupported(f"SGDRegressor: ηα = {max(self.rates) * self.alpha:g} is cut to 1")
        penalty = "l2" if self.alpha else None
        self.peer = sklearn.SGDRegressor(
            penalty=penalty, alpha=self.alpha, learning_rate="constant", fit_intercept="bias" in self.params
        )
        self.peer.coef_ = self.params["weight"][0].copy()
        self.peer.intercept_ = self.params.get("bias", np.zeros(1, setting.dtype)).copy()
        self.count = 0

    def array(self, values: Array) -> Any:
        return values.astype(self.setting.dtype)

    def exactly(self, array: Any) -> Array:
        return np.array(array, np.float64)

    def rows(self, array: Any, rows: Array) -> Any:
        return array[rows]

    def step(self, X: Any, y: Any, mask: Any) -> tuple[Any, Any, Numbers]:
        del mask
        loss = self.evaluate(X, y)
        w = self.params["weight"][0]
        objective = loss + self.alpha / 2 * np.dot(w, w) if self.penalties else loss
        self.peer.set_params(eta0=self.rates[self.count])
        self.peer.partial_fit(X, y[:, 0])
        self.params = {"weight": self.peer.coef_[None].copy()} | (
            {"bias": self.peer.intercept_.copy()} if "bias" in self.params else {}
        )
        self.count += 1
        return loss, objective, {}

    def state(self) -> dict[str, Numbers]:
        return {}

    def evaluate(self, X: Any, y: Any) -> Any:
        """½ Σr² or ½ mean r², of its predictions; before its first step it makes none."""
        w, b = self.params["weight"][0], self.params.get("bias", 0)
        r = (self.peer.predict(X) if self.count else X @ w + b) - y[:, 0]
        assert isinstance(self.loss, SquaredError)
        return np.dot(r, r) / 2 / (len(y) if self.loss.reduction == "mean" else 1)

    def norm(self) -> Any:
        return np.linalg.norm(self.params["weight"])

    def arithmetic(self) -> dict[str, Any]:
        each = {"compute": self.setting.dtype, "accumulate": self.setting.dtype, "form": FORM}
        return {"profile": {"loss": each, "update": each}}


def decay_of(form: Realised) -> float:
    """λ of the weight, as a penalty or as the optimizer's. Raises :class:`Unsupported` for any other."""
    only = Unsupported("SGDRegressor: one L2 on the weight, none on the bias, only")
    strengths = []
    for name, penalty in form.in_gradient.terms:
        if not isinstance(penalty, L2) or name != "weight":
            raise only
        strengths.append(float(penalty.strength))
    decays = {name: float(getattr(each, "weight_decay", 0)) for name, each in form.optimizers.items()}
    if decays.get("bias") or len(strengths) + bool(decays["weight"]) > 1:
        raise only
    return sum(strengths) + decays["weight"]


def _check(experiment: Experiment, form: Realised, material: Material) -> None:
    """Raise :class:`Unsupported` for what SGDRegressor has not."""
    if experiment.model not in (Linear(), Linear(bias=False)):
        raise Unsupported("SGDRegressor is linear")
    if not isinstance(experiment.loss, SquaredError) or experiment.loss.factor != 0.5:
        raise Unsupported("SGDRegressor's squared error is ½r² of a row")
    for each in form.optimizers.values():
        if not isinstance(each, SGD) or each.momentum or each.maximize:
            raise Unsupported("SGDRegressor is SGD without momentum")
    if any(len(rows) != 1 for batches in material.order for rows in batches):
        raise Unsupported("SGDRegressor steps on one row at a time; set batches.size = 1")
