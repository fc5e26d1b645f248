"""What explains a finding of a check: a fault with its script in ``faults/``, or the package's own documentation.

Each names the classes and the findings (by id) that it explains; ``tests/test_zoo.py`` holds that none is left over.
"""

from __future__ import annotations

from dataclasses import dataclass

NUMBERS = ("update", "decay")
"""Ids of findings that say: these are not the reference's numbers."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``id``: the script; ``where``: file and line in the package; ``contradicts``: what it breaks, in whose words."""

    id: str
    package: str
    classes: tuple[str, ...]
    explains: tuple[str, ...]
    title: str
    where: str
    measured: str
    contradicts: str


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A departure on purpose; ``words``: what the package says of it."""

    package: str
    classes: tuple[str, ...]
    explains: tuple[str, ...]
    what: str
    words: str


GRAD = "whatever reads `.grad` after the step (logging, accumulation, clipping) reads other numbers"
ROUNDED = "the weights are float64 tensors and no document says that they are kept to float32 only"

FAULTS = (
    Fault(
        id="torch_optimizer_sgdw_constant_decay",
        package="torch-optimizer",
        classes=("SGDW",),
        explains=("decay", "update"),
        title="SGDW subtracts the constant ηλ from every weight, where decay is ηλ·w",
        where="`sgdw.py:121`",
        measured="λ = 0.5, η = 0.1, no gradient: (2, 0, −2) becomes (1.95, −0.05, −2.05), not (1.9, 0, −1.9)",
        contradicts="its docstring: “proposed in Decoupled Weight Decay Regularization”, where decay is ηλ·w",
    ),
    Fault(
        id="torch_optimizer_radam_group_lr",
        package="torch-optimizer",
        classes=("RAdam",),
        explains=("group-ignored",),
        title="RAdam gives every parameter group the step size of the first one",
        where="`radam.py:82`: one buffer of step sizes, η included, for all groups",
        measured="η = 0.01 and 0.0001, the same gradients: both parameters move by −0.0519",
        contradicts="torch's groups have an lr each; timm has mended the same lines in its copy",
    ),
    Fault(
        id="torch_optimizer_radam_rounds_float64",
        package="torch-optimizer",
        classes=("RAdam",),
        explains=NUMBERS,
        title="RAdam rounds float64 weights to float32",
        where="`radam.py:109` and `:182`",
        measured="1/3 becomes 0.3333333432674408 in a step with zero gradient and without decay",
        contradicts=ROUNDED,
    ),
    Fault(
        id="torch_optimizer_overwrites_grad",
        package="torch-optimizer",
        classes=(
            "AccSGD",
            "AdaBelief",
            "AggMo",
            "DiffGrad",
            "MADGRAD",
            "NovoGrad",
            "PID",
            "QHAdam",
            "QHM",
            "SWATS",
            "Shampoo",
        ),
        explains=("gradient-changed",),
        title="step() changes `.grad`: by a coupled decay, in NovoGrad and Shampoo in any case",
        where="`qhm.py:103`, `novograd.py:152`, `shampoo.py:110` and alike",
        measured="QHM, λ = 0.5: (1, 2, 3, 4) becomes (1.425, 2.375, 3.325, 4.275)",
        contradicts=GRAD,
    ),
    Fault(
        id="torch_optimizer_pid_difference",
        package="torch-optimizer",
        classes=("PID",),
        explains=(),
        title="PID takes the whole second gradient for the difference of the first two",
        where="`pid.py:107`: the first gradient is put into a local name, the state keeps zeros",
        measured="gradient 1 twice, μ = ½: the average of differences is 0.5, not 0",
        contradicts="the D of PID: the difference of successive gradients",
    ),
    Fault(
        id="torch_optimizer_apollo_graph",
        package="torch-optimizer",
        classes=("Apollo",),
        explains=("state-not-restored",),
        title="Apollo with decay keeps the autograd graph of all its steps in its state, and cannot be resumed",
        where="`apollo.py:126`: `grad.add(p, …)` outside of `torch.no_grad()`",
        measured="after load_state_dict(): RuntimeError: a leaf Variable that requires grad … in-place operation",
        contradicts="state_dict() is there to be loaded; memory grows with every step",
    ),
    Fault(
        id="torch_optimizer_layout",
        package="torch-optimizer",
        classes=("AdamP", "SGDP", "SWATS"),
        explains=("layout",),
        title="AdamP, SGDP and SWATS raise on a parameter that is not contiguous",
        where="`adamp.py:91`, `sgdp.py:89`, `swats.py:186`: `view` where `reshape` is needed",
        measured="a transposed matrix: RuntimeError: view size is not compatible …",
        contradicts="torch's optimizers take every layout",
    ),
    Fault(
        id="timm_radam_rounds_float64",
        package="timm",
        classes=("RAdamLegacy",),
        explains=NUMBERS,
        title="RAdamLegacy rounds float64 weights to float32",
        where="`optim/radam.py:63` and `:108`",
        measured="1/3 becomes 0.3333333432674408 in a step with zero gradient and without decay",
        contradicts=ROUNDED,
    ),
    Fault(
        id="pytorch_optimizer_lamb_first_steps",
        package="pytorch_optimizer",
        classes=("Lamb",),
        explains=("update", "decay"),
        title="Lamb makes its first step 10 times too long, its second 5.3 times",
        where="`optimizer/lamb.py:311`: η ÷ (1 − β₁ᵗ) after the trust ratio, which had already fixed the length",
        measured="‖Δw‖ ÷ (η·‖w‖) is 10, 5.26, 3.69, 2.91, 2.44 in the first steps; of LAMB it is 1",
        contradicts="its docstring: “follows version 3 of the paper without bias correction”",
    ),
    Fault(
        id="pytorch_optimizer_radam_no_coupled_decay",
        package="pytorch_optimizer",
        classes=("RAdam",),
        explains=(),
        title="RAdam(weight_decouple=False) does not decay at all",
        where="`optimizer/radam.py:153`: the decay is to be added to `grad=None`",
        measured="after 50 steps w = 0.954971 with weight_decay = 0 and with 100",
        contradicts="its docstring of `weight_decouple`: decay is added to the gradient instead",
    ),
    Fault(
        id="pytorch_optimizer_prodigy_group_lr",
        package="pytorch_optimizer",
        classes=("Prodigy",),
        explains=("group-ignored",),
        title="Prodigy moves every parameter group by the lr of the first one",
        where="`optimizer/prodigy.py:190` and `:203`",
        measured="η = 1 and 0.01, the same gradients: both parameters move by −0.01105",
        contradicts="torch's groups have an lr each; the package of Prodigy's authors refuses such groups",
    ),
    Fault(
        id="pytorch_optimizer_overwrites_grad",
        package="pytorch_optimizer",
        classes=(
            "AdaDelta",
            "AdaMax",
            "ADOPT",
            "AdEMAMix",
            "AggMo",
            "LARS",
            "MADGRAD",
            "NovoGrad",
            "PAdam",
            "QHAdam",
            "QHM",
            "ScheduleFreeAdamW",
            "ScheduleFreeSGD",
        ),
        explains=("gradient-changed",),
        title="step() changes `.grad`: by a coupled decay, in some classes in any case",
        where="`base/optimizer.py:209` and `:571`; `optimizer/novograd.py:170`, `schedulefree.py:635` and alike",
        measured="AdaDelta, λ = 0.5: (1, 2, 3, 4) becomes (1.5, 2.5, 3.5, 4.5)",
        contradicts=f"{GRAD}; docstrings of internal functions say it, those of the classes do not",
    ),
    Fault(
        id="optimi_overwrites_grad",
        package="torch-optimi",
        classes=("Adam", "RAdam", "SGD", "Ranger"),
        explains=("gradient-changed",),
        title="step() adds a coupled decay to `.grad` itself",
        where="`sgd.py:348`, `adam.py:377`, `radam.py:392`",
        measured="SGD, λ = 0.5, w = 1: gradient 1 is 1.5 after the step",
        contradicts=GRAD,
    ),
    Fault(
        id="schedulefree_overwrites_grad",
        package="schedulefree",
        classes=(
            "SGDScheduleFree",
            "SGDScheduleFreeReference",
            "AdamWScheduleFree",
            "AdamWScheduleFreePaper",
            "RAdamScheduleFree",
        ),
        explains=("gradient-changed",),
        title="step() divides `.grad` by √v, or adds the decay to it (SGD)",
        where="`adamw_schedulefree.py:198`, `sgd_schedulefree.py:178`; a comment there: “Reuse grad buffer for memory”",
        measured="AdamW: gradient 4 is 1.13 after the tenth step",
        contradicts=f"{GRAD}; AdamWScheduleFreeReference leaves it alone",
    ),
    Fault(
        id="adan_pytorch_first_gradient",
        package="adan-pytorch",
        classes=("Adan",),
        explains=("update",),
        title="The first step moves nothing and its gradient is lost; bias correction counts it all the same",
        where="`adan.py:62`: `if step > 0`",
        measured="gradient 1 in every step: moves ÷ η are 0, 0.71, 0.82, 0.87, 0.90; corrected averages give 1",
        contradicts="the paper's algorithm, which begins with m₀ = g₀ and moves by it",
    ),
    Fault(
        id="bitsandbytes_adam_decay",
        package="bitsandbytes",
        classes=("Adam32bit",),
        explains=("decay", "update"),
        title="Adam decays as AdamW does: the two classes are one rule (CPU)",
        where="`backends/cpu/ops.py:378`",
        measured="after 100 steps: Adam and AdamW −0.182688; torch's Adam 0.179794, AdamW −0.182688",
        contradicts="two classes, Adam and AdamW, as in torch; the docstring says “weight decay” only",
    ),
    Fault(
        id="bitsandbytes_lamb_is_clipped_adam",
        package="bitsandbytes",
        classes=("LAMB32bit",),
        explains=("decay", "update", "layout"),
        title="LAMB has no trust ratio: it is AdamW with its update clipped to max_unorm·‖w‖ (CPU)",
        where="`backends/cpu/ops.py:368`; `bias_correction` and `adam_w_mode` are taken and not used",
        measured="‖w‖ = 200: the first step is 0.01·η·‖w‖; of LAMB it is η·‖w‖",
        contradicts="its name and docstring, “Base LAMB optimizer”",
    ),
    Fault(
        id="bitsandbytes_ademamix32bit_state",
        package="bitsandbytes",
        classes=("AdEMAMix32bit",),
        explains=(),
        title="AdEMAMix32bit has the state of Adam, one average too few, and raises on the CPU",
        where="`optim/ademamix.py:355`: derived from `Optimizer2State`, not from `AdEMAMix`, which is right",
        measured="3 × 11: RuntimeError: output with shape [11] doesn't match the broadcast shape [3, 11]",
        contradicts="the backend, which reads two averages from it",
    ),
    Fault(
        id="bitsandbytes_rounds_float64",
        package="bitsandbytes",
        classes=("Adam32bit", "AdamW32bit", "SGD32bit", "Lion32bit", "RMSprop32bit", "Adagrad32bit", "LAMB32bit"),
        explains=NUMBERS,
        title="float64 weights are rounded to float32 (CPU)",
        where="`backends/cpu/ops.py:366`",
        measured="1/3 becomes 0.3333333432674408 in a step with zero gradient and without decay",
        contradicts=f"{ROUNDED}; in float32 SGD, AdamW, Lion, RMSprop and Adagrad are right",
    ),
    Fault(
        id="dadaptation_overwrites_grad",
        package="dadaptation",
        classes=("DAdaptSGD", "DAdaptAdam", "DAdaptAdaGrad"),
        explains=("gradient-changed",),
        title="step() adds a coupled decay to `.grad` itself",
        where="`dadapt_sgd.py:144`, `dadapt_adam.py:165`, `dadapt_adagrad.py:182`",
        measured="λ = 0.5, w = 1: gradient 1 is 1.5 after the step",
        contradicts=GRAD,
    ),
    Fault(
        id="dadaptation_group_lr",
        package="dadaptation",
        classes=("DAdaptAdan", "DAdaptAdaGrad"),
        explains=("group-ignored",),
        title="DAdaptAdan and DAdaptAdaGrad move every parameter group by the lr of the first one",
        where="`dadapt_adan.py:134`, `dadapt_adagrad.py:91`: one rate for all groups",
        measured="η = 1 and 0.01, the same gradients: both parameters move by −0.001698 and −6.227e-06",
        contradicts="the other classes of the package refuse such groups in words",
    ),
    Fault(
        id="pytorch_ranger_overwrites_grad",
        package="pytorch-ranger",
        classes=("RangerQH",),
        explains=("gradient-changed",),
        title="step() of RangerQH adds the decay to `.grad` itself",
        where="`rangerqh.py:122`",
        measured="λ = 0.5, w = 1: gradient 1 is 1.5 after the step",
        contradicts=GRAD,
    ),
    Fault(
        id="prodigyopt_decay_corrected",
        package="prodigyopt",
        classes=("Prodigy",),
        explains=("decay", "update"),
        title="use_bias_correction corrects the decoupled decay, too",
        where="`prodigy.py:132` and `:261`: ηλ·√(1 − β₂ᵗ)/(1 − β₁ᵗ) in place of ηλ",
        measured="ηλ = 0.001, d = 1: the first step decays by 0.000316",
        contradicts="its docstring: “AdamW style decoupled weight decay”, which is not corrected",
    ),
    Fault(
        id="madgrad_overwrites_grad",
        package="madgrad",
        classes=("MADGRAD", "MirrorMADGRAD"),
        explains=("gradient-changed",),
        title="step() adds the decay to `.grad` itself",
        where="`madgrad.py:141`, `mirror_madgrad.py:139`",
        measured="λ = 0.5, w = 1: gradient 1 is 1.5 after the step",
        contradicts=GRAD,
    ),
    Fault(
        id="adamp_layout",
        package="adamp",
        classes=("AdamP", "SGDP"),
        explains=("layout",),
        title="AdamP and SGDP raise on a parameter that is not contiguous",
        where="`adamp.py:21`, `sgdp.py:21`: `view` where `reshape` is needed",
        measured="a transposed matrix: RuntimeError: view size is not compatible …",
        contradicts="torch's optimizers take every layout",
    ),
    Fault(
        id="pytorch_ranger_rounds_float64",
        package="pytorch-ranger",
        classes=("Ranger",),
        explains=NUMBERS,
        title="Ranger rounds float64 weights to float32",
        where="`ranger.py:145` and `:208`",
        measured="1/3 becomes 0.3333333432674408 in a step with zero gradient and without decay",
        contradicts=ROUNDED,
    ),
    Fault(
        id="muon_optimizer_overwrites_grad",
        package="muon-optimizer",
        classes=("SingleDeviceMuon",),
        explains=("gradient-changed",),
        title="step() overwrites `.grad` with the Nesterov gradient",
        where="`muon.py:36`: `grad.lerp_`",
        measured="gradient 1 is 0.0975 after the step",
        contradicts=GRAD,
    ),
    Fault(
        id="muon_optimizer_missing_gradient",
        package="muon-optimizer",
        classes=("SingleDeviceMuon",),
        explains=("moved-without-gradient", "moved-frozen", "moved-not-required"),
        title="step() raises where a parameter has no gradient, as a frozen one has",
        where="`muon.py:103`: `muon_update(p.grad, …)` without a look at `p.grad is None`",
        measured="TypeError: lerp_() received an invalid combination of arguments - got (NoneType, float)",
        contradicts="every optimizer of torch skips such a parameter",
    ),
)

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
        explains=("decay", "number-lr_in_buffer"),
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
        explains=("update", "number-rectify"),
        what="by default rectified as RAdam is; rectify=False is AdaBelief of the paper",
        words="the defaults and the change log that it prints",
    ),
    Documented(
        package="apollo-torch",
        classes=("GaLoreAdamW", "APOLLOAdamW"),
        explains=("number-lr", "number-weight_decay"),
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
        package="dadaptation",
        classes=("DAdaptSGD",),
        explains=("number-lr",),
        what="the executed rate is η times the estimated distance d",
        words="this is D-adaptation",
    ),
)
