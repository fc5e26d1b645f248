"""The pictures of a report: what they show, and that they are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

import parity
from parity.backends.torch_manual import UPDATES
from parity.features.run import pictures as plots
from parity.features.run.results import Reference, Report
from refimpl.batches import Batches
from refimpl.datasets import File
from refimpl.initial_weights import Normal
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2, ElasticNet


def lam(bench: Any, name: str, *penalties: Any, **parts: Any) -> Any:
    return bench.experiment(name=name, penalties=penalties, **parts)


def too_small_a_step(w: Any, g: Any, state: Any, *, lr: float, **_: Any) -> Any:
    w -= 0.9 * lr * g
    return state


@pytest.fixture(scope="module")
def report(bench: Any) -> Report:
    """Two strengths, two dtypes, three formulations; nothing is written."""
    experiments = [lam(bench, "mine-lam0"), lam(bench, "mine-lam3", L2(strength=3.0))]
    return parity.run(experiments, devices=["cpu"], dtypes=["float64", "bfloat16"])


@pytest.fixture(scope="module")
def disagreeing(bench: Any) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(UPDATES, "SGD", too_small_a_step)
        return parity.run(lam(bench, "mine"), devices=["cpu"], dtypes=["float64"], formulations=["loss", "manual"])


def family(report: Report) -> tuple[str, list[Reference], list[Any]]:
    ((name, references),) = plots.families(report.references).items()
    return name, references, list(report.runs)


def texts(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.slow
def test_every_picture_is_a_png_of_a_readable_size(bench: Any, tmp_path: Path) -> None:
    experiments = [lam(bench, "mine-lam0"), lam(bench, "mine-lam3", L2(strength=3.0))]
    report = parity.run(experiments, devices=["cpu"], dtypes=["float64"], formulations=["loss"], out=tmp_path)
    assert report.folder == tmp_path
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {
        *("mine--losses.png", "mine--norm.png"),
        *(f"mine-lam{x}--{what}.png" for x in "03" for what in ("tolerance", "free-run")),
    }
    for name in names:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = matplotlib.image.imread(tmp_path / name)
        assert pixels.shape[0] >= 400 and pixels.shape[1] >= 600
        assert pixels[0, 0, :3].tolist() == [1, 1, 1] and pixels.std() > 0.01, "white ground, and something on it"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_losses_per_epoch_of_each_strength_are_on_a_log_axis(report: Report) -> None:
    figure = plots.losses(*family(report))
    assert figure.get_suptitle() == "mine: loss without the penalty"
    training, validation = figure.axes
    for axis, title, which in (
        (training, "training rows", "train_loss"),
        (validation, "validation rows", "validation_loss"),
    ):
        assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_yscale()) == ("epoch", "loss", "log")
        assert axis.get_title() == title
        lines = {line.get_label(): line for line in axis.get_lines()}
        for reference, what in zip(report.references, ("λ = 0", "λ = 3"), strict=True):
            drawn = lines[f"{what}, reference"]
            values = getattr(reference.trajectory, which)[:, 0]
            assert np.array_equal(drawn.get_xdata(), np.arange(4))
            assert np.array_equal(drawn.get_ydata(), values)
            for dtype in ("float64", "bfloat16"):
                marks = lines[f"{what}, torch {dtype}"]
                at = np.asarray(marks.get_xdata(), int)
                assert len(at) >= 2
                assert np.allclose(marks.get_ydata(), values[at], rtol=0.1)
    assert {"λ = 0, reference", "λ = 3, reference", "λ = 3, torch bfloat16"} <= set(texts(figure.legends[0]))


def test_weight_norms_are_per_step(report: Report) -> None:
    figure = plots.norms(*family(report))
    (axis,) = figure.axes
    assert figure.get_suptitle() == "mine: weight norm"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "‖w‖₂")
    assert axis.get_ylim()[0] == 0
    (line,) = [line for line in axis.get_lines() if line.get_label() == "λ = 3, reference"]
    assert np.array_equal(line.get_ydata(), report.references[1].trajectory.norm[:, 0])
    assert "λ = 0, torch float64" in texts(figure.legends[0])


def test_the_tolerance_is_shown_per_dtype_with_its_limit(report: Report) -> None:
    figure = plots.tolerance("mine-lam3", list(report.runs[6:]))
    assert "error ÷ tolerance" in figure.get_suptitle()
    assert [axis.get_title() for axis in figure.axes] == ["float64", "bfloat16"]
    for axis in figure.axes:
        assert (axis.get_xlabel(), axis.get_yscale()) == ("step", "log")
        limits = [line for line in axis.get_lines() if list(line.get_ydata()) == [1, 1]]
        assert len(limits) == 1
        curves = {line.get_label(): line for line in axis.get_lines() if line not in limits}
        assert set(curves) == {"weights after the step", "gradient", "losses", "‖w‖₂"}
        assert all(np.max(curve.get_ydata()) <= 1 for curve in curves.values())
        assert np.array_equal(curves["weights after the step"].get_xdata(), np.arange(9))
    assert figure.axes[0].get_ylabel() == "error ÷ tolerance"
    assert {"weights after the step", "gradient"} <= set(texts(figure.legends[0]))


def test_free_runs_are_shown_with_the_band_of_correct_ones(report: Report) -> None:
    figure = plots.free_runs("mine-lam3", list(report.runs[6:]))
    assert "free runs" in figure.get_suptitle()
    for axis in figure.axes:
        assert (axis.get_xlabel(), axis.get_yscale()) == ("step", "log")
        assert len(axis.get_lines()) == 3 and len(axis.collections) == 1
    assert "correct implementations" in texts(figure.legends[0])


def test_a_run_that_disagrees_is_drawn_by_itself(disagreeing: Report) -> None:
    assert disagreeing.counts == {"agree": 1, "disagree": 1}
    figure = plots.norms(*family(disagreeing))
    (wrong,) = [line for line in figure.axes[0].get_lines() if "disagrees" in str(line.get_label())]
    assert wrong.get_label() == "λ = 0, disagrees: cpu float64 manual for-loop"
    trajectory = disagreeing.runs[1].trajectory
    assert trajectory is not None and np.array_equal(wrong.get_ydata(), trajectory.norm[:, 0])
    above = plots.tolerance("mine", list(disagreeing.runs)).axes[0]
    assert max(np.max(line.get_ydata()) for line in above.get_lines()) > 1e6


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts", [{"optimizer": SGD(lr=1e200)}, {"init": {}, "optimizer": SGD(lr=0.0)}], ids=["diverges", "stands still"]
)
def test_numbers_that_no_axis_has_are_no_error(parts: dict[str, Any], bench: Any, tmp_path: Path) -> None:
    report = parity.run(bench.experiment(**parts), devices=["cpu"], dtypes=["float64"], formulations=["loss"])
    assert len(plots.draw_all(report, tmp_path)) == 4


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is laid out and drawn, and no pixel made of it."""
    monkeypatch.setattr(plots, "save", lambda figure, path: (figure.draw_without_rendering(), path)[1])


