"""The experiments that names, patterns, files and objects stand for: every function that takes one takes all of these.

Imported without NumPy, which a name that is misspelled does not need.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from parity.errors import EXPERIMENT, InputError, needs

if TYPE_CHECKING:
    from parity.experiment import Experiment

Asked: TypeAlias = "Experiment | str | Path"
"""An experiment, or what stands for one: a name of ``parity list``, a ``.toml`` file, a :class:`pathlib.Path`."""


@needs(asked=EXPERIMENT)
def load(asked: Asked) -> Experiment:
    """The experiment that a name of ``parity list`` or a ``.toml`` file stands for; an experiment is itself.

    Raises :class:`parity.errors.InputError` where there is none, or where a pattern such as ``s0-*`` means several.
    """
    experiments = load_all(asked)
    if len(experiments) > 1:
        names = ", ".join(experiment.name for experiment in experiments)
        raise InputError(f"{asked}: stands for {len(experiments)} experiments ({names}); give the name of one")
    return experiments[0]


def load_all(*asked: Asked) -> list[Experiment]:
    """The experiments that names, patterns, files and objects stand for, each once. Raises :class:`InputError`."""
    found: dict[Path | int, Experiment] = {}
    for one in asked:
        if isinstance(one, str | Path):
            from parity import gallery
            from parity.experiment_file import load as read

            for path in gallery.find(one) if isinstance(one, str) else [one]:
                found[path] = found.get(path) or read(path)
        else:
            found[id(one)] = _experiment(one)
    return list(found.values())


def _experiment(given: object) -> Experiment:
    from parity.experiment import Experiment

    if not isinstance(given, Experiment):
        raise InputError(f"given {given!r}; allowed: {EXPERIMENT}")
    return given
