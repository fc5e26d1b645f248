"""What is seen of a training function without a word from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import optimizer as hooked

import parity
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.observed import Observed
from parity.features.check.in_process import trajectory_here
from parity.features.check.task import Task
from parity.features.check.task_data import task_data
from refimpl.trajectory import Trajectory


@pytest.fixture(scope="module")
def asked() -> Experiment:
    return parity.load("check-sgd")


def model(task: Task) -> nn.Linear:
    net = nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    return net


def sgd(task: Task, net: nn.Linear, cls: Any = torch.optim.SGD, **options: Any) -> Any:
    groups = [{"params": [net.weight], "weight_decay": task.l2}, {"params": [net.bias]}]
    return cls(groups, lr=task.lr, **options)


def batches(task: Task) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for _ in range(task.epochs):
        yield from task.loader


def half_mse(net: Any, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return 0.5 * ((net(X) - y) ** 2).mean()


def loop(task: Task, step: Callable[[nn.Linear, Any], None], cls: Any = torch.optim.SGD, **options: Any) -> nn.Linear:
    """A plain loop that reports nothing."""
    net = model(task)
    optimizer = sgd(task, net, cls, **options)
    for X, y in batches(task):
        optimizer.zero_grad()
        half_mse(net, X, y).backward()
        step(net, optimizer)
    return net


def seen(train: Callable[..., Any], asked: Experiment) -> tuple[Trajectory, Observed]:
    trajectory, observed = trajectory_here(train, asked, "float64")
    assert not observed.trouble
    return trajectory, observed


def test_the_gradient_is_seen_before_and_after_it_is_clipped_even_by_a_hook_of_the_user(asked: Experiment) -> None:
    def clip(net: nn.Linear, optimizer: Any) -> None:
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    def hook(net: nn.Linear, optimizer: Any) -> None:
        handle = optimizer.register_step_pre_hook(lambda *_: nn.utils.clip_grad_norm_(net.parameters(), 1.0) and None)
        optimizer.step()
        handle.remove()

    for step in (clip, hook):
        _, observed = seen(lambda task, step=step: loop(task, step) and None, asked)
        whole = np.sqrt(sum(np.sum(g.reshape(20, -1) ** 2, axis=1) for g in observed.raw.values()))
        for name, raw in observed.raw.items():
            factor = np.minimum(1, 1 / (whole + 1e-6)).reshape(20, *[1] * (raw.ndim - 1))
            assert np.allclose(observed.seen[name], raw * factor, rtol=1e-14, atol=0)
    assert (whole > 1).any()


def test_without_a_report_the_optimizers_make_the_trajectory(asked: Experiment) -> None:
    def two(task: Task) -> list[float]:
        net, losses = model(task), []
        optimizers = [
            torch.optim.SGD([net.weight], lr=task.lr, weight_decay=task.l2),
            torch.optim.Adam([net.bias], lr=task.lr),
        ]
        for X, y in batches(task):
            net.zero_grad()
            loss = half_mse(net, X, y)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
            kept.append(net.weight.detach().numpy().copy())
        return losses

    kept: list[Any] = []
    trajectory, observed = seen(two, asked)
    assert np.array_equal(trajectory.params["weight"][1:, 0], kept)
    assert observed.optimizer == {"weight": "SGD", "bias": "Adam"}
    assert set(observed.numbers["weight"]["weight_decay"]) == {0.3}
    assert set(observed.numbers["bias"]["betas[1]"]) == {0.999}


def test_what_is_written_after_the_last_step_is_its_own_where_it_was_so_before(asked: Experiment) -> None:
    def clamped(net: nn.Linear, optimizer: Any) -> None:
        optimizer.step()
        net.weight.data.clamp_(-0.3, 0.3)

    def restored(task: Task) -> None:
        loop(task, lambda _, optimizer: optimizer.step()).weight.data.zero_()

    trajectory, observed = seen(lambda task: loop(task, clamped) and None, asked)
    assert (np.abs(trajectory.params["weight"][1:]) <= 0.3).all()
    assert (np.abs(observed.after["weight"]) > 0.3).any()
    assert seen(restored, asked)[0].params["weight"][-1].all()


def test_alternating_optimizers_are_held_apart(asked: Experiment) -> None:
    def train(task: Task) -> None:
        net = model(task)
        one, other = torch.optim.SGD([net.weight], lr=task.lr), torch.optim.Adam([net.bias], lr=task.lr)
        task.record(net)
        for k, (X, y) in enumerate(batches(task)):
            net.zero_grad()
            half_mse(net, X, y).backward()
            (one, other)[k % 2].step()
            task.record(net)

    _, observed = seen(train, asked)
    assert observed.calls["weight"].tolist() == [1, 0] * 10
    assert observed.calls["bias"].tolist() == [0, 1] * 10
    assert np.isnan(observed.seen["weight"][1]).all()
    assert np.isfinite(observed.raw["weight"]).all()


def test_the_gradient_of_a_closure_is_the_one_seen(asked: Experiment) -> None:
    def train(task: Task) -> Iterator[nn.Linear]:
        net = model(task)
        optimizer = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=2)
        yield net
        for X, y in batches(task):

            def closure(X: torch.Tensor = X, y: torch.Tensor = y) -> torch.Tensor:
                optimizer.zero_grad()
                loss = half_mse(net, X, y)
                loss.backward()
                return loss

            optimizer.step(closure)
            yield net

    _, observed = seen(train, asked)
    assert observed.calls["weight"].tolist() == [1] * 20
    assert np.array_equal(observed.seen["weight"], observed.raw["weight"])


class Doubling(torch.optim.SGD):
    """Derived from one of torch's, whose hooks it calls as well."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.mul_(2)
        return super().step(closure)