@pytest.mark.usefixtures("unwritten")
def test_a_loss_of_zero_is_no_error(tmp_path: Path) -> None:
    report = parity.run(parity.load("probe-cancel"), devices=["cpu"], dtypes=["float64"], formulations=["loss"])
    assert len(plots.draw_all(report, tmp_path)) == 4


def test_losses_that_are_all_zero_have_no_log_axis(tmp_path: Path, bench: Any) -> None:
    (tmp_path / "zeros.csv").write_text("x,y\n" + "0.0,0.0\n" * 4)
    data = File(path=str(tmp_path / "zeros.csv"), validation_fraction=0.25)
    experiment = bench.experiment(data=data, batches=Batches(size=0), init={"weight": Normal(std=0.5)})
    settings: Any = {"devices": ["cpu"], "dtypes": ["float64"], "formulations": ["loss"]}
    figure = plots.losses(*family(parity.run(experiment, **settings)))
    figure.draw_without_rendering()
    assert [axis.get_yscale() for axis in figure.axes] == ["linear", "linear"]


@pytest.mark.usefixtures("unwritten")
def test_nothing_is_drawn_of_runs_that_did_not_run(bench: Any, tmp_path: Path) -> None:
    """But the reference's own losses and norms."""
    experiment = lam(bench, "mine", L1(strength=1.0))
    report = parity.run(experiment, devices=["cpu"], dtypes=["float64"], formulations=["weight_decay"])
    assert [path.name for path in plots.draw_all(report, tmp_path)] == ["mine--losses.png", "mine--norm.png"]


