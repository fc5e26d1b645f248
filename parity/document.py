"""The JSON documents: what all of them have in common, and how they are written.

A document is a :class:`msgspec.Struct`, from which its published schema is generated (``parity schema``). Within a
version a field may be added, with a default, so that earlier documents stay valid; nothing else changes. Any other
change raises the number in ``schema``.
"""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar, Literal

import msgspec

Number = float | Literal["inf", "-inf", "nan"]
"""A number; JSON has no infinity and no nan, so these are strings."""
Numbers = float | str | list[Any]
"""A number or nested lists of numbers, as deep as the array has axes."""


class Document(msgspec.Struct, frozen=True, kw_only=True, tag_field="document"):
    """What every document begins with: ``document``, its name, and ``schema``, the version that each one defines."""

    compact: ClassVar[bool] = False
    """Whether it is written with a line for each field and not for each number."""


def to_json(document: Document) -> str:
    """A document as JSON, without a line break at its end."""
    contents = json_value(msgspec.to_builtins(document, enc_hook=_plain))
    if not document.compact:
        return _text(contents, indent=1)
    return "{\n" + ",\n".join(f" {_text(name)}: {_text(value)}" for name, value in contents.items()) + "\n}"


def _text(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Numbers and arrays of NumPy, and texts of a class of their own, as Python's."""
    return str(value) if isinstance(value, str) else value.tolist()


def json_value(value: Any) -> Any:
    """Convert a value for JSON, which has no inf and no nan."""
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
