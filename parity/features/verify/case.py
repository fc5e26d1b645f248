"""One cell of the matrix: what is run, and in which situation."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DTYPES = ("float64", "float32", "bfloat16", "float16", "complex64")
IMPLEMENTATIONS = ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile")
MOST_RANKS = 64
"""Processes of one group, all on this machine."""
SIZES = (1, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1000)
"""Number of elements: around the edges of vector registers and of the blocks of kernels."""

# one rank is no part of an id; other numbers that are not allowed are refused by what they are
ID = re.compile("/".join(["([^/]+)"] * 6) + r"/(\d{1,9})(?:/ranks(0|[2-9]|[1-9]\d{1,3}))?(?:/seed(\d+))?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Case:
    """``optimizer``: torch's class. ``options``: the name of a set in :mod:`parity.features.verify.options`.

    ``size``: elements of the main parameter. ``seed``: of all numbers that are drawn. ``ranks``: where there are
    several, ``implementation`` is the reduction of their gradients, and ``situation`` a situation of that.
    """

    optimizer: str
    options: str
    implementation: str
    dtype: str
    device: str
    situation: str
    size: int
    seed: int = 0
    ranks: int = 1

    @property
    def id(self) -> str:
        """The id of the case, by which ``-k`` finds it."""
        parts = (self.optimizer, self.options, self.implementation, self.dtype, self.device, self.situation, self.size)
        own = (f"/ranks{self.ranks}" if self.ranks != 1 else "") + (f"/seed{self.seed}" if self.seed else "")
        return "/".join(map(str, parts)) + own

    @classmethod
    def parse(cls, id: str) -> Case | None:
        """The case that an id names; None where it is no id."""
        named = ID.fullmatch(id)
        if named is None:
            return None
        optimizer, options, implementation, dtype, device, situation, size, ranks, seed = named.groups()
        return cls(
            optimizer=optimizer,
            options=options,
            implementation=implementation,
            dtype=dtype,
            device=device,
            situation=situation,
            size=int(size),
            seed=int(seed or 0),
            ranks=1 if ranks is None else int(ranks),
        )

    @property
    def rerun(self) -> str:
        """The command that runs this case alone."""
        return f"parity verify -k {self.id}"

    @property
    def entropy(self) -> int:
        """The seed of its own stream: the same case has the same numbers on every machine."""
        return zlib.crc32(self.id.encode())


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a case. ``check``: the quantity that decided; ``used``: the largest error ÷ tolerance.

    ``wrong``: every quantity that disagrees, with its first number. ``shares``: the largest error ÷ tolerance for each
    kind of tensor that has a rounding tolerance. ``steps``: updates that were judged.
    """

    case: Case
    verdict: str
    text: str
    check: str = ""
    used: float | None = None
    seconds: float = 0.0
    wrong: tuple[tuple[str, str], ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0

    def to_dict(self, options: Mapping[str, Any]) -> dict[str, Any]:
        case = self.case
        return {
            "id": case.id,
            "optimizer": case.optimizer,
            "options": dict(options),
            "implementation": case.implementation,
            "dtype": case.dtype,
            "device": case.device,
            "situation": case.situation,
            "size": case.size,
            "verdict": self.verdict,
            "check": self.check,
            "used": "inf" if self.used is not None and math.isinf(self.used) else self.used,
            "text": self.text,
            "rerun": case.rerun,
            "seconds": round(self.seconds, 4),
        }
