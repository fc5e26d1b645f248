"""Experiment files: what is written is what is read."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parity import gallery
from parity.experiment import NAME, Experiment
from parity.experiment_file import REGISTRIES, _schema, from_dict, load, to_toml
from refimpl.batches import Batches
from refimpl.datasets import File
from refimpl.errors import RefimplError
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.ranges import number_fields
from refimpl.training import Group
from tests.parity.experiment_files import XOR_TOML, parsed

# -- what is written is what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gallery.names())
def test_the_gallery_survives_writing_and_reading(name: str, tmp_path: Path) -> None:
    experiment = load(gallery.find(name)[0])
    text = to_toml(experiment)
    (tmp_path / "copy.toml").write_text(text, encoding="utf-8")
    again = load(tmp_path / "copy.toml")
    assert again == experiment
    assert to_toml(again) == text


@pytest.mark.parametrize("name", gallery.names())
def test_a_gallery_file_is_called_as_its_experiment_and_says_what_it_is(name: str) -> None:
    experiment = load(gallery.find(name)[0])
    assert experiment.name == name
    assert experiment.title and experiment.source


def values_of(cls: Any, name: str) -> st.SearchStrategy[Any]:
    """What the field of a dataclass can be, by its type."""
    if name in number_fields(cls):
        allowed = number_fields(cls)[name]
        low, high = (None if np.isinf(end) else end for end in (allowed.low, allowed.high))
        one = st.floats(low, high, allow_nan=False, allow_infinity=False, exclude_max=allowed.open_high)
        count = len(get_args(_schema(cls)[name]))  # 0 for a plain float
        return st.tuples(*[one] * count) if count else one
    hint = _schema(cls)[name]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if name == "parameters":
        return st.lists(st.sampled_from(["weight", "bias"]), unique=True).map(tuple)
    if name == "path":
        return st.sampled_from(["rows.csv", "sub/rows.npz"])
    return {
        bool: st.booleans(),
        str: st.sampled_from(["images.gz", "sub/labels"]),
        int: st.integers(0, 9),
        str | int: st.sampled_from(["last", "y", 1]),
        str | None: st.sampled_from([None, "more.csv"]),
        int | None: st.sampled_from([None, 2, 9]),
        tuple[str | int, ...]: st.sampled_from([(), ("a",), (2, "b")]),
        tuple[int, ...]: st.lists(st.integers(0, 9)).map(tuple),
        tuple[float, ...]: st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
    }[hint]


@st.composite
def objects(draw: st.DrawFn, cls: Any) -> Any:
    for _ in range(10):
        chosen = {name: draw(values_of(cls, name)) for name in _schema(cls)}
        with contextlib.suppress(RefimplError):  # outside of its range, or at odds with another field
            return cls(**chosen)
    return assume(False)


def entries(registry: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(REGISTRIES[registry].values())).flatmap(objects)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    grouped = draw(st.lists(st.sampled_from(["weight", "bias"]), unique=True))
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    try:
        return Experiment(
            name=draw(st.from_regex(NAME, fullmatch=True)),
            title=draw(text),
            source=draw(text),
            seed=draw(st.integers(0, 2**63 - 1)),
            epochs=draw(st.integers(1, 10**6)),
            data=draw(entries("data")),
            model=Linear(),
            loss=draw(entries("loss")),
            penalties=tuple(draw(st.lists(entries("penalties"), max_size=2))),
            optimizer=draw(entries("optimizer")),
            groups=tuple(Group(parameters=(name,), optimizer=draw(entries("optimizer"))) for name in grouped),
            schedule=draw(entries("schedule")),
            init=draw(st.dictionaries(st.sampled_from(["weight", "bias"]), entries("init"))),
            batches=draw(objects(Batches)),
        )
    except RefimplError:
        assume(False)
        raise


@settings(max_examples=30)
@given(experiments())
def test_whatever_the_registries_can_say_survives_writing_and_reading(experiment: Experiment) -> None:
    text = to_toml(experiment)
    assert from_dict(tomllib.loads(text)) == experiment


@pytest.mark.parametrize(("registry", "kind"), [(r, kind) for r, known in REGISTRIES.items() for kind in known])
def test_every_field_can_be_set_in_a_file(registry: str, kind: str) -> None:
    """But for a proximal step's penalty, which an experiment states among its own, and the mask of one step."""
    cls: Any = REGISTRIES[registry][kind]
    assert {field.name for field in fields(cls)} - set(_schema(cls)) <= {"penalty", "mask"}


