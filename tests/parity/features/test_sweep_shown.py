"""What is shown of a sweep over λ: its picture, its words, its files and its page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import parity
from parity.cli import main
from parity.document import to_json
from parity.features.sweep.document import document
from parity.features.sweep.grid import grid
from parity.features.sweep.marks import marks
from parity.features.sweep.picture import picture
from parity.features.sweep.run import sweep
from parity.features.sweep.words import middle, percent, sentences
from refimpl.optimizers import SGD

ROOT = Path(__file__).parents[3]
RESULT = ROOT / "benchmarks" / "results" / "sweep-s0.json"
S0 = "s0-scratch-lam3"


def test_a_sweep_that_always_diverges_has_no_marks_and_still_a_picture(bench):
    found = sweep(bench.experiment(optimizer=SGD(lr=3.0), epochs=100), grid("1,5"))
    assert np.all(found.diverges) and marks(found) == ()
    assert "Training diverges at every λ" in sentences(found, ())[0]
    picture(found, ())
    json.loads(to_json(document(found)))


def test_the_picture_has_a_line_for_each_rule_and_the_bands_of_the_seeds(bench):
    found = sweep(bench.experiment(), grid("log:0.1:10:5"), seeds=3)
    drawn = picture(found, marks(found))
    titles = [axis.get_title(loc="left") for axis in drawn.axes]
    rule = "the λ that each rule chooses: median (dotted below), quartiles, range"
    assert {rule, "loss without the penalty", "training loss"} <= set(titles)
    rules = drawn.axes[titles.index(rule)]
    assert len(rules.get_yticklabels()) == 6
    losses = drawn.axes[titles.index("loss without the penalty")]
    assert len(losses.collections) == 2  # range and quartiles
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), np.median(found.curves.validation_loss, axis=0))


def test_the_command_writes_its_files_and_prints_the_document(tmp_path, capsys):
    words = ["sweep", S0, "--strength", "0:10:1", "--seeds", "2", "--out", str(tmp_path / "new"), "--json", "-"]
    assert main(words) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document == json.loads((tmp_path / "new" / "sweep.json").read_text())
    assert document["strengths"] == list(range(11)) and document["seeds"] == [0, 1] and document["prior"] == 0.05
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"sweep.json", "sweep.csv", "sweep.png"}
    table = printed.err.split("What each rule chooses")[0]
    assert len([line for line in table.splitlines() if line.strip()[:1].isdigit()]) == 12  # 11 values, and the prior's
    assert all(line in printed.err for line in document["answer"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dtype", "float32"], "add --torch, or leave it out"),
        (["--torch", "--dtype", "float31"], "did you mean 'float32'?"),
        (["--seeds", "1001"], "less than or equal to 1000"),
    ],
)
def test_bad_words_are_refused_in_one_line(words, said, tmp_path, capsys):
    assert main(["sweep", S0, *words, "--out", str(tmp_path / "new")]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["sweep.json", "sweep.csv", "sweep.png"])
def test_a_place_that_cannot_be_written_is_said_before_the_work(name, tmp_path, capsys, monkeypatch):
    (tmp_path / name).mkdir()
    monkeypatch.setattr("parity.features.sweep.run.curves", lambda *_: pytest.fail("the work began"))
    assert main(["sweep", S0, "--out", str(tmp_path)]) == 2
    assert name in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == [name]


def test_a_value_whose_neighbours_diverge_is_drawn_as_a_point(bench):
    found = sweep(bench.experiment(), grid("0:6:1"))
    rose = np.array([[False, False, True, False, True, False, False]])
    drawn = picture(replace(found, curves=replace(found.curves, rose=rose)), ())
    for axis in drawn.axes:
        assert [line.get_xdata().tolist() for line in axis.lines if line.get_marker() == "o"][:1] == [[3.0]]
        assert axis.get_xlim() == (0, 6)


def test_an_interrupt_ends_with_130_and_writes_nothing(tmp_path, capsys, monkeypatch):
    def interrupted(*_words, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.features.sweep.run.curves", interrupted)
    assert main(["sweep", S0, "--out", str(tmp_path / "new")]) == 130
    assert capsys.readouterr().err.startswith("parity: interrupted; nothing was written")
    assert list((tmp_path / "new").iterdir()) == []


def test_shares_are_said_in_percent_and_large_ones_as_a_factor():
    assert [percent(share) for share in (0.0, 0.0029545, 0.77, 1.2, 7753.2)] == [
        "0 %",
        "0.3 %",
        "77 %",
        "120 %",
        "7,750 times as much",
    ]
    assert middle(np.array([1.0, 2.0, 3.0, 9.0])) == 2.0


@pytest.mark.slow
def test_the_committed_sweep_is_reproduced_and_the_page_says_what_it_found():
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    assert all(line in page for line in document["answer"])
    for mark in document["marks"]:
        row = [
            middle(np.array(mark["strengths"])),
            np.median(mark["validation_loss"]),
            np.median(mark["expected_loss"]),
        ]
        assert " | ".join(f"{value:.4g}" for value in row) in page, mark["rule"]
    some = sweep(parity.load(document["experiment"]), grid(document["grid"]), seeds=len(document["seeds"]))
    for name, bands in document["curves"].items():
        np.testing.assert_allclose(np.median(getattr(some.curves, name), axis=0), bands[2], rtol=1e-5)
