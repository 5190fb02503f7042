"""Fay–Herriot: against independent computations on published data, by simulation, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.errors import UsageError
from safercities.sampling.small_areas import FayHerriot, Method, fay_herriot

# Fresh milk expenditure in 43 areas: Arora & Lahiri (1997), Statistica Sinica 7: 1053–1063, with the major areas of
# You & Chapman (2006), Survey Methodology 32: 97–103; the example of R's package sae.
DIRECT = [1.099, 1.075, 1.105, 0.628, 0.753, 0.981, 1.257, 1.095, 1.405, 1.356, 0.615, 1.46, 1.338, 0.854, 1.176, 1.111,
          1.257, 1.43, 1.278, 1.292, 1.002, 1.183, 1.044, 1.267, 1.193, 0.791, 0.795, 0.759, 0.796, 0.565, 0.886, 0.952,
          0.807, 0.582, 0.684, 0.787, 0.44, 0.759, 0.77, 0.8, 0.756, 0.865, 0.64]  # fmt: skip
SE = [0.163, 0.08, 0.083, 0.109, 0.119, 0.141, 0.202, 0.127, 0.168, 0.178, 0.1, 0.201, 0.148, 0.143, 0.149, 0.145,
      0.135, 0.172, 0.137, 0.163, 0.125, 0.247, 0.14, 0.171, 0.106, 0.121, 0.121, 0.259, 0.106, 0.089, 0.225, 0.205,
      0.119, 0.067, 0.106, 0.126, 0.092, 0.132, 0.1, 0.113, 0.083, 0.121, 0.129]  # fmt: skip
MAJOR = np.repeat([1, 2, 3, 4], [7, 7, 11, 18])

# R 4.2.2, own script with full matrices (n × n covariance, projection P): σ² as the root (uniroot, tolerance 1e-16) of
# −½ tr(P) + ½ y'PPy (reml), −½ tr(V⁻¹) + ½ y'PPy (ml), Σ r²/(σ² + ψ) − (m − p) (moment); optimise() of the two
# likelihoods agrees to 9 digits. Then EBLUP = Xβ + σ² V⁻¹ (y − Xβ), and the MSE by g1, g2, g3 of Datta, Rao & Smith.
# Areas 1, 2, 11, 43 and the sum of all.
REFERENCE = {
    "reml": (
        0.0185503347627667,
        [0.968188986974965, 0.132780305456738, 0.226946224520593, -0.241301039944631],
        [1.02197054415062, 1.04760195144234, 0.785214919183879, 0.681086885060739, 40.7145783288438],
        [0.0134602564596456, 0.00537287973293314, 0.00769426999982899, 0.00990364779688791, 0.457280526729967],
    ),
    "ml": (
        0.0155175087124194,
        [0.967798625551161, 0.127875517563521, 0.226690886798658, -0.242580426338673],
        [1.01617323616576, 1.04369677090244, 0.803370325854239, 0.684097693266086, 40.6376216023337],
        [0.0135799384231697, 0.00551286736321102, 0.00791109255279583, 0.010037131488457, 0.462887962021465],
    ),
    "moment": (
        0.0164202636541285,
        [0.967901149597949, 0.129450184752717, 0.226791025351524, -0.242151786861437],
        [1.01797592421317, 1.04496385962223, 0.797568705848358, 0.683160937834271, 40.6618698413417],
        [0.012757013880816, 0.0053144664818354, 0.00755833096221734, 0.00948421896461057, 0.436052528763273],
    ),
}


def milk(method: Method = "reml", order: np.ndarray | None = None) -> FayHerriot:
    x = np.column_stack([np.ones(43), *(code == MAJOR for code in (2, 3, 4))])
    order = np.arange(43) if order is None else order
    return fay_herriot(np.array(DIRECT)[order], np.array(SE)[order] ** 2, x[order], method=method)


@pytest.mark.parametrize("method", ["reml", "ml", "moment"])
def test_milk_is_as_in_r(method: Method) -> None:
    sigma2, beta, eblup, mse = REFERENCE[method]
    fit = milk(method)
    chosen = [0, 1, 10, 42]
    assert fit.sigma2 == pytest.approx(sigma2, rel=1e-12)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-11)
    np.testing.assert_allclose([*fit.eblup[chosen], fit.eblup.sum()], eblup, rtol=1e-11)
    np.testing.assert_allclose([*fit.mse[chosen], fit.mse.sum()], mse, rtol=1e-11)
    assert fit.areas == 43
    assert not fit.synthetic.any()


def test_an_area_without_a_usable_estimate_gets_the_regression_and_changes_nothing_else() -> None:
    whole = milk()
    x = np.column_stack([np.ones(46), *(np.append(MAJOR, [2, 4, 4]) == code for code in (2, 3, 4))])
    nan = float("nan")
    more = fay_herriot([*DIRECT, nan, 0.0, 1.0], [*(se**2 for se in SE), nan, 0.0, nan], x)
    np.testing.assert_allclose(more.eblup[:43], whole.eblup, rtol=1e-12)
    np.testing.assert_allclose(more.mse[:43], whole.mse, rtol=1e-12)
    assert more.synthetic.tolist() == [False] * 43 + [True] * 3
    np.testing.assert_allclose(more.eblup[43:], [whole.beta[0] + whole.beta[1], *2 * [whole.beta[0] + whole.beta[3]]])
    row = np.array([1.0, 1.0, 0.0, 0.0])
    assert more.mse[43] == pytest.approx(whole.sigma2 + row @ whole.beta_covariance @ row)
    assert more.gamma[43:].tolist() == [0.0, 0.0, 0.0]


def test_equal_variances_have_a_closed_form() -> None:
    """With ψ all equal and an intercept, REML is max(0, s² − ψ), and the EBLUP the James–Stein form."""
    y = np.array([3.0, 8.0, 5.0, 9.0, 1.0, 4.0, 12.0, 6.0])
    fit = fay_herriot(y, np.full(8, 2.0))
    sigma2 = y.var(ddof=1) - 2.0
    assert fit.sigma2 == pytest.approx(sigma2, rel=1e-12)
    np.testing.assert_allclose(fit.eblup, y.mean() + sigma2 / (sigma2 + 2.0) * (y - y.mean()), rtol=1e-12)
    g1, g2, g3 = sigma2 * 2 / (sigma2 + 2), (2 / (sigma2 + 2)) ** 2 * (sigma2 + 2) / 8, 4 / (sigma2 + 2) * 2 / 8
    np.testing.assert_allclose(fit.mse, g1 + g2 + 2 * g3, rtol=1e-12)


@pytest.mark.parametrize("method", ["reml", "ml", "moment"])
def test_where_chance_explains_all_every_area_gets_the_mean(method: Method) -> None:
    fit = fay_herriot([5.0, 5.1, 4.9, 5.05, 4.95, 5.0, 5.02], np.full(7, 4.0), method=method)
    assert fit.sigma2 == 0.0
    np.testing.assert_allclose(fit.eblup, np.mean([5.0, 5.1, 4.9, 5.05, 4.95, 5.0, 5.02]))
    assert (fit.mse > 0).all()
    assert (fit.mse < 4.0).all()


def test_two_tops_of_the_likelihood_the_higher_one_is_taken() -> None:
    """Some precise areas that agree and vague ones that do not: the score has more than one root."""
    rng = np.random.default_rng(11)
    for _ in range(20):
        psi = np.concatenate([np.full(6, 1e-3), np.full(6, 50.0)])
        y = np.concatenate([rng.normal(0, 0.05, 6), rng.normal(0, 40.0, 6)])
        fit = fay_herriot(y, psi)
        tried = np.concatenate([[0.0], np.geomspace(1e-6, 1e5, 1000)])
        assert _restricted(fit.sigma2, y, psi) >= max(_restricted(s, y, psi) for s in tried) - 1e-9


def _restricted(sigma2: float, y: np.ndarray, psi: np.ndarray) -> float:
    v = sigma2 + psi
    mean = (y / v).sum() / (1 / v).sum()
    return -0.5 * float(np.log(v).sum() + np.log((1 / v).sum()) + ((y - mean) ** 2 / v).sum())


@pytest.mark.parametrize("method", ["reml", "ml", "moment"])
def test_mse_is_near_the_true_one_and_the_estimates_beat_the_direct_ones(method: Method) -> None:
    """1000 draws of 30 areas, σ² = 1, ψ from 0.5 to 2 (the pattern that Datta, Rao & Smith simulated, widened)."""
    rng = np.random.default_rng(2023)
    psi = np.repeat([0.5, 0.75, 1.0, 1.5, 2.0], 6)
    x = np.column_stack([np.ones(30), rng.normal(size=30)])
    errors, estimated, direct, covered = [], [], [], []
    for _ in range(1000):
        truth = x @ [10.0, 2.0] + rng.normal(size=30)
        y = truth + rng.normal(size=30) * np.sqrt(psi)
        fit = fay_herriot(y, psi, x, method=method)
        errors.append((fit.eblup - truth) ** 2)
        estimated.append(fit.mse)
        direct.append((y - truth) ** 2)
        covered.append(np.abs(fit.eblup - truth) <= 1.959964 * np.sqrt(fit.mse))
    true, mean = np.mean(errors, axis=0), np.mean(estimated, axis=0)
    groups = np.arange(30) // 6
    ratio = np.bincount(groups, mean) / np.bincount(groups, true)
    assert (np.abs(ratio - 1) < 0.08).all(), ratio
    assert (true < np.mean(direct, axis=0)).all()
    assert 0.93 < np.mean(covered) < 0.965


@given(st.randoms(use_true_random=False))
def test_order_of_the_areas_does_not_matter(random) -> None:  # type: ignore[no-untyped-def]
    order = np.array(random.sample(range(43), 43))
    np.testing.assert_allclose(milk(order=order).eblup, milk().eblup[order], rtol=1e-9)


@given(st.floats(1e-6, 1e6), st.floats(1e-9, 1e9))
def test_units_do_not_matter(unit: float, size: float) -> None:
    """Estimates in other units, and a covariate (population, say) of any size."""
    x = np.column_stack([np.ones(43), np.arange(43) % 5])
    one = fay_herriot(DIRECT, np.square(SE), x)
    two = fay_herriot(np.array(DIRECT) * unit, np.square(SE) * unit**2, x * [1.0, size])
    np.testing.assert_allclose(two.eblup, one.eblup * unit, rtol=1e-7)
    np.testing.assert_allclose(two.mse, one.mse * unit**2, rtol=1e-7)
    np.testing.assert_allclose(two.beta * [1.0, size], one.beta * unit, rtol=1e-6, atol=1e-9 * unit)


@pytest.mark.parametrize(
    ("direct", "variance", "x", "code"),
    [
        ([1.0, 2.0], [1.0, 1.0], None, "small-areas-few"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0], None, "small-areas-few"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 1.0, 1.0], None, "small-areas-variance"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 5, [[1, 2]] * 5, "small-areas-collinear"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 5, [[1, 0]] * 5, "small-areas-collinear"),
        ([1.0, 2.0, 3.0, 4.0], [1.0] * 4, [[1], [np.nan], [1], [1]], "small-areas-covariate"),
    ],
)
def test_what_cannot_be_fitted_is_said(direct, variance, x, code) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError) as caught:
        fay_herriot(direct, variance, x)
    assert [one.code for one in caught.value.problems] == [code]


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one direct estimate, one variance"):
        fay_herriot([1.0, 2.0, 3.0], [1.0, 1.0])
