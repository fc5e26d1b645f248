"""The JSON documents: their published schemas are those of the code, and what the commands write fulfils them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

import parity
from parity.cli import COMMANDS, main
from parity.features.schema.schema import DOCUMENTS, to_text, version

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "schemas"
BEFORE = Path(__file__).parent / "documents"
"""A document of each version, cut short, as it was written when the version was new."""
ADDED = {"check": ("dtypes",), "watch": ("notes",)}
"""Fields that came within a version: they are not required, so that documents written before stay valid."""
NAN = "loss,norm\n" + "".join(f"{loss},{loss}\n" for loss in ("1.5", "inf", "nan"))


def published(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PUBLISHED / f"{name}-{version(name)}.json").read_text(encoding="utf-8"))
    return loaded


def hold(document: Any) -> Any:
    """The document, which fulfils the schema that is published for it, and has no field that the schema has not."""
    schema = published(document["document"])
    Draft202012Validator(closed(schema)).validate(document)
    return document


def closed(schema: Any) -> Any:
    """The schema that allows no further fields."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {name: closed(part) for name, part in schema.items()} | more


# ---- the schemas ------------------------------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    """Written by ``python -m parity.features.schema.schema docs/schemas``."""
    schema = parity.schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema == published(name)
    assert (PUBLISHED / f"{name}-{version(name)}.json").read_text(encoding="utf-8") == to_text(schema) + "\n"
    own = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert own["properties"]["document"] == {"enum": [name]}
    assert own["properties"]["schema"] == {"enum": [version(name)]}
    assert [*own["required"], *ADDED.get(name, ())] == list(own["properties"])


def test_every_command_with_a_document_has_a_schema() -> None:
    with_json = {name for name, command in COMMANDS.items() if "json" in command.does.__annotations__}
    assert with_json == {name for name in DOCUMENTS if "-" not in name} - {"watch"}
    assert {path.stem.rpartition("-")[0] for path in PUBLISHED.glob("*.json")} == set(DOCUMENTS)
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    for name in DOCUMENTS:
        assert f"[{version(name)}](schemas/{name}-{version(name)}.json)" in page


def test_the_command_prints_a_schema_and_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "CHECK"]) == 0
    assert json.loads(capsys.readouterr().out) == parity.schema("check") == published("check")
    assert main(["schema"]) == 0
    assert tuple(parity.schema()) == tuple(DOCUMENTS)
    listed = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert all([name, str(version(name))] in listed for name in DOCUMENTS)


def test_an_unknown_document_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "verfy"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("parity: verfy: no such document; allowed: run, ") and "did you mean 'verify'?" in error
    with pytest.raises(parity.InputError, match="did you mean 'verify'"):
        parity.schema("verfy")


def test_what_is_no_document_does_not_fulfil_a_schema() -> None:
    document = json.loads((BEFORE / "stability-1.json").read_text(encoding="utf-8"))
    for change in ({"schema": 3}, {"document": "run"}, {"lam": "many"}, {"rows": None}, {"more": 1}):
        with pytest.raises(ValidationError):
            hold(document | {"document": "stability"} | change)


# ---- the documents ----------------------------------------------------------------------------------------------


