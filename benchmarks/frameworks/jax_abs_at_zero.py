"""JAX: the derivative of |w| at w = 0 is 1, where sign(0) = 0 is torch's: with L1 an exact zero does not stay one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

jax: Any = import_module("jax")
slope = float(jax.grad(jax.numpy.abs)(0.0))
print(f"jax {jax.__version__}: the derivative of |w| at 0 is {slope:g}")
raise SystemExit(0 if slope == 1 else 1)
