"""A faulty update is named by what it does, in two precisions, and a right one is not accused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from parity.explain.motion import Motion
from parity.explain.update import UpdateExplanation, explain_update
from parity.explain.update.counts import Place
from parity.explain.update.line import line_edits
from parity.explain.update.named import named_edits
from parity.explain.update.program import Program
from parity.explain.update.trial import UpdateRecord
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import OPTIMIZERS, SGD, Adagrad, Adamax, AdamW, Lion
from refimpl.types import Array

STEPS = 12
SHAPES = {"weight": (3, 7), "vector": (9,)}
FACTOR = np.repeat([1.0, 0.5, 2.0, 0.25], STEPS // 4)
EPOCHS = np.repeat(np.arange(4), STEPS // 4)
B1, B2, EPS, LAM = 0.9, 0.99, 1e-3, 0.1
State = dict[str, Any]
Step = Callable[[Array, Array, State, float], Array]
"""Weights after a step, of weights, gradient, what is kept (``t`` counts from 1) and the learning rate."""


def recorded(step: Step, dtype: str, factor: Array = FACTOR) -> list[Motion]:
    """What a step makes of drawn gradients."""
    rng = np.random.default_rng(5)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype], form=2.0)
    found = []
    for index, (name, shape) in enumerate(SHAPES.items()):
        gradients = (rng.standard_normal((STEPS, *shape)) * 10 ** rng.uniform(-2, 1, (STEPS, *shape))).astype(dtype)
        weights = [rng.standard_normal(shape).astype(dtype)]
        state: State = {"index": index, "start": weights[0]}
        for k in range(STEPS):
            state |= {"t": k + 1, "epoch": int(EPOCHS[k]) + 1}
            with np.errstate(all="ignore"):
                weights.append(step(weights[-1], gradients[k], state, 0.01 * factor[k]).astype(dtype))
        found.append(
            Motion(
                parameter=name,
                weights=np.stack(weights).astype(float),
                gradient=Bounded.tensor(gradients.astype(float), profile),
                format=FORMATS[dtype],
                profile=profile,
                factor=factor,
            )
        )
    return found


def explained(step: Step, asked: Any, dtype: str = "float64") -> UpdateExplanation | None:
    return explain_update(dict.fromkeys(SHAPES, asked), recorded(step, dtype), epochs=EPOCHS)


def averaged(state: State, key: str, new: Any, beta: float) -> Any:
    state[key] = beta * state.get(key, 0) + (1 - beta) * new
    return state[key]


def adam(
    *,
    count: Callable[[State], tuple[int, int]] = lambda s: (s["t"], s["t"]),
    m: Callable[[State, Array], Any] = lambda s, g: averaged(s, "m", g, B1),
    v: Callable[[State, Array, Any], Any] = lambda s, g, m: averaged(s, "v", g * g, B2),
    divisor: Callable[[Any, float], Any] = lambda v, c2: np.sqrt(v / c2) + EPS,
    direction: Callable[[Any, Array, Array], Any] = lambda u, g, w: u,
    before: Callable[[Array, float, State], Array] = lambda w, lr, s: w * (1 - lr * LAM),
    after: Callable[[Array, float, State], Array] = lambda w, lr, s: w,
) -> Step:
    """AdamW with one line replaced."""

    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        t1, t2 = count(s)
        numerator = m(s, g)
        square = v(s, g, numerator)
        c1, c2 = 1 - B1**t1 if t1 else 1, 1 - B2**t2 if t2 else 1
        u = direction(numerator / c1 / divisor(square, c2), g, w)
        return after(before(w, lr, s) - lr * u, lr, s)

    return step


def l2(w: Array, g: Array) -> Array:
    return g + LAM * w


def _coupled(w: Array, g: Array, s: State, lr: float) -> Array:
    return adam(before=lambda w, lr, s: w)(w, l2(w, g), s, lr)


def _first_square(s: State, g: Array, m: Any) -> Any:
    s["v"] = B2 * s.get("v", g * g) + (1 - B2) * g * g
    return s["v"]


def _kept(key: str, new: Callable[[Any, Array], Any]) -> Callable[..., Any]:
    def of(s: State, g: Array, *_: Any) -> Any:
        s[key] = new(s.get(key, 0 * g), g)
        return s[key]

    return of


def _lagging(s: State, g: Array, m: Any) -> Any:
    old = s.get("v")
    new = averaged(s, "v", g * g, B2)
    return new if old is None else old


def _amsgrad(s: State, g: Array, m: Any) -> Any:
    s["top"] = np.maximum(s.get("top", 0), averaged(s, "v", g * g, B2))
    return s["top"]


def _mask(u: Array, g: Array, _: Array) -> Array:
    kept = (u * g > 0).astype(u.dtype)
    return u * kept / max(kept.mean(), 1e-3)


def _crossed(w: Array, g: Array, s: State, lr: float) -> Array:
    """Both averages are corrected with β₁."""
    return adam(divisor=lambda v, c2: np.sqrt(v / (1 - B1 ** s["t"])) + EPS)(w, g, s, lr)


def _stale(w: Array, g: Array, s: State, lr: float) -> Array:
    """The step is made with the gradient before."""
    old, s["last"] = s.get("last", 0 * g), g
    return adam()(w, old, s, lr)


def _look_ahead(period: int, pull: float, inner: Step) -> Step:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        moved = inner(w, g, s, lr)
        if s["t"] % period == 0:
            s["slow"] = s.get("slow", s["start"]) + pull * (moved - s.get("slow", s["start"]))
            moved = s["slow"]
        return moved

    return step


ADAM: Mapping[str, Step] = {
    "bias-correction-missing-both": adam(count=lambda s: (0, 0)),
    "correction-frozen": adam(count=lambda s: (1, 1)),
    "correction-doubled": adam(count=lambda s: (2 * s["t"], 2 * s["t"])),
    "correction-epochs": adam(count=lambda s: (s["epoch"], s["epoch"])),
    "correction-shared": adam(count=lambda s: (2 * s["t"] - 1 + s["index"],) * 2),
    "bias-correction-missing-second": adam(count=lambda s: (s["t"], 0)),
    "correction-counter": adam(count=lambda s: (s["t"] + s["t"] // 3,) * 2),
    "eps-inside-root": adam(divisor=lambda v, c2: np.sqrt(v / c2 + EPS)),
    "eps-before-correction": adam(divisor=lambda v, c2: (np.sqrt(v) + EPS) / np.sqrt(c2)),
    "eps-missing": adam(divisor=lambda v, c2: np.sqrt(v / c2)),
    "divisor-no-root": adam(divisor=lambda v, c2: v / c2 + EPS),
    "divisor-correction-without-root": adam(divisor=lambda v, c2: np.sqrt(v) / c2 + EPS),
    "square-first-square": adam(v=_first_square),
    "second-moment-undecayed": adam(v=_kept("v", lambda v, g: B2 * v + g * g)),
    "square-sum": adam(v=_kept("v", lambda v, g: v + g * g)),
    "square-lagging-but-first": adam(v=_lagging),
    "square-mean": adam(v=lambda s, g, m: averaged(s, "v", np.mean(g * g), B2)),
    "square-absolute": adam(v=lambda s, g, m: averaged(s, "v", np.abs(g), B2)),
    "square-belief-without-ε": adam(v=lambda s, g, m: averaged(s, "v", (g - m) ** 2, B2)),
    "square-of-momentum": adam(v=lambda s, g, m: averaged(s, "v", m * m, B2)),
    "amsgrad-extra": adam(v=_amsgrad),
    "average-sum": adam(m=_kept("m", lambda m, g: B1 * m + g)),
    "momentum-missing": adam(m=lambda s, g: g),
    "average-of-unit": adam(m=lambda s, g: averaged(s, "m", g / np.linalg.norm(g), B1)),
    "average-nesterov-average": adam(m=lambda s, g: B1 * averaged(s, "m", g, B1) + (1 - B1) * g),
    "direction-cautious-rescaled": adam(direction=_mask),
    "direction-trust": adam(direction=lambda u, g, w: np.linalg.norm(w) / np.linalg.norm(u) * u),
    "gradient-centred": lambda w, g, s, lr: adam()(w, g - g.mean(), s, lr),
    "penalty-missing": adam(before=lambda w, lr, s: w),
    "decay-coupled": _coupled,
    "decay-after": adam(before=lambda w, lr, s: w, after=lambda w, lr, s: w * (1 - lr * LAM)),
    "decay-without-rate": adam(before=lambda w, lr, s: w * (1 - LAM)),
    "decay-unscheduled": adam(before=lambda w, lr, s: w * (1 - 0.01 * LAM)),
    "decay-sign": adam(before=lambda w, lr, s: w - lr * LAM * np.sign(w)),
    "decay-initial": adam(before=lambda w, lr, s: w - lr * LAM * (w - s["start"])),
    "look-ahead": _look_ahead(4, 0.5, adam()),
    "clip-norm-of-each": lambda w, g, s, lr: adam()(w, g * min(1, 3 / float(np.linalg.norm(g))), s, lr),
    "clip-value": lambda w, g, s, lr: adam()(w, g.clip(-2, 2), s, lr),
    "gradient-stale": _stale,
    "number-lr": lambda w, g, s, lr: adam()(w, g, s, 3 * lr),
    "number-weight_decay": adam(before=lambda w, lr, s: w * (1 - lr * LAM / 2)),
    "correction-crossed-v": _crossed,
    "sequence": adam(before=lambda w, lr, s: w * (1 - lr * LAM) if s["t"] % 2 else w),
}
"""Faults of AdamW by the name that they must get."""


def _momentum(
    new: Callable[[Any, Array, State, float], Any], out: Callable[..., Any] = lambda b, g, lr: lr * b
) -> Step:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        old = s.get("b", 0 * g)
        s["b"] = new(old, g, s, lr)
        return w - out(s["b"], g, lr)

    return step


def _bengio(w: Array, g: Array, s: State, lr: float) -> Array:
    old = s.get("v", 0 * g)
    s["v"] = B1 * old - lr * g
    return w + B1 * old - (1 + B1) * lr * g


SGDS: Mapping[str, Step] = {
    "momentum-averaged": _momentum(lambda b, g, s, lr: B1 * b + (1 - B1) * g),
    "lr-times-momentum": _momentum(lambda b, g, s, lr: B1 * b + lr * g, lambda b, g, lr: b),
    "average-aliased": _momentum(lambda b, g, s, lr: g if s["t"] == 1 else 2 * B1 * g),
    "nesterov-extra": _momentum(lambda b, g, s, lr: B1 * b + g, lambda b, g, lr: lr * (g + B1 * b)),
    "momentum-missing": _momentum(lambda b, g, s, lr: g),
    "look-ahead": _look_ahead(5, 0.8, _momentum(lambda b, g, s, lr: B1 * b + g)),
    "number-dampening": _momentum(lambda b, g, s, lr: g if s["t"] == 1 else B1 * b + 0.7 * g),
    "number-momentum": _momentum(lambda b, g, s, lr: 0.8 * b + g),
    "sequence": _momentum(lambda b, g, s, lr: B1 * b + g, lambda b, g, lr: 0.01 * b),
}
"""Faults of SGD with momentum."""
ASKED_ADAM = AdamW(lr=0.01, betas=(B1, B2), eps=EPS, weight_decay=LAM)
ASKED_SGD = SGD(lr=0.01, momentum=B1)


ASKED = [*((f"adamw-{name}", name, step, ASKED_ADAM) for name, step in ADAM.items())]
ASKED += [*((f"sgd-{name}", name, step, ASKED_SGD) for name, step in SGDS.items())]


@pytest.mark.parametrize(
    ("name", "step", "asked", "dtype"),
    [
        pytest.param(name, step, asked, dtype, id=f"{id}-{dtype}", marks=pytest.mark.slow if (i + j) % 2 else ())
        for i, (id, name, step, asked) in enumerate(ASKED)
        for j, dtype in enumerate(("float32", "float64"))
    ],
)
def test_a_fault_of_an_update_is_named_first(name: str, step: Step, asked: Any, dtype: str) -> None:
    found = explained(step, asked, dtype)
    assert found is not None and found.best is not None, found
    assert found.best.id == name, [one.id for one in found.explanations]
    assert found.best.share <= 1 and not found.structure


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("step", "asked"), [(adam(), ASKED_ADAM), (_momentum(lambda b, g, s, lr: B1 * b + g), ASKED_SGD)]
)
def test_a_right_update_is_not_accused(step: Step, asked: Any, dtype: str) -> None:
    assert explained(step, asked, dtype) is None


@pytest.mark.slow
def test_two_faults_at_once_are_both_named() -> None:
    found = explained(adam(count=lambda s: (0, 0), before=lambda w, lr, s: w - lr * LAM * np.sign(w)), ASKED_ADAM)
    assert found is not None and found.best is not None
    assert set(found.best.id.split("+")) == {"bias-correction-missing-both", "decay-sign"}


def test_a_fault_of_one_parameter_is_said_to_be_of_that() -> None:
    found = explained(adam(before=lambda w, lr, s: w if w.ndim == 1 else w * (1 - lr * LAM)), ASKED_ADAM)
    assert found is not None and found.best is not None
    assert found.best.id == "penalty-missing" and found.best.changed == ("vector",)
    assert "of vector only" in found.best.text


def test_a_late_parameter_that_counts_with_the_others_is_told() -> None:
    step = adam(count=lambda s: (s["t"] + 3 * s["index"],) * 2)
    late = {"vector": 3}
    found = explain_update(dict.fromkeys(SHAPES, ASKED_ADAM), recorded(step, "float64"), late=late)
    assert found is not None and found.best is not None and found.best.id == "correction-late"


def test_one_counter_of_all_parameters_counts_those_that_come_late_from_then_on() -> None:
    """With two more parameters from step 3 on, the counter goes up by one in each of three steps, and then by three."""
    place = [(0, 0), (1, 3), (2, 3)]
    counts = [
        Place(index=i, parameters=3, epochs=np.zeros(6 - late, int), late=late, lates=(0, 3, 3)).turns.tolist()
        for i, late in place
    ]
    assert counts == [[1, 2, 3, 4, 7, 10], [5, 8, 11], [6, 9, 12]]


@pytest.mark.parametrize("asked", [pytest.param(ASKED_ADAM, marks=pytest.mark.slow), ASKED_SGD], ids=["adamw", "sgd"])
def test_what_no_rule_explains_is_described_and_not_named(asked: Any) -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        s["b"] = 0.7 * s.get("b", 0) + np.tanh(g) * (1 + 0.1 * np.sin(s["t"]))
        return w - lr * s["b"] * np.abs(w) ** 0.3

    found = explained(step, asked)
    assert found is not None and found.best is None
    assert found.structure[0].startswith("weight and vector: not as asked in every element")


NO_PROGRAM = {"muon", "sparse_adam"}
"""References whose step is no sequence of lines of its own: one takes matrices only, one calls another class."""
PROGRAMS = sorted({*OPTIMIZERS} - NO_PROGRAM - {"lbfgs"})


def test_references_without_a_program_are_few_and_known() -> None:
    assert all(Program.of(OPTIMIZERS[name](lr=0.01)) is None for name in NO_PROGRAM)


def test_the_program_of_a_reference_makes_its_steps() -> None:
    motion = recorded(adam(), "float64")[0]
    for name in PROGRAMS:
        asked: Any = OPTIMIZERS[name](**({} if name in ("adadelta", "rprop") else {"lr": 0.01}))
        program = Program.of(asked)
        assert program is not None, name
        both = [UpdateRecord(motion, asked).predicted(each) for each in (asked, program.optimizer)]
        np.testing.assert_allclose(both[0], both[1], rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_edit_of_a_reference_has_words(name: str) -> None:
    kind = OPTIMIZERS[name]
    names = {field.name for field in fields(kind)}
    asked: Any = kind(**{key: value for key, value in {"lr": 0.01, "weight_decay": 0.1}.items() if key in names})
    program = Program.of(asked)
    assert program is not None
    for edit in (*named_edits(program, True), *line_edits(program)):
        text, right = edit.told(program)
        assert text and right, edit


def _written_back(w: Array, g: Array, s: State, lr: float) -> Array:
    """Adagrad whose root is taken in place."""
    s["sum"] = np.sqrt(s.get("sum", 0) + g * g)
    return w - lr * g / (s["sum"] + EPS)


def _lion_in_place(w: Array, g: Array, s: State, lr: float) -> Array:
    """Lion whose interpolation overwrites the average."""
    between = B1 * s.get("m", 0) + (1 - B1) * g
    s["m"] = B2 * between + (1 - B2) * g
    return w - lr * np.sign(between)


def _twice_started(w: Array, g: Array, s: State, lr: float) -> Array:
    """The first gradient fills the buffer and is added to it."""
    s["b"] = B1 * s.get("b", g) + g
    return w - lr * s["b"]


def _undecayed_maximum(w: Array, g: Array, s: State, lr: float) -> Array:
    """Adamax whose norm never falls."""
    s["u"] = np.maximum(s.get("u", 0), np.abs(g) + EPS)
    return w - lr / (1 - B1 ** s["t"]) * averaged(s, "m", g, B1) / s["u"]


@pytest.mark.parametrize(
    ("step", "asked", "said"),
    [
        (_written_back, Adagrad(lr=0.01, eps=EPS), "what is kept as sum is √s, not s"),
        (_lion_in_place, Lion(lr=0.01, betas=(B1, B2)), "is written into exp_avg in place"),
        (_twice_started, SGD(lr=0.01, momentum=B1), "advanced with it once more in the same step"),
        (_undecayed_maximum, Adamax(lr=0.01, betas=(B1, B2), eps=EPS), "the factor β₂ is missing"),
    ],
    ids=["adagrad", "lion", "sgd", "adamax"],
)
def test_an_error_that_no_one_foresaw_is_said_by_the_line_that_is_other(step: Step, asked: Any, said: str) -> None:
    found = explained(step, asked)
    assert found is not None and found.best is not None, found
    assert said in found.best.text, found.best.text


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda w, g, s, lr: w - lr / np.sqrt(s["t"]) * g, "the step falls with 1/√t"),
        (lambda w, g, s, lr: w - 0.01 * g, "the step does not follow the schedule"),
        (lambda w, g, s, lr: w - lr * g * (s["t"] % 3 > 0), "the step is 0 in every third step from 2 on"),
        (lambda w, g, s, lr: w - lr * 0.9 ** (s["t"] - 1) * g, "the step is multiplied by 0.9 in each step"),
    ],
    ids=["root", "schedule", "skipped", "geometric"],
)
def test_a_step_that_changes_from_step_to_step_is_described_by_its_pattern(step: Step, said: str) -> None:
    found = explained(step, SGD(lr=0.01))
    assert found is not None and found.best is not None
    assert found.best.text.startswith(said), found.best.text


def _odd(w: Array, g: Array, s: State, lr: float) -> Array:
    """Steps that no rule makes."""
    return w - lr * np.tanh(g) * np.abs(w) ** 0.3


@pytest.mark.slow
def test_parameters_of_different_optimizers_are_explained_together() -> None:
    asked = {"weight": ASKED_ADAM, "vector": SGD(lr=0.01)}
    found = explain_update(asked, recorded(_odd, "float64"), epochs=EPOCHS)
    assert found is not None and found.best is None
    assert [sentence.partition(": ")[0] for sentence in found.structure] == ["weight and vector"]


def test_weights_that_never_move_are_no_late_momentum() -> None:
    found = explained(lambda w, g, s, lr: w, ASKED_SGD)
    assert found is not None and found.best is not None and found.best.id == "number-lr"


def test_a_move_where_none_was_asked_is_not_in_the_asked_direction() -> None:
    found = explained(lambda w, g, s, lr: w + 0.1 * np.sin(w), SGD(lr=0.0))
    assert found is not None and found.best is None
    assert found.structure[0].endswith("it moves where the asked step is 0")


def test_an_edit_of_some_elements_is_said_to_be_of_those() -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        shrunk = w * (1 - lr * LAM)
        if w.ndim > 1:
            shrunk[:, 4:] = w[:, 4:]
        return adam(before=lambda w, lr, s: shrunk)(w, g, s, lr)

    found = explained(step, ASKED_ADAM)
    assert found is not None and found.best is not None
    assert found.best.id == "penalty-missing-of-some" and "there is no weight decay: in" in found.best.text


def test_a_state_in_a_narrower_format_is_told_from_its_use() -> None:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        new = B1 * s.get("b", 0) + g
        s["b"] = FORMATS["bfloat16"].round(np.asarray(new, float))
        return w - lr * new

    found = explained(step, ASKED_SGD)
    assert found is not None and found.best is not None and found.best.id == "kept-bfloat16-b-only"