def written(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command prints with ``--json -``."""
    capsys.readouterr()
    assert main([*words, "--json", "-"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write to. Pictures are another test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    monkeypatch.setattr("parity.features.sweep.files.save", lambda _, path: path)
    monkeypatch.setattr("parity.features.sweep.run.Sweep.plot", lambda _: None)
    monkeypatch.setattr("parity.features.bridges.files.draw", lambda _id, _evidence, path: path)
    return tmp_path


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("run check-small --dtype float32 --formulation loss", 0),
        ("run check-small --dtype float16 --formulation manual --implementation fused", 2),
        pytest.param("verify -k SGD/defaults/for-loop/float32/cpu/plain/7", 0, marks=pytest.mark.slow),
        pytest.param("check torch.optim:SGD --hyper lr=0.1 --dtype float64", 0, marks=pytest.mark.slow),
        ("trace check-small --steps 2", 0),
        ("trace check-small --steps 1 --parameter bias --dtype bfloat16", 0),
        ("convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge", 0),
        ("convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge --prove", 0),
        ("convert --list", 0),
        ("known mse-loss-broadcasts", 0),
        ("stability s1-xor --lr 0.1 --lr 1e300", 0),
        ("sweep check-small --strength 0.1,1,10", 0),
        ("sweep check-small --strength 1,2 --torch", 0),
        ("answer s1-sum-of-parameters", 0),
        ("bridge early-stopping", 0),
    ],
)
def test_a_document_fulfils_its_schema(words: str, code: int, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = hold(written(capsys, *words.split(), code=code))
    command = words.split()[0]
    assert document["document"].startswith(command)
    for path in place.rglob("*.json"):  # what lies in the results folder is the same document
        assert json.loads(path.read_text(encoding="utf-8")) == document


@pytest.mark.usefixtures("code_runs_here")
def test_faulty_code_and_numbers_that_are_not_finite_fulfil_the_schema(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = str(ROOT / "examples" / "train_tutorial.py")
    document = hold(written(capsys, "check", f"{example}:train", "--experiment", "check-small", code=1))
    assert document["findings"] and document["verdict"] == "disagree"
    (place / "a.csv").write_text(NAN)
    (place / "b.csv").write_text(NAN.replace("inf", "2.5"))
    document = hold(written(capsys, "compare", "a.csv", "b.csv", code=1))
    assert document["first"]["a"] == "inf" and document["first"]["b"] == 2.5


def test_two_runs_held_to_an_experiment_fulfil_the_schema(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("check-sgd", "check-mse"):
        run = parity.run(name, dtypes="float64", formulations="weight_decay", devices="cpu").runs[0]
        assert run.trajectory is not None
        run.trajectory.save(place / f"{name}.npz")
    words = ("compare", "check-sgd.npz", "check-mse.npz", "--experiment", "check-sgd")
    document = hold(written(capsys, *words, code=1))
    assert [one["document"] for one in document["checks"]] == ["check", "check"]


def test_the_proofs_of_all_pairs_fulfil_their_schema() -> None:
    """Of two pairs: each is proven by tests of its own."""
    from parity.document import to_json
    from parity.features.convert.document import proofs_document
    from parity.features.convert.prove.proof import prove_all

    proofs = [pair for pair, _ in zip(prove_all(seed=0), range(2), strict=False)]
    assert hold(json.loads(to_json(proofs_document(proofs))))["pairs"][0]["from"] == "torch"


def test_a_watch_is_a_document_too() -> None:
    weight = torch.nn.Parameter(torch.ones(3))

    class Doubled(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            weight.grad *= 2  # type: ignore[operator]
            return super().step(closure)

    optimizer = Doubled([weight], lr=0.1)
    with parity.watch(optimizer, every=1, on_violation="collect", reference=lambda _: sgd()) as watcher:
        for _ in range(2):
            weight.grad = torch.ones(3)
            optimizer.step()
    document = hold(json.loads(watcher.report.to_json()))
    assert document["optimizer"] == "Doubled" and document["steps"] == 2


def sgd() -> Any:
    from refimpl.optimizers import SGD

    return SGD(lr=0.2)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", ["run", "sweep", "stability"])
def test_a_result_of_python_is_the_document_of_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"run": {"dtypes": "float32"}, "sweep": {"strength": "1,2"}}.get(name, {})
    options = {"run": ["--dtype", "float32"], "sweep": ["--strength", "1,2"]}.get(name, [])
    experiment = "s1-xor" if name == "stability" else "check-small"
    result = getattr(parity, name)(experiment, **asked)
    assert json.loads(result.to_json()) == written(capsys, name, experiment, *options)


@pytest.mark.every_case
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_was_written_before_stays_valid(name: str) -> None:
    """Where this fails, a field is gone, is another one, or is newly required: raise the version of the document."""
    (path,) = BEFORE.glob(f"{name}-{version(name)}.json")
    assert hold(json.loads(path.read_text(encoding="utf-8")))["document"] == name
