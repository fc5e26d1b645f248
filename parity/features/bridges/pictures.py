"""One picture for each bridge; the docstring of each is its caption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from parity.features.bridges.bias_decay import BiasDecay
from parity.features.bridges.decoupled import Decoupled
from parity.features.bridges.dropout import Dropout
from parity.features.bridges.early_stopping import EarlyStopping
from parity.features.bridges.l1 import L1Steps
from parity.features.bridges.paths import Paths
from parity.features.bridges.priors import Priors
from parity.features.bridges.sgd_fixed_point import SgdFixedPoint
from parity.pictures import COLOURS, legend_below, new_figure, save

BLUE, RED, GREEN, PINK, ORANGE, SKY = COLOURS
GREY, BLACK, PALE = "#666666", "#000000", "#a0a0a0"


def draw(id: str, evidence: Any, path: Path) -> Path:
    """The picture of the bridge ``id`` as a PNG file."""
    return save(PICTURES[id](evidence), path)


def caption(id: str) -> str:
    """The caption, which says what the picture shows."""
    return " ".join((PICTURES[id].__doc__ or "").split())


def early_stopping(computed: EarlyStopping) -> Figure:
    """Left: the strength that k steps stand for, along a strong, a middle and a weak direction of the data, below
    1/(ηk). Right: the validation loss of the stopped weights at 1/(ηk) and of the ridge at λ, with nearly the same
    least value."""
    figure, (left, right) = new_figure(1, 2, "Early stopping is a ridge with a strength for each direction")
    left.plot(computed.steps, computed.strengths, "--", color=GREY, lw=1.5, label="1/(ηk)")
    names = ("strong", "middle", "weak")
    for colour, name, s, strength in zip(
        (RED, GREEN, BLUE), names, computed.directions, computed.effective, strict=True
    ):
        left.plot(computed.steps, strength, color=colour, lw=2, label=f"λₖ(s), {name} direction, s = {s:.2g}")
    left.set_ylim(1e-3, 30)
    _axes(left, "step k", "λ", x="log", y="log")
    left.legend(frameon=False, fontsize=9)
    curves = (("stopped, at 1/(ηk)", computed.stopped_loss, ORANGE), ("ridge, at λ", computed.ridge_loss, PINK))
    for name, loss, colour in curves:
        best = int(np.argmin(loss))
        right.plot(computed.strengths, loss, color=colour, lw=2, label=name)
        right.plot(computed.strengths[best], loss[best], "o", color=colour, ms=7)
    _axes(right, "λ, 1/(ηk)", "validation loss", x="log")
    right.legend(frameon=False, fontsize=9)
    return figure


def dropout(computed: Dropout) -> Figure:
    """Left: each weight of the ridge against the rate q as a line, and after training on 1,024 copies of the rows with
    random masks as a mark on it. Right: the distance between the two falls like one over the root of the copies."""
    figure, (left, right) = new_figure(1, 2, "Dropout on the inputs is a ridge with λ_j = q/(1 − q)·mean(x_j²)")
    left.plot(
        computed.rates, computed.weights, color=BLUE, lw=1.5, label=["ridge"] + ["_"] * (len(computed.weights.T) - 1)
    )
    masks = [f"{computed.copies[-1]:,} random masks"] + ["_"] * (len(computed.trained.T) - 1)
    left.plot(computed.trained_rates, computed.trained, "o", mfc="none", color=RED, ms=5, label=masks)
    _axes(left, "dropout rate q", "weight w_j")
    left.legend(frameon=False, fontsize=9)
    right.plot(computed.copies, computed.distances, "o-", color=GREEN, lw=1.5, label="trained with masks, q = 0.4")
    reference = computed.distances[-1] * np.sqrt(computed.copies[-1] / computed.copies)
    right.plot(computed.copies, reference, "--", color=GREY, lw=1.5, label="1/√copies")
    _axes(right, "copies of the rows, each with masks of its own", "‖w − w_ridge‖ ÷ ‖w_ridge‖", x="log", y="log")
    right.legend(frameon=False, fontsize=9)
    return figure


def priors(computed: Priors) -> Figure:
    """Left: the strength that belongs to the width of a prior. Middle: both priors, as what they add to the objective.
    Right: on truths drawn from a Gaussian prior, the ridge with the prior's λ has the least error."""
    figure, (left, middle, right) = new_figure(1, 3, "A Gaussian prior is an L2 penalty, a Laplace prior an L1 penalty")
    left.plot(computed.widths, computed.from_gaussian, color=BLUE, lw=2, label="Gaussian: λ of λ/2·‖w‖²")
    left.plot(computed.widths, computed.from_laplace, color=RED, lw=2, label="Laplace: λ of λ‖w‖₁")
    _axes(left, "standard deviation of the prior (σ = 0.01, n = 20)", "λ beside ½·mean(r²)", x="log", y="log")
    left.legend(frameon=False, fontsize=9)
    w = np.linspace(-4, 4, 401)
    middle.plot(w, w**2 / 2, color=BLUE, lw=2, label="Gaussian: w²/(2τ²)")
    middle.plot(w, np.sqrt(2) * np.abs(w), color=RED, lw=2, label="Laplace: |w|/β")
    _axes(middle, "w ÷ standard deviation", "−log density, up to a constant")
    middle.legend(frameon=False, fontsize=9, loc="upper center")
    right.plot(computed.strengths, computed.expected, color=GREY, lw=1.5, label="expected")
    right.plot(computed.strengths, computed.errors, "o", mfc="none", color=GREEN, ms=5, label="measured")
    right.axvline(computed.prior_strength, color=PINK, ls="--", lw=1.5, label="σ²/(nτ²), the prior's λ")
    _axes(right, "λ of the ridge", "‖ŵ − w‖² ÷ ‖w‖²", x="log")
    right.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def bias_decay(computed: BiasDecay) -> Figure:
    """Left: with targets shifted by 1, the predictions of the model with a decayed bias stay near 0. Right: the
    validation loss against the shift: constant without decay on the bias, a parabola with it."""
    figure, (left, right) = new_figure(1, 2, "Decay on the bias pulls every prediction towards zero")
    ends = np.array([np.min(computed.targets), np.max(computed.targets)])
    left.plot(ends, ends, "--", color=GREY, lw=1.5, label="prediction = target")
    names = ("bias not decayed", f"bias decayed, κ = {computed.bias_strengths[-1]:g}")
    for name, colour, marker, prediction in zip(names, (BLUE, RED), "os", computed.predictions, strict=True):
        left.plot(computed.targets, prediction, marker, mfc="none", color=colour, ms=5, label=name)
    left.set_ylim(min(-0.6, np.min(computed.predictions) - 0.1), max(2.0, np.max(computed.predictions) + 0.8))
    _axes(left, "validation target, shifted by 1", "prediction")
    left.legend(frameon=False, fontsize=9, loc="upper left")
    for kappa, colour, loss in zip(computed.bias_strengths, (BLUE, GREEN, RED), computed.validation_loss, strict=True):
        right.plot(computed.shifts, loss, color=colour, lw=2, label=f"κ = {kappa:g}")
    _axes(right, "shift t of all targets", "validation loss")
    right.legend(frameon=False, fontsize=9, loc="upper center")
    return figure


