"""What all pictures share: a white ground, colours that everyone can tell apart, whole titles, files written whole.

Names come from users: they may be longer than the picture is wide, hold ``$``, which Matplotlib reads as a formula, or
characters that the font lacks. Every text with a name in it goes through :func:`in_lines`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

from parity.errors import Option, OptionError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito: told apart by everyone
INK = "#333333"
"""The colour of limits, and of what others are compared with."""
WITHIN, INFINITE = "#e4e8eb", "#2b1055"
"""The colours of errors within the tolerance and of an infinite share of it; neither is one of a map of shares."""
TITLE, PANEL, LABEL = 12, 11, 9
"""Sizes in points of a picture's title, of the titles of its axes, and of the labels in its legend."""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LINE = 1.25 / 72
"""Inches from one line of text to the next, for each point of its size."""
HANDLE = 0.6
"""Inches of a legend that are no text: the line or mark of a label and the gap to the next."""


class Picture(Figure):
    """A figure that a notebook shows, whether it has imported pyplot or not."""

    def _repr_png_(self) -> bytes:
        image = BytesIO()
        self.savefig(image, format="png")
        return image.getvalue()


def new_picture(width: float, height: float, title: str, *, layout: Literal["constrained"] | None) -> Picture:
    """An empty picture; ``width`` and ``height`` in inches, without the further lines of a long title.

    The ground is white; on a dark page of the site light and dark change places.
    """
    text = in_lines(title, TITLE, width - 0.3)
    height += LINE * TITLE * text.count("\n")
    picture = Picture(figsize=(width, height), dpi=130, layout=layout, facecolor="white")
    FigureCanvasAgg(picture)
    place = {} if layout else {"y": 1 - 0.08 / height}
    picture.suptitle(text, fontsize=TITLE, x=0.15 / width, ha="left", **place)
    return picture


