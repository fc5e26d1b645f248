"""Wrong optimizers: torch's with a wrong option, and people's own (own_sgd.py, own_adam.py) with a wrong line."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn
from torch.optim import Optimizer

from benchmarks.power.mutants import own_adam, own_sgd
from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training

SGD = ("check-sgd", "check-mse", "check-l1")
ADAM = ("check-adam", "check-adamw")


class MomentumMissing(Training):
    """``momentum`` is not handed on."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"momentum": 0.0, "nesterov": False}


class MomentumExtra(Training):
    """Momentum where there is to be none."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"momentum": 0.9}


class MomentumOther(Training):
    """0.8 for 0.9."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"momentum": 0.8}


class DampeningExtra(Training):
    """``dampening = momentum``: the velocity is taken for a running average."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"dampening": self.task.hyper["momentum"]}


class DampeningMissing(Training):
    """``dampening`` is not handed on."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"dampening": 0.0}


class DampeningOther(Training):
    """0.25 for 0.4, or for none."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"dampening": 0.25}


class NesterovMissing(Training):
    """Plain momentum."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"nesterov": False}


class NesterovExtra(Training):
    """Nesterov's momentum where plain momentum is asked for."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"nesterov": True}


class LrHalved(Training):
    """Half the learning rate."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lr": 0.5 * self.task.lr}


class LrDoubled(Training):
    """Twice the learning rate."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lr": 2 * self.task.lr}


class LrTenfold(Training):
    """A digit too many."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lr": 10 * self.task.lr}


class LrOther(Training):
    """A learning rate from another experiment."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lr": 0.0213}


class Maximize(Training):
    """Uphill."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"maximize": True}


class EpsMissing(Training):
    """``eps = 0``."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"eps": 0.0}


class EpsOther(Training):
    """``eps`` is not handed on: torch's default, 1e-6 or less."""

    def options(self) -> dict[str, Any]:
        return {name: value for name, value in super().options().items() if name != "eps"}


class BetasSwapped(Training):
    """β₂, β₁."""

    def options(self) -> dict[str, Any]:
        beta1, beta2 = self.task.hyper["betas"]
        return super().options() | {"betas": (beta2, beta1)}


class Beta1Other(Training):
    """torch's default, 0.9."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"betas": (0.9, self.task.hyper["betas"][1])}


class Beta2Other(Training):
    """torch's default, 0.999."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"betas": (self.task.hyper["betas"][0], 0.999)}


class AmsgradMissing(Training):
    """``amsgrad`` is not handed on."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"amsgrad": False}


class AmsgradExtra(Training):
    """``amsgrad`` where plain Adam is asked for."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"amsgrad": True}


class AlphaOther(Training):
    """torch's default, 0.99."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"alpha": 0.99}


class RhoOther(Training):
    """torch's default, 0.9."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"rho": 0.9}


class LrDecayOther(Training):
    """A rate of another experiment."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lr_decay": 0.04}


class InitialAccumulatorValueOther(Training):
    """TensorFlow's default, 0.1."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"initial_accumulator_value": 0.1}


class MomentumDecayOther(Training):
    """torch's default, 0.004."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"momentum_decay": 0.004}


class LambdOther(Training):
    """torch's default, 1e-4."""

    def options(self) -> dict[str, Any]:
        return super().options() | {"lambd": 1e-4}


class Own(Training):
    """Somebody's own optimizer, ``made``; correct where that is correct."""

    made: ClassVar[type[own_sgd.OwnSGD | own_adam.OwnAdam]]

    def optimizer(self, net: nn.Linear) -> Optimizer:
        decoupled = self.kind == "AdamW"
        return self.made(net.parameters(), **self.options(), weight_decay=self.decay(), decoupled=decoupled)


class FirstStepDampened(Own):
    made = own_sgd.FirstStepDampened


class MomentumAveraged(Own):
    made = own_sgd.Averaged


class LrTimesMomentum(Own):
    made = own_sgd.LrTimesMomentum


class BiasCorrectionMissingFirst(Own):
    made = own_adam.WithoutFirstCorrection


class BiasCorrectionMissingSecond(Own):
    made = own_adam.WithoutSecondCorrection


class BiasCorrectionMissingBoth(Own):
    made = own_adam.WithoutCorrections


class BiasCorrectionLate(Own):
    made = own_adam.LateCorrections


class EpsInsideRoot(Own):
    made = own_adam.EpsInsideRoot


