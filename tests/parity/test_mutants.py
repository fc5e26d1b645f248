"""The catalogue of faults: the program without a fault is correct, and every fault moves the weights otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

import parity
from benchmarks.power.mutants import FAMILIES, HIDES, MUTANTS, changed, pairs, program
from benchmarks.power.mutants.mutant import Mutant
from benchmarks.power.mutants.own_adam import OwnAdam
from benchmarks.power.mutants.own_sgd import OwnSGD
from benchmarks.power.mutants.precision import TF32Product, tf32
from parity import gallery
from parity.backends.reference import run_reference
from parity.features.check.task import Task
from parity.features.check.task_data import task_data
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

EXPERIMENTS = [name for name in gallery.names() if name.startswith("check-")]
ROUNDING = {"float64": 1e-9, "float32": 1e-5}
"""Relative, and far more than 20 steps can make of it."""

FLOAT32_STATE = ("check-asgd", "check-nadam")
"""Of η and Πμ their optimizers keep what float32 holds, whatever the dtype; the reference rounds nothing."""

load = cache(parity.load)


@cache
def weights(experiment: str, dtype: str, *ids: str) -> Array:
    """Weight and bias after every step, ``(steps + 1, p + 1)``; 0 for a bias that is not there."""
    task = Task(task_data(load(experiment)), dtype)
    program(*ids)(task)
    zero = np.zeros((1, 1))
    return np.array([np.hstack([params["weight"][0], params.get("bias", zero)])[0] for params, _ in task.records])


def distance(a: Array, b: Array) -> float:
    """‖a − b‖/‖b‖; infinite where they have not the same number of steps."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b)) if a.shape == b.shape else np.inf


def shared(first: str, second: str) -> list[str]:
    """The experiments that two faults name."""
    return [name for name in MUTANTS[first].experiments if name in MUTANTS[second].experiments]


# -- without a fault ----------------------------------------------------------------------------------------------


def test_the_program_without_a_fault_is_the_reference() -> None:
    for name in EXPERIMENTS:
        run = run_reference(load(name), "loss")
        expected = np.hstack([run.params["weight"][:, 0, 0], run.params["bias"][:, 0]])
        assert distance(weights(name, "float64"), expected) < (2**-24 if name in FLOAT32_STATE else 1e-12), name
        assert distance(weights(name, "float32"), expected) < 1e-5, name


def test_every_kind_of_step_is_in_the_experiments_and_the_last_batch_of_an_epoch_is_smaller() -> None:
    kinds = {type(load(name).optimizer).__name__ for name in EXPERIMENTS}
    assert kinds == {"SGD", "Adam", "AdamW", "RMSprop", "Adadelta", "Adagrad", "NAdam", "ASGD"}
    for name in EXPERIMENTS:
        assert [len(rows) for rows in Task(task_data(load(name))).rows[0]] == [5, 5, 5, 5, 2]


OWN = [
    (OwnSGD, SGD, {"lr": 0.03}),
    (OwnSGD, SGD, {"lr": 0.03, "momentum": 0.9, "dampening": 0.4, "maximize": True}),
    (OwnSGD, SGD, {"lr": 0.03, "momentum": 0.9, "nesterov": True}),
    (OwnAdam, Adam, {"lr": 0.03, "betas": (0.85, 0.97), "eps": 1e-3, "weight_decay": 0.3, "maximize": True}),
    (OwnAdam, Adam, {"lr": 0.03, "betas": (0.85, 0.65), "eps": 1e-3, "amsgrad": True}),
    (OwnAdam, AdamW, {"lr": 0.03, "betas": (0.85, 0.97), "eps": 1e-3, "weight_decay": 0.3}),
]


@pytest.mark.parametrize(
    ("own", "kind", "options"), OWN, ids=[f"{own.__name__}-{i}" for i, (own, *_) in enumerate(OWN)]
)
def test_an_optimizer_of_ones_own_is_torchs_before_a_line_of_it_is_wrong(
    own: type, kind: type, options: dict[str, Any]
) -> None:
    nets = [nn.Linear(5, 1, dtype=torch.float64) for _ in range(2)]
    for net in nets:
        nn.init.constant_(net.bias, 0.3)
        with torch.no_grad():
            net.weight.copy_(torch.linspace(-0.7, 0.9, 5))
    makers = [own(nets[0].parameters(), **options, decoupled=kind is AdamW), kind(nets[1].parameters(), **options)]
    X = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(8):
        for net, optimizer in zip(nets, makers, strict=True):
            net.zero_grad()
            torch.autograd.backward(((net(X) - 1.3) ** 2).sum())
            optimizer.step()
    for mine, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-13, atol=1e-13)


