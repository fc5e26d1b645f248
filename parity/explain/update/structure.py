"""What is to be said of an update that no rule explains: where it is off, and how it goes with the asked direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parity.explain.pattern import places
from parity.explain.update.series import ROUGH, listed, measure
from parity.explain.update.trial import UpdateRecord


def described(records: Sequence[UpdateRecord], rules: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each parameter that is not as asked."""
    right = [record.name for record in records if not record.wrong]
    for record in records:
        if record.wrong:
            yield _one(record, rules[record.name])
    if right:
        yield f"{' and '.join(right)} as asked"


def _one(record: UpdateRecord, rule: Any) -> str:
    wrong = record.share.reshape(len(record.share), -1) > 1
    measured = measure(record, rule)
    left = float(np.max(measured.left, initial=0))
    text = f"{record.name}: not as asked in {places(wrong)}"
    if wrong.shape[1] > 2 and left <= ROUGH:
        return f"{text}; its step has the asked direction, {listed(measured.a)} times as long"
    if not np.isfinite(left):
        return f"{text}; it moves where the asked step is 0"
    if wrong.shape[1] > 2:
        return f"{text}; its step has not the asked direction: {left:.2g} of it is left beside it and the weights"
    return f"{text}; its step is {listed(measured.a)} times the asked one"
