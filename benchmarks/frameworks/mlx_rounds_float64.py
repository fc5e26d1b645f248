"""MLX: in float64 Adam's bias correction, ``exp`` and ``logsumexp`` have the accuracy of float32."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

mx: Any = import_module("mlx.core")
optimizers: Any = import_module("mlx.optimizers")
mx.set_default_device(mx.cpu)  # float64 is there only

rate = mx.array(0.5, dtype=mx.float64)
adam = optimizers.Adam(learning_rate=rate, betas=[0.9, 0.99], eps=0.0, bias_correction=True)
w = adam.apply_gradients({"w": mx.array([1.0], dtype=mx.float64)}, {"w": mx.array([0.0], dtype=mx.float64)})["w"]
off = abs(float(np.array(w)[0]) / -0.5 - 1)  # the first step is −η, whatever the gradient
print(f"mlx {mx.__version__}: Adam's first step in {w.dtype} is off by {off:.1e} of itself")
e = mx.exp(mx.array([0.3], dtype=mx.float64))
off_exp = abs(float(np.array(e)[0]) / float(np.exp(0.3)) - 1)
print(f"exp(0.3) in {e.dtype} is off by {off_exp:.1e} of itself")
raise SystemExit(0 if max(off, off_exp) > 1e-12 else 1)
