"""Prodigy and D-Adapt Adam: the papers' recursions in 50 digits, one array for all parameters, Adam, and optax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.errors import ParameterError
from refimpl.joint import together
from refimpl.optimizers import Adam, DAdaptAdam, Prodigy
from tests.refimpl.conftest import FIFTY_DIGITS as DIGITS
from tests.refimpl.optimizers.peers import assert_same_run, material, run

Array = npt.NDArray[Any]
BETAS = (0.8, 0.9)
SHAPES = {"weight": (1, 2, 3), "bias": (1, 2)}
BOTH = [Prodigy(betas=BETAS, d0=0.01), DAdaptAdam(betas=BETAS, d0=0.01)]
both = pytest.mark.parametrize("optimizer", BOTH, ids=["prodigy", "dadapt"])


def downhill(steps: int = 25, noise: float = 0.05) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    """Parameters, and gradients that lead them the same way for long, so that the distance grows."""
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    return params, [
        {n: 0.3 * w + noise * rng.standard_normal(w.shape) for n, w in params.items()} for _ in range(steps)
    ]


def run_together(
    optimizer: Any, params: Mapping[str, Array], gradients: list[dict[str, Array]]
) -> list[tuple[dict[str, Array], dict[str, Any]]]:
    """(params, states) after each step of all parameters that have a gradient."""
    now, states = dict(params), dict[str, Any]()
    after = []
    for grads in gradients:
        moved = {name: now[name] for name in grads}
        ready = together(dict.fromkeys(params, optimizer), moved, grads, states)
        made = {name: optimizer.step(now[name], grads[name], ready.get(name, {})) for name in grads}
        now |= {name: param for name, (param, _) in made.items()}
        states |= {name: state for name, (_, state) in made.items()}
        after.append((dict(now), dict(states)))
    return after


def joined(arrays: Mapping[str, Array]) -> Array:
    return np.concatenate([array.reshape(len(array), -1) for array in arrays.values()], axis=1)


# -- the papers' recursions, with other numbers of their own -----------------------------------------------------------


def prodigy_of_paper(w: list[Any], gradients: list[list[Any]], lr: Any, d: Any) -> list[Any]:
    """Algorithm 4 in the paper's scale, with factors 1 − √β₂ and without 1/d₀; ε has the distance just found."""
    b1, b2, eps = DIGITS.mpf(BETAS[0]), DIGITS.mpf(BETAS[1]), DIGITS.mpf(0.01)
    b, start, zero = DIGITS.sqrt(b2), list(w), [DIGITS.mpf(0)] * len(w)
    m, v, s, r = zero, zero, zero, DIGITS.mpf(0)
    for g in gradients:
        m = [b1 * a + (1 - b1) * d * x for a, x in zip(m, g, strict=True)]
        v = [b2 * a + (1 - b2) * (d * x) ** 2 for a, x in zip(v, g, strict=True)]
        way = DIGITS.fsum(x * (a - z) for x, a, z in zip(g, start, w, strict=True))
        r = b * r + (1 - b) * lr * d**2 * way
        s = [b * a + (1 - b) * lr * d**2 * x for a, x in zip(s, g, strict=True)]
        found = max(d, r / DIGITS.fsum(map(abs, s)))
        w = [z - lr * d * a / (DIGITS.sqrt(q) + found * eps) for z, a, q in zip(w, m, v, strict=True)]
        d = found
    return [*w, d]


def dadapt_of_paper(w: list[Any], gradients: list[list[Any]], lr: Any, d: Any) -> list[Any]:
    b1, b2, eps = DIGITS.mpf(BETAS[0]), DIGITS.mpf(BETAS[1]), DIGITS.mpf(0.01)
    b, zero = DIGITS.sqrt(b2), [DIGITS.mpf(0)] * len(w)
    m, v, s, r = zero, zero, zero, DIGITS.mpf(0)
    for g in gradients:
        along = DIGITS.fsum(x * a / (DIGITS.sqrt(q) + eps) for x, a, q in zip(g, s, v, strict=True))
        r = b * r + (1 - b) * d * lr * along
        m = [b1 * a + (1 - b1) * d * lr * x for a, x in zip(m, g, strict=True)]
        v = [b2 * a + (1 - b2) * x * x for a, x in zip(v, g, strict=True)]
        s = [b * a + (1 - b) * d * lr * x for a, x in zip(s, g, strict=True)]
        w = [z - a / (DIGITS.sqrt(q) + eps) for z, a, q in zip(w, m, v, strict=True)]
        d = max(d, r / ((1 - b) * DIGITS.fsum(map(abs, s))))
    return [*w, d]


@pytest.mark.parametrize(
    ("optimizer", "paper"),
    [(replace(BOTH[0], eps=0.01, lr=0.7), prodigy_of_paper), (replace(BOTH[1], eps=0.01, lr=0.7), dadapt_of_paper)],
    ids=["prodigy", "dadapt"],
)
def test_all_parameters_follow_the_papers_recursion(
    optimizer: Any, paper: Callable[..., list[Any]], high_precision: Any
) -> None:
    params, gradients = downhill()
    lifted = high_precision.hyper(optimizer)
    exact = [{n: high_precision.array(g) for n, g in grads.items()} for grads in gradients]
    after, states = run_together(lifted, {n: high_precision.array(w) for n, w in params.items()}, exact)[-1]
    numbers = [[DIGITS.mpf(float(x)) for x in joined(arrays)[0]] for arrays in (params, *gradients)]
    *weights, distance = paper(numbers[0], numbers[1:], DIGITS.mpf(0.7), DIGITS.mpf(0.01))
    assert max(abs(a - b) for a, b in zip(joined(after)[0], weights, strict=True)) < DIGITS.mpf(10) ** -40
    assert abs(states["bias"]["d"][0] - distance) < DIGITS.mpf(10) ** -40
    assert distance > 0.02  # it has grown, so that the test says something