class EpsBeforeCorrection(Own):
    made = own_adam.EpsBeforeCorrection


class AmsgradAfterCorrection(Own):
    made = own_adam.AmsgradAfterCorrection


class SecondMomentOfDecayedGradient(Own):
    made = own_adam.SecondMomentOfDecayedGradient


class SecondMomentUndecayed(Own):
    made = own_adam.SecondMomentUndecayed


class StateResetEachEpoch(Training):
    """A new optimizer in every epoch: what the old one remembered is gone."""

    def before_step(self, net: nn.Linear, optimizer: Optimizer) -> None:
        del net
        if self.batch == 0:
            optimizer.state.clear()


class StepTwice(Training):
    """``optimizer.step()`` in two places; without a state it would be twice the gradient."""

    def step(self, optimizer: Optimizer) -> None:
        super().step(optimizer)
        super().step(optimizer)


MUTANTS = (
    Mutant("momentum-missing", MomentumMissing, ("check-momentum", "check-nesterov", "check-schedule")),
    Mutant("momentum-extra", MomentumExtra, SGD),
    Mutant("momentum-other", MomentumOther, ("check-momentum", "check-nesterov", "check-schedule")),
    Mutant("dampening-extra", DampeningExtra, ("check-momentum", "check-schedule")),
    Mutant("momentum-averaged", MomentumAveraged, ("check-momentum", "check-schedule")),
    Mutant("dampening-missing", DampeningMissing, ("check-dampening",)),
    Mutant("dampening-other", DampeningOther, ("check-dampening", "check-momentum")),
    Mutant("first-step-dampened", FirstStepDampened, ("check-dampening",)),
    Mutant("nesterov-missing", NesterovMissing, ("check-nesterov",)),
    Mutant("nesterov-extra", NesterovExtra, ("check-momentum", "check-schedule")),
    Mutant("lr-halved", LrHalved, (*ANY, "check-schedule")),
    Mutant("lr-doubled", LrDoubled, (*ANY, "check-schedule")),
    Mutant("lr-tenfold", LrTenfold, ANY),
    Mutant("lr-other", LrOther, (*ANY, "check-schedule")),
    Mutant("lr-times-momentum", LrTimesMomentum, ("check-schedule",)),
    Mutant("maximize", Maximize, ANY),
    Mutant("bias-correction-missing-first", BiasCorrectionMissingFirst, ADAM),
    Mutant("bias-correction-missing-second", BiasCorrectionMissingSecond, ADAM),
    Mutant("bias-correction-missing-both", BiasCorrectionMissingBoth, ADAM),
    Mutant("bias-correction-late", BiasCorrectionLate, ADAM),
    Mutant("eps-inside-root", EpsInsideRoot, ADAM),
    Mutant("eps-before-correction", EpsBeforeCorrection, ADAM),
    Mutant("eps-missing", EpsMissing, ADAM),
    Mutant("eps-other", EpsOther, ("check-rmsprop", "check-adadelta", "check-adagrad")),
    Mutant("betas-swapped", BetasSwapped, ADAM),
    Mutant("beta1-other", Beta1Other, ADAM),
    Mutant("beta2-other", Beta2Other, ADAM),
    Mutant("alpha-other", AlphaOther, ("check-rmsprop",)),
    Mutant("rho-other", RhoOther, ("check-adadelta",)),
    Mutant("lr-decay-other", LrDecayOther, ("check-adagrad",)),
    Mutant("initial-accumulator-value-other", InitialAccumulatorValueOther, ("check-adagrad",)),
    Mutant("momentum-decay-other", MomentumDecayOther, ("check-nadam",)),
    Mutant("lambd-other", LambdOther, ("check-asgd",)),
    Mutant("amsgrad-missing", AmsgradMissing, ("check-amsgrad",)),
    Mutant("amsgrad-extra", AmsgradExtra, ADAM),
    Mutant("amsgrad-after-correction", AmsgradAfterCorrection, ("check-amsgrad",)),
    Mutant("second-moment-of-decayed-gradient", SecondMomentOfDecayedGradient, ("check-adamw",)),
    Mutant("second-moment-undecayed", SecondMomentUndecayed, ADAM),
    Mutant("state-reset-each-epoch", StateResetEachEpoch, ("check-momentum", "check-adam", "check-adamw")),
    Mutant("step-twice", StepTwice, ("check-momentum", "check-adam", "check-adamw")),
)
