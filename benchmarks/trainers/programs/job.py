"""What a trainer is asked to do, and what it did: the weights after each step. Needs torch alone.

The programs run on a task of ``parity check``, and without it on data whose gradients are known: see ``probe.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, TensorDataset

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(kw_only=True)
class Job:
    """A linear ``net`` to be trained on ``dataset`` by SGD with these parameter ``groups``.

    ``batches``: the batch sampler; None where each row is a batch, which the trainer deals to its ranks.
    ``accumulate``: batches a step; ``max_norm``: where gradients are clipped; ``gamma``: of an exponential schedule;
    ``bf16``: mixed precision; ``save`` and ``load``: a folder in which the training is saved after its last epoch, and
    from which it goes on; ``weights``: after each step.
    """

    net: nn.Linear
    dataset: TensorDataset
    groups: list[dict[str, Any]]
    loss: Loss
    batches: Any = None
    epochs: int = 1
    momentum: float = 0.0
    accumulate: int = 1
    max_norm: float | None = None
    gamma: float | None = None
    bf16: bool = False
    save: Path | None = None
    load: Path | None = None
    own: bool = False
    weights: list[dict[str, Tensor]] = field(default_factory=list)
    told: Callable[[nn.Module], None] | None = None

    def loader(self, **options: Any) -> DataLoader[Any]:
        """The batches in order."""
        if self.batches is None:
            return DataLoader(self.dataset, batch_size=1, **options)
        return DataLoader(self.dataset, batch_sampler=self.batches, **options)

    def saved(self, name: str) -> Path:
        """A file of the training that is saved or loaded."""
        return (self.load or self.save or Path()) / name

    def note(self, **weights: Tensor) -> None:
        """Keep the weights after a step."""
        self.weights.append({name: each.detach().clone() for name, each in weights.items()})
        if self.told is not None:
            self.told(weights)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the weights after each step of any optimizer of torch."""
        hook = register_optimizer_step_post_hook(lambda *_: self.note(**dict(self.net.named_parameters())))
        try:
            yield
        finally:
            hook.remove()


def of(task: Any, **options: Any) -> Job:
    """The job of a task of ``parity check``; on several ranks its batches have as many rows as there are ranks."""
    net = nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    asked = {
        "epochs": task.epochs,
        "momentum": task.hyper.get("momentum", 0.0),
        "accumulate": task.accumulate,
        "max_norm": task.max_norm,
        "gamma": getattr(task.experiment.schedule, "gamma", None),
        "batches": task.batch_sampler if task.world_size == 1 else None,
    }
    return Job(
        net=net,
        dataset=task.dataset,
        groups=task.param_groups(net),
        loss=nn.functional.mse_loss,
        **{**asked, **options},
    )
