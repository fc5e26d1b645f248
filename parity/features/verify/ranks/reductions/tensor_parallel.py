"""Tensor parallelism: a linear layer whose rows or columns are divided over the ranks.

The layer's own weights are the given gradients, one row or column on each rank. With rows (``ColwiseParallel``) and the
loss Σ G·p, the gradient of p is the sum of the rows, which the backward pass reduces. With columns
(``RowwiseParallel``) the forward pass reduces y = Σ of the columns, and the loss Σ p·y has the gradient y.

https://docs.pytorch.org/docs/stable/distributed.tensor.parallel.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from parity.features.verify.ranks.reductions.fsdp import mesh_of
from parity.features.verify.ranks.training import Training


class TensorParallel(Training):
    """``style``: how the layers are divided, ``colwise`` or ``rowwise``."""

    def wrap(self) -> Any:
        from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

        by_rows = self.options["style"] == "colwise"
        layers = nn.ModuleDict()
        for name, start in self.plan.start.items():
            shape = (self.case.ranks, start.size) if by_rows else (start.size, self.case.ranks)
            layer = nn.Linear(shape[1], shape[0], bias=False, dtype=self.dtype)
            layers[name] = layer.requires_grad_(False)
        style = ColwiseParallel() if by_rows else RowwiseParallel()
        mesh = mesh_of((self.case.ranks,), ("shard",))
        return parallelize_module(layers, mesh, dict.fromkeys(self.plan.start, style))

    def syncing(self, last: bool) -> AbstractContextManager[Any]:
        del last
        return contextlib.nullcontext()

    def micro_batch(self, gradients: Mapping[str, Tensor], last: bool) -> None:
        del last
        terms = []
        for name, gradient in gradients.items():
            parameter, layer = self.model.get_parameter(name), self.wrapped[name]
            own = layer.weight.data.to_local()
            own.copy_(gradient.reshape(own.shape))
            if self.options["style"] == "colwise":
                terms.append(layer(parameter.reshape(-1)).sum())
            else:
                terms.append((parameter.reshape(-1) * layer(torch.ones(1, dtype=self.dtype))).sum())
        torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]  # torch's annotation
