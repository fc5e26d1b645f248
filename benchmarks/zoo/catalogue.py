"""Optimizers of published packages: what each claims to be, and the reference that it is demanded to equal.

The options are chosen so that the class should be the reference: where a package adds something of its own (a clipped
gradient, an ε inside the root) it is switched off if it can be. Where no reference has the rule, there is no
``against``: then only what the class does is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PACKAGES = (
    "timm",
    "pytorch_optimizer",
    "torch-optimizer",
    "torch-optimi",
    "schedulefree",
    "lion-pytorch",
    "adabelief-pytorch",
    "adan-pytorch",
    "bitsandbytes",
    "apollo-torch",
    "muon-optimizer",
    "prodigyopt",
    "dadaptation",
    "madgrad",
    "adamp",
    "came-pytorch",
    "pytorch-ranger",
    "transformers",
    "torch",
)
"""Distributions, in the order of the page; torch itself is the control group."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``target`` as in ``parity check``; ``hyper`` in its words; ``claims``: the rule that its documentation names."""

    package: str
    target: str
    claims: str
    hyper: tuple[str, ...]
    against: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the check, without what says where results go."""
        hyper = (word for pair in self.hyper for word in ("--hyper", pair))
        return ("check", self.target, *hyper, *(("--against", self.against) if self.against else ()))


def _entries(package: str, module: str, rows: Sequence[tuple[str, str, str, str]]) -> list[Entry]:
    """Make the entries from rows of class, claim, options and reference."""
    return [
        Entry(package=package, target=f"{module}:{name}", claims=claims, hyper=tuple(hyper.split()), against=against)
        for name, claims, hyper, against in rows
    ]


LR = "lr=0.01"
BOTH = "lr=0.01 weight_decay=0.1"
FIXED = "relative_step=False, scale_parameter=False"
MOMENTUM = "lr=0.01 momentum=0.9 weight_decay=0.1"

CATALOGUE: list[Entry] = [
    *_entries(
        "timm",
        "timm.optim",
        [
            ("AdaBelief", "AdaBelief, decoupled, rectified", BOTH, "adabelief(rectify=True)"),
            ("AdamWLegacy", "AdamW", BOTH, "adamw"),
            ("Adan", "Adan", BOTH, "adan"),
            ("Lamb", "LAMB", f"{BOTH} max_grad_norm=None", "lamb"),
            ("Lars", "LARS", f"{MOMENTUM} trust_coeff=0.1 eps=0.0", "lars(trust_coefficient=0.1, lr_in_buffer=False)"),
            ("Lion", "Lion", BOTH, "lion"),
            ("Muon", "AdamW for matrices this small", f"{BOTH} betas=(0.9,0.95) eps=1e-8", "adamw"),
            ("NAdamLegacy", "NAdam", BOTH, "nadam"),
            ("NAdamW", "NAdam, decoupled", BOTH, "nadam(decoupled_weight_decay=True)"),
            ("RAdamLegacy", "RAdam, decoupled", BOTH, "radam(decoupled_weight_decay=True)"),
            ("RMSpropTF", "RMSprop as TensorFlow does", MOMENTUM, "rmsprop"),
            ("SGDW", "SGD, decoupled", MOMENTUM, "sgdw"),
            ("Adafactor", "Adafactor of fairseq", BOTH, f"adafactor_paper({FIXED})"),
            ("AdafactorBigVision", "Adafactor of Big Vision", BOTH, ""),
            ("AdamP", "AdamP", BOTH, "adamp"),
            ("Adopt", "ADOPT", BOTH, "adopt(clip_exponent=0.333)"),
            ("LaProp", "LaProp", BOTH, "laprop"),
            ("MADGRAD", "MADGRAD", BOTH, "madgrad"),
            ("Mars", "MARS", BOTH, ""),
            ("NvNovoGrad", "NovoGrad", BOTH, "novograd"),
            ("SGDP", "SGDP", MOMENTUM, "sgdp"),
            ("Adahessian", "AdaHessian", BOTH, ""),
        ],
    ),
    *_entries(
        "pytorch_optimizer",
        "pytorch_optimizer",
        [
            ("AdaBelief", "AdaBelief, decoupled", BOTH, "adabelief"),
            ("AdaDelta", "Adadelta", BOTH, "adadelta"),
            ("AdaMax", "AdaMax", BOTH, "adamax"),
            ("Adan", "Adan", f"{BOTH} weight_decouple=False", "adan"),
            (
                "Lamb",
                "LAMB, first version",
                f"{BOTH} max_grad_norm=0.0 weight_decouple=False eps=1e-30",
                "lamb(bias_correction=False, clamp_value=10.0)",
            ),
            ("LARS", "LARS", f"{MOMENTUM} trust_coefficient=0.1", "lars(lr_in_buffer=False)"),
            ("Lion", "Lion", BOTH, "lion"),
            ("PAdam", "Adam where partial = ½", f"{BOTH} partial=0.5 eps=1e-30", "adam"),
            ("QHAdam", "Adam where ν = 1", BOTH, "adam"),
            ("QHM", "SGD, dampened, where ν = 1", MOMENTUM, "sgd(lr=0.001)"),
            ("RAdam", "RAdam, decoupled", f"{BOTH} degenerated_to_sgd=True", "radam(decoupled_weight_decay=True)"),
            ("SGDW", "SGD, decoupled", MOMENTUM, "sgdw"),
            ("ScheduleFreeSGD", "schedule-free SGD", "lr=0.1 weight_decay=0.1", "schedule_free_sgd"),
            ("ScheduleFreeAdamW", "schedule-free AdamW", BOTH, "schedule_free_adamw"),
            ("AdamC", "AdamW, decay × η/η_max", BOTH, ""),
            ("AdaBound", "AdaBound", BOTH, "adabound(decoupled_weight_decay=True, base_lr=0.01, eps_root=1e-15)"),
            (
                "AdaFactor",
                "Adafactor, momentum in bfloat16",
                f"{BOTH} relative_step=False scale_parameter=False",
                "adafactor_paper(beta1=0.9)",
            ),
            ("AdEMAMix", "AdEMAMix", BOTH, "ademamix(decoupled_weight_decay=False)"),
            ("ADOPT", "ADOPT", BOTH, "adopt(clip='steps')"),
            ("AggMo", "AggMo", BOTH, "aggmo"),
            ("DiffGrad", "diffGrad", BOTH, "diffgrad(eps_root=1e-15, decoupled_weight_decay=True)"),
            ("LaProp", "LaProp", BOTH, "laprop"),
            ("MADGRAD", "MADGRAD", BOTH, "madgrad"),
            ("Prodigy", "Prodigy", "weight_decay=0.1", "prodigy"),
            ("SignSGD", "signSGD", MOMENTUM, "sign_sgd"),
            ("StableAdamW", "AdamW, updates clipped", BOTH, "stableadamw"),
            ("Tiger", "Tiger", BOTH, "sign_sgd(momentum=0.965)"),
            ("Yogi", "Yogi", BOTH, "yogi(decoupled_weight_decay=True)"),
            ("Shampoo", "Shampoo", f"{LR} matrix_eps=0.0001", "shampoo"),
            (
                "Shampoo",
                "Shampoo, roots of every third step",
                f"{LR} matrix_eps=0.0001 preconditioning_compute_steps=3",
                "shampoo(update_freq=3)",
            ),
            ("SOAP", "SOAP", BOTH, "soap"),
            ("FlashAdamW", "AdamW, compressed state", f"{BOTH} quantize=False", "adamw"),
            ("NovoGrad", "NovoGrad", BOTH, "novograd"),
            ("AdaMod", "AdaMod", BOTH, "adamod"),
        ],
    ),
    *_entries(
        "torch-optimizer",
        "torch_optimizer",
        [
            ("AdaBelief", "AdaBelief", BOTH, "adabelief(weight_decouple=False)"),
            ("AdaMod", "AdaMod", BOTH, "adamod"),
            ("Lamb", "LAMB, first version", f"{BOTH} clamp_value=1.0", "lamb(bias_correction=False)"),
            ("LARS", "LARS", f"{MOMENTUM} trust_coefficient=0.1", "lars(eps=1e-8, lr_in_buffer=False)"),
            ("PID", "SGD where I = D = 0", f"{MOMENTUM} integral=0.0 derivative=0.0", "sgd(momentum=0.0)"),
            ("QHAdam", "Adam where ν = 1", BOTH, "adam"),
            ("QHM", "SGD, dampened, where ν = 1", f"{MOMENTUM} nu=1.0", "sgd(lr=0.001)"),
            ("RAdam", "RAdam, decoupled", BOTH, "radam(decoupled_weight_decay=True)"),
            ("SGDW", "SGD, decoupled", MOMENTUM, "sgdw"),
            ("Adafactor", "Adafactor", f"{BOTH} relative_step=False scale_parameter=False", "adafactor_paper"),
            ("AdamP", "AdamP", BOTH, "adamp"),
            ("AdaBound", "AdaBound", BOTH, "adabound(base_lr=0.01)"),
            ("AggMo", "AggMo", BOTH, "aggmo"),
            ("DiffGrad", "diffGrad", BOTH, "diffgrad"),
            ("MADGRAD", "MADGRAD", BOTH, "madgrad"),
            ("NovoGrad", "NovoGrad", f"{BOTH} betas=(0.95,0.98)", "novograd"),
            ("SGDP", "SGDP", MOMENTUM, "sgdp(project_buffer=True)"),
            ("SWATS", "SWATS", BOTH, ""),
            ("Yogi", "Yogi", BOTH, "yogi"),
            ("Shampoo", "Shampoo", LR, "shampoo"),
            ("AccSGD", "AccSGD", BOTH, ""),
            ("Apollo", "Apollo", BOTH, ""),
        ],
    ),
    *_entries(
        "torch-optimi",
        "optimi",
        [
            ("Adam", "Adam", BOTH, "adam"),
            ("AdamW", "AdamW", BOTH, "adamw"),
            ("Adan", "Adan", BOTH, "adan"),
            ("Lion", "Lion", BOTH, "lion"),
            ("RAdam", "RAdam", f"{BOTH} eps=1e-30", "radam"),
            ("SGD", "SGD", f"{MOMENTUM} torch_init=True", "sgd"),
            ("StableAdamW", "AdamW, updates clipped", BOTH, "stableadamw"),
            ("Ranger", "RAdam with Lookahead", BOTH, ""),
        ],
    ),
    *_entries(
        "schedulefree",
        "schedulefree",
        [
            ("SGDScheduleFree", "schedule-free SGD", "lr=0.1 weight_decay=0.1 warmup_steps=5", "schedule_free_sgd"),
            (
                "SGDScheduleFreeReference",
                "schedule-free SGD",
                "lr=0.1 weight_decay=0.1 warmup_steps=5",
                "schedule_free_sgd",
            ),
            ("AdamWScheduleFree", "schedule-free AdamW", f"{BOTH} warmup_steps=5", "schedule_free_adamw"),
            ("AdamWScheduleFreeReference", "schedule-free AdamW", f"{BOTH} warmup_steps=5", "schedule_free_adamw"),
            ("AdamWScheduleFreePaper", "schedule-free AdamW", BOTH, "schedule_free_adamw"),
            ("RAdamScheduleFree", "schedule-free RAdam", BOTH, ""),
        ],
    ),
    *_entries("lion-pytorch", "lion_pytorch", [("Lion", "Lion", BOTH, "lion")]),
    *_entries(
        "adabelief-pytorch",
        "adabelief_pytorch",
        [
            ("AdaBelief", "AdaBelief", f"{BOTH} rectify=False print_change_log=False", "adabelief"),
            (
                "AdaBelief",
                "AdaBelief, by default rectified",
                f"{BOTH} print_change_log=False",
                "adabelief(rectify=False)",
            ),
        ],
    ),
    *_entries(
        "adan-pytorch",
        "adan_pytorch",
        [("Adan", "Adan", BOTH, "adan(betas=(0.98, 0.92, 0.99))")],
    ),
    *_entries(
        "bitsandbytes",
        "bitsandbytes.optim",
        [
            ("Adam32bit", "Adam", BOTH, "adam"),
            ("AdamW32bit", "AdamW", BOTH, "adamw"),
            ("SGD32bit", "SGD", MOMENTUM, "sgd"),
            ("Lion32bit", "Lion", BOTH, "lion"),
            ("RMSprop32bit", "RMSprop", BOTH, "rmsprop"),
            ("Adagrad32bit", "Adagrad", BOTH, "adagrad"),
            ("LAMB32bit", "LAMB", BOTH, "lamb"),
            ("AdEMAMix", "AdEMAMix", BOTH, "ademamix"),
            ("AdEMAMix32bit", "AdEMAMix", BOTH, "ademamix"),
        ],
    ),
    *_entries(
        "apollo-torch",
        "apollo_torch",
        [
            ("GaLoreAdamW", "AdamW where no rank is given", f"{BOTH} eps=1e-30", "adamw"),
            ("APOLLOAdamW", "AdamW where no rank is given", f"{BOTH} eps=1e-30", "adamw"),
            ("GaLoreAdafactor", "Adafactor", f"{BOTH} relative_step=False scale_parameter=False", "adafactor_paper"),
        ],
    ),
    *_entries("muon-optimizer", "muon", [("SingleDeviceMuon", "Muon", BOTH, "muon")]),
    *_entries(
        "prodigyopt",
        "prodigyopt",
        [
            ("Prodigy", "Prodigy", "weight_decay=0.1", "prodigy"),
            (
                "Prodigy",
                "AdamW where d stays 1",
                f"{BOTH} d0=1.0 growth_rate=1.0 use_bias_correction=True eps=1e-30",
                "adamw",
            ),
        ],
    ),
    *_entries(
        "dadaptation",
        "dadaptation",
        [
            ("DAdaptSGD", "D-adaptation", MOMENTUM, ""),
            ("DAdaptAdam", "D-adaptation", BOTH, "dadapt_adam"),
            ("DAdaptLion", "D-adaptation", BOTH, ""),
            ("DAdaptAdan", "D-adaptation", BOTH, ""),
            ("DAdaptAdaGrad", "D-adaptation", BOTH, ""),
        ],
    ),
    *_entries(
        "madgrad",
        "madgrad",
        [("MADGRAD", "MADGRAD", BOTH, "madgrad"), ("MirrorMADGRAD", "mirror descent MADGRAD", BOTH, "")],
    ),
    *_entries("adamp", "adamp", [("AdamP", "AdamP", BOTH, "adamp"), ("SGDP", "SGDP", MOMENTUM, "sgdp")]),
    *_entries("came-pytorch", "came_pytorch", [("CAME", "CAME", BOTH, "")]),
    *_entries(
        "pytorch-ranger",
        "pytorch_ranger",
        [
            ("Ranger", "RAdam with Lookahead", BOTH, ""),
            ("RangerQH", "QHAdam with Lookahead", BOTH, ""),
            ("RangerVA", "RAdam with Lookahead and softplus", BOTH, ""),
        ],
    ),
    *_entries(
        "transformers",
        "transformers.optimization",
        [("Adafactor", "Adafactor of fairseq", f"{BOTH} relative_step=False scale_parameter=False", "adafactor_paper")],
    ),
    *_entries(
        "torch",
        "torch.optim",
        [
            ("SGD", "SGD", MOMENTUM, "sgd"),
            ("Adam", "Adam", BOTH, "adam"),
            ("AdamW", "AdamW", BOTH, "adamw"),
            ("NAdam", "NAdam", BOTH, "nadam"),
            ("RAdam", "RAdam", BOTH, "radam"),
            ("Adamax", "AdaMax", BOTH, "adamax"),
            ("Adagrad", "Adagrad", BOTH, "adagrad"),
            ("Adadelta", "Adadelta", BOTH, "adadelta"),
            ("RMSprop", "RMSprop", MOMENTUM, "rmsprop"),
            ("Rprop", "Rprop", LR, "rprop"),
            ("ASGD", "averaged SGD", BOTH, "asgd"),
            ("Adafactor", "Adafactor", BOTH, "adafactor"),
        ],
    ),
]
