"""The command line: the commands of the features, and what every one of them says of bad input and of an interrupt."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from parity.errors import InputError, OptionError
from parity.features.answers import command as answers
from parity.features.bridges import command as bridges
from parity.features.check import command as check
from parity.features.compare import command as compare
from parity.features.convert import command as convert
from parity.features.gallery import command as gallery
from parity.features.known import command as known
from parity.features.run import command as run
from parity.features.schema import command as schema
from parity.features.stability import command as stability
from parity.features.sweep import command as sweep
from parity.features.trace import command as trace
from parity.features.verify import command as verify
from parity.installed import __version__, clash
from parity.output import Interrupted


@dataclass(frozen=True)
class Command:
    """What a command does, the group of `parity --help` that it stands in, and the examples of its own help."""

    does: Callable[..., None]
    group: str
    examples: tuple[str, ...]
    settings: dict[str, Any] | None = None


YOURS, EXPERIMENTS, TORCH, MATHEMATICS = "Your own code", "Experiments", "PyTorch itself", "The mathematics"
COMMANDS = {
    "check": Command(check.check_command, YOURS, check.EXAMPLES),
    "compare": Command(compare.compare_command, YOURS, compare.EXAMPLES),
    "run": Command(run.run_command, EXPERIMENTS, run.EXAMPLES),
    "list": Command(gallery.list_command, EXPERIMENTS, gallery.LIST_EXAMPLES),
    "show": Command(gallery.show_command, EXPERIMENTS, gallery.SHOW_EXAMPLES),
    "schema": Command(schema.schema_command, EXPERIMENTS, schema.EXAMPLES),
    "verify": Command(verify.verify_command, TORCH, verify.EXAMPLES),
    "known": Command(known.known_command, TORCH, known.EXAMPLES),
    "answer": Command(answers.answer_command, MATHEMATICS, answers.EXAMPLES),
    "trace": Command(trace.trace_command, MATHEMATICS, trace.EXAMPLES),
    "sweep": Command(sweep.sweep_command, MATHEMATICS, sweep.EXAMPLES),
    "stability": Command(stability.stability_command, MATHEMATICS, stability.EXAMPLES),
    "bridge": Command(bridges.bridge_command, MATHEMATICS, bridges.EXAMPLES),
    "convert": Command(convert.convert_command, MATHEMATICS, convert.EXAMPLES, convert.OWN_OPTIONS),
}


def start(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Read the options that stand before the command."""
    if version:
        print(f"parity {__version__}")
        raise typer.Exit


def app(args: list[str] | None, **options: Any) -> Any:
    """The command that the first word names; typer takes longer to prepare all of them than to import NumPy."""
    words = sys.argv[1:] if args is None else args
    wanted = words[:1] if words and words[0] in COMMANDS else list(COMMANDS)
    described = typer.Typer(
        add_completion=len(wanted) > 1,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Hold PyTorch's training step to a hand-derived reference, within tolerances that are derived.",
        epilog="`parity COMMAND --help` has the options and examples of a command.",
    )
    described.callback(invoke_without_command=True)(start)
    for name in wanted:
        command = COMMANDS[name]
        described.command(
            name,
            context_settings=command.settings,
            rich_help_panel=command.group,
            epilog="\n\n".join(("Examples:", *command.examples)),
        )(command.does)
    return get_command(described)(args=words, **options)


SELDOM = 100_000
"""Objects that are made between two searches for garbage: imports make many, and hardly any of them is garbage."""
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """The console script: its exit code."""
    _open_output()
    if found := clash():
        return _say(found)
    often = gc.get_threshold()
    gc.set_threshold(SELDOM, *often[1:])
    atexit.register(gc.freeze)  # the end of the process is the end of all objects, whether they are garbage or not
    try:
        return end(app, arguments)
    finally:
        gc.set_threshold(*often)


def end(app: Callable[..., Any], arguments: list[str] | None = None) -> int:
    """The exit code of a command line: one line for bad input and 2, 130 when interrupted."""
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except typer.TyperException as error:  # of the words on the command line; empty where the help was printed
        return _say(f"{_suggesting(message)}; see parity --help" if (message := error.format_message()) else "")
    except InputError as error:
        return _say(error.on_the_command_line if isinstance(error, OptionError) else str(error))
    except MemoryError as error:
        return _say(f"not enough memory ({error}); give fewer rows, features or epochs")
    except (BrokenPipeError, SystemExit) as stopped:  # as which rich and typer raise it, with the code of a verdict
        if isinstance(stopped, SystemExit) and not stopped.code:  # what the shell is to complete was printed
            return 0
        return _close_output()
    except Interrupted as stopped:
        _say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # never a traceback, nor the exit code of a verdict
        return _say(_uncaught(error))
    if code == INTERRUPTED:  # typer's own way to say it, too
        _say("interrupted")
    return code


def _suggesting(message: str) -> str:
    """Typer's message in the words of all others: ``did you mean '--dtype'?``."""
    message = re.sub(r" \(Possible options: (.*)\)$", r"; did you mean \1?", message)
    return re.sub(r"\. Did you mean (.*)\?$", r"; did you mean \1?", message)


def _open_output() -> None:
    """Print what the terminal's encoding lacks as ``?``; print nothing where standard output is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _close_output() -> int:
    """Nobody reads standard output any more: nothing more is written to it, at the end of the process neither."""
    with suppress(OSError):  # where it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 2


def _uncaught(error: Exception) -> str:
    """What the system cannot do, or a fault of this program, in one line."""
    if os.environ.get("PARITY_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EIO) and error.filename is None:
            _close_output()
            return f"standard output cannot be written ({error.strerror})"
        return str(error)
    text = f"{type(error).__name__}: {error}"
    return f"{text}; this is a fault of parity and no verdict: please report it with what PARITY_TRACEBACK=1 shows"


def _say(message: str) -> int:
    """One line for the reader, and the exit code of bad input."""
    if message:
        print(f"parity: {' '.join(message.split())}", file=sys.stderr)
    return 2
