"""Weights tied to population totals: post-stratification, raking, linear and bounded calibration, with their residuals.

Each way gives new weights, and the `Projection` whose residuals stand in for the variable when its variance is
linearised: what the population totals already tell carries no sampling error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.sampling.distances import RANK, Basis, Distance, Goal, bounded, link_of
from safercities.sampling.margins import Margin, crossed
from safercities.sampling.projection import Projection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: R's survey takes the (unweighted) means of the margins out ten times, one after the other.
ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Weights that reach the population totals.

    Parameters
    ----------
    weights
        The new weights; shape (n,).
    projections
        Whose residuals are taken, in this order, before variances are made.
    problems
        What the user should know: weights below 0.
    """

    weights: Floats
    projections: tuple[Projection, ...]
    problems: tuple[Problem, ...] = ()

    def residuals(self, z: ArrayLike) -> Floats:
        """The linearised variable z after all projections; shape of z."""
        return reduce(lambda left, one: one.residuals(left), self.projections, np.asarray(z, dtype=np.float64))


def poststratify(weights: ArrayLike, by: Margin) -> Calibrated:
    """Post-stratification: in each group the weights are multiplied by what makes them reach its population.

    Source: Holt & Smith (1979), Post stratification, Journal of the Royal Statistical Society A 142: 33–46. Residuals:
    deviations from the weighted mean of the group, as in R survey `postStratify`.

    Parameters
    ----------
    weights
        Shape (n,), above 0.
    by
        One margin; several crossed dimensions make one.

    Examples
    --------
    >>> from safercities.sampling.margins import margin
    >>> poststratify([1, 1, 2], margin("sex", [["F", "M", "M"]], {"F": 10, "M": 9})).weights
    array([10.,  3.,  6.])
    """
    start = _weights(weights, len(by.codes))
    sums = by.of(start)
    projection = Projection(start, np.diag(1 / sums), codes=by.codes[None, :])
    return Calibrated(start * (by.totals / sums)[by.codes], (projection,))


def rake(
    weights: ArrayLike,
    margins: Sequence[Margin],
    *,
    tolerance: float = 1e-11,
    change: float | None = None,
    iterations: int = 1000,
    residuals: Literal["weighted", "rounds"] = "weighted",
) -> Calibrated:
    """Raking (iterative proportional fitting): post-stratification by each margin in turn until all are reached.

    Source: Deming & Stephan (1940), Annals of Mathematical Statistics 11: 427–444; variance: Deville & Särndal (1992),
    Calibration estimators in survey sampling, Journal of the American Statistical Association 87: 376–382.

    Parameters
    ----------
    weights
        Shape (n,), above 0.
    margins
        One or more; their totals add up to the same population.
    tolerance
        The largest relative gap between a total and the sum of weights that is left.
    change
        In place of `tolerance`: stop when no combination of groups moves by so much in a round. R survey `rake` stops
        at 1 (with at most 10 rounds), which leaves the margins only nearly reached.
    iterations
        Rounds before it is given up.
    residuals
        ``weighted``: of the regression on all margins at once, weighted by the weights before raking.
        ``rounds``: as R survey `rake`, unweighted means of one margin after the other, ten times. Both agree where
        all weights were equal; where they differ much, ``rounds`` may be far from the true error (see the tests).

    Raises
    ------
    SafercitiesError
        If the margins are of different populations (names both), or are not reached: names the margin and its group.

    Examples
    --------
    >>> from safercities.sampling.margins import margin
    >>> sex = margin("sex", [["F", "F", "M", "M"]], {"F": 60, "M": 40})
    >>> age = margin("age", [["15-29", "30+", "15-29", "30+"]], {"15-29": 30, "30+": 70})
    >>> rake([1, 2, 3, 4], [sex, age]).weights.round(3)
    array([15.934, 44.066, 14.066, 25.934])
    """
    start = _weights(weights, len(margins[0].codes))
    _same_population(margins, tolerance if change is None else 1e-9)
    cell, codes = crossed([one.codes for one in margins])
    before = np.asarray(np.bincount(cell, start), dtype=np.float64)
    cells, ratios = _fitted(before, codes, margins, _Stop(tolerance, change, iterations))
    made = start * (cells / before)[cell]
    joint = residuals == "weighted"
    return Calibrated(made, (_joint(start, margins),) if joint else _rounds(margins, ratios))


