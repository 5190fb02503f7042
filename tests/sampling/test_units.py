"""Sampling units: their order, what each stage adds, and what stands in for a variance that cannot be seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_survey import POPULATION, PSU, STRATUM, UNIT, UNIT_STRATUM, WEIGHT, Y, linearised
from safercities.model.errors import SafercitiesError
from safercities.sampling.units import averaged, make_units


def codes(*values: list) -> list[np.ndarray]:
    return [np.array(one) for one in values]


def test_rows_are_put_in_the_order_of_strata_and_units():
    units, order, unit = make_units(codes([1, 0, 1, 0, 0], [3, 2, 2, 1, 2]), [None], ["a", "b"], "fail")
    assert order.tolist() == [3, 1, 4, 2, 0]
    assert unit.tolist() == [0, 1, 1, 2, 3]
    (stage,) = units.stages
    assert (stage.starts.tolist(), stage.groups.tolist(), stage.drawn.tolist()) == ([0, 1, 2, 3], [0, 2], [2, 2])
    assert (units.size, units.psus, units.df, units.psu_of.tolist()) == (4, 4, 2, [0, 1, 2, 3])


def test_many_codes_do_not_overflow():
    large = np.array([2**40, 2**40 + 1, 5, 6])
    _, order, unit = make_units([large, large, large], [None, None], [""] * 4, "certainty")
    assert large[order].tolist() == [5, 6, 2**40, 2**40 + 1]
    assert unit.tolist() == [0, 1, 2, 3]


def test_two_stages():
    ids = codes([0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 1, 1, 0, 1, 2])
    sizes = [np.full(6, 10.0), np.array([8.0, 8, 8, 6, 6, 6])]
    units, _, unit = make_units(ids, sizes, ["a"], "fail")
    first, second = units.stages
    assert unit.tolist() == [0, 1, 1, 2, 3, 4]
    assert first.scale == pytest.approx([(1 - 2 / 10) * 2])
    # share drawn at the first stage · share not drawn · n/(n − 1)
    assert second.scale == pytest.approx([2 / 10 * (1 - 2 / 8) * 2, 2 / 10 * (1 - 3 / 6) * 3 / 2])
    assert units.psu_of.tolist() == [0, 0, 1, 1, 1]
    z = np.array([[1.0, 4, 2, 2, 5]])
    by_hand = first.scale[0] * ((5 - 7) ** 2 + (9 - 7) ** 2)
    by_hand += second.scale[0] * (1.5**2 * 2) + second.scale[1] * (1 + 1 + 4)
    assert units.variances(z, np.ones_like(z)) == pytest.approx([by_hand])


@pytest.mark.parametrize("population", [None, POPULATION])
def test_the_variance_of_a_total_is_that_of_the_textbook(population):
    sizes = [None if population is None else population[STRATUM]]
    units, order, unit = make_units([STRATUM, PSU], sizes, ["0", "1", "2", "3"], "fail")
    totals = np.bincount(unit, (WEIGHT * Y)[order])[None, :]
    wanted = linearised(WEIGHT * Y, UNIT, UNIT_STRATUM, population)
    assert units.variances(totals, totals) == pytest.approx([wanted], rel=1e-12)


def test_shares_that_were_drawn_are_sizes_in_another_form():
    sizes = POPULATION[STRATUM]
    drawn = np.bincount(UNIT_STRATUM)
    by_size, by_share = (
        make_units([STRATUM, PSU], [given], ["0", "1", "2", "3"], "fail")[0].stages[0].scale
        for given in (sizes, drawn[STRATUM] / sizes)
    )
    assert by_share == pytest.approx(by_size, rel=1e-12)


@pytest.mark.parametrize("share", [1, None])
def test_a_stratum_drawn_in_full_adds_nothing_and_is_not_lonely(share):
    ids = codes([0, 0, 1], [0, 1, 2])
    size = np.array([10.0, 10, 1 if share is None else share])
    units, _, _ = make_units(ids, [size], ["a", "b"], "fail")
    assert units.stages[0].scale[1] == 0
    assert not units.stages[0].lonely.any()


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("adjust", 2 * 2.0 + 9),  # (2 − 0)² + … of the stratum of two; 3² of the lonely one
        ("average", 2 * 2.0 * 2 / 1),
        ("certainty", 2 * 2.0),
        ("remove", 2 * 2.0),
    ],
)
def test_what_stands_in_for_a_lonely_psu(rule, wanted):
    units, _, _ = make_units(codes([0, 0, 1], [0, 1, 2]), [None], ["a", "b"], rule)
    z = np.array([[-1.0, 1.0, 3.0]])
    assert units.variances(z, np.ones_like(z)) == pytest.approx([wanted])
    assert units.stages[0].lonely.tolist() == [False, True]


def test_the_average_is_of_the_strata_in_which_the_group_is():
    ids = codes([0, 0, 1, 1, 2], [0, 1, 2, 3, 4])
    units, _, _ = make_units(ids, [None], ["a", "b", "c"], "average")
    there = np.array([[True, True, True], [True, False, True], [True, True, False], [False, False, True]])
    assert averaged(there, units.stages[0]) == pytest.approx([3 / 2, 2, 1, np.nan], nan_ok=True)


def test_a_group_in_lonely_strata_only_has_no_variance():
    units, _, _ = make_units(codes([0, 0, 1], [0, 1, 2]), [None], ["a", "b"], "average")
    only = np.array([[0.0, 0.0, 3.0]])
    assert np.isnan(units.variances(only, only)).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["adjust", "average", "certainty"]), st.booleans())
def test_variances_are_the_diagonal_of_the_covariance(seed, rule, even):
    rng = np.random.default_rng(seed)
    drawn = np.full(3, 3) if even else np.array([1, 2, 4])
    stratum = np.repeat(np.arange(3), drawn)
    units, _, _ = make_units([stratum, np.arange(len(stratum))], [None], ["a", "b", "c"], rule)
    z = rng.normal(size=(4, len(stratum)))
    members = np.ones_like(z)
    covariance = units.covariance(z, members[0])
    np.testing.assert_allclose(np.diag(covariance), units.variances(z, members), rtol=1e-12)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_a_ratio_is_taken_off_before_squaring():
    units, _, _ = make_units([UNIT_STRATUM, np.arange(len(UNIT_STRATUM))], [None], ["0", "1", "2", "3"], "fail")
    rng = np.random.default_rng(1)
    x, d = rng.normal(size=(2, 3, units.size))
    value = np.array([0.5, 2.0, -1.0])
    assert units.variances(x, d, value, d) == pytest.approx(units.variances(x - value[:, None] * d, d), rel=1e-12)


def test_messages_name_the_stratum():
    ids = codes([0, 0, 1, 1, 2], [0, 1, 2, 3, 4])
    with pytest.raises(SafercitiesError, match="the stratum south has a single PSU"):
        make_units(ids, [None], ["north", "east", "south"], "fail")
    with pytest.raises(SafercitiesError, match="of the stratum east"):
        make_units(ids, [np.array([5.0, 5, 4, 6, 7])], ["north", "east", "south"], "adjust")
    with pytest.raises(SafercitiesError, match="2 units were drawn in the stratum east"):
        make_units(ids, [np.array([5.0, 5, 1.5, 1.5, 7])], ["north", "east", "south"], "adjust")
