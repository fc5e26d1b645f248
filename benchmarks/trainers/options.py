"""The rows and the sections of the page: which trainers, and what is asked of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PACKAGES = ("torch", "transformers", "accelerate", "lightning", "pytorch-ignite", "skorch", "keras")
"""Distributions whose versions the page names."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """``program``: the file in ``programs/``; ``package``: the distribution that it needs; ``title``: on the page.

    ``dtype``: that in which it is checked, where nothing else is asked for.
    """

    program: str
    package: str
    title: str
    dtype: str = "float64"

    @property
    def path(self) -> str:
        """The file, from the root of the repository."""
        return f"benchmarks/trainers/programs/{self.program}.py"


TRAINERS = (
    Trainer(program="plain", package="torch", title="a loop over torch's `DataLoader`"),
    Trainer(program="transformers_trainer", package="transformers", title="`Trainer` of transformers"),
    Trainer(program="accelerate_loop", package="accelerate", title="accelerate"),
    Trainer(program="lightning_automatic", package="lightning", title="Lightning, automatic"),
    Trainer(program="lightning_manual", package="lightning", title="Lightning, manual"),
    Trainer(program="ignite_engine", package="pytorch-ignite", title="ignite"),
    Trainer(program="skorch_net", package="skorch", title="skorch"),
    Trainer(program="keras_fit", package="keras", title="Keras on torch", dtype="float32"),
)


@dataclass(frozen=True, kw_only=True)
class Option:
    """``probe``: the data with known gradients; ``reader``: which of its readings, where it has several.

    ``experiments``: what ``parity check`` holds the ``function`` of a program to, one after the other until it agrees.
    """

    id: str
    title: str
    asked: str
    probe: str
    reader: int = 0
    function: str = "train"
    experiments: tuple[str, ...] = ()
    dtype: str | None = None
    ranks: int | None = None


OPTIONS = (
    Option(
        id="short-window",
        title="Accumulation: a short last window",
        asked="7 batches an epoch, 3 a step. Batch j has the gradient 4ʲ, so that a step says which batches it has.",
        probe="accumulation",
        experiments=("window-mean", "window-full", "window-across"),
    ),
    Option(
        id="across-epochs",
        title="Accumulation: windows and the end of an epoch",
        asked="The same run, over two epochs.",
        probe="accumulation",
        reader=1,
    ),
    Option(
        id="clipping",
        title="Clipping",
        asked="A weight with the gradient (5, 0.5), a bias with 1; the norm is limited to 1.",
        probe="clipping",
        experiments=("clip-batch", "clip-batch-eps-0"),
    ),
    Option(
        id="clipping-window",
        title="Clipping of accumulated gradients",
        asked="The same gradient as the mean of two batches, (10, 0) and (0, 1).",
        probe="clipping-window",
        experiments=("clip", "clip-eps-0"),
    ),
    Option(
        id="schedule",
        title="Schedule",
        asked="η = 1 is halved by an exponential schedule, given as the trainer wants it and no interval asked for; two"
        " epochs of 4 batches, 2 a step: the rates of four steps.",
        probe="schedule",
        experiments=("rate-step", "rate-epoch"),
    ),
    Option(
        id="decay",
        title="Decay groups",
        asked="`weight_decay` as one number, no gradient; `parity check` is given two groups, of which the bias has no"
        " decay.",
        probe="decay",
        experiments=("groups", "groups-decoupled"),
    ),
    Option(
        id="mixed",
        title="Mixed precision: bfloat16 on the CPU",
        asked="One step whose gradient is 1 + 2⁻¹⁰, which bfloat16 does not hold, on float32 weights.",
        probe="mixed",
        function="mixed",
        experiments=("plain",),
        dtype="float32",
    ),
    Option(
        id="ranks",
        title="Two ranks",
        asked="7 rows in order, one of them a batch on a rank; row j has the gradient 4ʲ.",
        probe="ranks",
        experiments=("ranks",),
        ranks=2,
    ),
    Option(
        id="rank-schedule",
        title="Schedule on two ranks",
        asked="η = 1 is halved; the rates of the first four steps of an epoch.",
        probe="rank-schedule",
    ),
    Option(
        id="resume",
        title="Resume",
        asked="Momentum ½, η halved, two epochs of 2 steps; saved after the first by the trainer's own means, loaded"
        " into new objects.",
        probe="resume",
        function="resumed",
        experiments=("plain",),
    ),
)

REMARKS: Mapping[tuple[str, str], str] = {
    (
        "short-window",
        "accelerate_loop",
    ): "by design: each loss is divided when it is made, by the number that was given",
    ("short-window", "lightning_automatic"): "by design: each loss is divided when it is made, by the number that was"
    " given",
    ("short-window", "lightning_manual"): "the module divides",
    ("short-window", "plain"): "the loop divides",
    ("short-window", "skorch_net"): "the class of its FAQ, as skorch has no option for it",
    ("across-epochs", "keras_fit"): "its optimizer counts batches and knows no epochs",
    ("across-epochs", "ignite_engine"): "its engine counts iterations over all epochs",
    ("clipping-window", "skorch_net"): "`GradientNormClipping` waits for `on_grad_computed`, which the `train_step` of"
    " the FAQ's class does not announce",
    (
        "schedule",
        "lightning_automatic",
    ): 'documented: the interval is an epoch; `"interval": "step"` asks for each step',
    ("schedule", "skorch_net"): 'documented: `LRScheduler(step_every="epoch")` is the default',
    ("schedule", "ignite_engine"): "attached to `ITERATION_STARTED`, as documented; it asks torch's `ExponentialLR` for"
    " the rate before the first step, too, and this multiplies it",
    ("schedule", "keras_fit"): "documented: a schedule counts batches, not the steps made of them",
    ("schedule", "plain"): "where the loop calls it",
    ("schedule", "lightning_manual"): "where the module calls it",
    ("decay", "transformers_trainer"): "documented: the optimizer that it makes itself leaves out biases",
    ("mixed", "ignite_engine"): '`amp_mode="amp"` is `autocast("cuda")`',
    ("ranks", "lightning_automatic"): "documented: `use_distributed_sampler=True` puts in a sampler that shuffles in"
    " training; with `False` the loader's own stays",
    ("ranks", "lightning_manual"): "as above",
    ("rank-schedule", "accelerate_loop"): "by its source: a schedule counts batches of one process, R of them a step;"
    " `split_batches=True` steps once",
    ("resume", "keras_fit"): "the rate is inside of its momentum: v ← μv − ηg",
}
"""What is to be said beside what was measured, by option and program."""
