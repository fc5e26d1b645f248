"""MLX: the square of a gradient of 300 overflows in float16 before the factor 1 − β₂, and Adam's v is infinite.

``((1 − β₂)g)·g``, with β₂ = 0.999, would be 90.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

mx: Any = import_module("mlx.core")
adam = import_module("mlx.optimizers").Adam(learning_rate=0.1)
gradients = {"w": mx.array([300.0], dtype=mx.float16)}
adam.apply_gradients(gradients, {"w": mx.array([0.0], dtype=mx.float16)})
v = float(adam.state["w"]["v"][0])
print(f"mlx {mx.__version__}: a gradient of 300 in float16 makes v = {v}")
raise SystemExit(0 if v == float("inf") else 1)
