"""References that share numbers among all parameters, held to torch code of the same rule, and to code that is not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from parity.backends.reference import run_reference
from parity.errors import InputError
from parity.explain.feeds import SHAPES, Played, downhill
from parity.explain.names.update import _optimizer
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.findings import of_update
from parity.features.check.held import parse_against, wanted
from parity.features.check.identify import judge
from parity.features.check.life.judged import judge_life
from parity.features.check.optimizer import conclude
from parity.features.watch.references import reference_for
from parity.judge.verdict import judge as judge_run
from parity.step.design import as_asked
from parity.step.free import simulate
from refimpl.optimizers import DAdaptAdam
from refimpl.optimizers import Prodigy as Reference
from refimpl.optimizers.wrappers import SAM
from refimpl.schedules import Step
from tests.parity.check.conftest import Through

HYPER: dict[str, Any] = {"betas": (0.8, 0.9), "weight_decay": 0.1, "d0": 0.01}


class Prodigy(torch.optim.Optimizer):
    """As one writes it: two passes over all parameters, sums in Python numbers, d and r of the first group."""

    decouple = True

    def __init__(
        self, params: Any, lr: float = 1.0, betas: Any = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0,
        d0: float = 1e-6,
    ) -> None:  # fmt: skip
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "d0": d0, "d": d0}
        )
        self.r = 0.0

    def number(self, x: torch.Tensor) -> Any:
        return x.item()

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        d, d0 = self.param_groups[0]["d"], self.param_groups[0]["d0"]
        moved = [(g, p) for g in self.param_groups for p in g["params"] if p.grad is not None]
        product = length = 0
        for group, p in moved:
            (b1, b2), s = group["betas"], self.state[p]
            if not s:
                s["p0"] = p.clone()
                s["m"], s["v"], s["s"] = (torch.zeros_like(p) for _ in range(3))
            g = p.grad if self.decouple else p.grad + group["weight_decay"] * p
            s["m"] = b1 * s["m"] + d * (1 - b1) * g
            s["v"] = b2 * s["v"] + d * d * (1 - b2) * g * g
            s["s"] = math.sqrt(b2) * s["s"] + d / d0 * (d * group["lr"]) * g
            product += d / d0 * (d * group["lr"]) * self.number(torch.dot(g.flatten(), (s["p0"] - p).flatten()))
            length += self.number(s["s"].abs().sum())
        if length == 0:
            return
        self.r = math.sqrt(self.param_groups[0]["betas"][1]) * self.r + product
        found = max(d, float(self.r / length))
        for group, p in moved:
            s = self.state[p]
            if self.decouple:
                p.mul_(1 - d * group["lr"] * group["weight_decay"])
            p.sub_(d * group["lr"] * s["m"] / (s["v"].sqrt() + found * group["eps"]))
        for group in self.param_groups:
            group["d"] = found


class InFloat32(Prodigy):
    """Its sums are tensors of the default dtype."""

    def number(self, x: torch.Tensor) -> Any:
        return x.to(torch.float32)


class Apart(torch.optim.Optimizer):
    """Each parameter has an optimizer, and so a distance, of its own."""

    def __init__(self, params: Any, **hyper: Any) -> None:
        params = list(params)
        super().__init__(params, {"lr": 1.0} | hyper)
        self.each = [Prodigy([p], **hyper) for p in params]

    def step(self) -> None:  # type: ignore[override]
        for one in self.each:
            one.param_groups[0]["lr"] = self.param_groups[0]["lr"]
            one.step()


class Coupled(Prodigy):
    decouple = False


def played(cls: Any, dtype: str = "float64") -> Played:
    return Driver(cls, HYPER, dtype).play(downhill(SHAPES))


def held_to(run: Played, **changes: Any) -> dict[str, Any]:
    return dict.fromkeys(run.weights, replace(Reference(**HYPER), **changes))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_class_that_shares_its_distance_agrees_and_uses_its_bounds(dtype: str) -> None:
    run = played(Prodigy, dtype)
    found = judge(held_to(run), run, dtype)
    assert 0.1 < found.share <= 1 and found.count == 24 * (33 + 33 + 1 + 33) + 19 * 10
    assert found.steps.min() > 0.01  # no bound is an empty one, however far the distance has grown
    off = judge(held_to(run, d_coef=1 + {"float64": 1e-13, "float32": 1e-4}[dtype]), run, dtype)
    assert off.share > 1  # the distance has grown, and is seen


def test_a_distance_for_each_parameter_is_another_rule() -> None:
    run = played(Apart)
    found = judge(held_to(run), run, "float64")
    (finding,) = of_update(held_to(run), run, found)
    assert found.share > 1e3 and finding.id == "update"


def test_sums_in_float32_have_a_name() -> None:
    run = played(InFloat32)
    found = judge(held_to(run), run, "float64", float32=True)
    (finding,) = of_update(held_to(run), run, found)
    assert found.share > 1 and finding.id == "float32-sums"


def test_an_option_that_was_not_asked_has_a_name() -> None:
    run = played(Coupled)
    (finding,) = of_update(held_to(run), run, judge(held_to(run), run, "float64"))
    assert finding.id == "option-decoupled_weight_decay"


def test_numbers_of_the_first_group_have_a_name() -> None:
    run = played(Prodigy)
    held = held_to(run) | {"vector": Reference(**(HYPER | {"betas": (0.5, 0.9)}))}
    (finding,) = of_update(held, run, judge(held, run, "float64"))
    assert finding.id == "numbers-of-the-first-group"


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Prodigy, Coupled])
def test_a_class_is_held_to_the_options_that_fit_in_all_of_training(cls: Any) -> None:
    named = type("Prodigy", (cls,), {})
    found = conclude(examine(named, HYPER, ("float64", "float32")), HYPER)
    assert found.family.startswith("Prodigy(lr=1.0") and found.share <= 1
    assert ("decoupled_weight_decay=False" in found.family) == (cls is Coupled)
    assert {one.id for one in found.findings} <= {"numbers-of-the-first-group"}  # d is that of the first group's β₂


def test_only_sam_is_put_around_a_reference_of_all_parameters() -> None:
    assert isinstance(wanted(parse_against("sam(prodigy)"), {}, {}), SAM)
    with pytest.raises(InputError, match=r"lookahead: is not put around prodigy here, .*; ask for prodigy alone$"):
        wanted(parse_against("lookahead(prodigy)"), {}, {})


def test_a_limit_that_is_none_is_no_number_that_was_recorded() -> None:
    given = {"lr": np.ones(3), "d_coef": np.full(3, 1.01), "growth_rate": np.full(3, np.inf)}
    assert _optimizer(Reference, given, Reference()) == Reference(d_coef=1.01)


def test_watch_says_that_it_judges_each_parameter_by_itself() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    for given in (Reference, Reference()):
        with pytest.raises(InputError, match=r"^reference=Prodigy: shares numbers among all parameters"):
            reference_for(optimizer, given)


@pytest.mark.parametrize("rule", [Reference(lr=0.5, d0=1e-4), DAdaptAdam(d0=1e-4)], ids=["prodigy", "dadapt"])
def test_a_run_of_an_experiment_has_one_distance_for_weight_and_bias(rule: Any, bench: Any) -> None:
    """Judged from the recorded states, and, where none were recorded, from states that are replayed."""
    experiment = bench.experiment(optimizer=rule, penalties=(), schedule=Step(step_size=1, gamma=0.95, per="step"))
    run = run_reference(experiment, "loss")
    run = replace(run, inputs=experiment.draw().inputs, meta={"dtype": "float64"})
    assert np.array_equal(run.state["weight"]["d"], run.state["bias"]["d"]) and run.state["bias"]["d"][-1] > 1e-4
    for one in (run, replace(run, state={}, gradients={})):
        assert judge_run(experiment, one).name == "agree"
        other = replace(experiment, optimizer=replace(rule, d0=1.0001e-4))
        assert judge_run(other, one).name == "disagree"
    found = simulate(as_asked(experiment))
    np.testing.assert_allclose(found.weights["bias"][-1], run.params["bias"][-1], rtol=1e-12)


def test_a_thousand_steps_are_said_not_to_be_judged(through: Through) -> None:
    """Their bounds grow, and each would be replayed twice."""
    through("thousand")
    examined = examine(Prodigy, HYPER, ("float64",))
    life = judge_life(examined, dict.fromkeys(examined.parameters, Reference(**HYPER)), ("float64",))
    assert life.situations == 0 and not life.findings and "thousand (bounds of sums" in " ".join(life.notes)
