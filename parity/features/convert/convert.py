"""Which numbers of one library give the minimiser that the numbers of another one give.

The source's objective is read in the notation of the project (``refimpl.conventions``), multiplied by a positive
factor, which moves no minimum, so that it has the target's loss, and read back in the target's numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from parity.errors import InputError, Option, OptionError, nearest, spelled
from refimpl.conventions import CONVENTIONS
from refimpl.errors import RefimplError
from refimpl.objective import LOSSES, Convention, Facts, Objective, number, text
from refimpl.ranges import choice_fields, number_fields

LOST = 1e-6  # of λ₂, relatively: l1_ratio = λ₁/(λ₁ + λ₂) keeps 1e-16·λ₁/λ₂ of it


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """``source`` and ``target`` have the same minimiser.

    ``objective`` is J in the source's loss, ``same`` in the target's; ``factor`` is what J was multiplied with.
    """

    source: Convention
    target: Convention
    facts: Facts
    objective: Objective
    same: Objective
    factor: float

    @property
    def result(self) -> dict[str, float | str]:
        """The target's numbers and choices; without the penalties that it does not have."""
        return settings(self.target)


def convert(source: Convention, target: type[Convention], facts: Facts, loss: str | None = None) -> Conversion:
    """The target's numbers, in ``loss`` or in its first. Raises :class:`InputError` where it has no such penalty."""
    loss = target.losses[0] if loss is None else spelled(loss, target.losses)
    if loss not in target.losses:
        allowed = ", ".join(target.losses)
        raise OptionError(Option("to-loss"), f" {loss}: {target.name} has {allowed}{nearest(loss, target.losses)}")
    try:
        objective = source.ours(facts)
        converted, same = target.of(objective, facts, loss), objective.in_loss(LOSSES[loss], facts)
        if abs(converted.ours(facts).l2 - same.l2) > LOST * same.l2:
            beside = f"beside λ₁ = {same.l1:g} a float keeps too few digits of it; convert to torch or keras"
            raise InputError(f"{target.name} writes λ₂ = {same.l2:g} as 1 − a share: {beside}, or leave it out")
        return Conversion(
            source=source,
            target=converted,
            facts=facts,
            objective=objective,
            same=same,
            factor=objective.times(LOSSES[loss], facts),
        )
    except RefimplError as error:
        if error.given in (float("inf"), "inf"):
            numbers = {name: value for name, value in settings(source).items() if isinstance(value, float)}
            given = ", ".join(f"--{option(name)} {value:g}" for name, value in numbers.items())
            raise InputError(f"{given}: more than a float can hold, converted; give smaller numbers") from None
        raise _of_option(error, "rows", "sd-y") from None  # of the data, and options


def library(option: Option, name: str | None) -> type[Convention]:
    """The convention of that name. Raises :class:`InputError`."""
    if name is None or spelled(name, CONVENTIONS) not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise OptionError(option, f" {name or 'is missing'}: allowed: {known}{nearest(name or '', CONVENTIONS)}")
    return CONVENTIONS[spelled(name, CONVENTIONS)]


def read(name: str | None, words: Mapping[str, str]) -> Convention:
    """The source that the command line describes: its numbers by option, without dashes. Raises :class:`InputError`."""
    made = library(Option("from"), name)
    options = options_of(made)
    for word in words:
        if word not in options:
            allowed = _listed(options, ", ")
            raise OptionError(Option(word), f": {name} has no such option; allowed: ", *allowed, nearest(word, options))
    numbers = [word for word, field in options.items() if field.name in number_fields(made)]
    needed = [word for word in numbers if options[word].default is MISSING] or numbers
    if not set(needed) & set(words):
        raise OptionError(Option("from"), f" {name}: needs its strength; give ", *_listed(needed, " or "))
    given: dict[str, Any] = {
        options[word].name: decimal(word, value) if word in numbers else value for word, value in words.items()
    }
    try:
        return made(**given)
    except RefimplError as error:
        raise OptionError(Option("from"), f" {name}: {error}") from None


def read_facts(rows: str | None, sd_y: str | None) -> Facts:
    """The known facts of the data. Raises :class:`InputError`."""
    try:
        return Facts(
            rows=None if rows is None else int(ascii_digits(rows)),
            sd_y=None if sd_y is None else decimal("sd-y", sd_y),
        )
    except RefimplError as error:
        raise _of_option(error, error.what) from None
    except ValueError:
        raise OptionError(Option("rows"), f" {rows}: not a whole number; give the number of rows of X") from None


def _listed(words: Iterable[str], between: str) -> list[str | Option]:
    """The options, with a text between each two."""
    parts = [part for word in words for part in (between, Option(word))]
    return parts[1:]


def _of_option(error: RefimplError, *options: str) -> OptionError:
    """The error, which names an option where what is wrong is one of them."""
    if error.what not in options:
        return OptionError(str(error))
    return OptionError(Option(error.what), str(error).removeprefix(error.what))


