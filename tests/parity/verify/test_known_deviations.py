"""A known deviation is called so, hides no other fault, and asks to be removed once it is gone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from parity.features.verify import known
from parity.features.verify.case import Case, Result
from parity.features.verify.known import as_known, happens, with_fixed
from parity.features.verify.run_case import run_case
from tests.parity.verify.cases import parameters

SHOWN = {
    "foreach-nesterov-overwrites-grad": "SGD/nesterov/foreach/float64/cpu/plain/17",
    "fused-sgd-late-parameter": "SGD/momentum/fused/float64/cpu/unfrozen-late/17",
    "fused-sgd-uninitialised-momentum": "SGD/dampening/fused/float64/cpu/scaler-skips-first/33",
    "fused-ignores-strides": "Adam/decay/fused/float64/cpu/transposed/17",
    "fused-state-on-skipped-step": "AdamW/maximize/fused/float64/cpu/scaler-skips-first/17",
    "foreach-radam-nan": "RAdam/defaults/foreach/float16/cpu/plain/1000",
    "checkpoint-rounds-scalars": "NAdam/averages/foreach/float16/cpu/reload/1000",
    "adafactor-empty-parameter": "Adafactor/defaults/for-loop/float64/cpu/empty/33",
    "adafactor-eps-of-first-dtype": "Adafactor/maximize/foreach/float16/cpu/dtypes/31/seed2",
    "muon-overwrites-buffer": "Muon/no-nesterov/for-loop/bfloat16/cpu/scheduled/16",
    "adagrad-sparse-complex": "Adagrad/accumulator/for-loop/complex64/cpu/sparse/8",
    "lbfgs-moves-idle": "LBFGS/rate/for-loop/float64/cpu/frozen-midway/100",
    "fused-sgd-skips-vectors": "SGD/decay/fused/bfloat16/cpu/plain/100",
    "nadam-float16-overflow": "NAdam/momentum-decay/differentiable/float16/cpu/autocast/1000",
}


def by_id(id: str) -> Case:
    found = Case.parse(id)
    assert found is not None and found.id == id
    return found


@pytest.mark.parametrize("fact", SHOWN)
def test_a_known_deviation_is_called_so_and_once_it_is_gone_its_cases_ask_to_remove_it(
    fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_case(by_id(SHOWN[fact]))
    assert result.verdict == "disagree"
    assert as_known(result).verdict == "known" and fact in as_known(result).text
    monkeypatch.setattr(known, "happens", lambda id: id != fact and happens(id))
    if fact not in ("foreach-radam-nan", "fused-sgd-skips-vectors", "fused-sgd-uninitialised-momentum"):
        assert as_known(result).verdict == "disagree"  # the others overlap with a second fact
    mended = Result(case=result.case, verdict="agree", text="")
    (after,) = with_fixed([mended])
    assert after.verdict == "fixed" and f"remove me: {fact}" in after.text


def test_a_known_deviation_hides_no_other_fault_of_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    step = torch.optim.SGD.step

    def scaling(self: Any, closure: Any = None) -> None:
        step(self, closure)
        with torch.no_grad():
            for p in parameters(self):
                p.mul_(1.5)

    monkeypatch.setattr(torch.optim.SGD, "step", scaling)
    result = as_known(run_case(by_id(SHOWN["foreach-nesterov-overwrites-grad"])))
    assert result.verdict == "disagree"
    assert {check for check, _ in result.wrong} == {"grad untouched", "weight"}


def test_nothing_seen_on_the_cpu_explains_a_disagreement_of_another_device() -> None:
    result = run_case(by_id(SHOWN["fused-ignores-strides"]))
    elsewhere = dataclasses.replace(result, case=dataclasses.replace(result.case, device="cuda"))
    assert as_known(elsewhere).verdict == "disagree"


def test_every_known_deviation_of_the_matrix_is_a_fact_of_the_ledger() -> None:
    assert set(known.SHOWS) <= set(known.KNOWN)
    assert set(SHOWN) <= set(known.SHOWS)
