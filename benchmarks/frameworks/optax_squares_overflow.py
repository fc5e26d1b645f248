"""optax: the square of a gradient of 300 overflows in float16 before the factor 1 − β₂, and Adam's v is infinite.

``((1 − β₂)g)·g``, with β₂ = 0.999, would be 90.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

jnp: Any = import_module("jax.numpy")
optax: Any = import_module("optax")
w, g = jnp.zeros(1, "float16"), jnp.full(1, 300, "float16")
adam = optax.scale_by_adam()
v = float(adam.update(g, adam.init(w), w)[1].nu[0])
print(f"optax {optax.__version__}: a gradient of 300 in float16 makes v = {v}")
raise SystemExit(0 if v == float("inf") else 1)
