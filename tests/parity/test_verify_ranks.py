"""Reductions over ranks: correct ones agree, and what a faulty one does is named."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.cli import main
from parity.errors import InputError
from parity.features.verify.case import Case
from parity.features.verify.known import as_known
from parity.features.verify.ranks.cover import OPTIMIZERS, cases
from parity.features.verify.ranks.group import Group, run_cases
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.features.verify.verify import select
from tests.parity.faulty_shards import halves_v, halves_weights
from tests.parity.reduction_faults import FAULTS, case


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    """Two ranks, kept for all tests of this file."""
    ranks = Group(2)
    yield ranks
    ranks.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name, fault in FAULTS.items() for dtype in fault.dtypes])
def test_a_planted_fault_is_named(group: Group, name: str, dtype: str) -> None:
    fault = FAULTS[name]
    result = group.run(case(dtype=dtype, implementation=fault.reduction, situation=fault.situation), fault.change)
    assert result.verdict == "disagree" and fault.said in result.text, result.text


@pytest.fixture(scope="module")
def three() -> Iterator[Group]:
    """Three ranks, whose mean is rounded."""
    ranks = Group(3)
    yield ranks
    ranks.stop()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sum instead of mean", "the gradients are summed, not divided by 3 ("),
        ("rank dropped", "rank 1 is not counted, rank 2 is not counted ("),
        ("bias not reduced", "in b, the ranks are not synchronised: each has its own gradient alone; "),
        ("last element forgotten", "the ranks are not synchronised: each has its own gradient alone; "),
        ("stale", "step 1 is made with the gradient of step 0 ("),
        ("another rate", "lr is 0.06 in step 0 on rank 1, asked 0.03; the ranks' weights differ after step 0"),
    ],
)
def test_on_three_ranks_a_fault_is_named_and_what_is_rounded_is_none(
    three: Group, name: str, said: str, dtype: str
) -> None:
    result = three.run(case(ranks=3, dtype=dtype), FAULTS[name].change)
    assert result.verdict == "disagree" and said in result.text, result.text
    assert "reduced in" not in result.text and not re.search("[,:] +[;(]", result.text), result.text


@pytest.mark.slow
def test_correct_reductions_of_a_sample_agree_or_are_known_or_refused() -> None:
    results = list(map(as_known, run_cases(cases(2, quick=True))))
    strange = [f"{result.case.id}: {result.text}" for result in results if result.verdict in ("disagree", "error")]
    assert results and not strange
    assert {result.text[:30] for result in results if result.verdict == "unsupported"} <= REFUSALS


REFUSALS = {"BF16 all reduce communication ", "aten.index_put_.default: in-pl", "aten.pow_.Scalar: in-place ope"}
"""What this torch refuses on the CPU, in its words: a hook, Rprop and Adafactor's matrices where they are divided."""


@pytest.mark.slow
def test_a_sum_is_named_under_an_optimizer_that_hides_it(group: Group) -> None:
    """Adam takes the same steps of a mean and of a sum, but for ε."""
    result = group.run(case(optimizer="Adam", options="defaults"), FAULTS["sum instead of mean"].change)
    assert "the gradients are summed, not divided by 2" in result.text


DIVIDED = ("fsdp/plain", "fsdp/ignored", "dtensor/shard", "dtensor/replicate", "dtensor/rows", "hsdp/plain")


@pytest.mark.slow
@pytest.mark.parametrize("place", DIVIDED)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_what_adafactor_does_to_divided_rows_is_known_and_hides_no_fault(group: Group, place: str, dtype: str) -> None:
    reduction, situation = place.split("/")
    asked = case(
        optimizer="Adafactor", options="decay", dtype=dtype, implementation=reduction, situation=situation, size=7
    )
    whole = place in ("dtensor/replicate", "dtensor/rows", "hsdp/plain")
    assert as_known(group.run(asked)).verdict == ("agree" if whole else "known")
    assert as_known(group.run(asked, halves_weights)).verdict == "disagree"
    only_v = as_known(group.run(asked, halves_v))
    assert only_v.verdict == "disagree", only_v.text


@pytest.mark.slow
def test_the_command_runs_a_case_by_its_id_and_writes_its_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = "AdamW/decay/ddp/float32/cpu/no-sync/7/ranks2"
    assert main(["verify", "-k", id, "--out", str(tmp_path), "--json", str(tmp_path / "again.json")]) == 0
    document = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in document["cases"]] == [id] and document["environment"]["ranks"] == "2 (gloo)"
    assert document["cases"][0]["rerun"] == f"parity verify -k {id}" and "1 agree" in capsys.readouterr().out


# -- what is run, without processes ---------------------------------------------------------------------------------


def test_every_optimizer_meets_every_situation_and_every_situation_every_dtype() -> None:
    chosen = cases(2)
    assert len(chosen) >= 300 and len({one.id for one in chosen}) == len(chosen)
    for reduction, situations in REDUCTIONS.items():
        for situation, how in situations.items():
            mine = [one for one in chosen if (one.implementation, one.situation) == (reduction, situation)]
            assert {one.optimizer for one in mine} == set(OPTIMIZERS) - set(how.without)
            assert {one.dtype for one in mine} == {"float64", "float32", "bfloat16"}
    assert all(Case.parse(one.id) == one for one in chosen)
    assert "hsdp" not in {one.implementation for one in cases(3)}


