"""Records every backward pass and every optimizer step of the code that runs inside, and changes nothing that it
computes: everything is copied at once, out of the graph, and no random number is drawn.

A class that is derived from one of torch's, or wraps one, may call the step of that one, which has hooks of its own:
the inner steps are those that are counted, under the name of the outer class. A step that raises has no second hook;
it is told from those that still run by the call that a hook is made from.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from parity.features.check.events import Backward, Event, History, ReportEvent, Seen, Step
from parity.features.check.task import exact
from parity.record.local import dtensor
from refimpl.types import Array


@contextmanager
def recording(features: int, *, states: bool = False) -> Iterator[EventLog]:
    """Hooks on all that happens inside, for parameters of as many numbers as the model has ``features``, or of one.

    ``states``: the state of the optimizers is recorded, too.
    """
    log = EventLog(features, states)
    with ExitStack() as hooks:
        hooks.callback(register_optimizer_step_pre_hook(log.before_step).remove)
        hooks.callback(register_optimizer_step_post_hook(log.after_step).remove)
        for name, wrapped in (("backward", log.around_backward), ("grad", log.around_grad)):
            original = getattr(torch.autograd, name)
            hooks.callback(setattr, torch.autograd, name, original)
            setattr(torch.autograd, name, wrapped(original))
        yield log


@dataclass
class Running:
    """A step that has begun: the call that it is, what was found, the tensors of each number, and steps inside it."""

    call: FrameType
    step: Step
    tensors: Mapping[int, Tensor]
    inner: list[Step] = field(default_factory=list)
    late: Any = None


class EventLog:
    """The events so far. ``trouble``: why recording was given up, if it was; the user's code goes on in any case."""

    def __init__(self, features: int, states: bool = False) -> None:
        self.sizes, self.states = {features, 1}, states
        self.events: list[Event] = []
        self.trouble = ""
        self._tensors: list[Tensor] = []
        self._number: dict[int, int] = {}
        self._held: set[int] = set()
        self._shapes: dict[tuple[int, ...], None] = {}
        self._running: list[Running] = []
        self._passes: list[list[Tensor]] = []
        self._last: dict[int, Array] = {}

    def history(self) -> History:
        """The recorded events, without torch's objects."""
        seen = [Seen(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in self._tensors]
        last = {n: self._value(n, gathered=False) for n in range(len(seen))}
        return History(self.events, seen, last, tuple(self._shapes), self.trouble)

    def mark(self, reported: Mapping[str, Tensor]) -> None:
        """Record that a report was made."""
        known: dict[str, int | None] = {}
        with self._safely():
            known = {name: self._alias(tensor) for name, tensor in reported.items() if _has_memory(tensor)}
        self.events.append(ReportEvent({name: number for name, number in known.items() if number is not None}))

    # -- backward passes ------------------------------------------------------------------------------------------

    def around_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """``torch.autograd.backward``, which ``Tensor.backward`` calls."""

        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return original(*args, **kwargs)
            leaves: list[Tensor] = []
            with self._safely():
                leaves = list(filter(self._may_be, _leaves(args[0] if args else kwargs["tensors"])))
            self._passes.append(leaves)
            try:
                returned = original(*args, **kwargs)
            finally:
                self._passes.pop()
            with self._safely():
                if self._passes:  # of a checkpoint within another pass
                    self._passes[-1].extend(leaves)
                else:
                    self._passed(leaves, [leaf.grad for leaf in leaves])
            return returned

        return backward

    def around_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """``torch.autograd.grad``."""

        @functools.wraps(original)
        def grad(*args: Any, **kwargs: Any) -> Any:
            returned = original(*args, **kwargs)
            if not torch.compiler.is_compiling():
                with self._safely():
                    inputs = args[1] if len(args) > 1 else kwargs["inputs"]
                    pairs = zip(_sequence(inputs), returned, strict=True)
                    watched = [(leaf, gradient) for leaf, gradient in pairs if self._may_be(leaf)]
                    self._passed([leaf for leaf, _ in watched], [gradient for _, gradient in watched])
            return returned

        return grad

    def _passed(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
        """A pass is over; values are those it was made at."""
        numbers = [self._numbered(leaf) for leaf in leaves]
        copies = {n: _copy(each) for n, each in zip(numbers, gradients, strict=True) if each is not None}
        if copies:
            self.events.append(Backward(copies, {n: self._value(n) for n in {*numbers, *self._held}}))

    # -- optimizer steps ------------------------------------------------------------------------------------------

    def before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        """Copy what a step finds; where it has a closure, the gradient is that of its last evaluation."""
        with self._safely():
            self._forget_raised()
            self._shapes.update(dict.fromkeys(tuple(t.shape) for g in optimizer.param_groups for t in g["params"]))
            tensors = {self._numbered(t): t for g in optimizer.param_groups for t in filter(self._may_be, g["params"])}
            self._held.update(tensors)
            step = Step(type(optimizer).__name__, {n: self._value(n) for n in tensors})
            running = Running(sys._getframe(1), step, tensors)
            self._running.append(running)
            self._look(running, optimizer)
            if getattr(optimizer, "_optimizer_step_pre_hooks", None):  # of the user, which come after this one
                running.late = optimizer.register_step_pre_hook(lambda *_: self._look(running, optimizer))
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            if callable(closure):
                watched = self._watched(closure, running, optimizer)
                if len(args) > 1:
                    return (args[0], watched, *args[2:]), kwargs
                return args, {**kwargs, "closure": watched}
        return None

    def after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Copy what a step left."""
        del args, kwargs
        with self._safely():
            call = sys._getframe(1)
            while self._running and self._running[-1].call is not call:
                self._close(self._running.pop())
            if not self._running:
                return
            running = self._running.pop()
            self._close(running)
            step = running.step
            step.after = {n: self._value(n) for n in running.tensors}
            if self.states:
                step.state = {n: _state(optimizer, t) for n, t in running.tensors.items()}
            for inner in running.inner:
                inner.optimizer = step.optimizer
            for n in running.tensors:
                if own := [inner for inner in running.inner if n in inner.after]:
                    own[0].before[n], own[-1].after[n] = step.before.pop(n), step.after.pop(n)
            done = [*running.inner, *([step] if step.after else [])]
            if self._running:
                self._running[-1].inner += done
            else:
                self.events += done

    def _watched(self, closure: Callable[..., Any], running: Running, optimizer: Any) -> Callable[..., Any]:
        @functools.wraps(closure)
        def watched(*args: Any, **kwargs: Any) -> Any:
            returned = closure(*args, **kwargs)
            self._look(running, optimizer)
            return returned

        return watched

    def _look(self, running: Running, optimizer: Any) -> None:
        """The gradients now, unscaled where the step does that itself, and the numbers of the groups."""
        with self._safely():
            scale = getattr(optimizer, "grad_scale", None)
            running.step.seen = {
                n: _copy(t.grad) / (1.0 if scale is None else float(scale))
                for n, t in running.tensors.items()
                if t.grad is not None
            }
            running.step.numbers = {
                self._numbered(t): _numbers(g)
                for g in optimizer.param_groups
                for t in filter(self._may_be, g["params"])
            }

    def _forget_raised(self) -> None:
        """Steps that are no longer among the calls that led here."""
        calls, frame = set(), sys._getframe(1) if self._running else None
        while frame is not None:
            calls.add(frame)
            frame = frame.f_back
        for running in self._running:
            if running.call not in calls:
                self._close(running)
        self._running = [running for running in self._running if running.call in calls]

    def _close(self, running: Running) -> None:
        if running.late is not None:
            running.late.remove()

    # -- tensors --------------------------------------------------------------------------------------------------

    def _may_be(self, tensor: Any) -> bool:
        """Whether it may be one of the model's parameters, by its size."""
        fits = isinstance(tensor, Tensor) and tensor.numel() in self.sizes and tensor.is_floating_point()
        return fits and _has_memory(tensor)

    def _numbered(self, tensor: Tensor) -> int:
        """The number of a tensor. It is kept, so that no other one gets its identity."""
        if id(tensor) not in self._number:
            self._number[id(tensor)] = len(self._tensors)
            self._tensors.append(tensor)
        return self._number[id(tensor)]

    def _alias(self, tensor: Tensor) -> int | None:
        """The number of the known tensor that this one is, or shares its memory with."""
        if id(tensor) in self._number:
            return self._number[id(tensor)]
        same = (n for n, t in enumerate(self._tensors) if t.data_ptr() == tensor.data_ptr())
        return next((n for n in same if self._tensors[n].numel() == tensor.numel()), None)

    def _value(self, number: int, *, gathered: bool = True) -> Array:
        """A copy of the value; the one before, where nothing changed, or where it cannot be read: its memory was freed,
        or it is divided over ranks and is not to be ``gathered``."""
        tensor, last = self._tensors[number], self._last.get(number)
        if _is_freed(tensor) or (not gathered and isinstance(tensor, dtensor())):
            return np.full(tensor.shape, np.nan) if last is None else last
        value = _copy(tensor)
        if last is None or not np.array_equal(value, last, equal_nan=True):
            self._last[number] = last = value
        return last

    @contextmanager
    def _safely(self) -> Iterator[None]:
        """Let an exception in here end the recording, and nothing else."""
        try:
            yield
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"


def _has_memory(tensor: Tensor) -> bool:
    """Not one of those that stand for others while ``torch.func`` transforms a function."""
    if isinstance(tensor, dtensor()):
        return True
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True


def _is_freed(tensor: Tensor) -> bool:
    """Whether its memory is gone, as that of weights which FSDP gathers for a pass: to read it ends the process."""
    if isinstance(tensor, dtensor()) or tensor.layout != torch.strided:
        return False
    return tensor.numel() > 0 and tensor.untyped_storage().nbytes() == 0


def _leaves(roots: Any) -> Iterator[Tensor]:
    """All leaves that a backward pass from here reaches."""
    seen: set[Any] = set()
    pending: list[Any] = []
    for root in _sequence(roots):
        if root.grad_fn is not None:
            pending.append(root.grad_fn)
        elif root.requires_grad:
            yield root
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            if type(node).__name__ == "AccumulateGrad":
                yield node.variable
            pending += [following for following, _ in node.next_functions if following is not None]


def _sequence(what: Any) -> Sequence[Any]:
    return (what,) if isinstance(what, Tensor) else tuple(what)


def _copy(tensor: Tensor) -> Array:
    """A copy of a tensor in float64, which holds each number exactly."""
    dense = tensor.detach() if tensor.layout == torch.strided else tensor.detach().to_dense()
    return exact(dense)


def _state(optimizer: Any, parameter: Tensor) -> dict[str, Array]:
    """The tensors that an optimizer keeps for a parameter."""
    kept = optimizer.state.get(parameter, {})
    return {str(key): _copy(value) for key, value in kept.items() if isinstance(value, Tensor)}


def _numbers(group: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of a parameter group; those of a pair one by one."""
    numbers: dict[str, float] = {}
    for key, value in group.items():
        if key != "params":
            several = isinstance(value, tuple | list)
            for index, each in enumerate(value if several else [value]):
                if isinstance(each, int | float) or (isinstance(each, Tensor) and each.numel() == 1):
                    numbers[f"{key}[{index}]" if several else key] = float(each)
    return numbers
