"""The runs of a sweep in a framework, each λ a run of its own, held to the reference and judged step by step."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from parity.backends import backend
from parity.backends.base import Setting
from parity.errors import Option, OptionError, Unsupported
from parity.experiment import Experiment
from parity.features.sweep.curves import Progress
from parity.features.sweep.penalty import experiment_with
from parity.features.sweep.run import Sweep
from parity.judge.verdict import judge
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Beside:
    """``(seeds, λ)`` each: final losses and ‖w‖₂, the judge's ``verdicts`` by name, and the largest relative
    ``difference`` of those numbers to the reference's. ``texts``: what the judge says of runs that disagree.
    """

    dtype: str
    train_loss: Array
    validation_loss: Array | None
    norm: Array
    difference: Array
    verdicts: Array
    texts: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Verdict → number of runs."""
        names, counts = np.unique(self.verdicts, return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def beside(
    sweep: Sweep,
    *,
    dtype: str = "float64",
    framework: str = "torch",
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Beside:
    """Run every λ in every seed. Raises :class:`parity.errors.InputError` where the framework does not offer it."""
    names = [name for name in ("train_loss", "validation_loss", "norm") if name in sweep.curves.named()]
    shape = len(sweep.seeds), len(sweep.grid.values)
    finals = {name: np.empty(shape) for name in names}
    verdicts, texts = np.empty(shape, object), []
    every = [
        experiment_with(sweep.experiment, sweep.kind, float(value), seed)
        for seed in sweep.seeds
        for value in sweep.grid.values
    ]
    results = (map if executor is None else executor.map)(partial(_judged, framework, dtype), every)
    try:
        for (i, j), (ends, name, text) in zip(np.ndindex(shape), results, strict=True):
            if progress:
                progress(i * shape[1] + j + 1, len(every))
            for what in names:
                finals[what][i, j] = ends[what]
            verdicts[i, j] = name
            if name == "disagree":
                texts.append(f"λ = {sweep.grid.values[j]:g}, seed {sweep.seeds[i]}: {text}")
    except Unsupported as refusal:
        raise OptionError(
            f"{sweep.experiment.name}: {framework} does not offer this ({refusal}); leave out ", Option("torch")
        ) from refusal
    reference = sweep.curves.named()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        differences = [np.abs(finals[name] - reference[name]) / np.abs(reference[name]) for name in names]
    return Beside(
        dtype=dtype,
        train_loss=finals["train_loss"],
        validation_loss=finals.get("validation_loss"),
        norm=finals["norm"],
        difference=np.max(differences, axis=0),
        verdicts=verdicts,
        texts=tuple(texts),
    )


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a run that diverges is shown as such
def _judged(framework: str, dtype: str, one: Experiment) -> tuple[dict[str, float], str, str]:
    """What a run ends with, its verdict, and what the judge says."""
    trajectory = backend(framework).run(one, Setting(dtype=dtype))
    verdict = judge(one, trajectory)
    series = {name: getattr(trajectory, name) for name in ("train_loss", "validation_loss", "norm")}
    return {name: float(v[-1, 0]) for name, v in series.items() if v is not None}, verdict.name, verdict.text
