"""Wrong data: other rows, other batches, other numbers, no intercept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training


class BatchesNotShuffled(Training):
    """``shuffle=True`` is forgotten: the rows as they lie."""

    def rows(self, epoch: int) -> list[Tensor]:
        del epoch
        rows = torch.arange(len(self.task.y), device=self.task.device)
        return list(torch.split(rows, self.task.batch_size))


class BatchesShuffledOnce(Training):
    """Shuffled before the loop over epochs: every epoch has the order of the first."""

    def rows(self, epoch: int) -> list[Tensor]:
        del epoch
        return self.task.rows[0]


class BatchesOtherOrder(Training):
    """Shuffled with another generator."""

    def rows(self, epoch: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(epoch)
        order = torch.randperm(len(self.task.y), generator=generator).to(self.task.device)
        return list(torch.split(order, self.task.batch_size))


class LastBatchDropped(Training):
    """``drop_last=True``: the batch of 2 rows is left out."""

    def rows(self, epoch: int) -> list[Tensor]:
        return [rows for rows in self.task.rows[epoch] if len(rows) == self.task.batch_size]


class BatchSizeDoubled(Training):
    """Batches of twice the size."""

    def rows(self, epoch: int) -> list[Tensor]:
        return list(torch.split(torch.cat(self.task.rows[epoch]), 2 * self.task.batch_size))


class BatchSizeHalved(Training):
    """Batches of half the size, rounded down."""

    def rows(self, epoch: int) -> list[Tensor]:
        return list(torch.split(torch.cat(self.task.rows[epoch]), self.task.batch_size // 2))


class FullBatch(Training):
    """All rows in one step."""

    def rows(self, epoch: int) -> list[Tensor]:
        return [torch.cat(self.task.rows[epoch])]


class FullBatchEveryStep(Training):
    """``X`` and ``y`` in the loop over batches, where ``X[rows]`` and ``y[rows]`` are meant."""

    def rows(self, epoch: int) -> list[Tensor]:
        every = torch.arange(len(self.task.y), device=self.task.device)
        return [every for _ in self.task.rows[epoch]]


class TargetsShuffled(Training):
    """``y`` is shuffled without ``X``."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
        return X, y[order.to(y.device)]


class TargetsShifted(Training):
    """Every row has the target of the row before."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X, y.roll(1, 0)


class TargetsReversed(Training):
    """``y`` from the last row to the first, ``X`` from the first to the last."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X, y.flip(0)


class TargetsCentred(Training):
    """``y`` minus its mean."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X, y - y.mean()


class TargetsStandardised(Training):
    """``y`` minus its mean, divided by its standard deviation."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X, (y - y.mean()) / y.std()


class FeaturesCentred(Training):
    """Every feature minus its mean."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return X - X.mean(0), y


class FeaturesStandardised(Training):
    """Every feature minus its mean, divided by its standard deviation."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        return (X - X.mean(0)) / X.std(0), y


class FeaturesInUnitRange(Training):
    """Every feature from 0 to 1."""

    def data(self) -> tuple[Tensor, Tensor]:
        X, y = super().data()
        low, high = X.amin(0), X.amax(0)
        return (X - low) / (high - low), y


class InterceptMissing(Training):
    """``bias=False``."""

    def net(self) -> nn.Linear:
        net = super().net()
        net.register_parameter("bias", None)
        return net


class InterceptFrozen(Training):
    """The bias is not trained."""

    def net(self) -> nn.Linear:
        net = super().net()
        net.bias.requires_grad_(False)
        return net


MUTANTS = (
    Mutant("batches-not-shuffled", BatchesNotShuffled, ANY),
    Mutant("batches-shuffled-once", BatchesShuffledOnce, ANY),
    Mutant("batches-other-order", BatchesOtherOrder, ANY),
    Mutant("last-batch-dropped", LastBatchDropped, ANY),
    Mutant("batch-size-doubled", BatchSizeDoubled, (*ANY, "check-sum")),
    Mutant("batch-size-halved", BatchSizeHalved, (*ANY, "check-sum")),
    Mutant("full-batch", FullBatch, (*ANY, "check-sum")),
    Mutant("full-batch-every-step", FullBatchEveryStep, (*ANY, "check-sum")),
    Mutant("targets-shuffled", TargetsShuffled, ANY),
    Mutant("targets-shifted", TargetsShifted, ANY),
    Mutant("targets-reversed", TargetsReversed, ANY),
    Mutant("targets-centred", TargetsCentred, ANY),
    Mutant("targets-standardised", TargetsStandardised, ANY),
    Mutant("features-centred", FeaturesCentred, ANY),
    Mutant("features-standardised", FeaturesStandardised, ANY),
    Mutant("features-in-unit-range", FeaturesInUnitRange, ANY),
    Mutant("intercept-missing", InterceptMissing, ANY),
    Mutant("intercept-frozen", InterceptFrozen, ANY),
)
