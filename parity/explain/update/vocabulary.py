"""Edits of an update that have a name: what stands in the reference, what in its place, and the words for it.

In a pattern one capital letter stands for any expression, and for the same one in all patterns of an edit. An edit with
several patterns changes several lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Wording:
    """``changes``: pairs of a pattern and of what takes its place, all of which must be found. ``kind``: edits of one
    kind exclude one another."""

    id: str
    kind: str
    text: str
    changes: tuple[tuple[str, str], ...]


def _table(kind: str, pattern: str, rows: Mapping[str, tuple[str, str]]) -> Iterator[Wording]:
    """Alternatives of one expression."""
    for id, (other, text) in rows.items():
        yield Wording(id=id, kind=kind, text=text, changes=((pattern, other),))


ONE_NUMBER = "v is one number for the whole tensor, the average of {}; each element should have its own v"
CAUTIOUS = "the update is cautious: elements whose direction has not the sign of g do not move"
ENLARGED = f"{CAUTIOUS}, and the others are enlarged by"
INITIAL = "the decay pulls towards the initial weights: ηλ·(w − w₀) in the place of ηλ·w"
GRADIENT = {
    "maximize": ("g = -grad", "the gradient enters with the other sign: the update climbs"),
    "gradient-centred": (
        "g = grad - average(grad)",
        "the gradient is centralised first: its mean over the tensor is subtracted",
    ),
    "gradient-row-centred": (
        "g = grad - row_average(grad)",
        "the gradient is centralised first: the mean of each row is subtracted",
    ),
    "gradient-unit": (
        "g = unit(grad)",
        "the gradient is normalised first: g/‖g‖ of each tensor takes the place of g",
    ),
    "gradient-largest": (
        "g = grad / largest(np.abs(grad))",
        "the gradient is divided first by the largest |g| of its tensor",
    ),
    "gradient-sign": ("g = np.sign(grad)", "only the sign of the gradient enters the update"),
    "gradient-stale": (
        "g = previous",
        "the step is made with the gradient of the step before, the first one with none",
    ),
    "gradient-halved": ("g = grad / 2", "half of the gradient enters the update"),
    "gradient-doubled": ("g = 2 * grad", "twice the gradient enters the update"),
}
AVERAGE = {
    "average-sum": (
        "m = B * M + G",
        "momentum is a decaying sum, β₁·m + g: the factor 1 − β₁ of the new gradient is missing",
    ),
    "momentum-missing": ("m = G", "there is no momentum: the gradient of the step alone is used"),
    "average-interpolated": (
        "m = (1 - B) * M + B * G",
        "β₁ and 1 − β₁ are interchanged in m: (1 − β₁)·m + β₁·g",
    ),
    "average-growing": ("m = M + (1 - B) * G", "m is never decayed: m + (1 − β₁)·g"),
    "average-running-sum": ("m = M + G", "momentum is the sum of all gradients, m + g, which is never decayed"),
    "average-decayed-after": ("m = B * (M + G)", "the new gradient is decayed with the buffer: μ·(b + g)"),
    "average-of-unit": ("m = B * M + (1 - B) * unit(G)", "m averages normalised gradients, g/‖g‖"),
    "average-whole-first": (
        "m = B * state.get('exp_avg', G) + (1 - B) * G",
        "m starts with the whole first gradient, not with (1 − β₁)·g",
    ),
}
BUFFER = {
    "momentum-averaged": (
        "B * state.get(K, 0) + (1 - B) * G",
        "momentum is a running average, μ·b + (1 − μ)·g, in the place of μ·b + g",
    ),
    "momentum-averaged-but-first": (
        "B * state[K] + (1 - B) * G if T else G",
        "momentum is a running average, μ·b + (1 − μ)·g, that starts with the whole first gradient",
    ),
    "first-step-dampened": (
        "B * state.get(K, 0) + (1 - D) * G",
        "the first step of the momentum buffer is dampened like the others",
    ),
    "momentum-missing": ("G", "there is no momentum: the gradient of the step alone is used"),
    "average-started-twice": (
        "B * state.get(K, G) + (1 - D) * G",
        "the buffer starts as the first gradient and is advanced with it once more in the same step: b = μ·g + (1 − τ)·g "
        "where b = g is right (the first step's branch falls through to the update)",
    ),
    "average-aliased": (
        "2 * B * G if T else G",
        "there is no momentum, and from the second step on the gradient counts 2μ times: the momentum buffer is the "
        "tensor of the gradient itself (buffer = p.grad without clone), which zero_grad and backward overwrite",
    ),
    "average-running-sum": (
        "state[K] + G if T else G",
        "momentum is the sum of all gradients, b + g, which is never decayed",
    ),
    "average-decayed-after": (
        "B * (state.get(K, 0) + G)",
        "the new gradient is decayed with the buffer: μ·(b + g)",
    ),
}
NESTEROV = {
    "average-nesterov-first-power": (
        "(1 + B) * G + B * state.get('momentum_buffer', 0)",
        "the Nesterov step is (1 + μ)·g + μ·b with the buffer b of the step before: μ where Nesterov's has μ² "
        "(w ← w + μ·v − (1 + μ)·η·g; right is μ²·v)",
    ),
    "average-old-buffer-ahead": (
        "G + B * B * state.get('momentum_buffer', 0)",
        "the Nesterov step is g + μ²·b with the buffer of the step before",
    ),
}
SQUARE = {
    "second-moment-undecayed": (
        "v = B * V + G * G",
        "v is a decaying sum, β₂·v + g²: the factor 1 − β₂ of the new square is missing",
    ),
    "square-sum": ("v = V + G * G", "v is the sum of all g² (Adagrad's), which is never decayed"),
    "square-interpolated": (
        "v = (1 - B) * V + B * G * G",
        "β₂ and 1 − β₂ are interchanged in v: (1 − β₂)·v + β₂·g²",
    ),
    "square-growing": ("v = V + (1 - B) * G * G", "v is never decayed: v + (1 − β₂)·g²"),
    "square-now": ("v = G * G", "v is g² of the step alone: nothing is averaged"),
    "square-absolute": ("v = B * V + (1 - B) * np.abs(G)", "v averages |g| in the place of g²"),
    "square-mean": ("v = B * V + (1 - B) * (average(G * G) + 0 * G)", ONE_NUMBER.format("the mean of g²")),
    "square-norm": ("v = B * V + (1 - B) * (total(G * G) + 0 * G)", ONE_NUMBER.format("‖g‖²")),
    "square-largest": ("v = B * V + (1 - B) * (largest(G * G) + 0 * G)", ONE_NUMBER.format("its largest g²")),
    "square-squared-mean": (
        "v = B * V + (1 - B) * (average(G) * average(G) + 0 * G)",
        ONE_NUMBER.format("the square of the mean of g"),
    ),
    "square-belief": (
        "v = B * V + (1 - B) * (G - m) * (G - m) + self.eps",
        "v averages (g − m)² + ε, as AdaBelief does, in the place of g²",
    ),
    "square-belief-without-ε": (
        "v = B * V + (1 - B) * (G - m) * (G - m)",
        "v averages (g − m)² in the place of g², without AdaBelief's ε in it",
    ),
    "square-belief-of-old-m": (
        "v = B * V + (1 - B) * (G - state.get('exp_avg', 0)) * (G - state.get('exp_avg', 0))",
        "v averages (g − m)² with the m of the step before",
    ),
    "square-of-momentum": (
        "v = B * V + (1 - B) * m * m",
        "v averages m², the square of the momentum, in the place of g²",
    ),
    "square-amsgrad-kept": (
        "v = np.maximum(V, B * V + (1 - B) * G * G)",
        "v never falls: the maximum of amsgrad is kept as the running average itself",
    ),
    "square-first-square": (
        "v = B * state.get('exp_avg_sq', G * G) + (1 - B) * G * G",
        "v starts with the whole first g², not with (1 − β₂)·g² (and what divides it by 1 − β₂ᵗ remains)",
    ),
    "second-moment-of-decayed-gradient": (
        "v = B * V + (1 - B) * (G + self.weight_decay * param) * (G + self.weight_decay * param)",
        "v averages the square of g + λ·w, though the decay is decoupled",
    ),
}
DIVISOR = {
    "eps-inside-root": ("np.sqrt(V / C + self.eps)", "ε is inside the root: √(v + ε) in the place of √v + ε"),
    "eps-before-correction": (
        "(np.sqrt(V) + self.eps) / np.sqrt(C)",
        "ε is added to √v before the bias correction, (√v + ε)/√(1 − β₂ᵗ), so that the correction enlarges it",
    ),
    "divisor-inside-before-correction": (
        "np.sqrt((V + self.eps) / C)",
        "ε is inside the root and before the bias correction: √((v + ε)/c₂)",
    ),
    "divisor-inside-squared": ("np.sqrt(V / C + self.eps * self.eps)", "ε² is inside the root: √(v + ε²)"),
    "divisor-inside-and-outside": (
        "np.sqrt(V / C + self.eps) + self.eps",
        "ε is added twice, inside of the root and outside",
    ),
    "eps-missing": ("np.sqrt(V) / np.sqrt(C)", "ε is missing from the divisor"),
    "divisor-at-least-ε": (
        "np.maximum(np.sqrt(V) / np.sqrt(C), self.eps)",
        "the divisor is max(√v, ε), not √v + ε",
    ),
    "divisor-no-root": ("V / C + self.eps", "the root is missing: the step is divided by v + ε"),
    "divisor-correction-without-root": (
        "np.sqrt(V) / C + self.eps",
        "√v is divided by 1 − β₂ᵗ itself in the place of its root (v is corrected twice)",
    ),
    "divisor-correction-multiplied": (
        "np.sqrt(V) * np.sqrt(C) + self.eps",
        "√v is multiplied by √(1 − β₂ᵗ), by which it is to be divided",
    ),
}
PLAIN_DIVISOR = {
    "eps-inside-root": ("np.sqrt(V + self.eps)", "ε is inside the root: √(v + ε) in the place of √v + ε"),
    "divisor-inside-squared": ("np.sqrt(V + self.eps * self.eps)", "ε² is inside the root: √(v + ε²)"),
    "eps-missing": ("np.sqrt(V)", "ε is missing from the divisor"),
    "divisor-at-least-ε": ("np.maximum(np.sqrt(V), self.eps)", "the divisor is max(√v, ε), not √v + ε"),
    "divisor-no-root": ("V + self.eps", "the root is missing: the step is divided by v + ε"),
    "correction-of-v": (
        "np.sqrt(V / corrected(self.alpha, k + 1, param)) + self.eps",
        "v is bias-corrected, divided by 1 − αᵗ, which was not asked",
    ),
}
DIRECTION = {
    "direction-sign": ("np.sign(direction)", "only the sign of the direction is used"),
    "direction-cautious": ("direction * mask(direction, g)", CAUTIOUS),
    "direction-cautious-rescaled": (
        "direction * (mask(direction, g) / np.maximum(average(mask(direction, g)), 0.001))",
        f"{ENLARGED} 1/(share of them)",
    ),
    "direction-cautious-counted": (
        "direction * (mask(direction, g) * (g.size // len(g) / (total(mask(direction, g)) + 1)))",
        f"{ENLARGED} n/(their number + 1)",
    ),
    "direction-sign-of-the-gradient": (
        "np.abs(direction) * np.sign(g)",
        "every element moves by the size of its direction with the sign of g (Grams)",
    ),
    "direction-trust": (
        "trust(param, direction) * direction",
        "the direction is scaled by a trust ratio, ‖w‖/‖u‖ of each parameter (LAMB's)",
    ),
    "direction-unit": ("unit(direction)", "the direction is normalised, u/‖u‖ of each parameter"),
    "direction-rms-clipped": (
        "direction / np.maximum(np.sqrt(average(direction * direction)), 1)",
        "the direction is divided by max(1, its root mean square)",
    ),
    "direction-clipped": (
        "np.minimum(np.maximum(direction, -1), 1)",
        "every element of the direction is clipped to [−1, 1]",
    ),
    "direction-centred": (
        "direction - average(direction)",
        "the mean of the direction over the tensor is subtracted",
    ),
    "direction-largest": ("direction / largest(np.abs(direction))", "the direction is divided by its largest element"),
}
NUMERATOR = {
    "square-none": ("direction = M / C", "the step is not divided by √v"),
    "average-nesterov-average": (
        "direction = (beta1 * M + (1 - beta1) * g) / C / D",
        "the step looks ahead as Nesterov's does: β₁·m + (1 − β₁)·g in the place of m",
    ),
    "average-nesterov-undamped": (
        "direction = (g + beta1 * M) / C / D",
        "the step looks ahead with the whole gradient, g + β₁·m",
    ),
}
AFTER_DIVISION = {
    "direction-momentum-average": (
        "direction = B * M + (1 - B) * direction",
        "momentum averages the direction, b ← μ·b + (1 − μ)·u, in the place of μ·b + u",
    ),
}
SHRUNK = {
    "penalty-missing": ("P", "there is no weight decay"),
    "decay-without-rate": (
        "P * (1 - self.weight_decay)",
        "the decay is not multiplied by the learning rate: w shrinks by the factor 1 − λ",
    ),
    "decay-rate-squared": (
        "P * (1 - self.lr * self.lr * self.weight_decay)",
        "the decay is multiplied by the learning rate twice: w shrinks by the factor 1 − η²λ",
    ),
    "decay-unscheduled": (
        "P * (1 - base * self.weight_decay)",
        "the decay does not follow the schedule: w shrinks by 1 − η₀λ with the first learning rate η₀",
    ),
    "decay-scheduled-only": (
        "P * (1 - self.lr / base * self.weight_decay)",
        "the decay is multiplied by the schedule's factor η/η₀ only, not by the learning rate: 1 − (η/η₀)·λ",
    ),
    "decay-growing": (
        "P * (1 + self.lr * self.weight_decay)",
        "the decay has the wrong sign: w grows by the factor 1 + ηλ",
    ),
    "decay-sign": (
        "P - self.lr * self.weight_decay * np.sign(P)",
        "the decay is L1-like: ηλ·sign(w) is subtracted in the place of ηλ·w",
    ),
    "decay-unit": ("P - self.lr * self.weight_decay * unit(P)", "the decay subtracts ηλ·w/‖w‖ in the place of ηλ·w"),
    "decay-initial": ("P - self.lr * self.weight_decay * (P - start)", INITIAL),
}
MOVED = {
    "decay-after": (
        "return (P - R * U) * (1 - self.lr * self.weight_decay), S",
        "the decay comes after the step and shrinks the step just made, too: w ← (w − η·u)·(1 − ηλ)",
    ),
    "decay-after-without-rate": (
        "return (P - R * U) * (1 - self.weight_decay), S",
        "the decay comes after the step and is not multiplied by the learning rate: w ← (w − η·u)·(1 − λ)",
    ),
    "decay-implicit": (
        "return (P - R * U) / (1 + self.lr * self.weight_decay), S",
        "the decay is implicit: w ← (w − η·u)/(1 + ηλ)",
    ),
    "decay-cautious": (
        "return np.where(U * P > 0, P * (1 - self.lr * self.weight_decay), P) - R * U, S",
        "only those weights are decayed whose sign is that of their step",
    ),
    "decay-divided": (
        "return P - R * ((m + self.weight_decay * P) / m * U), S",
        "the decay is divided by √v with the gradient: (m + λ·w)/(√v + ε)",
    ),
}
COUPLED = {
    "decay-coupled": (
        "g = grad + self.weight_decay * param",
        "the decay is coupled (L2): λ·w is added to the gradient, before m and v",
    ),
    "decay-coupled-sign": (
        "g = grad + self.weight_decay * np.sign(param)",
        "the decay adds λ·sign(w) to the gradient, as an L1 penalty does, in the place of λ·w",
    ),
}
IN_M = "the decay enters m only: m averages g + λ·w, v averages g² without it"
IN_V = "the decay enters v only: v averages (g + λ·w)², m averages g without it"
SHRINK, COUPLING = "P * (1 - self.lr * self.weight_decay)", "g = g + self.weight_decay * param"
M, V = "m = B * M + (1 - B) * G", "v = B * V + (1 - B) * G * G"
BUFFERED = "B * state[K] + (1 - D) * G if T else G"
RATED = "the learning rate is inside the velocity (b ← μ·b + η·g, w ← w − b), so that a changed rate acts late, on new gradients only"
LAST = "return P - R * U, S"
DECOUPLED = "the decay is decoupled: w shrinks by the factor 1 − ηλ, apart from the gradient"


def _decays() -> Iterator[Wording]:
    """Of a decoupled decay, and of a coupled one: its term in the gradient, or what takes the place of it."""
    yield from _table("decay", SHRINK, SHRUNK)
    for id, (other, text) in MOVED.items():
        yield Wording(id=id, kind="decay", text=text, changes=((SHRINK.replace("P", "Q"), "Q"), (LAST, other)))
    for id, (other, text) in COUPLED.items():
        yield Wording(id=id, kind="decay", text=text, changes=((SHRINK, "P"), ("g = grad", other)))
    in_one = (("decay-coupled-in-m", M, "m = B * M + (1 - B) * (G + self.weight_decay * param)", IN_M),)
    in_one += (
        ("decay-coupled-in-v", V, V.replace("(1 - B) * G * G", "(1 - B) * (G + A) * (G + A)"), IN_V),
    )  # fmt: skip
    for id, pattern, other, text in in_one:
        other = other.replace("A", "self.weight_decay * param")
        yield Wording(id=id, kind="decay", text=text, changes=((SHRINK, "P"), (pattern, other)))
    yield Wording(id="penalty-missing", kind="decay", text="there is no weight decay", changes=((COUPLING, "g = g"),))
    sign = "g = g + self.weight_decay * np.sign(param)"
    yield Wording(id="decay-coupled-sign", kind="decay", text=COUPLED["decay-coupled-sign"][1], changes=((COUPLING, sign),))
    yield Wording(id="decay-coupled-in-m", kind="decay", text=IN_M, changes=((V, V.replace("G", "grad")),))
    yield Wording(id="decay-coupled-in-v", kind="decay", text=IN_V, changes=((M, M.replace("G", "grad")),))
    rows = {"decay-decoupled": (SHRINK, DECOUPLED), **SHRUNK}
    shrunk = {id: (f"return ({other}) - R * U, S", text) for id, (other, text) in rows.items() if other != "P"}
    for id, (other, text) in (shrunk | MOVED).items():
        yield Wording(id=id, kind="decay", text=text, changes=((COUPLING, "g = g"), (LAST, other)))


def _averages() -> Iterator[Wording]:
    """Of m and of the momentum buffer."""
    yield from _table("average", M, AVERAGE)
    yield from _table("average", BUFFERED, BUFFER)
    yield from _table("average", "d = G + B * b", {id: (f"d = {o}", text) for id, (o, text) in NESTEROV.items()})
    inside = "B * state[K] + (1 - D) * (self.lr * G) if T else self.lr * G"
    last = (LAST, "return P - U, S")
    ahead = ("d = G + B * b", "d = self.lr * G + B * b")
    yield Wording(id="lr-times-momentum", kind="average", text=RATED, changes=((BUFFERED, inside), ("d = b", "d = b"), last))
    yield Wording(id="lr-times-momentum", kind="average", text=RATED, changes=((BUFFERED, inside), ahead, last))
    averaged = "B * state.get(K, 0) + (1 - B) * (self.lr * G)"
    yield Wording(
        id="average-rate-inside-average",
        kind="average",
        text="the learning rate is inside the velocity, which is a running average (b ← μ·b + (1 − μ)·η·g)",
        changes=((BUFFERED, averaged), ("d = b", "d = b"), last),
    )
    sign, kept = "u = np.sign(B * M + (1 - B) * g)", "exp_avg = C * M + (1 - C) * g"
    rows = (
        ("after", "m is advanced before the step that uses it: sign(β₁·m + (1 − β₁)·g) with the new m", sign,
         "u = np.sign(B * (beta2 * M + (1 - beta2) * g) + (1 - B) * g)"),
        ("one", "one average serves for the step and for the state: sign(m), m ← β₁·m + (1 − β₁)·g", kept,
         kept.replace("C", "beta1")),
        ("two", "one average serves for the step and for the state: sign(m), m ← β₂·m + (1 − β₂)·g", sign,
         sign.replace("B", "beta2")),
    )  # fmt: skip
    for id, text, pattern, other in rows:
        yield Wording(id=f"average-lion-{id}", kind="average", text=text, changes=((pattern, other),))


def _divisions() -> Iterator[Wording]:
    """Of v, of the divisor and of the direction."""
    yield from _table("square", V, SQUARE)
    corrected = "np.sqrt(V) / np.sqrt(C) + self.eps"
    yield from _table("divisor", corrected, DIVISOR)
    yield from _table("divisor", "direction = G / (np.sqrt(V) + self.eps)", {id: (f"direction = G / ({o})", text) for id, (o, text) in PLAIN_DIVISOR.items()})
    maximum = "v = np.maximum(state.get('max_exp_avg_sq', 0), v)"
    yield Wording(
        id="amsgrad-after-correction",
        kind="square",
        text="the step is divided by the largest v/(1 − β₂ᵗ) so far: amsgrad after the correction",
        changes=((maximum, "v = np.maximum(state.get('max_exp_avg_sq', 0), v / (1 - beta2 ** t))"), (corrected, "np.sqrt(V) + self.eps")),
    )
    yield Wording(
        id="square-largest-decayed",
        kind="square",
        text="√v is max(β₂·u, |g|), as in Adamax",
        changes=((V, "v = np.maximum(B * V, np.abs(G))"), (corrected, "v / np.sqrt(C) + self.eps")),
    )
    yield from _table("direction", "direction = M / C / D", NUMERATOR)
    yield from _table("direction", LAST, {id: (f"return P - R * ({o}), S", text) for id, (o, text) in DIRECTION.items()})
    yield from _table("direction", "direction = B * M + direction", AFTER_DIVISION)
    yield Wording(
        id="direction-momentum-with-rate",
        kind="direction",
        text="the learning rate is inside the momentum of the direction: b ← μ·b + η·u, w ← w − b",
        changes=(("direction = B * M + direction", "direction = B * M + self.lr * direction"), (LAST, "return P - U, S")),
    )
    yield Wording(
        id="direction-averaged",
        kind="direction",
        text="the momentum averages g/(√v + ε), after the division, in the place of g before it",
        changes=(
            ("direction = M / C / D", "direction = beta1 * state.get('averaged', 0) + (1 - beta1) * (g / D)"),
            (LAST, "return P - R * (U / c1), {**S, 'averaged': direction}"),
        ),
    )


VOCABULARY: tuple[Wording, ...] = (
    *_table("gradient", "g = grad", GRADIENT),
    *_averages(),
    *_divisions(),
    *_decays(),
    Wording(
        id="betas-swapped",
        kind="betas",
        text="β₁ and β₂ are interchanged",
        changes=(("(beta1, beta2) = self.betas", "beta2, beta1 = self.betas"),),
    ),
)
