"""Adafactor: torch's steps, the paper's formulas in 50 digits, optax, and closed forms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from parity.judge.update import Update, check
from parity.record.sums import SUMS, accumulation
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import ParameterError
from refimpl.optimizers import Adafactor

Array = npt.NDArray[Any]
LOW = ("bfloat16", "float16")
DTYPES = ("float64", "float32", *LOW)
SHAPES: list[tuple[int, ...]] = [(), (1,), (3,), (17,), (33,), (1, 1), (3, 5), (5, 3), (17, 33), (33, 17), (2, 3, 5)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.3, "weight_decay": 0.1, "d": 1.5, "beta2_decay": -0.5, "maximize": True},
    {"lr": 1.0, "eps": (0.5, 0.3)},
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost more than they give at these sizes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def exactly(tensor: torch.Tensor) -> Array:
    return np.array(tensor.detach().to(torch.float64).numpy())[None]


def judged(
    reference: Adafactor,
    dtype: str,
    shape: tuple[int, ...],
    seed: int,
    *,
    others: tuple[torch.Tensor, ...] = (),
    steps: int = 3,
    scale: float = 1.0,
    growth: float = 1.0,
    **options: Any,
) -> Iterator[Expected]:
    """Every step of torch's Adafactor, each from torch's own numbers; ``others``: parameters of the same group."""
    rng, kind = np.random.default_rng(seed), getattr(torch, dtype)
    param = torch.nn.Parameter(torch.tensor(rng.standard_normal(shape)).to(kind))
    optimizer = torch.optim.Adafactor([*others, param], **options)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32" if dtype in LOW else dtype])
    for number in range(steps):
        param.grad = torch.tensor(rng.standard_normal(shape) * scale * growth**number).to(kind)
        before, gradient = exactly(param), exactly(param.grad)
        state = {key: exactly(value) for key, value in optimizer.state[param].items()}
        optimizer.step()
        yield from check(
            Update(
                parameter="w",
                number=number,
                optimizer=reference,
                profile=profile,
                before=before,
                gradient=gradient,
                state=state,
                after=exactly(param),
                state_after={key: exactly(value) for key, value in optimizer.state[param].items()},
                formats=dict.fromkeys(("param", "row_var", "col_var", "variance"), dtype),
            )
        )


def worst(pieces: Iterator[Expected]) -> dict[str, float]:
    """The largest share of the tolerance that was used, by quantity."""
    found: dict[str, float] = {}
    for piece in pieces:
        name = str(piece.quantity)
        found[name] = max(found.get(name, 0), float(np.max(piece.share)))
        assert np.all(np.isfinite(piece.allowance)), "no bound"
    return found


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_torchs_steps_are_within_the_bound_and_some_use_a_tenth_of_it(dtype: str, foreach: bool) -> None:
    used: dict[str, float] = {}
    for seed, (options, shape) in enumerate(itertools.product(OPTIONS, SHAPES)):
        scale = 0.65 if "eps" in options else 1.0  # mean of R < ε₁ and V > ε₁²: both bounds act, on some elements
        one = judged(Adafactor(**options), dtype, shape, seed, foreach=foreach, scale=scale, **options)
        for key, share in worst(one).items():
            assert share <= 1, (key, options, shape, seed)
            used[key] = max(used.get(key, 0), share)
    assert set(used) == {"w", "w.step", "w.row_var", "w.col_var", "w.variance"}
    assert all(share >= 0.1 for key, share in used.items() if key != "w.step"), used


FAULTS: list[dict[str, Any]] = [
    {"lr": 0.301},
    {"beta2_decay": -0.51},
    {"d": 1.2},
    {"d": 1.6},
    {"weight_decay": 0.15},
    {"weight_decay": 0.0},
    {"maximize": False},
    {"eps": (0.5, 1e-3)},
    {"eps": (None, 1.5)},
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("shape", [(5, 3), (33,)], ids=str)
def test_a_reference_with_another_hyper_parameter_is_told_from_torch(
    dtype: str, fault: dict[str, Any], shape: tuple[int, ...]
) -> None:
    options = {**OPTIONS[1], "lr": 0.3, "d": 1.0 if "d" in fault else 1.5}
    growth = 3.0 if "d" in fault else 1.0  # RMS(u) is above d where the gradient is larger than its average
    scale = 0.3 if "eps" in fault and shape == (33,) else 1.0  # √V is below the faulty ε₁ somewhere
    faulty = Adafactor(**{**options, **fault})
    shares = worst(judged(faulty, dtype, shape, 0, scale=scale, growth=growth, **options))
    assert shares["w"] > 1


def test_rows_and_columns_that_are_exchanged_are_told_from_torch() -> None:
    class Exchanged(Adafactor):
        def step(self, param: Any, grad: Any, state: Any) -> Any:
            turned = {
                {"row_var": "col_var", "col_var": "row_var"}.get(key, key): value.swapaxes(-1, -2)
                if key != "step"
                else value
                for key, value in state.items()
            }
            param, after = super().step(param.swapaxes(-1, -2), grad.swapaxes(-1, -2), turned)
            return param.swapaxes(-1, -2), after

    shares = []
    for piece in judged(Exchanged(), "float32", (5, 3), 0, steps=1):
        shares.append(float(np.max(piece.share)))
    assert max(shares) > 1


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("shape", [(3, 5), (17, 33), (100, 100)], ids=str)
def test_torch_adds_low_precision_up_in_float32(dtype: str, shape: tuple[int, int]) -> None:
    assert accumulation(dtype, shape) == "float32"


def test_sums_in_low_precision_are_noticed() -> None:
    def one_by_one(x: torch.Tensor) -> torch.Tensor:
        found = torch.zeros_like(x[:, 0])
        for column in x.T:
            found = found + column * column
        return found.sqrt()

    assert accumulation("bfloat16", (3, 100), sums={"norm": (one_by_one, SUMS["norm of rows"][1])}) == "bfloat16"


# -- independent formulas ----------------------------------------------------------------------------------------------


def paper(w: list[list[Any]], gradients: list[list[list[Any]]], lr: Any, eps2: Any, d: Any, number: Any) -> Any:
    """Shazeer & Stern's Algorithm 4, without their ε₁: sums over rows and columns, element by element."""
    n, m = len(w), len(w[0])
    R, C = [number(0)] * n, [number(0)] * m
    for t, G in enumerate(gradients, start=1):
        beta = 1 - number(t) ** number(-0.8)
        rho = min(lr, number(t) ** number(-0.5))
        size = sum((x * x for row in w for x in row), number(0)) / (n * m)
        alpha = max(eps2, size ** number(0.5)) * rho
        R = [beta * R[i] + (1 - beta) * sum((G[i][j] ** 2 for j in range(m)), number(0)) for i in range(n)]
        C = [beta * C[j] + (1 - beta) * sum((G[i][j] ** 2 for i in range(n)), number(0)) for j in range(m)]
        U = [[G[i][j] / (R[i] * C[j] / sum(R, number(0))) ** number(0.5) for j in range(m)] for i in range(n)]
        rms = (sum((x * x for row in U for x in row), number(0)) / (n * m)) ** number(0.5)
        w = [[w[i][j] - alpha * U[i][j] / max(number(1), rms / d) for j in range(m)] for i in range(n)]
    return w


