"""What torch does wrong, what it does not have, and what it does on an accelerator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import parity
from parity.backends import torch_autograd
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.judge.verdict import judge
from refimpl.datasets import Gaussian
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.training import Group
from tests.parity.judge.cases import DTYPES, FORMULATIONS, LOW, MOMENTUM, NESTEROV, first

# -- known faults of torch -------------------------------------------------------------------------------------------


def fused_skips_elements(dtype: str) -> bool:
    """pytorch issue 191763, in torch alone: whole vectors keep their value."""
    p = torch.nn.Parameter(torch.ones(200, dtype=getattr(torch, dtype)))
    p.grad = torch.ones_like(p)
    torch.optim.SGD([p], lr=0.5, fused=True).step()
    return bool((p == 1).any())


@pytest.mark.parametrize(("features", "dtype"), [(64, "bfloat16"), (200, "float16")])
def test_torchs_fused_low_precision_is_reported_where_it_skips_elements(features: int, dtype: str, bench: Any) -> None:
    if not fused_skips_elements(dtype):
        pytest.skip("this torch updates every element (pytorch issue 191763 is mended)")
    for parts in ({}, MOMENTUM, NESTEROV):
        experiment = bench.experiment(data=Gaussian(train_rows=12, features=features), **parts)
        verdict = bench.judge(experiment, dtype=dtype, formulation="weight_decay", implementation="fused")
        assert first(verdict) == ("update weight", 0)
        trajectory = bench.torch(experiment, dtype=dtype, formulation="weight_decay", implementation="fused")
        skipped = trajectory.params["weight"][0] == trajectory.params["weight"][1]
        assert skipped[(0, *verdict.first.index)] and verdict.first.candidate != pytest.approx(verdict.first.expected)
        assert bench.judge(experiment, dtype=dtype, formulation="weight_decay").name == "agree"


@pytest.mark.parametrize("dtype", LOW)
def test_torchs_fused_low_precision_agrees_where_it_skips_none(dtype: str, bench: Any) -> None:
    if fused_skips_elements(dtype):
        pytest.skip("this torch skips elements (pytorch issue 191763)")
    assert bench.judge(bench.experiment(**MOMENTUM), dtype=dtype, implementation="fused").name == "agree"


# -- what torch does not have ----------------------------------------------------------------------------------------

SGDW_PARTS = {"optimizer": SGDW(lr=0.01, weight_decay=1.0), "penalties": ()}
UNSUPPORTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "L1 as weight_decay": (
        {"penalties": (L1(strength=0.5),)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express L1 on weight here",
    ),
    "elastic net as weight_decay": (
        {"penalties": (ElasticNet(l1=0.5, l2=1.0),)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express ElasticNet on weight here",
    ),
    "a penalty as weight_decay when ascending": (
        {"optimizer": SGD(lr=0.01, maximize=True)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express L2 on weight here",
    ),
    "SGDW": (SGDW_PARTS, {}, "module 'torch.optim' has no attribute 'SGDW'"),
    "proximal SGD": (
        {"optimizer": ProximalSGD(lr=0.01), "penalties": (L1(strength=0.5),)},
        {},
        "module 'torch.optim' has no attribute 'ProximalSGD'",
    ),
    "two proximal operators at once": (
        {"optimizer": ProximalSGD(lr=0.01), "penalties": (L1(strength=0.5), L2(strength=0.5))},
        {"formulation": "manual"},
        "two penalties on weight: the proximal operator of a sum is not implemented",
    ),
    "two optimizers in one": (
        {"groups": (Group(parameters=("bias",), optimizer=ProximalSGD(lr=0.01)),)},
        {},
        "one torch optimizer cannot be ProximalSGD and SGD at once",
    ),
    "fused by hand": (
        {},
        {"formulation": "manual", "implementation": "fused"},
        "written by hand there is no fused implementation",
    ),
    "foreach by hand": (
        {},
        {"formulation": "manual", "implementation": "foreach"},
        "written by hand there is no foreach implementation",
    ),
    "a rate that the dtype does not hold": (
        {"optimizer": SGD(lr=1e30)},
        {"dtype": "float16"},
        "value cannot be converted to type c10::Half without overflow",
    ),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_torch_does_not_have_is_unsupported_in_its_words(what: str, bench: Any) -> None:
    parts, setting, words = UNSUPPORTED[what]
    with pytest.raises(Unsupported) as caught:
        bench.torch(bench.experiment(**parts), **setting)
    assert str(caught.value) == words


def test_what_torch_refuses_when_the_optimizer_is_made_is_unsupported(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch says it of fused optimizers on a device without such a kernel."""
    monkeypatch.setitem(torch_autograd.FLAGS, "fused", {"fused": True, "foreach": True})
    with pytest.raises(Unsupported, match="`fused` and `foreach` cannot be `True` together"):
        bench.torch(bench.experiment(), implementation="fused")


# -- on an accelerator -----------------------------------------------------------------------------------------------

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@needs_cuda
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_agrees_on_the_textbook_experiments(dtype: str, bench: Any) -> None:
    for name in ("s0-scratch-lam0", "s0-scratch-lam3", "s0-concise-lam3", "s0-concise-lazy-lam3", "probe-exact"):
        experiment: Experiment = parity.load(name)
        for formulation in FORMULATIONS:
            for implementation in ("for-loop",) if formulation == "manual" else ("for-loop", "foreach", "fused"):
                setting = {"dtype": dtype, "formulation": formulation, "implementation": implementation}
                verdict = bench.judge(experiment, device="cuda", **setting)
                assert verdict.name == "agree", (name, setting, verdict.text)


@needs_cuda
def test_cuda_with_tf32_agrees_and_is_held_to_less(bench: Any) -> None:
    experiment = parity.load("s0-scratch-lam3")
    plain = bench.judge(experiment, device="cuda", dtype="float32")
    tf32 = bench.judge(experiment, device="cuda", dtype="float32", tf32=True)
    assert plain.name == "agree" and tf32.name in ("agree", "undecidable")
    assert tf32.used["update weight"] == pytest.approx(plain.used["update weight"], abs=1)


@needs_cuda
@pytest.mark.parametrize(("dtype", "of_lambda", "of_eta"), [("float64", 2e-14, 2e-15), ("float32", 1e-5, 1e-6)])
def test_the_smallest_faults_are_caught_on_cuda(dtype: str, of_lambda: float, of_eta: float, bench: Any) -> None:
    asked = parity.load("s0-scratch-lam3")
    for formulation in FORMULATIONS:
        setting = {"device": "cuda", "dtype": dtype, "formulation": formulation}
        strength = replace(asked, penalties=(L2(strength=3.0 * (1 + of_lambda)),))
        assert judge(asked, bench.torch(strength, **setting)).name == "disagree"
        rate = replace(asked, optimizer=SGD(lr=0.01 * (1 + of_eta)))
        assert judge(asked, bench.torch(rate, **setting)).name == "disagree"
