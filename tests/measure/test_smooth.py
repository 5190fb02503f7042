"""Marshall's empirical-Bayes rates against independent code, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from safercities.measure.smooth import marshall_global, marshall_local

CASES, PEOPLE = [0, 2, 30, 12, 7], [100, 1000, 5000, 4000, 800]


def test_global_equals_the_formula_in_r() -> None:
    # esda 2.9.0, Empirical_Bayes; R 4.2.2, the moments written out: m = Σx/Σn, a = Σn(r−m)²/Σn − m/(Σn/5),
    # m + a(r−m)/(a+m/n)
    expected = [
        0.004508873431710329,
        0.003945331635152345,
        0.005542151774442419,
        0.003669320137693631,
        0.005622408789386401,
    ]
    assert_allclose(marshall_global(CASES, PEOPLE), expected, rtol=1e-12)


def test_local_equals_the_formula_in_r_and_esda() -> None:
    # R 4.2.2, the same moments within each place and its neighbours; esda 2.9.0 Spatial_Empirical_Bayes gives these too
    expected = [0.001818181818181818, 0.005206477732793522, 0.00536, 0.003830508474576271, 0.005745324532453246]
    found = marshall_local(CASES, PEOPLE, [[1], [0, 2], [1, 3], [2, 4], [3]])
    assert_allclose(found, expected, rtol=1e-12)


def test_more_alike_than_chance_gives_the_common_rate() -> None:
    assert_allclose(marshall_global([10, 10, 10], [1000, 1000, 1000]), 0.01)
    assert_allclose(marshall_global([1, 2], [100, 200]), 0.01)


def test_no_case_anywhere_is_zero() -> None:
    assert marshall_global([0, 0], [10, 20]).tolist() == [0, 0]


def test_a_single_place_keeps_its_rate() -> None:
    assert marshall_global([3], [100]).tolist() == [0.03]
    assert marshall_local([3], [100], [[]]).tolist() == [0.03]


def test_a_place_without_people_has_no_rate_and_no_influence() -> None:
    found = marshall_global([*CASES, 4, 0], [*PEOPLE, 0, np.nan])
    assert np.isnan(found[5:]).all()
    assert_allclose(found[:5], marshall_global(CASES, PEOPLE))


def test_everybody_a_neighbour_is_global() -> None:
    sets = [[0, 1, 2, 3, 4]] * 5
    assert_allclose(marshall_local(CASES, PEOPLE, sets), marshall_global(CASES, PEOPLE))


def test_local_of_an_island_is_raw() -> None:
    assert marshall_local([1, 50], [100, 1000], [[], []]).tolist() == [0.01, 0.05]


def test_smoothed_lies_between_raw_and_mean() -> None:
    raw, mean = np.array(CASES) / PEOPLE, sum(CASES) / sum(PEOPLE)
    found = marshall_global(CASES, PEOPLE)
    assert np.all((np.minimum(raw, mean) <= found) & (found <= np.maximum(raw, mean)))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="places"):
        marshall_local([1], [2], [[], []])
    with pytest.raises(ValueError, match="one count"):
        marshall_global([1, 2], [3])
