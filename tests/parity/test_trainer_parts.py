"""Experiments ask for what trainers do to a step: torch agrees, and what is done in its place is caught."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity import stability, trace
from parity.backends.reference import run_reference
from parity.errors import InputError
from parity.experiment_file import from_dict, to_toml
from parity.explain.diagnosis import diagnose
from parity.explain.observed import Observed
from parity.features.check.in_process import trajectory_here
from parity.features.check.log import check_log
from parity.formulation import realise
from parity.judge import judge
from parity.judge.undecidable import neutral
from refimpl.accumulation import Accumulation
from refimpl.averaging import EMA, SWA
from refimpl.batches import Batches
from refimpl.clipping import Clip
from refimpl.datasets import Gaussian
from refimpl.errors import ParameterError
from refimpl.freezing import Freeze
from refimpl.initial_weights import Normal
from refimpl.models import MLP
from refimpl.optimizers import SGD, Adam
from refimpl.ranks import Ranks
from refimpl.resuming import Resume
from refimpl.schedules import Exponential
from refimpl.trajectory import Trajectory

ASKED: dict[str, dict[str, Any]] = {
    "short window, mean": {"accumulation": Accumulation(micro=4)},
    "short window, full": {"accumulation": Accumulation(micro=4, last="full")},
    "across epochs": {"accumulation": Accumulation(micro=4, across_epochs=True), "clip": Clip(norm=0.4)},
    "ranks, mean": {"ranks": Ranks(count=2)},
    "ranks, sum of blocks": {
        "ranks": Ranks(count=3, shard="blocks", reduce="sum"),
        "batches": Batches(size=5, drop_last=True),
        "clip": Clip(norm=0.4),
    },
    "clip all": {"clip": Clip(norm=0.4)},
    "clip each": {"accumulation": Accumulation(micro=2), "clip": Clip(norm=0.2, of="each")},
    "freeze": {"freeze": (Freeze(parameters=("bias",), to_step=2), Freeze(parameters=("weight",), from_step=3))},
    "average": {"ema": EMA(decay=0.9)},
    "equal average": {"swa": SWA(), "resume": Resume(at=(3,))},
    "resume": {
        "resume": Resume(at=(1, 7, 9)),
        "ema": EMA(decay=0.9),
        "optimizer": Adam(lr=0.05, amsgrad=True),
        "schedule": Exponential(gamma=0.7, per="epoch"),
    },
    "all": {
        "ema": EMA(decay=0.3),
        "accumulation": Accumulation(micro=4, last="full"),
        "ranks": Ranks(count=2, shard="blocks"),
        "clip": Clip(norm=0.4),
        "freeze": (Freeze(parameters=("bias",), from_step=1, to_step=3),),
        "optimizer": Adam(lr=0.05, weight_decay=0.01),
    },
}


@pytest.mark.every_case
@pytest.mark.parametrize("what", ASKED)
def test_torch_agrees_in_every_formulation_and_is_the_references_run(asks: Any, bench: Any, what: str) -> None:
    experiment = asks(**ASKED[what], epochs=2)
    assert from_dict(tomllib.loads(to_toml(experiment))) == experiment
    runs: dict[str, Trajectory] = {}
    for formulation, dtype in (("loss", "float64"), ("weight_decay", "float32"), ("manual", "bfloat16")):
        runs[dtype] = bench.torch(experiment, dtype=dtype, formulation=formulation)
        verdict = judge(experiment, runs[dtype])
        assert verdict.first is None and verdict.name in ("agree", "undecidable"), verdict.text
    reference = run_reference(experiment, "loss")
    for name, values in reference.params.items():
        np.testing.assert_allclose(runs["float64"].params[name], values, rtol=1e-9, atol=1e-12)
    for name, values in reference.averages.items():
        np.testing.assert_allclose(runs["float64"].averages[name], values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(runs["float64"].objective, reference.objective, rtol=1e-9)


def test_a_model_that_drops_units_accumulates_with_the_masks_of_its_steps(asks: Any, bench: Any) -> None:
    experiment = asks(
        model=MLP(hidden=5, outputs=1, dropout=0.4),
        penalties=(),
        init={"fc1.weight": Normal(std=0.5), "fc2.weight": Normal(std=0.5)},
        accumulation=Accumulation(micro=4, last="full"),
    )
    assert len(experiment.draw().masks) == 6 and judge(experiment, bench.torch(experiment)).first is None


OTHER: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "last window": (
        {"accumulation": Accumulation(micro=4)},
        {"accumulation": Accumulation(micro=4, last="full")},
        "loss",
    ),
    "a sum over ranks": ({"ranks": Ranks(count=2)}, {"ranks": Ranks(count=2, reduce="sum")}, "loss"),
    "mean over rows": ({"ranks": Ranks(count=2)}, {}, "loss"),
    "other shards": ({"ranks": Ranks(count=2)}, {"ranks": Ranks(count=2, shard="blocks")}, "loss"),
    "no clipping": ({"clip": Clip(norm=0.4)}, {"clip": None}, "gradient"),
    "of each": ({"clip": Clip(norm=0.4)}, {"clip": Clip(norm=0.4, of="each")}, "gradient"),
    "a longer norm by a thousandth": ({"clip": Clip(norm=0.4)}, {"clip": Clip(norm=0.4004)}, "gradient"),
    "an equal average": ({"ema": EMA(decay=0.5)}, {"swa": SWA()}, "average"),
    "an average of another decay": ({"ema": EMA(decay=0.9)}, {"ema": EMA(decay=0.901)}, "average"),
    "no freezing": ({"freeze": (Freeze(parameters=("bias",), from_step=2),)}, {"freeze": ()}, "gradient"),
}


@pytest.mark.every_case
@pytest.mark.parametrize("what", OTHER)
def test_what_is_done_otherwise_disagrees_where_it_comes_in(asks: Any, bench: Any, what: str) -> None:
    asked, done, kind = OTHER[what]
    verdict = judge(asks(**asked), bench.torch(asks(**done)))
    assert verdict.first is not None and verdict.first.quantity.kind == kind, verdict.text


def test_a_limit_that_no_gradient_reaches_is_said_to_be_unseen(asks: Any, bench: Any) -> None:
    verdict = judge(*(lambda one: (one, bench.torch(one)))(asks(clip=Clip(norm=1e3))))
    assert verdict.name == "undecidable" and verdict.undecidable == ("clip.norm", "clip.of")


@pytest.mark.parametrize(("micro", "asked"), [(4, True), (3, False)])
def test_the_division_of_short_windows_is_asked_for_where_one_is_short(asks: Any, micro: int, asked: bool) -> None:
    experiment = asks(accumulation=Accumulation(micro=micro))
    names = [name for name, *_ in neutral(realise(experiment, "loss"), experiment.draw())]
    assert ("accumulation.last" in names) is asked


def test_a_window_of_one_row_that_is_divided_by_three_agrees(asks: Any, bench: Any) -> None:
    """Dividing the finished gradient rounds once more than dividing δ."""
    one = {"data": Gaussian(train_rows=1, features=7), "batches": Batches(size=0), "optimizer": SGD(lr=0.01)}
    start = {"weight": Normal(std=1.0), "bias": Normal(std=1.0)}
    for seed in range(8):
        experiment = asks(**one, init=start, accumulation=Accumulation(micro=3, last="full"), seed=seed)
        assert judge(experiment, bench.torch(experiment, dtype="float32", formulation="manual")).first is None


def test_an_average_of_the_weights_before_the_step_disagrees(asks: Any, bench: Any, tmp_path: Path) -> None:
    experiment = asks(ema=EMA(decay=0.5))
    run = bench.torch(experiment)
    late = {name: np.concatenate([values[:1], values[:-1]]) for name, values in run.averages.items()}
    verdict = judge(experiment, replace(run, averages=late))
    assert verdict.first is not None and verdict.first.quantity.kind == "average" and verdict.first.step == 1
    assert judge(experiment, replace(run, averages={})).undecidable == ("ema.decay",)
    run.save(tmp_path / "run.npz")
    kept = Trajectory.load(tmp_path / "run.npz").averages
    assert all(np.array_equal(kept[name], values) for name, values in run.averages.items())
    assert np.array_equal(run.without_steps().averages["bias"], run.averages["bias"][-1:])


def test_a_limit_of_zero_is_seen(asks: Any, bench: Any) -> None:
    experiment = asks(clip=Clip(norm=0.0), penalties=(), optimizer=SGD(lr=0.05, weight_decay=0.1))
    assert "clip.norm" not in judge(experiment, bench.torch(experiment, formulation="weight_decay")).undecidable


# -- logs ------------------------------------------------------------------------------------------------------------


LOGGED = {
    "divided": "the loss divided by the number",
    "times": "the loss times the number",
    "last": "the loss of the last",
}


@pytest.mark.usefixtures("few_faults")
@pytest.mark.every_case
@pytest.mark.parametrize("how", [*LOGGED, "a third"])
def test_a_loss_is_read_as_trainers_that_accumulate_print_it(asks: Any, bench: Any, how: str, tmp_path: Path) -> None:
    experiment = asks(accumulation=Accumulation(micro=4, last="full"))
    run, material = bench.torch(experiment), experiment.draw()
    windows = zip(material.windows, [rows for order in material.order for rows in order], strict=True)
    losses = []
    for step, (window, rows) in enumerate(windows):
        last = material.dataset.X[:, rows[-window.sizes[-1] :]], material.dataset.y[:, rows[-window.sizes[-1] :]]
        outputs = experiment.model.forward({name: values[step] for name, values in run.params.items()}, last[0])
        of_last, loss = experiment.loss.value(outputs, last[1])[0], run.loss[step, 0]
        losses.append({"divided": loss / 4, "times": loss * 4, "last": of_last, "a third": loss / 3}[how])
    rows_of_text = [f"{loss:.6g},{norm:.6g}" for loss, norm in zip(losses, run.norm[1:, 0], strict=True)]
    (tmp_path / "log.csv").write_text("\n".join(["loss,norm", *rows_of_text]))
    diagnosis = check_log(str(tmp_path / "log.csv"), experiment)
    if how == "a third":
        assert diagnosis.verdict == "disagree" and "it is 1/3 of the loss" in diagnosis.text
    else:
        assert diagnosis.verdict in ("agree", "undecidable"), diagnosis.text
        assert any(note.startswith(f"loss is read as {LOGGED[how]}") for note in diagnosis.notes)


def test_a_run_without_clipping_whose_gradients_no_optimizer_showed_is_named(asks: Any, bench: Any) -> None:
    """As a trainer leaves it whose optimizers are not torch's."""
    asked = asks(clip=Clip(norm=0.1))
    diagnosis = diagnose(asked, bench.torch(asks()), observed=Observed())
    assert [finding.id for finding in diagnosis.findings] == ["clip-missing"]


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"accumulation": {"micro": 0}}, r"accumulation.micro: given 0; allowed: an integer ≥ 1"),
        ({"accumulation": {"micro": 2, "last": "sum"}}, r"accumulation.last: given 'sum'; allowed: 'mean', 'full'"),
        ({"accumulation": {}}, r"accumulation.micro: is missing"),
        ({"ranks": {"count": 0}}, r"ranks.count: given 0; allowed: an integer ≥ 1"),
        ({"ranks": {"count": 2, "shard": "rows"}}, r"ranks.shard: given 'rows'; allowed: 'interleaved', 'blocks'"),
        ({"ranks": {"count": 2, "reduce": "avg"}}, r"ranks.reduce: given 'avg'; allowed: 'mean', 'sum'"),
        ({"ema": {"decay": 0.5}, "swa": {}}, r"swa: given beside ema; allowed: one average of the weights"),
        ({"swa": {"decay": 0.5}}, r"swa.decay: unknown key; allowed: none"),
        ({"ema": {"decay": 1.5}}, r"ema.decay: given 1.5; allowed: a number from 0 to 1"),
        ({"clip": {"norm": -1.0}}, r"clip.norm: given -1.0; allowed: a finite number ≥ 0"),
        ({"clip": {"max_norm": 1.0}}, r"clip.max_norm: unknown key; allowed: norm, of, eps"),
        ({"freeze": [{"parameters": ["biass"]}]}, r"freeze\[0\].parameters: .*'biass'.*bias"),
        ({"freeze": [{"parameters": ["bias"], "from_step": 3, "to_step": 3}]}, r"freeze\[0\].to_step: given 3"),
    ],
)
def test_a_table_that_is_wrong_is_named_in_one_line(asks: Any, table: dict[str, Any], said: str) -> None:
    document = tomllib.loads(to_toml(asks())) | table
    with pytest.raises(InputError, match=said) as raised:
        from_dict(document)
    assert "\n" not in str(raised.value)


