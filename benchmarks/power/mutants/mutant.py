"""One entry of the catalogue, and the groups of experiments that entries name."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.power.mutants.training import Training


@dataclass(frozen=True)
class Mutant:
    """``id``: the name of the fault; ``cls``: the faulty program; ``experiments``, ``dtypes``: where it can be seen."""

    id: str
    cls: type[Training]
    experiments: tuple[str, ...]
    dtypes: tuple[str, ...] = ("float64", "float32")


ANY = ("check-sgd", "check-momentum", "check-adam", "check-adamw")
"""One experiment of every kind of optimizer."""

PLAIN = ("check-plain", "check-plain-adam")
"""The experiments in which nothing is penalised or decayed."""

L2 = ("check-sgd", "check-momentum", "check-adam")
"""The same, where the penalty is λ/2·‖w‖² in the loss."""
