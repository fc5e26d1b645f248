"""Classes held to SOAP by their own bases: right ones agree whatever these are, and the part that is off is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.errors import InputError
from parity.explain.feeds import Feed, Played, drawn
from parity.explain.kept_bases import kept_of
from parity.features.check.drive import Driver
from parity.features.check.eigenbases import of_soap, unshown
from parity.features.check.examine import examine
from parity.features.check.examined import Examined
from parity.features.check.held import motions
from parity.features.check.identify import Judgement, judge
from parity.features.check.optimizer import conclude
from refimpl.optimizers import SOAP

SHAPES = {"weight": (3, 5), "vector": (4,)}
REFERENCE = SOAP(lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, precondition_frequency=3)
HYPER = {"lr": 0.01, "betas": (0.9, 0.95), "weight_decay": 0.1, "precondition_frequency": 3}


class Own(torch.optim.Optimizer):
    """SOAP with one fault, if asked for.

    ``form``: ``"original"`` keeps m in the original space, each matrix by itself and averages by ``lerp``;
    ``"rotated"`` keeps m in the rotated space, matrices in lists and multiplies and adds. ``inside``: what bases are
    computed in. ``spun``: the basis of a null space is turned at random.
    """

    form, inside, spun, fault = "original", "", False, ""

    def __init__(self, params: Any, **hyper: Any) -> None:
        super().__init__(params, {**HYPER, "eps": 1e-8, **hyper})

    @torch.no_grad()
    def step(self, _: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    (self.move if "m" in state else self.begin)(p, p.grad, group, state)

    def sides(self, g: Tensor) -> list[Tensor]:
        others = [[j for j in range(g.ndim) if j != i] for i in range(g.ndim)]
        return [torch.tensordot(g, g, dims=[axes, axes]) for axes in others] if g.ndim > 1 else []

    def turn(self, x: Tensor, Q: list[Tensor], back: bool = False) -> Tensor:
        for basis in Q:
            x = torch.tensordot(x, basis, dims=[[0], [1 if back else 0]])
        return x

    def mean(self, mean: Tensor, term: Tensor, beta: float) -> Tensor:
        return torch.lerp(mean, term, 1 - beta) if self.form == "original" else mean * beta + (1 - beta) * term

    def eigenvectors(self, L: Tensor) -> Tensor:
        lam, Q = torch.linalg.eigh(L.to(torch.float32) if self.inside else L)
        if self.spun and (null := int((lam < 1e-4 * lam.max()).sum())):
            turn, _ = torch.linalg.qr(torch.randn(null, null, dtype=Q.dtype))
            Q[:, :null] = Q[:, :null] @ turn
        return Q.flip(1).to(L.dtype).contiguous()

    def keep(self, state: Any, name: str, matrices: list[Tensor]) -> None:
        if self.form == "rotated":
            state[name] = matrices
        else:
            state.update({f"{name}{i}": matrix for i, matrix in enumerate(matrices)})

    def kept(self, state: Any, name: str, axes: int) -> list[Tensor]:
        if self.form == "rotated":
            return list(state[name])
        return [state[f"{name}{i}"] for i in range(axes)]

    def begin(self, p: Tensor, g: Tensor, group: Any, state: Any) -> None:
        beta = 0.97 if self.fault == "beta" else group["betas"][1]
        L = [(1 - beta) * side for side in self.sides(g)]
        Q = [self.eigenvectors(matrix) for matrix in L]
        if self.fault == "rows":
            Q = [basis.mT.contiguous() for basis in Q]
        if self.fault == "scaled":
            Q = [basis * 1.001 for basis in Q]
        self.keep(state, "L", L)
        self.keep(state, "Q", Q)
        state.update(m=torch.zeros_like(p), v=torch.zeros_like(p), t=0)
        if self.fault == "first":
            p.sub_(g.sign(), alpha=group["lr"])

    def move(self, p: Tensor, g: Tensor, group: Any, state: Any) -> None:
        b1, b2 = group["betas"]
        fault, axes = self.fault, 0 if g.ndim < 2 else g.ndim
        state["t"] = t = state["t"] + 1
        L, Q = self.kept(state, "L", axes), self.kept(state, "Q", axes)
        used = [basis.mT for basis in Q] if fault == "transposed" else Q
        turned = self.turn(g, used)
        if self.form == "original":
            m = self.mean(state["m"], g, b1 * (1 + 1e-9 * (fault == "beta1")))
            inside = self.turn(m, used)
        else:
            m = inside = self.mean(state["m"], turned, b1)
        v = self.mean(state["v"], (g if fault == "space" else turned).square(), b2 * (1 + 1e-9 * (fault == "beta2")))
        rate = (
            group["lr"]
            * (1 + 1e-9 * (fault == "rate"))
            * (1 if fault == "correction" else (1 - b2**t) ** 0.5 / (1 - b1**t))
        )
        N = inside / (v.sqrt() + group["eps"])
        p.sub_(N if fault == "unturned" else self.turn(N, used, back=True), alpha=rate)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        original = self.turn(m, Q, back=True) if self.form == "rotated" else m
        beta = 0.97 if fault == "beta" else b2
        newer = [self.mean(matrix, side, beta) for matrix, side in zip(L, self.sides(g), strict=True)]
        due = t % group["precondition_frequency"] == 0
        if fault == "spoiled" and t == 4:  # a step in which none is due
            Q = [basis.flip(1).contiguous() for basis in Q]
        if due and fault != "never":
            Q, v = self.renewed(L if fault == "old" else newer, Q, v)
        self.keep(state, "L", newer)
        self.keep(state, "Q", Q)
        state.update(m=self.turn(original, Q) if self.form == "rotated" else original, v=v)

    def renewed(self, L: list[Tensor], Q: list[Tensor], v: Tensor) -> tuple[list[Tensor], Tensor]:
        bases = []
        for axis, (matrix, basis) in enumerate(zip(L, Q, strict=True)):
            product = matrix @ basis
            order = (basis * product).sum(0).argsort(descending=True)
            v = v if self.fault == "order" else v.index_select(axis, order)
            product = product[:, order].to(torch.float32) if self.inside else product[:, order]
            by_qr = torch.linalg.qr(product)[0].to(matrix.dtype)
            bases.append(self.eigenvectors(matrix) if self.fault == "eigenvectors" else by_qr)
        return bases, v


def played(
    dtype: str = "float64", feed: Feed | None = None, hyper: Mapping[str, Any] = HYPER, **changes: Any
) -> Played:
    return Driver(type("Own", (Own,), changes), hyper, dtype).play(feed or drawn(SHAPES, steps=8))


def judged(run: Played, dtype: str = "float64", reference: SOAP = REFERENCE) -> Judgement:
    return judge(dict.fromkeys(run.weights, reference), run, dtype)


FORMS = ("original", "rotated")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (5, 1), (1, 1), (2, 3, 4), (2, 2, 2)], ids=str)
def test_right_code_of_either_form_agrees(shape: tuple[int, ...], form: str, dtype: str) -> None:
    verdict = judged(played(dtype, drawn({"weight": shape}, steps=8), form=form), dtype)
    assert verdict.bounded and verdict.share <= 1, verdict.first


@pytest.mark.parametrize("form", FORMS)
def test_a_null_space_may_have_any_basis_and_bases_may_be_of_float32(form: str) -> None:
    """After the first gradient of 2 rows, 5 of 7 eigenvalues of R are 0."""
    feed = drawn({"weight": (2, 7)}, steps=8)
    runs = [
        played("float64", feed, form=form, spun=spun, inside=inside) for spun in (0, 1) for inside in ("", "float32")
    ]
    assert all(judged(run).share <= 1 for run in runs)
    assert len({run.weights["weight"][-1].tobytes() for run in runs}) == 4  # and each is another run


@pytest.mark.parametrize("form", FORMS)
def test_a_basis_that_is_new_in_every_step_hides_neither_average(form: str) -> None:
    hyper = {**HYPER, "precondition_frequency": 1}
    run = played("float64", hyper=hyper, form=form)
    assert judged(run, reference=replace(REFERENCE, precondition_frequency=1)).share <= 1
    (motion, _) = motions(run, "float64")
    kept = kept_of(replace(REFERENCE, precondition_frequency=1), motion.gradient.value, motion.kept)
    assert kept.first is not None and kept.first.name == "m" and kept.turned == (form == "rotated")
    assert kept.second is not None and kept.second.name == "v"


def test_tensors_of_one_shape_are_told_apart_by_their_numbers_in_any_order() -> None:
    (motion,) = motions(played(feed=drawn({"weight": (4, 4)}, steps=8)), "float64")
    backwards = dict(reversed([*motion.kept.items()]))
    kept = kept_of(REFERENCE, motion.gradient.value, backwards)
    assert [tensor.name for tensor in kept.preconds.values()] == ["L0", "L1"]
    assert [tensor.name for tensor in kept.bases.values()] == ["Q0", "Q1"]
    assert kept.first is not None and kept.second is not None
    assert (kept.first.name, kept.second.name, kept.turned) == ("m", "v", False)


FAULTS = {
    "beta": "soap-matrix",
    "rows": "soap-basis",
    "scaled": "soap-basis-not-orthogonal",
    "first": "soap-first-step",
    "transposed": "soap-transposed",
    "space": "soap-square-not-rotated",
    "beta1": "soap-first-moment",
    "beta2": "soap-second-moment",
    "rate": "soap-step",
    "correction": "update-options",
    "unturned": "soap-not-rotated-back",
    "never": "soap-basis-not-renewed",
    "spoiled": "soap-basis-changed",
    "old": "soap-old-matrix",
    "order": "soap-second-not-ordered",
    "eigenvectors": "soap-eigenvectors",
}


@pytest.mark.every_case
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_the_part_that_has_it(fault: str) -> None:
    run = played(fault=fault)
    (finding,) = of_soap(dict.fromkeys(run.weights, REFERENCE), run, judged(run))
    assert finding.id == FAULTS[fault], finding.text
    if fault == "beta":
        assert "its first factor of GGᵀ is 0.03, where 1 − β is 0.05" in finding.text
    if fault == "correction":
        assert "correct_bias=False" in finding.text


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_shows_in_float32_and_in_the_other_form(fault: str) -> None:
    if fault not in ("beta1", "beta2", "rate"):  # a part in 10⁹
        assert judged(played("float32", fault=fault), "float32").share > 1
    assert fault == "beta1" or judged(played(fault=fault, form="rotated")).share > 1


def test_the_frequency_of_the_class_is_named() -> None:
    run = played(hyper={**HYPER, "precondition_frequency": 2})
    (finding,) = of_soap(dict.fromkeys(run.weights, REFERENCE), run, judged(run))
    assert "precondition_frequency=2" in finding.text


class Hidden(Own):
    """Its bases are nowhere in its state."""

    def keep(self, state: Any, name: str, matrices: list[Tensor]) -> None:
        self.__dict__.setdefault("hidden", {})[id(state), name] = matrices

    def kept(self, state: Any, name: str, axes: int) -> list[Tensor]:
        del axes
        return list(self.__dict__["hidden"][id(state), name])


def test_a_class_that_shows_no_basis_is_undecidable_and_not_accused() -> None:
    run = Driver(Hidden, HYPER).play(drawn(SHAPES, steps=8))
    assert "weight shows no matrix and basis" in unshown(dict.fromkeys(run.weights, REFERENCE), run)
    examined = Examined(
        name="SOAP", given=HYPER, defaults={}, shapes=SHAPES, runs={"drawn": run}, dtypes={"float64": run}
    )
    verdict = conclude(examined, HYPER)
    assert verdict.verdict == "undecidable" and not verdict.findings


def test_state_says_which_tensor_is_which() -> None:
    run = played(feed=drawn({"weight": (3, 3)}, steps=8))
    examined = Examined(
        name="SOAP", given=HYPER, defaults={}, shapes={"weight": (3, 3)}, runs={"drawn": run}, dtypes={"float64": run}
    )
    right = conclude(examined, HYPER, state={"basis_0": "Q0", "basis_1": "Q1", "exp_avg": "m"})
    assert right.verdict == "agree" and any("numbers of Q0, Q1, m were held" in note for note in right.notes)
    wrong = conclude(examined, HYPER, state={"basis_0": "Q1", "basis_1": "Q0"})
    assert [finding.id for finding in wrong.findings] == ["soap-basis"]
    with pytest.raises(InputError, match="basis_7"):
        conclude(examined, HYPER, state={"basis_7": "Q0"})


@pytest.mark.slow
def test_a_class_called_soap_is_held_to_it_through_its_life() -> None:
    cls = type("SOAP", (Own,), {"form": "rotated"})
    verdict = conclude(examine(cls, HYPER), HYPER)
    assert verdict.verdict == "agree" and "situations of training" in verdict.text


@pytest.mark.slow
def test_no_right_run_of_any_shape_is_accused() -> None:
    """200 draws in two forms and two dtypes, some with gradients of low rank, of zeros, or all the same."""
    rng = np.random.default_rng(11)
    for _ in range(200):
        axes = int(rng.integers(1, 4))
        shape = tuple(int(n) for n in rng.integers(1, {1: 12, 2: 12, 3: 5}[axes], axes))
        steps = int(rng.integers(2, 10))
        gradients = rng.standard_normal((steps, *shape)) * 10.0 ** rng.uniform(-2, 1, (steps, *(1,) * axes))
        kind = rng.integers(4)
        gradients = gradients * (rng.random(gradients.shape) < 0.3) if kind == 1 else gradients
        gradients = gradients * (rng.random((steps, *(1,) * axes)) < 0.5) if kind == 2 else gradients
        gradients = np.repeat(gradients[:1], steps, axis=0) if kind == 3 else gradients
        hyper = {**HYPER, "precondition_frequency": int(rng.integers(1, 5))}
        feed = Feed(weights={"weight": rng.standard_normal(shape)}, gradients={"weight": gradients})
        for form in FORMS:
            for dtype in ("float64", "float32"):
                verdict = judged(played(dtype, feed, hyper, form=form), dtype, replace(REFERENCE, **hyper))
                assert verdict.share <= 1 or not verdict.bounded, (shape, kind, hyper, form, dtype, verdict.first)
