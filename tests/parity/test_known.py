"""What is known of torch: every fact still so, every script alone, the page in step, the command's exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from parity.cli import main
from parity.features.known import known
from parity.features.known.fact import Fact
from parity.features.known.known import KNOWN
from parity.features.known.page import page

ROOT = Path(__file__).parents[2]
FACTS = list(KNOWN.values())
FUSED = [fact for fact in FACTS if re.search(r"(fused|foreach)=True\b", fact.source)]

# Runs scripts one after the other, each in a namespace of its own, in an interpreter that sees torch only.
RUNNER = """
import contextlib, io, json, runpy, sys
import torch

torch.set_num_threads(1)

def surroundings():
    return [torch.get_rng_state().tolist(), torch.get_default_dtype(), torch.get_num_threads(),
            torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()]

printed, before = {}, surroundings()
for path in sys.argv[1:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(path, run_name="__main__")
    printed[path] = [out.getvalue(), surroundings() == before]
assert not {"parity", "refimpl"} & set(sys.modules)
print(json.dumps(printed))
"""


def never() -> bool | None:
    """What a mended fact looks like."""
    print("as expected")
    return False


def unseen() -> bool | None:
    """What a fact looks like where the machine cannot show it."""
    print("needs another machine")
    return None


def broken() -> bool | None:
    raise AttributeError("torch has no such optimizer\nany more")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the registry by one fact that holds, and one with the given reproduction."""

    def set_to(reproduce: Any) -> None:
        facts = {"state-dict-is-live": KNOWN["state-dict-is-live"]}
        facts["made-up"] = replace(facts["state-dict-is-live"], id="made-up", reproduce=reproduce)
        monkeypatch.setattr(known, "KNOWN", facts)

    return set_to


# -- the facts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)
def test_every_fact_is_still_so_and_prints_one_line(fact: Fact, capsys: pytest.CaptureFixture[str]) -> None:
    observation = fact.observe()
    if fact.id == "position-changes-rounding" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        assert observation.state == "cannot be shown here"
    else:
        assert observation.state == "still so" and fact.happens()
    assert len(observation.text.splitlines()) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("fact", FUSED, ids=lambda fact: fact.id)
def test_the_reproduction_says_no_where_the_for_loop_is_asked_instead(fact: Fact) -> None:
    source = re.sub(r"(fused|foreach)=True\b", r"\1=False", fact.source)
    namespace: dict[str, Any] = {}
    exec(compile(source, fact.id, "exec"), namespace)
    assert namespace["reproduce"]() in (False, None)


@pytest.mark.slow
def test_every_script_runs_alone_with_torch_only_and_leaves_no_trace(tmp_path: Path) -> None:
    scripts = {str(tmp_path / f"{fact.id}.py"): fact for fact in FACTS}
    for path, fact in scripts.items():
        Path(path).write_text(fact.source, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", RUNNER, *scripts]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for path, (printed, same) in json.loads(done.stdout).items():
        assert len(printed.splitlines()) == 1 and printed.endswith("\n"), path
        assert same, path


def test_the_two_faults_of_the_readme_are_deviations() -> None:
    assert KNOWN["fused-sgd-skips-vectors"].kind == "deviation"
    assert KNOWN["foreach-nesterov-overwrites-grad"].kind == "deviation"


# -- the registry and the page ------------------------------------------------------------------------------------


def test_each_file_is_one_fact_under_its_own_id() -> None:
    files = {path.stem for path in (ROOT / "parity" / "features" / "known" / "facts").glob("*.py")} - {"__init__"}
    assert {fact.id.replace("-", "_") for fact in KNOWN.values()} == files
    assert all(fact.id == name for name, fact in KNOWN.items())


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)
def test_every_fact_says_what_is_expected_what_is_executed_and_where(fact: Fact) -> None:
    assert fact.kind in ("deviation", "surprise")
    assert fact.title and fact.expected and fact.executed and "2.13.0" in fact.versions
    assert not re.search(r"[.;]$", fact.title + "\n" + fact.expected + "\n" + fact.executed, flags=re.MULTILINE)
    assert re.fullmatch(r"https://github\.com/pytorch/pytorch/(issues|pull)/\d+|", fact.link)
    assert "torch" in fact.source and "parity" not in fact.source


def test_the_committed_page_is_what_is_generated() -> None:
    """Write it anew with: python -m parity.features.known > docs/known-deviations.md."""
    assert (ROOT / "docs" / "known-deviations.md").read_text(encoding="utf-8") == page()


def test_the_page_lists_every_fact_and_is_linked_from_the_readme_and_the_design() -> None:
    text = page()
    for fact in FACTS:
        assert f"](#{fact.id})" in text and f"### {fact.id}\n" in text and fact.source in text
    assert "(docs/known-deviations.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(known-deviations.md)" in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_the_generator_prints_the_page() -> None:
    done = subprocess.run([sys.executable, "-m", "parity.features.known"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == page()


# -- the command --------------------------------------------------------------------------------------------------


def test_known_lists_every_fact_with_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["known"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and f"{len(FACTS)} facts:" in out
    for fact in FACTS:
        (line,) = [line for line in out.splitlines() if fact.id in line.split()]
        assert line.split()[:2] == ["still", "so"] or fact.id == "position-changes-rounding"


def test_known_shows_one_fact_with_a_script_that_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    fact = KNOWN["fused-sgd-skips-vectors"]
    assert main(["known", fact.id]) == 0
    out = capsys.readouterr().out
    assert out.endswith("\n\n" + fact.source)
    assert fact.link in out and fact.expected in out and fact.executed in out and "still so: weights" in out


def test_a_fact_that_is_gone_ends_with_1(few: Any, capsys: pytest.CaptureFixture[str]) -> None:
    few(never)
    assert main(["known"]) == 1
    assert "no longer: remove me" in capsys.readouterr().out
    assert main(["known", "made-up"]) == 1
    assert "no longer: remove me: as expected" in capsys.readouterr().out
    assert main(["known", "state-dict-is-live"]) == 0


@pytest.mark.parametrize("reproduce", [unseen, broken])
def test_a_fact_that_this_machine_cannot_show_is_no_failure(
    few: Any, reproduce: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    few(reproduce)
    assert main(["known"]) == 0
    assert "2 facts: 1 still so, 1 cannot be shown here" in capsys.readouterr().out


def test_json_has_every_fact_and_nothing_else_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["known", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1 and document["environment"]["torch"] == torch.__version__
    assert [one["id"] for one in document["facts"]] == list(KNOWN)
    keys = {"id", "title", "kind", "expected", "executed", "versions", "link", "state", "text", "source"}
    assert all(set(one) == keys and one["text"] for one in document["facts"])


def test_json_of_one_fact_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "fact.json"
    assert main(["known", "state-dict-is-live", "--json", str(place)]) == 0
    assert [one["state"] for one in json.loads(place.read_text(encoding="utf-8"))["facts"]] == ["still so"]
    assert "snapshot = optimizer.state_dict()" in capsys.readouterr().out
    assert main(["known", "--json", str(tmp_path)]) == 2


def test_an_unknown_id_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["known", "fused-sgd-skips-vector"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "parity: fused-sgd-skips-vector: no such fact; `parity known` lists them; "
        "did you mean 'fused-sgd-skips-vectors'?\n"
    )
