"""The residuals that a calibrated survey's variances are made of: what the population totals do not already tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Projection:
    """A weighted regression on the calibration variables: z less its fit, z − x G x′(v z), is the residual.

    Parameters
    ----------
    v
        Weights of the regression; shape (n,).
    gram_inverse
        G, the (generalised) inverse of x′ diag(v) x; shape (P, P).
    columns
        The regressors; shape (n, P). They span what the variables span, and may be another basis of it.
    codes
        In place of columns: for each margin the regressor of each row that is 1 (or `size`), all others being 0;
        shape (margins, n).
    size
        What stands in place of 1, where the regressors are no plain indicators; shape (n,).
    """

    v: Floats
    gram_inverse: Floats
    columns: Floats | None = None
    codes: Ints | None = None
    size: Floats | None = None

    @property
    def x(self) -> Floats:
        """The regressors in full; shape (n, P). Large for codes: `residuals` and `unit_totals` do without it."""
        if self.columns is not None:
            return self.columns
        return self._fit(np.eye(len(self.gram_inverse)))

    def cross(self, z: ArrayLike) -> Floats:
        """x′(v z); shape (P,) for one variable (n,), (P, K) for several (n, K)."""
        values = np.asarray(z, dtype=np.float64)
        weighted = values * (self.v if values.ndim == 1 else self.v[:, None])
        if self.codes is None:
            return np.asarray(self._columns().T @ weighted)
        if values.ndim == 1:
            return self._sums(weighted)
        return np.column_stack([self._sums(column) for column in weighted.T])

    def coefficients(self, z: ArrayLike) -> Floats:
        """The regression coefficients of z: G x′(v z); shape as `cross`."""
        return np.asarray(self.gram_inverse @ self.cross(z))

    def residuals(self, z: ArrayLike) -> Floats:
        """z less its fit; shape of z: (n,) or (n, K).

        Examples
        --------
        >>> groups = Projection(np.array([1.0, 1, 2]), np.diag([1, 1 / 3]), codes=np.array([[0, 1, 1]]))
        >>> groups.residuals([5.0, 1.0, 4.0])
        array([ 0., -2.,  1.])
        """
        return np.asarray(z, dtype=np.float64) - self._fit(self.coefficients(z))

    def unit_totals(self, weights: Floats, unit: Ints, units: int) -> Floats:
        """Σ w x over the rows of each sampling unit; shape (units, P).

        With B = `coefficients(z)`, Σ w times the residual is Σ w z − `unit_totals` @ B, for any number of z.
        """
        if self.codes is None:
            columns = self._columns()
            return np.column_stack([np.bincount(unit, weights * column, units) for column in columns.T])
        width = len(self.gram_inverse)
        sized = weights if self.size is None else weights * self.size
        flat = sum(np.bincount(unit * width + code, sized, units * width) for code in self.codes)
        return np.asarray(flat, dtype=np.float64).reshape(units, width)

    def _columns(self) -> Floats:
        if self.columns is None:
            raise ValueError("a projection needs columns or codes")
        return self.columns

    def _sums(self, values: Floats) -> Floats:
        assert self.codes is not None  # noqa: S101 - callers check
        sized = values if self.size is None else values * self.size
        width = len(self.gram_inverse)
        return np.asarray(sum(np.bincount(code, sized, width) for code in self.codes), dtype=np.float64)

    def _fit(self, coefficients: Floats) -> Floats:
        if self.codes is None:
            return np.asarray(self._columns() @ coefficients)
        fit = reduce(np.add, (coefficients[code] for code in self.codes))
        if self.size is None:
            return np.asarray(fit)
        return np.asarray(fit * (self.size if fit.ndim == 1 else self.size[:, None]))
