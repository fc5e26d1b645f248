"""The settings nearest to the reported table.

How far: the root mean square over λ of ln(simulated/reported), in each column. The training loss reported at λ = 0 is
what float32 leaves of 0, so a smaller one counts as equal. The draw of data, initial weights and batches is unknown, so
a setting is as near as the nearest of its seeds; where the others are says how special that draw would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.study.thread.settings import STRENGTHS, TEST, TRAIN, Setting, Space
from parity.study.thread.simulate import tables
from refimpl.types import Array

REPORTED = np.log(np.stack([TRAIN, TEST]))

Progress = Callable[[int, int], None]
"""Called with the number of batched runs done and their total."""


NEAR = 1.2
"""Settings that come within this factor are not told apart: other draws of the same data move the losses by more."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Fit:
    """A setting in many seeds. ``logs``: of its tables, ``(seeds, 2, 11)``."""

    setting: Setting
    logs: Array

    @property
    def columns(self) -> Array:
        """``(seeds, 2)``: how far the training and the test losses are."""
        return _rms(self.logs - REPORTED, 2)

    @property
    def distances(self) -> Array:
        """``(seeds,)``: of both columns."""
        return _rms(self.columns, 1)

    @property
    def nearest(self) -> Array:
        """Training and test losses of the nearest seed, ``(2, 11)``."""
        table: Array = np.exp(self.logs[np.argmin(self.distances)])
        return table

    @property
    def near(self) -> bool:
        """Whether some seed is within the factor ``NEAR``."""
        return bool(self.distances.min() <= np.log(NEAR))

    @property
    def outside(self) -> list[tuple[int, float]]:
        """Column (0: training, 1: test) and λ of the numbers of the report that lie outside the range of all seeds."""
        out = (self.logs.min(axis=0) > REPORTED) | (self.logs.max(axis=0) < REPORTED)
        return [(int(column), float(STRENGTHS[i])) for column, i in np.argwhere(out)]


@np.errstate(invalid="ignore")  # of settings that diverge, which are infinitely far
def search(space: Space, progress: Progress | None = None) -> list[Fit]:
    """The settings that are kept, the nearest first."""
    total, done = len(space.layouts) * (space.scouts + space.seeds), 0

    def logs_of(settings: list[Setting], seeds: range) -> Array:
        nonlocal done
        found = []
        for seed in seeds:
            if progress:
                progress(done, total)
            found.append(_logs(tables(settings, seed)))
            done += 1
        return np.stack(found)

    scouted: list[tuple[float, Setting]] = []
    for layout in space.layouts:
        settings = space.settings(*layout)
        logs = logs_of(settings, range(space.seeds, space.seeds + space.scouts))
        far = np.min(_rms(logs - REPORTED, (2, 3)), axis=0)
        scouted += [(float(d), one) for d, one in zip(far, settings, strict=True) if np.isfinite(d)]
    kept = [setting for _, setting in sorted(scouted, key=lambda one: one[0])[: space.kept]]
    fits = []
    for layout in space.layouts:
        mine = [setting for setting in kept if (setting.rows, setting.batch) == layout]
        if mine:
            logs = logs_of(mine, range(space.seeds))
            fits += [Fit(setting=setting, logs=logs[:, i]) for i, setting in enumerate(mine)]
    return sorted(fits, key=lambda fit: float(fit.distances.min()))


def _logs(losses: Array) -> Array:
    losses = losses.copy()
    losses[:, 0, 0] = np.maximum(losses[:, 0, 0], TRAIN[0])  # what float32 leaves of 0
    return np.log(losses)


def _rms(values: Array, axis: int | tuple[int, ...]) -> Array:
    root: Array = np.sqrt(np.mean(values**2, axis=axis))
    return root
