"""``parity list`` and ``parity show``."""

from __future__ import annotations

from parity.loading import load, load_all
from parity.options import ExperimentName

LIST_EXAMPLES = ("parity list",)
SHOW_EXAMPLES = ("parity show s0-scratch-lam3 > mine.toml", "parity run mine.toml")


def list_command() -> None:
    """List the experiments that come with the package."""
    from parity import gallery
    from parity.features.gallery.terminal import print_experiments
    from parity.output import Output

    print_experiments(load_all(*gallery.names()), Output().console)


def show_command(experiment: ExperimentName) -> None:
    """Print an experiment as the TOML that `parity run` reads: a file to start from."""
    from parity.experiment_file import to_toml

    print(to_toml(load(experiment)), end="")
