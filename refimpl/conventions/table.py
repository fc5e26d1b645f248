"""The conventions as a table in Markdown; `python -m refimpl.conventions` prints it."""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.conventions import CONVENTIONS
from refimpl.losses.squared_error import SquaredError
from refimpl.objective import LOSSES, text

BEFORE = """\
J = loss + λ₁·‖w‖₁ + λ₂/2·‖w‖², over n rows. `alpha` is what `Ridge` of scikit-learn needs for the same squared penalty:
rows with the same `alpha` have the same minimiser. λ₁ goes from one loss to another by the same factor as λ₂.
"""
AFTER = """\
sd_y is the standard deviation of the targets with 1/n. glmnet (unless `standardize=FALSE`) and lm.ridge divide column j
by its standard deviation with 1/n and penalise the weights on these columns. The intercept:
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One library with one loss; ``alpha``: that of scikit-learn's Ridge, in its own numbers."""

    name: str
    link: str
    choice: str
    loss: str
    lambda1: str
    lambda2: str
    alpha: str


def rows() -> list[Row]:
    """Every convention with every loss that it may take."""
    return [
        Row(
            name=name,
            link=made.link,
            choice=loss if len(made.losses) > 1 else "",
            loss=text(LOSSES[loss]),
            lambda1=made.lambda1,
            lambda2=made.lambda2,
            alpha=alpha(LOSSES[loss], made.lambda2),
        )
        for name, made in CONVENTIONS.items()
        for loss in made.losses
    ]


def alpha(loss: SquaredError, lambda2: str) -> str:
    """``λ₂N/(2c)`` of ``Σr² + alpha·‖w‖²``, with λ₂ in the library's numbers."""
    if lambda2 == "0":
        return "–"
    n = "n·" if loss.reduction == "mean" else ""  # N
    inner = f"({lambda2})" if " + " in lambda2 and (n or loss.factor == 1) else lambda2
    if loss.factor == 1:  # 1/(2c) = ½
        return f"{n}{lambda2[2:]}" if lambda2.startswith("2·") else f"{n}{inner}/2"
    return f"{n}{inner}"  # 1/(2c) = 1


def markdown() -> str:
    """The table, and what becomes of the intercept."""
    named: set[str] = set()
    lines = ["| library | loss | λ₁ | λ₂ | `alpha` |", "|---|---|---|---|---|"]
    for row in rows():
        loss = f"{row.loss} `{row.choice}`" if row.choice else row.loss
        library = "" if row.name in named else f"[{row.name}]({row.link})"
        named.add(row.name)
        cells = [library, loss, _code(row.lambda1), _code(row.lambda2), _code(row.alpha)]
        lines.append(f"| {' | '.join(cells)} |")
    free = ", ".join(name for name, made in CONVENTIONS.items() if made.intercept == "free")
    words = [f"* {name}: {made.intercept}." for name, made in CONVENTIONS.items() if made.intercept != "free"]
    return "\n".join([BEFORE, *lines, "", AFTER, *words, f"* {free}: free.", ""])


def _code(formula: str) -> str:
    return "–" if formula in ("0", "–") else f"`{formula}`"
