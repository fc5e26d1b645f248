"""From a traced step to the page's lines: which numbers are shown, in which order, beside which of the framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.features.trace.content import Line, Section, TraceRow
from parity.features.trace.elements import Element
from parity.features.trace.expression import formula, lines
from parity.features.trace.framework import Framework, element
from parity.features.trace.step import TracedStep
from parity.features.trace.ulp import ulps
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array, Penalty

ROWS = 12
"""How many rows of a batch are listed."""


@dataclass(frozen=True)
class Chosen:
    """What a reader looks at: an element of a parameter, by its ``name``, and the how-many-th row of the batch."""

    parameter: str
    place: int
    name: str
    row: int
    dtype: str


@dataclass(frozen=True)
class Page:
    """Step number ``step`` (from 0) in the reference and, if there is one, in the framework; its batch ``X``, ``y``."""

    traced: TracedStep
    chosen: Chosen
    framework: Framework | None
    step: int
    X: Array
    y: Array
    penalties: Sequence[tuple[str, Penalty]]

    def rows(self, batch: Sequence[int]) -> tuple[TraceRow, ...]:
        """The first rows of the batch, the chosen one always among them."""
        t, shown = self.traced, [i for i in range(len(batch)) if i < ROWS or i == self.chosen.row]
        return tuple(self._row(i, batch[i], t) for i in shown)

    def _row(self, i: int, number: int, t: TracedStep) -> TraceRow:
        x = float(self.X[0, i, self.chosen.place]) if self.chosen.parameter == "weight" else 1.0
        upstream, residual = t.upstream.at(i), t.residual.at(i)
        theirs = self._residual(i)
        return TraceRow(
            number=number,
            x=x,
            output=t.outputs.at(i),
            target=float(self.y[0, i, 0]),
            residual=residual,
            upstream=upstream,
            share=upstream * x,
            framework=theirs,
            ulps=None if theirs is None else ulps(theirs, residual, FORMATS[self.chosen.dtype]),
        )

    def sections(self) -> tuple[Section, ...]:
        return self._prediction(), self._objective(), self._gradient(), self._update()

    def _prediction(self) -> Section:
        i = self.chosen.row
        output = self._residual(i, target=False)
        shown = [self._line((self.traced.outputs, i), output), self._line((self.traced.residual, i), self._residual(i))]
        return Section(title="Prediction and residual of the row", text="Σ runs over the features.", lines=tuple(shown))

    def _objective(self) -> Section:
        t, mine = self.traced, self.framework.trajectory if self.framework else None
        shown = [self._line((t.loss, 0), element(mine.loss[self.step], 0) if mine else None)]
        shown += [self._line((penalty, 0), None) for penalty in t.penalties]
        if t.penalties:
            shown.append(self._line((t.objective, 0), element(mine.objective[self.step], 0) if mine else None))
        rows = self.X.shape[1]
        text = f"Σ runs over the {rows} row{'s' if rows > 1 else ''} of the batch" + (
            ", in Ω over the weights." if t.penalties else "."
        )
        return Section(title="Loss and objective" if t.penalties else "Loss", text=text, lines=tuple(shown))

    def _gradient(self) -> Section:
        t, their, (name, place) = self.traced, self.framework, (self.chosen.parameter, self.chosen.place)
        data = their.data_gradient(self.step, self.X, self.y) if their else None
        shown = [self._line((t.upstream, self.chosen.row), None)]
        shown.append(self._line((t.data_gradient, place), element(data[name], place) if data else None))
        mine = [penalty for parameter, penalty in self.penalties if parameter == name]
        for penalty, slope in zip(mine, t.penalty_gradients, strict=True):
            their_slopes = their.penalty_gradient(self.step, _only(penalty, name), self.X.shape[2]) if their else None
            *before, (node, where) = lines([(slope, place)])  # a norm that it is made of
            shown += [self._line(each, None) for each in before]
            shown.append(self._line((node, where), element(their_slopes[name], place) if their_slopes else None))
        whole = element(their.trajectory.gradients[name][self.step], place) if their else None
        shown.append(self._line((t.gradient, place), whole))
        text = "δ = ∂L/∂ŷ is that of the chosen row; Σ runs over the rows of the batch, as in the table."
        return Section(title=f"Gradient by {self.chosen.name}", text=text, lines=tuple(shown))

    def _update(self) -> Section:
        t, their, (name, place) = self.traced, self.framework, (self.chosen.parameter, self.chosen.place)
        state = their.trajectory.state_before(self.step + 1)[name] if their else {}
        roots: list[Element] = [(value, min(place, value.size - 1)) for value in t.state.values()]
        known: dict[int, tuple[Any, str]] = {}
        if their:
            formats = their.trajectory.formats
            known = {id(t.state[key].base): (state[key], formats[f"{name}/{key}"]) for key in state if key in t.state}
            known[id(t.param.base)] = their.trajectory.params[name][self.step + 1], formats[name]
        shown = []
        for node, where in lines([*roots, (t.param, place)]):
            theirs, stored = known.get(id(node), (None, ""))
            alike = theirs is not None and np.size(theirs) == node.size
            shown.append(self._line((node, where), element(theirs, where) if alike else None, stored))
        return Section(title="Update", text="g is the gradient above; t counts the steps from 1.", lines=tuple(shown))

    def _line(self, of: Element, theirs: float | None, stored: str = "") -> Line:
        node, place = of
        value, stored = node.at(place), stored or self.chosen.dtype
        return Line(
            symbol=str(node.base.symbol),
            formula=formula(node, place),
            value=value,
            framework=theirs,
            ulps=None if theirs is None else ulps(theirs, value, FORMATS[stored]),
            stored=stored,
        )

    def _residual(self, i: int, *, target: bool = True) -> float | None:
        if self.framework is None:
            return None
        y = self.y[:, i : i + 1]
        return self.framework.residual(self.step, self.X[:, i : i + 1], y if target else np.zeros_like(y))


def _only(penalty: Any, name: str) -> Penalty:
    """The penalty on one parameter."""
    restricted: Penalty = replace(penalty, parameters=(name,))
    return restricted
