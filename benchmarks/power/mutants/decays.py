"""Wrong weight decay: where it happens, and what it is multiplied by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from benchmarks.power.mutants.mutant import L2, Mutant
from benchmarks.power.mutants.training import Training


class ByHand(Training):
    """Neither in the loss nor in the optimizer: whoever inherits shrinks the weights in a line of its own."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return net.weight.new_zeros(())

    def decay(self) -> float:
        return 0.0

    @torch.no_grad()
    def shrink(self, net: nn.Linear, rate: float) -> None:
        """w ← w(1 − rate·λ), of the parameters that the experiment penalises."""
        for parameter in [net.weight] if self.task.l2 else net.parameters():
            parameter.mul_(1 - rate * (self.task.l2 or super().decay()))


class DecayNotTimesLr(ByHand):
    """w ← w − λw after the step: the learning rate is forgotten."""

    def after_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        self.shrink(net, 1.0)


class DecayTimesLrTwice(ByHand):
    """λ was multiplied by the learning rate before it came to the line that does so."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        lr = optimizer.param_groups[0]["lr"]
        self.shrink(net, lr * lr)


class DecayNotScheduled(ByHand):
    """ηλ was computed once, before the schedule moved η."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del optimizer
        self.shrink(net, self.task.lr)


class DecoupledForCoupled(ByHand):
    """Decay beside the step, as AdamW has it, where the penalty is part of the loss."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        self.shrink(net, optimizer.param_groups[0]["lr"])


class CoupledForDecoupled(Training):
    """``Adam(weight_decay=λ)`` for AdamW."""

    def optimizer(self, net: nn.Linear) -> Optimizer:
        return Adam(net.parameters(), **self.options(), weight_decay=self.decay())


class PenaltyInLossAndOptimizer(Training):
    """The penalty is in the loss, and once more in ``weight_decay``, which reaches the bias too."""

    def decay(self) -> float:
        return self.task.l2


class PenaltyNotOnBias(Training):
    """A parameter group without decay for the bias, where everything is to be decayed."""

    def optimizer(self, net: nn.Linear) -> Optimizer:
        optimizer = super().optimizer(net)
        group = optimizer.param_groups[0]
        weight, *others = group["params"]
        group["params"] = [weight]
        optimizer.add_param_group({"params": others, "weight_decay": 0.0})
        return optimizer


class DecayExtra(Training):
    """AdamW for Adam, with the decay that AdamW has by default."""

    def optimizer(self, net: nn.Linear) -> Optimizer:
        options = self.options()
        del options["decoupled_weight_decay"]  # which makes Adam AdamW
        return AdamW(net.parameters(), **options)


MUTANTS = (
    Mutant("decay-not-times-lr", DecayNotTimesLr, ("check-sgd", "check-adamw")),
    Mutant("decay-times-lr-twice", DecayTimesLrTwice, ("check-sgd", "check-adamw")),
    Mutant("decay-not-scheduled", DecayNotScheduled, ("check-schedule-epoch", "check-adamw-schedule")),
    Mutant("decoupled-for-coupled", DecoupledForCoupled, ("check-momentum", "check-nesterov", "check-adam")),
    Mutant("coupled-for-decoupled", CoupledForDecoupled, ("check-adamw", "check-adamw-schedule")),
    Mutant("penalty-in-loss-and-optimizer", PenaltyInLossAndOptimizer, L2),
    Mutant("penalty-not-on-bias", PenaltyNotOnBias, ("check-adamw", "check-adamw-schedule")),
    Mutant("decay-extra", DecayExtra, ("check-plain-adam",)),
)
