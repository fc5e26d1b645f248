"""optax: one full-batch step of ``add_decayed_weights`` and ``sgd`` in JAX, the bias left out by the mask."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from parity.features.convert.prove.peer_run import PeerRun, rest
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.optax import Optax
from refimpl.objective import Facts
from refimpl.types import Array


def run(convention: Optax, facts: Facts, sample: Sample) -> PeerRun:
    import jax
    import numpy as np

    optax: Any = import_module("optax")

    each = optax.l2_loss if convention.loss.startswith("half") else optax.squared_error
    mask = {"weight": True, "bias": False}
    optimizer = optax.chain(optax.add_decayed_weights(convention.weight_decay, mask), optax.sgd(1.0))

    def step(weight: Array, bias: float) -> tuple[Array, float]:
        with jax.enable_x64(True):
            params = {"weight": jax.numpy.asarray(weight), "bias": jax.numpy.asarray(bias)}

            def loss(params: Any) -> Any:
                losses = each(sample.X @ params["weight"] + params["bias"], jax.numpy.asarray(sample.y))
                return losses.mean() if convention.loss.endswith("mse") else losses.sum()

            updates, _ = optimizer.update(jax.grad(loss)(params), optimizer.init(params), params)
            after = optax.apply_updates(params, updates)
            return np.asarray(after["weight"]), float(after["bias"])

    return rest(convention.name, "one step of sgd from the minimiser", convention.ours(facts), sample, step)
