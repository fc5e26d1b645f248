"""What the commands share: the words on the command line, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.errors import InputError, nearest

if TYPE_CHECKING:
    from parity.experiment import Experiment

# Spelled out here, and held to the modules by a test, so that --help loads neither NumPy nor torch.
DTYPE_NAMES = ("float64", "float32", "bfloat16", "float16")
FORMULATION_NAMES = ("loss", "weight_decay", "manual")
IMPLEMENTATION_NAMES = ("for-loop", "foreach", "fused")


class Interrupted(Exception):
    """What to say of an interrupt that can be gone on from."""


def choices(option: str, given: list[str], known: tuple[str, ...]) -> list[Any]:
    """The values of a repeated option, ``all`` meaning each. Raises :class:`InputError`."""
    for value in given:
        if value not in (*known, "all"):
            raise InputError(f"{option} {value}: unknown; allowed: {', '.join(known)}, all{nearest(value, known)}")
    return list(known) if "all" in given else list(dict.fromkeys(given))


def load_one(name: str) -> Experiment:
    """The experiment that a name, a pattern or a file stands for. Raises :class:`InputError` where they are several."""
    found = load_all(name)
    if len(found) > 1:
        names = ", ".join(experiment.name for experiment in found)
        raise InputError(f"{name}: stands for {len(found)} experiments ({names}); give the name of one")
    return found[0]


def load_all(*words: str) -> list[Experiment]:
    """The experiments that names, patterns or files stand for, each file once."""
    from parity import gallery
    from parity.experiment_file import load

    return [load(path) for path in dict.fromkeys(path for word in words for path in gallery.find(word))]


def new_folder() -> Path:
    """A folder for this run's results that is not there yet, named by the time."""
    from datetime import datetime
    from itertools import count

    stamp = Path("parity-results") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    candidates = (stamp if number == 1 else stamp.with_name(f"{stamp.name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())
