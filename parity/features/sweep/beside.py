"""The runs of a sweep in a framework, each λ a run of its own, held to the reference and judged step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.backends import backend
from parity.backends.base import Setting
from parity.errors import Option, OptionError, Unsupported
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


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a run that diverges is shown as such
def beside(
    sweep: Sweep,
    *,
    dtype: str = "float64",
    framework: str = "torch",
    progress: Progress | None = None,
) -> Beside:
    """Run every λ in every seed. Raises :class:`parity.errors.InputError` where the framework does not offer it."""
    names = [name for name in ("train_loss", "validation_loss", "norm") if name in sweep.curves.named()]
    shape = len(sweep.seeds), len(sweep.grid.values)
    finals = {name: np.empty(shape) for name in names}
    verdicts, texts = np.empty(shape, object), []
    runner = backend(framework)
    for done, (i, j) in enumerate(np.ndindex(shape)):
        if progress:
            progress(done, shape[0] * shape[1])
        one = experiment_with(sweep.experiment, sweep.kind, float(sweep.grid.values[j]), sweep.seeds[i])
        try:
            trajectory = runner.run(one, Setting(dtype=dtype))
            verdict = judge(one, trajectory)
        except Unsupported as refusal:
            raise OptionError(
                f"{one.name}: {framework} does not offer this ({refusal}); leave out ", Option("torch")
            ) from refusal
        for name in names:
            finals[name][i, j] = getattr(trajectory, name)[-1, 0]
        verdicts[i, j] = verdict.name
        if verdict.name == "disagree":
            texts.append(f"λ = {sweep.grid.values[j]:g}, seed {sweep.seeds[i]}: {verdict.text}")
    reference = sweep.curves.named()
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