def variables(
    margins: Sequence[Margin], numbers: Mapping[str, tuple[ArrayLike, float]]
) -> tuple[Floats, Floats, list[str]]:
    """Variables of `calibrate` from margins (an indicator for each group) and numbers with their population totals.

    Returns
    -------
    x, totals, names
        Shapes (n, P), (P,), (P,).

    Examples
    --------
    >>> from safercities.sampling.margins import margin
    >>> x, totals, names = variables([margin("sex", [["F", "M"]], {"F": 6, "M": 4})], {"age": ([20, 40], 310)})
    >>> totals, names
    (array([  6.,   4., 310.]), ['sex: F', 'sex: M', 'age'])
    """
    columns = [one.codes == at for one in margins for at in range(len(one.totals))]
    columns += [np.asarray(values, dtype=np.float64) for values, _ in numbers.values()]
    totals = [
        *(float(total) for one in margins for total in one.totals),
        *(float(total) for _, total in numbers.values()),
    ]
    names = [f"{one.name}: {category}" for one in margins for category in one.categories]
    return np.column_stack(columns).astype(np.float64), np.array(totals), [*names, *numbers]


def calibrate(
    weights: ArrayLike,
    x: ArrayLike,
    totals: ArrayLike,
    names: Sequence[str],
    *,
    distance: Distance = "linear",
    bounds: tuple[float, float] | None = None,
    tolerance: float = 1e-10,
    iterations: int = 100,
) -> Calibrated:
    """Calibration: the weights nearest to the given ones whose sums of x reach the population totals.

    Without bounds and with the linear distance this is the generalised regression estimator (GREG).

    Source: Deville & Särndal (1992), Calibration estimators in survey sampling, Journal of the American Statistical
    Association 87: 376–382 (linear, truncated linear, raking and logit distances). Residuals: of the regression
    weighted by the weights before, as R survey `calibrate`.

    Parameters
    ----------
    weights
        Shape (n,), above 0.
    x
        Variables; shape (n, P). A column of ones ties the size of the population. A variable that follows from others
        is allowed where the totals agree.
    totals
        Population totals of the variables; shape (P,).
    names
        What problems call the variables.
    distance, bounds
        `bounds` (lower, upper) keep each new weight between so many times the old one.
    tolerance
        The largest gap left, relative to the total (or to Σ w |x| where that is larger).

    Raises
    ------
    SafercitiesError
        If a value or a total is missing, the totals contradict each other, or cannot be reached: names the variable.
    UsageError
        If the bounds do not lie on both sides of 1.

    Examples
    --------
    >>> x = np.array([[1, 20], [1, 30], [1, 70]])
    >>> calibrate([10, 10, 10], x, [33, 1200], ["1", "age"]).weights.round(3)
    array([12.714, 11.857,  8.429])
    """
    matrix, wanted = np.asarray(x, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    start = _weights(weights, len(matrix))
    _complete(matrix, wanted, names)
    basis = _orthonormal(matrix, start, wanted, names)
    projection = Projection(start, np.eye(basis.x.shape[1]), columns=basis.x)
    if distance == "linear" and bounds is None:
        factors = 1 + basis.x @ (basis.totals - basis.x.T @ start)
    else:
        factors = bounded(start, basis, link_of(distance, bounds), Goal(matrix, wanted, names, tolerance, iterations))
    made = start * factors
    return Calibrated(made, (projection,), _negative(factors))


def _weights(weights: ArrayLike, rows: int) -> Floats:
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (rows,):
        raise ValueError(f"weights of shape {given.shape} for {rows} rows")
    if bad := int(np.count_nonzero(~((given > 0) & np.isfinite(given)))):
        raise SafercitiesError(problem("calibration-weight", rows=bad))
    return given


# ---- raking ----------------------------------------------------------------------------------------------------------


class _Stop(NamedTuple):
    """When raking ends."""

    tolerance: float
    change: float | None
    iterations: int


def _same_population(margins: Sequence[Margin], tolerance: float) -> None:
    first = margins[0]
    for one in margins[1:]:
        if abs(one.sum - first.sum) > 0.5 * tolerance * first.sum:
            raise SafercitiesError(
                problem(
                    "calibration-sums",
                    margin=one.name,
                    sum=f"{one.sum:.12g}",
                    against=first.name,
                    against_sum=f"{first.sum:.12g}",
                )
            )


def _fitted(cells: Floats, codes: Ints, margins: Sequence[Margin], stop: _Stop) -> tuple[Floats, list[Floats]]:
    """Cells that reach the margins, and by what each margin multiplied its groups in the last round."""
    for _ in range(stop.iterations):
        before, ratios = cells, []
        for one, code in zip(margins, codes, strict=True):
            ratio = one.totals / np.maximum(np.bincount(code, cells, len(one.totals)), np.finfo(float).tiny)
            cells = cells * ratio[code]
            ratios.append(ratio)
        if stop.change is not None:
            if np.max(np.abs(cells - before)) < stop.change:
                return cells, ratios
        elif max(gap.max() for gap in _gaps(cells, codes, margins)) <= stop.tolerance:
            return cells, ratios
    raise SafercitiesError(_not_reached(cells, codes, margins, stop.iterations))


def _gaps(cells: Floats, codes: Ints, margins: Sequence[Margin]) -> list[Floats]:
    """Relative gap of each group of each margin."""
    pairs = zip(margins, codes, strict=True)
    return [np.abs(np.bincount(code, cells, len(one.totals)) / one.totals - 1) for one, code in pairs]


def _not_reached(cells: Floats, codes: Ints, margins: Sequence[Margin], rounds: int) -> Problem:
    gaps = _gaps(cells, codes, margins)
    worst = int(np.argmax([gap.max() for gap in gaps]))
    group, one = int(np.argmax(gaps[worst])), margins[worst]
    reached = np.bincount(codes[worst], cells, len(one.totals))[group]
    return problem(
        "calibration-not-converged",
        margin=one.name,
        category=one.categories[group],
        reached=f"{reached:.8g}",
        wanted=f"{one.totals[group]:.8g}",
        rounds=rounds,
    )


def _joint(v: Floats, margins: Sequence[Margin]) -> Projection:
    """Regression on the indicators of all margins at once."""
    starts = np.cumsum([0, *(len(one.totals) for one in margins)])
    codes = np.stack([one.codes + start for one, start in zip(margins, starts, strict=False)])
    width = int(starts[-1])
    gram = np.zeros(width * width)
    for one in codes:
        for other in codes:
            gram += np.bincount(one * width + other, v, width * width)
    square = gram.reshape(width, width)
    size = 1 / np.sqrt(np.diag(square))  # to a correlation-like matrix first: its rank can be told
    inverse = np.linalg.pinv(square * np.outer(size, size), rcond=RANK, hermitian=True) * np.outer(size, size)
    return Projection(v, inverse, codes=codes)


def _rounds(margins: Sequence[Margin], ratios: Sequence[Floats]) -> tuple[Projection, ...]:
    """As R: means by margin of w z over the weights that this margin left in the last round."""
    later = np.ones(len(margins[0].codes))
    found = []
    for one, ratio in zip(reversed(margins), reversed(ratios), strict=True):
        size = 1 / later  # weights after this margin, over the final ones
        counts = np.bincount(one.codes, minlength=len(one.totals))
        found.append(Projection(later**2, np.diag(1 / counts), codes=one.codes[None, :], size=size))
        later = later * ratio[one.codes]
    return tuple(reversed(found)) * ROUNDS


# ---- calibration -----------------------------------------------------------------------------------------------------


def _complete(x: Floats, totals: Floats, names: Sequence[str]) -> None:
    if x.ndim != 2 or not x.shape[1] == len(totals) == len(names):
        raise ValueError(f"{x.shape} variables, {len(totals)} totals, {len(names)} names")
    bad = np.count_nonzero(~np.isfinite(x), axis=0)
    gaps, wrong = np.flatnonzero(bad).tolist(), np.flatnonzero(~np.isfinite(totals)).tolist()
    found = [problem("calibration-missing", rows=int(bad[at]), margin=names[at]) for at in gaps]
    found += [problem("calibration-total-number", margin=names[at], given=totals[at]) for at in wrong]
    if found:
        raise SafercitiesError(found)


def _orthonormal(x: Floats, start: Floats, totals: Floats, names: Sequence[str]) -> Basis:
    """Orthonormal regressors, and what their totals must be."""
    root = np.sqrt(start)[:, None]
    norm = np.sqrt(start @ x**2)
    length = np.where(norm > 0, norm, 1)
    q, r = np.linalg.qr(x / length * root)
    left, singular, right = np.linalg.svd(r)
    kept = singular > RANK * singular[0]
    basis = q @ left[:, kept] / root
    along = right[kept] * singular[kept, None]  # x / length = basis @ along
    target = (right[kept] @ (totals / length)) / singular[kept]
    reached = (target @ along) * length
    gap = np.abs(reached - totals) / np.maximum(np.abs(totals), start @ np.abs(x) + (norm == 0))
    if np.max(gap) > 1e-9:
        worst = int(np.argmax(gap))
        there, wanted = f"{reached[worst]:.8g}", f"{totals[worst]:.8g}"
        raise SafercitiesError(problem("calibration-contradiction", name=names[worst], reached=there, wanted=wanted))
    return Basis(basis, target)


def _negative(factors: Floats) -> tuple[Problem, ...]:
    bad = int(np.count_nonzero(factors <= 0))
    return (problem("calibration-negative", respondents=bad, lowest=f"{factors.min():.3g}"),) if bad else ()
