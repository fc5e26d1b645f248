"""Digits, synthetic classes and IDX files: rows of pixels from 0 to 1 and the numbers of classes."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from refimpl.datasets import IDX, Classes, Dataset, Digits
from refimpl.datasets.digits import load, scaled
from refimpl.errors import DataError, ParameterError


def made(source: Classes | Digits | IDX, seed: int = 0) -> Dataset:
    return source.make(np.random.default_rng(seed))


# -- digits ------------------------------------------------------------------------------------------------------------


def test_all_digits_are_there_once() -> None:
    from sklearn.datasets import load_digits

    data = made(Digits(side=8))
    assert data.X.shape == (1, 1437, 64) and data.X_validation is not None and data.X_validation.shape == (1, 360, 64)
    assert data.y_validation is not None
    rows = np.concatenate([data.X[0], data.X_validation[0]]) * 16
    labels = np.concatenate([data.y[0], data.y_validation[0]])
    found = np.concatenate([rows, labels], axis=1)
    original = np.column_stack([load_digits().data, load_digits().target])
    assert sorted(map(tuple, found)) == sorted(map(tuple, original))
    assert data.X.min() >= 0 and data.X.max() == 1


@pytest.mark.parametrize("side", [28, 5, 1])
def test_the_interpolation_is_torchs(side: int) -> None:
    images = load()[0][:50] / 16
    expected = torch.nn.functional.interpolate(
        torch.tensor(images)[:, None], size=(side, side), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(scaled(images, side), expected[:, 0].numpy(), atol=1e-14)


def test_a_constant_image_stays_constant_and_its_own_size_changes_nothing() -> None:
    assert np.all(scaled(np.full((1, 8, 8), 0.25), 28) == 0.25)
    images = load()[0][:3]
    assert np.array_equal(scaled(images, 8), images)


def test_the_same_seed_picks_the_same_digits_and_another_seed_others() -> None:
    source = Digits(train_rows=30, validation_rows=0)
    assert made(source, 1).X.tobytes() == made(source, 1).X.tobytes()
    assert made(source, 1).X_validation is None
    assert not np.array_equal(made(source, 1).y, made(source, 2).y)


def test_without_scikit_learn_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    load.cache_clear()
    with pytest.raises(DataError, match=r"^digits: given no scikit-learn.*'step-parity\[data\]'.*\"classes\"$"):
        made(Digits(train_rows=30))
    monkeypatch.undo()
    assert made(Digits(train_rows=30)).X.shape == (1, 30, 784)


@pytest.mark.parametrize("rows", [(1500, 300), (1798, 0), (0, 5)])
def test_more_digits_than_there_are_or_none_are_refused(rows: tuple[int, int]) -> None:
    with pytest.raises(ParameterError, match="train_rows"):
        Digits(train_rows=rows[0], validation_rows=rows[1])


# -- synthetic classes -------------------------------------------------------------------------------------------------


def test_the_mean_of_a_class_is_its_centre_and_the_rest_is_noise() -> None:
    data = made(Classes(train_rows=3000, features=5, classes=3, spread=2.0, noise=0.5))
    y = data.y[0, :, 0]
    assert set(y) == {0.0, 1.0, 2.0} and data.X_validation is None
    centres = np.array([data.X[0, y == k].mean(axis=0) for k in range(3)])
    rest = data.X[0] - centres[y.astype(int)]
    assert rest.std() == pytest.approx(0.5, rel=0.03)
    assert np.linalg.norm(centres[0] - centres[1]) > 1


def test_more_validation_rows_leave_the_training_classes_and_centres_as_they_are() -> None:
    first = made(Classes(train_rows=6, validation_rows=2, features=3))
    assert first.X.shape == (1, 6, 3) and first.X_validation is not None and first.X_validation.shape == (1, 2, 3)
    assert first.X.tobytes() == made(Classes(train_rows=6, validation_rows=2, features=3)).X.tobytes()
    with pytest.raises(ParameterError, match="classes"):
        Classes(train_rows=3, classes=1)


# -- IDX ---------------------------------------------------------------------------------------------------------------

IMAGES = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4) * 4
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


def idx(array: np.ndarray, axes: int | None = None) -> bytes:  # type: ignore[type-arg]
    """The bytes of an IDX file."""
    head = bytes([0, 0, 8, axes or array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.tobytes()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(idx(IMAGES))
    labels.write_bytes(idx(LABELS))
    return images, labels


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_and_labels_are_those_of_the_file(packed: bool, pair: tuple[Path, Path]) -> None:
    if packed:
        for path in pair:
            path.write_bytes(gzip.compress(path.read_bytes()))
    data = made(IDX(images=str(pair[0]), labels=str(pair[1])))
    assert np.array_equal(data.X[0] * 255, IMAGES.reshape(5, 12))
    assert data.y[0, :, 0].tolist() == LABELS.tolist() and data.X_validation is None


def test_validation_rows_come_from_files_of_their_own_and_the_first_rows_are_taken(pair: tuple[Path, Path]) -> None:
    images, labels = map(str, pair)
    source = IDX(
        images=images,
        labels=labels,
        validation_images=images,
        validation_labels=labels,
        train_rows=4,
        validation_rows=2,
    )
    data = made(source)
    assert data.X.shape == (1, 4, 12) and data.y_validation is not None
    assert data.y_validation[0, :, 0].tolist() == [3, 1]


DAMAGED = {
    "the head of labels": (idx(LABELS), "starts with 00 00 08 01; allowed: 00 00 08 03"),
    "nothing": (b"", "starts with nothing"),
    "half of it": (idx(IMAGES)[:40], "given 40 bytes, of which the head says 5 × 3 × 4; allowed: 76 bytes"),
    "a byte too many": (idx(IMAGES) + b"\0", "allowed: 76 bytes"),
    "no rows": (idx(IMAGES[:0]), "at least one row"),
    "a head cut short": (idx(IMAGES)[:9], "given 9 bytes"),
    "broken gzip": (gzip.compress(idx(IMAGES))[:30], "a gzip file that is damaged"),
    "no gzip": (b"\x1f\x8bnonsense", "a gzip file that is damaged"),
    "other numbers of images": (idx(IMAGES[:4]), "given 5 labels; allowed: 4, one per image"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named_with_what_is_wrong(damage: str, pair: tuple[Path, Path]) -> None:
    content, message = DAMAGED[damage]
    pair[0].write_bytes(content)
    with pytest.raises(DataError, match=message):
        made(IDX(images=str(pair[0]), labels=str(pair[1])))


def test_a_missing_file_too_few_rows_and_half_a_validation_are_refused(pair: tuple[Path, Path]) -> None:
    images, labels = map(str, pair)
    with pytest.raises(DataError, match="nowhere: given a path where no file is"):
        made(IDX(images=str(pair[0].with_name("nowhere")), labels=labels))
    with pytest.raises(DataError, match="given 5 images; allowed: at least 6"):
        made(IDX(images=images, labels=labels, train_rows=6))
    with pytest.raises(ParameterError, match="both or neither"):
        IDX(images=images, labels=labels, validation_images=images)
    with pytest.raises(ParameterError, match="validation_rows"):
        IDX(images=images, labels=labels, validation_rows=1)


def test_paths_in_an_experiment_file_are_relative_to_it(pair: tuple[Path, Path]) -> None:
    from parity.experiment_file import load as load_experiment

    file = pair[0].with_name("mine.toml")
    file.write_text(
        """
        epochs = 1
        data = { kind = "idx", images = "images", labels = "labels" }
        model = { kind = "mlp", hidden = 2, outputs = 6 }
        loss = { kind = "cross_entropy", reduction = "mean" }
        optimizer = { kind = "adam" }
        """
    )
    assert load_experiment(file).draw().dataset.X.shape == (1, 5, 12)
