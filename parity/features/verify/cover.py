"""Which cases are run: every situation with every optimizer, implementation and dtype; options and sizes in all pairs.

The full product of all axes would be hundreds of thousands of cases. Faults sit in single values or in pairs of them
(a kernel and a dtype, an option and a situation), so options and sizes are dealt out such that each pair of values of
two axes of an optimizer meets in some case (a pairwise covering array, made greedily).
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from parity.features.verify.case import DTYPES, IMPLEMENTATIONS, SIZES, Case
from parity.features.verify.options import OPTIONS
from parity.situations import SITUATIONS

FLAG = {"foreach": "foreach", "fused": "fused", "capturable": "capturable", "differentiable": "differentiable"}
ELSEWHERE = ("cuda", "xpu", "hpu")
"""Devices on which torch has ``capturable``."""
MOST = 200
"""Words of an expression; Python nests no more operators than so many."""
COMPILED_SITUATIONS = ("plain", "several", "groups", "scheduled", "tensor-rate", "no-gradient")
COMPILED_SAMPLE = (("SGD", "momentum+decay"), ("AdamW", "decay"))
"""The compiled steps of a run that did not ask for them: each costs seconds."""


def offered(optimizer: str, implementation: str, device: str) -> bool:
    """Whether torch has such an implementation at all; where it has not, one case says so in its words."""
    if implementation == "capturable" and device.partition(":")[0] not in ELSEWHERE:
        return False
    options = inspect.signature(getattr(torch.optim, optimizer)).parameters
    return implementation not in FLAG or FLAG[implementation] in options


def cases(
    *,
    optimizers: Sequence[str] = tuple(OPTIONS),
    implementations: Sequence[str] = (),
    dtypes: Sequence[str] = DTYPES,
    devices: Sequence[str] = ("cpu",),
    situations: Sequence[str] = tuple(SITUATIONS),
    seed: int = 0,
    quick: bool = False,
) -> list[Case]:
    """The covering array over these axes; without ``implementations`` all, of the compiled steps a few."""
    chosen: list[Case] = []
    for device, optimizer in itertools.product(devices, optimizers):
        plain = [i for i in (implementations or IMPLEMENTATIONS) if i != "compile"]
        cells = list(_cells(optimizer, plain, dtypes, situations, device))
        if quick:
            cells = _sample(cells, seed)
        chosen += dealt(optimizer, cells, device, seed, complete=not quick)
        if "compile" in implementations:
            wanted = [s for s in situations if s in COMPILED_SITUATIONS]
            compiled = itertools.product(["compile"], [d for d in dtypes if d != "complex64"], wanted)
            chosen += dealt(optimizer, list(compiled), device, seed, complete=False)
    if not implementations and not quick:
        for (optimizer, options), device in itertools.product(COMPILED_SAMPLE, devices):
            if optimizer in optimizers and "plain" in situations and "float32" in dtypes:
                chosen.append(_case(optimizer, options, ("compile", "float32", "plain"), 33, device, seed))
    return list(dict.fromkeys(chosen))


def _cells(
    optimizer: str, implementations: Iterable[str], dtypes: Sequence[str], situations: Sequence[str], device: str
) -> Iterator[tuple[str, str, str]]:
    for implementation in implementations:
        if offered(optimizer, implementation, device):
            yield from itertools.product([implementation], dtypes, situations)
        else:
            yield implementation, dtypes[0], situations[0]


def _sample(cells: list[tuple[str, str, str]], seed: int) -> list[tuple[str, str, str]]:
    """Each situation once, and each implementation with each dtype, drawn in an order of the seed."""
    order = np.random.default_rng(seed).permutation(len(cells))
    situations: set[str] = set()
    kernels: set[tuple[str, str]] = set()
    kept = []
    for i in sorted(order, key=lambda i: cells[i][1] in ("float64", "complex64")):  # where faults are first
        implementation, dtype, situation = cells[i]
        if situation not in situations or (implementation, dtype) not in kernels:
            kept.append(cells[i])
            situations.add(situation)
            kernels.add((implementation, dtype))
    return kept


def dealt(
    optimizer: str, cells: Sequence[tuple[str, str, str]], device: str, seed: int, *, complete: bool
) -> Iterator[Case]:
    """An option set and a size for each cell, those that meet the most values for the first time; then what is left."""
    sets, sizes = list(OPTIONS[optimizer]), list(SIZES)
    new_option = {value: np.ones(len(sets)) for value in set(itertools.chain(*cells))}
    new_size = {value: np.ones(len(sizes)) for value in set(itertools.chain(*cells))}
    new_pair = np.ones((len(sets), len(sizes)))
    turn = 0
    for cell in cells:
        gain = new_pair + sum(new_option[value] for value in cell)[:, None] + sum(new_size[value] for value in cell)  # type: ignore[index]
        gain = np.roll(gain, -turn)  # among equals, everyone in turn
        best = (int(np.argmax(gain)) + turn) % gain.size
        option, size = np.unravel_index(best, new_pair.shape)
        turn = (turn + 7) % gain.size
        new_pair[option, size] = 0
        for value in cell:
            new_option[value][option] = new_size[value][size] = 0
        yield _case(optimizer, sets[option], cell, sizes[size], device, seed)
    if not complete:
        return
    for value, somewhere in {value: cell for cell in cells for value in cell}.items():
        for option in np.flatnonzero(new_option[value]):
            yield _case(optimizer, sets[option], somewhere, sizes[int(option) % len(sizes)], device, seed)
        for size in np.flatnonzero(new_size[value]):
            yield _case(optimizer, sets[int(size) % len(sets)], somewhere, sizes[size], device, seed)


def _case(optimizer: str, options: str, cell: tuple[str, str, str], size: int, device: str, seed: int) -> Case:
    implementation, dtype, situation = cell
    return Case(
        optimizer=optimizer,
        options=options,
        implementation=implementation,
        dtype=dtype,
        device=device,
        situation=situation,
        size=size,
        seed=seed,
    )


def matches(expression: str, case: Case) -> bool:
    """``-k``: words that occur in the case's id, with ``and``, ``or``, ``not`` and parentheses; the id itself too.

    Raises :class:`ValueError` where it is no such expression.
    """
    if expression == case.id:
        return True
    words = re.findall(r"[()]|[^\s()]+", expression)
    operators = ("and", "or", "not", "(", ")")
    truth = [word if word in operators else str(_occurs(word, case.id)) for word in words]
    try:
        called = any(after == "(" and before not in operators[:4] for before, after in itertools.pairwise(words))
        if called or len(words) > MOST:
            raise SyntaxError
        return bool(eval(" ".join(truth), {"__builtins__": {}}))  # of True, False, operators and parentheses only
    except SyntaxError as error:
        raise ValueError(expression) from error


def _occurs(word: str, name: str) -> bool:
    """In the id; a word with slashes must be a whole run of its parts."""
    return f"/{word}/" in f"/{name}/" if "/" in word else word.lower() in name.lower()
