"""Keras on torch. Its optimizers are its own, not torch's: the callback reports the weights after each step."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from torch.utils.data import DataLoader


def train(task):
    keras.config.set_floatx(str(task.dtype).removeprefix("torch."))
    model = keras.Sequential([keras.Input((task.features,)), keras.layers.Dense(1)])
    model.layers[0].set_weights([task.weight.T, task.bias])
    optimizer = keras.optimizers.SGD(
        task.lr, momentum=0.9, gradient_accumulation_steps=task.accumulate, global_clipnorm=task.max_norm
    )
    model.compile(optimizer, loss="mse")
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    model.fit(loader, epochs=task.epochs, verbose=0, callbacks=[task.callback("keras")])
