"""The parts of a known fact: a claim about torch, and the smallest script that shows it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Literal

Kind = Literal["deviation", "surprise"]
State = Literal["still so", "no longer: remove me", "cannot be shown here"]
STATES: dict[bool | None, State] = {
    True: "still so",
    False: "no longer: remove me",
    None: "cannot be shown here",
}


@dataclass(frozen=True)
class Observation:
    """What became of a fact on this machine: its state, and the line that the reproduction printed."""

    state: State
    text: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that torch does and that one would not expect.

    ``kind`` is ``deviation`` where torch is wrong, ``surprise`` where it is documented or deliberate, but bites.
    ``expected`` and ``executed`` are formulas, in Markdown; ``link`` is the upstream thread, empty where none was
    found.
    ``reproduce`` needs torch alone, prints one line, leaves no trace in the process and says whether the fact still
    holds; None where this machine cannot show it.
    """

    id: str
    title: str
    kind: Kind
    expected: str
    executed: str
    versions: str = "2.13.0"
    link: str = ""
    reproduce: Callable[[], bool | None]

    @property
    def source(self) -> str:
        """The reproduction as a script of its own: torch only, one line of output, exit code 0."""
        return f"{inspect.getsource(self.reproduce)}\n\n{self.reproduce.__name__}()\n"

    def happens(self) -> bool | None:
        """Whether the fact still holds, tried now in this process."""
        with redirect_stdout(StringIO()):
            return self.reproduce()

    def observe(self) -> Observation:
        """Try it now. A reproduction that breaks shows nothing: its error is the text."""
        printed = StringIO()
        try:
            with redirect_stdout(printed):
                happens = self.reproduce()
        except Exception as error:  # a newer torch may refuse what the script asks for
            return Observation(STATES[None], f"{type(error).__name__}: {error}")
        return Observation(STATES[happens], printed.getvalue().strip())
