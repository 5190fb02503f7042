"""How far calibrated weights may lie from those before: distances, bounds, and the search within them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import Problem, SafercitiesError, UsageError, problem

Floats = NDArray[np.float64]
#: How far new weights may lie from old ones is measured by: squares, Deville and Särndal's logit, or ratios.
Distance = Literal["linear", "logit", "raking"]
#: Singular values below this share of the largest mean that a variable follows from the others.
RANK = 1e-11


class Basis(NamedTuple):
    """The space of the variables: regressors that are orthonormal under the weights, so that no digits are lost.

    x has the shape (n, r), `totals`, what their population totals must be, (r,).
    """

    x: Floats
    totals: Floats


class Goal(NamedTuple):
    """What a bounded calibration is to reach."""

    x: Floats
    totals: Floats
    names: Sequence[str]
    tolerance: float
    iterations: int


#: Factor on the weight, and its slope, at a value of the linear predictor.
Link = Callable[[Floats], tuple[Floats, Floats]]


def link_of(distance: Distance, bounds: tuple[float, float] | None) -> Link:
    """The link of a distance, kept within bounds."""
    lower, upper = bounds or (-np.inf if distance == "linear" else 0.0, np.inf)
    sides = lower < 1 < upper and (distance != "logit" or (np.isfinite(upper) and lower >= 0))
    if not sides or np.isnan(lower + upper):
        raise UsageError(problem("calibration-bounds-wrong", lower=lower, upper=upper))
    if distance == "logit":
        return lambda u: _logit(u, lower, upper)
    if distance == "raking":
        return lambda u: _clipped(np.exp(np.minimum(u, 700.0)), lower, upper, np.exp(np.minimum(u, 700.0)))
    return lambda u: _clipped(1 + u, lower, upper, np.ones_like(u))


def _clipped(factor: Floats, lower: float, upper: float, slope: Floats) -> tuple[Floats, Floats]:
    inside = (factor > lower) & (factor < upper)
    return np.clip(factor, lower, upper), np.where(inside, slope, 0.0)


def _logit(u: Floats, lower: float, upper: float) -> tuple[Floats, Floats]:
    """Deville & Särndal's case 6: an S curve from the lower to the upper bound, 1 with slope 1 at 0."""
    speed = (upper - lower) / ((1 - lower) * (upper - 1))
    growth = np.exp(np.clip(speed * u, -700.0, 700.0))
    below, above = upper - 1, (1 - lower) * growth
    factor = (lower * below + upper * above) / (below + above)
    return factor, speed * (factor - lower) * (upper - factor) / (upper - lower)


def bounded(start: Floats, basis: Basis, link: Link, goal: Goal) -> Floats:
    """Factors by Newton's method; a step that does not bring the totals nearer is halved."""
    scale = np.maximum(np.abs(goal.totals), start @ np.abs(goal.x))
    scale[scale == 0] = 1
    at = np.zeros(len(basis.totals))
    factor, slope = link(basis.x @ at)
    miss = basis.totals - basis.x.T @ (start * factor)
    for _ in range(goal.iterations):
        if np.max(np.abs(goal.x.T @ (start * factor) - goal.totals) / scale) <= goal.tolerance:
            return factor
        step = np.linalg.lstsq(basis.x.T @ (basis.x * (start * slope)[:, None]), miss, rcond=RANK)[0]
        for _ in range(30):
            factor, slope = link(basis.x @ (at + step))
            left = basis.totals - basis.x.T @ (start * factor)
            if np.linalg.norm(left) < np.linalg.norm(miss):
                break
            step = step / 2
        at, miss = at + step, left
    raise SafercitiesError(_not_reached(goal.x.T @ (start * factor), scale, goal))


def _not_reached(reached: Floats, scale: Floats, goal: Goal) -> Problem:
    worst = int(np.argmax(np.abs(reached - goal.totals) / scale))
    return problem(
        "calibration-bounds-tight",
        name=goal.names[worst],
        reached=f"{reached[worst]:.8g}",
        wanted=f"{goal.totals[worst]:.8g}",
        rounds=goal.iterations,
    )
