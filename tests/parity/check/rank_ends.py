"""How a rank can end, without torch. Each writes the number of its process into a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path


def begin(folder: str, rank: int) -> None:
    (Path(folder) / str(rank)).write_text(str(os.getpid()))


def dies(folder: str, rank: int) -> None:
    """Rank 1 ends its process; the other one waits for it."""
    begin(folder, rank)
    if rank:
        os._exit(7)
    time.sleep(600)


def raises(folder: str, rank: int) -> None:
    """Rank 1 raises a little later than the other one, which lost it."""
    begin(folder, rank)
    if not rank:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4711")
    time.sleep(0.3)
    raise ValueError("a batch without rows")


def hangs(folder: str, rank: int) -> None:
    """Rank 1 has no end."""
    begin(folder, rank)
    if rank:
        time.sleep(600)


def says(folder: str, rank: int) -> tuple[int, dict[str, str]]:
    """What a rank was given."""
    begin(folder, rank)
    return rank, dict(os.environ)
