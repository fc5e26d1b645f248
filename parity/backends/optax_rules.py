"""optax's transformations that are the rule of an optimizer of the reference; what is none is refused, with the reason.

Not to be had of optax 0.2.8: amsgrad takes its maximum after the correction of v; adagrad has ε in the root; nadam has
no schedule of β₁; radam corrects v before it adds ε; dampening does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from parity.errors import Unsupported
from refimpl.optimizers import SGD, SGDW, Adadelta, Adam, Adamax, AdamW, Lion, RMSprop
from refimpl.types import Optimizer

REFUSED = {
    "ASGD": "optax has no averaged SGD with torch's numbers",
    "Adagrad": "optax.adagrad adds ε inside of the root, where √s + ε is asked",
    "NAdam": "optax.nadam has no schedule of the momentum, where one with momentum_decay is asked",
    "RAdam": "optax.radam adds ε to the root of the corrected v, where it is asked before the correction",
}
ADAM = {"step": "count", "exp_avg": "mu", "exp_avg_sq": "nu"}
KEYS: Mapping[type, Callable[[Any], Mapping[str, str]]] = {
    SGD: lambda o: {"momentum_buffer": "trace"} if o.momentum else {},
    SGDW: lambda o: {"momentum_buffer": "trace"} if o.momentum else {},
    Adam: lambda _: ADAM,
    AdamW: lambda _: ADAM,
    Adamax: lambda _: {"step": "count", "exp_avg": "mu", "exp_inf": "nu"},
    Adadelta: lambda _: {"step": "count", "square_avg": "e_g", "acc_delta": "e_x"},
    Lion: lambda _: {"exp_avg": "mu"},
    RMSprop: lambda o: (
        {"step": "count", "square_avg": "nu"}
        | ({"grad_avg": "mu"} if o.centered else {})
        | ({"momentum_buffer": "trace"} if o.momentum else {})
    ),
}
"""torch's names of the state, and the fields of optax's states."""


def rule(optax: Any, optimizer: Optimizer, rate: Callable[[Any], Any]) -> Any:
    """The chain of transformations. Raises :class:`Unsupported` where optax has another rule."""
    options: Any = optimizer
    before = [optax.scale(-1.0)] if getattr(options, "maximize", False) else []
    decay = float(getattr(options, "weight_decay", 0))
    decayed = [optax.add_decayed_weights(decay)] if decay else []
    of_gradient, after = (decayed, []) if optimizer.decay == "coupled" else ([], decayed)
    return optax.chain(*before, *of_gradient, *_own(optax, options), *after, optax.scale_by_learning_rate(rate))


def _own(optax: Any, o: Any) -> list[Any]:
    """The rule itself: from the gradient to the direction d of ``w − ηd``."""
    match o:
        case SGD() | SGDW():
            if o.momentum and o.dampening:
                raise Unsupported("optax.trace has no dampening")
            return [optax.trace(float(o.momentum), nesterov=o.nesterov)] if o.momentum else []
        case Adam() | AdamW():
            if o.amsgrad:
                raise Unsupported("optax.amsgrad takes the maximum of the corrected v, where that of v is asked")
            return [optax.scale_by_adam(*map(float, o.betas), eps=float(o.eps))]
        case Adamax():
            return [optax.scale_by_adamax(*map(float, o.betas), eps=float(o.eps))]
        case Adadelta():
            return [optax.scale_by_adadelta(rho=float(o.rho), eps=float(o.eps))]
        case Lion():
            return [optax.scale_by_lion(*map(float, o.betas))]
        case RMSprop():
            scale = optax.scale_by_stddev if o.centered else optax.scale_by_rms
            momentum = [optax.trace(float(o.momentum))] if o.momentum else []
            return [scale(decay=float(o.alpha), eps=float(o.eps), eps_in_sqrt=False), *momentum]
    kind = type(o).__name__
    raise Unsupported(REFUSED.get(kind, f"the optax backend has no {kind}"))
