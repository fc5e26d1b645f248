"""Holds PyTorch's training step to a hand-derived reference, within tolerances that are derived.

::

    import parity

    report = parity.run(parity.load("s0-scratch-lam3"), dtypes=["float32"])
    for one in report.runs:
        print(one.setting, one.verdict.name, one.verdict.text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.experiment import Experiment
    from parity.explain.diagnosis import diagnose
    from parity.features.run.results import Report, Run
    from parity.features.run.run import run
    from parity.features.watch.watch import watch
    from parity.installed import __version__
    from parity.judge.verdict import Verdict

__all__ = ["Experiment", "Report", "Run", "Verdict", "__version__", "diagnose", "load", "run", "watch"]

_HOME = {
    "Experiment": "parity.experiment",
    "Report": "parity.features.run.results",
    "Run": "parity.features.run.results",
    "Verdict": "parity.judge.verdict",
    "__version__": "parity.installed",
    "diagnose": "parity.explain.diagnosis",
    "run": "parity.features.run.run",
    "watch": "parity.features.watch.watch",
}


def load(name_or_file: str) -> Experiment:
    """The gallery's experiment of that name, or the one in that ``.toml`` file. Raises ``parity.errors.InputError``."""
    from parity import gallery
    from parity.errors import InputError
    from parity.experiment_file import load as load_file

    files = gallery.find(name_or_file)
    if len(files) > 1:
        raise InputError(f"{name_or_file}: is {len(files)} experiments; give one name")
    return load_file(files[0])


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: ``import parity`` costs nothing."""
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'parity' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
