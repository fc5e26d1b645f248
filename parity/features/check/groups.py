"""Process groups of user code, which live until the process is killed."""

from __future__ import annotations

import functools
from typing import Any


def keep_groups() -> list[Any]:
    """Hold the groups that user code destroys; they are closed as they would be. Returns the list that holds them.

    After ``destroy_process_group`` a ``DistributedDataParallel`` may be the last to hold its group. When that one ends,
    the end of the group waits for a thread of gloo while it holds Python's lock; the thread may need the lock to drop
    what it has left, and then neither goes on (torch 2.13.0).
    """
    from torch import distributed
    from torch.distributed import distributed_c10d

    kept: list[Any] = []
    original = distributed_c10d.destroy_process_group

    @functools.wraps(original)
    def destroy(*args: Any, **kwargs: Any) -> None:
        kept.extend(distributed_c10d._world.pg_map)
        original(*args, **kwargs)

    for module in (distributed, distributed_c10d):
        module.destroy_process_group = destroy  # type: ignore[attr-defined]
    return kept
