"""The command line: what it prints where, what it writes where, and the code that it ends with."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from parity import gallery, output
from parity.backends.base import DTYPES, IMPLEMENTATIONS
from parity.backends.torch_backend import TorchBackend
from parity.backends.torch_manual import UPDATES
from parity.cli import main
from parity.errors import Unsupported
from parity.formulation import FORMULATIONS
from parity.judge.verdict import VerdictName

TINY = """
name = "tiny"
title = "a title"
epochs = 2
[data]
kind = "gaussian"
train_rows = 6
validation_rows = 3
features = 4
[loss]
factor = 0.5
reduction = "mean"
[optimizer]
kind = "sgd"
lr = 0.1
[[penalties]]
kind = "l2"
strength = 3.0
[init.weight]
kind = "normal"
std = 1.0
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an experiment; pictures are another test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def as_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """The report on standard output."""
    capsys.readouterr()
    assert main(["run", *words, "--json", "-"]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def settings(document: dict[str, Any]) -> list[tuple[str, ...]]:
    keys = ("dtype", "formulation", "implementation")
    return [tuple(one[key] for key in keys) for one in document["runs"]]


def wrong_update(w: Any, g: Any, state: Any, *, lr: float, weight_decay: float, **_: Any) -> Any:
    """w ← w − η(g + 2λw): the decay is twice what was asked."""
    w -= lr * (g + 2 * weight_decay * w)
    return state


def broken_update(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("the update is broken\nin two lines")


# -- list and show ------------------------------------------------------------------------------------------------


def test_list_names_every_experiment_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    for path in sorted(gallery.FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        (place,) = [i for i, line in enumerate(lines) if line.split()[:1] == [document["name"]]]
        assert document["title"] in lines[place]
        heading = next(line for line in reversed(lines[:place]) if line.startswith("   ") and line.strip())
        assert heading.strip() == document["source"]


def test_show_prints_what_run_reads(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "check-small"]) == 0
    (place / "shown.toml").write_text(capsys.readouterr().out)
    shown = as_json(capsys, "shown.toml", "--dtype", "float32", "--formulation", "loss")
    original = as_json(capsys, "check-small", "--dtype", "float32", "--formulation", "loss")
    assert shown["runs"] == original["runs"]
    assert shown["runs"][0]["verdict"] == "agree"


# -- what is run --------------------------------------------------------------------------------------------------


def test_by_default_float64_and_float32_run_in_every_formulation(capsys: pytest.CaptureFixture[str]) -> None:
    expected = [(dtype, formulation, "for-loop") for dtype in ("float64", "float32") for formulation in FORMULATIONS]
    document = as_json(capsys, "tiny.toml", "--device", "cpu")
    assert settings(document) == expected
    assert {one["device"] for one in document["runs"]} == {"cpu"}


def test_options_repeat_and_count_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--dtype", "bfloat16", "--dtype", "float16", "--dtype", "bfloat16", "--formulation", "loss"]
    assert settings(as_json(capsys, "tiny.toml", *words)) == [
        ("bfloat16", "loss", "for-loop"),
        ("float16", "loss", "for-loop"),
    ]


def test_all_means_each(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise Unsupported("nothing is run: what is asked for is the point")

    monkeypatch.setattr(TorchBackend, "run", refuse)
    words = ["--dtype", "all", "--formulation", "all", "--implementation", "all"]
    assert main(["run", "tiny.toml", *words, "--json", "-"]) == 2
    found = settings(json.loads(capsys.readouterr().out))
    by_torch = [(d, f, i) for d in DTYPES for f in ("loss", "weight_decay") for i in IMPLEMENTATIONS]
    assert set(found) == {*by_torch, *((d, "manual", "for-loop") for d in DTYPES)}
    assert len(found) == len(set(found))


def test_names_are_matched_whatever_their_case(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--dtype", "Float32", "--formulation", "Weight_Decay", "--implementation", "For-Loop", "--device", "cpu"]
    document = as_json(capsys, "S1-XOR", *words)
    assert [one["experiment"] for one in document["runs"]] == ["s1-xor"]
    assert settings(document) == [("float32", "weight_decay", "for-loop")]


def test_a_pattern_stands_for_all_that_match_and_each_runs_once(capsys: pytest.CaptureFixture[str]) -> None:
    document = as_json(capsys, "s1-x*", "s1-xor", "--dtype", "float64", "--formulation", "loss")
    assert [one["experiment"] for one in document["runs"]] == ["s1-xor", "s1-xor-lam0"]


def test_a_form_factor_of_two_doubles_the_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tiny.toml", "--dtype", "float64", "--formulation", "weight_decay"]
    plain, wide = as_json(capsys, *words), as_json(capsys, *words, "--form-factor", "2")
    used, of_wide = (document["runs"][0]["used"]["update weight"] for document in (plain, wide))
    assert used / of_wide == pytest.approx(2, rel=0.01)
    assert (plain["environment"]["form factor"], wide["environment"]["form factor"]) == ("1", "2")


def test_tf32_is_said_beside_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "tiny.toml", "--dtype", "float32", "--formulation", "loss", "--tf32"]) == 0
    assert "cpu float32 loss for-loop tf32" in capsys.readouterr().out


# -- where results go ---------------------------------------------------------------------------------------------


def test_json_to_standard_output_leaves_the_table_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "tiny.toml", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["schema"] == 1
    assert "tiny: a title" in err and "6 runs: 6 agree" in err


def test_without_json_the_table_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "tiny.toml", "--out", "here"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "tiny: a title" in out and "6 runs: 6 agree" in out and "Results: here" in out
    for column in ("train loss", "valid. loss", "‖w‖₂", "½‖w‖²", "to ridge", "digits", "used", "verdict"):
        assert column in out


def test_json_to_a_file_is_the_report_of_the_folder(place: Path) -> None:
    assert main(["run", "tiny.toml", "--out", "here", "--json", "mine.json"]) == 0
    assert (place / "mine.json").read_bytes() == (place / "here" / "report.json").read_bytes()


def test_two_runs_within_one_second_have_folders_of_their_own(place: Path) -> None:
    for _ in range(3):
        output.new_folder().mkdir(parents=True)
    assert len(list((place / "parity-results").iterdir())) == 3


def test_by_default_results_go_into_a_new_folder_named_by_the_time(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "tiny.toml", "--dtype", "float64", "--formulation", "manual"]) == 0
    (folder,) = (place / "parity-results").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}", folder.name)
    assert f"Results: parity-results/{folder.name}" in capsys.readouterr().out
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "report.json",
        "trajectories/tiny--reference.npz",
        "trajectories/tiny--cpu-float64-manual-for-loop.npz",
    }


