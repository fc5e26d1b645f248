"""Every run and question of the lessons by id, in the order of the lessons, with its answer."""

from __future__ import annotations

from parity.features.answers import (
    bias,
    frobenius,
    l1,
    l1_updates,
    overfitting,
    priors,
    s0_nine_times,
    s1_optimizers,
    s1_patterns,
    s1_sum_of_parameters,
    s1_xor,
    s2_network,
    s2_no_scalar,
    s3_scratch_concise,
    s4_accuracy,
    s4_beyond_limit,
    s4_erratic,
    s4_l1_subtracted,
    s4_large_lam,
    s4_lazy,
    s4_small_inputs,
    s4_sweep,
    weight_decay,
    which_lam,
    whose_lam,
)
from parity.features.answers.answer import Answer, Reply

ANSWERS: dict[str, Answer] = {
    "s0-nine-times": s0_nine_times.ANSWER,
    "s1-xor": s1_xor.ANSWER,
    "s1-patterns": s1_patterns.ANSWER,
    "s1-optimizers": s1_optimizers.ANSWER,
    "s1-sum-of-parameters": s1_sum_of_parameters.ANSWER,
    "s2-network": s2_network.ANSWER,
    "s2-no-scalar": s2_no_scalar.ANSWER,
    "s3-scratch-concise": s3_scratch_concise.ANSWER,
    "s4-beyond-limit": s4_beyond_limit.ANSWER,
    "s4-erratic": s4_erratic.ANSWER,
    "s4-small-inputs": s4_small_inputs.ANSWER,
    "s4-sweep": s4_sweep.ANSWER,
    "s4-l1-subtracted": s4_l1_subtracted.ANSWER,
    "s4-accuracy": s4_accuracy.ANSWER,
    "s4-lazy": s4_lazy.ANSWER,
    "s4-large-lam": s4_large_lam.ANSWER,
    "weight-decay": weight_decay.ANSWER,
    "l1": l1.ANSWER,
    "bias": bias.ANSWER,
    "l1-updates": l1_updates.ANSWER,
    "which-lam": which_lam.ANSWER,
    "frobenius": frobenius.ANSWER,
    "overfitting": overfitting.ANSWER,
    "priors": priors.ANSWER,
    "whose-lam": whose_lam.ANSWER,
}

__all__ = ["ANSWERS", "Answer", "Reply"]