class Failing(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        raise ZeroDivisionError(closure)


def test_the_step_of_a_base_class_is_counted_once_and_one_that_raises_never(asked: Experiment) -> None:
    def train(task: Task) -> None:
        def step(net: nn.Linear, optimizer: Any) -> None:
            with pytest.raises(ZeroDivisionError):
                Failing(net.parameters(), lr=1).step()
            optimizer.step()

        loop(task, step, Doubling, momentum=0.9)

    _, observed = seen(train, asked)
    assert observed.optimizer == {"weight": "Doubling", "bias": "Doubling"}
    assert observed.calls["weight"].tolist() == [1] * 20
    assert np.array_equal(observed.seen["bias"], 2 * observed.raw["bias"])
    assert np.array_equal(observed.before["bias"][1:], observed.after["bias"][:-1])


def test_a_loop_by_hand_shows_its_gradients_even_with_new_tensors_in_each_step(asked: Experiment) -> None:
    def train(task: Task) -> None:
        w, b = task.weight.requires_grad_(), task.bias.requires_grad_()
        task.record(w, b)
        for X, y in batches(task):
            loss = 0.5 * ((X @ w.T + b - y) ** 2).mean()
            for_w, for_b = torch.autograd.grad(loss, (w, b))
            w = (w - task.lr * for_w).detach().requires_grad_()
            b = (b - task.lr * for_b).detach().requires_grad_()
            task.record(w, b)

    trajectory, observed = seen(train, asked)
    moved = np.diff(trajectory.params["weight"], axis=0)
    assert np.allclose(moved, -0.03 * observed.raw["weight"], rtol=1e-9)
    assert not observed.calls


def test_functions_that_torch_transforms_run_and_show_nothing(asked: Experiment) -> None:
    def train(task: Task) -> None:
        net = model(task)
        params = {name: each.detach() for name, each in net.named_parameters()}
        call = torch.func.functional_call
        gradient = torch.func.grad(lambda params, X, y: half_mse(lambda inputs: call(net, params, (inputs,)), X, y))
        task.record(params)
        for X, y in batches(task):
            found = gradient(params, X, y)
            params = {name: each - task.lr * found[name] for name, each in params.items()}
            task.record(params)

    trajectory, observed = seen(train, asked)
    assert trajectory.steps == 20
    assert not observed.raw


def test_recording_changes_nothing_and_leaves_no_hook(asked: Experiment) -> None:
    task, nets = Task(task_data(asked)), []
    alone = loop(task, lambda _, optimizer: optimizer.step(), torch.optim.Adam)
    before, state = (torch.autograd.backward, torch.autograd.grad), torch.get_rng_state()

    def train(task: Task) -> None:
        nets.append(loop(task, lambda _, optimizer: optimizer.step(), torch.optim.Adam))
        assert torch.autograd.backward is not before[0]

    torch.set_rng_state(state)
    model(task)
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    seen(train, asked)
    assert torch.equal(torch.get_rng_state(), after)
    assert torch.equal(nets[0].weight, alone.weight)
    with pytest.raises(ZeroDivisionError):
        trajectory_here(lambda _: 1 / 0, asked, "float64")
    assert (torch.autograd.backward, torch.autograd.grad) == before
    assert not hooked._global_optimizer_pre_hooks
    assert not hooked._global_optimizer_post_hooks


def test_weights_may_be_recorded_by_name_and_by_no_other(asked: Experiment) -> None:
    def by_name(task: Task) -> None:
        task.record(weight=task.weight, bias=task.bias)
        task.record(weight=task.weight, bias=task.bias, loss=1.0)

    assert trajectory_here(by_name, asked, "float64")[0].steps == 1
    with pytest.raises(InputError, match=r"record\(w=…\): allowed: record\(net\), record\(w, b\)"):
        trajectory_here(lambda task: task.record(w=task.weight), asked, "float64")


def test_a_model_of_another_shape_is_named_with_what_was_expected(asked: Experiment) -> None:
    def main() -> None:
        net = nn.Linear(3, 1)
        net(torch.ones(2, 3)).sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()

    said = r"parameters of shape \(1, 3\), \(1,\); the experiment has weight \(1, 30\) and bias \(1,\)"
    with pytest.raises(InputError, match=said):
        trajectory_here(main, asked, "float64")
