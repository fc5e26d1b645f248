"""A trajectory comes back from its file bit for bit, and a file is whole or not there."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import refimpl.trajectory
from refimpl.batches import Batches
from refimpl.errors import DataError
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.trajectory import SideEffect, Trajectory

MISSING = "given no trajectory .*; allowed: a file written by Trajectory.save; run again"


def trajectory(**changes: Any) -> Trajectory:
    rng = np.random.default_rng(0)
    arguments: dict[str, Any] = {
        "params": {"weight": rng.standard_normal((3, 2, 1, 4)), "bias": rng.standard_normal((3, 2, 1))},
        "gradients": {"weight": rng.standard_normal((2, 2, 1, 4)), "bias": rng.standard_normal((2, 2, 1))},
        "state": {
            "weight": {"momentum_buffer": rng.standard_normal((2, 2, 1, 4)), "step": np.arange(3.0)[:, None]},
            "bias": {},
        },
        "loss": rng.standard_normal((2, 2)),
        "objective": rng.standard_normal((2, 2)),
        "norm": rng.standard_normal((3, 2)),
        "train_loss": rng.standard_normal((2, 2)),
        "validation_loss": None,
        "inputs": {"X": rng.standard_normal((1, 3, 4))},
        "formats": {"weight": "bfloat16", "weight/momentum_buffer": "float32"},
        "side_effects": (
            SideEffect(step=1, tensor="gradient weight", index=(0, 3), before=0.1, after=float("nan")),
            SideEffect(step=2, tensor="bias", index=(), before=-float("inf"), after=1e-320),
        ),
        "meta": {"backend": "torch", "versions": {"torch": "2.13.0"}, "threads": 4, "λ": [0.1, None, True]},
    }
    return Trajectory(**(arguments | changes))


def arrays(found: Trajectory) -> dict[str, Any]:
    named = {f"params {name}": values for name, values in found.params.items()}
    named |= {f"gradients {name}": values for name, values in found.gradients.items()}
    named |= {f"inputs {name}": values for name, values in found.inputs.items()}
    named |= {f"state {name} {key}": values for name, keys in found.state.items() for key, values in keys.items()}
    plain = ("loss", "objective", "norm", "train_loss", "validation_loss")
    return named | {key: getattr(found, key) for key in plain if getattr(found, key) is not None}


def assert_same(first: Trajectory, second: Trajectory) -> None:
    ours, theirs = arrays(first), arrays(second)
    assert set(ours) == set(theirs)
    for name, values in ours.items():
        assert values.dtype == theirs[name].dtype and values.shape == theirs[name].shape
        assert values.tobytes() == theirs[name].tobytes()  # nan, −0 and all
    assert {name: set(keys) for name, keys in first.state.items()} == {n: set(k) for n, k in second.state.items()}
    assert (first.validation_loss is None) == (second.validation_loss is None)
    assert dict(first.formats) == dict(second.formats)
    assert dict(first.meta) == dict(second.meta)
    assert repr(first.side_effects) == repr(second.side_effects)  # nan is not equal to itself


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    for number, original in enumerate(
        [
            trajectory(),
            trajectory(validation_loss=np.array([[0.5, 0.25]])),
            trajectory(state={}, gradients={}, inputs={}),
        ]
    ):
        original.save(tmp_path / f"{number}.npz")
        assert_same(Trajectory.load(tmp_path / f"{number}.npz"), original)


@given(
    loss=hnp.arrays(np.float64, (2, 2)),
    weight=hnp.arrays(hnp.floating_dtypes(endianness="="), (3, 2, 1, 2)),
)
@settings(max_examples=20)
def test_any_floats_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, loss: Any, weight: Any) -> None:
    path = tmp_path_factory.mktemp("run") / "run.npz"
    original = trajectory(loss=loss, params={"weight": weight})
    original.save(path)
    assert_same(Trajectory.load(path), original)


def test_a_real_run_comes_back_with_the_state_before_each_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1, 6, 3)), rng.standard_normal((1, 6, 1))
    groups = [
        Group(parameters=("weight",), optimizer=SGD(lr=0.1, momentum=0.9)),
        Group(parameters=("bias",), optimizer=SGD(lr=0.1)),
    ]
    problem = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"))
    params = {"weight": np.zeros((2, 1, 3)), "bias": np.zeros((2, 1))}
    run = train(problem, groups, params, X, y, Batches(size=2).draw(6, 2, rng))
    run.save(tmp_path / "run.npz")
    found = Trajectory.load(tmp_path / "run.npz")
    assert_same(found, run)
    assert found.steps == 6
    assert found.state_before(0) == {"weight": {}, "bias": {}}
    for step in range(1, 7):
        buffer = found.state_before(step)["weight"]["momentum_buffer"]
        assert np.array_equal(buffer, run.state["weight"]["momentum_buffer"][step - 1])


def test_state_that_exists_from_the_start_and_state_that_appears_later_are_aligned_at_the_end() -> None:
    found = trajectory()
    assert set(found.state_before(0)["weight"]) == {"step"}
    for step in range(3):
        assert found.state_before(step)["weight"]["step"].tolist() == [float(step)]
    buffers = found.state["weight"]["momentum_buffer"]
    for step in (1, 2):
        assert np.array_equal(found.state_before(step)["weight"]["momentum_buffer"], buffers[step - 1])


def test_a_path_may_be_a_string_and_needs_no_suffix(tmp_path: Path) -> None:
    trajectory().save(str(tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert_same(Trajectory.load(str(tmp_path / "run")), trajectory())


def test_nothing_is_ever_pickled(tmp_path: Path) -> None:
    trajectory().save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as archive:
        assert all(not archive[name].dtype.hasobject for name in archive.files)
    with pytest.raises(
        DataError, match=r"given arrays of objects; allowed: arrays of numbers; convert them to float64"
    ):
        trajectory(loss=np.array([[object()]])).save(tmp_path / "objects.npz")
    assert not (tmp_path / "objects.npz").exists()
    np.savez(tmp_path / "evil.npz", loss=np.array([{}], object))
    with pytest.raises(DataError, match=MISSING):
        Trajectory.load(tmp_path / "evil.npz")


def corrupt(content: bytes) -> bytes:
    """The same archive with the compressed bytes of its first member spoiled, its length and directory intact."""
    return content[:60] + bytes(255 - byte for byte in content[60:90]) + content[90:]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"garbage",
        lambda _: b"PK\x03\x04garbage",
        lambda _: b"\x93NUMPY\x01\x00garbage",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        corrupt,
    ],
    ids=["empty", "text", "zip", "npy", "half", "cut", "corrupt"],
)
def test_any_other_file_is_refused_in_words(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "run.npz"
    trajectory().save(path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=MISSING) as caught:
        Trajectory.load(path)
    assert caught.value.what == str(path)


def without(path: Path, member: str) -> None:
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != f"{member}.npy"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("member", ["json", "loss", "objective", "norm", "train_loss"])
def test_a_file_without_one_of_its_parts_is_refused(tmp_path: Path, member: str) -> None:
    trajectory().save(tmp_path / "run.npz")
    without(tmp_path / "run.npz", member)
    with pytest.raises(DataError, match=MISSING):
        Trajectory.load(tmp_path / "run.npz")


def test_somebody_elses_archive_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "data.npz", X=np.zeros(3), y=np.zeros(3))
    trajectory().save(tmp_path / "more.npz")
    with zipfile.ZipFile(tmp_path / "more.npz", "a") as archive:
        archive.writestr("stranger.npy", b"")
    for name in ("array.npy", "data.npz", "more.npz"):
        with pytest.raises(DataError, match=MISSING):
            Trajectory.load(tmp_path / name)


def test_a_missing_file_and_a_directory_are_refused_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(DataError, match=MISSING):
            Trajectory.load(path)


def test_a_write_that_fails_leaves_the_earlier_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    trajectory().save(path)

    def full_disk(file: Any, **_: Any) -> None:
        file.write(b"the first half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(refimpl.trajectory.np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        trajectory(loss=np.zeros((2, 2))).save(path)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
    assert_same(Trajectory.load(path), trajectory())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not replace a file that is open")
def test_a_reader_of_the_earlier_file_keeps_all_of_it(tmp_path: Path) -> None:
    """The new file takes the name; it is never written into the old one."""
    path = tmp_path / "run.npz"
    trajectory().save(path)
    earlier = path.read_bytes()
    with path.open("rb") as reader:
        trajectory(loss=np.zeros((2, 2))).save(path)
        assert reader.read() == earlier
    assert path.read_bytes() != earlier


def test_meta_that_is_no_json_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    trajectory().save(path)
    with pytest.raises(TypeError):
        trajectory(meta={"device": object()}).save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
    assert_same(Trajectory.load(path), trajectory())


def test_a_second_save_replaces_the_first(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    trajectory().save(path)
    trajectory(loss=np.zeros((2, 2))).save(path)
    assert np.all(Trajectory.load(path).loss == 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]
