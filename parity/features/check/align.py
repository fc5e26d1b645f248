"""Which of the tensors that were met are the model's parameters, and what happened to them in each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from parity.errors import InputError
from parity.explain.observed import Observed
from parity.features.check.events import Backward, Event, History, Moments, ReportEvent, Step
from refimpl.types import Array

WATCH = "parity.watch(optimizer) judges the optimizer of any model while it trains"
Params = Mapping[str, Array]
Roles = Mapping[int, str]
"""The name of the parameter that a tensor is."""
Rows = Sequence[Sequence[Event]]
"""The events before each report, since the one before."""


OFTEN = 1 / 4
"""Share of the moments at which a tensor must have the reported values to be taken for the parameter."""


def roles_by_report(history: History, reports: Sequence[Params], start: Params) -> dict[int, str]:
    """The tensors of each parameter: those that were reported as such, else those with the reported values.

    A tensor that has them now and then only is another: the direction of weight normalisation begins as the weight.
    Code that makes a new tensor in every step has several.
    """
    named = {n: name for e in history.events if isinstance(e, ReportEvent) for name, n in e.tensors.items()}
    hits, met = _equal(history, reports, start)
    roles: dict[int, str] = {}
    for name, values in start.items():
        fit = [n for n, seen in enumerate(history.tensors) if seen.size == values.size and n in met and n not in roles]
        share = {n: hits.get((n, name), 0) / met[n] for n in fit}
        most = max(share.values(), default=0)
        told = [n for n in fit if named.get(n) == name]
        roles |= dict.fromkeys(told or [n for n in fit if n not in named and share[n] == most >= OFTEN], name)
    return roles


def _equal(
    history: History, reports: Sequence[Params], start: Params
) -> tuple[dict[tuple[int, str], int], dict[int, int]]:
    """How often a tensor had the values of a parameter at the report before, and how often it was met."""
    hits: dict[tuple[int, str], int] = {}
    met: dict[int, int] = {}
    for before, row in zip([start, *reports], history.rows(), strict=False):
        for event in row:
            for n, value in _values(event).items():
                met[n] = met.get(n, 0) + 1
                for name, reported in before.items():
                    if np.array_equal(value.ravel(), reported.ravel()):
                        hits[n, name] = hits.get((n, name), 0) + 1
    return hits, met


def _values(event: Event) -> Mapping[int, Array]:
    return {} if isinstance(event, ReportEvent) else event.values


def roles_by_start(history: History, start: Params) -> dict[int, str]:
    """The parameters among those that optimizers stepped, by their size; of several the one that starts as asked.

    Raises :class:`InputError` where one is not there.
    """
    first: dict[int, Array] = {}
    for event in history.events:
        for n, value in _values(event).items():
            first.setdefault(n, value)
    stepped = {n for event in history.events if isinstance(event, Step) for n in event.after}
    roles: dict[int, str] = {}
    for name, asked in start.items():
        fit = [n for n in first if history.tensors[n].size == asked.size and n not in roles]
        fit = [n for n in fit if n in stepped] or fit
        if fit:
            # torch's weight has two axes, its bias one
            axes = asked.ndim - 1
            close = {n: float(np.max(np.abs(first[n].ravel() - asked.ravel()))) for n in fit}
            order = sorted(fit, key=lambda n: (close[n] > 0, len(history.tensors[n].shape) != axes, close[n], n))
            roles[order[0]] = name
    if "weight" not in roles.values():
        shapes = ", ".join(map(str, history.shapes)) or "none"
        wanted = " and ".join(f"{name} {values.shape[1:]}" for name, values in start.items())
        trouble = f" (recording was given up: {history.trouble})" if history.trouble else ""
        remedy = "train a model of that shape, or call task.record(net, loss=loss) after every step"
        if len(history.shapes) > max(len(start), 2):
            remedy = f"parity check is for one linear layer; {WATCH}"
        raise InputError(
            f"nothing was reported, and optimizers stepped parameters of shape {shapes}; the experiment has {wanted}"
            f"{trouble}; {remedy}"
        )
    return roles


def going_on(history: History, roles: Roles) -> dict[int, str]:
    """The roles, and those of tensors in which a parameter goes on, as where a training is resumed in a new model.

    Such a tensor has the parameter's shape, is stepped only after the last step of the one before, and begins with the
    values that this one ended with.
    """
    first: dict[int, Array] = {}
    last: dict[int, Array] = {}
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    for place, event in enumerate(history.events):
        for n, value in _values(event).items():
            first.setdefault(n, value)
        if isinstance(event, Step):
            for n, value in event.after.items():
                begins.setdefault(n, place)
                ends[n], last[n] = place, value
    joined = dict(roles)
    for role, name in roles.items():
        now: int | None = role
        while now is not None and now in ends:
            joined[now] = name
            now = next(
                (
                    n
                    for n in sorted(begins, key=lambda n: begins[n])
                    if n not in joined
                    and begins[n] > ends[now]
                    and history.tensors[n].shape == history.tensors[now].shape
                    and np.array_equal(first[n], last[now])
                ),
                None,
            )
    return joined


def steps_of(history: History, roles: Roles) -> list[list[Event]]:
    """The events of each step, told by the optimizers.

    Steps of several optimizers belong together where each moves other parameters and no backward pass is between them.
    """
    groups: list[list[Event]] = []
    pending: list[Event] = []
    moved: set[int] = set()
    for event in history.events:
        if isinstance(event, ReportEvent):
            continue
        pending.append(event)
        touched = roles.keys() & event.after.keys() if isinstance(event, Step) else set()
        if not touched:
            continue
        if groups and not moved & touched and not any(isinstance(e, Backward) for e in pending):
            groups[-1] += pending
            moved |= touched
        else:
            groups.append(pending)
            moved = set(touched)
        pending = []
    return groups


def reports_of(history: History, groups: Rows, roles: Roles, start: Params) -> list[Params]:
    """The parameters before each step and after the last one.

    What is written after the last step is the last step's, where it was so between earlier ones; else it may be
    anything, such as the best weights of the run.
    """
    reports: list[dict[str, Array]] = [{} for _ in range(len(groups) + 1)]
    for name in dict.fromkeys(roles.values()):
        own = [n for n, its in roles.items() if its == name]
        at_work = [[n for n in own if _is_stepped(n, group)] or own for group in groups]
        begins = [
            next((_values(e)[n] for e in group for n in some if n in _values(e)), None)
            for some, group in zip(at_work, groups, strict=True)
        ]
        ends = [
            next((e.after[n] for e in group[::-1] if isinstance(e, Step) for n in own if n in e.after), None)
            for group in groups
        ]
        pairs = zip(ends[:-1], begins[1:], strict=True)
        written = any(a is not None and b is not None and not np.array_equal(a, b) for a, b in pairs)
        last = history.last.get(own[-1]) if written or ends[-1] is None else ends[-1]
        moments = [*begins, last]
        for k, value in enumerate(moments):
            if value is None and k and name in reports[k - 1]:
                reports[k][name] = reports[k - 1][name]
            elif value is not None:
                reports[k][name] = value.reshape(start[name].shape)
    return list(reports)


def _is_stepped(n: int, group: Sequence[Event]) -> bool:
    return any(isinstance(event, Step) and n in event.after for event in group)


def moments_of(history: History, start: Params, reports: Sequence[Params]) -> Moments:
    """The weights before the first step, and in each step the numbers of the groups, and the weights and the state that
    it left; the weights that were reported where no step is seen, and none where there are no reports, either."""
    try:
        roles = going_on(history, roles_by_start(history, start))
    except InputError:
        return _moments_reported(start, reports)
    groups = steps_of(history, roles)
    if not groups:
        return _moments_reported(start, reports)
    before = [e.before for e in groups[0] if isinstance(e, Step)]
    moments: list[Params] = [{name: e[n] for e in before[::-1] for n, name in roles.items() if n in e}]
    for group in groups:
        numbers: dict[str, Array] = {}
        left: dict[str, Array] = {}
        for step in (e for e in group if isinstance(e, Step)):
            for n, name in roles.items():
                numbers |= {f"{key} of {name}": np.array(value) for key, value in step.numbers.get(n, {}).items()}
                left |= {name: step.after[n]} if n in step.after else {}
                left |= {f"{key} of {name}": value for key, value in step.state.get(n, {}).items()}
        moments.append({**numbers, **left})
    return moments


def _moments_reported(start: Params, reports: Sequence[Params]) -> Moments:
    """The reports, without the axis of runs; the first is of the start, whether that was reported or not."""
    shapes = {name: values.shape[1:] for name, values in start.items()}
    moments = [{name: values.reshape(shapes[name]) for name, values in report.items()} for report in reports]
    before = {name: values[0] for name, values in start.items()}
    unreported = moments and any(not np.array_equal(moments[0][name], before[name]) for name in moments[0])
    return [before, *moments] if unreported else moments


def observed_in(history: History, rows: Rows, roles: Roles, start: Params) -> Observed:
    """The events before each report. ``start``: the parameters, with the axis of runs."""
    shapes = {name: values.shape for name, values in start.items()}
    steps = {name: [_with_gradient(_steps(row, name, roles)) for row in rows] for name in shapes}
    steps = {name: each for name, each in steps.items() if any(each)}
    passes = {name: [_passes(row, name, roles) for row in rows] for name in shapes}
    passes = {name: each for name, each in passes.items() if any(each)}

    def arrays(name: str, values: Iterable[Array | None]) -> Array:
        nothing = np.full(shapes[name], np.nan)
        return np.stack([nothing if value is None else value.reshape(shapes[name]) for value in values])

    def of_steps(part: str) -> dict[str, Array]:
        return {
            name: arrays(name, (getattr(row[-1][1], part).get(row[-1][0]) if row else None for row in each))
            for name, each in steps.items()
        }

    return Observed(
        raw={name: arrays(name, (row[-1] if row else None for row in each)) for name, each in passes.items()},
        seen=of_steps("seen"),
        points={name: arrays(name, (_point(row, name, roles) for row in rows)) for name in passes},
        calls={name: np.array([len(row) for row in each]) for name, each in steps.items()},
        numbers={name: _numbers(each) for name, each in steps.items()},
        optimizer={
            name: ", ".join(dict.fromkeys(s.optimizer for row in each for _, s in row)) for name, each in steps.items()
        },
        before=of_steps("before"),
        after=of_steps("after"),
        averaged={name: arrays(name, (_averaged(row, name, roles, history) for row in rows)) for name in steps},
        others=_others(history, roles),
        trouble=history.trouble,
    )


def _others(history: History, roles: Roles) -> int:
    """The steps that other tensors of the weight's shape made after its last one."""
    shapes = {history.tensors[n].shape for n, name in roles.items() if name == "weight"}
    others = 0
    for event in history.events:
        if isinstance(event, Step) and any(roles.get(n) == "weight" for n in event.after):
            others = 0
        elif isinstance(event, Step):
            others += any(history.tensors[n].shape in shapes for n in event.after)
    return others