def test_a_rank_without_a_row_is_refused(asks: Any) -> None:
    """17 rows in batches of 3 leave one of 2 rows."""
    with pytest.raises(ParameterError, match=r"ranks.count: given 3 with a batch of 2 rows: a rank without a row"):
        asks(ranks=Ranks(count=3)).draw()


@pytest.mark.parametrize("tool", [trace, stability])
def test_a_tool_that_cannot_have_them_says_so(asks: Any, tool: Any) -> None:
    experiment = replace(asks(), optimizer=SGD(lr=0.05), clip=Clip(norm=1.0))
    with pytest.raises(InputError, match="an experiment with clip"):
        tool(experiment)


def test_the_page_shows_what_its_loop_gives() -> None:
    text = (Path(__file__).parents[2] / "docs" / "trainers.md").read_text(encoding="utf-8")
    toml, loop_py, _, shown, *_ = re.findall(r"^```\w+\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {}
    exec(loop_py, namespace)
    for last, said in (("mean", shown.strip()), ("full", "agree")):
        experiment = from_dict(tomllib.loads(toml.replace('last = "mean"', f'last = "{last}"')))
        trajectory, observed = trajectory_here(namespace["train"], experiment, "float64")
        diagnosis = diagnose(experiment, trajectory, observed=observed)
        assert f"{diagnosis.verdict}: {diagnosis.text}".startswith(said)
