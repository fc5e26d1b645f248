"""Classes of any form held to Muon: correct ones agree, whatever they compute in, and a fault of any stage shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.explain.feeds import Played, drawn
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import Demand, needs_products, of_shapes, parse_against
from parity.features.check.identify import Held, judge
from parity.features.check.optimizer import conclude
from parity.features.check.orthogonal import of_muon, unrecorded
from refimpl.optimizers import AdamW, Muon
from tests.parity.check.conftest import Through

pytestmark = pytest.mark.usefixtures("few_situations")

MATRICES = {"weight": (3, 11)}
BOTH = {**MATRICES, "vector": (33,), "bias": (1,)}
REFERENCE = Muon(lr=0.02, weight_decay=0.1)
ADAMW = AdamW(lr=0.02, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-10)

Iterate = Callable[[Tensor, Tensor, float, float, float], Tensor]


def added(X: Tensor, A: Tensor, a: float, b: float, c: float) -> Tensor:
    """Every product adds what belongs to it."""
    return torch.addmm(X, torch.addmm(A, A, A, beta=b, alpha=c), X, beta=a)


def scaled(X: Tensor, A: Tensor, a: float, b: float, c: float) -> Tensor:
    """As in Keller Jordan's code: (cA)A."""
    return a * X + (b * A + c * A @ A) @ X


def batched(X: Tensor, A: Tensor, a: float, b: float, c: float) -> Tensor:
    return torch.baddbmm(X[None], torch.baddbmm(A[None], A[None], A[None], beta=b, alpha=c), X[None], beta=a)[0]


