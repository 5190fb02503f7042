"""Quantiles and Woodruff's intervals: equal to R survey, and sensible where the sample is thin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_survey import PSU, STRATUM, UNIT, UNIT_STRATUM, WEIGHT, G, Y, linearised, psu_sums
from safercities.model.errors import UsageError
from safercities.sampling.quantiles import (
    Quantiles,
    at_or_below,
    distribution,
    weighted_quantile,
    woodruff,
)
from safercities.sampling.replicates import jackknife, variance

# Expected numbers: tests/sampling/reference_weights.R, R 4.2.2, survey 4.1.1.
EXACT = {"rel": 1e-10}
ALL = np.zeros(len(Y), dtype=np.int64)


def shares(z: np.ndarray, domain: np.ndarray, domains: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share, standard error (linearised; PSUs without members are zeros) and degrees of freedom of each domain."""
    found = []
    for k in range(domains):
        w = WEIGHT * (domain == k)
        p = np.sum(w * z) / w.sum()
        inside = domain == k
        df = len(np.unique(PSU[inside])) - len(np.unique(STRATUM[inside]))
        found.append((p, np.sqrt(linearised(w * (z - p) / w.sum(), UNIT, UNIT_STRATUM)), df))
    return tuple(np.array(part) for part in zip(*found, strict=True))


def quantiles(q: float, domain: np.ndarray = ALL, domains: int = 1, *, y: np.ndarray = Y, **more) -> Quantiles:
    """The way a design makes them: value, share below and its error, interval."""
    made = distribution(y, WEIGHT, domain, domains)
    value = made.quantile(q, more.get("rule", "math"))
    p, se, df = shares(at_or_below(y, value, domain), domain, domains)
    return woodruff(made, q, p, se, df, respondents=np.bincount(domain, minlength=domains), **more)


@pytest.mark.parametrize(
    ("q", "interval", "expected"),
    [
        (0.1, "mean", (0.75, 0.25, 1.75, 0.31717512813919946)),
        (0.1, "beta", (0.75, 0.25, 2, 0.3700376494957327)),
        (0.1, "logit", (0.75, 0.25, 2, 0.3700376494957327)),
        (0.25, "mean", (2.5, 1.25, 3.75, 0.52862521356533243)),
        (0.25, "beta", (2.5, 1.25, 4, 0.58148773492186567)),
        (0.25, "logit", (2.5, 1.5, 4, 0.52862521356533243)),
        (0.5, "mean", (5, 3.75, 6.25, 0.52862521356533243)),
        (0.5, "beta", (5, 3.75, 6.25, 0.52862521356533243)),
        (0.5, "logit", (5, 3.75, 6.25, 0.52862521356533243)),
        (0.9, "mean", (9, 8.5, 10, 0.31717512813919946)),
        (0.9, "beta", (9, 8.25, 9.75, 0.31717512813919946)),
        (0.9, "logit", (9, 8.25, 9.75, 0.31717512813919946)),
    ],
)
def test_intervals_are_those_of_r(q: float, interval, expected) -> None:
    assert [float(part[0]) for part in quantiles(q, interval=interval)] == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("rule", ["math", "school"])
def test_rules_are_those_of_r(rule) -> None:
    found = [float(part[0]) for part in quantiles(0.5, rule=rule)]
    assert found == pytest.approx((5, 3.75, 6.25, 0.52862521356533243), **EXACT)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.25, (2.5784276315789474, 1.3054525255603306, 3.8132006627701287, 0.5302635578402376)),
        (0.5, (5.1460535714285713, 3.8003060985010686, 6.3106055267773371, 0.5308030285541897)),
        (0.9, (9.0255500000000008, 8.3409479316376967, 9.7692043871082284, 0.30200494951966983)),
    ],
)
def test_interpolation_is_that_of_r(q: float, expected) -> None:
    # without equal values, between which R's hf7 depends on the order of rows
    found = [float(part[0]) for part in quantiles(q, y=Y + np.arange(120) / 1000, rule="hf7")]
    assert found == pytest.approx(expected, **EXACT)


def test_domains_in_one_call_are_those_of_r() -> None:
    found = quantiles(0.5, G, 3)
    expected = [
        (4.5, 3.25, 6.25, 0.63435025627839892),
        (5.25, 1, 8.75, 1.6387381620525305),
        (5.75, 3.75, 8, 0.86844158239932567),
    ]
    np.testing.assert_allclose(np.column_stack(found), expected, rtol=1e-10)


