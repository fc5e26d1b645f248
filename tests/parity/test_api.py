"""The public API: cheap to import, names, files and objects alike, and results that print what the command prints."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

import parity
from parity.cli import main
from parity.errors import Option, OptionError
from parity.experiment_file import to_toml
from parity.gallery import FOLDER
from refimpl.optimizers import SGD, Adam

ROOT = Path(__file__).parents[2]
RUN = {"dtypes": "float32", "formulations": "loss", "devices": "cpu"}
CONVERT = {"loss": "mse", "weight_decay": 3, "rows": 20}

RESULTS: dict[str, tuple[Callable[[], Any], str, bool]] = {
    "run": (
        lambda: parity.run("s1-xor", **RUN),  # type: ignore[arg-type]
        "run s1-xor --dtype float32 --formulation loss --device cpu --out out",
        True,
    ),
    "trace": (lambda: parity.trace("s1-xor", steps=1), "trace s1-xor --steps 1", False),
    "sweep": (
        lambda: parity.sweep("check-sgd", [0, 1], torch=True),
        "sweep check-sgd --strength 0,1 --torch --out out",
        True,
    ),
    "stability": (lambda: parity.stability("s1-xor", lr=0.01), "stability s1-xor --lr 0.01", False),
    "answer": (lambda: parity.answer("s1-patterns"), "answer s1-patterns", False),
    "answers": (parity.answer, "answer", False),
    "bridge": (lambda: parity.bridge("early-stopping"), "bridge early-stopping --out out", True),
    "bridges": (parity.bridge, "bridge", False),
    "known": (lambda: parity.known("mse-loss-without-half"), "known mse-loss-without-half", False),
    "convert": (
        lambda: parity.convert("torch", "sklearn.Ridge", prove=True, **CONVERT),  # type: ignore[arg-type]
        "convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge --prove",
        False,
    ),
    "check": (
        lambda: parity.check("examples/train_tutorial.py:train", "check-mse"),
        "check examples/train_tutorial.py:train --experiment check-mse --out out",
        True,
    ),
    "verify": (
        lambda: parity.verify("SGD", dtypes="float64", implementations="for-loop", situations="plain", devices="cpu"),
        "verify --optimizer SGD --dtype float64 --implementation for-loop --situation plain --device cpu --out out",
        True,
    ),
}


COSTLY = ("verify", "check", "run")
"""Results that cost seconds."""


@pytest.mark.every_case
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in COSTLY else n for n in RESULTS])
def test_a_result_prints_what_its_command_prints(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask, words, drawn = RESULTS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.bridges.files.draw", lambda _id, _evidence, path: path)
    monkeypatch.setattr("parity.features.sweep.files.save", lambda _, path: path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    result = ask()
    capsys.readouterr()
    main(words.split())
    lines = [line.rstrip() for line in capsys.readouterr().out.rstrip().splitlines()]
    assert str(result).splitlines() == [line for line in lines if not line.startswith("Results: ")]
    assert repr(result) == str(result) and len(str(result)) < 12_000
    html = result._repr_html_()
    assert html.startswith("<iframe " if name in ("trace", "verify") else "<pre>")
    assert hasattr(result, "plot") is drawn
    if drawn:
        figure = result.plot()
        assert isinstance(figure, Figure) and figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.slow
def test_two_recorded_runs_print_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parity.run(["s0-scratch-lam0", "s0-scratch-lam3"], **RUN, out=tmp_path)  # type: ignore[arg-type]
    one, other = sorted((tmp_path / "trajectories").glob("*for-loop.npz"))
    compared = parity.compare(one, other)
    assert compared.verdict == "disagree"
    main(["compare", str(one), str(other)])
    assert [line.rstrip() for line in capsys.readouterr().out.rstrip().splitlines()] == str(compared).splitlines()


def test_an_experiment_is_its_name_its_file_or_itself(tmp_path: Path) -> None:
    path = FOLDER / "s1-xor.toml"
    experiment = parity.load("s1-xor")
    assert experiment == parity.load(path) == parity.load(str(path)) == parity.load(experiment)
    path, experiment = tmp_path / "short.toml", replace(experiment, epochs=4)
    path.write_text(to_toml(experiment), encoding="utf-8")
    for ask in (
        lambda asked: parity.trace(asked, steps=1),
        lambda asked: parity.stability(asked, lr=[0.01]),
        lambda asked: parity.sweep(asked, "0,1"),
        lambda asked: parity.run(asked, **RUN),
        lambda asked: parity.check(train, asked, dtype="float32"),
    ):
        texts = {str(ask(asked)) for asked in (path, experiment)}  # by name: in every other test
        assert len(texts) == 1


def train(task: Any) -> None:
    """A loop without a fault."""
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=task.lr)
    for _ in range(task.epochs):
        for X, y in task.loader:
            loss = torch.nn.functional.mse_loss(net(X), y) + task.l2 / 2 * net.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            task.record(net, loss=loss)


def test_functions_classes_and_factories_are_checked_here() -> None:
    assert parity.check(train, "check-mse").verdict == "agree"
    hyper = {"lr": 0.01, "weight_decay": 0.0}
    assert parity.check(torch.optim.SGD, hyper=hyper, against="sgd", dtype="float64").verdict == "agree"
    made = parity.check(lambda params: torch.optim.SGD(params, lr=0.1), against="sgd", dtype="float64")
    assert made.target.endswith("<lambda>")
    report = parity.run(["s1-xor-lam0", "s1-xor"], **RUN)  # type: ignore[arg-type]
    assert all(isinstance(report.plot(what), Figure) for what in ("losses", "norm", "tolerance", "free-run"))  # type: ignore[arg-type]


WRONG: dict[str, Callable[[], Any]] = {
    "an unknown experiment": lambda: parity.run("s0-scratch"),
    "no experiment": lambda: parity.run([]),
    "a number as experiment": lambda: parity.trace(3),  # type: ignore[arg-type]
    "several experiments": lambda: parity.load("s0-*"),
    "a file that is not there": lambda: parity.load(Path("nothing.toml")),
    "a folder": lambda: parity.load(FOLDER),
    "an unknown dtype": lambda: parity.run("s1-xor", dtypes="float8"),
    "no dtype": lambda: parity.run("s1-xor", dtypes=[]),
    "a form factor of text": lambda: parity.run("s1-xor", form_factor="2"),  # type: ignore[arg-type]
    "no picture of that name": lambda: parity.run("s1-xor", **RUN).plot("weights"),  # type: ignore[arg-type]
    "half a step": lambda: parity.trace("s1-xor", steps=1.5),  # type: ignore[arg-type]
    "no row": lambda: parity.trace("s1-xor", row=-1),
    "an unknown formulation": lambda: parity.trace("s1-xor", formulation="both"),  # type: ignore[arg-type]
    "no seeds": lambda: parity.sweep("s1-xor", "0,1", seeds=0),
    "a strength below 0": lambda: parity.sweep("s1-xor", [-1, 1]),
    "one strength": lambda: parity.sweep("s1-xor", 3),  # type: ignore[arg-type]
    "a rate of 0": lambda: parity.stability("s1-xor", lr=[0.1, 0]),
    "a rate of text": lambda: parity.stability("s1-xor", lr="fast"),  # type: ignore[arg-type]
    "an unknown question": lambda: parity.answer("why"),
    "an unknown bridge": lambda: parity.bridge("river"),
    "a seed below 0": lambda: parity.bridge("l1", seed=-1),
    "an unknown fact": lambda: parity.known("gravity"),
    "an unknown library": lambda: parity.convert("torch", "excel", loss="mse", weight_decay=1),
    "a strength that is none": lambda: parity.convert("sklearn.Ridge", "torch", alpha=float("nan")),
    "half a row": lambda: parity.convert("sklearn.Ridge", "torch", alpha=1, rows=2.5),  # type: ignore[arg-type]
    "no jobs": lambda: parity.verify("SGD", jobs=0),
    "an unknown optimizer": lambda: parity.verify("Newton"),
    "nothing to go on with": lambda: parity.verify("SGD", resume=True),
    "a function without experiment": lambda: parity.check(train),
    "a number as target": lambda: parity.check(3, "check-mse"),  # type: ignore[arg-type]
    "a limit of nothing": lambda: parity.check("train.py:train", "check-mse", limit=0),
    "a log that is not there": lambda: parity.compare("a.csv", Path("b.csv")),
}


@pytest.mark.every_case
@pytest.mark.parametrize("what", WRONG)
def test_what_is_out_of_range_is_one_clear_error(what: str) -> None:
    with pytest.raises(parity.InputError) as error:
        WRONG[what]()
    assert "\n" not in str(error.value) and len(str(error.value)) > 15


def test_the_api_costs_nothing_until_it_is_used() -> None:
    heavy = "torch", "numpy", "scipy", "matplotlib", "rich", "typer", "jinja2", "msgspec"
    use = "dir(parity); parity.load; parity.assert_parity"
    code = f"import sys, parity; {use}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_assert_parity_needs_no_pytest(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import sys\nsys.modules['pytest'] = None\nsys.path.insert(0, sys.argv[1])\nimport parity\n"
        "from train_tutorial import train\n"
        "try:\n    parity.assert_parity(train, 'check-mse')\nexcept AssertionError as failure:\n    print(failure)\n",
        encoding="utf-8",
    )
    words = [sys.executable, str(tmp_path / "mine.py"), str(ROOT / "examples")]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT)
    assert "penalty-on-bias-too" in done.stdout


def code_cells(name: str) -> list[dict[str, Any]]:
    notebook = json.loads((ROOT / "examples" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", ["student", "engineer"])
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    for cell in code_cells(name):
        assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student", "engineer"])
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell in one namespace; what stands in the last line of a cell is asked to show itself."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in code_cells(name):
        source = "".join(cell["source"])
        exec(compile(source, name, "exec"), names)
        last = source.splitlines()[-1]
        if last.isidentifier():
            assert names[last]._repr_html_()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: parity.trace("check-small", row=99), "row 99: counts the rows of a batch"),
        (lambda: parity.trace("check-small", parameter="w"), "parameter w: no such parameter"),
        (lambda: parity.sweep("check-small", "a"), "strength a: is no range"),
        (lambda: parity.convert("torc", "keras"), "source torc: allowed: torch"),
        (lambda: parity.convert("torch", "keras", to_loss="x", weight_decay=1), "to_loss x: keras has mse, sse"),
        (lambda: parity.convert("torch", "keras", weight_dekay=1), "weight_dekay: torch has no such option"),
        (lambda: parity.stability("check-small", lr=-1.0), "lr -1: allowed: a finite number"),
        (lambda: parity.check("torch.optim:Adam", against="adm"), "against adm: no such reference"),
        (
            lambda: parity.check(FOLDER.parents[1] / "examples" / "own" / "run.csv"),
            "give experiment, the one that the log is of: a name of `parity list`",
        ),
        (lambda: parity.Experiment(**{**vars(parity.load("check-small")), "epochs": 0}), "epochs: given 0; allowed"),
        (lambda: SGD(lr=-1.0), "lr: given -1.0; allowed: a finite number ≥ 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.every_case
def test_bad_input_is_one_exception_that_names_the_argument(ask: Any, said: str) -> None:
    with pytest.raises(parity.InputError) as error:
        ask()
    assert said in str(error.value) and "--" not in str(error.value) and "\n" not in str(error.value)


MISSING = {
    "assert_optimizer": "assert_optimizer: cls is missing; allowed: a class of optimizers",
    "assert_parity": "assert_parity: train is missing; allowed: a function of a task",
    "check": "check: target is missing; allowed: file.py:name, package.module:name, a log",
    "compare": "compare: a is missing; allowed: a recorded run",
    "convert_optimizer": "convert_optimizer: source is missing; allowed: an optimizer of a library",
    "convert": "source is missing: allowed: torch, sklearn.Ridge",
    "diagnose": "diagnose: experiment is missing; allowed: the name of an experiment, see `parity list`, a file",
    "load": "load: asked is missing; allowed: the name of an experiment",
    "run": "run: experiments is missing; allowed: the name of an experiment",
    "stability": "stability: experiment is missing; allowed",
    "sweep": "sweep: experiment is missing; allowed",
    "trace": "trace: experiment is missing; allowed",
    "watch": "watch: optimizer is missing; allowed: a torch.optim.Optimizer",
    "watch_callback": "watch_callback: trainer is missing; allowed: the name of a trainer",
}
LISTS = {"answer", "bridge", "schema"}
ALL = {"known", "verify"}
"""Functions that list what they know, or do all of it."""


def test_a_public_function_without_arguments_lists_or_says_what_is_allowed() -> None:
    functions = {name for name in parity.__all__ if isinstance(getattr(parity, name), FunctionType)}
    assert functions == {*MISSING, *LISTS, *ALL}
    for name, said in MISSING.items():
        with pytest.raises(parity.InputError) as error:
            getattr(parity, name)()
        assert str(error.value).startswith(said) and "\n" not in str(error.value)
    assert all(str(getattr(parity, name)()).strip() for name in LISTS)
    with pytest.raises(parity.InputError, match=r"^compare: b is missing; allowed: a recorded run"):
        parity.compare("a.csv")  # type: ignore[call-arg]


def test_an_option_is_named_as_the_user_gives_it_and_his_own_words_stay_as_they_are() -> None:
    error = OptionError("runs/a --from b.npz: give ", Option("to-loss"), ", as `parity convert --list` shows")
    assert str(error) == "runs/a --from b.npz: give to_loss, as `parity convert --list` shows"
    assert error.on_the_command_line == "runs/a --from b.npz: give --to-loss, as `parity convert --list` shows"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_copy_with_another_name_has_not_the_title_of_the_first() -> None:
    first = parity.load("check-sgd")
    assert "SGD" in first.title and replace(first, epochs=2).title == first.title
    assert replace(first, name="mine", optimizer=Adam()).title == "" == replace(first, name="mine").source
    assert replace(first, name="mine", title="of my own").title == "of my own"


def test_a_notebook_shows_bad_input_as_one_line() -> None:
    with pytest.raises(parity.InputError) as raised:
        parity.load("s0-scratch-lam")
    assert raised.value._render_traceback_() == [f"InputError: {raised.value}"]


def test_what_an_experiment_draws_is_shown_by_its_shapes() -> None:
    shown = "Material(Dataset(X (1, 4, 2), y (1, 4, 1)), weight (1, 1, 2), bias (1, 1), 100 steps)"
    assert repr(parity.load("s1-xor").draw()) == shown
