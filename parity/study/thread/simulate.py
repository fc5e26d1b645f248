"""The tables of many settings in one seed: all that share rows and batches are one batched reference run.

With equal rows and batches, settings differ in numbers of the runs only: η′, κλ and the initial weights. The losses
after 10 epochs are read on the way to 100; the factor c′ and the penalty in the training loss are put on afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.study.thread.settings import FEATURES, INITS, STRENGTHS, TEST_ROWS, Setting
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.types import Array


@np.errstate(over="ignore", invalid="ignore")  # of settings that diverge
def tables(settings: Sequence[Setting], seed: int) -> Array:
    """Training and test loss, ``(settings, 2, 11)``; the settings have the same rows and batches."""
    data_seed, init_seed, order_seed = np.random.SeedSequence(seed).spawn(3)
    rows, batch = settings[0].rows, settings[0].batch
    data = Gaussian(train_rows=rows, validation_rows=TEST_ROWS, features=FEATURES).make(
        np.random.default_rng(data_seed)
    )
    assert data.X_validation is not None and data.y_validation is not None and data.truth is not None
    drawn = {
        name: init.draw((1, FEATURES), FEATURES, None, np.random.default_rng(init_seed)) for name, init in INITS.items()
    }
    ends = sorted({one.epochs for one in settings})
    order = Batches(size=batch).draw(rows, ends[-1], np.random.default_rng(order_seed))

    k = len(STRENGTHS)
    runs = list(dict.fromkeys((one.init, one.rate, one.ratio) for one in settings))
    strengths = np.concatenate([ratio * STRENGTHS for _, _, ratio in runs])  # κλ
    mean = SquaredError(factor=1.0, reduction="mean")
    problem = Problem(model=Linear(), loss=mean, penalties=(L2(strength=strengths),))
    optimizer = SGD(lr=np.repeat([rate for _, rate, _ in runs], k))  # η′
    groups = [Group(parameters=("weight", "bias"), optimizer=optimizer)]
    params = {
        "weight": np.repeat([drawn[init] for init, _, _ in runs], k, axis=0),
        "bias": np.zeros((k * len(runs), 1)),
    }

    found: dict[int, tuple[Array, Array, Array]] = {}
    done = 0
    for end in ends:  # plain SGD keeps nothing between steps, so a run can be taken up where it was left
        run = train(problem, groups, params, data.X, data.y, order[done:end], record="losses")
        params, done = {name: values[-1] for name, values in run.params.items()}, end
        test = problem.data_loss(params, data.X_validation, data.y_validation)
        penalty = problem.objective_from(np.zeros_like(test), params)  # κλ/2·‖w‖²
        found[end] = (run.train_loss[-1].reshape(-1, k), test.reshape(-1, k), penalty.reshape(-1, k))

    result = np.empty((len(settings), 2, k))
    places = {one: i for i, one in enumerate(runs)}
    for i, one in enumerate(settings):
        train_loss, test_loss, penalties = (
            values[places[one.init, one.rate, one.ratio]] for values in found[one.epochs]
        )
        result[i] = one.factor * (train_loss + one.inside * penalties), one.factor * test_loss
    return result
