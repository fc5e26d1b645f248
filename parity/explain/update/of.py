"""A reference optimizer as a :class:`~parity.explain.update.rule.Rule`, so that each of its links can be replaced."""

from __future__ import annotations

from typing import Any

from parity.explain.update.rule import Rule
from refimpl.optimizers import SGD, SGDW, AdaBelief, Adagrad, Adam, Adamax, AdamW, Lion, RMSprop


def rule_of(optimizer: Any, steps: int) -> Rule:
    """The rule that makes the same steps; a reference that is not made of the links stands in one as it is."""
    if isinstance(optimizer, Rule):
        return optimizer
    rule = _of_family(optimizer, tuple(range(1, steps + 1)))
    return rule.having(gradient="negated") if getattr(optimizer, "maximize", False) else rule


def _of_family(o: Any, counts: tuple[int, ...]) -> Rule:
    match o:
        case SGD() | SGDW():
            nesterov = "nesterov buffer" if getattr(o, "nesterov", False) else "buffer"
            return Rule(
                **_shared(o),
                beta1=o.momentum,
                dampening=o.dampening,
                average=nesterov if o.momentum else "none",
            )
        case Adam() | AdamW() | AdaBelief() if not getattr(o, "rectify", False):
            square = "belief" if isinstance(o, AdaBelief) else "amsgrad" if o.amsgrad else "average"
            return Rule(**_shared(o), **_averages(o), square=square, first_counts=counts, second_counts=counts)
        case Adamax():
            return Rule(**_shared(o), **_averages(o) | {"divisor": "without ε"}, square="adamax", first_counts=counts)
        case RMSprop():
            square = "centred" if o.centered else "average"
            direction = "momentum" if o.momentum else "as it is"
            return Rule(**_shared(o), beta2=o.alpha, eps=o.eps, square=square, momentum=o.momentum, direction=direction)
        case Adagrad() if not o.lr_decay:
            return Rule(**_shared(o), eps=o.eps, square="sum", accumulated=o.initial_accumulator_value)
        case Lion():
            return Rule(**_shared(o), beta1=o.betas[0], beta2=o.betas[1], average="lion")
    lr = float(getattr(o, "lr", 1.0))
    return Rule(lr=lr, base=lr, inner=o)


def _shared(o: Any) -> dict[str, Any]:
    """Of every family: the rate and the decay."""
    kind = o.decay if o.weight_decay else "none"
    return {"lr": o.lr, "base": o.lr, "weight_decay": o.weight_decay, "decay": kind}


def _averages(o: Any) -> dict[str, Any]:
    return {"beta1": o.betas[0], "beta2": o.betas[1], "eps": o.eps, "average": "average"}
