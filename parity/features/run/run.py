"""Experiments × backends × settings → a report: the one place where everything meets."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from parity.backends import backend as find_backend
from parity.backends.base import DTYPES, IMPLEMENTATIONS, Backend, Implementation, Setting
from parity.backends.reference import run_reference
from parity.errors import EXPERIMENT, InputError, Option, OptionError, Unsupported, check_name, check_number, needs
from parity.experiment import Experiment, Material
from parity.features.run.estimate import estimate
from parity.features.run.results import Reference, Report, Run
from parity.formulation import FORMULATIONS, Formulation
from parity.installed import __version__
from parity.judge.free_run import free_run
from parity.judge.verdict import Verdict, checks_of, judged
from parity.loading import Asked, load_all
from parity.output import write_whole
from refimpl.datasets import DATASETS, Dataset
from refimpl.errors import RefimplError
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.penalties import L2
from refimpl.reductions import norm
from refimpl.trajectory import Trajectory
from refimpl.types import Array

Progress = Callable[[int, int, str], None]
"""Called with the number of runs done, their total and what runs next."""


@needs(experiments=f"{EXPERIMENT}, or several of them")
@np.errstate(over="ignore", invalid="ignore")  # a run that diverges is shown as it is
def run(
    experiments: Asked | Sequence[Asked],
    *,
    devices: str | Sequence[str] = (),
    dtypes: str | Sequence[str] = ("float64", "float32"),
    formulations: Formulation | Sequence[Formulation] = FORMULATIONS,
    implementations: Implementation | Sequence[Implementation] = ("for-loop",),
    backend: str | Backend = "torch",
    tf32: bool = False,
    form_factor: float = 1.0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Report:
    """Run experiments in the reference and in a framework, and judge every run step by step.

    ``experiments``: one or several, each a name of ``parity list``, a pattern (``s0-*``), a file or an experiment.
    ``devices``: by default all that the framework has on this machine. ``dtypes``, ``formulations``,
    ``implementations``: every combination is run; written by hand (``manual``) there is only the for-loop.
    ``form_factor``: multiplies the unit roundoff; 1 where the framework computes in the form of the reference's
    formulas, 2 for an unknown algebraically equal form. ``out``: a folder for trajectories, pictures, ``report.json``
    and reproduction scripts; None writes nothing. Of trajectories of more than 32 MB, losses, norms and the final
    weights are saved there and kept; without a folder, all of it is in the report.
    ``announce``: told, before long work, how long it takes and how much memory it needs.
    Raises :class:`parity.errors.InputError`: unknown names, unusable devices, a folder that cannot be written.
    """
    wanted = load_all(*_listed(experiments))
    _check_words(wanted, form_factor)
    dtypes = _known("dtype", dtypes, DTYPES)
    formulations = _known("formulation", formulations, FORMULATIONS)
    implementations = _known("implementation", implementations, IMPLEMENTATIONS)
    framework = find_backend(backend) if isinstance(backend, str) else backend
    devices = _listed(devices) or framework.devices()
    for device in devices:
        framework.check_device(device)
    for experiment in wanted:
        _check_drawable(experiment)
    folder = _Folder(Path(out)) if out is not None else None

    settings = list(_settings(devices, dtypes, formulations, implementations, tf32))
    references: list[Reference] = []
    runs: list[Run] = []
    for experiment in wanted:
        material = experiment.draw()
        if announce and (text := estimate(experiment, material, len(settings))):
            announce(text)
        solution = ridge_weight(experiment, material.dataset)
        reference = _reference(experiment, material, solution)
        if folder:
            reference = replace(reference, trajectory=_light(reference.trajectory))
            folder.save(reference.trajectory, experiment.name, "reference")
        references.append(reference)
        for setting in settings:
            if progress:
                progress(len(runs), len(wanted) * len(settings), f"{experiment.name} {setting}")
            one = _run(framework, experiment, material, setting, solution, form_factor)
            if folder:
                one = folder.keep(one)
            runs.append(one)
    names = [one.verdict.name for one in runs]
    report = Report(
        runs=tuple(runs),
        references=tuple(references),
        environment=_environment(runs) | {"form factor": f"{form_factor:g}"},
        folder=folder.path if folder else None,
        counts={name: names.count(name) for name in dict.fromkeys(names)},
    )
    if folder:
        folder.finish(report)
    if progress:
        progress(len(runs), len(runs), "")
    return report


def _check_words(wanted: Sequence[Experiment], form_factor: float) -> None:
    """Raise :class:`InputError` for an experiment's name that is given twice, or a factor that is out of range."""
    repeated = {e.name for e in wanted if [other.name for other in wanted].count(e.name) > 1}
    if repeated:
        raise InputError(f"{', '.join(sorted(repeated))}: given twice; give every experiment a name of its own")
    if not wanted:
        raise InputError("no experiment is given; allowed: names of `parity list`, files (.toml), experiments")
    check_number("form factor", form_factor, 1)


