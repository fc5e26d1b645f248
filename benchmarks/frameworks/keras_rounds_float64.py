"""Keras: in float64 a mean has the accuracy of float32, and on its torch backend a product of matrices is float32."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
keras: Any = import_module("keras")
if keras.backend.backend() == "jax":
    import_module("jax").config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")

x = keras.ops.convert_to_tensor(np.full((3, 3), 1 / 3), dtype="float64")
mean, product = keras.ops.mean(x), keras.ops.matmul(x, x)
off = abs(float(keras.ops.convert_to_numpy(mean)) / (1 / 3) - 1)
print(
    f"keras {keras.__version__} on {keras.backend.backend()}: mean of 1/3, {mean.dtype}, is off by {off:.1e} of itself"
)
print(f"the product of two float64 matrices is {product.dtype}")
raise SystemExit(0 if off > 1e-12 else 1)
