"""Optimizer classes are recognised, told apart from what they are not, and refused where they cannot be checked."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.optimizer import required

from parity.errors import InputError
from parity.explain import feeds
from parity.explain.finding import Diagnosis
from parity.explain.update.trial import UpdateRecord
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import Demand, demanded, motions, parse_against
from parity.features.check.optimizer import check_optimizer, conclude
from parity.features.check.rules import RULES as LINES
from parity.features.check.target import Target
from refimpl.optimizers import OPTIMIZERS, Adam, AdamW
from refimpl.optimizers.wrappers import WRAPPERS
from tests.parity.check.classes import DECAYED

pytestmark = pytest.mark.usefixtures("few_situations")


@cache
def examined(name: str, hyper: tuple[tuple[str, Any], ...], dtypes: tuple[str, ...]) -> Examined:
    return examine(getattr(torch.optim, name), dict(hyper), dtypes)


def checked(
    name: str, hyper: Mapping[str, Any], against: str | None = None, dtypes: tuple[str, ...] = ("float64",)
) -> Diagnosis:
    """A class of torch, in this process."""
    return conclude(examined(name, tuple(hyper.items()), dtypes), hyper, against)


# -- which reference it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hyper", "family"),
    [
        ("Adam", {"lr": 0.01, "weight_decay": 0.1}, "Adam(lr=0.01, weight_decay=0.1)"),
        ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}, "AdamW(lr=0.01, weight_decay=0.1, amsgrad=True)"),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, "SGD(lr=0.1, momentum=0.9, dampening=0.5)"),
        ("RMSprop", {"lr": 0.01, "centered": True}, "RMSprop(lr=0.01, centered=True)"),
        ("Adadelta", {"lr": 1.0}, "Adadelta(lr=1.0)"),
    ],
    ids=["Adam", "AdamW", "SGD", "RMSprop", "Adadelta"],
)
def test_optimizers_of_torch_are_what_they_are_called(name: str, hyper: dict[str, Any], family: str) -> None:
    found = checked(name, hyper)
    assert (found.verdict, found.family, found.findings) == ("agree", family, ())
    assert found.share <= 1
    assert all(steps.max() == pytest.approx(found.share) or steps.max() < 1 for steps in found.residual.values())


@pytest.mark.slow
def test_what_a_record_cannot_show_is_not_called_agreement() -> None:
    found = checked("ASGD", {"lr": 0.01})
    assert (found.verdict, found.unseen) == ("undecidable", ("t0",))
    assert found.share <= 1 and "cannot be seen" in found.text


@pytest.mark.slow
def test_what_torch_itself_cannot_take_is_found() -> None:
    """The known deviation ``adafactor-empty-parameter``."""
    found = checked("Adafactor", {"lr": 0.01})
    assert [finding.id for finding in found.findings] == ["situation-empty"]
    assert found.share <= 1 and "ZeroDivisionError" in found.text


def test_a_reference_that_is_demanded_is_built_of_what_was_asked_of_both() -> None:
    given = {"lr": 0.5, "betas": [0.8, 0.9], "eps": 1e-6, "foreach": None}
    assert demanded("adam", {"eps": 1e-7}, {"lr": 0.01}, given) == Adam(lr=0.01, betas=(0.8, 0.9), eps=1e-7)
    assert parse_against("AdamW") == Demand("adamw", {})
    assert parse_against("ScheduleFreeSGD(lr=1.0)") == Demand("schedule_free_sgd", {"lr": 1.0})


class Scheduled(torch.optim.SGD):
    """Has a default that cannot be sent to another process."""

    def __init__(self, params: Any, lr: Any = required, clip: Any = lambda step: step**0.25) -> None:
        del clip
        super().__init__(params, lr=0.01 if lr is required else lr)


def test_a_default_that_is_a_function_or_a_demand_is_none() -> None:
    found = pickle.loads(pickle.dumps(examine(Scheduled, {}, ("float64",))))
    assert found.defaults == found.given == {} and found.shapes


def test_every_reference_has_its_rule_in_a_line() -> None:
    assert LINES.keys() == {**OPTIMIZERS, **WRAPPERS}.keys()


def test_a_reference_driven_here_makes_the_steps_that_torch_makes() -> None:
    """Independent of the judge: its plain steps beside torch's, with the rate that changes and the late parameter."""
    played = Driver(torch.optim.AdamW, DECAYED).play(feeds.judged(feeds.SHAPES))
    for motion in motions(played, "float64"):
        expected = UpdateRecord(motion, AdamW(**DECAYED)).predicted(AdamW(**DECAYED))
        np.testing.assert_allclose(motion.weights[1:], expected, rtol=0, atol=1e-12)


