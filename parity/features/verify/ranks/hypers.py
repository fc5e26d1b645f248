"""The hyper-parameters that a case asks for, beside those that torch has in effect in a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch

from parity.features.verify.case import Case
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.record import Record
from parity.record.reference import REFERENCES, in_effect
from refimpl.types import Optimizer


def asked_optimizer(case: Case) -> Optimizer:
    """The reference with the case's options, and with torch's defaults of what they leave out."""
    kind = getattr(torch.optim, case.optimizer)
    group = kind([torch.ones(1, 1)], **OPTIONS[case.optimizer][case.options]).param_groups[0]
    return in_effect(REFERENCES[case.optimizer], group)


def hypers(optimizer: Optimizer) -> Mapping[str, Any]:
    """The hyper-parameters of a reference by name."""
    return {field.name: getattr(optimizer, field.name) for field in fields(optimizer)}  # type: ignore[arg-type]


def hyper_findings(case: Case, records: Sequence[Record]) -> list[str]:
    """The first step in which a hyper-parameter is not what is asked: "lr is 0.2 in step 1, asked 0.1"."""
    asked = hypers(asked_optimizer(case))
    for number in range(max(len(record.steps) for record in records)):
        wrong = {
            (hyper, rank): value
            for rank, record in enumerate(records)
            for optimizer in (record.steps[number].optimizers.values() if number < len(record.steps) else ())
            for hyper, value in hypers(optimizer).items()
            if value != asked[hyper]
        }
        if wrong:
            (hyper, rank), value = next(iter(wrong.items()))
            where = "" if all((hyper, other) in wrong for other in range(len(records))) else f" on rank {rank}"
            return [f"{hyper} is {value} in step {number}{where}, asked {asked[hyper]}"]
    return []
