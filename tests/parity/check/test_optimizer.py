"""Optimizer classes are recognised, told apart from what they are not, and caught at what none must do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity import check
from parity.errors import InputError
from parity.explain.finding import Diagnosis
from parity.explain.update.trial import UpdateRecord
from parity.features.check import feeds
from parity.features.check.conduct import RULES, faults
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import demanded, motions, parse_against
from parity.features.check.identify import identify
from parity.features.check.invariance import facts
from parity.features.check.optimizer import check_optimizer, conclude
from parity.features.check.rules import RULES as LINES
from parity.features.check.target import Target
from refimpl.optimizers import OPTIMIZERS, Adam, AdamW

Step = Callable[[Tensor, Tensor, dict[str, Any], dict[str, Any]], None]
DECAYED = {"lr": 0.01, "weight_decay": 0.1}


def made(step: Step, name: str = "Own", skip_none: bool = True, **defaults: Any) -> type[torch.optim.Optimizer]:
    """An optimizer class of a function ``step(param, grad, group, state)``."""

    class Own(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.01, weight_decay: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **defaults})

        @torch.no_grad()
        def step(self) -> None:
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None or not skip_none:
                        step(param, param.grad, group, self.state[param])

    Own.__name__ = name
    return Own


@cache
def examined(name: str, hyper: tuple[tuple[str, Any], ...], dtypes: tuple[str, ...]) -> Examined:
    return examine(getattr(torch.optim, name), dict(hyper), dtypes)


def checked(
    name: str, hyper: Mapping[str, Any], against: str | None = None, dtypes: tuple[str, ...] = ("float64",)
) -> Diagnosis:
    """A class of torch, in this process."""
    return conclude(examined(name, tuple(hyper.items()), dtypes), hyper, against)


def own(step: Step, hyper: Mapping[str, Any] | None = None, against: str | None = None, **kind: Any) -> Diagnosis:
    """A class of a test, in this process and in float64."""
    return conclude(examine(made(step, **kind), hyper or {}, ("float64",)), hyper or {}, against)


def broken(cls: Any, **hyper: Any) -> dict[str, str]:
    """The rules that a class breaks, with the evidence."""
    return {fault.id: fault.evidence for fault in faults(Driver(cls, hyper), feeds.SHAPES)}


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
    found = checked(name, hyper, dtypes=("float64", "float32"))
    assert (found.verdict, found.family, found.findings) == ("agree", family, ())
    assert found.share <= 1
    assert all(steps.max() == pytest.approx(found.share) or steps.max() < 1 for steps in found.residual.values())


@pytest.mark.slow
def test_what_a_record_cannot_show_is_not_called_agreement() -> None:
    found = checked("Adafactor", {"lr": 0.01})
    assert (found.verdict, found.unseen) == ("undecidable", ("eps[1]",))
    assert found.share <= 1 and "cannot be seen" in found.text


def test_a_reference_that_is_demanded_is_built_of_what_was_asked_of_both() -> None:
    given = {"lr": 0.5, "betas": [0.8, 0.9], "eps": 1e-6, "foreach": None}
    assert demanded("adam", {"eps": 1e-7}, {"lr": 0.01}, given) == Adam(lr=0.01, betas=(0.8, 0.9), eps=1e-7)
    assert parse_against("AdamW") == ("adamw", {})
    assert parse_against("ScheduleFreeSGD(lr=1.0)") == ("schedule_free_sgd", {"lr": 1.0})


def test_every_reference_has_its_rule_in_a_line() -> None:
    assert LINES.keys() == OPTIMIZERS.keys()


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
        ("Adam", DECAYED, "adamw", ["the decay is coupled (L2)"]),
        pytest.param("AdamW", DECAYED, "Adam", ["the decay is decoupled"], marks=pytest.mark.slow),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}, "sgd(nesterov=False)", ["Nesterov's, g + μ·b"]),
        pytest.param(
            "SGD",
            {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1},
            "sgdw",
            ["coupled (L2)"],
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
        ("Adam", {"lr": 0.01, "eps": 1e-6}, "adam(eps=1e-8)", ["ε = 1e-06 is executed", "1e-08 was asked"]),
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


# -- numbers that are executed -----------------------------------------------------------------------------------------


def _descend(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any, factor: float = 1.0) -> None:
    param.add_(grad, alpha=-factor * group["lr"])


def _adam(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any], eps: float = 1e-8) -> None:
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
    v = state["v"] = 0.999 * state.get("v", 0) + (1 - 0.999) * grad * grad
    param.sub_(group["lr"] * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + eps))


def _heavy(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
    b = state["b"] = 0.9 * state.get("b", 0) + grad
    param.sub_(group["lr"] * b)


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_a_number_that_is_executed_with_another_value_is_found() -> None:
    found = own(partial(_descend, factor=2.0), {"lr": 0.01})
    assert [finding.id for finding in found.findings] == ["number-lr"]
    assert "lr = 0.01 was given, 0.02 is executed" in found.text


@pytest.mark.usefixtures("few_references")
def test_a_number_inside_of_the_code_is_found() -> None:
    found = own(partial(_adam, eps=1e-7), {"lr": 0.01}, "adam")
    assert [finding.id for finding in found.findings] == ["number-eps"]
    assert "ε = 1e-07 is executed, 1e-08 was asked" in found.text


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_an_epsilon_of_1e_minus_16_is_no_agreement() -> None:
    """Nothing loose lets a wrong formula pass: what is below float32's rounding is seen in float64."""

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["count"] = torch.ones(())  # as torch keeps its count
        v = state["v"] = 0.99 * state.get("v", 0) + (1 - 0.99) * grad * grad
        param.sub_(group["lr"] * grad / ((v + 1e-16).sqrt() + 1e-8))

    found = own(step, {"lr": 0.01}, "rmsprop")
    assert found.verdict == "disagree"
    assert "√(v + ε) in the place" not in found.text


