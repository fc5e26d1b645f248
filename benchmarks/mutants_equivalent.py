"""Mutants of the references that are equivalent to them, each with its reason; :mod:`benchmarks.mutants` reads them."""

from __future__ import annotations

from collections.abc import Mapping

TIMES_ONE = "With λ = 0 the factor is 1: the same weights."
ZERO = "0 by any count of steps is 0."
AT_THE_EDGE = "At the edge both branches are one number."
FIRST_AVERAGE = "The first step has t = 1 and so β = 0: what counted before it has no weight."
ANY_NEGATIVE = "NumPy infers a length from any negative number."
ONE_LENGTH = "The sequences are made of one length; ``strict`` guards against later changes."
UNUSED = "Goes unused where the step is not rectified; any number does that keeps roots and quotients finite."

REASONS: Mapping[str, Mapping[str, str]] = {
    **{
        f"refimpl/optimizers/{name}.py": {"if not is_zero(None):": TIMES_ONE}
        for name in ("lion", "lamb", "sign_sgd", "adamp", "sgdp")
    },
    "refimpl/optimizers/adabound.py": {
        "a = np.where(a <= low, low, np.where(a > high, high, a))": AT_THE_EDGE,
        "a = np.where(a < low, low, np.where(a >= high, high, a))": AT_THE_EDGE,
    },
    "refimpl/optimizers/adamod.py": {
        "if not is_zero(None):": TIMES_ONE,
        "param = param - np.where(a <= s, a, s) * m": AT_THE_EDGE,
    },
    "refimpl/optimizers/adopt.py": {
        "u = np.where(np.abs(u) <= c, u, c * np.sign(g))": AT_THE_EDGE,
        'm = np.where(begun, beta1 * state.get("exp_avg", 1) + (1 - beta1) * u, 0 * g)': "At the first step m is 0.",
    },
    "refimpl/optimizers/stableadamw.py": {
        "if not is_zero(None):": TIMES_ONE,
        'm = b1 * state.get("exp_avg", 1) + (1 - b1) * grad': FIRST_AVERAGE,
        'v = b2 * state.get("exp_avg_sq", 1) + (1 - b2) * grad * grad': FIRST_AVERAGE,
        "R = np.sqrt(mean(ratio.reshape(len(param), -2))).reshape(t.shape)": ANY_NEGATIVE,
    },
    "refimpl/optimizers/sophia.py": {
        "if not is_zero(None):": TIMES_ONE,
        "u = np.where(np.abs(m) <= d, m / np.where(d > 0, d, 1), np.sign(m))": AT_THE_EDGE,
        "u = np.where(np.abs(m) < d, m / np.where(d > 0, d, 2), np.sign(m))": "Goes unused where d is 0.",
    },
    "refimpl/optimizers/laprop.py": {
        "if not is_zero(None):": TIMES_ONE,
        'before = item(state["exp_avg_lr_1"]).reshape(t.shape) if "exp_avg_lr_1" in state else 0 / t': ZERO,
        "c = np.where(c > 0, c, 2)": "Where every rate so far was 0, m is 0, too.",
    },
    "refimpl/optimizers/adan.py": {"decays = not is_zero(None)": TIMES_ONE},
    "refimpl/optimizers/schedule_free_adamw.py": {"if not is_zero(None):": TIMES_ONE},
    "refimpl/optimizers/adafactor.py": {
        "if not is_zero(None):": TIMES_ONE,
        'R = lerp(state.get("row_var", 1), rows * rows / g.shape[-1], rate)': FIRST_AVERAGE,
        'C = lerp(state.get("col_var", 1), columns * columns / g.shape[-2], rate)': FIRST_AVERAGE,
        'V = lerp(state.get("variance", 1), g * g, rate)': FIRST_AVERAGE,
        "length = item(norm(x.reshape(len(x), -2)).reshape(-1, *(1,) * (x.ndim - 1)))": ANY_NEGATIVE,
        "length = item(norm(x.reshape(len(x), -1)).reshape(-2, *(1,) * (x.ndim - 1)))": ANY_NEGATIVE,
        "return np.sqrt(length * length / (x.size / len(x)))": "The runs divide the size: the same whole number.",
    },
    "refimpl/optimizers/adagrad.py": {
        f"start = np.zeros(param.shape, {dtype}) + self.initial_accumulator_value": (
            "Its zeros are floats, which only rationals refuse, and they have no root for Adagrad."
        )
        for dtype in ("None", "")
    },
    "refimpl/optimizers/lbfgs.py": {
        f'pairs = tuple(zip(state["old_stps"], state["old_dirs"], state["ro"], {strict}))': ONE_LENGTH
        for strict in ("strict=None", "strict=False", "")
    }
    | {f"for (s, y, rho), alpha in zip(pairs, al, {s}):": ONE_LENGTH for s in ("strict=None", "strict=False", "")}
    | {
        "return {name: part.reshape(array.shape) "
        f"for (name, array), part in zip(like.items(), parts, {strict})}}": ONE_LENGTH
        for strict in ("strict=None", "strict=False", "")
    }
    | {
        "return np.concatenate([array.reshape(len(array), -2) for array in arrays.values()], axis=1)": ANY_NEGATIVE,
    },
    "refimpl/optimizers/muon.py": {
        "if not is_zero(None):": TIMES_ONE,
        "return X / np.maximum(norm(X.reshape(len(X), -2)).reshape(-1, 1, 1), self.eps)": ANY_NEGATIVE,
        "return X / np.maximum(norm(X.reshape(len(X), -1)).reshape(-2, 1, 1), self.eps)": ANY_NEGATIVE,
    },
    "refimpl/optimizers/nadam.py": {
        f"power = 1 if {off} else (24 / 25) ** (t * self.momentum_decay)": "ψ = 0: 0.96⁰ is 1."
        for off in ("is_zero(None)", "(is_zero(self.momentum_decay)) and False")
    },
    "refimpl/optimizers/radam.py": {
        "rho, rho_inf = np.where(rectified, rho, rho + 7), np.where(rectified, rho_inf, rho_inf + 6)": UNUSED,
        "rho, rho_inf = np.where(rectified, rho, rho + 6), np.where(rectified, rho_inf, rho_inf + 7)": UNUSED,
        "d = np.where(rectified, np.sqrt(v) + self.eps, 2)": UNUSED,
    },
}
"""Why a survivor is equivalent, by file and by mutated line, without its comment (``- line`` where one is removed)."""
