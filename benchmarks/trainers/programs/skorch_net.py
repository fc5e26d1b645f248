"""skorch, with the class for accumulation of its list of questions."""

import probe
import torch
from accelerate import Accelerator
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping, LRScheduler
from skorch.hf import AccelerateMixin


class Accumulating(NeuralNet):
    """``GradAccNet`` of skorch's FAQ."""

    def __init__(self, *args, acc_steps=1, **options):
        super().__init__(*args, **options)
        self.acc_steps = acc_steps

    def get_loss(self, *args, **options):
        return super().get_loss(*args, **options) / self.acc_steps

    def train_step(self, batch, **options):
        n_train_batches = len(self.history[-1, "batches"])
        step = self.train_step_single(batch, **options)
        if n_train_batches % self.acc_steps == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


class Accelerated(AccelerateMixin, NeuralNet):
    pass


def net_of(job):
    callbacks = []
    if job.gamma:
        callbacks.append(("schedule", LRScheduler(policy=torch.optim.lr_scheduler.ExponentialLR, gamma=job.gamma)))
    if job.max_norm:
        callbacks.append(("clip", GradientNormClipping(job.max_norm)))
    kind, options = (NeuralNet, {}) if job.accumulate == 1 else (Accumulating, {"acc_steps": job.accumulate})
    if job.bf16 or job.batches is None:
        accelerator = Accelerator(cpu=True, mixed_precision="bf16" if job.bf16 else "no")
        kind = Accelerated
        options = {"accelerator": accelerator, "callbacks__print_log__sink": lambda *_: None}
    net = kind(
        job.net,
        criterion=lambda: job.loss,  # a module without parameters cannot be prepared on several ranks
        optimizer=lambda _, **given: torch.optim.SGD(job.groups, **given),
        optimizer__momentum=job.momentum,
        max_epochs=1 if job.load else job.epochs,
        iterator_train=lambda *_, **__: job.loader(),
        train_split=None,
        callbacks=callbacks,
        verbose=0,
        **options,
    )
    return net.initialize()


def fit(job):
    net = net_of(job)
    files = {f"f_{what}": job.saved(what) for what in ("params", "optimizer", "history")}
    if job.load:
        net.load_params(**files)
    net.partial_fit(job.dataset)
    if job.save:
        net.save_params(**files)


train, mixed, resumed = probe.tasks(fit)

if __name__ == "__main__":
    probe.main(fit)