# -- together ----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.3, "bias_correction": True, "growth_rate": 1.1}])
def test_parameters_together_are_the_one_array_that_they_make_up(optimizer: Any, options: dict[str, Any]) -> None:
    optimizer = replace(optimizer, **options)
    params, gradients = downhill()
    apart = run_together(optimizer, params, gradients)
    whole = run(optimizer, joined(params), [joined(grads) for grads in gradients])
    for (each, states), (one, state) in zip(apart, whole, strict=True):
        np.testing.assert_allclose(joined(each), one, rtol=1e-12)
        assert all(states[name]["d"] == pytest.approx(state["d"], rel=1e-12) for name in each)


@both
def test_an_array_that_comes_late_has_the_distance_of_the_others(optimizer: Any) -> None:
    """Without decay one whose gradients are 0 is not there; its steps begin with the numbers that all share."""
    params, gradients = downhill()
    late = [grads if k > 9 else {"weight": grads["weight"]} for k, grads in enumerate(gradients)]
    zeros = [grads if k > 9 else grads | {"bias": 0 * grads["bias"]} for k, grads in enumerate(gradients)]
    pairs = zip(run_together(optimizer, params, late), run_together(optimizer, params, zeros), strict=True)
    for (ours, _), (theirs, _) in pairs:
        np.testing.assert_allclose(joined(ours), joined(theirs), rtol=1e-13)


@both
def test_runs_of_a_batch_do_not_share_their_distance(optimizer: Any) -> None:
    params, gradients = downhill()
    w = np.concatenate([joined(params), 2 * joined(params)])
    steps = [np.concatenate([joined(grads), 0.1 * joined(grads)[:, ::-1]]) for grads in gradients]
    state = run(optimizer, w, steps)[-1][1]
    alone = [run(optimizer, w[i : i + 1], [g[i : i + 1] for g in steps])[-1][1]["d"][0] for i in range(2)]
    np.testing.assert_allclose(state["d"], alone, rtol=1e-13)
    assert state["d"][0] != state["d"][1]


# -- what is known otherwise -------------------------------------------------------------------------------------------


def test_a_distance_that_stays_at_1_is_adams() -> None:
    """κ = 0 keeps d = d₀ = 1; then γ = η√c₂/c₁ and, with ε = 0, the step is Adam's."""
    numbers: dict[str, Any] = {"lr": 0.1, "betas": BETAS, "eps": 0.0}
    assert_same_run(Prodigy(**numbers, d0=1.0, d_coef=0.0, bias_correction=True), Adam(**numbers), *material())


@both
def test_the_distance_grows_no_faster_than_allowed_and_never_shrinks(optimizer: Any) -> None:
    params, gradients = downhill(60, noise=0.0)
    free, held = (
        np.array([states["bias"]["d"][0] for _, states in run_together(rule, params, gradients)])
        for rule in (optimizer, replace(optimizer, growth_rate=1.05))
    )
    assert np.all(np.diff(free) >= 0) and free[-1] > 10 * free[0]
    ratios = held[1:] / held[:-1]
    grown = held[:-1] > optimizer.d0 if isinstance(optimizer, Prodigy) else held[:-1] > 0  # whose first one is free
    assert isinstance(optimizer, DAdaptAdam) or np.max(ratios[~grown]) > 1.06
    assert np.all(ratios >= 1) and np.all(ratios[grown] <= 1.05 * (1 + 1e-15)) and np.any(ratios[grown] > 1.04)


@both
def test_nothing_happens_before_the_first_gradient(optimizer: Any) -> None:
    params, gradients = downhill(3)
    still = replace(optimizer, weight_decay=0.5, decoupled_weight_decay=True, eps=0.0)
    after, states = run_together(still, params, [{n: 0 * g for n, g in gradients[0].items()}])[-1]
    assert np.array_equal(joined(after), joined(params)) and states["bias"]["d"] == optimizer.d0


@both
def test_a_distance_of_0_is_refused(optimizer: Any) -> None:
    with pytest.raises(ParameterError, match=r"^d0: given 0; allowed: a finite number > 0; change d0$"):
        replace(optimizer, d0=0.0)


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("prodigy", {"estim_lr_coef": 2.0, "beta3": 0.7}, Prodigy(betas=BETAS, d_coef=2.0, beta3=0.7)),
        ("prodigy", {"safeguard_warmup": True}, Prodigy(lr=0.5, betas=BETAS, safeguard_warmup=True)),
        ("dadapt_adamw", {}, DAdaptAdam(betas=BETAS, decoupled_weight_decay=True)),
    ],
    ids=["prodigy", "prodigy-safeguarded", "dadapt"],
)
def test_their_steps_are_optaxs(name: str, theirs: dict[str, Any], ours: Any) -> None:
    import jax  # takes a second
    import optax
    from optax import contrib

    params, gradients = downhill()
    numbers = {"eps": 0.01, "weight_decay": 0.3}
    mine = replace(ours, bias_correction=True, d0=0.01, **numbers)
    with jax.enable_x64(True):
        rule = getattr(contrib, name)(ours.lr, betas=BETAS, estim_lr0=0.01, **numbers, **theirs)
        peer = jax.tree.map(jax.numpy.asarray, params)
        state = rule.init(peer)
        for grads, (after, _) in zip(gradients, run_together(mine, params, gradients), strict=True):
            updates, state = rule.update(jax.tree.map(jax.numpy.asarray, grads), state, peer)
            peer = optax.apply_updates(peer, updates)
            np.testing.assert_allclose(joined(after), joined({n: np.asarray(peer[n]) for n in params}), rtol=1e-11)
