"""Adafactor takes the norms of its own rows for those of a parameter that is divided over ranks."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard
    from torch.testing._internal.distributed.fake_pg import FakeStore

    if dist.is_initialized():
        return None
    start, gradient = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, -2.0, 3.0, 8.0])

    def stepped(start: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        whole = start.clone().requires_grad_()
        whole.grad = gradient.clone()
        torch.optim.Adafactor([whole], lr=0.1).step()
        return whole.detach()[:2]

    whole = stepped(start, gradient)
    here = torch.tensor([1.0, 1.0, 0.0, 0.0])
    alone = stepped(start * here, gradient * here)  # zeros add nothing to a norm
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)  # rank 0 of 2, without the other one
    try:
        mesh = init_device_mesh("cpu", (2,))
        own = start[:2].clone()
        rows = DTensor.from_local(own, mesh, [Shard(0)]).requires_grad_()
        rows.grad = DTensor.from_local(gradient[:2].clone(), mesh, [Shard(0)])
        torch.optim.Adafactor([rows], lr=0.1).step()
    finally:
        dist.destroy_process_group()
    print(f"rows of rank 0 after a step: {own.tolist()}; of the whole parameter: {whole.tolist()}")
    return torch.equal(own, alone) and not torch.equal(own, whole)


FACT = Fact(
    id="adafactor-norms-of-shards",
    title="Adafactor takes the norm of its own rows for that of a parameter that is divided over ranks",
    kind="deviation",
    expected="`RMS(w) = ‖w‖₂/√n` and `RMS(u)` over all rows of a parameter of FSDP2 or `DTensor`, so that the step is "
    "that of one rank",
    executed="`‖w‖₂` and `‖u‖₂` over the rows of each rank, still divided by `√n` of all rows: `.item()` of a norm "
    "that is not yet reduced. The length of the step depends on the number of ranks",
    reproduce=reproduce,
)
