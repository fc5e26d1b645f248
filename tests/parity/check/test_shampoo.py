"""Classes held to Shampoo: both decompositions agree, faults show in float64, and what has no bound is not accused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from parity.explain.feeds import Played, drawn
from parity.features.check.drive import Driver
from parity.features.check.examined import Examined
from parity.features.check.identify import judge
from parity.features.check.optimizer import conclude
from refimpl.optimizers import Shampoo

SHAPES = {"weight": (3, 5), "vector": (4,)}


class Own(torch.optim.Optimizer):
    """Shampoo with one fault, if asked for."""

    decomposition, fault = "svd", ""

    def __init__(self, params: Any, lr: float = 0.1, eps: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    def root(self, H: Tensor, p: int) -> Tensor:
        p = p // 2 if self.fault == "exponent" else p
        if self.decomposition == "svd":
            U, s, Vh = torch.linalg.svd(H)
            return (U * s.pow(-1 / p)) @ Vh
        lam, V = torch.linalg.eigh(H)
        return (V * lam.pow(-1 / p)) @ V.mT

    @torch.no_grad()
    def step(self, _: Any = None) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                G, eps = w.grad.reshape(len(w), -1), group["eps"] * (2 if self.fault == "epsilon" else 1)
                sides = (G @ G.mT, G.mT @ G)[: w.ndim]
                state = self.state[w]
                for i, side in enumerate(sides):
                    begin = eps * torch.eye(len(side), dtype=w.dtype)
                    before = begin if self.fault == "forgets" else state.get(i, begin)
                    state[i] = before + side
                step = self.root(state[0], 2 * w.ndim) @ G
                step = step @ self.root(state[1], 4) if w.ndim == 2 else step
                w.sub_(step.reshape(w.shape), alpha=group["lr"] * (1 + 1e-6 if self.fault == "rate" else 1))


def played(dtype: str = "float64", **changes: str) -> Played:
    return Driver(type("Own", (Own,), changes), {}, dtype).play(drawn(SHAPES, steps=8))


def share(dtype: str = "float64", eps: float = 1e-3, **changes: str) -> float:
    run = played(dtype, **changes)
    return judge(dict.fromkeys(run.weights, Shampoo(lr=0.1, eps=eps)), run, dtype).share


@pytest.mark.parametrize("decomposition", ["svd", "eigh"])
def test_both_decompositions_agree(decomposition: str) -> None:
    assert share(decomposition=decomposition) <= 1


@pytest.mark.every_case
@pytest.mark.parametrize("fault", ["exponent", "epsilon", "forgets", "rate"])
def test_a_fault_shows_in_float64(fault: str) -> None:
    assert share(fault=fault) > 1


def test_where_rounding_could_make_the_matrices_singular_nothing_is_judged() -> None:
    """Two gradients of three rows leave six of twelve eigenvalues at ε, which float32 cannot tell from 0."""
    run = Driver(type("Own", (Own,), {"fault": "rate"}), {}, "float32").play(drawn({"weight": (3, 12)}, steps=2))
    judged = judge(dict.fromkeys(run.weights, Shampoo(lr=0.1, eps=1e-3)), run, "float32")
    assert not judged.bounded and judged.share > 1
    examined = Examined(
        name="Own", given={"lr": 0.1}, defaults={}, shapes=SHAPES, runs={"drawn": run}, dtypes={"float32": run}
    )
    verdict = conclude(examined, {"lr": 0.1}, "shampoo(eps=1e-3)")
    assert verdict.verdict == "undecidable" and "nothing is judged" in verdict.text and not verdict.findings
