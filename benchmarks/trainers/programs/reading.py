"""What the measured steps of a probe say, in words. Needs Python alone.

A step is ``{"weight": [...], "bias": [...]}``: by how much it moved each number, divided by −η.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

Step = Mapping[str, Sequence[float]]
BATCHES, MICRO, BASE, RANKS = 7, 3, 4, 2
CLIPPED = ((5.0, 0.5), (1.0,))
"""The gradient of the weight and of the bias in the probes of clipping; the limit is 1."""
NEAR = 1e-6
"""How near a number must be to one that has a name. What is read is an integer or its quotient by 2 or 3, so that those
beside it are 1/6 and more away, and float32 rounds to 6e-8."""
NO_PATTERN = "no pattern that has a name"


def words(probe: str, result: Mapping[str, Any]) -> str:
    """One line about a probe."""
    return "; ".join(reader(result) for reader in READERS[probe])


# -- which batches ---------------------------------------------------------------------------------------------------


def counted(step: Step, divisors: Sequence[int]) -> tuple[tuple[int, ...], int] | None:
    """How often each batch j, whose gradient is 4ʲ, counts in a step, and the divisor of the sum.

    The gradient of the bias is the number of batches ÷ the divisor, which decides between several divisors.
    """
    for divisor in divisors:
        total, batches = step["weight"][0] * divisor, step["bias"][0] * divisor
        if abs(total - round(total)) < NEAR * max(1.0, total) and abs(batches - round(batches)) < NEAR * divisor:
            digits = tuple(round(total) // BASE**j % BASE for j in range(BATCHES + 1))
            if sum(digits) == round(batches):
                return digits[:BATCHES], divisor
    return None


def windows(result: Mapping[str, Any]) -> list[tuple[tuple[int, ...], int]] | None:
    """The batches of each step and its divisor; None where one has no reading."""
    read = [counted(step, (1, 2, 3)) for step in result["steps"]]
    return None if None in read else read  # type: ignore[return-value]


def batches_of(digits: Sequence[int]) -> list[int]:
    return [j for j, times in enumerate(digits) for _ in range(times)]


def in_order(digits: Sequence[int]) -> str:
    """The batches in the order in which a window has them: one that goes over the end of an epoch begins there."""
    batches = batches_of(digits)
    gap = next((k for k in range(1, len(batches)) if batches[k] > batches[k - 1] + 1), 0)
    return " ".join(map(str, batches[gap:] + batches[:gap]))


def short_window(result: Mapping[str, Any]) -> str:
    """By what the last window of an epoch, which has one batch, is divided."""
    read = windows(result)
    if read is None:
        return NO_PATTERN
    last = (0,) * (BATCHES - 1) + (1,)
    divisors = [divisor for digits, divisor in read if digits == last]
    if divisors:
        share = "the mean's" if divisors[0] == 1 else f"1/{divisors[0]} of the mean's"
        return f"the last window of 1 batch is divided by {divisors[0]}: its gradient is {share}"
    holding = next(((digits, divisor) for digits, divisor in read if digits[-1]), None)
    if holding is None:
        return "the last window of 1 batch makes no step: its gradient is dropped"
    digits, divisor = holding
    count = sum(digits)
    text = f"the last batch makes no step in its epoch; it counts in that of batches {in_order(digits)}"
    return f"{text}, divided by {divisor}" + ("" if count == divisor else f": {count}/{divisor} of the mean's")


def across_epochs(result: Mapping[str, Any]) -> str:
    """Whether windows end with the epoch."""
    read = windows(result)
    if read is None:
        return NO_PATTERN
    steps = [in_order(digits) for digits, _ in read]
    used = [sum(digits[j] for digits, _ in read) for j in range(BATCHES)]
    left = [j for j, times in enumerate(used) if times < 2]
    end = f"; at the end batch{'es' if len(left) > 1 else ''} {' '.join(map(str, left))} made no step" if left else ""
    mixed = any(digits[-1] and sum(digits) > 1 for digits, _ in read)
    kind = "windows go on in the next epoch" if mixed else "each epoch begins a window of its own"
    if mixed and any(sum(digits) > MICRO for digits, _ in read):
        kind = "each epoch begins a window of its own, to which the rest of the one before is added"
    return f"{kind}: steps of batches {', '.join(steps)}{end}"


def dealt(result: Mapping[str, Any]) -> str:
    """Which rows the two ranks have in each step, and how their gradients are put together."""
    read = [counted(step, (1, RANKS)) for step in result["steps"]]
    if None in read:
        return NO_PATTERN
    rows = [batches_of(digits) for digits, _ in read]  # type: ignore[misc]
    divisors = {divisor for _, divisor in read}  # type: ignore[misc]
    how = "the mean over the ranks" if divisors == {RANKS} else "the sum over the ranks"
    every = [row for step in rows for row in step]
    twice = sorted({row for row in every if every.count(row) > 1})
    missing = sorted(set(range(BATCHES)) - set(every))
    in_turn = all(step == [2 * k, 2 * k + 1] for k, step in enumerate(rows[:3]))
    text = f"{how}; steps of rows {', '.join('+'.join(map(str, step)) for step in rows)}"
    text += "" if in_turn else ": shuffled, though the loader is not"
    text += f"; of 7 rows, row {' '.join(map(str, twice))} counts twice" if twice else ""
    return text + (f"; row {' '.join(map(str, missing))} is left out" if missing else "")


# -- clipping, rates, decay ------------------------------------------------------------------------------------------


def clipped(result: Mapping[str, Any]) -> str:
    """What became of a gradient of norm 5.12 where the limit is 1."""
    (step,) = result["steps"]
    weight, bias = CLIPPED
    whole = math.hypot(*weight, *bias)
    measured = [*step["weight"], *step["bias"]]
    factors = [one / given for one, given in zip(measured, [*weight, *bias], strict=True)]
    after = math.hypot(*measured)
    if all(abs(factor - 1) < NEAR for factor in factors):
        return f"is not clipped: a gradient of norm {whole:.2f} stays, where 1 is the limit"
    said = f"a gradient of norm {whole:.2f} becomes one of {after:.7f}"
    if max(factors) - min(factors) < NEAR:
        eps = "norm + 10⁻⁶" if after < 1 - 1e-7 else "norm"
        return f"{said}: all parameters together, divided by the {eps}"
    alone = (1 / math.hypot(*weight), min(1.0, 1 / math.hypot(*bias)))
    if abs(factors[0] - alone[0]) < NEAR and abs(factors[2] - alone[1]) < NEAR:
        return f"{said}: each parameter for itself"
    return f"{said}: {NO_PATTERN}"


RATES = {
    (0, 1, 2, 3): "changes after each step",
    (1, 3, 5, 7): "changes after each batch, of which a step has two",
    (2, 4, 6, 8): "changes before each batch, of which a step has two, the first included: η itself is never used",
    (0, 0, 1, 1): "changes after each epoch",
}
RANK_RATES = {
    (0, 1, 2, 3): "changes once a step",
    (0, 2, 4, 6): "changes twice a step, once for each process",
    (1, 2, 3, 4): "changes once a step, before the first one, too: η itself is never used",
    (0, 0, 0, 0): "changes after each epoch, which is once for both ranks",
}


def rates(known: Mapping[tuple[int, ...], str]) -> Callable[[Mapping[str, Any]], str]:
    """A reader of the rates of the first four steps: γ = ½, so that each is a power of ½."""

    def read(result: Mapping[str, Any]) -> str:
        values = [step["weight"][0] for step in result["steps"]][:4]
        powers = tuple(round(-math.log2(value)) for value in values)
        exact = all(abs(value * 2**power - 1) < NEAR for value, power in zip(values, powers, strict=True))
        said = ", ".join(str(Fraction(1, 2**power)) for power in powers) if exact else ", ".join(map(str, values))
        return f"rates {said}: {known.get(powers, NO_PATTERN) if exact else NO_PATTERN}"

    return read


def decayed(result: Mapping[str, Any]) -> str:
    """What one ``weight_decay`` does, without a gradient, to a weight and a bias that are 1."""
    first = result["steps"][0]
    after = {name: 1 - first[name][0] for name in ("weight", "bias")}
    which = "the bias, too" if after["bias"] != 1 else "the weight alone"
    return f"λ = 0.5, η = 1: weight 1 → {after['weight']:g}, bias 1 → {after['bias']:g}: {which}"


def in_bfloat16(result: Mapping[str, Any]) -> str:
    """Whether the product is made in bfloat16, which does not hold 1 + 2⁻¹⁰, and the weights are not."""
    gradient = result["steps"][0]["weight"][0]
    if gradient == 1 + 2.0**-10:
        return "the gradient 1 + 2⁻¹⁰ stays: nothing is computed in bfloat16 on the CPU"
    if gradient == 1:
        return f"the gradient 1 + 2⁻¹⁰ becomes 1: products are made in bfloat16; the weights are {result['dtype']}"
    return f"the gradient 1 + 2⁻¹⁰ becomes {gradient!r}: {NO_PATTERN}"


def resumed(result: Mapping[str, Any]) -> str:
    """The second epoch after the training was saved and loaded, beside that of a run that was not interrupted."""
    expected = [step["weight"][0] for step in result["steps"]][2:]
    again = [step["weight"][0] for step in result["again"]]
    said = ", ".join(f"{value:g}" for value in again)
    if again == expected:
        return f"as without interruption: steps 3 and 4 are {said}; momentum and rate are kept"
    return f"steps 3 and 4 are {said}, without interruption {', '.join(f'{value:g}' for value in expected)}"


READERS: Mapping[str, tuple[Callable[[Mapping[str, Any]], str], ...]] = {
    "accumulation": (short_window, across_epochs),
    "clipping": (clipped,),
    "clipping-window": (clipped,),
    "schedule": (rates(RATES),),
    "decay": (decayed,),
    "mixed": (in_bfloat16,),
    "ranks": (dealt,),
    "rank-schedule": (rates(RANK_RATES),),
    "resume": (resumed,),
}
