"""A torch.optim.AdamW that keeps torch's constructor, state and checkpoints and replaces only the arithmetic."""
import torch


class OverriddenAdamW(torch.optim.AdamW):
    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params, grads, avgs, sqs, maxes, steps = [], [], [], [], [], []
            self._init_group(group, params, grads, avgs, sqs, maxes, steps)
            for i, p in enumerate(params):
                self._math(group, p, grads[i], avgs[i], sqs[i], maxes[i] if group["amsgrad"] else None, steps[i])
        return loss

    def _math(self, group, p, g, avg, sq, top, step):
        if group["maximize"]:
            g = g.neg()
        b1, b2 = group["betas"]
        step.add_(1)
        t = int(step)
        avg.sub_((avg - g) * (1 - b1))
        sq.sub_((sq - g.pow(2)) * (1 - b2))
        if top is not None:
            torch.maximum(top, sq, out=top)
            sq = top
        r1, r2 = 1 - b1 ** t, (1 - b2 ** t) ** 0.5
        # (avg/r1) / (sqrt(sq)/r2 + eps)  ==  avg*r2 / (r1*(sqrt(sq) + eps*r2))
        quotient = (avg * r2).div_(sq.sqrt().add_(group["eps"] * r2).mul_(r1))
        p.copy_((1 - group["lr"] * group["weight_decay"]) * p - group["lr"] * quotient)