def decoupled(computed: Decoupled) -> Figure:
    """Left: without momentum coupled and decoupled decay are one line; with it they part, to two ridges. Middle: Adam
    ends at the ridge, AdamW elsewhere. Right: the penalty at which AdamW ends, a wall at 1/λ."""
    figure, (left, middle, right) = new_figure(1, 3, "Decoupled decay is coupled decay with another strength")
    looks = [(RED, "-"), (BLUE, "--"), (ORANGE, "-"), (SKY, "-"), (GREEN, "-"), (PINK, "-")]
    styles = dict(zip(computed.norms, looks, strict=True))
    lines = list(computed.limits.items())
    for axis, runs, limits in (
        (left, list(computed.norms)[:4], lines[:2]),
        (middle, list(computed.norms)[4:], lines[2:]),
    ):
        for name in runs:
            colour, style = styles[name]
            axis.plot(
                np.arange(len(computed.norms[name])) + 1, computed.norms[name], style, color=colour, lw=2, label=name
            )
        for (colour, style), (name, norm) in zip(((BLACK, ":"), (PALE, "-."), (GREY, "--")), limits, strict=False):
            axis.axhline(norm, color=colour, ls=style, lw=1.2, label=name)
        _axes(axis, "step k + 1", "‖w‖₂", x="log")
        axis.legend(frameon=False, fontsize=8.5)
    right.plot(computed.grid, computed.wall, color=PINK, lw=2, label="AdamW: −(u + log(1 − u))")
    right.plot(computed.grid, computed.parabola, "--", color=GREY, lw=2, label="ridge ελ: u²/2")
    right.axvline(1, color=BLACK, ls=":", lw=1.5, label="|w| = 1/λ")
    _axes(right, "u = λ|w|", "penalty, in units of ε/λ")
    right.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def sgd_fixed_point(computed: SgdFixedPoint) -> Figure:
    """Left: minibatch SGD comes to rest at a distance from the ridge. Right: that distance against η, with what the
    formula says for small η."""
    figure, (left, right) = new_figure(1, 2, "Minibatch SGD with constant η does not end at the ridge")
    for colour, rate, approach, end in zip(
        (RED, GREEN, BLUE), computed.run_rates, computed.approach, computed.ends, strict=True
    ):
        left.plot(np.arange(len(approach)), approach, color=colour, lw=2, label=f"η = {rate:g}")
        left.axhline(end, color=colour, ls=":", lw=1.5)
    left.plot([], [], ":", color=GREY, lw=1.5, label="fixed point of the epoch")
    _axes(left, "epoch", "‖w − w_ridge‖ ÷ ‖w_ridge‖", y="log")
    left.legend(frameon=False, fontsize=9)
    right.plot(computed.rates, computed.distances, "o", mfc="none", color=PINK, ms=6, label="fixed point")
    right.plot(computed.rates, computed.first_order, "--", color=GREY, lw=1.5, label="η‖δ‖")
    _axes(right, "learning rate η", "‖w* − w_ridge‖ ÷ ‖w_ridge‖", x="log", y="log")
    right.legend(frameon=False, fontsize=9)
    return figure


