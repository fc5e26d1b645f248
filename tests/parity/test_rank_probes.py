"""The probes that are coded by rank are exact, are read rightly, and the bound beside them holds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from parity.features.verify.ranks.bound import reduced
from parity.features.verify.ranks.probe import coded, divisors, format_of, pairs, read, rounds
from parity.features.verify.ranks.whole import replicas
from refimpl.arithmetic.formats import FORMATS


@pytest.mark.parametrize("ranks", [2, 4, 8])
@pytest.mark.parametrize("format", ["float64", "float32", "float16", "bfloat16"])
def test_no_order_of_adding_and_dividing_rounds_a_probe(format: str, ranks: int) -> None:
    digits = FORMATS[format].digits
    places = [(rank, micro) for micro in range(2) for rank in range(ranks)]
    own_rounds = rounds(places, ranks, digits)
    assert [place for own in own_rounds for place in own] == places
    rng = np.random.default_rng(0)
    for own in own_rounds:
        codes = coded(own, 1.0, digits)
        exact = sum(codes.values()) / ranks
        for order in (list(codes), list(reversed(codes)), *(list(rng.permutation(own)) for _ in range(8))):
            for before in (ranks, 1):
                total = np.longdouble(0)
                for place in order:
                    total = FORMATS[format].round(total + FORMATS[format].round(codes[tuple(place)] / before))
                assert FORMATS[format].round(total / (ranks // before)) == exact


def test_the_divisors_of_the_digits_have_the_ranks_and_their_square() -> None:
    codes = coded([(0, 0), (1, 0)], 1.0, 53)
    for divisor in (32, 32**2):
        number = sum(codes.values()) / divisor
        assert read(number, codes, 53, divisors(32)) == dict.fromkeys(codes, Fraction(1, divisor))
        assert read(number, codes, 53) is None


@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (2, 2, 0, 0), (1, 0, 1, 1), (1, 2, 1, 0), (3, 1, 0, 2)])
@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 6])
def test_counts_and_divisor_are_read_from_the_number(counts: tuple[int, ...], divisor: int) -> None:
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]
    codes = coded(places, -0.5, 24)
    number = sum(n * codes[place] for n, place in zip(counts, places, strict=True)) / divisor
    reading = read(float(FORMATS["float32"].round(number)), codes, 24)
    assert reading == {place: Fraction(n, divisor) for n, place in zip(counts, places, strict=True)}


@pytest.mark.parametrize("dropped", ["float32", "float16", "bfloat16"])
def test_the_format_of_a_sum_is_read_from_the_pairs(dropped: str) -> None:
    wide = pairs("float64", "float64")
    rounded = FORMATS[dropped].round
    made = {pair: Fraction(float(rounded(pair.of(True) + pair.of(False)))) == pair.value for pair in wide}
    assert format_of(made) == dropped and format_of(dict.fromkeys(wide, True)) == "float64"


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("format", ["float64", "float32", "bfloat16"])
def test_the_bound_holds_for_any_order_and_place_of_the_division(format: str, ranks: int) -> None:
    rng, places = np.random.default_rng(ranks), [(rank, 0) for rank in range(ranks)]
    rounded = FORMATS[format].round
    gradients = {place: np.asarray(rounded(rng.standard_normal((1, 200))), float) for place in places}
    counts = dict.fromkeys(places, Fraction(1, ranks))
    for _ in range(10):
        before = np.zeros((1, 200))
        after = np.zeros((1, 200))
        for i in rng.permutation(ranks):
            g = gradients[places[i]]
            before = rounded(before + rounded(g * rounded(np.longdouble(1) / ranks)))
            after = rounded(after + g)
        for candidate in (before, rounded(after / ranks)):
            piece = reduced("w", 0, gradients, counts, np.asarray(candidate, float), [format], fits=False)
            assert np.all(piece.share <= 1)
    missing = gradients | {places[0]: 0 * gradients[places[0]]}
    wrong = np.asarray(rounded(sum(missing.values()) / ranks), float)
    assert np.any(reduced("w", 0, gradients, counts, wrong, [format], fits=False).share > 1)


def test_rows_of_divided_parameters_are_put_together_by_replica() -> None:
    assert replicas([0, 2]) == [[0, 1]] and replicas([0, 0]) == [[0], [1]]
    assert replicas([0, 2, 0, 2]) == [[0, 1], [2, 3]]
