"""Classes that are derived from ``torch.optim.Optimizer``, of torch and of packages."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from parity.explain.feeds import Feed
from parity.features.convert.optimizers.library import stacked
from refimpl.types import Array


def class_of(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def run(cls: Any, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    """A feed from a new optimizer on; the rate of its group is changed between the steps."""
    import torch

    def tensor(array: Array) -> torch.Tensor:
        return torch.from_numpy(array).to(getattr(torch, dtype), copy=True)  # some packages change gradients

    parameters = {name: torch.nn.Parameter(tensor(start)) for name, start in feed.weights.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = cls(list(parameters.values()), **dict(hyper))
        group, moments = optimizer.param_groups[0], [_numbers(parameters)]
        rate = group["lr"]
        for k, factor in enumerate(feed.factor):
            group["lr"] = rate * factor
            for name, parameter in parameters.items():
                parameter.grad = tensor(feed.gradients[name][k])
            optimizer.step()
            moments.append(_numbers(parameters))
    return stacked(moments)


def _numbers(parameters: Mapping[str, Any]) -> dict[str, Array]:
    return {name: parameter.detach().double().numpy().copy() for name, parameter in parameters.items()}
