"""A class is led through the situations of training: each finds the fault that shows there alone."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from parity.errors import InputError
from parity.explain.finding import Diagnosis
from parity.features.check.examine import examine
from parity.features.check.life.judged import LIKE, WHERE
from parity.features.check.life.live import LIFE
from parity.features.check.optimizer import conclude
from parity.features.check.states import pairs
from tests.parity.check.lives import FAULTS, Faulty, faulty


def checked(cls: type[Faulty]) -> Diagnosis:
    return conclude(examine(cls, {}), {}, "adamw")


def test_each_situation_has_its_words_and_a_class_that_fails_there() -> None:
    assert set(LIFE) == set(WHERE) == set(FAULTS)
    assert set(LIKE) <= set(LIFE)


def test_a_right_class_is_said_to_be_so_in_all_situations() -> None:
    right = checked(Faulty)
    assert right.verdict == "agree", right.text
    assert f"so it is in {len(LIFE)} situations of training" in right.text


@pytest.mark.parametrize(("situation", "id"), FAULTS.items())
def test_a_fault_that_shows_in_one_situation_is_found_there(situation: str, id: str) -> None:
    diagnosis = checked(faulty(situation))
    assert diagnosis.verdict == "disagree"
    assert id in [finding.id for finding in diagnosis.findings], diagnosis.findings


# -- the state ---------------------------------------------------------------------------------------------------------


def test_a_tensor_of_the_state_is_held_to_the_references_where_that_is_asked() -> None:
    examined = examine(Faulty, {}, ("float64",))
    right = conclude(examined, {}, "adamw", {"exp_avg": "m", "exp_avg_sq": "v"})
    assert right.verdict == "agree" and "numbers of m, v were held" in " ".join(right.notes)
    wrong = conclude(examined, {}, "adamw", {"exp_avg": "v"})
    assert [finding.id for finding in wrong.findings] == ["state-exp_avg"]


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


def test_words_of_refusal_are_a_note_at_the_first_step_and_a_fault_at_a_later_one() -> None:
    first, later = checked(Refusing), checked(type("Later", (Refusing,), {"late": True}))
    assert first.verdict == "agree" and any("no empty parameters" in note for note in first.notes)
    assert [finding.id for finding in later.findings] == ["situation-empty"]