Stepped = Sequence[Sequence[tuple[int, Step]]]
"""The optimizer steps of one parameter in each row, with the tensor that it was."""


def _steps(row: Sequence[Event], name: str, roles: Roles) -> list[tuple[int, Step]]:
    return [(n, e) for e in row if isinstance(e, Step) for n in e.after if roles.get(n) == name]


def _with_gradient(steps: list[tuple[int, Step]]) -> list[tuple[int, Step]]:
    """Without those that found no gradient beside others that did: they moved nothing."""
    return [(n, step) for n, step in steps if n in step.seen] or steps


def _passes(row: Sequence[Event], name: str, roles: Roles) -> list[Array]:
    return [g for e in row if isinstance(e, Backward) for n, g in e.gradients.items() if roles.get(n) == name]


def _point(row: Sequence[Event], name: str, roles: Roles) -> Array | None:
    """The value of a parameter at the last backward pass that a step came after, or at the last one of all."""
    done = max((i for i, e in enumerate(row) if isinstance(e, Step)), default=len(row))
    made = [e.values[n] for e in row[:done] if isinstance(e, Backward) for n in e.gradients if roles.get(n) == name]
    return made[-1] if made else None


def _averaged(row: Sequence[Event], name: str, roles: Roles, history: History) -> Array | None:
    """The mean over all tensors of the shape of a parameter that were stepped; None where it is the only one."""
    shapes = {history.tensors[n].shape for n, its in roles.items() if its == name}
    after = {n: v for e in row if isinstance(e, Step) for n, v in e.after.items() if history.tensors[n].shape in shapes}
    return np.mean([*after.values()], axis=0) if len(after) > 1 else None


def _numbers(rows: Stepped) -> dict[str, Array]:
    moments = [row[-1][1].numbers.get(row[-1][0], {}) if row else {} for row in rows]
    keys = dict.fromkeys(key for moment in moments for key in moment)
    return {key: np.array([moment.get(key, np.nan) for moment in moments]) for key in keys}
