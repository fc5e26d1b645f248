"""A schedule in an experiment: torch agrees, faults are caught, and steps and decay have the rate of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import parity.backends.torch_autograd as torch_autograd
from parity.backends.torch_schedules import torch_schedule
from parity.features.verify.schedules import SCHEDULES, ScheduleCase, run_schedule
from parity.judge.update import Update
from parity.judge.update import check as check_update
from parity.step.arithmetics import Rounding
from parity.step.rates import in_effect
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.errors import RefimplError
from refimpl.optimizers import SGD, Adam, ProximalSGD
from refimpl.schedules import (
    ConstantFactor,
    CosineAnnealing,
    CosineAnnealingWarmRestarts,
    Cyclic,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
)
from refimpl.training import hyper_parameters, scheduled
from tests.parity.labels import label

FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


# -- in an experiment -------------------------------------------------------------------------------------------------

IN_EXPERIMENTS = [
    MultiStep(milestones=(1, 2)),
    ConstantFactor(total_iters=4, per="step"),
    Linear(total_iters=7, per="step"),
    Linear(end_factor=0.2, total_iters=2),
    Polynomial(total_iters=11, power=0.9, per="step"),
    CosineAnnealing(T_max=4, eta_min=0.001, per="step"),
    CosineAnnealing(T_max=2),
    CosineAnnealingWarmRestarts(T_0=2, T_mult=2, per="step"),
    OneCycle(max_lr=0.02, total_steps=20),
    OneCycle(max_lr=0.02, epochs=4, steps_per_epoch=3, three_phase=True, anneal_strategy="linear"),
    Cyclic(base_lr=0.001, max_lr=0.02, step_size_up=3, mode="triangular2"),
    Cyclic(base_lr=0.001, max_lr=0.02, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False),
]


@pytest.mark.parametrize("schedule", IN_EXPERIMENTS, ids=label)
def test_torch_agrees_in_a_whole_experiment(schedule: Any, bench: Any) -> None:
    experiment = bench.experiment(schedule=schedule, optimizer=SGD(lr=0.01, momentum=0.9))
    for formulation, dtype in (("weight_decay", "float64"), ("weight_decay", "float32"), ("manual", "float64")):
        verdict = bench.judge(experiment, dtype=dtype, formulation=formulation)
        moot = {"schedule.final_div_factor"}  # of the last phase, where the run does not reach it
        assert verdict.name in ("agree", "undecidable") and set(verdict.undecidable) <= moot, verdict.text


@pytest.mark.parametrize(
    "schedule",
    [Exponential(gamma=0.9, per="step"), Linear(total_iters=7, per="step"), CosineAnnealing(T_max=40, per="step")],
    ids=label,
)
def test_a_scheduler_that_is_late_early_or_slow_is_caught_in_a_whole_experiment(
    schedule: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = bench.experiment(schedule=schedule)
    assert bench.judge(experiment).name == "agree"

    class Wrapped:
        """Passes on some of its calls."""

        def __init__(self, scheduler: Any, calls: Iterator[int]) -> None:
            self.scheduler, self.calls = scheduler, calls

        def step(self) -> None:
            for _ in range(next(self.calls)):
                self.scheduler.step()

    for calls in ([0, 1, 1, 1, 1, 1, 1, 1, 1], [2, 1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1] * 3):
        monkeypatch.setattr(
            torch_autograd, "torch_schedule", lambda s, o, calls=calls: Wrapped(torch_schedule(s, o), iter(calls))
        )
        verdict = bench.judge(experiment)
        assert verdict.name == "disagree" and "update" in verdict.text


def test_a_schedule_that_does_not_fit_is_refused_when_the_experiment_is_made_or_drawn(bench: Any) -> None:
    with pytest.raises(RefimplError, match="cycle_momentum: given True; allowed: an optimizer with momentum or betas"):
        bench.experiment(schedule=OneCycle(max_lr=0.1, total_steps=20), optimizer=ProximalSGD(lr=0.1))
    short = bench.experiment(schedule=OneCycle(max_lr=0.1, total_steps=5), batches=Batches(size=5))
    with pytest.raises(RefimplError, match="total_steps: given 5; allowed: at least 8"):
        short.draw()


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if not isinstance(s, Cyclic | OneCycle)], ids=label)
def test_the_bound_of_a_free_run_covers_torchs_recursion_and_the_closed_form(schedule: Any) -> None:
    counts = np.arange(41)
    optimizer = SGD(lr=0.1, momentum=0.9)
    bound: Any = in_effect(optimizer, schedule, counts.reshape(-1, 1), Rounding(FLOAT64)).lr  # type: ignore[attr-defined]
    value, error = (np.broadcast_to(np.asarray(x), (41, 1))[:, 0] for x in (bound.value, bound.error))
    closed = np.array([scheduled(optimizer, schedule, k).lr for k in range(41)])  # type: ignore[attr-defined]
    torchs = run_schedule(ScheduleCase(schedule=schedule))[0].values["lr"]
    for found in (closed, torchs):
        assert np.all(np.abs(found - value) <= error)
    assert np.all(error <= 1e-11)


# -- what a schedule does to decay ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("SGD", SGD(lr=0.1, weight_decay=0.3)),
        ("SGD", SGD(lr=0.1, weight_decay=0.3, momentum=0.9)),
        ("AdamW", Adam(lr=0.1, weight_decay=0.3, decoupled_weight_decay=True)),
        ("Adam", Adam(lr=0.1, weight_decay=0.3)),
    ],
    ids=label,
)
@pytest.mark.parametrize(
    "schedule",
    [CosineAnnealing(T_max=17), OneCycle(max_lr=0.5, total_steps=20)],
    ids=label,
)
def test_the_rate_of_the_moment_is_in_the_step_and_in_the_decay(name: str, reference: Any, schedule: Any) -> None:
    """Every step of torch is the reference's with the rate of its schedule, and not with that of a step later."""
    rng = np.random.default_rng(0)
    w = torch.tensor(rng.standard_normal(17), requires_grad=True)
    options = {k: v for k, v in hyper_parameters(reference).items() if k not in ("lr", "eps", "dampening")}
    made = {"SGD": torch.optim.SGD, "AdamW": torch.optim.AdamW, "Adam": torch.optim.Adam}[name]
    optimizer = made([w], lr=0.1, foreach=False, **options)
    scheduler = torch_schedule(schedule, optimizer)
    assert scheduler is not None
    late = []
    for k in range(9):
        w.grad = torch.tensor(rng.standard_normal(17)) if k % 3 else torch.zeros(17, dtype=torch.float64)
        before, state = w.detach().numpy().copy(), recorded_state(optimizer, w)
        optimizer.step()
        common: dict[str, Any] = {
            "parameter": "w",
            "number": k,
            "profile": FLOAT64,
            "before": before[None],
            "gradient": w.grad.numpy()[None].copy(),
            "state": state,
            "after": w.detach().numpy()[None].copy(),
            "state_after": recorded_state(optimizer, w),
        }
        common["formats"] = dict.fromkeys(("param", *common["state_after"]), "float64")
        now = Update(optimizer=in_effect(reference, schedule, np.array([k]), Rounding(FLOAT64)), **common)
        assert all(np.all(expected.share <= 1) for expected in check_update(now))
        then = Update(optimizer=in_effect(reference, schedule, np.array([k + 1]), Rounding(FLOAT64)), **common)
        late.append(any(np.any(expected.share > 1) for expected in check_update(then)))
        if reference.decay == "decoupled" or (name == "SGD" and not options["momentum"]):
            shrunk = before - w.detach().numpy()
            product = float(scheduled(reference, schedule, k).lr) * 0.3  # type: ignore[attr-defined]
            if k == 0:  # no gradient yet: w ← w(1 − ηλ)
                np.testing.assert_allclose(shrunk / before, product, rtol=1e-13)
        scheduler.step()
    assert all(late)


def recorded_state(optimizer: Any, w: Any) -> dict[str, Any]:
    state = {k: v for k, v in optimizer.state[w].items() if isinstance(v, torch.Tensor)}
    return {k: v.detach().double().numpy().copy().reshape((1,) if v.ndim == 0 else (1, -1)) for k, v in state.items()}
