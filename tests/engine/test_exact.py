"""Sums of fractions: right to the last bit, in any order, or refused."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.engine.duck import Duck
from safercities.engine.exact import Digits, Sum, digits, exact_text, joined, lowest_bit, power_of_two

numbers = st.one_of(
    st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9),
    st.integers(-(2**40), 2**40).map(float),
    st.sampled_from([0.1, -0.1, 1 / 3, 1e9, -1e9, 1e-9, 0.0, -0.0]),
)
rows = st.lists(st.tuples(st.sampled_from(["x", "y", None]), st.none() | numbers), min_size=1, max_size=40)


def sums(data: list[tuple[str | None, float | None]]) -> dict[str | None, float]:
    table = pa.table(
        {"k": pa.array([k for k, _ in data], pa.string()), "v": pa.array([v for _, v in data], pa.float64())}
    )
    sizes = [abs(v) for _, v in data if v] or [0.0]
    how = digits(max(sizes), lowest_bit(min(sizes), all(v.is_integer() for v in sizes)), len(data), signed=True)
    text = exact_text("t", {"k0": '"k"'}, {"v0": '"v"'}, {"t": ('"v0"', how)}, {"s": Sum("t"), "n": Sum()}, "1 = 1")
    with Duck() as engine:
        engine.register("t", table)
        found = engine.run(text)
    total = joined([found.column(f"s_{digit}").to_numpy() for digit in range(how.count)], how)
    assert found.column("n").to_pylist() == [sum(k == key for k, _ in data) for key in found.column("k0").to_pylist()]
    return dict(zip(found.column("k0").to_pylist(), total.tolist(), strict=True))


@given(rows)
def test_sums_are_right_to_the_last_bit(data: list[tuple[str | None, float | None]]) -> None:
    for key, total in sums(data).items():
        exact = sum((Fraction(v) for k, v in data if k == key and v is not None), Fraction(0))
        assert abs(Fraction(total) - exact) <= abs(exact) * Fraction(3, 2**54)


@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter(data: list[tuple[str | None, float | None]], rng: random.Random) -> None:
    shuffled = list(data)
    rng.shuffle(shuffled)
    assert sums(data) == sums(shuffled)


def test_what_cancels_is_nothing_and_what_is_left_is_all_there() -> None:
    assert sums([("x", 1e9), ("x", 1e-9), ("x", -1e9), ("y", 1e9), ("y", -1e9)]) == {"x": 1e-9, "y": 0.0}
    assert sums([("x", 1e9), ("x", -1e-9), ("x", -1e9)]) == {"x": -1e-9}


def test_sums_stay_within_64_bits_however_many_rows() -> None:
    for count in (1, 7, 10**6, 2 * 10**8, 10**12):
        how = digits(1.0, -52, count)
        assert count * 2**how.bits <= 2**62
        assert how.bits * how.count >= 53


def test_terms_too_far_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="too far apart"):
        digits(1e30, lowest_bit(1e-30, False), 10**6)
    assert digits(1e30, lowest_bit(1e-30, False), 10**6, at_most=3).count == 3
    with pytest.raises(ValueError, match="too far apart"):
        digits(1e300, lowest_bit(1e290, False), 10**6)


def test_powers_of_two_are_read_as_they_are_meant() -> None:
    exponents = range(-900, 901, 7)
    with Duck() as engine:
        read = engine.run("SELECT " + ", ".join(f"{power_of_two(e)} AS p{n}" for n, e in enumerate(exponents)))
    assert read.schema.types == [pa.float64()] * len(exponents)
    assert [column[0].as_py() for column in read.columns] == [2.0**e for e in exponents]


def test_digits_are_joined_with_their_carries() -> None:
    how = Digits(0, 50, 3)
    parts = [np.array([-1, 0, 5]), np.array([2**50 - 1, 2**61, -1]), np.array([2**50 - 1, 0, 0])]
    assert joined(parts, how).tolist() == [-(2.0**-100), 2.0**11, 5 - 2.0**-50]
