"""Classes with another optimizer inside: asked for by name, recognised, and told apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from parity.explain.finding import Diagnosis
from parity.explain.replay import called, replay
from parity.explain.update.trial import UpdateRecord
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import motions
from parity.features.check.optimizer import conclude
from refimpl.optimizers import SGD
from refimpl.optimizers.wrappers import Lookahead

pytestmark = pytest.mark.usefixtures("few_situations")


class LookaheadSGD(torch.optim.SGD):
    """Calls are counted, in the first group; every fifth one pulls all parameters."""

    every, share = 5, 0.5

    def step(self, closure: Any = None) -> Any:
        counted, out = self.param_groups[0], None
        parameters = [p for group in self.param_groups for p in group["params"]]
        for p in parameters:
            if p.grad is not None:
                self.state[p].setdefault("slow", p.detach().clone())
        out = super().step(closure)
        counted["calls"] = counted.get("calls", 0) + 1
        if counted["calls"] % self.every == 0:
            with torch.no_grad():
                for p in (p for p in parameters if "slow" in self.state[p]):
                    p.copy_(self.state[p]["slow"].lerp_(p, self.share))
        return out


class ThirdSGD(LookaheadSGD):
    every, share = 3, 0.3


class OwnStepsSGD(torch.optim.SGD):
    """Each parameter counts its own steps, and is pulled after every third."""

    def step(self, closure: Any = None) -> Any:
        own = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        slow = {p: self.state[p].setdefault("slow", p.detach().clone()) for p in own}
        out = super().step(closure)
        with torch.no_grad():
            for p, s in slow.items():
                self.state[p]["count"] = self.state[p].get("count", 0) + 1
                if self.state[p]["count"] % 3 == 0:
                    p.copy_(s.lerp_(p, 0.5))
        return out


class CautiousAdamW(torch.optim.Optimizer):
    """The mask decides by the sign of m·g."""

    def __init__(self, params: Any, lr: float = 1e-3, weight_decay: float = 1e-2, least: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "least": least})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = 0.9 * state.get("m", torch.zeros_like(p)) + 0.1 * p.grad
                v = state["v"] = 0.999 * state.get("v", torch.zeros_like(p)) + (1 - 0.999) * p.grad**2
                keep = (m * p.grad > 0).to(p.dtype)
                keep /= keep.mean().clamp(min=group["least"])
                step = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * step * keep)
        return loss


class SharpSGD(torch.optim.Optimizer):
    """``back``: how it returns from w + e, which a wrong one does not."""

    back = "kept"

    def __init__(self, params: Any, lr: float = 1e-2, rho: float = 0.05, adaptive: bool = False) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "adaptive": adaptive})

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        with torch.no_grad():
            pairs = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
            scaled = [(p.abs() * p.grad if group["adaptive"] else p.grad).norm() for p, group in pairs]
            length = torch.stack(scaled).norm() + 1e-12
            before = [p.clone() for p, _ in pairs]
            away = [group["rho"] * (p.square() if group["adaptive"] else 1) * p.grad / length for p, group in pairs]
            for (p, _), e in zip(pairs, away, strict=True):
                p.add_(e)
        self.zero_grad()
        closure()
        with torch.no_grad():
            for (p, group), start, e in zip(pairs, before, away, strict=True):
                if self.back:
                    p.copy_(start) if self.back == "kept" else p.sub_(e)
                p.sub_(group["lr"] * p.grad)
        return loss


class SubtractingSharpSGD(SharpSGD):
    back = "subtracted"


class StayingSharpSGD(SharpSGD):
    back = ""


class AtTimesSharpSGD(SharpSGD):
    """After ten steps no second gradient is taken any more."""

    def step(self, closure: Any = None) -> Any:
        group = self.param_groups[0]
        group["calls"] = group.get("calls", 0) + 1
        if group["calls"] <= 10:
            return super().step(closure)
        loss = closure()
        with torch.no_grad():
            for one in self.param_groups:
                for p in one["params"]:
                    if p.grad is not None:
                        p.sub_(one["lr"] * p.grad)
        return loss


class SharpOfGroupsSGD(SharpSGD):
    """The norm is of each group by itself."""

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        kept: list[tuple[Any, Any, float]] = []
        with torch.no_grad():
            for group in self.param_groups:
                mine = [p for p in group["params"] if p.grad is not None]
                length = torch.stack([p.grad.norm() for p in mine]).norm() if mine else 0.0
                kept += [(p, p.clone(), group["lr"]) for p in mine]
                for p in mine:
                    p.add_(0.05 * p.grad / (length + 1e-12))
        self.zero_grad()
        closure()
        with torch.no_grad():
            for p, start, lr in kept:
                p.copy_(start).sub_(lr * p.grad)
        return loss


class SharpOfEachSGD(SharpSGD):
    """The norm is of each parameter by itself."""

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        with torch.no_grad():
            every = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            before = [p.clone() for p in every]
            for p in every:
                p.add_(0.05 * p.grad / (p.grad.norm() + 1e-12))
        self.zero_grad()
        closure()
        with torch.no_grad():
            for p, start in zip(every, before, strict=True):
                p.copy_(start).sub_(self.param_groups[0]["lr"] * p.grad)
        return loss


@cache
def examined(cls: Any, hyper: tuple[tuple[str, Any], ...]) -> Examined:
    return examine(cls, dict(hyper), ("float64", "float32"))


def checked(cls: Any, against: str | None, hyper: Mapping[str, Any]) -> Diagnosis:
    return conclude(examined(cls, tuple(hyper.items())), hyper, against)


DECAY = {"lr": 0.01, "weight_decay": 0.1}


@pytest.mark.parametrize(
    ("cls", "against", "hyper"),
    [
        (LookaheadSGD, "lookahead(sgd, k=5, alpha=0.5)", {"lr": 0.01}),
        (LookaheadSGD, "lookahead(sgd(momentum=0.9))", {"lr": 0.01, "momentum": 0.9}),
        (CautiousAdamW, "cautious(adamw)", DECAY),
        (SharpSGD, "sam(sgd, rho=0.05)", {"lr": 0.01}),
        (SharpSGD, "sam(sgd)", {"lr": 0.01, "rho": 0.2}),
        (SharpSGD, "sam(sgd)", {"lr": 0.01, "rho": 0.5, "adaptive": True}),
        (SubtractingSharpSGD, "sam(sgd)", {"lr": 0.01}),
    ],
    ids=["lookahead", "of-momentum", "cautious", "sam", "rho-asked", "adaptive", "goes-back-by-subtraction"],
)
def test_a_class_that_is_a_wrapper_agrees_with_it_in_training_too(
    cls: Any, against: str, hyper: Mapping[str, Any]
) -> None:
    found = checked(cls, against, hyper)
    assert (found.verdict, found.findings) == ("agree", ()), found.text
    assert 0.01 < found.share <= 1 and "situations of training" in found.text


@pytest.mark.parametrize(
    ("cls", "against", "hyper", "id", "said"),
    [
        (LookaheadSGD, "lookahead(sgd, k=4)", {"lr": 0.01}, "k-other", "k = 5, asked 4"),
        (LookaheadSGD, "lookahead(sgd, alpha=0.25)", {"lr": 0.01}, "alpha-other", "alpha = 0.5, asked 0.25"),
        (LookaheadSGD, "lookahead(sgd, k=3, alpha=0.25)", {"lr": 0.01}, "k-other+alpha-other", "k = 5, asked 3"),
        (LookaheadSGD, "cautious(sgd)", {"lr": 0.01}, "update", "the update is not that of cautious(sgd)"),
        (torch.optim.SGD, "lookahead(sgd)", {"lr": 0.01}, "wrapper-absent", "SGD(lr=0.01) alone, without Lookahead"),
        (ThirdSGD, "lookahead(sgd, k=3)", {"lr": 0.01}, "alpha-other", "alpha = 0.3, asked 0.5"),
        (CautiousAdamW, "adamw", DECAY, "direction-cautious-rescaled", "the update is cautious"),
        (CautiousAdamW, "cautious(adamw, least=0.5)", DECAY, "update", "not that of cautious(adamw)"),
        (SharpSGD, "sgd", {"lr": 0.01}, "gradient-sharpness-aware", "sharpness-aware minimisation (SAM)"),
        (SharpSGD, "sam(sgd, rho=0.1)", {"lr": 0.01}, "sam-elsewhere", "not taken at w + e of SAM"),
        (SharpSGD, "sam(sgd, adaptive=True)", {"lr": 0.01}, "sam-elsewhere", "not taken at w + e of SAM"),
        (SharpOfEachSGD, "sam(sgd)", {"lr": 0.01}, "sam-elsewhere", "not taken at w + e"),
        (StayingSharpSGD, "sam(sgd)", {"lr": 0.01}, "sam-not-back", "does not go back"),
        (SharpSGD, "sam(sgd(weight_decay=0.5))", {"lr": 0.01}, "penalty-missing", "no weight decay"),
        (torch.optim.SGD, "sam(sgd)", {"lr": 0.01}, "sam-absent", "no second gradient is taken"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else "of",
)
def test_what_is_not_the_wrapper_asked_for_is_named(
    cls: Any, against: str, hyper: Mapping[str, Any], id: str, said: str
) -> None:
    found = checked(cls, against, hyper)
    assert found.verdict == "disagree" and found.findings[0].id == id, (found.findings[0].id, found.text)
    assert said in found.text, found.text


def test_a_lookahead_that_counts_the_steps_of_each_parameter_follows_its_reference_too() -> None:
    found = checked(OwnStepsSGD, "lookahead(sgd, k=3)", {"lr": 0.01})
    assert 0.01 < found.share <= 1, found.text


def test_a_second_gradient_that_is_left_out_in_some_steps_is_found() -> None:
    (finding,) = checked(AtTimesSharpSGD, "sam(sgd)", {"lr": 0.01}).findings
    assert finding.id == "sam-elsewhere" and "in step 10: e = 0," in finding.evidence


def test_a_norm_that_is_of_each_group_is_seen_where_there_are_several() -> None:
    found = checked(SharpOfGroupsSGD, "sam(sgd)", {"lr": 0.01})
    assert found.share <= 1 and "where each group has a rate" in found.text, found.text


@pytest.mark.parametrize("cls", [LookaheadSGD, ThirdSGD])
def test_a_reference_driven_here_makes_the_steps_of_the_class(cls: Any) -> None:
    """Independent of the judge: plain steps, with the rate that changes and the late parameter, whose calls count."""
    rule = Lookahead(inner=SGD(lr=0.01), k=cls.every, alpha=cls.share)
    played = examined(cls, (("lr", 0.01),)).runs["drawn"]
    for motion in motions(played, "float64"):
        if motion.parameter not in played.late or played.late[motion.parameter] % cls.every == 0:
            expected = UpdateRecord(motion, rule).predicted(rule)
            np.testing.assert_allclose(motion.weights[1:], expected, rtol=0, atol=1e-12)
        assert max(np.max(piece.share) for piece in replay(rule, motion)) <= 1


def test_what_was_pulled_while_it_had_no_gradient_begins_from_where_it_is() -> None:
    rule, start, here = Lookahead(inner=SGD(lr=0.5), k=3), np.zeros((1, 2)), np.ones((1, 2))
    before = {"slow": start, "fast_steps": np.array([2])}
    pulled, not_yet = (called(rule, here, before, calls) for calls in (4, 2))
    assert np.array_equal(pulled["slow"], here) and pulled["fast_steps"] == 4
    assert np.array_equal(not_yet["slow"], start) and not_yet["fast_steps"] == 2
