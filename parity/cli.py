"""The command line: the commands of the features, and what every one of them says of bad input and of an interrupt."""

from __future__ import annotations

import sys

import typer

from parity.errors import InputError
from parity.features.answers.command import answer_command
from parity.features.bridges.command import bridge_command
from parity.features.check.command import check_command
from parity.features.convert.command import OWN_OPTIONS, convert_command
from parity.features.gallery.command import list_command, show_command
from parity.features.known.command import known_command
from parity.features.run.command import run_command
from parity.features.stability.command import stability_command
from parity.features.sweep.command import sweep_command
from parity.features.trace.command import trace_command
from parity.features.verify.command import verify_command
from parity.output import Interrupted

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hold PyTorch's training step to a hand-derived reference, within tolerances that are derived.",
)

app.command("run")(run_command)
app.command("verify")(verify_command)
app.command("check")(check_command)
app.command("trace")(trace_command)
app.command("convert", context_settings=OWN_OPTIONS)(convert_command)
app.command("bridge")(bridge_command)
app.command("known")(known_command)
app.command("stability")(stability_command)
app.command("sweep")(sweep_command)
app.command("answer")(answer_command)
app.command("list")(list_command)
app.command("show")(show_command)

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """The console script: its exit code."""
    return end(app, arguments)


def end(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """The exit code of a command line: one line for bad input and 2, 130 when interrupted."""
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except typer.TyperException as error:  # of the words on the command line; empty where the help was printed
        return _say(f"{message}; see parity --help" if (message := error.format_message()) else "")
    except InputError as error:
        return _say(str(error))
    except MemoryError as error:
        return _say(f"not enough memory ({error}); give fewer rows, features or epochs")
    except BrokenPipeError:
        return 2
    except Interrupted as stopped:
        _say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer's own way to say it, too
        _say("interrupted")
    return code


def _say(message: str) -> int:
    """One line for the reader, and the exit code of bad input."""
    if message:
        print(f"parity: {' '.join(message.split())}", file=sys.stderr)
    return 2
