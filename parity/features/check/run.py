"""``parity check``: what the target is, and who checks it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from parity.backends.base import DTYPES
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.finding import Diagnosis
from parity.features.check.target import parse


def check(
    target: str,
    *,
    experiment: Experiment | None,
    hyper: Sequence[str] = (),
    against: str | None = None,
    dtype: str | None = None,
    device: str = "cpu",
    limit: float = 60.0,
) -> Diagnosis:
    """Check an optimizer class, a training function or a log. Raises :class:`InputError` for what is none of them.

    ``experiment``: what a function or a log is held to; without one the error says which fit the code. ``dtype``: of
    tensors, float64 where none is given; of a log, which is tried in several where none is given.
    """
    what = parse(target)
    options = hyper_parameters(hyper)
    if what.is_class:
        from parity.features.check.optimizer import check_optimizer

        dtypes = DTYPES if dtype == "all" else tuple(dict.fromkeys(("float64", "float32", dtype or "float64")))
        return check_optimizer(what, options, against=against, dtypes=dtypes, device=device, limit=limit)
    if options or against:
        given = "--hyper" if options else "--against"
        raise InputError(
            f"{given}: is for optimizer classes, which begin with a capital; others are held to --experiment"
        )
    if dtype == "all":
        raise InputError(
            "--dtype all: is for optimizer classes; a training function runs in one, a log was made in one"
        )
    if experiment is None:
        from parity.features.check.experiments import ask_for_experiment

        raise ask_for_experiment(what, dtype or "float64", device, limit)
    if what.is_log:
        from parity.features.check.log import check_log

        return check_log(what.place, experiment, dtype=dtype)
    from parity.features.check.training import check_training

    diagnosis, _, _ = check_training(what, experiment, dtype=dtype or "float64", device=device, limit=limit)
    return diagnosis


def hyper_parameters(words: Sequence[str]) -> dict[str, Any]:
    """``lr=0.01`` → ``{"lr": 0.01}``; values are Python literals, anything else is a text."""
    hyper: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"--hyper {word}: allowed: name=value, such as lr=0.01 or betas=(0.9,0.99)")
        if name in hyper:
            raise InputError(f"--hyper {name}: given twice")
        try:
            hyper[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            hyper[name] = value
    return hyper


def exit_code(diagnosis: Diagnosis) -> int:
    """1 where it disagrees; else 2 where nothing could be judged; else 0."""
    if diagnosis.verdict == "disagree":
        return 1
    judged = diagnosis.verdict in ("agree", "undecidable") and diagnosis.share <= 1
    return 0 if judged else 2
