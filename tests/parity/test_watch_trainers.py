"""``parity.watch`` under trainers: their real ones where they are installed, and what all of them do to a step."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import parity
from parity.errors import InputError
from parity.features.watch.report import Violated

QUIET = pytest.mark.filterwarnings("ignore")
"""Trainers and what they import warn of many things."""


def rows(count: int = 12) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(3, generator=generator), torch.randn(1, generator=generator)) for _ in range(count)]


# -- without any trainer --------------------------------------------------------------------------------------------


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    for part in (name.partition(".")[0], name):
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    for key, value in content.items():
        setattr(sys.modules[name], key, value)


@pytest.mark.parametrize("module", ["lightning.pytorch", "pytorch_lightning"])
def test_the_callback_of_lightning_watches_each_optimizer_from_start_to_end(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Callback:
        pass

    class Trainer:
        optimizers: list[torch.optim.Optimizer]

    stand_in(monkeypatch, module, Callback=Callback)
    model, trainer = nn.Linear(3, 1), Trainer()
    trainer.optimizers = [torch.optim.SGD([p], lr=0.1) for p in model.parameters()]
    callback = parity.watch_callback(module.partition(".")[0], every=1)
    assert isinstance(callback, Callback)
    for _ in range(2):
        callback.on_train_start(trainer, model)
        model(torch.ones(2, 3)).sum().backward()
        for optimizer in trainer.optimizers:
            optimizer.step()
        callback.on_train_end(trainer, model)
        trainer.optimizers[0].step()
        assert [(report.steps, report.judged, report.violations) for report in callback.reports] == [(1, 1, [])] * 2
    callback.on_train_start(trainer, model)
    callback.on_exception(trainer, model, KeyError())
    assert not any(optimizer._optimizer_step_pre_hooks for optimizer in trainer.optimizers)


def test_the_callback_of_transformers_watches_from_begin_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class TrainerCallback:
        pass

    stand_in(monkeypatch, "transformers", TrainerCallback=TrainerCallback)
    model = nn.Linear(3, 1)
    callback = parity.watch_callback("transformers", every=1)
    optimizer = torch.optim.AdamW(model.parameters())
    callback.on_train_begin(None, None, None, model=model, optimizer=optimizer, lr_scheduler=None)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    callback.on_train_end(None, None, None)
    optimizer.step()
    assert [(report.steps, report.judged) for report in callback.reports] == [(1, 1)]


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        ("lightnin", r"unknown; allowed: lightning, .*did you mean 'lightning'\?"),
        ("accelerate", r"has no callbacks; parity\.watch\(optimizer\) takes"),
        ("keras", "optimizers of its own"),
    ],
)
def test_what_has_no_callback_says_what_to_do(trainer: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parity.watch_callback(trainer)


def test_a_trainer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="transformers: is not installed; pip install transformers"):
        parity.watch_callback("transformers")


# -- the real ones --------------------------------------------------------------------------------------------------


def lightning_module(cls: Any, manual: bool) -> Any:
    pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")

    class Module(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
            self.automatic_optimization = not manual

        def training_step(self, batch: Any, number: int) -> Any:
            del number
            loss = ((self.net(batch[0]) - batch[1]) ** 2).mean()
            if manual:
                optimizer = self.optimizers()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            return loss

        def configure_optimizers(self) -> Any:
            return cls(self.parameters(), lr=0.01)

    return Module()


@QUIET
@pytest.mark.parametrize(
    "options", [{}, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}, {"precision": "bf16-mixed"}]
)
@pytest.mark.parametrize("manual", [False, True], ids=["automatic", "manual"])
def test_every_step_of_lightning_is_judged(manual: bool, options: dict[str, Any], tmp_path: Path, short: Any) -> None:
    pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    if manual and "gradient_clip_val" in options:
        pytest.skip("Lightning refuses both with manual optimization")
    for cls in (torch.optim.AdamW, short):
        callback = parity.watch_callback("lightning", every=1)
        trainer = pl.Trainer(
            max_epochs=2,
            accelerator="cpu",
            callbacks=[callback],
            logger=False,
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )
        loader = torch.utils.data.DataLoader(rows(), batch_size=2)  # type: ignore[arg-type, var-annotated]
        if cls is short:
            with pytest.raises(Violated, match="step 0, net"):
                trainer.fit(lightning_module(cls, manual), loader)
            continue
        trainer.fit(lightning_module(cls, manual), loader)
        (report,) = callback.reports
        steps = 12 // options.get("accumulate_grad_batches", 1)
        assert (report.steps, report.judged, report.violations, report.notes) == (steps, steps, [], [])


@QUIET
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2, "bf16": True, "max_grad_norm": 0.1}])
def test_every_step_of_transformers_is_judged(options: dict[str, Any], tmp_path: Path, short: Any) -> None:
    hf = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"loss": ((self.net(x) - labels) ** 2).mean()}

    data = [{"x": x, "labels": y} for x, y in rows()]
    arguments = hf.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=2,
        num_train_epochs=2,
        warmup_steps=2,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        **options,
    )
    for cls in (torch.optim.AdamW, short):
        model, callback = Model(), parity.watch_callback("transformers", every=1)
        optimizer = cls(model.parameters(), lr=0.01)
        trainer = hf.Trainer(model, arguments, train_dataset=data, callbacks=[callback], optimizers=(optimizer, None))
        if cls is short:
            with pytest.raises(Violated, match=r"step [01], net"):  # a warm-up begins at the rate 0
                trainer.train()
            continue
        trainer.train()
        (report,) = callback.reports
        steps = 12 // options.get("gradient_accumulation_steps", 1)
        assert (report.steps, report.judged, report.violations, report.notes) == (steps, steps, [], [])


@QUIET
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2, "mixed_precision": "bf16"}])
def test_the_prepared_optimizer_of_accelerate_is_judged(options: dict[str, Any], short: Any) -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    for cls in (torch.optim.AdamW, short):
        accelerator = accelerate.Accelerator(cpu=True, **options)
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        loader = torch.utils.data.DataLoader(rows(), batch_size=2)  # type: ignore[arg-type, var-annotated]
        model, optimizer, loader = accelerator.prepare(model, cls(model.parameters(), lr=0.01), loader)
        with parity.watch(optimizer, every=1, model=model, on_violation="collect") as watch:
            for x, y in loader:
                with accelerator.accumulate(model):
                    accelerator.backward(((model(x) - y) ** 2).mean())
                    accelerator.clip_grad_norm_(model.parameters(), 0.1)
                    optimizer.step()
                    optimizer.zero_grad()
        steps = 6 // options.get("gradient_accumulation_steps", 1)
        report = watch.report
        assert (report.steps, report.judged, report.notes) == (steps, steps, [])
        assert {violation.step for violation in report.violations} == (set(range(steps)) if cls is short else set())
