"""A class is led through the situations of training: each finds the fault that shows there alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.errors import InputError, is_ours
from parity.explain.feeds import Played
from parity.explain.finding import Diagnosis
from parity.features.check.drive import Driver, _stacked
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.identify import first_of, judge
from parity.features.check.life.judged import LIKE, WHERE
from parity.features.check.life.live import LIFE, _lived
from parity.features.check.life.recorder import Recorder
from parity.features.check.optimizer import conclude
from parity.features.check.states import of_states, pairs
from refimpl.optimizers import Adam, AdamW
from tests.parity.check.conftest import Through
from tests.parity.check.lives import FAULTS, Faulty, faulty


def checked(cls: type[Faulty], *dtypes: str) -> Diagnosis:
    return conclude(examine(cls, {}, dtypes or ("float64", "float32")), {}, "adamw")


def test_each_situation_has_its_words_and_a_class_that_fails_there() -> None:
    assert set(LIFE) == set(WHERE) == set(FAULTS)
    assert set(LIKE) <= set(LIFE)


def test_a_right_class_is_said_to_be_so_in_all_situations() -> None:
    right = checked(Faulty)
    assert right.verdict == "agree", right.text
    assert f"so it is in {len(LIFE)} situations of training" in right.text


@pytest.mark.parametrize(("situation", "id"), FAULTS.items())
def test_a_fault_that_shows_in_one_situation_is_found_there(situation: str, id: str, through: Through) -> None:
    through(situation)
    diagnosis = checked(faulty(situation))
    assert diagnosis.verdict == "disagree"
    assert id in [finding.id for finding in diagnosis.findings], diagnosis.findings


class Forgetful(Faulty):
    """AdamW whose state is lost where it was saved in another dtype."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        saved = {
            value.dtype for kept in state_dict["state"].values() for value in kept.values() if torch.is_tensor(value)
        }
        super().load_state_dict(state_dict)
        if self.first[0].dtype not in saved:
            self.state.clear()


def test_a_state_that_is_lost_when_it_is_loaded_is_said_to_begin_anew_there(through: Through) -> None:
    through("reload", "reload-wider")
    found = checked(Forgetful).findings
    assert [one.id for one in found] == ["state-lost"]
    assert found[0].text.startswith(
        "its state begins anew at step 2, after its state was loaded for float64 parameters"
    )


# -- the state ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few_situations")
def test_a_tensor_of_the_state_is_held_to_the_references_where_that_is_asked() -> None:
    examined = examine(Faulty, {}, ("float64",))
    right = conclude(examined, {}, "adamw", {"exp_avg": "m", "exp_avg_sq": "v"})
    assert right.verdict == "agree" and "numbers of m, v were held" in " ".join(right.notes)
    wrong = conclude(examined, {}, "adamw", {"exp_avg": "v"})
    assert [finding.id for finding in wrong.findings] == ["state-exp_avg"]


@pytest.mark.usefixtures("few_situations")
@pytest.mark.parametrize(
    ("state", "said"),
    [({"m": "m"}, "adamw keeps step, exp_avg, exp_avg_sq"), ({"exp_avg": "q"}, "the class keeps m, v")],
)
def test_a_tensor_that_is_not_there_is_refused(state: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        conclude(examine(Faulty, {}, ("float64",)), {}, "adamw", state)


@pytest.mark.parametrize("word", ["exp_avg", "=m", "exp_avg="])
def test_a_pair_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="allowed: name=name"):
        pairs([word])


# -- words of refusal --------------------------------------------------------------------------------------------------


class Refusing(Faulty):
    """AdamW that says what it does not take, at its first step or, ``late``, at a later one."""

    late = False

    def _update(self, p: Tensor, g: Tensor, group: dict[str, Any], s: dict[str, Any]) -> None:
        if p.numel() == 0 and self.calls > self.late:
            raise NotImplementedError("no empty parameters")
        super()._update(p, g, group, s)


def test_words_of_refusal_are_a_note_at_the_first_step_and_a_fault_at_a_later_one(through: Through) -> None:
    through("groups", "empty")
    first, later = checked(Refusing), checked(type("Later", (Refusing,), {"late": True}))
    assert first.verdict == "agree" and any("no empty parameters" in note for note in first.notes)
    assert [finding.id for finding in later.findings] == ["situation-empty"]


def test_a_disagreement_of_a_late_parameter_has_the_number_of_the_step_of_the_run() -> None:
    examined = examine(faulty("unfrozen-late"), {}, ("float64",))
    held = dict.fromkeys(examined.parameters, AdamW(lr=0.01, weight_decay=0.1))
    judged = judge(held, examined.runs["drawn"], "float64")
    assert judged.first.startswith("late[0, 0] after step 5: ") and np.argmax(judged.steps > 1) == 5