def new_figure(
    rows: int, columns: int, title: str, *, layout: Literal["constrained"] | None = "constrained"
) -> tuple[Figure, list[Any]]:
    """A picture with its axes."""
    figure = new_picture(1 + 4.6 * columns, 4.2 * rows, title, layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(True, color="#dddddd", lw=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def colours(count: int) -> list[str]:
    """As many colours as there are things to tell apart, none of them twice."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return [to_hex(colormaps["plasma"](0.85 * i / (count - 1))) for i in range(count)]


def legend_below(figure: Figure, *axes: Any, columns: int) -> float:
    """The legend of all axes; a label that several of them have stands once."""
    entries = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    return legend_of(figure, entries, columns=columns)


def fix_margins(figure: Figure, *axes: Any, legend: float) -> None:
    """Margins of fixed size around axes in a row: to find the tightest ones takes as long as to draw twice more.

    ``legend``: inches of the legend below, as :func:`legend_below` returns them.
    """
    panels = max(1 + axis.get_title().count("\n") if axis.get_title() else 0 for axis in axes)
    figure.set_figheight(figure.get_figheight() + LINE * PANEL * max(panels - 1, 0))
    above = (
        0.25 + LINE * TITLE * (1 + figure.get_suptitle().count("\n")) + (0.1 + LINE * PANEL * panels if panels else 0)
    )
    width, height = figure.get_figwidth(), figure.get_figheight()
    place = 1.05 / width, (0.6 + legend) / height, 1 - 0.2 / width, 1 - above / height
    figure.subplots_adjust(*place, wspace=0.27)


def legend_of(figure: Figure, entries: Mapping[str, Any], *, columns: int) -> float:
    """A legend outside of the axes, where it hides nothing. Returns the inches by which the picture grows for it.

    ``entries``: the mark of each label. There are fewer ``columns`` where the labels are long.
    """
    if not entries:
        return 0.0
    width = figure.get_figwidth() - 0.3
    labels = [in_lines(label, LABEL, width - HANDLE) for label in entries]
    widths = [HANDLE + max(width_of(line, LABEL) for line in label.split("\n")) for label in labels]
    parts = {n: np.array_split(widths, n) for n in range(min(columns, len(labels)), 1, -1)}  # as Matplotlib does
    columns = next((n for n, part in parts.items() if sum(some.max() for some in part) <= width), 1)
    per_column = math.ceil(len(labels) / columns)
    lines = sum(1 + label.count("\n") for label in labels[:per_column])
    grown = 1.2 * LINE * LABEL * max(lines, max(1 + label.count("\n") for label in labels))
    figure.set_figheight(figure.get_figheight() + grown)
    place: Any = "outside lower center" if figure.get_layout_engine() else "lower center"
    figure.legend(list(entries.values()), labels, loc=place, ncols=columns, fontsize=LABEL, frameon=False)
    return grown


def draw_shares(axis: Any, steps: Any, shares: Any, lowest: float, highest: float, **look: Any) -> None:
    """Error ÷ tolerance after each step, between the two; an infinite one, or nan, is a mark of its own at the top."""
    finite = np.isfinite(shares)
    axis.plot(steps, np.where(finite, np.clip(shares, lowest, highest), np.nan), **look)
    if not finite.all():
        place = axis.get_xaxis_transform()
        axis.plot(steps[~finite], np.full(np.sum(~finite), 0.98), "v", color=INFINITE, transform=place, label="∞")


def log_axis(axis: Any) -> None:
    """A logarithmic axis of ordinates, where some number that is drawn has a logarithm."""
    if any(np.any(np.asarray(line.get_ydata(), float) > 0) for line in axis.lines):
        log_scale(axis)


def log_scale(axis: Any) -> None:
    """A logarithmic axis of ordinates."""
    axis.set_yscale("log")
    axis.yaxis.set_minor_locator(Between(subs="auto"))
    axis.yaxis.set_major_formatter(Powers())
    axis.yaxis.set_minor_formatter(Powers())


class Between(LogLocator):
    """Ticks at 2, 3, …, 9 times powers of ten, where the axis is shorter than two of these: else they say nothing."""

    def tick_values(self, low: float, high: float) -> Any:
        return super().tick_values(low, high) if high < 100 * low else np.array([])


class Powers(LogFormatterSciNotation):
    """10⁻² and 2×10⁻² in the characters of the font; Matplotlib's own are formulas, which it is slow to read."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        formula: str = super().__call__(x, pos)
        text = formula.removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", "×")
        return re.sub(r"\^{(.*)}", lambda exponent: exponent[1].translate(SUPERSCRIPTS), text)


def in_lines(text: str, size: float, width: float) -> str:
    """The text in lines of at most ``width`` inches at ``size`` points, as Matplotlib wants it.

    A word that is longer than a line is broken.
    """
    lines = [""]
    for word in re.findall(r"\S+\s*", plain(text)):
        if width_of(lines[-1] + word.rstrip(), size) <= width:
            lines[-1] += word
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            lines += [""] if not character.isspace() and width_of(lines[-1] + character, size) > width else []
            lines[-1] += character
    return "\n".join(line.rstrip() for line in lines).replace("$", r"\$")


def plain(text: str) -> str:
    """The text with □ for each character that the font lacks."""
    font = _font()
    return "".join(c if c.isprintable() and font.get_char_index(ord(c)) else "□" for c in text)


@lru_cache(10_000)  # a long word is broken character by character
def width_of(text: str, size: float) -> float:
    """Inches that a :func:`plain` text takes at ``size`` points."""
    font = _font()
    font.set_size(size, 720.0)  # finer than any screen, so that nothing is rounded to pixels
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64 / 720


def _font() -> Any:
    """The font of all pictures, which Matplotlib keeps."""
    return get_font(findfont(FontProperties()))


def save(figure: Figure, path: Path) -> Path:
    """Write the picture as PNG, drawn once: Matplotlib's ``savefig`` draws for the layout and again for the file."""
    temporary = path.with_name(f".{path.name}")
    try:
        canvas: Any = FigureCanvasAgg(figure)  # Any: Matplotlib leaves print_png untyped
        canvas.print_png(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OptionError(
            f"{path}: cannot be written ({error.strerror}); choose another folder with ", Option("out")
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