def test_it_is_the_papers_algorithm_in_fifty_digits(high_precision: Any) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((1, 3, 4)), rng.standard_normal((5, 1, 3, 4))
    ours = high_precision.hyper(Adafactor(lr=0.7, eps=(0.0, 0.001), d=1.0))
    param, state = high_precision.array(start), {}
    for gradient in high_precision.array(gradients):
        param, state = ours.step(param, gradient, state)
    number = high_precision.number
    theirs = paper(
        high_precision.array(start)[0].tolist(),
        high_precision.array(gradients)[:, 0].tolist(),
        number(0.7),
        number(0.001),
        number(1),
        number,
    )
    assert np.all(np.abs(param[0] - np.array(theirs)) < number(10) ** -45)


@pytest.mark.parametrize(("decay", "steps"), [(1.0, 2), (0.0, 6)])
def test_it_is_optaxs_where_both_define_it(decay: float, steps: int) -> None:
    """Without ε₁, which optax adds to g², and where 1 − t^−decay is exact in float32, which optax computes it in."""
    import jax  # takes a second
    import optax

    rng = np.random.default_rng(0)
    param, gradients = rng.standard_normal((1, 3, 4)), rng.standard_normal((steps, 1, 3, 4))
    ours, state = Adafactor(lr=0.01, beta2_decay=-decay, eps=(0.0, 0.001)), {}
    with jax.enable_x64(True):
        theirs = optax.adafactor(0.01, min_dim_size_to_factor=1, decay_rate=decay, eps=0.0)
        peer = jax.numpy.asarray(param[0])
        peer_state = theirs.init(peer)
        for gradient in gradients:
            updates, peer_state = theirs.update(jax.numpy.asarray(gradient[0]), peer_state, peer)
            peer = optax.apply_updates(peer, updates)
            param, state = ours.step(param, gradient, state)
            np.testing.assert_allclose(param[0], np.asarray(peer), rtol=1e-13, atol=1e-15)


