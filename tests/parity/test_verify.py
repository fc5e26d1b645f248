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

from parity.errors import InputError
from parity.features.verify import known
from parity.features.verify import session as session_module
from parity.features.verify.case import DTYPES, SIZES, Case, Result
from parity.features.verify.cover import cases, matches, offered
from parity.features.verify.known import as_known, happens, with_fixed
from parity.features.verify.options import OPTIONS
from parity.features.verify.run_case import run_case
from parity.features.verify.situations import SITUATIONS
from parity.features.verify.verify import exit_code, run_all, select, verify
from parity.record.reference import REFERENCES


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


def test_a_case_does_not_depend_on_what_another_left_of_torchs_modes() -> None:
    with torch.no_grad():
        assert run_case(case(implementation="differentiable")).verdict == "agree"


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
from parity.features.verify.case import Case, Result

def run(case: Case) -> Result:
    if case.size == 7:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Result(case=case, verdict="agree", text="")
"""


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("bad", [b'{"case": {"optimi', b"\xff\xfe\x00", b"3", b"[]", b'{"a": 1}\n', b"\n\n"])
def test_a_line_that_is_no_result_is_run_again_and_the_file_is_whole(bad: bytes, tmp_path: Path) -> None:
    record = {**dataclasses.asdict(Result(case=case(), verdict="agree", text="")), "torch": torch.__version__}
    file, line = tmp_path / "results.jsonl", json.dumps(record) + "\n"
    file.write_bytes(line.encode() + bad)
    document = verify([case()], folder=tmp_path, resume=True, progress=nothing)
    assert document["counts"] == {"agree": 1}
    assert file.read_text() == line
    assert (tmp_path / "results-earlier.jsonl").read_bytes() == line.encode() + bad


def test_a_folder_in_place_of_the_results_is_said(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        verify([case()], folder=tmp_path, resume=True, progress=nothing)


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


# -- what is known --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("quick", [True, False])
def test_the_command_of_any_case_runs_that_case_and_no_other(quick: bool, whole: list[Case]) -> None:
    some = cases(quick=True, seed=3) if quick else [*whole[::300], *cases(implementations=["fused"], seed=2)[::100]]
    for one in some:
        assert select(None, None, None, None, None, one.rerun.partition(" -k ")[2]) == [one]


@pytest.mark.parametrize(
    "id",
    ["SGD/nothing/fused/float32/cpu/plain/17", "SGD/decay/fused/float32/cpu/plain/18", "SGD/decay/fused/x/cpu/plain/1"],
)
def test_an_id_that_names_nothing_is_refused_in_one_line(id: str) -> None:
    with pytest.raises(ValueError, match=rf"^-k {id}: no (options|size|dtype) "):
        select(None, None, None, None, None, id)


def test_an_exception_of_a_step_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    monkeypatch.setattr(torch.optim.Adam, "step", failing)
    result = run_case(case())
    assert (result.verdict, result.check) == ("disagree", "step raises")


def test_a_gradient_that_changes_under_a_gradient_scaler_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim, "Adam", broken(nudge_gradient))
    result = run_case(case(situation="scaler-skips-later"))
    assert (result.verdict, result.check) == ("disagree", "grad untouched")


def test_a_differentiable_step_that_is_none_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(torch.optim.RMSprop):
        """Says differentiable and is not."""

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                group["differentiable"] = False
            with torch.no_grad():
                super().step(closure)

    monkeypatch.setattr(torch.optim, "RMSprop", Plain)
    result = run_case(case(optimizer="RMSprop", options="decay", implementation="differentiable"))
    assert result.verdict == "error" and "differentiable path did not run" in result.text


def test_a_wrong_start_of_the_state_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    start = torch.optim.Adagrad.__init__

    def wrong(self: Any, *words: Any, **options: Any) -> None:
        start(self, *words, **options)
        for state in self.state.values():
            state["sum"] *= 1.001

    monkeypatch.setattr(torch.optim.Adagrad, "__init__", wrong)
    result = run_case(case(optimizer="Adagrad", options="accumulator"))
    assert (result.verdict, result.check) == ("disagree", "sum initial")
