"""What torch refuses, in its own words, and what is a fault: of torch, or of a case that proves nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from parity.errors import Unsupported

REFUSALS = (RuntimeError, NotImplementedError, ValueError, TypeError, AssertionError)
WORDS = re.compile(
    "|".join(
        (
            r"not supported",
            r"not support",
            r"n't support",
            r"not implemented for",
            r"on supported devices",
            r"requires all the params to be floating point",
            r"Attempting to unscale FP16 gradients",
            r"leaf Variable that requires grad is being used in an in-place operation",
            r"only supports 2D parameters",
            r"not compatible with sparse gradients",
            r"view size is not compatible",
            r"communication hook required",
            r"[Cc]ompiler",
        )
    )
)
"""The patterns of messages that are refusals; any other exception of a step is a fault."""


class Vacuous(Exception):
    """A case did not do what it is named after, so that it proves nothing."""


class Broken(Exception):
    """torch raised in a step that it must be able to make."""


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """What torch refuses at the start is unsupported, in torch's words; any other exception is a fault."""
    try:
        yield
    except Unsupported:
        raise
    except Exception as error:
        text = re.sub(r"\s+", " ", str(error)).strip()
        if isinstance(error, REFUSALS) and WORDS.search(text):
            raise Unsupported(text[:300]) from error
        raise Broken(f"the first step raised {type(error).__name__}: {text[:300]}") from error


@contextlib.contextmanager
def failing(number: int) -> Iterator[None]:
    """What torch raises after it has made a step with this optimizer is a fault, unless it lacks the operation."""
    try:
        yield
    except (Unsupported, NotImplementedError) as error:
        raise Unsupported(str(error).splitlines()[0]) from error
    except Exception as error:
        raise Broken(f"step {number} raised {type(error).__name__}: {error}".splitlines()[0]) from error