def l1(computed: L1Steps) -> Figure:
    """Left: how many weights are exactly 0. Middle: a weight that the lasso sets to 0, in the last steps. Right: the
    distance to the lasso, which the subgradient never closes."""
    title = "L1 by its subgradient has no zeros, by its proximal operator the lasso's"
    figure, (left, middle, right) = new_figure(1, 3, title)
    colours = dict(zip(computed.zeros, (BLUE, RED, ORANGE), strict=True))
    styles = dict(zip(computed.zeros, ("-", "-", "--"), strict=True))
    for name, zeros in computed.zeros.items():
        left.plot(np.arange(len(zeros)) + 1, zeros, styles[name], color=colours[name], lw=2, label=name)
    left.set_xlim(-10, 400)
    left.axhline(computed.lasso_zeros, color=GREY, ls=":", lw=1.5, label="lasso")
    _axes(left, "step", "weights that are exactly 0")
    for name, weight in computed.last.items():
        middle.plot(np.arange(-len(weight), 0), weight, ".-", color=colours[name], lw=1, ms=5, label=name)
    _axes(middle, "step, counted from the end", "one weight, in units of ηλ")
    for name, distance in computed.distances.items():
        right.plot(np.arange(len(distance)) + 1, distance, color=colours[name], lw=2)
    _axes(right, "step", "‖w − w_lasso‖ ÷ ‖w_lasso‖", y="log")
    legend_below(figure, left, columns=4)
    return figure


def paths(computed: Paths) -> Figure:
    """Each weight against λ. Left: the ridge, smooth. Right: the lasso, straight between its corners
    (dotted) and 0 from λ_max on. Dashed: the four features that do not matter."""
    figure, (left, right) = new_figure(1, 2, "The ridge shrinks every weight, the lasso sets weights to 0")
    for j, truth in enumerate(computed.truth):
        style, colour = ("-", COLOURS[j]) if truth else ("--", GREY)
        name = f"w* = {truth:g}".replace("-", "−")
        left.plot(computed.strengths, computed.ridge_weights[:, j], style, color=colour, lw=1.8)
        right.plot(computed.corners, computed.lasso_weights[:, j], style, color=colour, lw=1.8, label=name)
    for corner in computed.corners:
        right.axvline(corner, color=PALE, ls=":", lw=0.8)
    _axes(left, "λ of λ/2·‖w‖²", "weight", x="log")
    _axes(right, "λ of λ‖w‖₁", "weight")
    legend_below(figure, right, columns=5)
    return figure


def _axes(axis: Any, x_label: str, y_label: str, *, x: str = "linear", y: str = "linear") -> None:
    axis.set_xscale(x)
    axis.set_yscale(y)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    if y == "log":
        axis.yaxis.set_minor_formatter(NullFormatter())  # labels at powers of 10 only


PICTURES: dict[str, Callable[[Any], Figure]] = {
    "early-stopping": early_stopping,
    "dropout": dropout,
    "priors": priors,
    "bias-decay": bias_decay,
    "decoupled": decoupled,
    "sgd-fixed-point": sgd_fixed_point,
    "l1": l1,
    "paths": paths,
}