@pytest.mark.usefixtures("few_references")
def test_a_dtype_in_which_it_is_something_else_is_named() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.add_(grad, alpha=-group["lr"] * (1.001 if param.dtype == torch.float32 else 1.0))

    found = conclude(examine(made(step), {}), {}, None)
    assert [finding.id for finding in found.findings] == ["dtype-float32"]
    assert "though it is in float64" in found.text


# -- decay -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_parameters_that_are_not_decayed_are_told() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if param.ndim > 1:
            param.mul_(1 - group["lr"] * group["weight_decay"])
        _heavy(param, grad, group, state)

    found = own(step, DECAYED, name="SGDW")
    assert found.verdict == "agree"
    assert found.family == (
        "SGDW(lr=0.01, momentum=0.9, weight_decay=0.1) for weight and twin and late, "
        "SGDW(lr=0.01, momentum=0.9) for vector and bias"
    )
    against = own(step, DECAYED, "sgdw(momentum=0.9)")
    assert "there is no weight decay (of vector and bias only)" in against.text


@pytest.mark.usefixtures("few_references")
def test_a_decay_that_is_off_is_tried_as_well() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.mul_(1 - group["weight_decay"]).sub_(group["lr"] * grad)

    found = own(step, {"lr": 0.01}, "sgdw")
    assert found.verdict == "disagree" and found.findings[0].id == "decay-when-on"
    assert "with weight_decay = 0.1, which is off here" in found.text
    assert "not multiplied by the learning rate" in found.text
    said = own(step, {"lr": 0.01, "weight_decay": 0.0}, "sgdw")
    assert said.verdict == "agree" and "not multiplied by the learning rate" in said.notes[0]
    assert own(step, {"lr": 0.01}, "sgdw(weight_decay=0.0)").verdict == "agree"


# -- what none must do -------------------------------------------------------------------------------------------------


