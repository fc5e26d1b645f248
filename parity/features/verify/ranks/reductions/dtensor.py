"""Parameters that are ``DTensor``, with gradients that are sums over ranks not yet made (``Partial``).

https://docs.pytorch.org/docs/stable/distributed.tensor.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity.features.verify.ranks.reductions.fsdp import mesh_of
from parity.features.verify.ranks.training import Given, Training


class Distributed(Training):
    """``shard``: parameters are divided by rows, or else each rank has all of them; ``reduce``: "avg" or "sum"; without
    it, the rows of a batch are divided, and autograd finds the sum, which is made before the step.
    """

    def new_model(self, start: Mapping[str, Tensor]) -> nn.Module:
        from torch.distributed.tensor import Replicate, Shard, distribute_tensor

        self.mesh = mesh_of((self.case.ranks,), ("shard",))
        self.placement: Any = Shard(0) if self.options.get("shard") else Replicate()
        return Given({name: distribute_tensor(values, self.mesh, [self.placement]) for name, values in start.items()})

    def wrap(self) -> Any:
        return self.model

    def accumulate(self, own: Sequence[Mapping[str, Tensor]]) -> None:
        from torch.distributed.tensor import DTensor, Partial, Shard

        self.optimizer.zero_grad()
        terms = []
        for name, gradient in own[0].items():
            parameter = self.model.get_parameter(name)
            if reduce := self.options.get("reduce"):
                partial = DTensor.from_local(gradient, self.mesh, [Partial(reduce)])
                parameter.grad = partial.redistribute(self.mesh, [self.placement])
            else:
                rows = DTensor.from_local(gradient[None], self.mesh, [Shard(0)])
                terms.append((rows * parameter).sum())
        if terms:
            torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]  # torch's annotation
            for parameter in self.model.parameters():  # whose gradient is a sum that is not yet made
                unmade: Any = parameter.grad
                parameter.grad = unmade.redistribute(self.mesh, [self.placement])
