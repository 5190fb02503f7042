"""Small areas: the Fay–Herriot model, which draws an area's uncertain direct estimate towards areas like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safercities.model.errors import UsageError, problem

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: How the variance between areas is estimated.
Method = Literal["reml", "ml", "moment"]

#: Areas with a usable direct estimate that are needed beyond the coefficients: two, or no variance can be told apart.
SPARE = 2
#: Points at which the likelihood is looked at before its best one is refined: it may have several tops.
_POINTS = 96


@dataclass(frozen=True)
class FayHerriot:
    """A fitted area-level model and its estimates; every array has one entry an area, in the order given.

    Parameters
    ----------
    eblup
        Estimates: `gamma` of the direct one and the rest of the regression; the regression alone where `synthetic`.
    mse
        Estimated mean squared error of each.
    gamma
        Weight of the direct estimate, σ² / (σ² + ψ); 0 where `synthetic`.
    regression
        What the model expects of an area with these covariates, x'β.
    synthetic
        Areas without a usable direct estimate.
    beta, beta_covariance
        Coefficients (p,) and their covariance (p, p) with σ² as if known.
    sigma2
        Variance between areas that the covariates do not explain. 0: chance alone explains what is seen.
    """

    eblup: Floats
    mse: Floats
    gamma: Floats
    regression: Floats
    synthetic: Mask
    beta: Floats
    beta_covariance: Floats
    sigma2: float
    method: Method

    @property
    def areas(self) -> int:
        """Number of areas on whose direct estimates the model rests."""
        return int(np.count_nonzero(~self.synthetic))


def fay_herriot(
    direct: ArrayLike, variance: ArrayLike, x: ArrayLike | None = None, *, method: Method = "reml"
) -> FayHerriot:
    """Empirical best linear unbiased predictors of area means: y = x'β + v + e, var(v) = σ², var(e) = ψ known.

    Rules
    -----
    - An area whose direct estimate or variance is missing (NaN), or whose variance is 0, takes no part in the fit and
      gets the synthetic estimate x'β. A variance of 0 is not certainty: nobody, or everybody, of a few respondents
      said yes. Whoever has a better variance for such an area (a pooled one) gives that.
    - Where σ² is estimated as 0 every area gets x'β (`gamma` 0). The MSE keeps its term for not knowing σ²; it is known
      to be too small there when areas are few.
    - The model is linear on the scale given: estimates of proportions may leave 0 to 1 where areas differ much.
    - ψ counts as known. Variances of few respondents are themselves uncertain; smooth them first.

    The MSE is estimated to second order: g1 + g2 + 2 g3 for REML, less the bias of σ² times the derivative of g1 for ML
    and the moment estimator (where that would leave nothing, it is not subtracted). For synthetic areas it is
    σ² + x' cov(β) x.

    Source: Fay & Herriot (1979), Journal of the American Statistical Association 74: 269–277; Prasad & Rao (1990),
    same journal 85: 163–171; Datta & Lahiri (2000), Statistica Sinica 10: 613–627; Datta, Rao & Smith (2005),
    Biometrika 92: 183–196; Rao & Molina (2015), Small area estimation, 2nd ed., chapter 6.

    Parameters
    ----------
    direct, variance
        Direct estimates and their design variances (m,); NaN where there is none.
    x
        Covariates (m, p), known for every area, with a column of ones where an intercept is wanted; without it the
        intercept alone.
    method
        `reml`, `ml`, or `moment` (Fay and Herriot's own).

    Raises
    ------
    UsageError
        If there are fewer than p + 2 areas with usable direct estimates, a covariate is missing or tells nothing that
        the others do not, or a variance is negative.

    Examples
    --------
    >>> fit = fay_herriot([12.0, 9.0, 20.0, 14.0, 3.0, float("nan")], [4.0, 9.0, 25.0, 4.0, 16.0, float("nan")])
    >>> fit.eblup.round(2), fit.gamma.round(2)
    (array([11.87, 10.06, 14.26, 13.37,  7.82, 11.48]), array([0.75, 0.57, 0.33, 0.75, 0.43, 0.  ]))
    """
    y, psi, covariates = _checked(direct, variance, x)
    usable = np.isfinite(y) & np.isfinite(psi) & (psi > 0)
    count = covariates.shape[1]
    if np.count_nonzero(usable) < count + SPARE:
        raise UsageError(problem("small-areas-few", areas=int(np.count_nonzero(usable)), needed=count + SPARE))
    back = _orthonormal(covariates[usable])
    z = covariates @ back
    model = _Model(y[usable], psi[usable], z[usable])
    sigma2 = _SIGMA2[method](model)
    weight, inverse, coefficients = model.fitted(sigma2)
    regression = z @ coefficients
    gamma = np.zeros(y.size)
    gamma[usable] = sigma2 * weight
    return FayHerriot(
        eblup=regression + gamma * np.where(usable, y - regression, 0.0),
        mse=_mse(model, sigma2, method, usable, z, inverse),
        gamma=gamma,
        regression=regression,
        synthetic=~usable,
        beta=back @ coefficients,
        beta_covariance=back @ inverse @ back.T,
        sigma2=sigma2,
        method=method,
    )


def _checked(direct: ArrayLike, variance: ArrayLike, x: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    y, psi = np.asarray(direct, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    covariates = np.ones((y.size, 1)) if x is None else np.asarray(x, dtype=np.float64)
    if y.ndim != 1 or psi.shape != y.shape or covariates.ndim != 2 or len(covariates) != len(y):
        raise ValueError("one direct estimate, one variance and one row of covariates an area are needed")
    if np.any(psi < 0):
        raise UsageError(problem("small-areas-variance"))
    if not np.isfinite(covariates).all():
        raise UsageError(problem("small-areas-covariate", areas=int((~np.isfinite(covariates).all(axis=1)).sum())))
    return y, psi, covariates


def _orthonormal(x: Floats) -> Floats:
    """The matrix (p, p) that makes the columns of x orthonormal: counts and shares then fit into one model."""
    size = np.sqrt((x**2).sum(axis=0))
    triangle = np.linalg.qr(x / np.where(size > 0, size, 1.0), mode="r")
    if np.any(size == 0) or np.any(np.abs(np.diag(triangle)) < 1e-10):
        raise UsageError(problem("small-areas-collinear"))
    return np.asarray(np.linalg.inv(triangle) / size[:, None])


@dataclass(frozen=True)
class _Model:
    """The areas that take part in the fit."""

    y: Floats
    psi: Floats
    x: Floats

    def fitted(self, sigma2: float) -> tuple[Floats, Floats, Floats]:
        """Weights 1 / (σ² + ψ), covariance of the coefficients, coefficients."""
        weight = 1.0 / (sigma2 + self.psi)
        inverse = np.asarray(np.linalg.inv(self.x.T @ (weight[:, None] * self.x)))
        return weight, inverse, inverse @ (self.x.T @ (weight * self.y))

    def residuals(self, sigma2: float) -> tuple[Floats, Floats, Floats]:
        weight, inverse, coefficients = self.fitted(sigma2)
        return weight, inverse, self.y - self.x @ coefficients

    def log_likelihood(self, sigma2: Floats, restricted: bool) -> Floats:
        """At several values of σ² at once (k,), up to a constant."""
        weight = 1.0 / (sigma2[:, None] + self.psi)
        square = np.einsum("ki,ip,iq->kpq", weight, self.x, self.x)
        coefficients = np.linalg.solve(square, (weight * self.y @ self.x)[:, :, None])[:, :, 0]
        rest = self.y - coefficients @ self.x.T
        fit = np.log(weight).sum(axis=1) - (weight * rest**2).sum(axis=1)
        return np.asarray(fit - np.linalg.slogdet(square)[1] * restricted) / 2.0

    def score(self, sigma2: float, restricted: bool) -> float:
        """Derivative of the log-likelihood by σ²."""
        weight, inverse, rest = self.residuals(sigma2)
        used = np.trace(inverse @ (self.x.T @ (weight[:, None] ** 2 * self.x))) if restricted else 0.0
        return float((((weight * rest) ** 2).sum() - weight.sum() + used) / 2.0)

    def excess(self, sigma2: float) -> float:
        """Weighted sum of squared residuals less what is expected of it: falls as σ² grows."""
        weight, _, rest = self.residuals(sigma2)
        return float((weight * rest**2).sum() - (self.x.shape[0] - self.x.shape[1]))

    @property
    def most(self) -> float:
        """A bound of σ²: at the residual sum of squares of unweighted regression plus the largest ψ all scores fall."""
        rest = self.y - self.x @ (self.x.T @ self.y)
        return float((rest**2).sum() + self.psi.max())


def _likelihood(model: _Model, restricted: bool) -> float:
    """σ² at the highest top of the likelihood; 0 where that is at the edge."""
    points = np.concatenate([[0.0], np.geomspace(1e-4 * model.psi.min(), model.most, _POINTS)])
    best = int(np.argmax(model.log_likelihood(points, restricted)))
    rising = model.score(float(points[best]), restricted) > 0
    low = best if rising else max(best - 1, 0)
    return _root(lambda s: model.score(s, restricted), float(points[low]), float(points[min(low + 1, _POINTS)]))


def _moment(model: _Model) -> float:
    return _root(model.excess, 0.0, model.most)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0; `low` where it is below 0 from there on."""
    from scipy.optimize import brentq

    if falling(low) <= 0:
        return low
    return float(brentq(falling, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=500))


_SIGMA2: dict[Method, Callable[[_Model], float]] = {
    "reml": lambda model: _likelihood(model, restricted=True),
    "ml": lambda model: _likelihood(model, restricted=False),
    "moment": _moment,
}


def _mse(model: _Model, sigma2: float, method: Method, usable: Mask, z: Floats, inverse: Floats) -> Floats:
    """Mean squared errors, to second order; see `fay_herriot`."""
    leverage = np.einsum("ij,jk,ik->i", z, inverse, z)
    weight = 1.0 / (sigma2 + model.psi)
    shrink = model.psi * weight
    uncertain, bias = _precision(model, weight, inverse, method)
    plain = shrink * sigma2 + shrink**2 * (leverage[usable] + 2.0 * weight * uncertain)
    corrected = plain - bias * shrink**2
    mse = sigma2 + leverage
    mse[usable] = np.where(corrected > 0, corrected, plain)
    return np.asarray(mse)


def _precision(model: _Model, weight: Floats, inverse: Floats, method: Method) -> tuple[float, float]:
    """Asymptotic variance and bias of the estimate of σ²."""
    one, two = float(weight.sum()), float((weight**2).sum())
    if method == "moment":
        size = len(weight)
        return 2.0 * size / one**2, 2.0 * (size * two - one**2) / one**3
    bias = -np.trace(inverse @ (model.x.T @ (weight[:, None] ** 2 * model.x))) / two if method == "ml" else 0.0
    return 2.0 / two, float(bias)
