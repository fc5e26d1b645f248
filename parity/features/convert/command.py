"""``parity convert``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parity.completion import libraries
from parity.errors import InputError, Option, OptionError
from parity.options import Json, Seed

if TYPE_CHECKING:
    from parity.output import Output

EXAMPLES = (
    "parity convert --list",
    "parity convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge",
    "parity convert --from sklearn.Ridge --alpha 30 --rows 20 --to torch --to-loss mse --prove",
    "parity convert --from optax.adamw --hyper learning_rate=0.01 --hyper weight_decay=0.1 --to torch.AdamW --prove",
)

OWN_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""A library's own numbers are options, too: --weight-decay, --alpha …; ``parity convert --list`` shows them."""
Show = Annotated[bool, typer.Option("--list", help="Show how each library writes its objective, and its options.")]


def convert_command(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="LIBRARY",
            help="The library whose numbers are given, or an optimizer of one, such as torch.AdamW.",
            autocompletion=libraries,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="LIBRARY",
            help="The library whose numbers are wanted; of an optimizer another one, a library, or all.",
            autocompletion=libraries,
        ),
    ] = None,
    hyper: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A setting of the optimizer of --from. May be repeated."),
    ] = None,
    to_loss: Annotated[
        str | None, typer.Option(metavar="LOSS", help="The loss of the --to library; default: its first.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="N", help="How many rows the data has, where a mean meets a sum.")
    ] = None,
    sd_y: Annotated[
        str | None, typer.Option(metavar="S", help="The standard deviation of the targets, with 1/n, for glmnet.")
    ] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Run both libraries; without --from and --to, every pair.")
    ] = False,
    seed: Seed = 0,
    show: Show = False,
    json: Json = None,
) -> None:
    """Say which λ of one library is which of another, and which settings of one optimizer are those of another.

    The numbers of the --from library are options by its own names, such as --alpha or --weight-decay: see --list.
    Those of an optimizer are given by --hyper.
    """
    from parity.document import to_json
    from parity.features.convert import document
    from parity.features.convert import show as report
    from parity.features.convert.ask import Converted, proven
    from parity.features.convert.convert import convert, library, read, read_facts
    from parity.features.convert.optimizers.library import is_optimizer
    from parity.output import Output

    words = own_options(context.args)
    output = Output(json)
    facts = {
        "--to-loss": to_loss,
        "--rows": rows,
        "--sd-y": sd_y,
        **{f"--{word}": value for word, value in words.items()},
    }
    if source is not None and is_optimizer(source):
        extra = [word for word, value in facts.items() if value is not None]
        _optimizers(source, target, hyper or [], extra, prove=prove, output=output)
    if hyper:
        raise OptionError(Option("hyper"), ": is for optimizers, --from torch.AdamW; a library's numbers are options")
    one_pair = [word for word, value in {"--from": source, "--to": target, **facts}.items() if value is not None]
    if show:
        others = [*one_pair, *(["--prove"] if prove else []), *(["--seed"] if seed else [])]
        if others:
            raise InputError(f"{others[0]}: --list shows all and takes no other option but --json; give one of the two")
        report.print_table(output.console)
        text, code = to_json(document.conventions_document()), 0
    elif prove and source is None and target is None:
        from parity.features.convert.prove.proof import exit_code, prove_all

        if one_pair:
            raise InputError(f"{one_pair[0]}: --prove alone proves every pair; for one pair give --from and --to")
        pairs = list(prove_all(seed=seed))
        report.print_pairs(pairs, output.console)
        text, code = to_json(document.proofs_document(pairs)), exit_code([proof for _, proof in pairs])
    else:
        given = read(source, words)
        conversion = convert(given, library(Option("to"), target), read_facts(rows, sd_y), to_loss)
        converted = proven(conversion, seed) if prove else Converted(conversion)
        converted._print(output.console)
        text, code = converted.to_json(), converted.exit_code
    output.document(text)
    raise typer.Exit(code)


def _optimizers(
    source: str, target: str | None, hyper: list[str], extra: list[str], *, prove: bool, output: Output
) -> None:
    """Convert the settings of an optimizer of a library, and end the command."""
    from parity.features.convert.optimizers.ask import convert_optimizer
    from parity.hyper_words import check_hyper, hyper_parameters

    if extra:
        raise InputError(f"{extra[0]}: is for a library's λ; settings of {source} are given by --hyper")
    if target is None:
        raise InputError(f"{source}: to what? give --to with an optimizer such as optax.adamw, a library, or all")
    numbers = hyper_parameters(hyper)
    check_hyper(numbers)
    converted = convert_optimizer(source, target, numbers, prove=prove)
    converted._print(output.console)
    output.document(converted.to_json())
    raise typer.Exit(converted.exit_code)


def own_options(words: list[str]) -> dict[str, str]:
    """``--alpha 3`` and ``--alpha=3`` by name. Raises :class:`InputError`."""
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise InputError(f"{word}: not an option; give a number as --alpha 3; see parity convert --list")
        number = value if equals else next(rest, None)
        if number is None or number.startswith("--"):
            raise InputError(f"--{name}: needs a value, such as --{name} 3; see parity convert --list")
        if name in options:
            raise InputError(f"--{name}: given twice; give it once")
        options[name] = number
    return options
