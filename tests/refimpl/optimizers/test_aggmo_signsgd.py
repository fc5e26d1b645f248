"""AggMo and SignSGD: sums of known rules, closed forms, and optax."""

from __future__ import annotations

import numpy as np
import pytest

from refimpl.errors import ParameterError
from refimpl.optimizers import SGD, AggMo, Lion, SignSGD
from tests.refimpl.optimizers.peers import assert_same_run, assert_steps_of_optax, material, moves, run

G = np.array([[3.0, -0.25]])
ZERO = np.zeros((1, 2))


def test_aggmo_with_one_momentum_is_sgd_with_it() -> None:
    assert_same_run(
        AggMo(lr=0.1, betas=(0.7,), weight_decay=0.3), SGD(lr=0.1, momentum=0.7, weight_decay=0.3), *material()
    )


def test_aggmos_step_is_the_mean_of_the_steps_of_its_momenta() -> None:
    param, gradients = material()
    together = moves(AggMo(lr=0.1, betas=(0.0, 0.5, 0.9)), param, gradients)
    alone = [moves(SGD(lr=0.1, momentum=beta), param, gradients) for beta in (0.0, 0.5, 0.9)]
    np.testing.assert_allclose(together, sum(alone) / 3, rtol=1e-12, atol=1e-14)


def test_equal_momenta_of_aggmo_have_a_buffer_each() -> None:
    assert_same_run(AggMo(lr=0.1, betas=(0.7, 0.7)), SGD(lr=0.1, momentum=0.7), *material())


def test_aggmo_needs_a_momentum() -> None:
    with pytest.raises(ParameterError, match=r"^betas: given \(\); allowed: one number or more; give a momentum$"):
        AggMo(betas=())


def test_signsgd_is_lion_whose_betas_are_equal() -> None:
    lion, sign = Lion(lr=0.1, betas=(0.7, 0.7), weight_decay=0.3), SignSGD(lr=0.1, momentum=0.7, weight_decay=0.3)
    assert_same_run(sign, lion, *material())
    (*_, (_, ours)), (*_, (_, theirs)) = (run(rule, *material()) for rule in (sign, lion))
    np.testing.assert_allclose(ours["momentum_buffer"], theirs["exp_avg"], rtol=1e-12)


def test_without_momentum_only_the_sign_of_the_gradient_counts() -> None:
    gradients = [G, -1e-300 * G, 0 * G, np.array([[1e300, -1e300]])]
    found = moves(SignSGD(lr=0.1, momentum=0.0), ZERO, gradients)
    np.testing.assert_allclose(found, [-0.1 * np.sign(g) for g in gradients], rtol=1e-12, atol=0)
    assert SignSGD(lr=0.1, momentum=0.0).step(ZERO, G, {})[1] == {}


def test_a_large_gradient_keeps_signsgds_direction_for_a_while() -> None:
    """m = 0.25·9 at first, then ¾m − ¼ while it is positive: 1.4375, 0.828, 0.371, 0.028, and below 0 from then on."""
    one = np.ones((1, 1))
    found = moves(SignSGD(lr=0.1, momentum=0.75), 0 * one, [9 * one, *[-one] * 6])
    np.testing.assert_allclose(np.sign(found).ravel(), [-1, -1, -1, -1, -1, 1, 1])


def test_what_never_had_a_gradient_stays() -> None:
    assert not moves(SignSGD(lr=0.1), ZERO, [ZERO, ZERO]).any()


def test_the_steps_of_signsgd_are_optaxs() -> None:
    import optax  # takes a second

    assert_steps_of_optax(lambda: optax.signum(0.1, beta=0.7), SignSGD(lr=0.1, momentum=0.7), *material())
    assert_steps_of_optax(lambda: optax.sign_sgd(0.1), SignSGD(lr=0.1, momentum=0.0), *material())
