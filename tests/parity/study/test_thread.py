"""The search for the settings of a reported table: what it simulates, that it finds what is planted, what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parity.backends.reference import run_reference
from parity.cli import main
from parity.experiment import Experiment
from parity.report.study.thread import conclusions
from parity.study.thread import search as module
from parity.study.thread.search import REPORTED, Fit, search
from parity.study.thread.settings import FEATURES, STRENGTHS, TEST_ROWS, TRAIN, Setting, Space
from parity.study.thread.simulate import tables
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.penalties import L2

ROOT = Path(__file__).parents[3]
SETTING = Setting(rows=20, batch=5, init="N(0, 0.1²)", rate=0.003, ratio=2.0, epochs=10, factor=1.0, inside=False)
# c, reduction, k and η that all have η′ = ηcs = 0.003 and κ = k/(cs) = 2
WAYS = {
    "mean + λ‖w‖²": (1.0, "mean", 2.0, 0.003),
    "½·mean + λ/2·‖w‖²": (0.5, "mean", 1.0, 0.006),
    "sum + 5·λ‖w‖²": (1.0, "sum", 10.0, 0.0006),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_the_objective_ends_with_the_losses_of_its_setting(way):
    factor, reduction, k, lr = WAYS[way]
    strength = 4.0
    experiment = Experiment(
        name="one",
        data=Gaussian(train_rows=20, validation_rows=TEST_ROWS, features=FEATURES),
        loss=SquaredError(factor=factor, reduction=reduction),
        penalties=(L2(strength=k * strength),),
        optimizer=SGD(lr=lr),
        init={"weight": Normal(std=0.1)},
        batches=Batches(size=5),
        epochs=10,
        seed=7,
    )
    run = run_reference(experiment, "loss")
    rows = {"mean": (1, 1), "sum": (20, TEST_ROWS)}[reduction]
    training, test = run.train_loss[-1, 0] / factor / rows[0], run.validation_loss[-1, 0] / factor / rows[1]
    found = tables([SETTING, replace(SETTING, factor=0.5, inside=True)], 7)[:, :, int(strength)]
    assert found[0] == pytest.approx([training, test], rel=1e-9)
    penalty = 2.0 * strength / 2 * run.norm[-1, 0] ** 2  # κλ/2·‖w‖²
    assert found[1] == pytest.approx([0.5 * (training + penalty), 0.5 * test], rel=1e-9)


def test_a_run_is_read_at_every_number_of_epochs_as_if_it_ended_there():
    both = tables([replace(SETTING, epochs=3), SETTING], 1)
    np.testing.assert_allclose(both[0], tables([replace(SETTING, epochs=3)], 1)[0], rtol=1e-12)
    assert np.all(both[0] != both[1])


def test_the_search_finds_the_setting_that_a_table_was_made_with(monkeypatch):
    space = Space(layouts=((20, 5),), rates=(0.003, 0.01), epochs=(3, 10), scouts=1, kept=3, seeds=3)
    planted = replace(SETTING, rate=0.01, init="U(±1/√p)")
    table = np.log(tables([planted], 2)[0])  # of a seed that the search has
    monkeypatch.setattr(module, "REPORTED", table)
    fits = search(space)
    assert fits[0].setting == planted and fits[0].near
    assert fits[0].distances.min() < 1e-6 < fits[1].distances.min()
    assert conclusions(space, fits[:1])[1].startswith("All of them have: rows 20; batch 5; initial weights U(±1/√p)")


def test_a_fit_counts_the_numbers_outside_the_range_of_its_seeds():
    moved = REPORTED + 0.1
    fit = Fit(setting=SETTING, logs=np.stack([moved, moved + 0.2]))
    assert len(fit.outside) == 22 and fit.distances == pytest.approx([0.1, 0.3]) and fit.near
    fit = Fit(setting=SETTING, logs=np.stack([REPORTED - 0.1, moved]))
    assert fit.outside == [] and np.allclose(fit.nearest[0], TRAIN * np.exp(-0.1))


def test_a_setting_that_diverges_is_not_kept():
    space = Space(layouts=((20, 20),), rates=(3.0,), epochs=(100,), scouts=1, kept=5, seeds=1)
    assert all(np.isfinite(fit.distances).all() for fit in search(space))


def test_the_quick_command_prints_the_table_and_writes_what_it_found(tmp_path, capsys):
    assert main(["thread", "--quick", "--json", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["reported"]["strengths"] == STRENGTHS.tolist() and found["tried"] == 384
    assert [one["init"] for one in found["settings"][:3]] == ["N(0, 0.1²)"] * 3
    assert all(line in printed for line in found["conclusions"])
    assert found["conclusions"][-1] == "These are a part of the settings; `parity thread` tries more."
    assert "8 settings that were run in 8 draws" in found["conclusions"][0]


def test_an_interrupt_ends_with_130(capsys, monkeypatch):
    def interrupted(*_words):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "tables", interrupted)
    assert main(["thread"]) == 130
    assert capsys.readouterr().err == "parity: interrupted; nothing was written\n"


def test_the_page_says_what_the_committed_search_found():
    found = json.loads((ROOT / "benchmarks" / "results" / "thread.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    assert all(line in page for line in found["conclusions"])
    for one in found["settings"][:3]:
        row = [one["batch"], one["rate"], one["ratio"], one["epochs"]]
        far = [np.exp(one[name]) for name in ("nearest", "median", "training", "test")]
        assert " | ".join([*(f"{value:g}" for value in row), *(f"{value:.2f}" for value in far)]) in page


def test_the_page_is_right_about_the_two_nearest_settings():
    first, second = replace(SETTING, epochs=100), replace(SETTING, rate=0.01, ratio=4.0, epochs=20)
    found = np.stack([np.concatenate([tables([one], seed) for one in (first, second)]) for seed in range(20)])
    ratios = np.median(found[:, :, 0, 1:], axis=0) / TRAIN[1:]
    assert np.allclose(ratios[0], 0.4, atol=0.04) and np.all((ratios[1] > 0.58) & (ratios[1] < 0.84))
    assert np.median(found[:, 1, 1, 1]) < 1.1 * np.median(found[:, 1, 1, 3])
    assert max(changes_of_direction(losses) for losses in found[:, 0, 1, 2:]) == 2
    assert changes_of_direction(np.exp(REPORTED[1, 2:])) == 4


def changes_of_direction(losses):
    """Two equal losses in a row have no direction of their own."""
    steps = np.diff(losses)
    signs = np.sign(steps[np.abs(steps) > 1e-12])
    return int(np.sum(signs[1:] != signs[:-1]))
