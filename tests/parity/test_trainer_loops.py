"""Loops that accumulate, clip and freeze as trainers do: what one does in its place is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from refimpl.accumulation import Accumulation
from refimpl.clipping import Clip
from refimpl.freezing import Freeze
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD


def loop(
    task: Any,
    *,
    divide: str = "own",
    clip: str = "",
    micro: int = 0,
    last: bool = True,
    carry: bool = False,
    freeze: str = "",
    decay: float = 0.1,
) -> None:
    """The loop that a trainer has, with what can go wrong in it."""
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9, weight_decay=decay)
    micro, step = micro or task.accumulate, 0
    for _ in range(task.epochs):
        batches = list(task.loader)
        for i, (X, y) in enumerate(batches):
            frozen = 2 <= step < 4
            net.bias.requires_grad_(not (frozen and freeze == "none"))
            count = min(micro, len(batches) - (i - i % micro))
            divisor = {"own": count, "full": micro, "not": 1, "twice": count**2}[divide]
            (torch.nn.functional.mse_loss(net(X), y) / divisor).backward()  # type: ignore[no-untyped-call]
            if (i + 1) % micro == 0 or (last and i + 1 == len(batches)):
                if frozen and freeze == "zero":
                    assert net.bias.grad is not None
                    net.bias.grad.zero_()
                together: dict[str, list[list[torch.Tensor]]] = {
                    "all": [[net.weight, net.bias]],
                    "each": [[net.weight], [net.bias]],
                }
                for some in together.get(clip, []):
                    torch.nn.utils.clip_grad_norm_(some, task.max_norm)
                if clip == "value":
                    torch.nn.utils.clip_grad_value_(net.parameters(), task.max_norm)
                if clip == "scaled":
                    for parameter in net.parameters():
                        parameter.grad *= 64  # as a loss would be that was scaled
                    torch.nn.utils.clip_grad_norm_(net.parameters(), task.max_norm)
                    for parameter in net.parameters():
                        parameter.grad /= 64
                if clip == "shorter":
                    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.25)
                optimizer.step()
                optimizer.zero_grad()
                step += 1
                task.record(net)
        if not carry:
            optimizer.zero_grad()


MICRO = {"accumulation": Accumulation(micro=4)}
CLIPPED = {"accumulation": Accumulation(micro=2), "clip": Clip(norm=0.1)}
FROZEN = {"freeze": (Freeze(parameters=("bias",), from_step=2, to_step=4),)}
LOOPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "accumulation-last-divisor": (MICRO, {"divide": "full"}),
    "accumulation-not-divided": (MICRO, {"divide": "not"}),
    "accumulation-divided-twice": (MICRO, {"divide": "twice"}),
    "accumulation-none": (MICRO, {"micro": 1}),
    "accumulation-other-micro": (MICRO, {"micro": 3}),
    "accumulation-rest-dropped": (MICRO, {"last": False}),
    "accumulation-rest-carried": (MICRO, {"last": False, "carry": True, "divide": "full"}),
    "clip-missing": (CLIPPED, {}),
    "clip-other-norm": (CLIPPED, {"clip": "each"}),
    "clip-by-value": (CLIPPED, {"clip": "value"}),
    "clip-other-limit": (CLIPPED, {"clip": "shorter"}),
    "clip-before-unscale": (CLIPPED, {"clip": "scaled"}),
    "freeze-missing": (FROZEN, {}),
    "accumulation-by-epoch": ({"accumulation": Accumulation(micro=4, across_epochs=True)}, {}),
    "freeze-other-steps": ({"freeze": (Freeze(parameters=("bias",), from_step=2, to_step=3),)}, {"freeze": "none"}),
    "freeze-gradient-only": (FROZEN, {"freeze": "zero"}),
}
MSE = {
    "loss": SquaredError(factor=1.0, reduction="mean"),
    "penalties": (),
    "optimizer": SGD(lr=0.05, momentum=0.9, weight_decay=0.1),
}


def checked(experiment: Experiment, dtype: str = "float64", **how: Any) -> Any:
    trajectory, observed = trajectory_here(lambda task: loop(task, **how), experiment, dtype)
    return diagnose(experiment, trajectory, observed=observed)


@pytest.mark.every_case
@pytest.mark.parametrize("fault", LOOPS)
def test_what_a_loop_does_in_its_place_is_named_first(asks: Any, fault: str) -> None:
    asked, how = LOOPS[fault]
    diagnosis = checked(asks(**MSE, **asked), **how)
    assert diagnosis.verdict == "disagree" and diagnosis.findings[0].id == fault, diagnosis.text


def test_with_long_windows_the_causes_of_the_other_parts_are_tried_too(asks: Any) -> None:
    asked = {"accumulation": Accumulation(micro=12), "clip": Clip(norm=0.1)}
    assert checked(asks(**MSE, **asked)).findings[0].id == "clip-missing"
    full = {"accumulation": Accumulation(micro=4, last="full")}
    assert checked(asks(**MSE, **full), micro=3, divide="full").findings[0].id == "accumulation-other-micro"


@pytest.mark.parametrize("asked", [CLIPPED, FROZEN], ids=["clip", "freeze"])
def test_a_fault_of_the_catalogue_is_named_beside_them(asks: Any, asked: dict[str, Any]) -> None:
    how = {"clip": "all"} if asked is CLIPPED else {"freeze": "none"}
    assert checked(asks(**MSE, **asked), **how, decay=0.0).findings[0].id == "penalty-missing"


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("asked", "how", "dtype"),
    [(MICRO, {}, "float64"), (CLIPPED, {"clip": "all"}, "float32"), (FROZEN, {"freeze": "none"}, "bfloat16")],
)
def test_the_correct_loop_agrees(asks: Any, asked: dict[str, Any], how: dict[str, Any], dtype: str) -> None:
    diagnosis = checked(asks(**MSE, **asked), dtype, **how)
    assert diagnosis.verdict in ("agree", "undecidable") and not diagnosis.findings, diagnosis.text