def _listed(given: Any) -> list[Any]:
    """One or several, as a list."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _known(what: str, given: str | Sequence[str], known: Sequence[str]) -> list[Any]:
    """The names as they are spelled here. Raises :class:`InputError` for an unknown one, or where none is given."""
    names = [check_name(what, name, known) for name in _listed(given)]
    if not names:
        raise InputError(f"{what}: none is given; allowed: {', '.join(known)}")
    return names


def _check_drawable(experiment: Experiment) -> None:
    """Raise :class:`InputError` where data, initial weights or batches cannot be made: before anything is written."""
    try:
        experiment.draw()
    except RefimplError as error:
        raise InputError(f"{experiment.name}: {error}") from error
    except (MemoryError, OverflowError, ValueError) as error:
        raise InputError(f"{experiment.name}: is too large ({error}); give fewer rows or features") from error


def _settings(
    devices: Sequence[str],
    dtypes: Sequence[str],
    formulations: Sequence[Formulation],
    implementations: Sequence[Implementation],
    tf32: bool,
) -> Iterator[Setting]:
    for device in devices:
        for dtype in dtypes:
            for formulation in formulations:
                for implementation in implementations:
                    if formulation == "manual" and implementation != "for-loop" and len(implementations) > 1:
                        continue  # by hand there is one implementation only
                    yield Setting(
                        device=device, dtype=dtype, formulation=formulation, implementation=implementation, tf32=tf32
                    )


def _reference(experiment: Experiment, material: Material, solution: Array | None) -> Reference:
    try:
        trajectory = run_reference(experiment, "loss", material)
    except (Unsupported, RefimplError) as error:
        raise InputError(f"{experiment.name}: {error}") from error
    words = data_in_words(experiment, material.dataset)
    return Reference(experiment, trajectory, ridge_distance(trajectory, solution), words)


def _run(
    framework: Backend,
    experiment: Experiment,
    material: Material,
    setting: Setting,
    solution: Array | None,
    form_factor: float,
) -> Run:
    """Run and judge; what a framework refuses is unsupported, what breaks is an error, and the others go on."""
    try:
        trajectory = framework.run(experiment, setting)
        checks = checks_of(experiment, material, trajectory, form_factor=form_factor)
        verdict = judged(checks)
        drift = free_run(checks, trajectory)
    except Unsupported as refusal:
        return Run(experiment, framework.name, setting, Verdict("unsupported", str(refusal)))
    except Exception as error:  # whatever breaks in one run must not lose the others
        text = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Run(experiment, framework.name, setting, Verdict("error", text))
    return Run(
        experiment,
        framework.name,
        setting,
        verdict,
        trajectory,
        free_run=drift,
        ridge_distance=ridge_distance(trajectory, solution),
    )


def _light(trajectory: Trajectory) -> Trajectory:
    """A trajectory as reports need it: without the single steps of a network, which would fill memory and disk."""
    return trajectory.without_steps() if trajectory.large else trajectory


def data_in_words(experiment: Experiment, dataset: Dataset) -> str:
    """``digits: 1,437 training and 360 validation rows of 784 features``."""
    kind = type(experiment.data)
    name = next((name for name, cls in DATASETS.items() if cls is kind), kind.__name__)
    _, rows, features = dataset.X.shape
    validation = "" if dataset.X_validation is None else f" and {dataset.X_validation.shape[1]:,} validation"
    return f"{name}: {rows:,} training{validation} rows of {features:,} feature{'s' if features > 1 else ''}"


def ridge_weight(experiment: Experiment, dataset: Dataset) -> Array | None:
    """The weight w* of the ridge solution; None where the experiment's objective has no such unique minimiser."""
    loss, model = experiment.loss, experiment.model
    only_ridge = all(isinstance(p, L2) and p.parameters == ("weight",) for p in experiment.penalties)
    descends = all(
        getattr(o, "weight_decay", 0) == 0 and not getattr(o, "maximize", False) for o in experiment.optimizers.values()
    )
    if not (isinstance(loss, SquaredError) and isinstance(model, Linear) and only_ridge and descends):
        return None
    strength = sum(float(p.strength) for p in experiment.penalties if isinstance(p, L2))
    solution = ridge(dataset.X, dataset.y, loss, np.array([strength]), intercept=model.bias)
    return None if solution.minimum_norm[0] else solution.params["weight"]


