"""Optimizers inside of others, parameters that are spread over ranks, and tensors that cannot be read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

import parity
from parity.errors import InputError
from parity.features.watch.report import Violated
from parity.features.watch.unwrap import unwrapped
from refimpl.optimizers import LARS

SCRIPTED = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
"""torch.distributed.optim calls what torch has deprecated."""


class Wrapper:
    """Hands everything on to what it holds, as accelerate's and DeepSpeed's do."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


class Lookalike(torch.optim.Optimizer):
    """A wrapper that is an optimizer, too, with what it holds as ``optim``."""

    def __init__(self, optim: torch.optim.Optimizer) -> None:
        super().__init__(optim.param_groups, {})
        self.optim = optim

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        return self.optim.step(closure)


def parameter(size: int = 50) -> Tensor:
    w = torch.randn(size, generator=torch.Generator().manual_seed(1)).requires_grad_()
    w.grad = torch.randn(size, generator=torch.Generator().manual_seed(2))
    return w


@pytest.mark.parametrize("wrap", [Wrapper, Lookalike, lambda optimizer: Wrapper(Lookalike(optimizer))])
def test_what_a_wrapper_holds_is_judged(wrap: Any, short: Any) -> None:
    outer = wrap(torch.optim.AdamW([parameter()]))
    with parity.watch(outer, every=1) as watch:
        outer.step()
        outer.step()
    assert (watch.report.optimizer, watch.report.steps, watch.report.judged) == ("AdamW", 2, 2)
    wrong = wrap(short([parameter()]))
    with pytest.raises(Violated, match="step 0"), parity.watch(wrong):
        wrong.step()


def test_a_class_of_torch_with_an_optimizer_of_its_own_is_no_wrapper() -> None:
    optimizer = torch.optim.SGD([parameter()])
    optimizer.optimizer = torch.optim.AdamW([parameter()])  # type: ignore[attr-defined]
    assert unwrapped(optimizer) is optimizer


def test_what_is_no_optimizer_is_said_in_one_line() -> None:
    circle: Any = Wrapper(None)
    circle.optimizer = circle
    for given in (3, circle):
        with pytest.raises(InputError, match=r"is no torch\.optim\.Optimizer, and holds none as \.optimizer, \.optim"):
            parity.watch(given)


def test_start_and_stop_and_start_again() -> None:
    optimizer = torch.optim.AdamW([parameter()])
    watch = parity.watch(optimizer, every=1)
    optimizer.step()
    watch.start()
    watch.start()
    optimizer.step()
    watch.stop()
    watch.stop()
    optimizer.step()
    watch.start()
    optimizer.step()
    watch.stop()
    assert (watch.report.steps, watch.report.judged, watch.report.notes) == (2, 2, [])
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


# -- tensors that cannot be read ------------------------------------------------------------------------------------


class Packed(Tensor):
    """A tensor that keeps its elements in another one, as those of torchao do."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor, requires_grad: bool = False) -> Any:
        made = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, requires_grad=requires_grad)  # type: ignore[attr-defined]
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        plain = tree_map(lambda x: x.inner if isinstance(x, cls) else x, (args, kwargs or {}))
        result = func(*plain[0], **plain[1])
        return (
            args[0]
            if func._schema.name.endswith("_")
            else tree_map(lambda x: cls(x) if isinstance(x, Tensor) else x, result)
        )


def test_tensors_of_a_class_of_their_own_are_unsupported_in_one_line_and_the_others_are_judged() -> None:
    packed = [nn.Parameter(Packed(torch.ones(5))) for _ in range(2)]
    for p in packed:
        p.grad = Packed(torch.ones(5))
    optimizer = torch.optim.SGD([*packed, parameter()], lr=0.1, foreach=False)
    with parity.watch(optimizer, on_violation="collect", every=1) as watch:
        optimizer.step()
        optimizer.step()
    (line,) = watch.report.unsupported
    assert line.startswith("tensors of class ") and line.endswith("judge them") and ".Packed, which keep" in line
    assert (watch.report.judged, watch.report.numbers, watch.report.notes) == (2, 200, [])
    with pytest.raises(InputError, match="tensors of class"), parity.watch(optimizer):
        optimizer.step()


@pytest.mark.parametrize("state", [Packed(torch.zeros(50)), {"scale": 1.0}, "text"], ids=["class", "dict", "text"])
def test_states_that_cannot_be_read_are_unsupported_in_one_line(state: Any) -> None:
    class Keeps(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            result = super().step(closure)
            self.state[self.param_groups[0]["params"][0]]["extra"] = state
            return result

    optimizer = Keeps([parameter()], lr=0.1)
    with parity.watch(optimizer, on_violation="collect", every=1) as watch:
        optimizer.step()
        optimizer.step()
    (line,) = watch.report.unsupported
    assert "such as" in line and "extra" in line and "\n" not in line


def test_whole_numbers_as_parameters_are_unsupported_in_one_line() -> None:
    frozen = nn.Parameter(torch.ones(5, dtype=torch.int8), requires_grad=False)
    optimizer = torch.optim.SGD([frozen, parameter()], lr=0.1)
    with parity.watch(optimizer, on_violation="collect") as watch:
        optimizer.step()
    assert watch.report.unsupported == ["parameters of torch.int8: parity.watch does not judge them"]


# -- ranks ----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of one process."""
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{free_port()}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def sharded() -> nn.Sequential:
    from torch.distributed.fsdp import fully_shard

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 3))
    for layer in (model[0], model[2]):
        fully_shard(layer)
    fully_shard(model)
    return model