def test_replicates_serve_as_well() -> None:
    made = distribution(Y, WEIGHT)
    z = at_or_below(Y, made.quantile(0.5))
    replicates = jackknife(UNIT_STRATUM)
    totals = replicates.totals(psu_sums(np.column_stack([WEIGHT, WEIGHT * z])))
    p = np.sum(WEIGHT * z) / WEIGHT.sum()
    se = np.sqrt(variance(totals[:, 1:] / totals[:, :1], [p], replicates))
    found = woodruff(made, 0.5, p, se, replicates.df)
    assert [float(part[0]) for part in found] == pytest.approx((5, 3.75, 6.25, 0.52862521356533243), **EXACT)


# ---- properties


values = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=40)


@given(values, st.floats(0, 1), st.sampled_from(["math", "school", "hf7"]))
def test_row_order_weight_scale_and_domains_do_not_matter(rows, q, rule) -> None:
    x, w = np.array(rows, dtype=float).T
    whole = weighted_quantile(x, w, q, rule)
    assert weighted_quantile(x[::-1], w[::-1], q, rule) == whole
    assert weighted_quantile(x, w * 0.1, q, rule) == pytest.approx(whole, rel=1e-9)
    assert weighted_quantile(np.append(x, 99), np.append(w, 0), q, rule) == whole
    beside = distribution(np.tile(x, 2), np.tile(w, 2), np.repeat([1, 0], len(x)), 3).quantile(q, rule)
    assert beside[:2].tolist() == [whole, whole]
    assert np.isnan(beside[2])


@given(values, st.floats(0.001, 1))
def test_the_math_rule_is_the_smallest_value_with_enough_below(rows, q) -> None:
    x, w = np.array(rows, dtype=float).T
    found = weighted_quantile(x, w, q)
    assert w[x <= found].sum() / w.sum() >= q - 1e-12
    assert w[x < found].sum() / w.sum() < q


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), st.floats(0, 1))
def test_equal_weights_reduce_to_numpy(x, q) -> None:
    ones = np.full(len(x), 0.1)
    assert weighted_quantile(x, ones, q, "hf7") == pytest.approx(np.quantile(x, q), rel=1e-9, abs=1e-9)
    assert weighted_quantile(x, ones, 0.5, "school") == np.median(x)


@given(values, st.integers(0, 20))
def test_share_up_to(rows, value) -> None:
    x, w = np.array(rows, dtype=float).T
    found = distribution(x, w).share_up_to(value)[0]
    assert found == pytest.approx(w[x <= value].sum() / w.sum())
    assert found == pytest.approx(np.average(at_or_below(x, np.array([float(value)])), weights=w))


# ---- thin samples and wrong calls


def test_where_the_first_value_has_enough_it_is_the_quantile() -> None:
    # R survey 4.1.1 gives 2 here: svyquantile takes the value after the first, whatever the first one's share
    assert weighted_quantile([1, 2, 3], [8, 1, 1], 0.5) == 1


def test_limits_beyond_the_sample_are_unknown() -> None:
    made = distribution(np.arange(10.0), np.ones(10))
    found = woodruff(made, 0.9, 0.9, 0.1, 5)
    assert found.lower[0] == 6
    assert np.isnan([found.upper[0], found.se[0]]).all()


def test_a_quantile_with_nothing_above_it_has_no_interval() -> None:
    made = distribution([4.0, 4.0], [1, 1])
    for interval in ("mean", "logit", "beta"):
        found = woodruff(made, 0.5, 1.0, 0.0, 3, interval=interval, respondents=[2])
        assert found.value[0] == 4
        assert np.isnan([found.lower[0], found.upper[0], found.se[0]]).all()


def test_without_degrees_of_freedom_there_is_no_interval() -> None:
    found = woodruff(distribution([1.0, 2, 3], np.ones(3)), 0.5, 2 / 3, 0.1, 0)
    assert found.value[0] == 2
    assert np.isnan(found.lower[0])


def test_wrong_calls() -> None:
    made = distribution([1.0, 2], [1, 1])
    with pytest.raises(UsageError, match="no rule of quantiles “hf12”: choose one of math, school, hf7"):
        made.quantile(0.5, "hf12")
    with pytest.raises(UsageError, match="choose one of mean, beta, logit"):
        woodruff(made, 0.5, 0.5, 0.1, 3, interval="score")
    with pytest.raises(ValueError, match="number of respondents"):
        woodruff(made, 0.5, 0.5, 0.1, 3, interval="beta")
    for x, w in [([1, np.nan], [1, 1]), ([1, 2], [1, -1]), ([1, 2], [1, np.nan])]:
        with pytest.raises(ValueError, match="no value"):
            distribution(x, w)
    assert distribution([1, np.nan], [1, 1], np.array([0, -1])).quantile(1)[0] == 1