# -- what only its own code may be blamed for --------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize(("situation", "shape"), [("twins", None), ("twins", (-1,)), ("thousand", (-1,))])
def test_what_our_own_code_raises_in_a_situation_is_no_fault_of_the_class(
    situation: str, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "shape", shape)
    with pytest.raises((TypeError, ValueError)):
        _lived(situation, Recorder(Driver(Faulty, {}), True, {"lr": 0.01}))


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("act", "ours"),
    [(lambda: first_of(None, 0), True), (lambda: _stacked({"w": []}), True), (lambda: np.stack([]), False)],
    ids=["in its own line", "in NumPy for it", "in NumPy for others"],
)
def test_an_exception_is_ours_where_our_code_or_numpy_for_it_raised_it(act: Any, ours: bool) -> None:
    with pytest.raises((AttributeError, ValueError)) as raised:
        act()
    assert is_ours(raised.value) is ours


# -- closures, small errors, what is left out --------------------------------------------------------------------------


class Silent(Faulty):
    """AdamW that calls its closure and returns nothing; with ``off``, it then goes on with another rate."""

    off = 1.0

    def step(self, closure: Any = None) -> None:
        rate = self.param_groups[0]["lr"]
        self.param_groups[0]["lr"] = rate * (self.off if closure else 1)
        super().step(closure)
        self.param_groups[0]["lr"] = rate


def test_the_weights_of_a_closure_are_judged_where_its_loss_is_not_returned(through: Through) -> None:
    through("groups", "closure")
    right, wrong = checked(Silent, "float64"), checked(type("Wrong", (Silent,), {"off": 1.001}), "float64")
    assert right.verdict == "agree" and "so it is in 2 situations" in right.text
    assert "step(closure): its closure is called and its loss is not returned" in " ".join(right.notes)
    assert wrong.verdict == "disagree" and "where step() is given a closure" in wrong.findings[0].text


class Slight(Faulty):
    """AdamW with a count in float32, and an error far below what float32 explains, of parameters without axes."""

    def _update(self, p: Tensor, g: Tensor, group: dict[str, Any], s: dict[str, Any]) -> None:
        s.setdefault("count", torch.zeros((), dtype=torch.float32))
        super()._update(p, g, group, s)
        if p.ndim == 0:
            p.mul_(1 + 1e-12)


def test_an_error_far_below_float32_is_not_taken_for_numbers_of_float32(through: Through) -> None:
    through("groups", "zero-dim")
    assert [finding.id for finding in checked(Slight, "float64").findings] == ["situation-zero-dim"]


def test_numbers_that_were_shown_to_be_float32_may_be_so_where_that_hardly_shows(through: Through) -> None:
    through("zero-dim")
    (played,) = (lived.played for lived in examine(Slight, {}, ("float64",)).lives)
    assert played is not None
    held = dict.fromkeys(played.weights, AdamW(lr=0.01, weight_decay=0.1))
    assert judge(held, played, "float64", float32=True).share > 1
    assert judge(held, played, "float64", float32=True, shown=True).share <= 1


def test_situations_that_a_class_has_not_what_they_need_for_are_said_in_one_line(through: Through) -> None:
    through("groups-of-momenta", "scheduled-decay", "scheduled-momentum")
    diagnosis = conclude(examine(torch.optim.Adagrad, {}, ("float64",)), {}, "adagrad")
    (line,) = [note for note in diagnosis.notes if "not lived through" in note]
    assert "groups-of-momenta, scheduled-momentum (no momentum is in effect)" in line
    assert "; scheduled-decay (no weight decay is in effect)" in line


def test_numbers_of_the_state_without_a_bound_are_not_said_to_be_held() -> None:
    weights, gradients = np.zeros((3, 2, 2)), np.ones((2, 2, 2))
    gradients[1] = 1e200  # g² is more than a float can hold
    kept = {"weight": {"v": np.stack([np.full((2, 2), 1 - 0.999), np.full((2, 2), np.inf)])}}
    played = Played(weights={"weight": weights}, gradients={"weight": gradients}, state=kept)
    words: dict[str, Any] = {"name": "Adam", "given": {}, "defaults": {}, "state": {"exp_avg_sq": "v"}}
    examined = Examined(runs={"drawn": played}, dtypes={"float64": played}, **words)
    assert of_states(examined, {"weight": Adam(lr=0.1)}) == ([], 4)
