"""The rule of each reference in a line, to be read beside another one; the whole of it is in its own file.

g: gradient, w: weights, η: lr, m: average of g, v: average of g², b: momentum buffer.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "sgd": "g + λw, b ← μb + (1 − τ)·g, w ← w − η·b, or − η·(g + μb) with nesterov",
    "sgdw": "b ← μb + (1 − τ)·g, w ← w·(1 − ηλ) − η·b",
    "proximal_sgd": "w ← prox(w − η·g)",
    "adam": "g + λw, w ← w − η·(m/c₁)/(√(v/c₂) + ε) with c = 1 − βᵗ",
    "adamw": "w ← w·(1 − ηλ) − η·(m/c₁)/(√(v/c₂) + ε) with c = 1 − βᵗ",
    "nadam": "Adam with a look ahead: β₁ₜ·m + (1 − β₁ₜ)·g in the place of m, and a β₁ₜ that grows",
    "radam": "Adam times a rectification r(t), and plain momentum without √v in the first steps",
    "adamax": "w ← w − (η/c₁)·m/u with u ← max(β₂·u, |g| + ε) in the place of √v",
    "sparse_adam": "Adam for the elements that a sparse gradient has, ε added before the correction of v",
    "adagrad": "s ← s + g², a sum that never forgets; w ← w − η·g/(√s + ε)",
    "adadelta": "w ← w − η·g·√(d + ε)/√(v + ε) with d the average of the squared updates",
    "rmsprop": "v ← αv + (1 − α)·g², an average that forgets; w ← w − η·g/(√v + ε)",
    "rprop": "steps of a size of its own for each element, by the sign of g",
    "asgd": "w ← w·(1 − lambd·η) − η·g with a rate that falls",
    "adafactor": "w ← w − η·max(ε, rms w)·g/√v, v of a matrix from the means of its rows and columns",
    "adafactor_paper": "Adafactor with g² + ε₁ in its means, a rate that is relative or not, and a decay of that rate",
    "muon": "matrices move by their momentum with all singular values made 1",
    "lion": "w ← w·(1 − ηλ) − η·sign(β₁m + (1 − β₁)·g), m ← β₂m + (1 − β₂)·g",
    "lamb": "Adam's step + λw, times ‖w‖/‖step‖ of each parameter",
    "lars": "momentum of (g + λw) times ‖w‖/(‖g‖ + λ‖w‖) of each parameter",
    "adabelief": "Adam with the average of (g − m)² in the place of v",
    "adan": "Adam with a third average, of the differences of gradients",
    "schedule_free_sgd": "SGD at z, gradients at y between z and the average x of z",
    "lookahead": "every k steps of another rule the weights go back: w, s ← s + α(w − s)",
    "cautious": "another rule's step where its sign is that of g, the rest left out, divided by the share that is left",
    "sam": "another rule with the gradient at w + ρ·g/‖g‖",
    "schedule_free_adamw": "AdamW at z, gradients at y between z and the average x of z",
    "laprop": "Adam with v first: m averages g/(√(v/c₂) + ε), w ← w − (η/c₁)·m, then decay",
    "adopt": "m averages g/max(√v, ε) with the v of the gradients before; the first step only begins v",
    "ademamix": "Adam with m/c₁ + α·s in the place of m/c₁, s: a slow average of g that is not corrected",
    "madgrad": "w averages z = x₀ − s/(∛ν + ε), s and ν: sums of g and g² times η√t",
    "novograd": "m adds up g/(√v + ε) + λw, v: the average of ‖g‖² of the whole parameter",
    "sophia": "w ← w·(1 − ηλ) − η·clip(m/max(γh, ε), ±1), h: estimates of the curvature",
    "yogi": "Adam with v ← v − (1 − β₂)·sign(v − g²)·g², which begins with a small number, as m does",
    "adabound": "Adam with the rate of each element kept between two bounds that close on final_lr",
    "diffgrad": "Adam times 1/(1 + exp(−|g − the gradient before|))",
    "adamod": "Adam with the rate of each element no larger than its own average",
    "aggmo": "several momenta b ← βb + g + λw, w ← w − η times their mean",
    "sign_sgd": "m ← μm + (1 − μ)·g, w ← w·(1 − ηλ) − η·sign(m)",
    "adamp": "AdamW without the part of the step along w, and with less decay, where g has none",
    "sgdp": "SGD without the part of the step along w, and with less decay, where g has none",
    "shampoo": "L ← L + G·Gᵀ, R ← R + Gᵀ·G, w ← w − η·L^(−¼)·G·R^(−¼) of a matrix, w − η·H^(−½)·g of a vector",
    "soap": "Adam's step of G′ = Q_Lᵀ·G·Q_R, rotated back; Q: eigenvectors of the averages of G·Gᵀ and Gᵀ·G",
    "stableadamw": "AdamW with η/max(1, the root mean square of g/√v) of each parameter",
    "prodigy": "Adam of d·g with the rate η·d, d: the largest ⟨g, w₀ − w⟩ summed up over ‖s‖₁, of all parameters",
    "dadapt_adam": "Adam with the rate η·d, d: the largest sum of ⟨g, s/√v⟩ over ‖s‖₁, of all parameters",
}
