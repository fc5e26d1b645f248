"""Priors on the weights, and the λ that each stands for."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry
from refimpl.exact.lasso import lasso
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError

NOISE = 0.01
LOSS = SquaredError(factor=0.5, reduction="mean")


def evidence() -> Reply:
    data = entry("s0-scratch-lam3").draw().dataset
    n = data.X.shape[1]
    rows, slopes = [], []
    for width in (0.001, 0.01, 0.1):
        gauss = NOISE**2 / (n * width**2)  # σ²/(nτ²)
        scale = width / np.sqrt(2)  # a Laplace density of scale s has the standard deviation √2·s
        laplace = NOISE**2 / (n * scale)  # σ²/(ns)
        w = ridge(data.X, data.y, LOSS, gauss).params
        residual = data.X[0] @ w["weight"][0, 0] + w["bias"][0, 0] - data.y[0, :, 0]
        parts = data.X[0].T @ residual / NOISE**2, w["weight"][0, 0] / width**2  # −∇ of the two logarithms
        slopes.append(np.abs(parts[0] + parts[1]).max() / np.abs(parts[1]).max())
        zeros = int(np.sum(lasso(data.X, data.y, LOSS, laplace).params["weight"] == 0))
        rows.append((width, gauss, float(np.linalg.norm(w["weight"])), laplace, zeros))
    digits = min(8, int(-np.log10(max(slopes))))  # more are there; how many, depends on the machine
    implied = NOISE / np.sqrt(n * 3)
    return Reply(
        text=f"""\
Take −log of P(w | X, y) ∝ P(y | X, w)·P(w). Noise N(0, σ²) gives Σr²/(2σ²). A Gaussian prior N(0, τ²) adds
‖w‖²/(2τ²), a Laplace prior of scale s adds ‖w‖₁/s. Times σ²/n that is ½·mean(r²) plus

* λ/2·‖w‖² with λ = σ²/(nτ²), and back: τ = σ/√(nλ)
* λ·‖w‖₁ with λ = σ²/(ns), and back: s = σ²/(nλ)

so the most probable w is the ridge or the lasso solution. At the ridge solution the gradient of the logarithm
vanishes to {digits} digits of its parts. A narrow prior is a large λ, more rows a small one. The textbook's λ =
3 with noise {NOISE:g} and {n} rows believes in weights of size {implied:.2g}; the true ones are 0.01. For
{data.X.shape[2]} weights:""",
        columns=(
            "width τ of the prior",
            "λ, Gaussian",
            "‖w‖ of ridge",
            "λ, Laplace of that width",
            "zeros of the lasso",
        ),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="priors",
    source=THREAD,
    asked="P(w | X, y) ∝ P(y | X, w)·P(w): which λ does a Gaussian prior give for L2, a Laplace prior for L1?",
    why="−log of the prior is the penalty: λ = σ²/(nτ²) for a Gaussian, σ²/(ns) for a Laplace prior",
    experiments=("s0-scratch-lam3",),
    commands=("parity bridge priors",),
    evidence=evidence,
)
