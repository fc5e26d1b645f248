"""Experiments as TOML: what is written is what is read, and the schema is that of the registries."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parity import experiment_keys, gallery
from parity.errors import InputError
from parity.experiment import NAME, Experiment
from parity.experiment_file import REGISTRIES, _schema, from_dict, load, to_toml
from refimpl.batches import Batches
from refimpl.datasets import XOR, File, Gaussian
from refimpl.errors import RefimplError
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import OPTIMIZERS, SGD, ProximalSGD
from refimpl.penalties import L1
from refimpl.ranges import NonNegative, check_fields, number_fields
from refimpl.schedules import SCHEDULES
from refimpl.training import Group
from refimpl.types import Array, Decay, Number, State

XOR_TOML = """
epochs = 2
[data]
kind = "xor"
[loss]
factor = 1.0
reduction = "mean"
[optimizer]
kind = "sgd"
lr = 0.5
"""


def parsed(text: str) -> Experiment:
    return from_dict({"name": "mine", **tomllib.loads(text)})


def message(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parsed(text)
    return str(caught.value)


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


# -- messages name the key ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("lrr = 1", "optimizer.lrr: "),
        ("momentum = -1.0", "optimizer.momentum: "),
        ('momentum = "0.9"', "optimizer.momentum: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\n[[penalties]]\nkind = "l2"', "penalties[1].strength: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\nparameters = ["w"]', "penalties[0].parameters: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\nparameters = ["weight", 2]', "penalties[0].parameters[1]: "),
        ('[[groups]]\nparameters = ["bias"]\nlr = -1.0', "groups[0].lr: "),
        ('[init.weight]\nkind = "normal"\nstd = -1.0', "init.weight.std: "),
        ('[init.weight]\nkind = "values"\nvalues = [1.0, "2"]', "init.weight.values[1]: "),
        ('[schedule]\nkind = "exponential"\ngamma = "a"', "schedule.gamma: "),
        ('[batches]\norder = "random"', "batches.order: "),
        ("[model]\nbias = 1", "model.bias: "),
    ],
)
def test_a_message_starts_with_the_path_of_the_key(more: str, path: str) -> None:
    assert message(XOR_TOML + more).startswith(path)


def test_a_long_value_is_shown_in_part() -> None:
    text = message(XOR_TOML + f"[batches]\nsize = {list(range(1000))}")
    assert text.startswith("batches.size: given [0, 1, 2") and len(text) < 200


# -- the schema is that of the registries ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """A schedule that the package does not have."""

    period: int
    floor: NonNegative = 0.0
    shape: Literal["half", "full"] = "half"
    per: Literal["epoch", "step"] = "epoch"

    __post_init__ = check_fields

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        del count, base
        return {}


@dataclass(frozen=True, kw_only=True)
class TrustedSGD:
    """An optimizer that the package does not have."""

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative
    trust: NonNegative = 1.0
    weight_decay: NonNegative = 0.0

    __post_init__ = check_fields

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        del state
        return param - self.lr * self.trust * grad, {}


def test_a_new_entry_of_a_registry_can_be_read_written_and_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, "cosine", Cosine)
    monkeypatch.setitem(OPTIMIZERS, "trusted_sgd", TrustedSGD)
    text = XOR_TOML.replace('"sgd"', '"trusted_sgd"\ntrust = 0.5') + '[schedule]\nkind = "cosine"\nperiod = 3\n'
    experiment = parsed(text)
    assert experiment.optimizer == TrustedSGD(lr=0.5, trust=0.5)
    assert experiment.schedule == Cosine(period=3)
    assert from_dict(tomllib.loads(to_toml(experiment))) == experiment
    assert "did you mean 'trust'?" in message(text.replace("trust =", "trst ="))
    assert message(text.replace("trust = 0.5", "trust = -0.5")).startswith("optimizer.trust: given -0.5")
    assert message(text.replace("period = 3", "period = 1.5")).startswith("schedule.period: given 1.5")
    assert "'half', 'full'" in message(text + 'shape = "none"')


# -- what an experiment refuses -----------------------------------------------------------------------------------


def refusal(**changes: Any) -> str:
    experiment = parsed(XOR_TOML)
    with pytest.raises(RefimplError) as caught:
        replace(experiment, **changes)
    return str(caught.value)


def test_one_experiment_has_one_value_of_each_hyper_parameter() -> None:
    assert refusal(optimizer=SGD(lr=np.array([0.1, 0.2]))).startswith("optimizer.lr: given array([0.1, 0.2])")
    assert refusal(penalties=(L1(strength=np.array([1.0])),)).startswith("penalties[0].strength: ")
    group = Group(parameters=("bias",), optimizer=SGD(lr=np.float32(0.1)))
    assert refusal(groups=(group,)).startswith("groups[0].lr: ")


def test_a_penalty_is_stated_once() -> None:
    """Inside the proximal optimizer a file could not say it, and the distance to ridge would ignore it."""
    said = refusal(optimizer=ProximalSGD(lr=0.1, penalty=L1(strength=1.0)))
    assert said.startswith("optimizer.penalty: given L1(strength=1.0") and said.endswith("state it in penalties")


def test_data_weights_and_batches_have_streams_of_their_own() -> None:
    """A change of one leaves the others as they are."""
    data = Gaussian(train_rows=6, features=3)
    experiment = replace(parsed(XOR_TOML), data=data, batches=Batches(size=2))
    material = experiment.draw()
    other = replace(experiment, data=replace(data, validation_rows=4), epochs=3).draw()
    assert all(np.array_equal(material.params[name], other.params[name]) for name in material.params)
    assert all(
        np.array_equal(a, b)
        for one, two in zip(material.order, other.order, strict=False)
        for a, b in zip(one, two, strict=True)
    )
    assert not np.array_equal(replace(experiment, seed=1).draw().dataset.X, material.dataset.X)


def test_a_drawn_experiment_has_the_inputs_that_its_data_have() -> None:
    assert set(parsed(XOR_TOML).draw().inputs) == {"X", "y"}
    assert parsed(XOR_TOML).data == XOR()


# -- the page of the keys ----------------------------------------------------------------------------------------------


def test_the_page_of_the_keys_is_what_the_code_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
    assert page == experiment_keys.page()


def test_every_table_of_that_page_is_what_it_says() -> None:
    plain = tomllib.loads(to_toml(load(gallery.FOLDER / "check-mse.toml")))
    for part in experiment_keys.PARTS:
        for kind, made in REGISTRIES[part].items():
            if kind != "cross_entropy":  # of classes, which these data are not
                read = getattr(from_dict(plain | tomllib.loads(experiment_keys.toml(part, kind))), part)
                assert (read[0] if part == "penalties" else read) == experiment_keys.example(made)
