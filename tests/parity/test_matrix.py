"""The matrix: what its cases cover, what a case catches, and what a run of it keeps."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from parity.matrix import session as session_module
from parity.matrix.case import DTYPES, SIZES, Case, Result
from parity.matrix.cover import cases, matches, offered
from parity.matrix.options import OPTIONS
from parity.matrix.run_case import run_case
from parity.matrix.session import REFERENCES
from parity.matrix.situations import SITUATIONS
from parity.matrix.verify import exit_code, verify
from parity.matrix.workers import run_all


def case(**changes: Any) -> Case:
    base = {
        "optimizer": "Adam",
        "options": "decay",
        "implementation": "for-loop",
        "dtype": "float32",
        "device": "cpu",
        "situation": "plain",
        "size": 17,
    }
    return Case(**{**base, **changes})


# -- what is covered ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    return cases()


def test_the_default_run_has_thousands_of_cases_and_none_twice(whole: list[Case]) -> None:
    assert len(whole) >= 5000
    assert len({one.id for one in whole}) == len(whole)
    assert cases() == whole


def test_all_optimizers_of_this_torch_are_in_the_matrix() -> None:
    exported = {n for n, o in vars(torch.optim).items() if isinstance(o, type) and issubclass(o, torch.optim.Optimizer)}
    assert exported - {"Optimizer"} == set(OPTIONS), "torch has gained or lost an optimizer: write its reference"
    assert set(OPTIONS) <= {*REFERENCES, "LBFGS"}


def test_every_offered_implementation_meets_every_dtype_in_every_situation_with_every_optimizer(
    whole: list[Case],
) -> None:
    found = {(one.optimizer, one.implementation, one.dtype, one.situation) for one in whole}
    for optimizer in OPTIONS:
        for implementation in ("for-loop", "foreach", "fused", "differentiable"):
            if offered(optimizer, implementation, "cpu"):
                for dtype, situation in itertools.product(DTYPES, SITUATIONS):
                    assert (optimizer, implementation, dtype, situation) in found
            else:
                assert any(one[:2] == (optimizer, implementation) for one in found)  # which says why it is not


def test_every_option_set_and_every_size_meet_every_value_of_the_other_axes(whole: list[Case]) -> None:
    for optimizer in OPTIONS:
        mine = [one for one in whole if one.optimizer == optimizer and one.implementation != "compile"]
        for options, size in itertools.product(OPTIONS[optimizer], SIZES):
            assert any(one.options == options and one.size == size for one in mine)
        for name in ("implementation", "dtype", "situation"):
            for value in {getattr(one, name) for one in mine}:
                some = [one for one in mine if getattr(one, name) == value]
                assert {one.options for one in some} == set(OPTIONS[optimizer])
                assert {one.size for one in some} == set(SIZES)


def test_the_quick_sample_has_every_optimizer_in_every_situation() -> None:
    found = {(one.optimizer, one.situation) for one in cases(quick=True)}
    assert found == set(itertools.product(OPTIONS, SITUATIONS))


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("adam", True),
        ("AdamW", False),
        ("float32 and not bfloat16", True),
        ("(foreach or for-loop) and plain", True),
        ("fused or sgd", False),
        ("Adam/decay/for-loop/float32/cpu/plain/17", True),
        ("decay/for-loop", True),
        ("ecay/for-loop", False),
        ("17", True),
    ],
)
def test_an_expression_selects_by_the_words_of_the_id(expression: str, holds: bool) -> None:
    assert matches(expression, case()) == holds


@pytest.mark.parametrize("expression", ["and", "adam or", "(adam", "adam sgd"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        matches(expression, case())


def test_the_command_of_a_case_selects_that_case_alone(whole: list[Case]) -> None:
    for one in whole[::500]:
        expression = one.rerun.partition(" -k ")[2]
        assert [other for other in whole if matches(expression, other)] == [one]


# -- what a case says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_correct_implementation_agrees_in_every_situation(situation: str) -> None:
    result = run_case(case(situation=situation, optimizer="RMSprop", options="all"))
    assert result.verdict == ("unsupported" if situation == "sparse" else "agree"), result.text


@pytest.mark.parametrize("optimizer", sorted(REFERENCES.keys() & OPTIONS.keys()))
def test_a_rate_that_is_wrong_by_a_little_is_caught(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference of every optimizer is given a learning rate that is 1e-4 too large; torch has the right one."""
    situation = "sparse" if optimizer == "SparseAdam" else "plain"
    options = next(iter(OPTIONS[optimizer]))
    right = case(optimizer=optimizer, options=options, situation=situation)
    assert run_case(right).verdict == "agree"
    original = session_module.Session.hyper_of

    def wrong(self: Any, name: str) -> Any:
        reference = original(self, name)
        if optimizer == "Rprop":  # whose rate is only its first step
            return dataclasses.replace(reference, etas=(reference.etas[0], reference.etas[1] * 1.0001))
        return dataclasses.replace(reference, lr=reference.lr * 1.0001)

    monkeypatch.setattr(session_module.Session, "hyper_of", wrong)
    assert run_case(right).verdict == "disagree"