def ridge_distance(trajectory: Trajectory, solution: Array | None) -> float | None:
    """‖w − w*‖₂ at the end of a run."""
    return None if solution is None else float(norm(trajectory.params["weight"][-1] - solution)[0])


def _environment(runs: Sequence[Run]) -> dict[str, str]:
    """Versions and machine."""
    environment = {"parity": __version__, "platform": platform.platform(), "machine": platform.machine()}
    for one in runs:
        if one.trajectory is not None:
            versions: dict[str, Any] = one.trajectory.meta.get("versions", {})
            environment |= versions
            if device := one.trajectory.meta.get("device_name"):
                environment[one.setting.device] = device
    return environment


def _import_pictures() -> None:
    """Import what draws, which takes half a second, while NumPy and torch compute and leave Python to others."""
    with suppress(Exception):  # whoever draws meets it again
        import_module("parity.features.run.pictures")


class _Folder:
    """The results folder: every file appears whole or not at all, and earlier files stay until replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / "trajectories").mkdir(parents=True, exist_ok=True)
            probe = path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OptionError(
                f"{path}: cannot be written ({error.strerror}); choose another folder with ", Option("out")
            ) from error
        Thread(target=_import_pictures).start()

    def save(self, trajectory: Trajectory, experiment: str, name: str) -> None:
        try:
            trajectory.save(self.path / "trajectories" / f"{experiment}--{name}.npz")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror}); choose another folder") from error

    def keep(self, one: Run) -> Run:
        """Save the trajectory and, at a disagreement, the script that reproduces it; what is large is made light."""
        if one.trajectory is None:
            return one
        name = str(one.setting).replace(" ", "-").replace(":", "")
        trajectory = _light(one.trajectory)
        self.save(trajectory, one.experiment.name, name)
        light = replace(one, trajectory=trajectory)
        if one.verdict.first is None or one.backend != "torch":  # the scripts are torch's
            return light
        if one.experiment.trainer_parts and one.verdict.first.quantity.kind not in ("update", "state"):
            return light  # the scripts make a gradient of one batch
        from parity.features.run.repro import write_repro

        return replace(light, repro=write_repro(one, self.path / f"repro-{one.experiment.name}-{name}.py"))

    def finish(self, report: Report) -> None:
        from parity.features.run.pictures import draw_all

        draw_all(report, self.path)
        write_whole(self.path / "report.json", report.to_json() + "\n")
