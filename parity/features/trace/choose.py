"""Which steps, which row, which element: the words on the command line, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from numbers import Integral

import numpy as np

from parity.errors import Option, OptionError, nearest
from parity.experiment import Experiment, Material
from refimpl.types import Array

ELEMENT = re.compile(r"([^\[\]]+)((?:\[\s*\d+\s*(?:,\s*\d+\s*)*\])*)")


def shortened(experiment: Experiment, material: Material, steps: int) -> Experiment:
    """The experiment with as many epochs as the first ``steps`` need. Raises :class:`InputError`."""
    ends = np.cumsum([len(batches) for batches in material.order])
    if not (isinstance(steps, Integral) and 1 <= steps <= ends[-1]):
        raise OptionError(Option("steps"), f" {steps}: {experiment.name} has {ends[-1]} steps; give 1 to {ends[-1]}")
    return replace(experiment, epochs=int(np.searchsorted(ends, steps)) + 1, resume=None)


def check_row(row: int, batches: list[Array]) -> None:
    """Raise :class:`InputError` where a batch has no such row."""
    smallest = min(map(len, batches))
    if not (isinstance(row, Integral) and 0 <= row < smallest):
        raise OptionError(
            Option("row"),
            f" {row}: counts the rows of a batch, of which the smallest here has {smallest}; give 0 to {smallest - 1}",
        )


def find_element(word: str, params: Mapping[str, Array]) -> tuple[str, int]:
    """The parameter and the place in its flat array. Raises :class:`InputError`.

    ``weight[3]`` counts the elements, ``weight[0][3]`` and ``weight[0, 3]`` are torch's index, ``bias`` alone is enough
    where there is one element.
    """
    match = ELEMENT.fullmatch(str(word).strip())
    name = match[1].strip() if match else word
    if match is None or name not in params:
        raise OptionError(
            Option("parameter"),
            f" {word}: no such parameter; allowed: {', '.join(map(element_range, params, params.values()))}"
            f"{nearest(name, params)}",
        )
    shape = params[name].shape[1:]
    index = tuple(map(int, re.findall(r"\d+", match[2])))
    if len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True)):
        return name, int(np.ravel_multi_index(index, shape))
    if len(index) == 1 and index[0] < prod(shape):
        return name, index[0]
    if not index and prod(shape) == 1:
        return name, 0
    raise OptionError(
        Option("parameter"), f" {word}: names no single element; allowed: {element_range(name, params[name])}"
    )


def element_range(name: str, param: Array) -> str:
    """``weight[0] to weight[199]``."""
    last = param[0].size - 1
    return f"{name}[0] to {name}[{last}]" if last else f"{name}[0]"
