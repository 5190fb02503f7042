"""Designs made from designs: weights tied to population totals, and replicates, made or given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.sampling import calibration, margins, replicates
from safercities.sampling.calibration import Calibrated
from safercities.sampling.estimators import Sample
from safercities.sampling.margins import Margin
from safercities.sampling.replicates import Replicates
from safercities.sampling.spec import Replication
from safercities.sampling.sums import Axis
from safercities.sampling.table import text_of
from safercities.sampling.units import Floats, Ints

if TYPE_CHECKING:
    from safercities.sampling.design import Design

#: Replicate weights that are kept one by one (8 bytes each): where weights are tied again in each replicate.
MOST_WEIGHTS = 2 * 10**8

#: Weights of some rows (None: all) → the same tied to the population totals.
Tie = Callable[[Floats, Ints | None], Calibrated]


def poststratified(design: Design, by: Sequence[str], totals: Mapping[Any, float]) -> Design:
    """Weights tied to the population of each group of one breakdown."""
    names = (by,) if isinstance(by, str) else tuple(by)
    one = _margin(design, names, totals)
    return _tied(design, lambda w, rows: calibration.poststratify(w, _only(one, rows)))


def raked(design: Design, given: Mapping[str | tuple[str, ...], Mapping[Any, float]], **settings: Any) -> Design:
    """Weights tied to the population of several groupings; settings as `calibration.rake`."""
    if not given:
        raise UsageError(problem("survey-no-margins"))
    made = [_margin(design, (names,) if isinstance(names, str) else tuple(names), t) for names, t in given.items()]
    return _tied(design, lambda w, rows: calibration.rake(w, [_only(one, rows) for one in made], **settings))


def calibrated(design: Design, totals: Mapping[str, float | Mapping[Any, float]], **settings: Any) -> Design:
    """Weights tied linearly to totals of groups and numbers; settings as `calibration.calibrate`."""
    if not totals:
        raise UsageError(problem("survey-no-margins"))
    groups = [_margin(design, (name,), each) for name, each in totals.items() if isinstance(each, Mapping)]
    numbers = {
        name: (design.respondents.numbers(name), float(each) if isinstance(each, Real) else float("nan"))
        for name, each in totals.items()
        if not isinstance(each, Mapping)
    }
    x, wanted, names = calibration.variables(groups, numbers)

    def tie(weights: Floats, rows: Ints | None) -> Calibrated:
        return calibration.calibrate(weights, x if rows is None else x[rows], wanted, names, **settings)

    return _tied(design, tie)


def _margin(design: Design, names: tuple[str, ...], totals: Mapping[Any, float]) -> Margin:
    axes = [design.axis(name) for name in names]
    codes, used = margins.crossed([axis.codes.astype(np.int64) for axis in axes])
    seen = [_key(axes, row) for row in used.T.tolist()]
    wanted = {_plain(key): total for key, total in totals.items()}
    return margins.of_codes(" × ".join(names), codes, seen, wanted, file=design.respondents.file)


def _key(axes: Sequence[Axis], codes: Sequence[int]) -> str | tuple[str, ...]:
    labels = tuple(axis.labels[code] for axis, code in zip(axes, codes, strict=True))
    return labels if len(labels) > 1 else labels[0]


def _plain(key: Any) -> str | tuple[str, ...]:
    """A group as the columns' codes are written: 1 and 1.0 are “1”."""
    if isinstance(key, tuple):
        return tuple(text_of(part) for part in key) if len(key) > 1 else text_of(key[0])
    return text_of(key)


def _only(one: Margin, rows: Ints | None) -> Margin:
    if rows is None:
        return one
    codes = one.codes[rows]
    empty = np.flatnonzero(np.bincount(codes, minlength=len(one.totals)) == 0)
    if len(empty):
        group = one.categories[int(empty[0])]
        raise SafercitiesError(problem("survey-replicate-group", margin=one.name, category=group))
    return replace(one, codes=codes)


def _tied(design: Design, tie: Tie) -> Design:
    """The design with tied weights; where it has replicates, each is tied as well."""
    sample = design.sample
    made = tie(sample.weights, None)
    if sample.replicates is None:
        return design.with_weights(
            replace(sample, weights=made.weights, projections=(*sample.projections, *made.projections)), made.problems
        )
    full = _full_weights(sample)
    for number, weights in enumerate(full):
        rows = None if (weights > 0).all() else np.flatnonzero(weights > 0)
        got = tie(weights if rows is None else weights[rows], rows).weights
        full[number] = 0.0
        full[number, slice(None) if rows is None else rows] = got
    again = replace(sample.replicates, weights=full, multipliers=None, dropped=None, strata=None)
    return design.with_weights(replace(sample, weights=made.weights, replicates=again), made.problems)


def _full_weights(sample: Sample) -> Floats:
    """The weight of each respondent in each replicate; shape (R, n)."""
    made = cast(Replicates, sample.replicates)
    if made.size * len(sample.weights) > MOST_WEIGHTS:
        raise SafercitiesError(problem("survey-replicates-many", replicates=made.size, respondents=len(sample.weights)))
    if made.weights is not None:
        return made.weights.copy()
    return np.asarray(made.factors)[:, sample.units.psu_of[sample.unit]] * sample.weights


def jackknifed(design: Design) -> Design:
    """JK1 or JKn replicates."""
    strata, left, rule = _first_stage(design)
    rule = rule if rule in ("certainty", "remove") else "fail"
    made = replicates.jackknife(strata, left=left, lonely=cast(Any, rule), names=design.sample.units.strata)
    return design.with_weights(replace(design.sample, replicates=made))


def bootstrapped(design: Design, number: int, seed: int) -> Design:
    """Rao–Wu bootstrap replicates."""
    strata, left, _ = _first_stage(design)
    made = replicates.rao_wu(strata, number, seed, left=left, names=design.sample.units.strata)
    return design.with_weights(replace(design.sample, replicates=made))


def _first_stage(design: Design) -> tuple[Ints, Floats, str]:
    """Stratum of each PSU, share of each stratum that was not drawn, and the rule for lonely PSUs."""
    sample = design.sample
    if sample.projections:
        raise UsageError(problem("survey-replicate-first"))
    first = sample.units.stages[0]
    left = first.left
    return first.group_of, left, sample.units.rule


def replicated(design: Design, columns: Sequence[str], kind: str, settings: Mapping[str, Any]) -> Design:
    """Given replicate weights."""
    if design.sample.projections:
        raise UsageError(problem("survey-replicate-first"))
    if not columns:
        raise UsageError(problem("survey-no-replicates"))
    if kind not in (known := get_args(Replication)):
        raise UsageError(problem("survey-choice", what="kind of replicates", given=kind, known=", ".join(known)))
    weights = np.array([design.respondents.numbers(name) for name in columns])
    made = replicates.given(cast(Replication, kind), weights, design.weights, **settings)
    return design.with_weights(replace(design.sample, replicates=made))