def steps(model: nn.Module, optimizer: Any, count: int) -> None:
    rank = torch.distributed.get_rank()
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(10 + rank))
    for _ in range(count):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()


@pytest.mark.usefixtures("alone")
def test_shards_are_judged_where_they_lie(short: Any) -> None:
    model = sharded()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with parity.watch(optimizer, every=2, model=model) as watch:
        steps(model, optimizer, 3)
    assert (watch.report.judged, watch.report.numbers, watch.report.unsupported, watch.report.notes) == (2, 592, [], [])
    model = sharded()
    wrong = short(model.parameters(), lr=0.01)
    with (
        pytest.raises(Violated, match=r"0\.weight \(the shard of rank 0\)\[\d, \d\]"),
        parity.watch(wrong, model=model),
    ):
        steps(model, wrong, 1)


@pytest.mark.usefixtures("alone")
def test_what_sees_whole_tensors_does_not_judge_their_shards() -> None:
    model = sharded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with parity.watch(optimizer, reference=LARS, on_violation="collect", every=1) as watch:
        steps(model, optimizer, 2)
    assert watch.report.unsupported == ["LARS sees whole tensors: parity.watch does not judge those spread over ranks"]
    assert watch.report.violations == []


@SCRIPTED
@pytest.mark.usefixtures("alone")
def test_the_optimizer_inside_of_zero_is_judged(short: Any) -> None:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = nn.Linear(6, 3)
    for cls in (torch.optim.AdamW, short):
        optimizer = ZeroRedundancyOptimizer(model.parameters(), cls, lr=0.01)
        with parity.watch(optimizer, every=1, model=model, on_violation="collect") as watch:
            steps(model, optimizer, 2)
        assert (watch.report.steps, watch.report.judged) == (2, 2)
        assert {violation.parameter for violation in watch.report.violations} == (
            {"weight", "bias"} if cls is short else set()
        )


def two_ranks(rank: int, port: int, short: Any) -> None:
    """What both ranks do: weights of 7 rows, so that the shards are not of one size, and one of 1 row."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = sharded()
    for options in ({"foreach": True}, {"foreach": False}):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, **options)
        with parity.watch(optimizer, every=1, model=model) as watch:
            steps(model, optimizer, 3)
        assert watch.report.judged == 3 and watch.report.notes == [], str(watch.report)
    wrong = short(model.parameters(), lr=0.01)
    with pytest.raises(Violated, match=rf"\(the shard of rank {rank}\)"), parity.watch(wrong, model=model):
        steps(model, wrong, 1)
    plain = nn.parallel.DistributedDataParallel(nn.Linear(6, 3))
    zero = ZeroRedundancyOptimizer(plain.parameters(), torch.optim.AdamW, lr=0.01)
    with parity.watch(zero, every=1, model=plain) as watch:
        steps(plain, zero, 3)
    assert watch.report.judged == 3 and watch.report.notes == [], str(watch.report)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_judge_their_shards_and_what_zero_gives_them(short: Any) -> None:
    torch.multiprocessing.spawn(two_ranks, args=(free_port(), short), nprocs=2)  # type: ignore[attr-defined]
