"""``parity check``: what the target is, and who checks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parity.backends.base import DTYPES
from parity.errors import Option, OptionError, check_name, check_number, needs
from parity.experiment import Experiment
from parity.explain.finding import Diagnosis
from parity.features.check.checked import Checked, checked
from parity.features.check.launch import started_by_torchrun
from parity.features.check.target import Target, parse
from parity.hyper_words import check_hyper
from parity.loading import Asked, load
from parity.output import Progress


@needs(target="file.py:name, package.module:name, a log, a training function or an optimizer class")
def check(
    target: str | Path | Callable[..., Any],
    experiment: Asked | None = None,
    *,
    hyper: Mapping[str, Any] | None = None,
    against: str | None = None,
    state: Mapping[str, str] | None = None,
    dtype: str | Sequence[str] | None = None,
    device: str = "cpu",
    ranks: int | None = None,
    limit: float = 60.0,
    progress: Progress | None = None,
) -> Checked:
    """Say what a training function, an optimizer or a log computes, and why it differs from what was asked.

    ``target``: a function or a class, which runs in this process; or ``"file.py:name"``, ``"package.module:name"`` or a
    log (``.npz``, ``.csv``, ``.jsonl``), which is read, or runs, in a process of its own.
    ``experiment``: what a training function or a log is held to: a name of ``parity list``, a file or an experiment;
    without one the error says which fit the code. ``hyper``: what an optimizer is made with. ``against``: the reference
    that it must be, ``"any"`` for whichever fits; by default that of its name or its base. ``state``: the tensors that
    are held to the reference's, ``{"exp_avg": "m"}``. ``dtype``: of tensors, float64 where none is given; of a log,
    which is tried in several where none is given; of an optimizer also several, or ``"all"``, float64 and float32 where
    none is given. ``ranks``: a training function runs in so many processes, as ``torchrun`` starts them. ``device`` and
    ``limit``, in seconds, are of a process of its own. ``progress``: told what is being done.

    Raises :class:`parity.errors.InputError` for what cannot be checked, and what a function or a class raises here;
    of a process of its own that is :class:`parity.features.check.worker.TheirError`.
    """
    if experiment is not None:
        experiment = load(experiment)
    named = [] if dtype is None else dtype if isinstance(dtype, list | tuple) else [dtype]
    dtypes = [check_name("dtype", name, (*DTYPES, "all")) for name in named]
    check_number("limit", limit, 1)
    if ranks is not None:
        check_number("ranks", ranks, 2, whole=True)
        if started_by_torchrun()[1] > 1:
            raise OptionError(Option("ranks"), " starts the ranks itself; leave torchrun out")
    options, states = dict(hyper or {}), dict(state or {})
    check_hyper(options)
    progress = progress or _quiet
    if isinstance(target, str | Path):
        what = parse(str(target))
        if ranks is not None:
            return checked(
                str(target),
                _check_ranks(what, experiment, options, against, states, dtypes, device, ranks, limit, progress),
            )
        return checked(str(target), _check(what, experiment, options, against, states, dtypes, device, limit, progress))
    if ranks is not None:
        raise OptionError(Option("ranks"), ': a function or class runs in this process; give it as "file.py:name"')
    from parity.features.check.in_process import check_here

    name = str(getattr(target, "__qualname__", type(target).__name__))
    return checked(name, check_here(name, target, experiment, options, against, states, dtypes))


def _quiet(done: int, total: int | None, text: str = "") -> None:
    """Show no progress."""


def _check_ranks(
    what: Target,
    experiment: Experiment | None,
    options: Mapping[str, Any],
    against: str | None,
    state: Mapping[str, str],
    dtypes: Sequence[str],
    device: str,
    ranks: int,
    limit: float,
    progress: Progress,
) -> Diagnosis:
    if what.is_log or what.is_class:
        kind = "a log" if what.is_log else "an optimizer"
        raise OptionError(Option("ranks"), f": is for training functions; {what} is {kind}")
    dtype = single("a training function", options, against, state, dtypes) or "float64"
    if experiment is None:
        raise OptionError(f"{what}: to what is it held? give ", Option("experiment"), f": {NAMED}")
    from parity.features.check.ranks import check_ranks

    progress(0, 2, f"running the function on {ranks} ranks, then explaining its steps")
    return check_ranks(what, experiment, ranks, dtype=dtype, device=device, limit=limit)


def _check(
    what: Target,
    experiment: Experiment | None,
    options: Mapping[str, Any],
    against: str | None,
    state: Mapping[str, str],
    dtypes: Sequence[str],
    device: str,
    limit: float,
    progress: Progress,
) -> Diagnosis:
    if what.is_log:
        dtype = single("a log", options, against, state, dtypes)
        from parity.features.check.log import check_log

        if experiment is None:
            raise OptionError(
                f"{what}: to what is it held? give ", Option("experiment"), f", the one that the log is of: {NAMED}"
            )
        return check_log(what.place, experiment, dtype=dtype)

    def as_optimizer() -> Diagnosis | None:
        from parity.features.check.optimizer import check_optimizer

        several = of_class(dtypes)
        checked = check_optimizer(
            what, options, against=against, state=state, dtypes=several, device=device, limit=limit, progress=progress
        )
        if checked is not None and experiment is not None:
            raise OptionError(
                f"{what}: is an optimizer, which is held to ",
                Option("against"),
                "; ",
                Option("experiment"),
                " is for training functions and logs",
            )
        return checked

    def as_training() -> Diagnosis | None:
        one = single("a training function", options, against, state, dtypes) or "float64"
        if experiment is None:
            from parity.features.check.experiments import ask_for_experiment

            if (asking := ask_for_experiment(what, one, device, limit)) is not None:
                raise asking
            return None
        from parity.features.check.training import check_training

        progress(0, 2, "running the function, then explaining its steps")
        checked = check_training(what, experiment, dtype=one, device=device, limit=limit)
        return checked[0] if checked is not None else None

    likely = what.is_class or options or against or state or "all" in dtypes
    ways = (as_optimizer, as_training) if likely else (as_training, as_optimizer)
    return next(diagnosis for way in ways if (diagnosis := way()) is not None)


NAMED = "a name of `parity list` or a file of your own"


def of_class(dtypes: Sequence[str]) -> tuple[str, ...]:
    """The dtypes in which an optimizer is judged: exactly those that were asked, or the usual two."""
    return DTYPES if "all" in dtypes else tuple(dict.fromkeys(dtypes or ("float64", "float32")))


def single(
    kind: str, options: Mapping[str, Any], against: str | None, state: Mapping[str, str], dtypes: Sequence[str]
) -> str | None:
    """The one dtype, if any. Raises :class:`InputError` where an option is given that is for optimizers alone."""
    if options or against or state:
        given = Option("hyper" if options else "against" if against else "state")
        raise OptionError(given, f": is for optimizers; {kind} is held to ", Option("experiment"))
    several = ", ".join(dict.fromkeys(dtypes))
    if "," in several or several == "all":
        what = "is for optimizers; a training function runs in one, a log was made in one"
        raise OptionError(Option("dtype"), f" {several}: {what}")
    return several or None


def exit_code(diagnosis: Diagnosis) -> int:
    """1 where it disagrees; else 2 where nothing could be judged; else 0."""
    if diagnosis.verdict == "disagree":
        return 1
    judged = diagnosis.verdict in ("agree", "undecidable") and diagnosis.share <= 1
    return 0 if judged else 2
