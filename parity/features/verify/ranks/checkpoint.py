"""Save and resume with ``torch.distributed.checkpoint``: each rank writes its part, which new models then read.

https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

if TYPE_CHECKING:
    from parity.features.verify.ranks.training import Training

OTHER = 3.0
"""The factor of the weights with which the new models begin, so that what is not loaded is seen."""


def save_and_load(training: Training) -> None:
    """Write model and optimizer of all ranks, make new ones, and read them."""
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load
    from torch.distributed.checkpoint.state_dict_saver import save

    folder: list[Any] = [None]
    with tempfile.TemporaryDirectory() as own:
        folder[0] = own
        dist.broadcast_object_list(folder)
        model, optimizer = get_state_dict(training.wrapped, training.optimizer)
        save({"model": model, "optimizer": optimizer}, checkpoint_id=folder[0])
        training.make(OTHER)
        model, optimizer = get_state_dict(training.wrapped, training.optimizer)
        loaded: dict[str, Any] = {"model": model, "optimizer": optimizer}
        load(loaded, checkpoint_id=folder[0])
        set_state_dict(
            training.wrapped, training.optimizer, model_state_dict=model, optim_state_dict=loaded["optimizer"]
        )
        dist.barrier()  # until all have read what is now removed
