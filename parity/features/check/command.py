"""``parity check``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parity.completion import references
from parity.errors import InputError
from parity.loading import load
from parity.options import DTYPE_NAMES, Device, HeldTo, Json, Out, choices, dtype_option

EXAMPLES = (
    "parity check --template > loop.py",
    "parity check loop.py:train --experiment check-sgd",
    "parity check examples/trainers/ddp.py:train --experiment examples/trainers/ranks.toml --ranks 2",
    "parity check examples/own/run.csv --experiment check-mse",
    "parity check torch.optim:Adam --hyper lr=0.01 --hyper weight_decay=0.1 --against adamw",
)
Against = Annotated[
    str | None,
    typer.Option(
        metavar="REFERENCE",
        help="The reference that an optimizer class is held to, such as adamw or sgd(nesterov=True); any: the "
        "one that fits. Default: that of its name or its base.",
        autocompletion=references,
    ),
]


def check_command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="The code: file.py:function, file.py:Class, package.module:Class; or a log (.npz, .csv, .jsonl).",
            show_default=False,
        ),
    ] = None,
    experiment: HeldTo = None,
    hyper: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A hyper-parameter of an optimizer class. May be repeated."),
    ] = None,
    against: Against = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=OWN",
            help="A tensor of the reference's state and the class's own name for it, such as exp_avg=m, which is then "
            "held to it. May be repeated.",
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        dtype_option(
            " or, of a class, all. Of a class exactly these are judged. May be repeated. Default: float64 and "
            "float32. It also runs in float64 where that is not asked, to be recognised and explained. Default of a "
            "function: float64; of a log: the first that explains it."
        ),
    ] = None,
    device: Device = "cpu",
    template: Annotated[
        bool, typer.Option("--template", help="Print a training loop to begin with: that of --experiment.")
    ] = False,
    ranks: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=2, help="Run a training function in N processes of torch.distributed, as torchrun does."
        ),
    ] = None,
    limit: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long the code may take.")] = 60.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Say what an optimizer class, a training function or a log computes, and why it differs."""
    from parity.features.check.files import write_all
    from parity.features.check.run import check, exit_code
    from parity.features.check.states import pairs
    from parity.features.check.worker import TheirError
    from parity.hyper_words import hyper_parameters
    from parity.output import Output, progress

    if template:
        from parity.features.check.template import START
        from parity.features.check.template import template as loop

        if target is not None:
            raise InputError(f"--template: prints a loop and checks none; leave {target} out, or --template")
        if ranks is not None:
            raise InputError("--template: prints a loop of one process; leave --ranks out")
        print(loop(load(experiment or START), experiment or START), end="")
        return
    if target is None:
        raise InputError("what is to be checked? give file.py:name, package.module:name or a log, or --template")
    choices("--dtype", dtype or [], DTYPE_NAMES)
    output = Output(json, out)
    asked = load(experiment) if experiment is not None else None
    try:
        with progress() as show:
            diagnosis = check(
                target,
                experiment=asked,
                hyper=hyper_parameters(hyper or []),
                against=against,
                state=pairs(state or []),
                dtype=dtype,
                device=device,
                ranks=ranks,
                limit=limit,
                progress=show,
            )
    except TheirError as error:
        print(f"{error}\n", file=sys.stderr)
        raise InputError(f"{target}: {error.said}") from None
    text, written = write_all(target, diagnosis, output.folder)
    diagnosis._print(output.console)
    output.results(written)
    output.document(text)
    output.changed(asked.changed_files if asked else ())
    raise typer.Exit(exit_code(diagnosis))
