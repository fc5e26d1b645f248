"""Run, verify and watch on the device ``npy`` with each of its kernels; prints, as JSON, what each said."""

from __future__ import annotations

import json

import torch  # first: it loads the device  # isort: skip
import numpy_device
from numpy_device_kernels import KERNELS

import parity
from parity.features.verify.case import Case
from parity.features.verify.run_case import run_case

CASES = (
    "SGD/momentum+decay/for-loop/float32/npy/plain/33",
    "AdamW/defaults/foreach/float64/npy/groups/100",
    "Adam/defaults/for-loop/float16/npy/plain/33",
)


def run() -> list[str]:
    report = parity.run(
        ["s0-scratch-lam3", "check-adamw"],
        devices="npy",
        dtypes="float32",
        formulations="loss",
        implementations="foreach",
    )
    return [f"{one.verdict.name} {one.verdict.text}" for one in report.runs]


def verify() -> list[str]:
    cases = [Case.parse(text) for text in CASES]
    return [f"{result.verdict} {result.text}" for result in (run_case(case) for case in cases if case)]


def watch() -> list[str]:
    torch.manual_seed(0)
    model = torch.nn.Linear(10, 3).to("npy")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    X, y = torch.randn(20, 10).to("npy"), torch.randn(20, 3).to("npy")
    with parity.watch(optimizer, model=model, every=1, on_violation="collect") as watching:
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(X), y).backward()
            optimizer.step()
    report = watching.report
    return [f"{'disagree' if report.violations else 'agree'} {report.judged} steps: {report}"]


def main() -> None:
    said = {}
    for name in KERNELS:
        numpy_device.use(name)
        said[name] = {"run": run(), "verify": verify(), "watch": watch()}
    print(json.dumps(said))


main()
