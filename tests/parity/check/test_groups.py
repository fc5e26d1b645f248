"""What a rank keeps of process groups."""

from __future__ import annotations

import gc
import weakref

import pytest
from torch import distributed
from torch.distributed import distributed_c10d

from parity.features.check.groups import keep_groups


@pytest.mark.parametrize("module", [distributed, distributed_c10d])
def test_a_group_that_is_destroyed_lives_on_and_another_one_can_be_made(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end would wait for a thread of gloo, with Python's lock, in some of the runs."""
    for each in (distributed, distributed_c10d):
        monkeypatch.setattr(each, "destroy_process_group", distributed_c10d.destroy_process_group)
    kept = keep_groups()
    for count in (1, 2):
        distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
        group = weakref.ref(distributed_c10d._get_default_group())
        module.destroy_process_group()  # type: ignore[attr-defined]
        gc.collect()
        assert not distributed.is_initialized()
        assert group() is kept[-1] and len(kept) == count
