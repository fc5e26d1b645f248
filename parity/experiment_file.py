"""Experiments as TOML: read, validated with messages that name the key, and written back.

The schema is not written down a second time: it is read off the reference's dataclasses. ``kind`` names an entry of the
registry, the other keys are its fields, msgspec checks their types and the dataclass their ranges.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import tomli_w

from parity.errors import InputError, nearest, spelled
from parity.experiment import Experiment
from refimpl.accumulation import Accumulation
from refimpl.averaging import EMA, SWA
from refimpl.batches import Batches
from refimpl.clipping import Clip
from refimpl.datasets import DATASETS
from refimpl.errors import RefimplError
from refimpl.freezing import Freeze
from refimpl.initial_weights import INITS
from refimpl.losses import LOSSES
from refimpl.models import MODELS
from refimpl.optimizers import OPTIMIZERS
from refimpl.penalties import PENALTIES
from refimpl.ranges import number_fields
from refimpl.ranks import Ranks
from refimpl.resuming import Resume
from refimpl.schedules import SCHEDULES
from refimpl.training import Group

REGISTRIES: dict[str, Mapping[str, type]] = {
    "data": DATASETS,
    "model": MODELS,
    "loss": LOSSES,
    "penalties": PENALTIES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "init": INITS,
}
PLAIN = {"name": str, "title": str, "source": str, "seed": int, "epochs": int}
SINGLE: dict[str, type] = {
    "batches": Batches,
    "accumulation": Accumulation,
    "ranks": Ranks,
    "clip": Clip,
    "ema": EMA,
    "swa": SWA,
    "resume": Resume,
}
"""Tables of one kind."""
TABLES = (*REGISTRIES, "groups", *SINGLE, "freeze")
DEFAULT_KIND = {"model": "linear", "loss": "squared_error"}
"""The kind of a table that names none."""
PATHS = ("path", "validation_path", "images", "labels", "validation_images", "validation_labels")
"""Fields of data from files."""


def load(path: Path) -> Experiment:
    """Read an experiment file; relative data paths are relative to it. Raises :class:`InputError`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML ({error}); see `parity show s0-scratch-lam3` for an example") from error
    except RecursionError as error:
        raise InputError(
            f"{path}: its lists or tables are nested too deeply; an experiment needs four levels"
        ) from error
    document.setdefault("name", path.stem)
    try:
        experiment = from_dict(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    named = {name: getattr(experiment.data, name, None) for name in PATHS}
    moved = {name: str(path.parent / where) for name, where in named.items() if where}
    return replace(experiment, data=replace(experiment.data, **moved)) if moved else experiment  # type: ignore[type-var]


def from_dict(document: Mapping[str, Any]) -> Experiment:
    """An experiment from the plain data of its TOML. Raises :class:`InputError`, which names the key."""
    allowed = (*PLAIN, *TABLES)
    for key in document:
        if key not in allowed:
            raise InputError(f"{key}: unknown key; allowed: {', '.join(allowed)}{nearest(key, allowed)}")
    for key in ("data", "loss", "optimizer", "epochs"):
        if key not in document:
            raise InputError(f"{key}: is missing; add {'it' if key in PLAIN else f'a table [{key}]'}")
    parts: dict[str, Any] = {key: _typed(document[key], kind, key) for key, kind in PLAIN.items() if key in document}
    for key in ("data", "model", "loss", "optimizer", "schedule"):
        if key in document:
            parts[key] = _entry(key, document[key], key)
    parts["penalties"] = tuple(
        _entry("penalties", table, f"penalties[{i}]") for i, table in enumerate(_list(document, "penalties"))
    )
    init = _typed(document.get("init", {}), dict[str, Any], "init")
    parts["init"] = {name: _entry("init", table, f"init.{name}") for name, table in init.items()}
    parts |= {key: _build(cls, document[key], key) for key, cls in SINGLE.items() if key in document}
    parts["freeze"] = tuple(_build(Freeze, table, f"freeze[{i}]") for i, table in enumerate(_list(document, "freeze")))
    parts["groups"] = tuple(
        _group(document["optimizer"], table, f"groups[{i}]") for i, table in enumerate(_list(document, "groups"))
    )
    _check_parameters(parts)
    try:
        return Experiment(**parts)
    except RefimplError as error:
        raise InputError(str(error)) from error


def to_toml(experiment: Experiment) -> str:
    """The experiment as TOML that :func:`load` reads back to an equal one."""
    document: dict[str, Any] = {key: getattr(experiment, key) for key in PLAIN}
    for key in ("data", "model", "loss", "optimizer", "schedule"):
        document[key] = table_of(REGISTRIES[key], getattr(experiment, key))
    document |= {key: _fields(part) for key in SINGLE if (part := getattr(experiment, key)) is not None}
    document["freeze"] = [_fields(freeze) for freeze in experiment.freeze]
    document["init"] = {name: table_of(INITS, init) for name, init in experiment.init.items()}
    document["penalties"] = [table_of(PENALTIES, penalty) for penalty in experiment.penalties]
    document["groups"] = [
        {"parameters": list(group.parameters), **table_of(OPTIMIZERS, group.optimizer)} for group in experiment.groups
    ]
    said = {key: value for key, value in document.items() if value not in ("", [], {}) or key in SINGLE}
    return tomli_w.dumps(said)


# -- reading ------------------------------------------------------------------------------------------------------


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    return _typed(document.get(key, []), list[Any], key)  # type: ignore[no-any-return]


def _check_parameters(parts: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` where a table names a parameter that the model does not have."""
    known = tuple(parts.get("model", Experiment.model).ndim)
    named = [(f"init.{name}", name) for name in parts["init"]]
    for key in ("penalties", "groups", "freeze"):
        named += [(f"{key}[{i}].parameters", name) for i, part in enumerate(parts[key]) for name in part.parameters]
    for where, name in named:
        if name not in known:
            raise InputError(
                f"{where}: the model has no parameter {name!r}; it has {', '.join(known)}{nearest(name, known)}"
            )


def _entry(registry: str, table: Any, where: str) -> Any:
    """The object that a table with ``kind`` describes."""
    known = REGISTRIES[registry]
    table = dict(_typed(table, dict[str, Any], where))
    kind = _kind(table, registry, where)
    table.pop("kind", None)
    if kind is None or kind not in known:
        given = f"{kind!r} is unknown" if kind is not None else "is missing"
        raise InputError(f"{where}.kind: {given}; allowed: {', '.join(known)}{nearest(str(kind), known)}")
    return _build(known[kind], table, where)


def _kind(table: Mapping[str, Any], registry: str, where: str) -> str | None:
    """The kind that a table names, as the registry spells it."""
    kind = table.get("kind", DEFAULT_KIND.get(registry))
    return None if kind is None else spelled(_typed(kind, str, f"{where}.kind"), REGISTRIES[registry])


def _group(optimizer: Any, table: Any, where: str) -> Group:
    """A parameter group: the main optimizer's table with the group's keys on top."""
    table = dict(_typed(table, dict[str, Any], where))
    if "parameters" not in table:
        raise InputError(f'{where}.parameters: is missing; name the parameters, as in parameters = ["bias"]')
    parameters = _typed(table.pop("parameters"), tuple[str, ...], f"{where}.parameters")
    same_kind = "kind" not in table or _kind(table, "optimizer", where) == _kind(optimizer, "optimizer", "optimizer")
    merged = {**optimizer, **table} if same_kind else table
    return Group(parameters=parameters, optimizer=_entry("optimizer", merged, where))


def _build(cls: type, table: Any, where: str) -> Any:
    """``cls(**table)``, its types checked by msgspec and its ranges by itself."""
    table = _typed(table, dict[str, Any], where)
    allowed = [field.name for field in settable(cls)]
    for key in table:
        if key not in allowed:
            raise InputError(
                f"{where}.{key}: unknown key; allowed: {', '.join(allowed) or 'none'}{nearest(key, allowed)}"
            )
    for field in settable(cls):
        if field.name not in table and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}.{field.name}: is missing; add {field.name} to [{where}]")
    hints = _schema(cls)
    values = {key: _typed(value, hints[key], f"{where}.{key}") for key, value in table.items()}
    try:
        return cls(**values)
    except RefimplError as error:
        raise InputError(f"{where}.{error}") from error


TYPES = {"object": "table", "array": "list", "str": "text", "float": "number", "int": "integer", "bool": "boolean"}
"""Msgspec's name of each type, and TOML's."""


def _typed(value: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        for index in re.findall(r"\[(\d+)\]", str(error)):  # the element of a list that is wrong
            value, where = value[int(index)], f"{where}[{index}]"
        wanted = re.search(r"[Ee]xpected `([^`]+)`", str(error))
        names = [TYPES.get(name, name) for name in wanted[1].split(" | ") if name != "null"] if wanted else []
        allowed = f"a value of type {' or '.join(names)}" if names else str(error)
        if options := [repr(option) for option in get_args(kind) if isinstance(option, str)]:
            suggestion = nearest(value, get_args(kind)) if isinstance(value, str) else ""
            allowed = ", ".join(options) + suggestion
        raise InputError(f"{where}: given {reprlib.repr(value)}; allowed: {allowed}; change {where}") from error


def settable(cls: type) -> list[Field[Any]]:
    """The fields that a file can set; a nested object (the prox's penalty) is not one of them."""
    return [field for field in fields(cls) if field.name in _schema(cls)]


@cache
def _schema(cls: Any) -> dict[str, Any]:
    """Field name → type as msgspec knows it: a hyper-parameter is one float."""
    hints = get_type_hints(cls)
    plain = (str, int, float, bool, tuple, types.NoneType)
    schema: dict[str, Any] = {}
    for field in fields(cls):
        if field.name in number_fields(cls):
            parts = get_args(hints[field.name]) if getattr(hints[field.name], "__origin__", None) is tuple else ()
            numbers = tuple(part if part is ... else float for part in parts)
            schema[field.name] = types.GenericAlias(tuple, numbers) if numbers else float
        else:
            hint = hints[field.name]
            if all(part in plain or isinstance(part, str) or part in (..., None) for part in _parts(hint)):
                schema[field.name] = hint
    return schema


def _parts(hint: Any) -> list[Any]:
    """The types that a type is made of, the choices of a literal among them."""
    return [part for argument in get_args(hint) for part in _parts(argument)] or [hint]


# -- writing ------------------------------------------------------------------------------------------------------


def table_of(registry: Mapping[str, type], obj: Any) -> dict[str, Any]:
    kind = next(name for name, cls in registry.items() if cls is type(obj))
    return {"kind": kind, **_fields(obj)}


def _fields(obj: Any) -> dict[str, Any]:
    assert is_dataclass(obj)
    defaults = {field.name: field.default for field in fields(obj)}
    values = {name: getattr(obj, name) for name in _schema(obj.__class__)}
    table: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, tuple) and None in value:  # TOML has no word for None; left out, it is the default
            if value != defaults[name]:
                raise InputError(f"{name}: {value} cannot be written as TOML; allowed: numbers; give one for None")
        elif value is not None:
            table[name] = list(value) if isinstance(value, tuple) else value
    return table
