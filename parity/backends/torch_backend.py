"""PyTorch: the same experiment through ``torch.nn`` and ``torch.optim``, or by hand, recorded step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from parity.backends.base import Setting
from parity.backends.torch_autograd import Autograd
from parity.backends.torch_by_hand import ByHand
from parity.errors import Option, OptionError, Unsupported, nearest
from parity.experiment import Experiment
from parity.formulation import realise
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.trajectory import Trajectory


class TorchBackend:
    """Any device torch has."""

    name = "torch"

    def devices(self) -> list[str]:
        """``cpu``, and the accelerator if this machine has one."""
        if torch.accelerator.is_available():
            return ["cpu", str(torch.accelerator.current_accelerator())]
        return ["cpu"]

    def check_device(self, device: str) -> None:
        """Raise :class:`OptionError` unless a tensor can be made and read back there."""
        try:
            torch.zeros(1, device=device).cpu()
        except Exception as error:  # torch raises AssertionError, RuntimeError, NotImplementedError …
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            allowed = self.devices()
            raise OptionError(
                Option("device"),
                f" {device}: torch cannot use it ({reason}); available here: {', '.join(allowed)}"
                f"{nearest(device, (*allowed, 'cuda', 'mps', 'xpu'))}",
            ) from error

    def run(self, experiment: Experiment, setting: Setting) -> Trajectory:
        form = realise(experiment, setting.formulation)
        material = experiment.draw()
        if not isinstance(experiment.model, Linear | MLP) or not isinstance(
            experiment.loss, SquaredError | CrossEntropy
        ):
            raise Unsupported("the torch backend has the linear model and the MLP, squared error and cross-entropy")
        with tf32(setting.tf32):
            run = ByHand if setting.formulation == "manual" else Autograd
            return run(experiment, form, material, setting).train()


@contextlib.contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Matrix products in float32 on CUDA: with TF32 operands, or, by default, without; restored afterwards.

    Touched only where it is not what is wanted already: torch refuses to mix its older way of setting it with this.
    """
    matmul: Any = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    if on == (before == "tf32"):
        yield
        return
    matmul.fp32_precision = "tf32" if on else "ieee"
    try:
        yield
    finally:
        matmul.fp32_precision = before
