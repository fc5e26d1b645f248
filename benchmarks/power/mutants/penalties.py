"""Wrong penalties: the factor, the norm, the parameters they are of. Where the decay is the optimizer's: decays.py."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.power.mutants.mutant import L2, PLAIN, Mutant
from benchmarks.power.mutants.training import Training


class PenaltyMissing(Training):
    """No penalty at all."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return net.weight.new_zeros(())

    def decay(self) -> float:
        return 0.0


class PenaltyHalved(Training):
    """λ/4·‖w‖²: the ½ of the formula is taken for one that λ needs too."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 0.5 * super().penalty(net)

    def decay(self) -> float:
        return 0.5 * super().decay()


class PenaltyDoubled(Training):
    """λ·‖w‖²: the ½ is forgotten."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 2 * super().penalty(net)

    def decay(self) -> float:
        return 2 * super().decay()


class PenaltyOverRows(Training):
    """Divided by the number of training rows, as some textbooks define λ."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return super().penalty(net) / len(self.task.y)


class PenaltyOverFeatures(Training):
    """The mean of the squares for their sum."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 0.5 * self.task.l2 * net.weight.square().mean()


class PenaltyOverBatch(Training):
    """Inside the mean: divided by the number of rows of the batch."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return super().penalty(net) / self.size


class PenaltyTimesBatch(Training):
    """Added once for every row of the batch."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return super().penalty(net) * self.size


class PenaltyOncePerEpoch(Training):
    """Only the first batch of an epoch is penalised."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return super().penalty(net) if self.batch == 0 else net.weight.new_zeros(())


class PenaltyLastBatchOfEpoch(Training):
    """Only the last batch of an epoch is penalised."""

    def penalty(self, net: nn.Linear) -> Tensor:
        last = self.batch == len(self.rows(self.epoch)) - 1
        return super().penalty(net) if last else net.weight.new_zeros(())


class PenaltyWrongSign(Training):
    """Subtracted from the loss: weights are pushed away from 0."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return -super().penalty(net)


class PenaltyNormNotSquared(Training):
    """λ/2·‖w‖ instead of λ/2·‖w‖²."""

    def penalty(self, net: nn.Linear) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(net.weight)
        return 0.5 * self.task.l2 * norm


class PenaltyNormNotHalved(Training):
    """λ·‖w‖ instead of λ/2·‖w‖²: ``torch.norm`` is taken for the penalty."""

    def penalty(self, net: nn.Linear) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(net.weight)
        return self.task.l2 * norm


class PenaltySumOfWeights(Training):
    """λ·Σw: neither squared nor absolute."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return (self.task.l2 + self.task.l1) * net.weight.sum()


class PenaltyL1ForL2(Training):
    """λ·‖w‖₁ instead of λ/2·‖w‖²."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return self.task.l2 * net.weight.abs().sum()


class PenaltyL2ForL1(Training):
    """λ/2·‖w‖² instead of λ·‖w‖₁."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 0.5 * self.task.l1 * net.weight.square().sum()


class PenaltyOnBiasToo(Training):
    """Summed over ``net.parameters()``, of which the bias is one."""

    def penalty(self, net: nn.Linear) -> Tensor:
        total = net.weight.new_zeros(())
        for parameter in net.parameters():
            total = total + 0.5 * self.task.l2 * parameter.square().sum() + self.task.l1 * parameter.abs().sum()
        return total


class PenaltyOnBiasOnly(Training):
    """The condition that was to leave the bias out leaves the weight out."""

    def penalty(self, net: nn.Linear) -> Tensor:
        total = net.weight.new_zeros(())
        for name, parameter in net.named_parameters():
            if name == "bias":
                total = total + 0.5 * self.task.l2 * parameter.square().sum() + self.task.l1 * parameter.abs().sum()
        return total


class PenaltyDetached(Training):
    """The penalty of ``weight.data`` is in the loss, and no gradient comes of it, as if it were missing."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return super().penalty(net).detach()


class PenaltyOtherStrength(Training):
    """λ from another experiment."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 1.7 * super().penalty(net)

    def decay(self) -> float:
        return 1.7 * super().decay()


class PenaltyExtra(Training):
    """A parameter group with ``weight_decay`` for the weight, where nothing is to be decayed."""

    def optimizer(self, net: nn.Linear) -> Optimizer:
        weight, *others = net.parameters()
        groups = [{"params": [weight], "weight_decay": 0.2}, {"params": others}]
        made: Optimizer = getattr(torch.optim, self.kind)(groups, **self.options())
        return made


class PenaltyExtraOnAll(Training):
    """``weight_decay`` for ``net.parameters()``, where nothing is to be decayed."""

    def decay(self) -> float:
        return 0.2


class PenaltyExtraL1(Training):
    """‖w‖₁ in the loss, where no penalty is asked for."""

    def penalty(self, net: nn.Linear) -> Tensor:
        return 0.05 * net.weight.abs().sum()


MUTANTS = (
    Mutant("penalty-missing", PenaltyMissing, (*L2, "check-l1", "check-adamw")),
    Mutant("penalty-halved", PenaltyHalved, (*L2, "check-l1", "check-adamw")),
    Mutant("penalty-doubled", PenaltyDoubled, (*L2, "check-l1", "check-adamw")),
    Mutant("penalty-over-rows", PenaltyOverRows, (*L2, "check-l1")),
    Mutant("penalty-over-features", PenaltyOverFeatures, L2),
    Mutant("penalty-over-batch", PenaltyOverBatch, (*L2, "check-l1")),
    Mutant("penalty-times-batch", PenaltyTimesBatch, (*L2, "check-l1")),
    Mutant("penalty-once-per-epoch", PenaltyOncePerEpoch, (*L2, "check-l1")),
    Mutant("penalty-last-batch-of-epoch", PenaltyLastBatchOfEpoch, (*L2, "check-l1")),
    Mutant("penalty-wrong-sign", PenaltyWrongSign, (*L2, "check-l1")),
    Mutant("penalty-norm-not-squared", PenaltyNormNotSquared, L2),
    Mutant("penalty-norm-not-halved", PenaltyNormNotHalved, L2),
    Mutant("penalty-sum-of-weights", PenaltySumOfWeights, (*L2, "check-l1")),
    Mutant("penalty-l1-for-l2", PenaltyL1ForL2, L2),
    Mutant("penalty-l2-for-l1", PenaltyL2ForL1, ("check-l1",)),
    Mutant("penalty-on-bias-too", PenaltyOnBiasToo, (*L2, "check-l1")),
    Mutant("penalty-on-bias-only", PenaltyOnBiasOnly, (*L2, "check-l1")),
    Mutant("penalty-detached", PenaltyDetached, (*L2, "check-l1")),
    Mutant("penalty-other-strength", PenaltyOtherStrength, (*L2, "check-l1", "check-adamw")),
    Mutant("penalty-extra", PenaltyExtra, PLAIN),
    Mutant("penalty-extra-on-all", PenaltyExtraOnAll, PLAIN),
    Mutant("penalty-extra-l1", PenaltyExtraL1, PLAIN),
)
