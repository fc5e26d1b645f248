"""``parity verify``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from parity.completion import among, keys, optimizers, situations
from parity.errors import InputError
from parity.options import DTYPE_NAMES, IMPLEMENTATION_NAMES, Devices, Jobs, Json, Out, Resume, Scheduler, Seed, resumed

EXAMPLES = (
    "parity verify --quick",
    "parity verify --optimizer AdamW --dtype bfloat16 --implementation fused",
    "parity verify -k 'sgd and nesterov and float64 and not compile' --jobs 2",
    "parity verify --ranks 2 --implementation ddp",
)
reductions = keys("parity/features/verify/ranks/reductions/__init__.py", "REDUCTIONS")
implementations = among(
    lambda: (*IMPLEMENTATION_NAMES, "capturable", "differentiable", "compile", *reductions(), "all")
)
dtypes = among(lambda: (*DTYPE_NAMES, "complex64", "all"))
Expression = Annotated[
    str,
    typer.Option("-k", metavar="EXPR", help="Cases whose id has these words (with and, or, not); or the id of a case."),
]
Implementations = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IMPL",
        help="for-loop, foreach, fused, capturable, differentiable or compile; default: all, of compile few; "
        "of ranks: ddp, fsdp, hsdp, zero, tensor-parallel or dtensor. May be repeated.",
        autocompletion=implementations,
    ),
]
Situations = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SITUATION",
        help="What training meets (plain, groups …); default: all. May be repeated.",
        autocompletion=situations,
    ),
]
Ranks = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=2,
        max=64,
        help="Hold reductions over N processes (DDP, FSDP2 …) to what they must be, in place of implementations.",
    ),
]


def verify_command(
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="A class of torch.optim; default: all. May be repeated.",
            autocompletion=optimizers,
        ),
    ] = None,
    implementation: Implementations = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DTYPE",
            help="float64, float32, bfloat16, float16 or complex64; default: all. May be repeated.",
            autocompletion=dtypes,
        ),
    ] = None,
    device: Devices = None,
    situation: Situations = None,
    k: Expression = "",
    ranks: Ranks = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A sample of every optimizer and situation, in seconds.")
    ] = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    out: Out = None,
    resume: Resume = False,
    json: Json = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit XML, too.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page of the results there, too.")] = None,
) -> None:
    """Hold every torch optimizer to its reference: implementations, dtypes, and the situations of real training."""
    resumed(resume, out)
    if ranks is not None and scheduler is not None:
        raise InputError("--ranks: are processes of this machine, which a cluster does not run; leave --scheduler out")

    from parity.cluster import executor_of
    from parity.features.verify import files
    from parity.features.verify.ask import Verified
    from parity.features.verify.verify import select, verify
    from parity.output import RESUMABLE, Output, interruptible, progress_of_counts, write_whole

    output = Output(json, out, junit, html)
    cases = select(optimizer, implementation, dtype, device, situation, k, seed=seed, quick=quick, ranks=ranks)
    folder = output.folder
    processes = jobs or os.cpu_count() or 1
    with (
        interruptible(RESUMABLE.format(folder=folder)),
        executor_of(scheduler) as executor,
        progress_of_counts() as show,
    ):
        document = verify(cases, jobs=processes, executor=executor, folder=folder, resume=resume, progress=show)
    written = files.write_all(document, folder)
    verified = Verified(document)
    verified._print(output.console)
    output.results(written)
    for place, text in ((junit, files.JUNIT), (html, files.PAGE)):
        if place is not None:
            write_whole(place, (folder / text).read_text(encoding="utf-8"))
    output.document((folder / files.DOCUMENT).read_text(encoding="utf-8"))
    raise typer.Exit(verified.exit_code)
