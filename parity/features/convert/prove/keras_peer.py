"""Keras: one batch through ``train_on_batch`` with its ``SGD``, in whichever backend is set; torch where none is.

In float32: asked for float64, Keras 3.15 still rounds to float32 inside (matrix products in torch, the mean in JAX).
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from parity.features.convert.prove.peer_run import SINGLE, PeerRun, rest
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.keras import Keras
from refimpl.objective import Facts
from refimpl.types import Array

TEXT = "one batch of SGD from the minimiser, in float32"


def run(convention: Keras, facts: Facts, sample: Sample) -> PeerRun:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras: Any = import_module("keras")
    reduction = "sum_over_batch_size" if convention.loss == "mse" else "sum"

    def step(weight: Array, bias: float) -> tuple[Array, float]:
        penalty = keras.regularizers.L1L2(l1=convention.l1, l2=convention.l2)
        layer = keras.layers.Dense(1, kernel_regularizer=penalty, dtype="float32")
        model = keras.Sequential([keras.Input(sample.X.shape[1:]), layer])
        loss = keras.losses.MeanSquaredError(reduction=reduction)
        model.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss)
        layer.set_weights([weight[:, None], np.array([bias])])
        model.train_on_batch(sample.X, sample.y[:, None])
        kernel, offset = (np.asarray(keras.ops.stop_gradient(variable.value)) for variable in layer.weights)
        return kernel[:, 0], float(offset[0])

    return rest(convention.name, TEXT, convention.ours(facts), sample, step, unit=SINGLE)