class Own(torch.optim.Optimizer):
    """Muon for matrices and AdamW for the rest, in a form and a dtype that are chosen, with one fault if asked for."""

    form: Iterate = staticmethod(added)
    inside: torch.dtype | None = torch.bfloat16
    fault = ""

    def __init__(self, params: Any, lr: float = 0.02, weight_decay: float = 0.1, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, _: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"] * (1.1 if self.fault == "decay" else 1))
                    (self.turn if p.ndim == 2 else self.adamw)(p, group["lr"], group["momentum"])

    def turn(self, p: Tensor, lr: float, mu: float) -> None:
        buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
        buffer.lerp_(p.grad, 1 - mu)
        U = buffer if self.fault == "nesterov" else p.grad.lerp(buffer, mu)
        X = U.to(self.inside or p.dtype)
        X = X.mT if p.shape[0] > p.shape[1] else X
        X = X / X.norm().clamp(min=1e-7)
        a, b, c = (3.4445, -4.775, 2.0315 * (1.05 if self.fault == "coefficient" else 1))
        for _ in range(5):
            X = type(self).form(X, X @ X.mT, a, b, c)
        X = X.mT if p.shape[0] > p.shape[1] else X
        scale = 0.2 * max(p.shape) ** 0.5 if self.fault == "adjusted" else max(1, p.shape[0] / p.shape[1]) ** 0.5
        p.add_(X * scale, alpha=-lr * (1.03 if self.fault == "rate" else 1))

    def adamw(self, p: Tensor, lr: float, _: float) -> None:
        state = self.state[p]
        m, v = (state.setdefault(key, torch.zeros_like(p)) for key in ("exp_avg", "exp_avg_sq"))
        t = state["step"] = state.get("step", 0) + 1
        m.lerp_(p.grad, 0.1)
        v.lerp_(p.grad.square(), 0.05)
        p.addcdiv_(m / (1 - 0.9**t), (v / (1 - 0.95**t)).sqrt() + 1e-10, value=-lr)


def played(cls: Any, dtype: str = "float64", shapes: Any = MATRICES) -> Played:
    return Driver(cls, {}, dtype, multiplies=True).play(drawn(shapes, steps=4))


def share(cls: Any, dtype: str = "float64", reference: Muon = REFERENCE, shapes: Any = MATRICES) -> float:
    run = played(cls, dtype, shapes)
    held = {n: reference if w.ndim == 3 else ADAMW for n, w in run.weights.items()}
    return judge(held, run, dtype).share


FORMS = {"added": added, "scaled": scaled, "batched": batched}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("inside", [torch.bfloat16, torch.float32, None], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_correct_code_of_any_form_agrees(form: str, inside: torch.dtype | None, dtype: str) -> None:
    cls = type("Own", (Own,), {"form": staticmethod(FORMS[form]), "inside": inside})
    assert share(cls, dtype) <= 1
    assert share(cls, dtype, shapes={"weight": (11, 3)}) <= 1


@pytest.mark.every_case
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", ["decay", "nesterov", "coefficient", "adjusted", "rate"])
def test_a_fault_of_any_stage_is_seen_though_the_products_are_rounded_to_bfloat16(fault: str, form: str) -> None:
    cls = type("Own", (Own,), {"form": staticmethod(FORMS[form]), "fault": fault})
    assert share(cls) > 1


@pytest.mark.parametrize("form", ["added", "batched"])
def test_a_kernel_may_round_what_it_adds_to_with_every_term(form: str) -> None:
    """βC is where the sum of α·(A @ B) begins; with 22 terms that is more than one rounding of the whole."""
    cls = type("Own", (Own,), {"form": staticmethod(FORMS[form]), "inside": None})
    assert share(cls, shapes={"weight": (21, 22)}) <= 1


def test_what_is_no_matrix_is_held_to_adamw() -> None:
    assert share(Own, shapes=BOTH) <= 1
    wrong = {n: REFERENCE if w.ndim == 3 else AdamW(lr=0.02) for n, w in played(Own, shapes=BOTH).weights.items()}
    assert judge(wrong, played(Own, shapes=BOTH), "float64").share > 1


def test_other_options_of_muon_are_named() -> None:
    for fault, said in {"nesterov": "nesterov=False", "adjusted": "adjust_lr_fn='match_rms_adamw'"}.items():
        run = played(type("Own", (Own,), {"fault": fault}))
        held: Held = dict.fromkeys(run.weights, REFERENCE)
        (finding,) = of_muon(held, run, judge(held, run, "float64"))
        assert finding.id == "update-options" and said in finding.text


def test_code_that_makes_no_such_products_is_undecidable_and_not_accused() -> None:
    run = played(torch.optim.SGD)
    assert "15 products" in unrecorded(dict.fromkeys(run.weights, REFERENCE), run)
    examined = Examined(name="SGD", given={"lr": 0.02}, defaults={}, shapes=MATRICES, runs={"drawn": run})
    verdict = conclude(examined, {"lr": 0.02}, "muon")
    assert verdict.verdict == "undecidable" and "another way" in verdict.text


def test_the_rule_of_the_rest_stands_inside_of_the_reference() -> None:
    demand = parse_against("muon(adamw(eps=1e-10), nesterov=False)")
    assert demand == Demand("muon", {"nesterov": False}, Demand("adamw", {"eps": 1e-10}))
    examined = Examined(name="Own", given={}, defaults={}, runs={"drawn": played(Own, shapes=BOTH)})
    held = of_shapes(replace(REFERENCE, nesterov=False), demand, {"lr": 0.5}, examined)
    assert isinstance(held["weight"], Muon) and held["vector"] == AdamW(lr=0.5, eps=1e-10) == held["bias"]
    assert needs_products("lookahead(muon)") and not needs_products("adamw") and not needs_products(None)


def test_the_rate_of_rms_to_rms_is_the_root_of_rows_by_columns() -> None:
    gradient = np.random.default_rng(0).standard_normal((1, 3, 5))
    for shape in (gradient, gradient.swapaxes(1, 2)):
        after = [
            Muon(lr=0.5, weight_decay=0.0, adjust_lr_fn=name).step(np.zeros_like(shape), shape, {})[0]  # type: ignore[arg-type]
            for name in ("rms_to_rms", "match_rms_adamw")
        ]
        rows, columns = shape.shape[1:]
        np.testing.assert_allclose(after[0], after[1] * np.sqrt(rows / columns) / (0.2 * np.sqrt(5)), rtol=1e-14)


def test_a_class_whose_products_are_judged_is_not_led_through_a_thousand_steps(through: Through) -> None:
    """One such check would cost more than all others."""
    through("thousand")
    (lived,) = examine(torch.optim.Muon, {"lr": 0.02}, ("float64",)).lives
    assert lived.name == "thousand" and "products of matrices" in lived.absent
