"""What all pictures share: a white ground, colours that everyone can tell apart, and files written whole."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from parity.errors import OptionError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito: told apart by everyone


class Picture(Figure):
    """A figure that a notebook shows, whether it has imported pyplot or not."""

    def _repr_png_(self) -> bytes:
        image = BytesIO()
        self.savefig(image, format="png")
        return image.getvalue()


def new_figure(
    rows: int, columns: int, title: str, *, layout: Literal["constrained"] | None = "constrained"
) -> tuple[Figure, list[Any]]:
    """White ground, so that a picture reads the same on a light and on a dark page."""
    figure = Picture(figsize=(1 + 4.6 * columns, 4.2 * rows), dpi=130, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(True, color="#dddddd", lw=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    return figure, list(axes.flat)


def legend_below(figure: Figure, axis: Any, *, columns: int) -> None:
    """Outside the axes, where it hides nothing."""
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=9, frameon=False
    )


def save(figure: Figure, path: Path) -> Path:
    temporary = path.with_name(f".{path.name}")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise OptionError(f"{path}: cannot be written ({error.strerror}); choose another folder with --out") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