def test_tf32_is_float32_rounded_to_eleven_bits_ties_to_even_and_its_product_has_the_products_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, generator=generator) * torch.logspace(-30, 30, 2000)
    halfway = (x.view(torch.int32) & ~0x1FFF | 0x1000).view(torch.float32)
    for values in (x, halfway):
        assert np.array_equal(tf32(values).double().numpy(), FORMATS["tf32"].round(values.double().numpy()))
    X, w = (torch.randn(n, 3, generator=generator, dtype=torch.float64, requires_grad=True) for n in (5, 1))
    assert torch.equal(tf32(X), X)
    assert torch.autograd.gradcheck(TF32Product.apply, (X, w))


# -- with one fault -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_a_fault_moves_the_weights_otherwise_in_both_dtypes_and_is_no_fault_only_where_it_says_so(
    mutant: Mutant,
) -> None:
    name = mutant.experiments[0]
    for dtype, rounding in ROUNDING.items():
        moved = weights(name, dtype, mutant.id)
        assert np.isfinite(moved).all()
        assert (distance(moved, weights(name, dtype)) > rounding) == (dtype in mutant.dtypes), dtype


@pytest.mark.slow
def test_a_fault_moves_the_weights_otherwise_on_every_experiment_it_names() -> None:
    for mutant in MUTANTS.values():
        for name in mutant.experiments:
            dtype = mutant.dtypes[0]
            assert distance(weights(name, dtype, mutant.id), weights(name, dtype)) > ROUNDING[dtype], (mutant.id, name)


def same(first: str, second: str, names: Sequence[str]) -> bool:
    """Whether two faults that show in one dtype are the same in it on one of these experiments."""
    dtype = MUTANTS[first].dtypes[0]
    return dtype == MUTANTS[second].dtypes[0] and any(
        distance(weights(name, dtype, first), weights(name, dtype, second)) < ROUNDING[dtype] for name in names
    )


OF_ONE_EFFECT = {("penalty-missing", "penalty-detached"), ("lr-doubled", "gradient-twice")}


@pytest.mark.slow
def test_no_two_faults_are_the_same_on_the_experiment_that_both_name_first_but_for_two_of_one_effect() -> None:
    first = {id: mutant.experiments[:1] for id, mutant in MUTANTS.items()}
    assert {(a, b) for a, b in combinations(MUTANTS, 2) if first[a] == first[b] and same(a, b, first[a])} == (
        OF_ONE_EFFECT
    )


@pytest.mark.slow
def test_no_two_faults_are_the_same_on_an_experiment_that_both_name_but_for_two_of_one_effect() -> None:
    assert {(a, b) for a, b in combinations(MUTANTS, 2) if same(a, b, shared(a, b))} == OF_ONE_EFFECT


def test_every_fault_has_a_name_of_its_own_says_what_is_wrong_and_names_experiments_that_exist() -> None:
    listed = [mutant.id for family in FAMILIES.values() for mutant in family]
    assert len(set(listed)) == len(listed) >= 60
    for mutant in MUTANTS.values():
        made = getattr(mutant.cls, "made", mutant.cls)
        assert made.__doc__, mutant.id
        assert mutant.experiments and set(mutant.experiments) <= set(EXPERIMENTS), mutant.id
        assert 1 <= len(changed(mutant.id)) <= 3, mutant.id
    assert {name for mutant in MUTANTS.values() for name in mutant.experiments} == set(EXPERIMENTS)


# -- with two faults ----------------------------------------------------------------------------------------------


PAIRS = pairs()


@pytest.mark.slow
def test_two_faults_move_the_weights_otherwise_than_either() -> None:
    for pair in PAIRS[::97]:
        (dtype, *_) = [dtype for dtype in ROUNDING if all(dtype in MUTANTS[name].dtypes for name in pair)]
        assert any(
            min(distance(weights(name, dtype, *pair), weights(name, dtype, one)) for one in pair) > 1e-9
            for name in shared(*pair)
        ), pair


def test_a_hidden_fault_leaves_no_trace_beside_the_one_that_hides_it() -> None:
    for fault, hidden in [(fault, hidden) for fault, all_hidden in HIDES.items() for hidden in all_hidden]:
        assert (fault, hidden) not in PAIRS and (hidden, fault) not in PAIRS
        name = shared(fault, hidden)[0]
        (dtype, *_) = [dtype for dtype in ROUNDING if all(dtype in MUTANTS[one].dtypes for one in (fault, hidden))]
        assert distance(weights(name, dtype, fault, hidden), weights(name, dtype, fault)) < 1e-12, (fault, hidden)


def test_a_pair_is_every_two_faults_that_neither_collide_nor_hide_nor_miss_each_other() -> None:
    found = set(PAIRS)
    assert len(found) == len(PAIRS) >= 1000
    for first, second in combinations(MUTANTS, 2):
        if changed(first) & changed(second):
            assert (first, second) not in found
        elif (first, second) in found:
            assert shared(first, second)


def test_two_faults_in_one_method_are_refused_and_so_is_an_unknown_one() -> None:
    with pytest.raises(ValueError, match="loss-halved and loss-doubled both change loss; combine others"):
        program("loss-halved", "loss-doubled")
    with pytest.raises(ValueError, match="loss-third: no such fault"):
        program("loss-third")