# -- against another one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hyper", "against", "said"),
    [
        ("Adam", DECAYED, "adamw", ["the decay is coupled, λw in the gradient"]),
        pytest.param("AdamW", DECAYED, "Adam", ["the decay is decoupled"], marks=pytest.mark.slow),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}, "sgd(nesterov=False)", ["momentum is Nesterov's"]),
        pytest.param(
            "SGD",
            {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1},
            "sgdw",
            ["the decay is coupled"],
            marks=pytest.mark.slow,
        ),
        ("RMSprop", {"lr": 0.01}, "adagrad", ["RMSprop", "average that forgets", "adagrad is s ← s + g²"]),
        ("NAdam", {"lr": 0.01}, "adam", ["that of NAdam (lr=0.01", "look ahead"]),
        pytest.param(
            "Adamax",
            {"lr": 0.01},
            "adam",
            ["that of Adamax (lr=0.01", "max(β₂·u, |g| + ε)"],
            marks=pytest.mark.slow,
        ),
        pytest.param("RAdam", {"lr": 0.01}, "adam", ["that of RAdam", "rectification"], marks=pytest.mark.slow),
        pytest.param("ASGD", {"lr": 0.01}, "sgd", ["that of ASGD"], marks=pytest.mark.slow),
        ("Adam", {"lr": 0.01, "eps": 1e-6}, "adam(eps=1e-8)", ["eps = 1e-06, asked 1e-08"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "of",
)
def test_confusions_are_told_by_what_the_class_is_instead(
    name: str, hyper: dict[str, Any], against: str, said: list[str]
) -> None:
    found = checked(name, hyper, against)
    assert found.verdict == "disagree" and found.share > 1
    assert all(part in found.text for part in said), found.text
    assert all("weight[0, 0] after step" in finding.evidence for finding in found.findings)


@pytest.mark.parametrize(
    ("name", "hyper", "against"),
    [("Adam", DECAYED, "adam"), ("SGD", {"lr": 0.01}, "sgdw")],
    ids=["adam", "sgd-is-sgdw-without-decay"],
)
def test_what_is_demanded_and_true_agrees(name: str, hyper: dict[str, Any], against: str) -> None:
    assert checked(name, hyper, against).verdict == "agree"


@pytest.mark.slow
def test_a_default_that_is_not_the_references_is_told() -> None:
    assert "by default lr = 0.002, that of Adam is 0.001" in checked("NAdam", {}, "adam").notes


# -- what cannot be checked --------------------------------------------------------------------------------------------


def test_a_refusal_is_unsupported_in_its_own_words() -> None:
    found = checked("SparseAdam", {})
    assert (found.verdict, found.share) == ("unsupported", math.inf)
    assert "SparseAdam does not support dense gradients" in found.text


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("lino", "did you mean 'lion'"),
        ("sgd(nesterof=True)", "sgd has no nesterof"),
        ("sgd(nesterov=yes)", "allowed: a name, or name(option=value, …)"),
        ("sgd(1)", "allowed: a name"),
    ],
)
def test_a_reference_that_is_not_there_is_refused(against: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        check_optimizer(Target("torch.optim", "SGD"), {}, against=against)
    assert said in str(error.value)


def test_a_reference_that_does_not_take_what_was_asked_is_refused() -> None:
    with pytest.raises(InputError, match="does not take these hyper-parameters"):
        demanded("sgd", {}, {"lr": -1.0}, {})
    with pytest.raises(InputError, match="another form"):
        demanded("adam", {}, {"betas": 0.9}, {})


@pytest.mark.parametrize("what", [torch.nn.Linear, math.sin])
def test_what_is_no_optimizer_class_is_refused(what: Any) -> None:
    with pytest.raises(InputError, match=r"is no torch\.optim\.Optimizer"):
        examine(what, {})


FILE = """
import torch

class Own(torch.optim.Optimizer):
    def __init__(self, params, lr=0.01, weight_decay=0.0):
        if lr > 1:
            raise ValueError(f"lr {lr} is too large")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(group["lr"] * (param.grad + 2 * group["weight_decay"] * param))
"""


def test_a_file_is_checked_in_a_process_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(FILE)
    found = check_optimizer(Target(str(file), "Own"), DECAYED, against="sgd", dtypes=("float64", "bfloat16"))
    assert found.verdict == "disagree" and "weight_decay = 0.2, asked 0.1" in found.text
    assert [label.partition(",")[0] for label in found.residual] == ["float64", "bfloat16"]


@pytest.mark.slow
def test_what_its_constructor_raises_is_an_error_in_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(FILE.replace("if lr > 1", "if True"))
    found = check_optimizer(Target(str(file), "Own"), {"lr": 2.0})
    assert (found.verdict, found.share) == ("error", math.inf)
    assert "ValueError: lr 2.0 is too large" in found.text


# -- what a class is held to where nothing is asked --------------------------------------------------------------------


class MyAdamW_8bit(torch.optim.Optimizer):  # noqa: N801  # names as people write them
    """Called AdamW, and SGD."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(group["lr"] * param.grad)


class Renamed(torch.optim.RMSprop):
    """Derived from RMSprop, and that."""


class Wrapper:
    """No optimizer, but around one."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        self.base_optimizer = torch.optim.AdamW(params, lr=lr)


@pytest.mark.parametrize(
    ("cls", "key", "why"),
    [
        (MyAdamW_8bit, "adamw", "it is called MyAdamW_8bit"),
        (Renamed, "rmsprop", "it is derived from rmsprop"),
        (partial(torch.optim.AdamW, lr=0.02), "adamw", "it is called AdamW"),
        (Wrapper, "adamw", "it is called AdamW"),
    ],
)
def test_what_is_assumed_of_a_class_is_said_with_how_to_change_it(cls: Any, key: str, why: str) -> None:
    found = conclude(examine(cls, {}, ("float64",)), {})
    assert found.notes[0].startswith(f"held to {key}, because {why}")
    assert "--against NAME" in found.notes[0] and "--against any" in found.notes[0]
    assert found.verdict == ("disagree" if cls is MyAdamW_8bit else "agree")


@pytest.mark.slow
def test_any_reference_is_looked_for_where_that_is_asked() -> None:
    found = conclude(examine(MyAdamW_8bit, {}, ("float64",)), {}, "any")
    assert (found.verdict, found.family) == ("agree", "SGD(lr=0.01)")


def test_a_wrapper_is_said_not_to_be_checked_itself() -> None:
    found = conclude(examine(Wrapper, {}, ("float64",)), {}, "adamw")
    assert any("Wrapper wraps AdamW" in note for note in found.notes)


def test_adabounds_last_rate_follows_the_rate_that_the_class_began_with() -> None:
    reference: Any = demanded("adabound", {}, {}, {"lr": 0.03})
    assert (reference.lr, reference.base_lr) == (0.03, 0.03)


class Adafactor(torch.optim.Optimizer):
    """The paper's, of matrices and of vectors alike."""

    def __init__(self, params: Any, lr: float = 0.01, eps: Any = (1e-30, 0.001), decay_rate: float = -0.8) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "decay_rate": decay_rate})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                s, g = self.state[p], p.grad
                s["t"] = s.get("t", 0) + 1
                beta = 1 - s["t"] ** group["decay_rate"]
                scale = max(group["eps"][1], (p.norm() / p.numel() ** 0.5).item()) if p.numel() else 1.0
                squares = g * g + group["eps"][0]
                for axis in (-1, -2) if g.ndim > 1 else ():
                    s[axis] = beta * s.get(axis, 0) + (1 - beta) * squares.mean(axis)
                if g.ndim > 1:
                    u = g * (s[-1] / s[-1].mean(-1, keepdim=True)).rsqrt().unsqueeze(-1) * s[-2].rsqrt().unsqueeze(-2)
                else:
                    s["v"] = beta * s.get("v", 0) + (1 - beta) * squares
                    u = g * s["v"].rsqrt()
                p.sub_(scale * group["lr"] * u / max(1.0, (u.norm() / max(1, u.numel()) ** 0.5).item()))


@pytest.mark.slow
def test_a_class_called_adafactor_is_held_to_the_form_that_fits() -> None:
    """Not to torch's, which bounds with ε₁ where the paper adds it."""
    found = conclude(examine(Adafactor, {"lr": 0.01}), {"lr": 0.01})
    assert found.family.startswith("AdafactorPaper(lr=0.01") and found.findings == ()
    assert found.notes[0].startswith("held to adafactor_paper, because it is called Adafactor; --against")
