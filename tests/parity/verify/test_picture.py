"""The picture of a matrix says sign and share of every cell, and no letter meets another."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from parity.errors import InputError
from parity.features.verify import heatmap
from parity.features.verify.document import LOOKS, cells, number, read
from parity.features.verify.heatmap import draw
from tests.parity.verify.reports import OPTIMIZERS, few


def test_the_picture_says_sign_and_share_of_every_cell(big: dict[str, Any]) -> None:
    found = read(big)
    (axis,) = heatmap.picture(found).axes
    said = Counter(text.get_text() for text in axis.texts)
    summaries = cells(found.cases, "optimizer", "implementation", "dtype").values()
    for sign, wanted in Counter(LOOKS[cell.verdict].sign for cell in summaries).items():
        assert said[sign] == wanted
    for used, wanted in Counter(number(cell.used) for cell in summaries if cell.used is not None).items():
        assert said[used] == wanted
    assert [label.get_text() for label in axis.get_yticklabels()] == list(OPTIMIZERS)


def test_the_picture_is_a_png_on_opaque_white(tmp_path: Path) -> None:
    pixels = matplotlib.image.imread(draw(few(), tmp_path / "map.png"))
    assert pixels[0, 0].tolist() == [1, 1, 1, 1] and min(pixels.shape[:2]) > 250


@pytest.mark.slow
def test_no_two_letters_of_the_picture_meet(big: dict[str, Any]) -> None:
    figure = heatmap.picture(read(big))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    boxes = np.array([text.get_window_extent().extents for text in axis.texts if text.get_text()])
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    meets = (low < boxes[None, :, 2:]).all(axis=2) & (high > boxes[None, :, :2]).all(axis=2)
    assert (meets == np.eye(len(boxes), dtype=bool)).all()


def test_a_name_that_is_wider_than_its_columns_has_room() -> None:
    document = few("agree", "agree", "agree")
    for one, implementation in zip(document["cases"], ("capturable", "differentiable", "compile"), strict=True):
        one["implementation"] = implementation
    figure = heatmap.picture(read(document))
    figure.draw_without_rendering()
    names = [text for text in figure.axes[0].texts if text.get_weight() == "bold"]
    boxes = sorted((name.get_window_extent().x0, name.get_window_extent().x1) for name in names)
    assert [left < right for (_, left), (right, _) in itertools.pairwise(boxes)] == [True, True]


def test_each_device_has_columns_of_its_own() -> None:
    document = few("agree", "agree")
    document["cases"][1]["device"] = "cuda:0"
    (axis,) = heatmap.picture(read(document)).axes
    assert {"foreach, cpu", "foreach, cuda:0"} <= {text.get_text() for text in axis.texts}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        draw(few(), tmp_path / "absent" / "map.png")
