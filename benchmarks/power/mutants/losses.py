"""Wrong losses: the factor, the reduction, the shapes."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


class LossHalved(Training):
    """½ twice: once in the loss and once because "the textbook has it"."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return 0.5 * super().loss(out, y)


class LossDoubled(Training):
    """The ½ is forgotten."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return 2 * super().loss(out, y)


class LossSumForMean(Training):
    """``reduction="sum"`` where the mean is asked for."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return self.factor * (out - y).square().sum()


class LossMeanForSum(Training):
    """The default ``reduction="mean"`` where the sum is asked for."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return self.factor * (out - y).square().mean()


class LossBroadcast(Training):
    """Outputs ``(n, 1)`` minus targets ``(n,)`` is ``(n, n)``: every output against every target."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return self.factor * (out - y.squeeze(1)).square().mean()


class LossMeanTwice(Training):
    """The mean is divided by the number of rows once more."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return super().loss(out, y) / len(y)


class LossOtherFactor(Training):
    """Scaled down until the curve looked like somebody else's."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return 0.7 * super().loss(out, y)


class LossOverBatchSize(Training):
    """The sum of squares over the batch size, also for the last, smaller batch."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return self.factor * (out - y).square().sum() / self.task.batch_size


class LossAbsolute(Training):
    """``l1_loss`` for ``mse_loss``."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return nn.functional.l1_loss(out, y)


class LossHuber(Training):
    """``smooth_l1_loss`` for ``mse_loss``."""

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        return nn.functional.smooth_l1_loss(out, y)


MUTANTS = (
    Mutant("loss-halved", LossHalved, (*ANY, "check-sum")),
    Mutant("loss-doubled", LossDoubled, (*ANY, "check-sum")),
    Mutant("loss-sum-for-mean", LossSumForMean, (*ANY, "check-mse")),
    Mutant("loss-mean-for-sum", LossMeanForSum, ("check-sum",)),
    Mutant("loss-broadcast", LossBroadcast, (*ANY, "check-mse")),
    Mutant("loss-mean-twice", LossMeanTwice, (*ANY, "check-mse")),
    Mutant("loss-over-batch-size", LossOverBatchSize, ANY),
    Mutant("loss-absolute", LossAbsolute, ANY),
    Mutant("loss-huber", LossHuber, ANY),
    Mutant("loss-other-factor", LossOtherFactor, (*ANY, "check-sum")),
)
