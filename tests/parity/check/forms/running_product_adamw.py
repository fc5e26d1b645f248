"""AdamW; the powers beta^t are kept as running products and rebuilt only if beta was rescheduled."""
import torch


class _Power:
    """beta ** t, advanced by one multiplication while beta stays what it was."""

    __slots__ = ("beta", "t", "value")

    def __init__(self, beta, t=0, value=1.0):
        self.beta, self.t, self.value = beta, t, value

    def advance(self, beta):
        self.t += 1
        if beta == self.beta:
            self.value *= beta
        else:
            self.beta = beta
            self.value = beta ** self.t
        return self.value

    def pack(self):
        return (self.beta, self.t, self.value)


class RunningProductAdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        if lr < 0 or eps < 0:
            raise ValueError("lr and eps must not be negative")
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, defaults)

    def _with_grad(self):
        for group in self.param_groups:
            yield from ((group, p) for p in group["params"] if p.grad is not None)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group, p in self._with_grad():
                self._one(group, p, p.grad)
        return loss

    def _one(self, group, p, g):
        lr, wd, eps = group["lr"], group["weight_decay"], group["eps"]
        b1, b2 = group["betas"]
        st = self.state[p]
        if "p1" not in st:
            st.update(p1=(b1, 0, 1.0), p2=(b2, 0, 1.0), exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        pw1, pw2 = _Power(*st["p1"]), _Power(*st["p2"])
        c1, c2 = 1 - pw1.advance(b1), 1 - pw2.advance(b2)
        st["p1"], st["p2"] = pw1.pack(), pw2.pack()
        st["exp_avg"].lerp_(g, 1 - b1)
        st["exp_avg_sq"].lerp_(g.square(), 1 - b2)
        direction = (st["exp_avg"] / c1) / ((st["exp_avg_sq"] / c2).sqrt() + eps)
        # decay and direction both see the old weights
        p.sub_(direction.add_(p, alpha=wd), alpha=lr)
