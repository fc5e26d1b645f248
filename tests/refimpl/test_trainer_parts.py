"""What trainers do to a step: held to finite sums, to differences, to torch and to runs without it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DistributedSampler

from refimpl.accumulation import Accumulation, Window, accumulated
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.averaging import EMA
from refimpl.batches import Batches
from refimpl.clipping import Clip
from refimpl.errors import ParameterError
from refimpl.freezing import Freeze
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import Adam
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.ranks import Ranks
from refimpl.training import Group, train

PROBLEM = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"), penalties=(L2(strength=0.3),))


def drawn(rows: int, features: int = 3) -> tuple[dict[str, Any], Any, Any]:
    rng = np.random.default_rng(rows)
    params = {"weight": rng.standard_normal((1, 1, features)), "bias": rng.standard_normal((1, 1))}
    return params, rng.standard_normal((1, rows, features)), rng.standard_normal((1, rows, 1))


@given(
    rows=st.integers(1, 30),
    size=st.integers(1, 7),
    micro=st.integers(1, 6),
    epochs=st.integers(1, 3),
    last=st.booleans(),
)
def test_windows_take_every_batch_once_in_its_order(rows: int, size: int, micro: int, epochs: int, last: bool) -> None:
    batches = Batches(size=min(size, rows)).draw(rows, epochs, np.random.default_rng(0))
    order, windows = Accumulation(micro=micro, last="full" if last else "mean").windows(batches)
    for of_epoch, steps in zip(batches, order, strict=True):
        assert np.array_equal(np.concatenate(of_epoch), np.concatenate(steps))
        assert len(steps) == -(-len(of_epoch) // micro)
    assert [size for window in windows for size in window.sizes] == [len(some) for epoch in batches for some in epoch]
    for window in windows:
        assert window.divisor == (micro if last else len(window.sizes)) and window.slices[-1].stop == sum(window.sizes)
        assert all(a.stop == b.start for a, b in pairwise(window.slices))


def test_windows_that_cross_epochs_leave_out_the_rest_of_the_training() -> None:
    batches = Batches(size=2).draw(7, 3, np.random.default_rng(0))  # 4 batches an epoch
    order, windows = Accumulation(micro=3, across_epochs=True).windows(batches)
    every = np.concatenate([rows for epoch in batches for rows in epoch])
    taken = np.concatenate([rows for epoch in order for rows in epoch])
    assert (
        len(windows) == 4
        and np.array_equal(taken, every[: len(taken)])
        and [len(epoch) for epoch in order] == [1, 1, 2]
    )
    with pytest.raises(ParameterError, match="an epoch without a step"):
        Accumulation(micro=5, across_epochs=True).windows(batches)


def test_equal_micro_batches_give_the_gradient_of_their_union_and_unequal_ones_do_not() -> None:
    params, X, y = drawn(12)
    whole = PROBLEM.gradient(params, X, y)
    _, objective, equal = accumulated(PROBLEM, Window((4, 4, 4), 3), params, X, y)
    _, _, unequal = accumulated(PROBLEM, Window((5, 5, 2), 3), params, X, y)
    assert objective == pytest.approx(PROBLEM.objective(params, X, y), rel=1e-14)
    for name, gradient in whole.items():
        np.testing.assert_allclose(equal[name], gradient, rtol=1e-13)
        assert np.max(np.abs(unequal[name] - gradient)) > 1e-2


@pytest.mark.parametrize("divisor", [2, 3])
def test_the_gradient_of_a_window_is_the_derivative_of_its_objective(divisor: int) -> None:
    """Central differences; a short window that is divided by the full count has a part of the penalty only."""
    params, X, y = drawn(7)
    window, h = Window((5, 2), divisor), 1e-5
    _, _, gradient = accumulated(PROBLEM, window, params, X, y)
    for i in range(3):
        moved = [{**params, "weight": params["weight"] + sign * h * np.eye(3)[i]} for sign in (1, -1)]
        up, down = (accumulated(PROBLEM, window, each, X, y)[1] for each in moved)
        assert gradient["weight"][0, 0, i] == pytest.approx((up[0] - down[0]) / (2 * h), rel=1e-8)


# -- ranks -----------------------------------------------------------------------------------------------------------


@given(size=st.integers(1, 20), count=st.integers(1, 5), blocks=st.booleans())
def test_every_row_goes_to_one_rank_and_to_none_where_a_rank_would_have_none(
    size: int, count: int, blocks: bool
) -> None:
    ranks = Ranks(count=count, shard="blocks" if blocks else "interleaved")
    if size < count:
        with pytest.raises(ParameterError, match=f"{count} with a batch of {size} rows?: a rank without a row"):
            ranks.shards(size)
        return
    shards = ranks.shards(size)
    assert np.array_equal(np.sort(np.concatenate(shards)), np.arange(size))
    assert [len(shard) for shard in shards] == [size // count + (rank < size % count) for rank in range(count)]
    own = [torch.tensor_split(torch.arange(size), count)[r] if blocks else range(r, size, count) for r in range(count)]
    assert [list(map(int, shard)) for shard in shards] == [list(map(int, rows)) for rows in own]


def test_ranks_have_the_rows_that_a_distributed_sampler_deals_out() -> None:
    """Each rank loads batches of 2 of its own rows; together they are the batches of 6."""
    samplers = [DistributedSampler(range(12), num_replicas=3, rank=rank, shuffle=False) for rank in range(3)]  # type: ignore[arg-type]
    order, windows = Ranks(count=3).divide((tuple(np.arange(12).reshape(2, 6)),))
    for step, rows in enumerate(order[0]):
        for sampler, some in zip(samplers, windows[step].slices, strict=True):
            assert list(rows[some]) == list(sampler)[2 * step : 2 * step + 2]


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("shard", ["interleaved", "blocks"])
def test_a_reduced_gradient_is_that_of_the_ranks_own_problems(shard: Any, reduce: Any) -> None:
    """Three ranks and two micro-batches of 7 and 4 rows, a short window of three: written out rank by rank."""
    params, X, y = drawn(11)
    micro = [np.arange(7), np.arange(7, 11)]
    order, windows = Ranks(count=3, shard=shard, reduce=reduce).divide(((np.arange(11),),), (Window((7, 4), 3),))
    rows = order[0][0]
    loss, objective, gradient = accumulated(PROBLEM, windows[0], params, X[:, rows], y[:, rows])
    expected, losses, objectives = dict.fromkeys(params, 0.0), 0.0, 0.0
    for rank in range(3):
        for batch in micro:
            own = batch[rank::3] if shard == "interleaved" else np.array_split(batch, 3)[rank]
            X_own, y_own = X[:, own], y[:, own]
            weight = 1 / 3 / (3 if reduce == "mean" else 1)
            for name, g in PROBLEM.gradient(params, X_own, y_own).items():
                expected[name] = expected[name] + weight * g
            losses += weight * PROBLEM.data_loss(params, X_own, y_own)
            objectives += weight * PROBLEM.objective(params, X_own, y_own)
    for name, g in expected.items():
        np.testing.assert_allclose(gradient[name], g, rtol=1e-13)
    np.testing.assert_allclose(loss, losses, rtol=1e-13)
    np.testing.assert_allclose(objective, objectives, rtol=1e-13)
    assert windows[0].micro == 2 and windows[0].share == pytest.approx(2 / 3 if reduce == "mean" else 2)


def test_the_mean_over_ranks_is_the_mean_over_rows_where_shards_are_equal_only() -> None:
    params, X, y = drawn(7)
    for rows, same in ((6, True), (7, False)):
        order, windows = Ranks(count=2).divide(((np.arange(rows),),))
        of_ranks = accumulated(PROBLEM, windows[0], params, X[:, order[0][0]], y[:, order[0][0]])[2]
        whole = PROBLEM.gradient(params, X[:, :rows], y[:, :rows])
        assert np.allclose(of_ranks["weight"], whole["weight"], rtol=1e-12) == same


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_the_reduced_gradient_is_the_derivative_of_the_reduced_objective(reduce: Any) -> None:
    params, X, y = drawn(7)
    order, (window,) = Ranks(count=3, shard="blocks", reduce=reduce).divide(((np.arange(7),),))
    X, y, h = X[:, order[0][0]], y[:, order[0][0]], 1e-5
    gradient = accumulated(PROBLEM, window, params, X, y)[2]
    for i in range(3):
        moved = [{**params, "weight": params["weight"] + sign * h * np.eye(3)[i]} for sign in (1, -1)]
        up, down = (accumulated(PROBLEM, window, each, X, y)[1] for each in moved)
        assert gradient["weight"][0, 0, i] == pytest.approx((up[0] - down[0]) / (2 * h), rel=1e-8)


# -- clipping and freezing -------------------------------------------------------------------------------------------


@given(size=st.floats(1e-3, 1e3), norm=st.floats(1e-2, 1e2), each=st.booleans())
def test_clipping_is_torchs(size: float, norm: float, each: bool) -> None:
    rng = np.random.default_rng(0)
    gradient = {"weight": size * rng.standard_normal((1, 1, 5)), "bias": size * rng.standard_normal((1, 1))}
    clipped = Clip(norm=norm, of="each" if each else "all")(gradient)
    tensors = [torch.nn.Parameter(torch.zeros(value.shape, dtype=torch.float64)) for value in gradient.values()]
    for tensor, value in zip(tensors, gradient.values(), strict=True):
        tensor.grad = torch.tensor(value)
    for some in [[tensor] for tensor in tensors] if each else [tensors]:
        torch.nn.utils.clip_grad_norm_(some, norm)
    for tensor, value in zip(tensors, clipped.values(), strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(value, tensor.grad.numpy(), rtol=1e-14)


def test_a_clipped_gradient_is_no_longer_than_the_gradient_even_where_its_norm_is_not_known() -> None:
    profile = Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"])
    gradient: Any = {"weight": Bounded(np.array([[[0.1, -0.2]]]), 1.0, profile)}
    clipped: Any = Clip(norm=0.01)(gradient)["weight"]
    assert np.all(clipped.error < 2.5)


def test_a_gradient_that_is_short_enough_is_not_touched() -> None:
    gradient = {"weight": np.array([[[0.3, -0.4]]]), "bias": np.array([[0.1]])}
    assert all(np.array_equal(value, gradient[name]) for name, value in Clip(norm=0.6)(gradient).items())


def test_frozen_steps_are_as_if_the_optimizer_had_not_seen_the_parameter() -> None:
    """Adam with the bias frozen in all steps but two moves it by what two steps of a fresh optimizer do."""
    params, X, y = drawn(8)
    order = Batches(size=4, order="fixed").draw(8, 3, np.random.default_rng(0))
    groups = [Group(parameters=("weight", "bias"), optimizer=Adam(lr=0.1, weight_decay=0.2))]
    freeze = (Freeze(parameters=("bias",), to_step=2), Freeze(parameters=("bias",), from_step=4))
    run = train(PROBLEM, groups, params, X, y, order, freeze=freeze)
    bias = run.params["bias"][:, 0, 0]
    assert bias[0] == bias[1] == bias[2] and bias[4] == bias[5] == bias[6] and len({*bias[2:5]}) == 3
    assert not run.gradients["bias"][[0, 1, 4, 5]].any() and run.state["bias"]["step"][-1] == 2
    assert bias[3] - bias[2] == pytest.approx(-0.1 * np.sign(run.gradients["bias"][2, 0, 0] + 0.2 * bias[2]), rel=1e-6)


# -- averages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 1.0])
def test_the_average_is_the_sum_that_its_recursion_unrolls_to_and_that_of_torch(decay: float) -> None:
    """e_k = d^(k−1)·w_1 + (1 − d)·Σ_{j>1} d^(k−j)·w_j; runs with decays of their own are runs apart."""
    params, X, y = drawn(8)
    order = Batches(size=4, order="fixed").draw(8, 3, np.random.default_rng(0))
    groups = [Group(parameters=("weight", "bias"), optimizer=Adam(lr=0.1))]
    two = {name: np.repeat(values, 2, axis=0) for name, values in params.items()}
    freeze = (Freeze(parameters=("bias",), from_step=2),)
    run = train(PROBLEM, groups, two, X, y, order, average=EMA(decay=np.array([decay, 0.5])), freeze=freeze)
    net = torch.nn.Linear(3, 1, dtype=torch.float64)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
    for k in range(6):
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                parameter.copy_(torch.tensor(run.params[name][k + 1, 0]))
        average.update_parameters(net)
        for name, values in run.averages.items():
            w = run.params[name][1 : k + 2]
            for i, d in enumerate((decay, 0.5)):
                powers = [d**k, *((1 - d) * d ** (k - j) for j in range(1, k + 1))]
                unrolled = sum(power * w[j, i] for j, power in enumerate(powers))
                np.testing.assert_allclose(values[k, i], unrolled, rtol=1e-13, atol=1e-15)
            ours, theirs = values[k, 0], average.module.get_parameter(name).detach().numpy()
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)
    losses = train(PROBLEM, groups, two, X, y, order, average=EMA(decay=decay), record="losses")
    assert len(losses.averages["weight"]) == 1


@given(d=st.floats(0, 1), e=st.floats(-10, 10), w=st.floats(-10, 10), name=st.sampled_from(["float32", "bfloat16"]))
def test_each_form_of_an_average_lies_within_its_bound(d: float, e: float, w: float, name: str) -> None:
    dtype: torch.dtype = getattr(torch, name)
    average, param = (torch.tensor([x], dtype=torch.float64).to(dtype) for x in (e, w))
    profile = Profile(compute=FORMATS[name], accumulate=FORMATS["float32"])
    known = [Bounded.tensor(x.double().numpy(), profile) for x in (average, param)]
    decay: Any = Bounded.hyper(d, profile)
    bound: Any = EMA(decay=decay)(*known)  # type: ignore[arg-type]
    forms = (
        d * average + (1 - d) * param,
        average + (1 - d) * (param - average),
        param - d * (param - average),
        torch.lerp(average, param, 1 - d),
    )
    for form in forms:
        assert abs(form.double().numpy() - bound.value)[0] <= bound.error[0]
