"""Departures from the reference that the documentation of a package states.

Each names the classes and the findings (by id) of the check that it explains; ``tests/test_zoo.py`` holds that no
finding is without a documented departure or a fault.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A departure on purpose; ``words``: what the package says of it."""

    package: str
    classes: tuple[str, ...]
    explains: tuple[str, ...]
    what: str
    words: str


LARS = ("situation-groups", "situation-scheduled-decay", "situation-zero-gradient", "situation-zero-gradient-first")

DOCUMENTED = (
    Documented(
        package="timm",
        classes=("NAdamW",),
        explains=("update",),
        what="the look-ahead without the schedule of β₁: m is averaged with g twice",
        words="“simplified algorithm” of MLCommons; “PyTorch's NAdam uses a different algorithm”",
    ),
    Documented(
        package="timm",
        classes=("RMSpropTF",),
        explains=("update",),
        what="ε inside the root, v begins at 1, η inside the momentum buffer",
        words="all three are in its docstring, under “Noteworthy changes”",
    ),
    Documented(
        package="pytorch_optimizer",
        classes=("LARS",),
        explains=("decay", "number-lr_in_buffer", "line-another"),
        what="vectors and scalars take plain SGD steps without decay",
        words="“Scalars and vectors use ordinary SGD without weight decay or rate scaling”",
    ),
    Documented(
        package="pytorch_optimizer",
        classes=("ScheduleFreeAdamW",),
        explains=("update",),
        what="1e-15 is added to v inside the root; nothing but rounding would show it",
        words="in the docstring of the internal `apply_ams_bound`",
    ),
    Documented(
        package="schedulefree",
        classes=("AdamWScheduleFreePaper",),
        explains=("decay", "update"),
        what="η times √(1 − β₂ᵗ), the decay included, in place of the correction of v",
        words="“uses a simplified bias correction”",
    ),
    Documented(
        package="adabelief-pytorch",
        classes=("AdaBelief",),
        explains=("update", "option-rectify", "option-rectify"),
        what="by default rectified as RAdam is; rectify=False is AdaBelief of the paper",
        words="the defaults and the change log that it prints",
    ),
    Documented(
        package="apollo-torch",
        classes=("GaLoreAdamW", "APOLLOAdamW"),
        explains=("lr-other", "penalty-other-strength", "decay-after-step"),
        what="the decay comes after the step, of the moved weights: (w + Δ)·(1 − ηλ)",
        words="a comment: “Add weight decay at the end (fixed version)”",
    ),
    Documented(
        package="muon-optimizer",
        classes=("SingleDeviceMuon",),
        explains=(),
        what="vectors and scalars are refused by an assertion",
        words="“Muon should only be used for hidden weight layers”",
    ),
    Documented(
        package="timm",
        classes=("Adahessian",),
        explains=(),
        what="gradients must have a graph: backward(create_graph=True)",
        words="its property `is_second_order`",
    ),
    Documented(
        package="prodigyopt",
        classes=("Prodigy",),
        explains=("group-ignored",),
        what="refuses groups of different lr",
        words="“Setting different lr values in different parameter groups is only supported for values of 0”",
    ),
    Documented(
        package="dadaptation",
        classes=("DAdaptSGD", "DAdaptAdam", "DAdaptLion"),
        explains=("group-ignored",),
        what="refuses groups of different lr",
        words="the same words",
    ),
    Documented(
        package="prodigyopt",
        classes=("Prodigy",),
        explains=("numbers-of-the-first-group",),
        what="β₁ and β₂ of every group are those of the first one",
        words="by its code, which is the authors': `group = self.param_groups[0]`",
    ),
    Documented(
        package="dadaptation",
        classes=("DAdaptAdam",),
        explains=("numbers-of-the-first-group",),
        what="the same",
        words="by its code, as there",
    ),
    Documented(
        package="pytorch_optimizer",
        classes=("AdaFactor",),
        explains=("update",),
        what="the momentum is kept in bfloat16",
        words="its argument `momentum_dtype`, “Data type for the optional momentum buffer”",
    ),
    Documented(
        package="dadaptation",
        classes=("DAdaptSGD",),
        explains=("lr-other",),
        what="the executed rate is η times the estimated distance d",
        words="this is D-adaptation",
    ),
    Documented(
        package="timm",
        classes=("Lars",),
        explains=LARS,
        what="no trust ratio in a group without decay, nor where the gradient is 0",
        words="“always_adapt (bool): always apply LARS LR adapt, otherwise only when group weight_decay != 0”",
    ),
    Documented(
        package="torch-optimizer",
        classes=("LARS",),
        explains=LARS,
        what="no trust ratio without decay, nor where the gradient is 0, where decay is left out, too",
        words="by its code: `if weight_decay != 0` and `if p_norm != 0 and g_norm != 0`",
    ),
    Documented(
        package="torch-optimizer",
        classes=("SWATS",),
        explains=("situation-thousand",),
        what="Adam at first, and SGD later",
        words="the title of its paper: “… by Switching from Adam to SGD”",
    ),
    Documented(
        package="schedulefree",
        classes=(
            *("SGDScheduleFree", "SGDScheduleFreeReference", "AdamWScheduleFree", "AdamWScheduleFreeReference"),
            "AdamWScheduleFreePaper",
        ),
        explains=("update",),
        what="the count of steps and the sum of weights are of the group, also for a parameter that comes late",
        words="by its code, which is the authors': `group['k']`, `group['weight_sum']`",
    ),
    Documented(
        package="pytorch_optimizer",
        classes=("ScheduleFreeSGD",),
        explains=("update",),
        what="the same",
        words="by its code, as the authors'",
    ),
    Documented(
        package="pytorch_optimizer",
        classes=("LaProp",),
        explains=("update",),
        what="1e-15 is added to v inside the root, and the step sizes are a float32 tensor unless foreach=False",
        words="by its code",
    ),
    Documented(
        package="torch",
        classes=("Adafactor",),
        explains=("situation-empty",),
        what="raises where a parameter has no elements",
        words="a [known deviation](known-deviations.md)",
    ),
)