def broken(change: Any) -> Any:
    """An Adam whose every step is followed by ``change(optimizer)``."""

    class BrokenAdam(torch.optim.Adam):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            super().step(closure)
            with torch.no_grad():
                change(self)

    return BrokenAdam


def parameters(optimizer: torch.optim.Optimizer) -> Any:
    return (p for group in optimizer.param_groups for p in group["params"])


def nudge_gradient(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is not None:
            p.grad.view(-1)[-1] *= 2


def decay_the_idle(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is None:
            p.mul_(0.999)


def count_twice(optimizer: Any) -> None:
    for state in optimizer.state.values():
        state["step"] += 1


def move_storage(optimizer: Any) -> None:
    for p in parameters(optimizer):
        p.data = p.data.clone()


def last_element(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is not None:
            p.view(-1)[-1] += 1e-4


@pytest.mark.parametrize(
    ("change", "situation", "check"),
    [
        (nudge_gradient, "plain", "grad untouched"),
        (decay_the_idle, "no-gradient", "untouched"),
        (count_twice, "plain", "step"),
        (move_storage, "plain", "storage"),
        (last_element, "plain", "weight"),
        (last_element, "reload", "weight"),
    ],
)
def test_what_a_step_must_not_do_is_caught_and_named(
    change: Any, situation: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.optim, "Adam", broken(change))
    result = run_case(case(situation=situation))
    assert result.verdict == "disagree"
    assert result.check == check


def test_a_path_that_did_not_run_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Quiet(torch.optim.Adam):
        """Says foreach and uses the for-loop."""

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                group["foreach"] = False
            super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Quiet)
    result = run_case(case(implementation="foreach"))
    assert result.verdict == "error" and "_multi_tensor_adam" in result.text


def test_a_decay_below_the_resolution_of_the_dtype_is_undecidable_and_says_so() -> None:
    result = run_case(case(optimizer="AdamW", options="defaults", dtype="bfloat16"))
    assert result.verdict == "undecidable"
    assert "ηλ = 1e-05 is below half a unit of bfloat16 at this weight" in result.text


def test_what_torch_refuses_is_unsupported_in_its_words() -> None:
    result = run_case(case(implementation="capturable"))
    assert result.verdict == "unsupported" and "capturable=True" in result.text
    result = run_case(case(optimizer="RMSprop", options="defaults", implementation="fused"))
    assert (result.verdict, result.text) == ("unsupported", "torch.optim.RMSprop has no option fused")


# -- a run of many ------------------------------------------------------------------------------------------------


CRASHING = """
import os, signal
from parity.matrix.case import Case, Result

def run(case: Case) -> Result:
    if case.size == 7:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Result(case=case, verdict="agree", text="")
"""


def test_a_crash_is_an_error_of_its_case_with_the_signal_named_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)
    import crashing  # type: ignore[import-not-found]

    results = list(run_all([case(size=size) for size in SIZES], 2, crashing.run))
    assert len(results) == len(SIZES)
    (crash,) = [result for result in results if result.verdict != "agree"]
    assert crash.case.size == 7 and crash.verdict == "error"
    assert crash.text == "the process was killed by SIGSEGV"


def nothing(counts: Counter[str], total: int) -> None:
    del counts, total


def test_a_run_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    some = [case(size=size, options=options) for size in SIZES[:3] for options in ("defaults", "decay")]
    verify(some, folder=tmp_path, progress=nothing)
    file = tmp_path / "results.jsonl"
    lines = file.read_text().splitlines()
    assert len(lines) == len(some)
    marked = json.loads(lines[0])
    marked["text"] = "from the first run"
    file.write_text("\n".join([json.dumps(marked), *lines[1:3]]) + "\n" + lines[3][:40])  # cut off in a line
    done: list[int] = []
    document = verify(some, folder=tmp_path, resume=True, progress=lambda counts, _: done.append(counts.total()))
    assert done[0] == 3 and done[-1] == len(some)
    assert [one["id"] for one in document["cases"]] == [one.id for one in some]
    assert "from the first run" in {one["text"] for one in document["cases"]}
    assert document["counts"] == {"agree": len(some)}


def test_results_of_another_torch_are_not_gone_on_with(tmp_path: Path) -> None:
    record = {**dataclasses.asdict(Result(case=case(), verdict="agree", text="")), "torch": "1.0"}
    (tmp_path / "results.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(ValueError, match=r"holds results of torch 1\.0"):
        verify([case()], folder=tmp_path, resume=True, progress=nothing)


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"agree": 5, "known": 1, "undecidable": 1, "unsupported": 3}, 0),
        ({"agree": 5, "disagree": 1, "error": 1}, 1),
        ({"agree": 5, "fixed": 1}, 1),
        ({"agree": 5, "error": 1}, 2),
        ({"unsupported": 5}, 2),
        ({}, 2),
    ],
)
def test_exit_codes(counts: dict[str, int], code: int) -> None:
    assert exit_code(counts) == code


def test_the_same_case_has_the_same_numbers_again() -> None:
    assert run_case(case()).used == run_case(case()).used
    assert run_case(case()).used != run_case(case(seed=1)).used