def test_on_a_gradient_of_rank_one_the_first_step_is_its_sign() -> None:
    """V is then g² itself, so that u = sign(g), whose RMS is 1."""
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal((4, 5, 1)) * rng.standard_normal((4, 1, 3))
    param = rng.standard_normal((4, 5, 3))
    after, _ = Adafactor(lr=0.01).step(param, gradient, {})
    alpha = 0.01 * np.sqrt((param**2).mean(axis=(1, 2), keepdims=True))  # of each run by itself
    np.testing.assert_allclose(after, param - alpha * np.sign(gradient), rtol=0, atol=1e-15)


def test_the_step_is_never_larger_than_d_times_the_relative_step_and_runs_out_as_1_over_root_t() -> None:
    rng, param, state = np.random.default_rng(0), np.ones((1, 3, 4)), {}
    ours = Adafactor(lr=1.0, d=1.25)
    for t in range(1, 30):
        size = np.sqrt((param**2).mean())
        after, state = ours.step(param, rng.standard_normal((1, 3, 4)) * 10.0**t, state)
        assert np.sqrt(((after - param) ** 2).mean()) <= 1.25 * size / np.sqrt(t) * (1 + 1e-12)
        param = after


def test_without_gradient_only_the_decay_acts() -> None:
    for shape in ((2, 3), (2, 3, 4)):
        param, _ = Adafactor(lr=0.5, weight_decay=0.5).step(np.ones(shape), np.zeros(shape), {})
        assert np.all(param == 0.75)


def test_epsilon_is_that_of_the_numbers_where_none_is_given(high_precision: Any) -> None:
    gradient, given = np.full((1, 2), 1e-9), Adafactor(lr=1.0, d=1e9)
    for dtype in (np.float32, np.float64):
        param = np.ones((1, 2), dtype)
        after, _ = given.step(param, gradient.astype(dtype), {})
        epsilon = np.finfo(dtype).eps
        np.testing.assert_allclose(after, 1 - gradient / np.maximum(gradient, epsilon), rtol=0, atol=1e-6)
    with pytest.raises(ParameterError, match=r"^eps: given None for numbers of type object"):
        high_precision.hyper(given).step(high_precision.array(np.ones((1, 2))), high_precision.array(gradient), {})


def test_the_second_eps_has_no_value_that_torch_finds_by_itself() -> None:
    with pytest.raises(ParameterError, match=r"^eps: given \(0\.1, None\); allowed: ε₂ a number ≥ 0; change eps$"):
        Adafactor(eps=(0.1, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"eps": (0.1, None)}, {"d": 0.5}, {"beta2_decay": 0.1}, {"eps": (-1.0, 0.1)}], ids=str)
def test_what_is_out_of_range_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(bad))}: given"):
        Adafactor(**bad)


# -- a fault of torch --------------------------------------------------------------------------------------------------


def test_torch_gives_later_parameters_the_epsilon_of_the_first_ones_dtype() -> None:
    """The loop over parameters keeps the ε₁ that it found for the first: in float64 that of bfloat16 acts."""
    first = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    first.grad = torch.ones_like(first)
    tiny = {"scale": 1e-4, "steps": 1, "foreach": False}
    assert worst(judged(Adafactor(), "float64", (3, 5), 0, **tiny))["w"] <= 1
    assert worst(judged(Adafactor(), "float64", (3, 5), 0, others=(first,), **tiny))["w"] > 1
    of_bfloat16 = Adafactor(eps=(2**-7, 0.001))
    assert worst(judged(of_bfloat16, "float64", (3, 5), 0, others=(first,), **tiny))["w"] <= 1
