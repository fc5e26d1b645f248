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
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

import numpy as np
import torch

from parity.errors import InputError
from parity.features.watch.elements import chosen
from parity.features.watch.record import WHOLE, StepRecord, on_device, profile_for, unscaled_gradient
from parity.features.watch.references import Reference
from parity.features.watch.report import Violated, Violation, WatchReport, listed
from parity.judge.stages import Product
from parity.record.products import Products
from parity.record.snapshot import Snapshot, untouched
from parity.step.expected import compare
from refimpl.optimizers import Muon
from refimpl.types import Optimizer

Policy = Literal["raise", "warn", "collect"]
"""The reaction to a violation."""
SEVERAL = "a step that evaluates its closure more than once is not judged: its gradients belong to several points"


class Watch:
    """The two hooks, and what they have seen: ``report``."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        reference: Reference,
        *,
        every: int,
        on_violation: Policy,
        names: Callable[[int, int], str],
        elements: int,
        seed: int,
    ) -> None:
        self.optimizer, self.reference, self.names = optimizer, reference, names
        self.every, self.on_violation, self.elements, self.seed = every, on_violation, elements, seed
        self.report = WatchReport(optimizer=type(optimizer).__name__)
        self.call: FrameType | None = None
        self.evaluations = 0
        self.records: list[StepRecord] = []
        self.early: list[Violation] = []
        self.entered = contextlib.ExitStack()
        self.products: Products | None = None

    # -- hooks ----------------------------------------------------------------------------------------------------

    def before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Before a step: copy what it finds, if it is a sampled one; return its arguments with a watched closure."""
        del optimizer
        if is_running(self.call):
            return None  # the step of a class that this one is derived from, which has hooks of its own
        self.let_go()  # of a step that raised
        self.call = sys._getframe(1)
        number, self.report.steps = self.report.steps, self.report.steps + 1
        if number % self.every:
            return None
        with self.judging(number):
            references = self.references()
            self.records = list(self.recorded(number, references))
        if any(isinstance(reference, Muon) for reference in references):
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
            if self.evaluations > 1:
                self.records = []
                self.unsupported(SEVERAL)
                return closure(*args, **kwargs)
            before = self.references()
            with self.judging(number):
                self.early = list(self.moved_early(number))
            call = functools.partial(closure, *args, **kwargs)
            returned = call() if self.products is None else self.products.unseen(call)()
            with self.judging(number):
                triples = zip(references, before, self.references(), strict=True)
                # a class that changes its numbers on the way to the closure is held to those that it was called with
                in_effect = [at_call if at_entry == now else now for at_call, at_entry, now in triples]
                self.records = list(self.recorded(number, in_effect))
            return returned

        return watched

    def after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """After a step: judge it, if what it found was copied."""
        del optimizer, args, kwargs
        if sys._getframe(1) is not self.call:
            return
        records, early, number = self.records, self.early, self.report.steps - 1
        products = [] if self.products is None else self.products.made
        self.let_go()
        if not records:
            return
        with self.judging(number):
            violations = [*early, *self.violations(number, records, products)]
        self.report.judged += 1
        self.report.violations += violations
        if violations and self.on_violation == "raise":
            raise Violated(listed(violations), self.report)
        if violations and self.on_violation == "warn":
            warnings.warn(listed(violations), stacklevel=3)

    def let_go(self) -> None:
        """Forget a step, and keep its products no longer."""
        self.entered.close()
        self.call, self.evaluations, self.records, self.early, self.products = None, 0, [], [], None

    # -- what they do ---------------------------------------------------------------------------------------------

    def references(self) -> list[Optimizer]:
        """The reference of each parameter group, with the hyper-parameters in effect now."""
        return [self.reference(group) for group in self.optimizer.param_groups]

    def recorded(self, number: int, references: list[Optimizer]) -> Iterator[StepRecord]:
        """What a step finds, of every parameter."""
        scale, overflow = (getattr(self.optimizer, name, None) for name in ("grad_scale", "found_inf"))
        skipped = overflow is not None and bool(overflow)
        for place, (group, reference) in enumerate(zip(self.optimizer.param_groups, references, strict=True)):
            for position, parameter in enumerate(group["params"]):
                name = self.names(place, position)
                if parameter.grad is not None and parameter.grad.layout != torch.strided:
                    self.unsupported(f"{name}: has a sparse gradient, which parity.watch does not judge")
                    continue
                rng = np.random.default_rng((self.seed, number, place, position))
                count = sys.maxsize if isinstance(reference, WHOLE) else self.elements
                elements = on_device(chosen(parameter.numel(), count, rng), parameter)
                yield StepRecord(
                    name=name,
                    group=place,
                    parameter=parameter,
                    elements=elements,
                    optimizer=None if parameter.grad is None or skipped else reference,
                    profile=profile_for(reference, group, parameter),
                    before=Snapshot.of(parameter, self.optimizer.state.get(parameter, {}), elements),
                    unscaled=unscaled_gradient(parameter, scale, elements),
                )

    def moved_early(self, number: int) -> Iterator[Violation]:
        """What a step moves before it calls its closure, whose gradients are then those of other weights."""
        for record in self.records:
            now = record.after(self.optimizer.state.get(record.parameter, {}))
            for comparison in compare(untouched("w", number, record.before, now, versions=False)):
                if comparison.disagreement is not None:
                    yield record.violation(comparison, comparison.disagreement, now)

    def violations(self, number: int, records: list[StepRecord], products: list[Product]) -> Iterator[Violation]:
        """Judge what a step left."""
        report = self.report
        for record in records:
            after = record.after(self.optimizer.state.get(record.parameter, {}))
            taken = 3 * record.optimizer.ns_steps if isinstance(record.optimizer, Muon) else 0
            comparisons = compare(record.pieces(number, after, products[:taken]))
            products = products[taken:]
            for comparison in comparisons:
                report.numbers += comparison.elements - comparison.unknown
                report.unbounded += comparison.unknown
                if comparison.elements > comparison.exact + comparison.unknown:
                    kind = comparison.quantity.stage or "parameter"
                    report.shares[kind] = max(comparison.used, report.shares.get(kind, 0.0))
                if comparison.disagreement is not None:
                    yield record.violation(comparison, comparison.disagreement, after)

    @contextlib.contextmanager
    def judging(self, number: int) -> Iterator[None]:
        """The time is counted; an exception of the judge itself says that it is one."""
        begin = time.perf_counter()
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                yield
        except InputError:
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


def is_running(call: FrameType | None) -> bool:
    """Whether a call is among those that led here."""
    frame = sys._getframe(1) if call is not None else None
    while frame is not None and frame is not call:
        frame = frame.f_back
    return frame is not None
