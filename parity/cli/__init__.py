"""The command line: words in, exit code out; no logic. One file for each command."""

from __future__ import annotations

import sys

import typer

from parity.cli import (
    answer,
    bridge,
    check,
    convert,
    experiments,
    known,
    power,
    run,
    stability,
    sweep,
    thread,
    trace,
    verify,
)
from parity.cli.words import Interrupted
from parity.errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hold PyTorch's training step to a hand-derived reference, within tolerances that are derived.",
)

app.command("run")(run.run_command)
app.command("verify")(verify.verify_command)
app.command("check")(check.check_command)
app.command("power")(power.power_command)
app.command("trace")(trace.trace_command)
app.command("convert", context_settings=convert.OWN_OPTIONS)(convert.convert_command)
app.command("bridge")(bridge.bridge_command)
app.command("known")(known.known_command)
app.command("stability")(stability.stability_command)
app.command("sweep")(sweep.sweep_command)
app.command("thread")(thread.thread_command)
app.command("answer")(answer.answer_command)
app.command("list")(experiments.list_command)
app.command("show")(experiments.show_command)

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """The console script: one line for bad input and exit code 2, 130 when interrupted."""
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
