"""Adam (optionally AMSGrad) whose bias corrections are -expm1(t * log(beta)), in float64 tensors."""
import torch
from torch.optim import Optimizer


def _one_minus_power(beta, t):
    # beta == 0 gives log -> -inf, expm1(-inf) -> -1: correction 1, as it should be
    return -torch.expm1(t.double() * torch.log(torch.as_tensor(beta, dtype=torch.float64)))


class ExpLogAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.add(p, alpha=group["weight_decay"])
                state = self.state[p]
                if "step" not in state:
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)
                    if group["amsgrad"]:
                        state["max_exp_avg_sq"] = torch.zeros_like(p)
                state["step"] += 1
                state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
                second = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                if group["amsgrad"]:
                    second = torch.max(state["max_exp_avg_sq"], second)
                    state["max_exp_avg_sq"].copy_(second)
                log_size = torch.log(_one_minus_power(beta1, state["step"]))
                half_log = 0.5 * torch.log(_one_minus_power(beta2, state["step"]))
                denom = second.sqrt() * torch.exp(-half_log).item() + group["eps"]
                p.sub_(state["exp_avg"] / denom * (group["lr"] * torch.exp(-log_size).item()))
        return loss