def _in_place(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(grad.mul_(group["lr"]))


def _last_left_out(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    whole = max(param.numel() // 8 * 8, 1)
    step = torch.zeros_like(param).flatten()
    step[:whole] = grad.flatten()[:whole]
    param.sub_(group["lr"] * step.view_as(param))


def _moves_idle(param: Tensor, grad: Tensor | None, group: dict[str, Any], state: dict[str, Any]) -> None:
    if grad is not None:
        state["b"] = 0.9 * state.get("b", 0) + grad
    if "b" in state:
        param.sub_(group["lr"] * state["b"])


def _decays_idle(param: Tensor, grad: Tensor | None, group: dict[str, Any], _: Any) -> None:
    param.mul_(1 - 1e-3)
    if grad is not None:
        param.sub_(group["lr"] * grad)


def _by_memory(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    place = torch.as_strided(param, (param.numel(),), (1,), param.storage_offset())
    place.sub_(group["lr"] * grad.flatten())


def _noisy(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * (grad + torch.randn_like(grad)))


def _divides(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad / grad.abs())


def _schedules(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad)
    group["lr"] *= 0.99


def _no_gradient(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * grad.clone())


class FirstGroup(torch.optim.Optimizer):
    """Reads lr from the first group only."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(self.param_groups[0]["lr"] * param.grad)


class OwnCount(torch.optim.Optimizer):
    """Counts its steps where no state_dict has them."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})
        self.count = 0

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.sub_(group["lr"] / self.count * param.grad)


@pytest.mark.parametrize(
    ("cls", "ids"),
    [
        pytest.param(made(_descend), set(), id="nothing"),
        pytest.param(made(_in_place), {"gradient-changed"}, id="gradient"),
        pytest.param(made(_last_left_out), {"element-left-out"}, id="last-elements"),
        pytest.param(OwnCount, {"state-not-restored"}, id="state"),
        pytest.param(made(_moves_idle, skip_none=False), {"moved-frozen"}, id="frozen"),
        pytest.param(
            made(_decays_idle, skip_none=False),
            {"moved-without-gradient", "moved-frozen", "moved-not-required"},
            id="idle",
        ),
        pytest.param(
            made(_no_gradient, skip_none=False),
            {"moved-without-gradient", "moved-frozen", "moved-not-required"},
            id="gradient-none",
        ),
        pytest.param(made(_by_memory), {"layout"}, id="memory"),
        pytest.param(made(_noisy), {"global-random-state"}, id="noise"),
        pytest.param(made(_divides), {"not-finite"}, id="zero-division"),
        pytest.param(made(_schedules), {"hyper-parameters-changed"}, id="hyper"),
        pytest.param(FirstGroup, {"group-ignored"}, id="group"),
    ],
)
def test_each_planted_fault_of_conduct_is_found_and_no_other(cls: Any, ids: set[str]) -> None:
    found = broken(cls, lr=0.01)
    assert found.keys() == ids
    assert all(found.values())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RMSprop", "Rprop", "ASGD", "Adagrad", "Adafactor"])
def test_optimizers_of_torch_break_no_rule(name: str) -> None:
    assert broken(getattr(torch.optim, name)) == {}


def test_a_step_that_crashes_without_gradient_says_so() -> None:
    evidence = {fault.id: fault for fault in faults(Driver(made(_no_gradient, skip_none=False), {}), feeds.SHAPES)}
    assert "AttributeError: 'NoneType' object has no attribute 'clone'" in evidence["moved-without-gradient"].text


def test_a_state_that_a_step_makes_without_gradient_is_found() -> None:
    def step(param: Tensor, grad: Tensor | None, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["steps"] = state.get("steps", 0) + 1
        if grad is not None:
            param.sub_(group["lr"] * grad)

    assert "has got a state: steps" in broken(made(step, skip_none=False))["moved-without-gradient"]


def test_the_last_elements_are_named() -> None:
    assert "15 elements: 8, 9, 10, 11, …" in broken(made(_last_left_out))["element-left-out"]


def test_two_runs_that_differ_are_found() -> None:
    drift = iter(range(1, 100_000))

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
        param.sub_(group["lr"] * (1 + 1e-12 * next(drift)) * grad)

    assert "not-repeatable" in broken(made(step))


@pytest.mark.usefixtures("few_references")
def test_a_fault_makes_a_right_update_disagree() -> None:
    found = own(_in_place)
    assert found.verdict == "disagree" and found.share <= 1
    assert found.family == "SGD(lr=0.01)"
    assert "add_" in found.findings[0].change


def test_every_rule_says_what_to_do() -> None:
    assert all(rule.text and rule.change for rule in RULES.values())


# -- what no reference is ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few_references")
def test_what_is_no_reference_is_told_by_measurement_and_not_judged() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["b"] = 0.5 * state.get("b", 0) + grad / grad.norm().clamp_min(1e-30)
        param.sub_(group["lr"] * state["b"] * state["b"].abs())

    found = own(step)
    assert (found.verdict, found.share, found.family, found.findings) == ("undecidable", math.inf, "", ())
    said = "\n".join(found.notes)
    assert "1024 times the scale of the gradients makes the same steps" in said
    assert "steps are proportional to lr" in said
    assert "changes the steps of 32 others" in said
    assert "with 0.25, 0.0625" in said
    assert "the nearest reference is" in found.text


def _trusted(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any) -> None:
    param.sub_(group["lr"] * param.norm() * grad / grad.norm().clamp_min(1e-30))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param(
            _descend, ["proportional to the scale of the gradients", "changes the steps of no other"], id="sgd"
        ),
        pytest.param(_descend, ["no momentum", "the first step is −0.01 = 1·η times the gradient"], id="sgd-first"),
        pytest.param(_trusted, ["proportional to the weights", "of the gradients makes the same"], id="trust-ratio"),
    ],
)
def test_what_a_step_depends_on_is_measured(step: Step, said: list[str]) -> None:
    driver = Driver(made(step), {"lr": 0.01})
    told = "\n".join(facts({name: driver.play(feed) for name, feed in feeds.feeds(feeds.SHAPES, driver.hyper)}, 0.01))
    assert all(part in told for part in said), told


@pytest.mark.slow
def test_two_references_in_one_class_are_told_apart() -> None:
    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        (_adam if param.ndim > 1 else _heavy)(param, grad, group, state)

    found = own(step)
    assert (found.verdict, found.family) == (
        "agree",
        "Adam(lr=0.01) for weight and twin and late, SGD(lr=0.01, momentum=0.9) for vector and bias",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("few_references")
def test_matrices_only_is_enough() -> None:
    found = examine(torch.optim.Muon, {"lr": 0.01}, dtypes=("float64",))
    assert list(found.shapes) == ["weight"] and "only supports 2D" in found.notes[0]
    assert identify(found)[0] is None


def test_a_class_that_a_late_gradient_makes_raise_is_told_and_still_explained() -> None:
    class AllAtOnce(torch.optim.Optimizer):
        """Momentum that is used before it is advanced; the first parameter decides whether all have a buffer."""

        def __init__(self, params: Any, lr: float = 0.01) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self) -> None:
            with_gradient = [p for p in self.param_groups[0]["params"] if p.grad is not None]
            first = "buffer" not in self.state[with_gradient[0]]
            for p in with_gradient:
                if first:
                    self.state[p]["buffer"] = p.grad.clone()
                p -= self.param_groups[0]["lr"] * self.state[p]["buffer"]
                if not first:
                    self.state[p]["buffer"].mul_(0.9).add_(p.grad)

    found = conclude(examine(AllAtOnce, {}), {}, "sgd(momentum=0.9)")
    assert [finding.id for finding in found.findings][1:] == ["late-gradient-raises"]
    assert "it is advanced after it was used; it raises KeyError: 'buffer'" in found.text


@pytest.mark.slow
def test_a_limit_that_is_another_number_is_told() -> None:
    """RAdam as in the paper, which rectifies from ρ > 4 on; torch does from ρ > 5 on."""

    def step(param: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        t = state["step"] = state.get("step", 0) + 1
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
        v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * grad * grad
        most = 2 / (1 - 0.999) - 1
        rho = most - 2 * t * 0.999**t / (1 - 0.999**t)
        update = m / (1 - 0.9**t)
        if rho > 4:
            r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            update = update * r * math.sqrt(1 - 0.999**t) / (v.sqrt() + 1e-8)
        param.add_(update, alpha=-group["lr"])

    found = conclude(examine(made(step, lr=0.001), {}, ("float64",)), {}, "radam")
    assert "rho > 4 stands for rho > 5" in found.text


@pytest.mark.usefixtures("few_references")
def test_a_step_that_demands_a_closure_gets_one() -> None:
    class WithClosure(made(_descend)):  # type: ignore[misc]
        def step(self, closure: Any) -> Any:
            loss = closure()
            super().step()
            return loss

    assert conclude(examine(WithClosure, {}), {}).family == "SGD(lr=0.01)"


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
    assert found.verdict == "disagree" and "weight_decay = 0.2 is executed, 0.1 was asked" in found.text
    assert [label.partition(",")[0] for label in found.residual] == ["float64", "bfloat16"]


@pytest.mark.slow
def test_what_its_constructor_raises_is_an_error_in_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(FILE.replace("if lr > 1", "if True"))
    found = check_optimizer(Target(str(file), "Own"), {"lr": 2.0})
    assert (found.verdict, found.share) == ("error", math.inf)
    assert "ValueError: lr 2.0 is too large" in found.text


# -- numbers that overflow ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1e308, -1e31, math.inf, 10**400], ids=["1e308", "-1e31", "inf", "10^400"])
def test_a_number_that_float32_cannot_hold_is_refused_before_the_class_is_tried(value: float) -> None:
    with pytest.raises(InputError, match=r"lr=.*: allowed: finite numbers, at most 1e\+30 in size"):
        check("torch.optim:SGD", hyper={"lr": value})


def test_steps_that_overflow_whatever_the_layout_are_no_fault_of_the_layout() -> None:
    assert set(broken(torch.optim.SGD, lr=1e308)) == {"not-finite"}
