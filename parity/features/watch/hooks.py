"""The two hooks of a watch: one copies what a sampled step finds, the other judges what it left.

A class that is derived from one of torch's may call the step of its base class, which then has hooks of its own; and a
step that raises has no second hook. Both are told apart by the call that a hook is made from.

A closure is called inside of the step, and makes the gradients there. A sampled step gets another closure in its place,
which copies what the step finds when the first one has returned.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.hooks import RemovableHandle

from parity.errors import InputError
from parity.features.watch.coverage import Coverage
from parity.features.watch.notes import Note, NoteKind, merged, written
from parity.features.watch.record import StepRecord
from parity.features.watch.report import Violated, Violation, WatchReport, listed
from parity.features.watch.sampling import Sampling
from parity.features.watch.vector import VectorRecord
from parity.judge.stages import Product
from parity.record.products import Products
from parity.record.snapshot import untouched
from parity.step.expected import Comparison, Disagreement, Expected, compare
from refimpl.optimizers import LBFGS, Muon
from refimpl.types import Optimizer

Policy = Literal["raise", "warn", "collect"]
"""The reaction to a violation."""
SEVERAL = "a step that evaluates its closure more than once is not judged: its gradients belong to several points"


class Watch:
    """The two hooks, from ``start`` to ``stop`` or inside of a ``with`` block, and what they have seen: ``report``."""

    def __init__(self, sampling: Sampling, coverage: Coverage, *, every: int, on_violation: Policy) -> None:
        self.sampling, self.coverage, self.optimizer = sampling, coverage, sampling.optimizer
        self.every, self.on_violation = every, on_violation
        self.report = WatchReport(optimizer=type(self.optimizer).__name__)
        self.hooks: list[RemovableHandle] = []
        self.call: FrameType | None = None
        self.evaluations, self.warned = 0, False
        self.records: list[StepRecord] = []
        self.vector: VectorRecord | None = None
        self.left: list[StepRecord] = []
        self.early: list[Violation] = []
        self.written: dict[NoteKind, Note] = {}
        self.entered = contextlib.ExitStack()
        self.products: Products | None = None

    # -- from start to stop ---------------------------------------------------------------------------------------

    def start(self) -> Watch:
        """Judge the steps from now on."""
        if not self.hooks:
            self.hooks.append(self.optimizer.register_step_pre_hook(self.before_step))
            self.hooks.append(self.optimizer.register_step_post_hook(self.after_step))
        return self

    def stop(self) -> None:
        """Judge no further step, until the next ``start``."""
        for hook in self.hooks:
            hook.remove()
        self.hooks, self.left = [], []
        self.let_go()
        self.coverage.finish(self.report.steps)
        self.note()

    def __enter__(self) -> Watch:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- hooks ----------------------------------------------------------------------------------------------------

    def before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Before a step: copy what it finds, if it is a sampled one; return its arguments with a watched closure."""
        del optimizer
        if is_running(self.call):
            return None  # the step of a class that this one is derived from, which has hooks of its own
        self.let_go()  # of a step that raised
        self.call = sys._getframe(1)
        number, self.report.steps = self.report.steps, self.report.steps + 1
        left, self.left = self.left, []
        if number % self.every:
            return None
        with self.judging(number):
            references = self.sampling.references()
            self.records = list(self.sampling.records(number, references, self.unsupported))
            self.note(written(left, self.records, number))
        if any(isinstance(reference, Muon | LBFGS) for reference in references):
            self.products = self.entered.enter_context(Products())
        around = functools.partial(self.around, number=number, references=references)
        return (
            (*args[:1], *(around(value) if callable(value) else value for value in args[1:])),
            {key: around(value) if callable(value) else value for key, value in kwargs.items()},
        )

    def around(self, closure: Callable[..., Any], number: int, references: list[Optimizer]) -> Callable[..., Any]:
        """The closure; when it has returned for the first time, what the step finds is copied again."""

        @functools.wraps(closure)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.evaluations += 1
            call = functools.partial(closure, *args, **kwargs)
            if self.evaluations > 1:
                self.records, self.vector = [], None
                self.unsupported(SEVERAL)
                return call() if self.products is None else self.products.unseen(call)()
            before = self.sampling.references()
            with self.judging(number):
                entry = [record.again(self.sampling.state(record.parameter)) for record in self.records]
                self.early = list(moved_early(number, self.records, entry))
            returned = call() if self.products is None else self.products.unseen(call)()
            with self.judging(number):
                triples = zip(references, before, self.sampling.references(), strict=True)
                # a class that changes its numbers on the way to the closure is held to those that it was called with
                in_effect = [at_call if at_entry == now else now for at_call, at_entry, now in triples]
                self.records = list(self.sampling.records(number, in_effect, self.unsupported))
                self.vector = self.sampling.vector(in_effect, returned, self.unsupported)
                self.note(written(entry, self.records, number))
            return returned

        return watched

    def after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """After a step: judge it, if what it found was copied."""
        del optimizer, args, kwargs
        if sys._getframe(1) is not self.call:
            return
        records, early, vector, number = self.records, self.early, self.vector, self.report.steps - 1
        products = [] if self.products is None else self.products.made
        self.let_go()
        if (number + 1) % self.every == 0:
            with self.judging(number):
                self.left = list(self.sampling.records(number + 1, self.sampling.references(), self.unsupported))
        if not records:
            return
        with self.judging(number):
            violations = [*early, *self.violations(number, records, products)]
            if vector is not None:
                violations += self.compared(vector.pieces(number, products), vector.violation)
            self.coverage.look(number, records)
            self.note()
        self.report.judged += 1
        self.report.violations += violations
        if violations and self.on_violation == "raise":
            raise Violated(listed(violations), self.report)
        if violations and self.on_violation == "warn":
            warnings.warn(listed(violations), stacklevel=3)

    def let_go(self) -> None:
        """Forget a step, and keep its products no longer."""
        self.entered.close()
        self.call, self.evaluations, self.records, self.early = None, 0, [], []
        self.vector, self.products = None, None

    # -- what they do ---------------------------------------------------------------------------------------------

    def violations(self, number: int, records: list[StepRecord], products: list[Product]) -> Iterator[Violation]:
        """Judge what a step left."""
        for record in records:
            if (after := self.sampling.after(record, self.unsupported)) is None:
                continue
            taken = 3 * record.optimizer.ns_steps if isinstance(record.optimizer, Muon) else 0
            in_words = functools.partial(record.violation, after=after)
            yield from self.compared(record.pieces(number, after, products[:taken]), in_words)
            products = products[taken:]

    def compared(
        self, pieces: Iterable[Expected], in_words: Callable[[Comparison, Disagreement], Violation]
    ) -> Iterator[Violation]:
        """Count what is compared, and say what disagrees."""
        report = self.report
        for comparison in compare(pieces):
            report.numbers += comparison.elements - comparison.unknown
            report.unbounded += comparison.unknown
            if comparison.elements > comparison.exact + comparison.unknown:
                kind = comparison.quantity.stage or "parameter"
                report.shares[kind] = max(comparison.used, report.shares.get(kind, 0.0))
            if comparison.disagreement is not None:
                yield in_words(comparison, comparison.disagreement)

    def note(self, new: Iterable[Note] = ()) -> None:
        """Take in what was written, and report all notes."""
        self.written = merged([*self.written.values(), *new])
        self.report.notes = [*self.written.values(), *self.coverage.notes()]
        if self.coverage.shares_nothing and not self.warned and self.on_violation != "collect":
            self.warned = True
            warnings.warn(
                f"no parameter of {self.report.optimizer} is one of model=: the model was replaced after the optimizer "
                "was made, or the optimizer keeps copies of its own",
                stacklevel=4,
            )

    @contextlib.contextmanager
    def judging(self, number: int) -> Iterator[None]:
        """The time is counted; an exception of the judge itself says that it is one."""
        begin = time.perf_counter()
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                yield
        except (InputError, Warning):  # warnings may be made errors
            raise
        except Exception as error:
            error.add_note(f"parity.watch could not judge step {number}: this is no exception of the optimizer")
            raise
        finally:
            self.report.seconds += time.perf_counter() - begin

    def unsupported(self, text: str) -> None:
        """Report what is not supported, each text once."""
        if text not in self.report.unsupported:
            self.report.unsupported.append(text)
            if self.on_violation == "raise":
                raise InputError(text)
            if self.on_violation == "warn":
                warnings.warn(text, stacklevel=4)


def moved_early(number: int, start: list[StepRecord], entry: list[StepRecord]) -> Iterator[Violation]:
    """What a step moves before it calls its closure, whose gradients are then those of other weights."""
    for record, now in zip(start, entry, strict=True):
        for comparison in compare(untouched("w", number, record.before, now.before, versions=False)):
            if comparison.disagreement is not None:
                yield record.violation(comparison, comparison.disagreement, now.before)


def is_running(call: FrameType | None) -> bool:
    """Whether a call is among those that led here."""
    frame = sys._getframe(1) if call is not None else None
    while frame is not None and frame is not call:
        frame = frame.f_back
    return frame is not None
