"""torch.optim.SGD with step replaced: buffers kept by torch's _init_group, arithmetic in descent (negated) form."""
import torch


class NegatedOverrideSGD(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params, grads, bufs = [], [], []
            self._init_group(group, params, grads, bufs)
            mu = group["momentum"]
            for i, p in enumerate(params):
                descent = grads[i] if group["maximize"] else grads[i].neg()
                descent = descent - group["weight_decay"] * p
                if mu != 0:
                    # torch's buffer is an ascent direction, hence the minus signs
                    if bufs[i] is None:
                        bufs[i] = descent.neg()
                    else:
                        bufs[i] *= mu
                        bufs[i] -= (1 - group["dampening"]) * descent
                    self.state[p]["momentum_buffer"] = bufs[i]
                    descent = descent - mu * bufs[i] if group["nesterov"] else -bufs[i]
                p.add_(descent, alpha=float(group["lr"]))
        return loss
