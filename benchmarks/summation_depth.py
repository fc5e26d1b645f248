"""How deep torch's sums are, and how much sharper a bound of the depth is than γₙ, which holds in every order.

For each product of a linear layer (256 outputs, 256 inputs), forward and backward, with so many terms in each sum: the
depth that the probe found (:mod:`parity.record.depth`), how many times sharper the bound is, and the largest share of
it that products of random numbers used: it must be at most 1.

    python -m benchmarks.summation_depth [--threads 1] [--draws 20] [--quick]
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.common import Grid, environment, say, write
from parity.record.depth import Kernel, depth
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

WIDE = 256
PRODUCTS: dict[str, Kernel] = {
    "X Wᵀ, forward": lambda left, right: torch.nn.functional.linear(left, right.T.contiguous()),
    "δᵀ X, of the weight": lambda left, right: left.T.contiguous().T @ right,
    "δ W, of the input": lambda left, right: left @ right,
}
"""Each with the strides that it has in a layer; contiguous factors are made outside of what is added."""
TERMS = {"float32": (32, 128, 512, 2048, 4096), "bfloat16": (32, 128, 512, 2048), "float16": (32, 128, 512)}


@dataclass(frozen=True)
class Row:
    """``deepest``: None where the probe is not conclusive; ``sharper``: γₙ ÷ γ of the depth; ``share``: the largest
    error ÷ bound of random products; ``seconds``: of the probe."""

    dtype: str
    product: str
    terms: int
    deepest: int | None
    sharper: float
    share: float
    seconds: float


def measured(dtype: str, product: str, n: int, draws: int) -> Row:
    """One product, of n terms."""
    start = time.perf_counter()
    deepest = depth(PRODUCTS[product], n, WIDE, WIDE, dtype)
    seconds = time.perf_counter() - start
    accumulate = FORMATS["float32"]
    depths = () if deepest is None else ((n, deepest),)
    profile = Profile(compute=FORMATS[dtype], accumulate=accumulate, depths=depths, carrier=np.float64)
    rng, share = np.random.default_rng(n), 0.0
    for _ in range(draws):
        left, right = (
            torch.tensor(rng.standard_normal(shape)).to(getattr(torch, dtype)) for shape in ((WIDE, n), (n, WIDE))
        )
        bound = Bounded.tensor(left.double().numpy(), profile) @ Bounded.tensor(right.double().numpy(), profile)
        off = np.abs(PRODUCTS[product](left, right).double().numpy() - bound.value)
        share = max(share, float(np.max(off / bound.error)))
    return Row(dtype, product, n, deepest, n / profile.roundings(n), share, seconds)


def cells(row: Row) -> tuple[str, ...]:
    """The row in words."""
    found = "not conclusive" if row.deepest is None else str(row.deepest)
    return (
        row.dtype,
        row.product,
        f"{row.terms:,}",
        found,
        f"{row.sharper:.1f}",
        f"{row.share:.2g}",
        f"{row.seconds:.2f}",
    )


def main(
    threads: Annotated[int, typer.Option(min=1, help="of torch: its sums may be of other depths with more")] = 1,
    draws: Annotated[int, typer.Option(min=1, help="random products of each kind")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="few terms, one draw; nothing is written")] = False,
) -> None:
    """Probe and bound each product."""
    torch.set_num_threads(threads)
    rows = []
    for dtype, terms in TERMS.items():
        for n in terms[:2] if quick else terms:
            for product in PRODUCTS:
                rows.append(measured(dtype, product, n, 1 if quick else draws))
                say(" ".join(cells(rows[-1])))
    head = ("dtype", "product", "terms", "depth", "times sharper than γₙ", "largest share used", "seconds")
    table = Grid("Products of a layer with 256 inputs and 256 outputs", head, [cells(row) for row in rows], left=2)
    wrong = [row for row in rows if row.share > 1]
    note = f"{len(wrong)} of {len(rows)} products were beyond their bound in {1 if quick else draws} draws."
    say(note)
    if not quick:
        data = {"environment": environment() | {"threads": threads}, "rows": [asdict(row) for row in rows]}
        write("summation_depth", data, "The depth of torch's sums", [table, note])
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
