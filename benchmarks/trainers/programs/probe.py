"""Data whose gradients are known, so that the weights after each step say what was done. Needs torch alone.

    python plain.py accumulation        # all options, where none is named

The loss is the mean of y·(x·w + b), which is linear: the gradient of a batch is the mean of its y·x for w and of its y
for b, whatever the weights are. With SGD, η = 1 and no momentum each step moves the weights by exactly minus the
gradient that it was made with. Where the gradient of batch j is 4ʲ, the digits of a sum to the base 4 are how often
each batch counts.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import reading
import torch
from job import Job, of
from torch import Tensor, nn
from torch.utils.data import TensorDataset

Fit = Callable[[Job], None]
RANKS = 2
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
"""Options of Lightning's ``Trainer`` that keep it from printing and writing."""


def linear(prediction: Tensor, y: Tensor) -> Tensor:
    """The mean of y times the prediction, computed in the type of y."""
    return (prediction * y).mean()


def job_of(rows: Sequence[Sequence[float]], *, y: float = 1.0, start: float = 0.0, **options: Any) -> Job:
    """Each row is a batch; the weights begin at ``start``; η = 1 where nothing else is given."""
    dtype = options.pop("dtype", torch.float64)
    group = {"lr": options.pop("lr", 1.0), "weight_decay": options.pop("decay", 0.0)}
    X = torch.tensor(rows, dtype=dtype)
    net = nn.Linear(X.shape[1], 1, dtype=dtype)
    for parameter in net.parameters():
        nn.init.constant_(parameter, start)
    asked = {"batches": [[row] for row in range(len(rows))], **options}
    data = TensorDataset(X, torch.full((len(rows), 1), y, dtype=dtype))
    return Job(net=net, dataset=data, groups=[{"params": list(net.parameters()), **group}], loss=linear, **asked)


POWERS = [[4.0**j] for j in range(7)]
PROBES: Mapping[str, Callable[..., Job]] = {
    "accumulation": partial(job_of, POWERS, accumulate=3, epochs=2),
    "clipping": partial(job_of, [[5.0, 0.5]], max_norm=1.0),
    "clipping-window": partial(job_of, [[10.0, 0.0], [0.0, 1.0]], accumulate=2, max_norm=1.0),
    "schedule": partial(job_of, [[1.0]] * 4, accumulate=2, epochs=2, gamma=0.5),
    "decay": partial(job_of, [[1.0]] * 2, y=0.0, start=1.0, decay=0.5, own=True),
    "mixed": partial(job_of, [[1 + 2.0**-10]], start=1.0, lr=2.0**-10, dtype=torch.float32, bf16=True),
    "ranks": partial(job_of, POWERS, batches=None),
    "rank-schedule": partial(job_of, [[1.0]] * 8, batches=None, gamma=0.5),
    "resume": partial(job_of, [[1.0]] * 2, epochs=2, momentum=0.5, gamma=0.5),
}
"""What is run for each option; 7 batches in windows of 3 leave a window of 1."""


def steps_of(fit: Fit, job: Job, own_notes: bool) -> list[dict[str, list[float]]]:
    """By how much each step moved the weights, divided by −η: the gradient that was used, where nothing else is."""
    before = {name: parameter.detach().clone() for name, parameter in job.net.named_parameters()}
    rate = job.groups[0]["lr"]
    run(fit, job, own_notes)
    moments = [before, *job.weights]
    return [
        {name: [float(d) / rate for d in (old[name] - new[name]).flatten()] for name in old}
        for old, new in pairwise(moments)
    ]


def run(fit: Fit, job: Job, own_notes: bool) -> None:
    """Train, and note the weights after each step."""
    if own_notes:
        fit(job)
        return
    with job.watched():
        fit(job)


def measure(fit: Fit, option: str, own_notes: bool) -> dict[str, Any]:
    """The steps of an option; ``again``: those after the training was saved and loaded into new objects."""
    make = PROBES[option]
    whole = make()
    result: dict[str, Any] = {"steps": steps_of(fit, whole, own_notes)}
    if option == "resume":
        with tempfile.TemporaryDirectory() as folder:
            first = make(epochs=1, save=Path(folder))
            run(fit, first, own_notes)
            second = make(load=Path(folder))
            for name, parameter in second.net.named_parameters():
                parameter.data.copy_(first.weights[-1][name])
            result["again"] = steps_of(fit, second, own_notes)
    if whole.weights:
        result["dtype"] = str(whole.weights[-1]["weight"].dtype).removeprefix("torch.")
    return result


def main(fit: Fit, *, own_notes: bool = False, without: Mapping[str, str] | None = None) -> None:
    """Measure the options that the command line names, or all of them: each in words and as JSON."""
    names = sys.argv[1:]
    if unknown := [name for name in names if name not in PROBES]:
        raise SystemExit(f"{', '.join(unknown)}: unknown; allowed: {', '.join(PROBES)}")
    if not names:  # some trainers keep the precision that is set once in a process
        alone = [name for name in PROBES if name == "mixed" or name.startswith("rank")]
        for some in ([name for name in PROBES if name not in alone], *([name] for name in alone)):
            subprocess.run([sys.executable, sys.argv[0], *some], check=True)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for name in names:
        if without and name in without:
            result: dict[str, Any] = {"without": without[name]}
        elif name.startswith("rank") and "RANK" not in os.environ:
            _start_ranks(name)
            continue
        else:
            result = measure(fit, name, own_notes)
        if os.environ.get("RANK", "0") == "0":
            print(f"{name}: {result.get('without') or reading.words(name, result)}", flush=True)
            print(json.dumps(result), flush=True)


def _start_ranks(option: str) -> None:
    """This script on two ranks, with the environment of ``torchrun``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(RANKS), "OMP_NUM_THREADS": "1"}
    shared["LOCAL_WORLD_SIZE"] = str(RANKS)
    ranks = [
        subprocess.Popen(
            [sys.executable, sys.argv[0], option],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(RANKS)
    ]
    codes = [rank.wait() for rank in ranks]
    if any(codes):
        raise SystemExit(f"{option}: the ranks ended with {codes}")


# -- the same on a task of ``parity check`` ---------------------------------------------------------------------------


def reported(task: Any, weights: Mapping[str, Tensor]) -> None:
    """Report the weights after a step to the task."""
    task.record(dict(weights))


def tasks(fit: Fit, *, own_notes: bool = False) -> tuple[Callable[[Any], None], ...]:
    """``train(task)``, ``mixed(task)`` in bfloat16, and ``resumed(task)``, saved and loaded after the first epoch."""

    def prepared(task: Any, **options: Any) -> Job:
        logging.disable(logging.WARNING)
        job = of(task, **options)
        if own_notes:
            job.told = partial(reported, task)
        return job

    def train(task: Any) -> None:
        fit(prepared(task))

    def mixed(task: Any) -> None:
        fit(prepared(task, bf16=True))

    def resumed(task: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            first = replace(
                prepared(task, epochs=1, save=Path(folder)), told=lambda weights: task.record(dict(weights))
            )
            run(fit, first, own_notes)
            second = replace(prepared(task, load=Path(folder)), told=first.told)
            second.net.load_state_dict(first.weights[-1])
            run(fit, second, own_notes)

    return train, mixed, resumed