def settings(convention: Convention) -> dict[str, float | str]:
    """The numbers and choices of a convention as the library spells them; without numbers that are 0 by default."""
    made = type(convention)
    choices, numbers = choice_fields(made), number_fields(made)
    return {
        field.name.rstrip("_"): value
        for field in options_of(made).values()
        if (value := getattr(convention, field.name)) != 0 or field.default != 0
        if field.name in choices or field.name in numbers
    }


def options_of(made: type[Convention]) -> dict[str, Field[Any]]:
    """The library's fields by the option that sets each."""
    return {option(field.name): field for field in fields(made)}  # type: ignore[arg-type]  # a dataclass


def option(field: str) -> str:
    """``weight_decay`` as one types it after the dashes; a trailing _ only kept a keyword of Python away."""
    return field.rstrip("_").replace("_", "-")


def decimal(word: str, value: str) -> float:
    try:
        return float(ascii_digits(value))
    except ValueError:
        raise OptionError(Option(word), f" {value}: not a number; give one such as 0.1 or 1e-3") from None


def ascii_digits(value: str) -> str:
    """``value``; raises ``ValueError`` where only Python would read it as a number: 1_000, other alphabets' digits."""
    if "_" in value or not value.isascii():
        raise ValueError(value)
    return value


def steps(conversion: Conversion) -> list[tuple[str, str]]:
    """The derivation, line by line: what it is, and the formula with the user's numbers."""
    source, target, same = conversion.source, conversion.target, conversion.same
    lines = [
        (source.name, source.formula),
        ("in λ₁, λ₂", f"{written(conversion.objective)}   {_relation(source, conversion.objective)}"),
        (
            f"× {number(conversion.factor)}",
            f"{written(same)}   {_factor(conversion)}: a positive factor moves no minimum",
        ),
        (target.name, f"{target.formula}   {_relation(target, same)}"),
    ]
    return lines if conversion.factor != 1 else [line for line in lines if not line[0].startswith("×")]


def notes(conversion: Conversion) -> list[str]:
    """What the numbers alone do not say: the intercept, columns that are standardised, paths that differ."""
    source, target = conversion.source, conversion.target
    lines = [f"Intercept, {one.name}: {one.intercept}." for one in (source, target)]
    inside = standardising(conversion)
    if inside:
        names, divide = " and ".join(one.name for one in inside), "divides" if len(inside) == 1 else "divide"
        lines.append(f"Columns: {names} {divide} column j by its standard deviation sⱼ (with 1/n) by itself.")
    if len(inside) == 1:
        other = target if inside[0] is source else source
        lines.append(f"{other.name} does not: hand it the columns ÷ sⱼ; its weights are then sⱼwⱼ.")
    optimizer = getattr(source, "optimizer", "sgd")
    if optimizer != "sgd":
        lines.append(
            f"{optimizer} descends the same J as SGD by another path; --prove takes the step of SGD, which is ∂J."
        )
    by_subgradient = [one.name for one in (source, target) if getattr(one, "l1", 0.0) > 0]  # torch and keras
    if by_subgradient:
        hovers = "hovers within about η·λ₁ of the minimiser and has no exact zeros (parity bridge l1)"
        lines.append(f"‖w‖₁, {' and '.join(by_subgradient)}: by the subgradient SGD {hovers}.")
    return lines


def standardising(conversion: Conversion) -> list[Convention]:
    """Those of source and target that divide the columns by their standard deviations by themselves."""
    return [one for one in (conversion.source, conversion.target) if one.ours(conversion.facts).standardised]


def condition(conversion: Conversion) -> str | None:
    """On which columns alone the numbers are right, where only one of the two standardises by itself."""
    return "on columns divided by their standard deviations only" if len(standardising(conversion)) == 1 else None


def written(objective: Objective) -> str:
    """J with its numbers: ``mean(r²) + 3/2·‖w‖²``."""
    terms = [f"{number(objective.l1)}·‖w‖₁"] if objective.l1 else []
    terms += [f"{number(objective.l2)}/2·‖w‖²"] if objective.l2 else []
    return " + ".join([text(objective.loss), *terms])


def _factor(conversion: Conversion) -> str:
    """``(c′/N′)/(c/N)`` with its numbers."""
    losses = (conversion.same.loss, conversion.objective.loss)
    n = conversion.facts.rows or "n"  # not known where it cancels
    parts = [f"{loss.factor:g}/{n if loss.reduction == 'mean' else 1}" for loss in losses]
    return f"({parts[0]})/({parts[1]})"


def _relation(one: Convention, objective: Objective) -> str:
    """``λ₂ = 2·alpha = 60``, for the penalties that are there."""
    both = (("λ₁", one.lambda1, objective.l1), ("λ₂", one.lambda2, objective.l2))
    return ", ".join(f"{symbol} = {formula} = {number(value)}" for symbol, formula, value in both if value)
