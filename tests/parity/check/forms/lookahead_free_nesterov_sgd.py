"""SGD with Nesterov momentum in the lookahead-free form  w -= lr*(mu^2*b_old + (1+mu)*g)."""
import torch


class LookaheadFreeNesterovSGD(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0.9, weight_decay=0, nesterov=True):
        if not nesterov:
            raise ValueError("only the Nesterov form is offered")
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=True))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, mu, wd = group["lr"], group["momentum"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = torch.addcmul(p.grad, p, torch.full_like(p, wd)) if wd else p.grad
                if mu == 0:
                    p.add_(d, alpha=-lr)
                    continue
                old = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                p.add_(old, alpha=-lr * mu * mu).add_(d, alpha=-lr * (1 + mu))
                old.mul_(mu).add_(d)
        return loss
