"""What ``parity.watch`` costs a training: ResNet-18 on batches of 32 small images, with and without, side by side.

Two equal trainings take turns, A B then B A, one of them watched. A round is ten steps of either, of which the watch
samples the first, and looks at what the last one left. What both add is measured in units of the other steps of their
round, because other programs on the machine come and go; one hundredth of it is what the watch costs with
``every=100``. What its hooks cost in the steps between is seen in the ratio of the medians of these and of steps
without a watch.

    python -m benchmarks.watch_overhead [--quick] [--threads 1]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

import parity
from benchmarks.common import Grid, console, environment, say, write

EVERY, ROUND = 100, 10
GOAL = 1.03
SEED = 0
BATCH, IMAGE = 32, 32
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4},
    "AdamW": {"lr": 1e-3},
}


class Block(nn.Module):
    """Two 3 × 3 convolutions beside the identity, or beside a 1 × 1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        project = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.beside = nn.Identity() if inputs == outputs else project

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.body(x) + self.beside(x)
        return hidden.relu()


def resnet18() -> nn.Module:
    """He et al. 2016, table 1: 11.7 million parameters in 62 tensors."""
    widths = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    blocks = [block for n, m, stride in widths for block in (Block(n, m, stride), Block(m, m, 1))]
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


@dataclass(frozen=True)
class Overhead:
    """Seconds of each step without a watch, by round, and of each step inside, of which the first is sampled."""

    optimizer: str
    implementation: str
    without_s: list[list[float]]
    inside_s: list[list[float]]
    watch_s: float
    numbers: int

    @property
    def added(self) -> list[float]:
        """The time that the sampled step of each round and the one before a sampled step add, in steps."""
        return [(times[0] + times[-1]) / statistics.median(times[1:-1]) - 2 for times in self.inside_s]

    @property
    def plain(self) -> float:
        return statistics.median(time for times in self.without_s for time in times)

    @property
    def between(self) -> float:
        """Steps inside at which the watch looks at nothing, in steps without a watch."""
        return statistics.median(time for times in self.inside_s for time in times[1:-1]) / self.plain

    @property
    def ratio(self) -> float:
        """The time of a watched step at ``every=100`` ÷ that of a step without a watch."""
        return 1 + statistics.median(self.added) / EVERY

    def cells(self) -> list[str]:
        low, high = (1 + end(self.added) / EVERY for end in (min, max))
        return [
            f"{self.optimizer}, {self.implementation}",
            f"{self.plain * 1e3:.0f} ms",
            f"{self.watch_s * 1e3:.0f} ms",
            f"{self.numbers:,}",
            f"{statistics.median(self.added):.2f}",
            f"{self.between:.3f}",
            f"{self.ratio:.4f}",
            f"{low:.3f} to {high:.3f}",
            "yes" if self.ratio <= GOAL else "no",
        ]


class Training:
    """A network, its optimizer, and steps on one batch of drawn images."""

    def __init__(self, optimizer: str, implementation: str, device: str = "cpu") -> None:
        torch.manual_seed(SEED)
        self.model, self.device = resnet18().to(device), device
        flags = {"foreach": implementation == "foreach"}
        self.optimizer = getattr(torch.optim, optimizer)(self.model.parameters(), **OPTIMIZERS[optimizer], **flags)
        images, labels = torch.randn(BATCH, 3, IMAGE, IMAGE), torch.randint(1000, (BATCH,))
        self.images, self.labels = images.to(device), labels.to(device)

    def step(self) -> float:
        """Forward, backward and step; seconds."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's annotation
        self.optimizer.step()
        if self.device != "cpu":
            torch.accelerator.synchronize(self.device)
        return time.perf_counter() - start


def measure(optimizer: str, implementation: str, rounds: int, device: str = "cpu") -> Overhead:
    """Time both trainings, in turns."""
    plain, watched = (Training(optimizer, implementation, device) for _ in range(2))
    for _ in range(3):  # memory, threads, and the first state
        plain.step(), watched.step()
    with parity.watch(watched.optimizer, every=ROUND, model=watched.model) as watch:
        pairs = [list(in_turns(plain, watched)) for _ in range(rounds)]
    without, inside = ([[pair[side] for pair in some] for some in pairs] for side in (0, 1))
    judged = watch.report.judged
    return Overhead(
        optimizer, implementation, without, inside, watch.report.seconds / judged, watch.report.numbers // judged
    )


def in_turns(plain: Training, watched: Training) -> Iterator[tuple[float, float]]:
    """The seconds of a step of either, for each step of a round."""
    for number in range(ROUND):
        if number % 2:
            yield plain.step(), watched.step()
        else:
            second = watched.step()
            yield plain.step(), second


def table(rows: Sequence[Overhead]) -> Grid:
    """One row for each optimizer and implementation."""
    columns = ["optimizer", "step", "watch, per sampled step", "numbers compared", "adds, in steps", "steps between"]
    columns += [f"ratio at every={EVERY}", "over rounds", f"≤ {GOAL}"]
    return Grid("A watched training ÷ the same without", columns, [row.cells() for row in rows])


def main(
    quick: Annotated[bool, typer.Option(help="Two rounds, nothing written.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of ten steps of either training.")] = 15,
    threads: Annotated[int, typer.Option(min=0, help="Threads of torch, 0 for as many as it takes by itself.")] = 0,
) -> None:
    """Measure everything, show one table, and write results/watch_overhead.json and .md."""
    if threads:
        torch.set_num_threads(threads)
    start, where = time.perf_counter(), environment() | {"threads": torch.get_num_threads()}
    rows = []
    for optimizer in OPTIMIZERS:
        for implementation in ("for-loop", "foreach"):
            rows.append(measure(optimizer, implementation, 2 if quick else rounds))
            say(f"{optimizer}, {implementation}: {rows[-1].ratio:.4f}")
    grid = table(rows)
    grid.show()
    elapsed = time.perf_counter() - start
    console.print(f"took {elapsed:.0f} s")
    if quick:
        console.print("--quick: nothing written; without it, results/watch_overhead.json and .md are")
        return
    data = {
        "environment": where,
        "seed": SEED,
        "took_s": round(elapsed, 1),
        "parameters": sum(p.numel() for p in resnet18().parameters()),
        "rows": [asdict(row) for row in rows],
    }
    text = f"""
*Step*: median of forward + backward + step without the watch, {BATCH} images of 3 × {IMAGE} × {IMAGE}, by
{where["threads"]} thread(s) of torch. *Adds*: what a sampled step and the one before it take more than the others of
their round, median of {rounds} rounds. *Steps between*: the others inside the watch, in steps without it. The ratio is
1 + adds ÷ {EVERY}; *over rounds*: its least and its most.
"""
    write("watch_overhead", data, "Overhead of parity.watch", [grid, text])


if __name__ == "__main__":
    typer.run(main)
