"""The command line: the commands of the features, and what every one of them says of bad input and of an interrupt."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_group

from parity.errors import InputError, OptionError
from parity.features.answers.command import answer_command
from parity.features.bridges.command import bridge_command
from parity.features.check.command import check_command
from parity.features.compare.command import compare_command
from parity.features.convert.command import OWN_OPTIONS, convert_command
from parity.features.gallery.command import list_command, show_command
from parity.features.known.command import known_command
from parity.features.run.command import run_command
from parity.features.schema.command import schema_command
from parity.features.stability.command import stability_command
from parity.features.sweep.command import sweep_command
from parity.features.trace.command import trace_command
from parity.features.verify.command import verify_command
from parity.installed import __version__, clash
from parity.output import Interrupted

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run_command,
    "verify": verify_command,
    "check": check_command,
    "compare": compare_command,
    "trace": trace_command,
    "convert": convert_command,
    "bridge": bridge_command,
    "known": known_command,
    "stability": stability_command,
    "sweep": sweep_command,
    "answer": answer_command,
    "list": list_command,
    "show": show_command,
    "schema": schema_command,
}
SETTINGS = {"convert": OWN_OPTIONS}


def start(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Read the options that stand before the command."""
    if version:
        print(f"parity {__version__}")
        raise typer.Exit


def app(args: list[str] | None, **options: Any) -> Any:
    """The command that the first word names; typer takes longer to prepare all of them than to import NumPy."""
    described = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Hold PyTorch's training step to a hand-derived reference, within tolerances that are derived.",
    )
    words = sys.argv[1:] if args is None else args
    described.callback(invoke_without_command=True)(start)
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        described.command(name, context_settings=SETTINGS.get(name))(COMMANDS[name])
    return get_group(described)(args=words, **options)


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
        return _say(f"{message}; see parity --help" if (message := error.format_message()) else "")
    except InputError as error:
        return _say(error.on_the_command_line if isinstance(error, OptionError) else str(error))
    except MemoryError as error:
        return _say(f"not enough memory ({error}); give fewer rows, features or epochs")
    except (BrokenPipeError, SystemExit):  # as which rich and typer raise it, with the exit code of a verdict
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
