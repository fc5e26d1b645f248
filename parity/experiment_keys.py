"""docs/keys.md: what each kind of loss, penalty, optimizer and schedule takes in an experiment file, from the code.

python -m parity.experiment_keys > docs/keys.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field
from typing import Any, get_args, get_type_hints

from parity.experiment_file import REGISTRIES, settable, table_of
from parity.markdown import as_text
from refimpl.ranges import choice_fields, number_fields

INTRODUCTION = """\
# Keys of an experiment file

This page says what each kind of loss, penalty, optimizer and schedule takes in an [experiment file](experiments.md),
with the defaults. A key that is bold below the examples must be given: its value there is an example. A key that is in
no example is not set unless it is given. `python -m parity.experiment_keys > docs/keys.md` writes this page.
"""
PARTS: Mapping[str, tuple[str, str]] = {
    "loss": ("Losses", "[loss]"),
    "penalties": ("Penalties", "[[penalties]]"),
    "optimizer": ("Optimizers", "[optimizer]"),
    "schedule": ("Schedules", "[schedule]"),
}
"""The heading of each registry, and the head of a table of it."""
ABOUT = {
    "optimizer": "The names are torch's. How each key enters the step: [optimizers](mathematics/optimizers.md).\n",
    "schedule": "`per`: whether the schedule advances after each epoch or after each step. η₀: `lr` of the optimizer; "
    "k: how often the schedule has advanced; more in [schedules](mathematics/schedules.md).\n",
}
EXAMPLES: Mapping[str, Any] = {"milestones": (3, 6), "base_lr": 0.01, "total_steps": 100, "factor": 0.5, "gamma": 0.9}
"""Values of keys that must be given, where they are neither the first choice nor one of the next."""
NUMBERS: Mapping[Any, Any] = {int: 5, float: 0.1}


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(_part(part, *words) for part, words in PARTS.items())])


def example(made: Any) -> Any:
    """An object with every default, and with example values where there is none, or where one of several is needed."""
    names = [field.name for field in settable(made) if must_be_given(field) or field.name == "total_steps"]
    return made(**{name: _value(made, name) for name in names})


def must_be_given(field: Field[Any]) -> bool:
    """Whether the key has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def toml(part: str, kind: str) -> str:
    """The TOML that says a kind with every default."""
    table = table_of(REGISTRIES[part], example(REGISTRIES[part][kind]))
    pairs = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items())
    return "\n".join([PARTS[part][1], *pairs])


def _value(made: Any, name: str) -> Any:
    if name in choice_fields(made):
        return choice_fields(made)[name][0]
    return EXAMPLES.get(name, NUMBERS[float if name in number_fields(made) else int])


def _part(part: str, heading: str, _: str) -> str:
    known = REGISTRIES[part]
    kinds = (f"{as_text(_words(part, made))}\n\n```toml\n{toml(part, kind)}\n```\n" for kind, made in known.items())
    keys = _grid(("key", "of", "allowed"), _keys(known))
    return "\n".join([f"## {heading}\n", *([ABOUT[part]] if part in ABOUT else []), *kinds, keys])


def _words(part: str, made: Any) -> str:
    """What the module says first, and what the class does, which of an optimizer are the states that it keeps."""
    texts = [str(sys.modules[made.__module__].__doc__)]
    texts += [str(made.__doc__)] if part != "optimizer" else []
    first = [" ".join(text.split("\n\n")[0].split()).replace("``", "`").rstrip(":.") for text in texts]
    return " ".join(f"{text.partition(' (SOURCES')[0]}." for text in first)


def _keys(known: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Each key with what it may be and the kinds that have it so."""
    of: dict[tuple[str, str], list[str]] = {}
    for kind, made in known.items():
        for field in settable(made):
            name = f"**`{field.name}`**" if must_be_given(field) else f"`{field.name}`"
            of.setdefault((name, _allowed(made, field.name)), []).append(kind)
    for (name, allowed), kinds in of.items():
        yield name, "all" if len(kinds) == len(known) else ", ".join(f"`{kind}`" for kind in kinds), allowed


def _allowed(made: Any, name: str) -> str:
    if name in choice_fields(made):
        return ", ".join(f'`"{choice}"`' for choice in choice_fields(made)[name] if choice)
    hint = get_type_hints(made)[name]
    if name in number_fields(made):
        several = f"{len(get_args(hint))}, each " if getattr(hint, "__origin__", None) is tuple else ""
        return several + as_text(str(number_fields(made)[name]))
    names = {bool: "true, false", int: "an integer", str: "a text", float: "a number"}
    if getattr(hint, "__origin__", None) is tuple:
        return f"a list, each {names[get_args(hint)[0]]}"
    return " or ".join(names[kind] for kind in (get_args(hint) or (hint,)) if kind in names)


def _grid(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (columns, [":--"] * len(columns), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    print(page(), end="")
