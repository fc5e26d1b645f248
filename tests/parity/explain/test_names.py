"""A faulty program gets the name of what is wrong in it, from its steps as they are seen from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from torch import nn

import parity
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from refimpl.schedules import Linear
from tests.parity.explain.programs import (
    AddedTwice,
    LocalSGD,
    NotRestored,
    Packed,
    Prefetching,
    Program,
    SharpnessAware,
    alternate,
    averaged,
    base_point,
    by_hand,
    clipped_each,
    counted_anew,
    decay_of_optimizer,
    faulty,
    filled_up,
    half,
    halved,
    in_other_units,
    largest,
    lazily,
    linear_scaling,
    lost,
    mean_of_means,
    on_gradients,
    on_weights,
    one_late,
    padded,
    rate,
    replaced,
    towards_start,
    weight_norm,
)

FAULTS: Sequence[tuple[str, str, Program]] = [
    ("rows-mean-of-means", "check-sgd", faulty(loss=mean_of_means)),
    ("rows-repeated", "check-sgd", faulty(rows=padded)),
    ("rows-dropped", "check-sgd", faulty(loss=lambda self, out, y: half(out[1:], y[1:]))),
    (
        "accumulation-short-window",
        "check-sgd",
        faulty(loss=lambda self, out, y: half(out, y) * -(-len(y) // 2) / 3),
    ),
    ("loss-over-all-rows", "check-sgd", faulty(loss=lambda self, out, y: half(out, y) * len(y) / 22)),
    ("loss-variance", "check-plain", faulty(loss=lambda self, out, y: 0.5 * (out - y).var(unbiased=False))),
    ("loss-rectified-output", "check-plain", faulty(forward=lambda self, net, X: net(X).relu())),
    ("loss-huber", "check-sgd", faulty(loss=lambda self, out, y: nn.functional.huber_loss(out, y, delta=0.5))),
    ("targets-truncated", "check-plain", faulty(data=lambda self: (self.task.X, self.task.y.trunc()))),
    ("targets-shuffled", "check-sgd", faulty(data=lambda self: (self.task.X, self.task.y.roll(3, 0)))),
    ("targets-shifted-in-batch", "check-sgd", faulty(loss=lambda self, out, y: half(out[:-1], y[1:]))),
    ("features-centred-per-batch", "check-mse", faulty(forward=lambda self, net, X: net(X - X.mean(0)))),
    ("gradient-sharpness-aware", "check-sgd", lambda task: SharpnessAware(task).run()),
    ("gradient-left-over", "check-sgd", faulty(zero_grad=lambda self, net: self.batch % 2 or net.zero_grad())),
    ("gradient-clipped-each", "check-sgd", on_gradients(clipped_each)),
    (
        "gradient-clipped-before-decay",
        "check-sgd",
        faulty(
            penalty=lambda self, net: 0.0,
            optimizer=decay_of_optimizer,
            before_step=lambda self, net, _: nn.utils.clip_grad_norm_(net.parameters(), 1.0),
        ),
    ),
    ("gradient-centralised", "check-sgd", on_gradients(lambda self, net: net.weight.grad.sub_(net.weight.grad.mean()))),
    ("gradient-masked", "check-adamw", on_gradients(lambda self, net: net.weight.grad[:, 3:7].zero_())),
    ("gradient-float16", "check-sgd", on_gradients(halved)),
    ("bias-gradient-mean", "check-sgd", on_gradients(lambda self, net: net.bias.grad.div_(self.size))),
    ("penalty-towards-start", "check-sgd", faulty(penalty=towards_start)),
    ("schedule-stretched", "check-schedule", rate(lambda t: 0.7 ** (4 * t // 3))),
    ("schedule-restarted", "check-schedule", rate(lambda t: 0.7 ** (t % 10 // 3))),
    ("schedule-rebuilt", "check-schedule-epoch", rate(lambda epoch: 1.0 if epoch == 2 else 0.7**epoch)),
    ("schedule-continuous", "check-schedule", rate(lambda t: 0.7 ** (t / 3))),
    ("schedule-warm-up-from-zero", "warm-up", rate(lambda t: min(t / 4, 1.0))),
    ("lr-linear-scaling", "check-sgd", faulty(before_step=linear_scaling)),
    ("steps-skipped", "check-sgd", faulty(step=lambda self, optimizer: self.batch == 2 or optimizer.step())),
    (
        "optimizers-alternate",
        "check-momentum",
        faulty(optimizer=alternate, step=lambda self, both: both[(self.epoch + self.batch) % 2].step()),
    ),
    (
        "weights-written-between-steps",
        "check-sgd",
        on_weights("zero_grad", lambda self, w: w.mul_(0.9 if self.batch == 2 else 1)),
    ),
    ("weights-written-after-step", "check-sgd", on_weights("after_step", lambda self, w: w.clamp_(-0.4, 0.4))),
    ("weights-shrink", "check-sgd", by_hand(lambda w, before: w.sub_(0.01 * before))),
    ("weights-shrink-after-step", "check-sgd", by_hand(lambda w, before: w.mul_(0.99))),
    ("weights-averaged", "check-sgd", averaged),
    ("weights-averaged", "check-nesterov", base_point),
    ("weights-averaged", "check-adamw", one_late),
    ("weight-norm", "check-plain", weight_norm),
    ("weights-written-between-steps", "check-sgd", lambda task: AddedTwice(task).run()),
    ("gradient-in-other-units", "check-plain", in_other_units),
    ("rows-of-short-batches", "check-sum", faulty(rows=filled_up)),
    ("penalty-l1-as-measured", "check-l1", faulty(penalty=lazily)),
    ("penalty-norm", "check-l1", faulty(penalty=lambda self, net: self.task.l1 * net.weight.norm())),
    ("lr-times-from-on", "check-schedule", rate(lambda t: 0.7 ** (t // 3) * (0.49 if t > 7 else 1))),
    ("rows-paired-otherwise", "check-sgd", lambda task: Prefetching(task).run()),
    ("gradient-at-weights-of-epoch-outputs", "check-sgd", lambda task: Packed(task).run()),
    ("optimizer-holds-other-tensors", "check-sgd", faulty(after_step=replaced)),
    ("stepped-from-earlier-weights", "check-sgd", lambda task: NotRestored(task).run()),
    (
        "weights-written-between-steps",
        "check-sgd",
        lambda task: type("Seen", (NotRestored,), {"by_hand": False})(task).run(),
    ),
    ("penalty-of-largest", "check-sgd", faulty(penalty=largest)),
    ("schedule-counts-anew", "check-schedule", rate(counted_anew)),
    ("state-lost", "check-momentum", faulty(before_step=lost)),
]


LONG = ("schedule-restarted", "schedule-rebuilt", "state-lost")
"""Faults that need the four epochs of their experiments; the others show in two."""


@pytest.mark.parametrize(("name", "against", "program"), FAULTS, ids=[name for name, *_ in FAULTS])
def test_a_fault_is_named_first(name: str, against: str, program: Program) -> None:
    asked = parity.load("check-sgd" if against == "warm-up" else against)
    asked = asked if name in LONG else replace(asked, epochs=2)
    if against == "warm-up":
        asked = replace(asked, schedule=Linear(start_factor=0.25, end_factor=1.0, total_iters=3, per="step"))
    trajectory, observed = trajectory_here(program, asked, "float32")
    diagnosis = diagnose(asked, trajectory, observed=observed)
    assert diagnosis.verdict == "disagree"
    assert [finding.id for finding in diagnosis.findings] == [name], diagnosis.text


@pytest.mark.slow
def test_two_causes_of_one_gradient_are_both_named() -> None:
    program = faulty(
        data=lambda self: (self.task.X - self.task.X.mean(0), self.task.y),
        before_step=lambda self, net, _: nn.utils.clip_grad_value_(net.parameters(), 0.1),
    )
    asked = parity.load("check-momentum")
    trajectory, observed = trajectory_here(program, asked, "float64")
    named = {finding.id for finding in diagnose(asked, trajectory, observed=observed).findings}
    assert named == {"features-centred", "gradient-clipped-by-value"}


def test_batches_that_were_left_out_are_named() -> None:
    program = faulty(rows=lambda self, epoch: self.task.rows[epoch][2 if epoch > 1 else 0 :])
    asked = parity.load("check-plain")
    trajectory, observed = trajectory_here(program, asked, "float64")
    text = diagnose(asked, trajectory, observed=observed).text
    assert text.startswith("batches that were handed out are not trained on: 0, 1 of epoch 2 and 0, 1 of epoch 3")


@pytest.mark.slow
def test_replicas_that_step_by_themselves_and_are_averaged_are_told() -> None:
    asked = replace(parity.load("check-momentum"), epochs=2)
    trajectory, observed = trajectory_here(lambda task: LocalSGD(task).run(), asked, "float64")
    assert "with the mean over replicas" in diagnose(asked, trajectory, observed=observed).text
