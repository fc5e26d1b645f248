"""Keras on torch: ``fit`` with an optimizer of Keras."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import probe


class Note(keras.callbacks.Callback):
    """After each batch at which the optimizer stepped."""

    def __init__(self, job):
        super().__init__()
        self.job = job

    def on_train_batch_end(self, *_, **__):
        if int(self.model.optimizer._iterations) % self.job.accumulate == 0:
            kernel, bias = self.model.trainable_variables
            self.job.note(weight=kernel.value.T, bias=bias.value)


def fit(job):
    dtype = str(job.net.weight.dtype).removeprefix("torch.")
    keras.config.set_floatx(dtype)
    policy = "mixed_bfloat16" if job.bf16 else dtype
    model = keras.Sequential([keras.Input((job.net.in_features,)), keras.layers.Dense(1, dtype=policy)])
    model.layers[0].set_weights([job.net.weight.detach().T, job.net.bias.detach()])
    rate = job.groups[0]["lr"]
    if job.gamma:
        rate = keras.optimizers.schedules.ExponentialDecay(rate, decay_steps=1, decay_rate=job.gamma)
    optimizer = keras.optimizers.SGD(
        rate,
        momentum=job.momentum,
        weight_decay=job.groups[0]["weight_decay"] or None,
        global_clipnorm=job.max_norm,
        gradient_accumulation_steps=job.accumulate if job.accumulate > 1 else None,
    )
    if not job.own and len(job.groups) > 1:
        optimizer.exclude_from_weight_decay(var_names=["bias"])

    @keras.saving.register_keras_serializable()
    def loss(y, prediction):
        return job.loss(prediction, y)

    model.compile(optimizer, loss=loss)
    saved = job.saved("saved.keras")
    if job.load:
        model = keras.models.load_model(saved)
    model.fit(job.loader(), initial_epoch=1 if job.load else 0, epochs=job.epochs, verbose=0, callbacks=[Note(job)])
    if job.save:
        model.save(saved)


train, mixed, resumed = probe.tasks(fit, own_notes=True)

if __name__ == "__main__":
    none = "`fit` has no ranks on torch"
    probe.main(fit, own_notes=True, without={"ranks": none, "rank-schedule": none})