RUN_KEYS = {
    *("experiment", "backend", "device", "dtype", "formulation", "implementation"),
    *("verdict", "used", "final", "first_disagreement"),  # the keys of the agreed schema
    *("text", "undecidable", "digits", "ridge_distance", "repro"),  # and what else a reader may want
}


def test_the_json_has_the_agreed_schema(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a run of each verdict but error: for that see below."""
    monkeypatch.setitem(UPDATES, "SGD", wrong_update)
    (place / "l1.toml").write_text(TINY.replace('"l2"', '"l1"').replace("tiny", "l1"))
    blind = TINY.replace("tiny", "blind").replace("lr = 0.1", "lr = 0.1\ndampening = 0.5")
    (place / "blind.toml").write_text(blind)
    document = as_json(capsys, "tiny.toml", "l1.toml", "blind.toml", "--dtype", "float32", code=1)
    assert set(document) == {"document", "schema", "data", "runs", "environment"}
    assert document["schema"] == 1
    assert set(document["data"]) == {"tiny", "l1", "blind"}
    assert all(isinstance(value, str) for value in document["environment"].values())
    assert {"parity", "torch", "numpy", "python", "platform", "machine"} <= set(document["environment"])
    by_setting = {(one["experiment"], one["formulation"]): one for one in document["runs"]}
    assert {key: one["verdict"] for key, one in by_setting.items()} == {
        ("tiny", "loss"): "agree",
        ("tiny", "weight_decay"): "agree",
        ("tiny", "manual"): "disagree",
        ("l1", "loss"): "agree",
        ("l1", "weight_decay"): "unsupported",
        ("l1", "manual"): "agree",
        ("blind", "loss"): "undecidable",
        ("blind", "weight_decay"): "undecidable",
        ("blind", "manual"): "disagree",
    }
    for one in document["runs"]:
        assert set(one) == RUN_KEYS
        assert one["verdict"] in get_args(VerdictName)
        assert one["backend"] == "torch" and one["device"] == "cpu" and one["dtype"] == "float32"
        assert all(isinstance(share, float) and share >= 0 for share in one["used"].values())
    agreed, wrong = by_setting["tiny", "loss"], by_setting["tiny", "manual"]
    assert set(agreed["final"]) == {"train_loss", "validation_loss", "weight_norm", "half_squared_norm"}
    assert agreed["final"]["half_squared_norm"] == agreed["final"]["weight_norm"] ** 2 / 2
    assert max(agreed["used"].values()) <= 1 < wrong["used"]["update weight"]
    assert agreed["first_disagreement"] is None and agreed["repro"] is None and agreed["undecidable"] == []
    first = wrong["first_disagreement"]
    assert set(first) == {"quantity", "step", "index", "candidate", "expected", "allowance"}
    assert (first["quantity"], first["step"]) == ("update weight", 0)
    assert abs(first["candidate"] - first["expected"]) > first["allowance"] > 0
    assert wrong["repro"] == "repro-tiny-cpu-float32-manual-for-loop.py"
    assert by_setting["l1", "weight_decay"]["final"] is None
    assert by_setting["l1", "weight_decay"]["used"] == {}
    assert by_setting["blind", "loss"]["undecidable"] == ["dampening"]


def test_numbers_that_are_not_finite_are_strings_in_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "wild.toml").write_text(TINY.replace("0.1", "1e200").replace("epochs = 2", "epochs = 4"))
    (one,) = as_json(capsys, "wild.toml", "--dtype", "float64", "--formulation", "loss")["runs"]
    assert one["final"]["train_loss"] in ("inf", "nan")


# -- how it ends --------------------------------------------------------------------------------------------------


def test_a_disagreement_ends_with_one_and_says_where(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UPDATES, "SGD", wrong_update)
    assert main(["run", "tiny.toml", "--dtype", "float64", "--out", "here"]) == 1
    out = capsys.readouterr().out
    (first,) = [
        one["first_disagreement"]
        for one in json.loads((place / "here" / "report.json").read_text())["runs"]
        if one["verdict"] == "disagree"
    ]
    where = f"update weight[{', '.join(map(str, first['index']))}] at step 0"
    assert f"{where}: {first['candidate']!r}, expected {first['expected']!r} ± {first['allowance']:.3g}" in out
    assert "reproduce with: python here/repro-tiny-cpu-float64-manual-for-loop.py" in out
    assert "3 runs: 2 agree, 1 disagree" in out
    assert (place / "here" / "repro-tiny-cpu-float64-manual-for-loop.py").is_file()


def test_an_error_ends_with_two_and_the_other_runs_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UPDATES, "SGD", broken_update)
    words = ["tiny.toml", "--dtype", "float64", "--formulation", "manual", "--formulation", "loss"]
    document = as_json(capsys, *words, code=2)
    assert [one["verdict"] for one in document["runs"]] == ["error", "agree"]
    assert document["runs"][0]["text"] == "ZeroDivisionError: the update is broken"
    assert set(document["runs"][0]) == RUN_KEYS


def test_a_disagreement_weighs_more_than_an_error(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UPDATES, "SGD", wrong_update)
    monkeypatch.setitem(UPDATES, "ProximalSGD", broken_update)
    (place / "prox.toml").write_text(TINY.replace("tiny", "prox").replace('"sgd"', '"proximal_sgd"'))
    document = as_json(capsys, "prox.toml", "tiny.toml", "--formulation", "manual", "--dtype", "float64", code=1)
    assert [one["verdict"] for one in document["runs"]] == ["error", "disagree"]


def test_nothing_to_judge_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    document = as_json(capsys, "tiny.toml", "--formulation", "manual", "--implementation", "fused", code=2)
    assert {one["verdict"] for one in document["runs"]} == {"unsupported"}


def test_undecidable_and_unsupported_beside_agreement_end_with_zero(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TINY.replace('"l2"', '"l1"').replace("lr = 0.1", "lr = 0.1\ndampening = 0.5")
    (place / "blind.toml").write_text(text)
    document = as_json(capsys, "blind.toml", "--dtype", "float64")
    assert [one["verdict"] for one in document["runs"]] == ["undecidable", "unsupported", "undecidable"]
