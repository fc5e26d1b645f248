"""SGD; a frozen dataclass is the per-step view of a group, hooks of an abstract base do the rest."""
import abc
import dataclasses

import torch
from torch.optim import Optimizer


@dataclasses.dataclass(frozen=True)
class SGDSettings:
    lr: float = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    @classmethod
    def of(cls, group):
        return cls(**{f.name: group[f.name] for f in dataclasses.fields(cls)})

    @property
    def uses_buffer(self):
        return self.momentum != 0

    @property
    def gains(self):
        """(gain of the buffer, gain of the gradient) in the step."""
        if not self.uses_buffer:
            return 0.0, self.lr
        return (self.lr * self.momentum, self.lr) if self.nesterov else (self.lr, 0.0)


class HookedOptimizer(Optimizer, abc.ABC):
    settings_type = None

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                settings = self.settings_type.of(group)
                for p in group["params"]:
                    if p.grad is not None:
                        self._step_one(p, p.grad, self.state[p], settings)
        return loss

    @abc.abstractmethod
    def _step_one(self, p, g, state, s):
        ...


class DataclassSGD(HookedOptimizer):
    settings_type = SGDSettings

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
        settings = SGDSettings(lr, momentum, dampening, weight_decay, nesterov)
        super().__init__(params, dataclasses.asdict(settings))

    def _step_one(self, p, g, state, s):
        g = torch.lerp(g, g + p, s.weight_decay) if s.weight_decay else g
        on_buffer, on_grad = s.gains
        change = g * on_grad
        if s.uses_buffer:
            buf = state.get("momentum_buffer")
            buf = g.clone() if buf is None else buf * s.momentum + (1 - s.dampening) * g
            state["momentum_buffer"] = buf
            change = change + on_buffer * buf
        p.sub_(change)
