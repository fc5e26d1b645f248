"""``parity.schema``: the JSON Schema of a document, generated from the class that the document is made with.

``python -m parity.features.schema.schema docs/schemas`` writes those that are published, a file for each version.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints, overload

import msgspec

from parity.errors import InputError, nearest, spelled
from parity.output import write_whole
from parity.shown import Listing

if TYPE_CHECKING:
    from parity.document import Document
    from parity.shown import Console

DOCUMENTS = {
    "run": "RunDocument of parity.features.run.document",
    "verify": "VerifyDocument of parity.features.verify.document",
    "check": "CheckDocument of parity.features.check.document",
    "watch": "WatchDocument of parity.features.watch.document",
    "compare": "CompareDocument of parity.features.compare.document",
    "trace": "TraceDocument of parity.features.trace.document",
    "convert": "ConvertDocument of parity.features.convert.document",
    "convert-proofs": "ProofsDocument of parity.features.convert.document",
    "convert-optimizer": "ConvertOptimizerDocument of parity.features.convert.document",
    "convert-list": "ConventionsDocument of parity.features.convert.document",
    "bridge": "BridgeDocument of parity.features.bridges.document",
    "known": "KnownDocument of parity.features.known.document",
    "stability": "StabilityDocument of parity.features.stability.document",
    "sweep": "SweepDocument of parity.features.sweep.document",
    "answer": "AnswerDocument of parity.features.answers.document",
}
"""Each document by its name, with the class that it is made with, imported when it is asked for."""


@overload
def schema(document: None = None) -> Listing: ...
@overload
def schema(document: str) -> dict[str, Any]: ...
def schema(document: str | None = None) -> dict[str, Any] | Listing:
    """The JSON Schema (2020-12) of a document, by the name of the command that writes it; without one, the list of all.

    Raises :class:`parity.errors.InputError` for an unknown name.
    """
    if document is None:
        return Listing(tuple(DOCUMENTS), _list)
    name = spelled(str(document), DOCUMENTS)
    if name not in DOCUMENTS:
        raise InputError(f"{document}: no such document; allowed: {', '.join(DOCUMENTS)}{nearest(name, DOCUMENTS)}")
    made = _made(name)
    generated = _tidy(msgspec.json.schema(made))
    own = generated["$defs"][made.__name__]
    own["required"].remove("document")  # in the order of the document
    own["required"].insert(0, "document")
    title = f"parity {name}, version {version(name)}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **generated}


def _tidy(part: Any) -> Any:
    """Descriptions as one line of Markdown, and alternatives in an order that no version of msgspec changes."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidy = {name: _tidy(value) for name, value in part.items()}
    if isinstance(text := part.get("description"), str):
        tidy["description"] = " ".join(text.split()).replace("``", "`")
    if "anyOf" in part:
        tidy["anyOf"].sort(key=lambda kind: (kind == {"type": "null"}, json.dumps(kind)))
    return tidy


def version(name: str) -> int:
    """The version of a document that this parity writes."""
    (number,) = get_args(get_type_hints(_made(name))["schema"])
    return int(number)


def to_text(schema: dict[str, Any]) -> str:
    """A schema as it is printed and published."""
    return json.dumps(schema, indent=1, ensure_ascii=False)


def write_all(folder: Path) -> list[Path]:
    """Write the schema of every document, ``NAME-VERSION.json``; those of earlier versions stay."""
    return [write_whole(folder / f"{name}-{version(name)}.json", to_text(schema(name)) + "\n") for name in DOCUMENTS]


def _made(name: str) -> type[Document]:
    class_name, _, module = DOCUMENTS[name].partition(" of ")
    made: type[Document] = getattr(import_module(module), class_name)
    return made


def _list(console: Console) -> None:
    from parity.features.schema.terminal import print_documents

    print_documents({name: (version(name), _made(name).__doc__ or "") for name in DOCUMENTS}, console)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