def test_a_picture_that_cannot_be_written_is_bad_input(report: Report, tmp_path: Path) -> None:
    with pytest.raises(parity.errors.InputError, match="cannot be written"):  # type: ignore[attr-defined]
        plots.draw_all(report, tmp_path / "nowhere")


# -- families --------------------------------------------------------------------------------------------------------


def references(*experiments: Any) -> list[Reference]:
    trajectory: Any = None
    return [Reference(experiment, trajectory, None) for experiment in experiments]


def test_experiments_that_differ_in_penalties_only_are_one_family(bench: Any) -> None:
    three = references(*(lam(bench, f"a-lam{x:g}", L2(strength=x)) for x in (1.0, 2.0, 3.0)))
    other = references(lam(bench, "b-lam1", L2(strength=1.0), optimizer=SGD(lr=0.5)))
    found = plots.families([three[0], *other, *three[1:]])
    assert found == {"a": three, "b-lam1": other}


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["s0-lam0", "s0-lam3"], "s0"),
        (["xor", "xor-lam0"], "xor"),
        (["first", "second"], "first"),
        (["run-a", "run-b"], "run"),
        (["x1", "x10"], "x1"),
    ],
)
def test_a_family_is_called_by_what_its_names_share(names: list[str], shared: str, bench: Any) -> None:
    assert list(plots.families(references(*(lam(bench, name, L2(strength=float(len(name)))) for name in names)))) == [
        shared
    ]


def test_families_whose_names_share_the_same_beginning_are_kept_apart(bench: Any) -> None:
    """Or the pictures of one would replace those of the other."""
    slow, fast = SGD(lr=0.1), SGD(lr=0.5)
    experiments = [
        *(lam(bench, f"run-a{x}", L2(strength=x), optimizer=slow) for x in (1.0, 2.0)),
        *(lam(bench, f"run-b{x}", L2(strength=x), optimizer=fast) for x in (1.0, 2.0)),
    ]
    renamed = [replace(e, name=name) for e, name in zip(experiments, ["run-1", "run-2", "run-3", "run-4"], strict=True)]
    alone = lam(bench, "solo", optimizer=SGD(lr=0.7))
    pair = [lam(bench, "solo-1", optimizer=SGD(lr=0.8)), lam(bench, "solo-2", L2(strength=1.0), optimizer=SGD(lr=0.8))]
    found = plots.families(references(*renamed, *pair, alone))
    assert {name: [r.experiment.name for r in group] for name, group in found.items()} == {
        "solo": ["solo"],
        "run": ["run-1", "run-2"],
        "run-3": ["run-3", "run-4"],
        "solo-1": ["solo-1", "solo-2"],
    }


def test_the_label_says_the_penalty(bench: Any) -> None:
    cases = [
        ((), "λ = 0"),
        ((L2(strength=0.25),), "λ = 0.25"),
        ((L1(strength=1.0),), "L1"),
        ((L1(strength=1.0), ElasticNet(l1=1.0, l2=1.0)), "L1 + ElasticNet"),
    ]
    for penalties, label in cases:
        (reference,) = references(lam(bench, "mine", *penalties))
        assert plots.penalty_label(reference).startswith(label)
