"""The reference's losses and penalties as lines of Python that one writes with torch."""

from __future__ import annotations

from typing import Any

from parity.backends.options import strengths
from parity.errors import Unsupported
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.penalties import Norm, SubtractedL1
from refimpl.types import Loss, Penalty


def loss_lines(loss: Loss, outputs: str, *, ready_made: bool) -> list[str]:
    """``loss`` of the ``outputs`` and ``y``, by torch's own function or from its formula."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction) if ready_made:
            times = "" if factor == 1 else f"{float(factor)!r} * "
            return [f'loss = {times}torch.nn.functional.mse_loss({outputs}, y, reduction="{reduction}")']
        case SquaredError(factor=factor, reduction=reduction):
            return [f"r = {outputs} - y", f"loss = {float(factor)!r} * (r * r).{reduction}()"]
        case CrossEntropy(reduction=reduction) if ready_made:
            return [f'loss = torch.nn.functional.cross_entropy({outputs}, y[:, 0].long(), reduction="{reduction}")']
        case CrossEntropy(reduction=reduction):
            of_row = f"of_row = torch.logsumexp({outputs}, 1) - {outputs}.gather(1, y.long())[:, 0]"
            return [of_row, f"loss = of_row.{reduction}()"]
    raise Unsupported(f"there is no script for {type(loss).__name__}")


def penalty_text(name: str, penalty: Penalty) -> str:
    """The penalty of the tensor that the script calls ``name``; empty where it is 0."""
    match penalty:
        case Norm(strength=strength):
            return f"{strength!r} * torch.linalg.vector_norm({name})"
        case SubtractedL1(strength=strength):
            return f"-{strength!r} * {name}.abs().sum()"
    l1, l2 = strengths(penalty)
    terms = [f"{l1!r} * {name}.abs().sum()"] if l1 else []
    return " + ".join(terms + ([f"{l2!r} / 2 * ({name} * {name}).sum()"] if l2 else []))


def keywords(options: dict[str, Any]) -> str:
    """``lr=0.1, momentum=0.9``."""
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