def test_a_sample_has_each_situation_once() -> None:
    sample = [(one.implementation, one.situation) for one in cases(2, quick=True)]
    every = [(reduction, situation) for reduction, some in REDUCTIONS.items() for situation in some]
    assert sorted(sample) == sorted(every)


def test_dtypes_that_are_asked_for_are_all_run() -> None:
    some = cases(2, optimizers=["SGD"], dtypes=["float32", "bfloat16"])
    assert len(some) == 2 * len(cases(2, optimizers=["SGD"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"optimizers": ["lbfgs"]}, "LBFGS: is not run on ranks, since its step is made in a closure; allowed: SGD"),
        ({"optimizers": ["SparseAdam"]}, "SparseAdam: is not run on ranks, since its gradients are sparse"),
        ({"optimizers": ["Adan"]}, "Adan: unknown; allowed: SGD"),
        ({"expression": "LBFGS/rate/ddp/float32/cpu/plain/7/ranks2"}, "LBFGS: is not run on ranks, since its step"),
        ({"implementations": ["fused"]}, "fused: unknown; allowed: ddp"),
        ({"dtypes": ["float16"]}, "float16: unknown; allowed: float64"),
        ({"situations": ["groups"]}, "groups: unknown; allowed: plain"),
        ({"devices": ["cuda"]}, "are processes on the CPU"),
        ({"expression": "SGD/momentum/ddp/float32/cpu/colwise/7/ranks2"}, "no situation colwise; allowed: plain"),
        ({"expression": "SGD/momentum/hsdp/float32/cpu/plain/7/ranks3"}, "no ranks 3; allowed: 2, 4, 6"),
        ({"expression": "SGD/momentum/ddp/float32/cpu/plain/7/ranks999"}, "no ranks 999; allowed: 2, 3, 4"),
        ({"expression": "SGD/momentum/ddp/float32/cpu/plain/7/ranks0"}, "no ranks 0; allowed: 2, 3, 4"),
        ({"expression": "SGD/momentum/ddp/float32/cpu/plain/7/ranks65"}, "no ranks 65; allowed: 2, 3, 4"),
        ({"expression": "SGD/momentum/for-loop/float32/cpu/plain/7/ranks1"}, "no case is left"),
        (
            {"expression": "SGD/momentum/ddp/float32/cpu/plain/7/ranks2", "ranks": 3},
            "-k SGD/momentum/ddp/float32/cpu/plain/7/ranks2: is a case of 2 ranks, given 3; leave ranks out",
        ),
        (
            {"expression": "SGD/momentum/for-loop/float32/cpu/plain/7", "ranks": 3},
            "-k SGD/momentum/for-loop/float32/cpu/plain/7: is a case of one rank, given 3; leave ranks out",
        ),
        ({"expression": "Muon/defaults/fsdp/float32/cpu/plain/7/ranks2"}, "no optimizer Muon; allowed: SGD, Adam"),
    ],
)
def test_what_ranks_do_not_have_is_refused_in_one_line(words: dict[str, Any], said: str) -> None:
    asked = {"optimizers": None, "implementations": None, "dtypes": None, "devices": None, "situations": None}
    given = {"ranks": None if "expression" in words else 2, **asked, **words}
    with pytest.raises(InputError) as refusal:
        select(**given)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


WITHOUT_DISTRIBUTED = """
import sys
import torch

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("torch.distributed."):
            raise ImportError(name)

sys.meta_path.insert(0, Missing())
import parity.features.verify.verify
"""


@pytest.mark.slow
def test_verify_needs_no_part_of_torch_distributed_until_ranks_are_started() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_DISTRIBUTED], check=True)


# -- the page -------------------------------------------------------------------------------------------------------

WHOLE_PAGE = (Path(__file__).parents[2] / "docs" / "verify.md").read_text(encoding="utf-8")
PAGE = WHOLE_PAGE.split("## Reductions over ranks")[1].split("\n## ")[0]
COMMANDS = re.findall(r"^(parity verify .*?) *(?:#.*)?$", PAGE.split("```")[1], re.MULTILINE)


def test_the_page_names_every_reduction_and_situation() -> None:
    rows = {row.split("|")[1].split()[0]: row for row in PAGE.splitlines() if row.startswith("| ") and "`--" not in row}
    assert list(rows) == list(REDUCTIONS)
    for reduction, situations in REDUCTIONS.items():
        named = set(re.findall(r"[\w-]+", re.sub(r"\([^)]*\)", "", rows[reduction].split("|")[2])))
        assert named - {"and"} == set(situations), reduction


def test_the_page_counts_the_planted_faults() -> None:
    assert f"plant {len(FAULTS)} faults" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(command: str, tmp_path: Path) -> None:
    assert len(COMMANDS) == 4 and main([*shlex.split(command)[1:], "--out", str(tmp_path)]) == 0