def test_an_integer_is_a_number() -> None:
    assert parsed(XOR_TOML.replace("0.5", "1")).optimizer == SGD(lr=1.0)


def test_a_loss_without_a_kind_is_squared_error() -> None:
    assert parsed(XOR_TOML).loss == SquaredError(factor=1.0, reduction="mean")


def test_a_kind_is_read_whatever_its_case_and_as_the_class_is_called() -> None:
    more = '[[groups]]\nkind = "sgd"\nparameters = ["bias"]\n[[penalties]]\nkind = "l2"\nstrength = 1.0\n'
    more += '[schedule]\nkind = "cosine_annealing"\nT_max = 5\n[init.weight]\nkind = "normal"\nstd = 1.0\n'
    text = XOR_TOML.replace("[loss]", '[loss]\nkind = "squared_error"') + more
    other = text
    for kind in ('"xor"', '"squared_error"', '"sgd"', '"l2"', '"cosine_annealing"', '"normal"'):
        other = other.replace(kind, kind.title().replace("_", ""), 1)
    assert other.count('"Sgd"') == 1 and '"CosineAnnealing"' in other
    assert parsed(other) == parsed(text)


def test_an_experiment_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "my first one.toml").write_text(XOR_TOML)
    assert load(tmp_path / "my first one.toml").name == "my first one"


def test_a_group_takes_what_it_does_not_say_from_the_optimizer() -> None:
    text = XOR_TOML + 'momentum = 0.9\n[[groups]]\nparameters = ["bias"]\nlr = 0.25\n'
    assert parsed(text).optimizers == {"weight": SGD(lr=0.5, momentum=0.9), "bias": SGD(lr=0.25, momentum=0.9)}


def test_a_group_of_another_kind_takes_nothing() -> None:
    text = XOR_TOML + 'momentum = 0.9\n[[groups]]\nparameters = ["bias"]\nkind = "proximal_sgd"\nlr = 0.25\n'
    assert parsed(text).optimizers == {"weight": SGD(lr=0.5, momentum=0.9), "bias": ProximalSGD(lr=0.25)}


# -- data files ---------------------------------------------------------------------------------------------------

FROM_FILE = XOR_TOML.replace('kind = "xor"', 'kind = "file"\npath = "rows.csv"')


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three rows in a folder that is not the working directory."""
    folder, other = tmp_path / "study", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "rows.csv").write_text("1,2\n3,4\n5,6\n")
    (folder / "more.csv").write_text("7,8\n")
    monkeypatch.chdir(other)
    return folder


def test_a_relative_data_path_starts_at_the_experiment_file(elsewhere: Path) -> None:
    (elsewhere / "mine.toml").write_text(FROM_FILE)
    assert load(elsewhere / "mine.toml").draw().dataset.X.tolist() == [[[1], [3], [5]]]
    assert load(Path("..") / "study" / "mine.toml").draw().dataset.X.tolist() == [[[1], [3], [5]]]


def test_a_relative_path_of_validation_rows_does_too(elsewhere: Path) -> None:
    (elsewhere / "mine.toml").write_text(FROM_FILE.replace("rows.csv", 'rows.csv"\nvalidation_path = "more.csv'))
    validation = load(elsewhere / "mine.toml").draw().dataset.X_validation
    assert validation is not None and validation.tolist() == [[[7]]]


def test_an_absolute_data_path_stays(elsewhere: Path) -> None:
    Path("mine.toml").write_text(FROM_FILE.replace("rows.csv", str(elsewhere / "rows.csv")))
    assert load(Path("mine.toml")).data == File(path=str(elsewhere / "rows.csv"))


def test_an_experiment_with_a_data_file_survives_being_shown(elsewhere: Path) -> None:
    (elsewhere / "mine.toml").write_text(FROM_FILE)
    experiment = load(Path("../study/mine.toml"))
    Path("shown.toml").write_text(to_toml(experiment))
    assert np.array_equal(load(Path("shown.toml")).draw().dataset.X, experiment.draw().dataset.X)
