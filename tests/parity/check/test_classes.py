"""What is said of an optimizer class: what was asked, what was shown, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from parity import check
from parity.cli import main
from parity.errors import InputError
from parity.explain import feeds
from parity.explain.update.trial import UpdateRecord
from parity.features.check.drive import Driver
from parity.features.check.examine import examine
from parity.features.check.held import motions
from parity.features.check.invariance import facts
from parity.features.check.optimizer import check_optimizer, conclude
from parity.features.check.target import Target
from refimpl.optimizers import SGD, AdamW

pytestmark = pytest.mark.usefixtures("few_situations")

After = Callable[[Tensor, Tensor, Mapping[str, Any]], None]
DECAYED = {"lr": 0.01, "weight_decay": 0.1}
INDEPENDENT = "steps do not depend on the weights"


def adamw(after: After) -> type[torch.optim.AdamW]:
    """AdamW that does ``after(param, before, group)`` to each parameter after its step."""

    class Own(torch.optim.AdamW):
        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            pairs = [(p, p.clone(), group) for group in self.param_groups for p in group["params"]]
            super().step(closure)
            for param, before, group in pairs:
                if param.grad is not None:
                    after(param, before, group)

    return Own


def told(cls: Any, **hyper: float) -> list[str]:
    """The facts of a class, without the search for a reference."""
    given = {"lr": 0.01, "weight_decay": 0.01, **hyper}
    driver = Driver(cls, hyper)
    runs = {name: driver.play(feed) for name, feed in feeds.feeds(feeds.SHAPES, given)}
    return list(facts(runs, feeds.rate_of(given), feeds.decay_of(given)))


# -- the weights -----------------------------------------------------------------------------------------------------


def test_a_class_that_decays_once_more_is_told_the_share_of_the_weights_that_it_takes() -> None:
    cls = adamw(lambda param, _, group: param.mul_(1 - group["lr"] * group["weight_decay"]))
    without, decayed = told(cls, **DECAYED)
    assert without.startswith("measured in 8 steps with weight_decay = 0: ") and INDEPENDENT in without
    assert decayed == (
        "with weight_decay = 0.1: steps depend on the weights: the first one takes 0.001999 = 1.999·η·λ of them"
    )


def _towards_zero(param: Tensor, before: Tensor, group: Mapping[str, Any]) -> None:
    param.sub_(1e-6 * group["lr"] * before.sign())  # as L1 does; it is the same at weights that are 1024 times as large


def _across(param: Tensor, before: Tensor, _: Any) -> None:
    move = param - before
    param.sub_(0.1 * before * (before * move).sum() / before.square().sum())  # depends on the direction alone


def _a_little(param: Tensor, before: Tensor, group: Mapping[str, Any]) -> None:
    param.sub_(1e-10 * group["lr"] * before)


@pytest.mark.parametrize("after", [_towards_zero, _across, _a_little], ids=["sign", "direction", "decay-of-1e-10"])
def test_that_steps_do_not_depend_on_the_weights_is_not_said_of_those_that_do(after: After) -> None:
    assert INDEPENDENT not in "\n".join(told(adamw(after), **DECAYED))


def test_the_share_of_the_weights_that_a_step_could_take_unseen_is_some_units_of_rounding() -> None:
    without, decayed = told(torch.optim.Adam, lr=0.01, weight_decay=0.0)
    assert f"{INDEPENDENT}: none takes more than 4e-15 of them" in without
    assert INDEPENDENT not in decayed


# -- a class that disagrees ------------------------------------------------------------------------------------------


def _squashed(param: Tensor, before: Tensor, group: Mapping[str, Any]) -> None:
    param.copy_(before + group["lr"] * torch.tanh((param - before) / group["lr"]))


@pytest.mark.usefixtures("no_search")
def test_a_step_that_nothing_explains_is_said_in_a_line_and_described_once_for_parameters_that_are_alike() -> None:
    examined = examine(adamw(_squashed), DECAYED, ("float64",))
    found = conclude(examined, DECAYED, "adamw")
    assert found.text.startswith("the update is not that of adamw; weight[0, 0] after step 0: ")
    assert len(found.text) < 120
    assert found.findings[0].text.count("not as asked in") == 2  # the matrices and vectors, and the single number


def test_a_replay_is_made_no_further_than_to_the_first_refuted_step() -> None:
    played = Driver(torch.optim.AdamW, DECAYED).play(feeds.judged(feeds.SHAPES))
    motion = motions(played, "float64")[0]
    record = UpdateRecord(motion, SGD(lr=0.01))
    assert record.first_wrong == 0 and len(record._replayed[1]) == 1
    right = UpdateRecord(motion, AdamW(**DECAYED))  # type: ignore[arg-type]
    assert not right.wrong and len(right._replayed[1]) == right.steps
    assert len(record.allowance_of(3)) == 3 and len(record.share) == record.steps


# -- hyper-parameters ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("code_runs_here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lr=abc"], "--hyper lr=abc: AdamW does not take it and says TypeError: "),
        (["weight_decay=0.1", "lr=-1"], "--hyper lr=-1: AdamW does not take it and says ValueError: Invalid learning"),
        (["nosuch=1"], "--hyper nosuch: AdamW has no such hyper-parameter; it has lr, betas"),
    ],
)
def test_a_hyper_parameter_that_a_class_refuses_is_one_line(
    words: list[str], said: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = [part for word in words for part in ("--hyper", word)]
    assert main(["check", "torch.optim:AdamW", *options, "--against", "adamw", "--out", str(tmp_path / "out")]) == 2
    out, err = capfd.readouterr()
    assert not out and err.startswith(f"parity: {said}") and len(err.splitlines()) == 1


def test_a_value_without_default_and_one_that_fails_in_the_step_are_blamed() -> None:
    class Demanding(torch.optim.SGD):
        def __init__(self, params: Any, lr: float, mix: float = 0.5) -> None:
            if lr > 1:
                raise ValueError("lr is too large")
            super().__init__(params, lr=lr)
            self.mix = mix

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            _ = 1.0 * self.mix
            return super().step(closure)

    with pytest.raises(InputError, match=r"^hyper lr=2: Demanding .* ValueError: lr is too large; it has no default"):
        check(Demanding, hyper={"lr": 2})
    with pytest.raises(InputError, match=r"^hyper mix=abc: Demanding .* TypeError: .*; its default is 0\.5"):
        check(Demanding, hyper={"lr": 0.1, "mix": "abc"})


def test_an_error_that_no_hyper_parameter_makes_stays_one_of_the_class() -> None:
    class Broken(torch.optim.SGD):
        def step(self, _: Any = None) -> Any:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check(Broken, hyper={"lr": 0.1})


# -- dtypes ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("code_runs_here")
def test_exactly_the_dtypes_that_were_asked_are_judged_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "check.json"
    words = ["--hyper", "lr=0.01", "--against", "adamw", "--dtype", "float32", "--dtype", "bfloat16"]
    command = ["check", "torch.optim:AdamW", *words, "--hyper", "weight_decay=0.1"]
    assert main([*command, "--json", str(file), "--out", str(tmp_path / "out")]) == 0
    judged = json.loads(file.read_text())["dtypes"]
    assert [(one["dtype"], one["steps"], one["numbers"]) for one in judged] == [
        ("float32", 24, 2590),
        ("bfloat16", 24, 2590),
    ]
    assert all(0 < one["share"] <= 1 for one in judged)


@pytest.mark.usefixtures("no_search")
def test_a_run_in_float64_that_was_not_asked_is_a_note_and_no_verdict() -> None:
    def nudged(param: Tensor, before: Tensor, _: Any) -> None:
        param.sub_(1e-12 * before)

    examined = examine(adamw(nudged), DECAYED, ("bfloat16",))
    found = conclude(examined, DECAYED, "adamw")
    assert found.verdict in ("agree", "undecidable") and [one.dtype for one in found.dtypes] == ["bfloat16"]
    assert found.notes[0].startswith("in float64, which was not asked, it is not AdamW(lr=0.01, weight_decay=0.1): ")
    asked = replace(examined, dtypes={"float64": examined.runs["drawn"]})
    assert conclude(asked, DECAYED, "adamw").verdict == "disagree"


@pytest.mark.usefixtures("code_runs_here")
def test_a_function_runs_in_one_dtype_and_its_document_counts_it() -> None:
    with pytest.raises(InputError, match=r"^dtype float32, bfloat16: is for optimizers"):
        check("examples/faults/clipped.py:train", "check-sgd", dtype=["float32", "bfloat16"])
    document = json.loads(check("examples/faults/clipped.py:train", "check-sgd").to_json())
    (judged,) = document["dtypes"]
    assert (judged["dtype"], judged["steps"], judged["share"]) == ("float64", 20, document["share"])
    assert judged["numbers"] == 651


@pytest.mark.usefixtures("code_runs_here")
def test_what_is_done_is_told_while_a_class_is_checked() -> None:
    shown: list[tuple[int, int | None, str]] = []
    target = Target("torch.optim", "SGD")
    check_optimizer(target, {}, against="sgd", dtypes=("float64",), progress=lambda *told: shown.append(told))
    assert shown == [(0, 2, "running the class on drawn gradients"), (1, 2, "holding its steps to sgd")]


def test_a_dtype_that_raises_is_said_although_float64_that_was_not_asked_for_is_off() -> None:
    class Own(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            params = [p for group in self.param_groups for p in group["params"]]
            if any(p.dtype == torch.float16 for p in params):
                raise RuntimeError("no float16 here")
            super().step(closure)
            with torch.no_grad():
                for p in params:
                    p.mul_(1 + 1e-9 * (p.dtype == torch.float64))

    said = check(Own, hyper={"lr": 0.01}, against="adam", dtype=["bfloat16", "float16"])
    assert said.verdict == "disagree" and "no float16 here" in said.text


def test_a_dtype_that_is_no_word_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="dtype"):
        check(torch.optim.SGD, hyper={"lr": 0.1}, dtype=torch.float32)  # type: ignore[arg-type]


def test_each_of_several_values_that_are_refused_is_not_said_to_be_taken_alone() -> None:
    with pytest.raises(InputError, match=r"lr=-1\.0: Adam does not take it, nor another that was given"):
        check(torch.optim.Adam, hyper={"lr": -1.0, "eps": -1.0})
