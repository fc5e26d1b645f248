"""Holds PyTorch's training step to a hand-derived reference, within tolerances that are derived.

::

    import parity

    report = parity.run("s0-scratch-lam3", dtypes="float32")
    print(report)
    report.plot()

What is asked of an experiment takes its name, its file or the :class:`Experiment` itself. Printed, a result is the text
of the command with the same name; in a notebook it shows itself; where there is a picture, ``plot()`` draws it. Bad
input raises :class:`InputError`, a ``ValueError`` of one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.assertions import assert_optimizer, assert_parity
    from parity.errors import InputError
    from parity.experiment import Experiment
    from parity.features.answers.ask import answer
    from parity.features.bridges.build import bridge
    from parity.features.check.checked import diagnose
    from parity.features.check.run import check
    from parity.features.compare.compare import compare
    from parity.features.convert.ask import convert
    from parity.features.convert.optimizers.ask import convert_optimizer
    from parity.features.known.ask import known
    from parity.features.run.results import Report, Run
    from parity.features.run.run import run
    from parity.features.schema.schema import schema
    from parity.features.stability.stability import stability
    from parity.features.sweep.run import sweep
    from parity.features.trace.run import trace
    from parity.features.verify.ask import verify
    from parity.features.watch.callbacks import watch_callback
    from parity.features.watch.watch import watch
    from parity.installed import __version__
    from parity.judge.verdict import Verdict
    from parity.loading import load

_HOME = {
    "Experiment": "parity.experiment",
    "InputError": "parity.errors",
    "Report": "parity.features.run.results",
    "Run": "parity.features.run.results",
    "Verdict": "parity.judge.verdict",
    "__version__": "parity.installed",
    "answer": "parity.features.answers.ask",
    "assert_optimizer": "parity.assertions",
    "assert_parity": "parity.assertions",
    "bridge": "parity.features.bridges.build",
    "check": "parity.features.check.run",
    "compare": "parity.features.compare.compare",
    "convert": "parity.features.convert.ask",
    "convert_optimizer": "parity.features.convert.optimizers.ask",
    "diagnose": "parity.features.check.checked",
    "known": "parity.features.known.ask",
    "load": "parity.loading",
    "run": "parity.features.run.run",
    "schema": "parity.features.schema.schema",
    "stability": "parity.features.stability.stability",
    "sweep": "parity.features.sweep.run",
    "trace": "parity.features.trace.run",
    "verify": "parity.features.verify.ask",
    "watch": "parity.features.watch.watch",
    "watch_callback": "parity.features.watch.callbacks",
}

__all__ = [
    "Experiment",
    "InputError",
    "Report",
    "Run",
    "Verdict",
    "__version__",
    "answer",
    "assert_optimizer",
    "assert_parity",
    "bridge",
    "check",
    "compare",
    "convert",
    "convert_optimizer",
    "diagnose",
    "known",
    "load",
    "run",
    "schema",
    "stability",
    "sweep",
    "trace",
    "verify",
    "watch",
    "watch_callback",
]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: ``import parity`` costs nothing."""
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'parity' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return __all__
