"""Hyper-parameters of Adagrad, Adadelta, RMSprop, Rprop and ASGD; steps of torch and runs of the references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parity.judge.update import Update
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from refimpl.types import Optimizer, State

Array = npt.NDArray[Any]
STEPS = 5
DTYPES = ("float64", "float32", "bfloat16", "float16")
FLAGS: Mapping[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
OPTIONS: Mapping[Any, list[dict[str, Any]]] = {
    Adagrad: [
        {},
        {"lr": 0.1, "lr_decay": 0.3, "weight_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 0.01},
        {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
    ],
    Adadelta: [
        {},
        {"lr": 0.3, "rho": 0.7, "eps": 0.01, "weight_decay": 0.3, "maximize": True},
        {"rho": 0.3},
    ],
    RMSprop: [
        {},
        {"lr": 0.1, "alpha": 0.9, "weight_decay": 0.3, "momentum": 0.9, "eps": 0.01},
        {"lr": 0.1, "alpha": 0.8, "eps": 0.01, "centered": True},
        {"lr": 0.1, "alpha": 0.3, "weight_decay": 0.3, "momentum": 0.5, "centered": True, "maximize": True},
    ],
    Rprop: [
        {},
        {"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (0.05, 0.3)},
        {"lr": 0.1, "etas": (0.7, 1.1), "step_sizes": (0.01, 1.0), "maximize": True},
    ],
    ASGD: [
        {},
        {"lr": 0.1, "lambd": 0.3, "alpha": 0.6, "t0": 2.0, "weight_decay": 0.3},
        {"lr": 0.1, "lambd": 0.1, "alpha": 1.0, "t0": 0.0, "weight_decay": 0.3, "maximize": True},
    ],
}


def exact(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().to(torch.float64, copy=True).numpy()[None]
    return array


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def recorded(
    cls: Any, options: Mapping[str, Any], implementation: str, dtype: str, gradients: Array, start: Array
) -> Iterator[Update]:
    """Every step of torch's optimizer with these gradients."""
    kind = getattr(torch, dtype)
    parameter = torch.nn.Parameter(torch.from_numpy(start).to(kind))
    optimizer = getattr(torch.optim, cls.__name__)([parameter], **options, **FLAGS[implementation])
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    for number, gradient in enumerate(gradients):
        parameter.grad = torch.from_numpy(gradient).to(kind)
        before, seen = exact(parameter), exact(parameter.grad)
        state = {key: exact(values) for key, values in optimizer.state[parameter].items()}
        optimizer.step()
        after = optimizer.state[parameter]
        yield Update(
            parameter="w",
            number=number,
            optimizer=cls(**options),
            profile=profile,
            before=before,
            gradient=seen,
            state=state,
            after=exact(parameter),
            state_after={key: exact(values) for key, values in after.items()},
            formats={"param": dtype, **{key: name_of(values.dtype) for key, values in after.items()}},
        )


def drawn(seed: int, size: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Gradients of either sign, some of them 0, and a start."""
    rng = np.random.default_rng(seed)
    gradients, start = scale * rng.standard_normal((STEPS, size)), scale * rng.standard_normal(size)
    gradients[2, : size // 3] = 0
    return gradients, start


def shares(pieces: Iterable[Expected]) -> dict[str, float]:
    return {str(piece.quantity): float(piece.share.max()) for piece in pieces}


def run(optimizer: Optimizer, start: Array, gradients: Array) -> list[tuple[Array, State]]:
    """(param, state) after each step; arrays without the axis of runs."""
    param: Array = start[None]
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient[None], state)
        found.append((param[0], state))
    return found
