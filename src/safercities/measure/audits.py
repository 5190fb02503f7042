"""Safety audits → scores of places and breakdowns; intervals know that points of one walk resemble each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.records import DimensionInfo
from safercities.indicators.numerators import Ratings
from safercities.indicators.spec import Indicator, Version
from safercities.measure.breakdown import unplaced
from safercities.measure.rewrite import numbers, replaced
from safercities.measure.rows import KNOWN_ENOUGH
from safercities.measure.rubric import Rubric, rubric, scores
from safercities.measure.source import FINENESS, days_of
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import UNKNOWN, Estimates
from safercities.model.periods import Calendar, Period
from safercities.places.locate import Located
from safercities.sampling.design import Design, survey

Floats = NDArray[np.float64]
METHOD = "weighted mean of points, clustered by walk, Student interval"
#: A standard error below this share of the scale is no spread at all.
STILL = 1e-12


@dataclass(frozen=True)
class AuditsSource:
    """Located audits of one source.

    Parameters
    ----------
    name, label
        Name of the source, and what people read.
    table
        Audited points: `when`, `weight`, `walk` where known, `rating_<parameter>` (NaN or null: not rated), the
        dimensions, and `place_<level>` for each level.
    dimensions, levels
        What the points can be broken down by.
    precision
        How exact the dates are.
    rubric
        What was rated.
    rejected
        Share of the rows that were rejected.
    """

    name: str
    label: str
    table: pa.Table
    dimensions: Mapping[str, DimensionInfo]
    levels: tuple[str, ...] = ()
    precision: str = "day"
    rubric: Rubric = field(default_factory=rubric)
    rejected: float = 0.0

    @classmethod
    def from_located(cls, located: Located, by_rubric: Rubric | None = None) -> AuditsSource:
        """The source that collecting and locating gave."""
        records = located.collected
        if records.rows_read and not records.table.num_rows:
            raise SafercitiesError(problem("source-all-rejected", file=records.file, source=records.source))
        return cls(
            name=records.source,
            label=records.label,
            table=records.table,
            dimensions={info.name: info for info in records.dimensions},
            levels=located.levels,
            precision=records.precision,
            rubric=by_rubric or rubric(),
            rejected=records.rows_rejected / records.rows_read if records.rows_read else 0.0,
        )

    def lacking(self, parameters: Sequence[str]) -> tuple[str, ...]:
        """The parameters that no point has a rating of."""
        held = self.table.column_names
        return tuple(
            one
            for one in parameters
            if f"rating_{one}" not in held or self.table.column(f"rating_{one}").null_count == self.table.num_rows
        )

    def ratings(self, parameters: Sequence[str]) -> Floats:
        """Ratings of each point (n, parameters); NaN where not rated."""
        lost = self.lacking(parameters)
        columns = [
            np.full(self.table.num_rows, np.nan) if one in lost else numbers(self.table, f"rating_{one}")
            for one in parameters
        ]
        return np.column_stack(columns) if columns else np.zeros((self.table.num_rows, 0))


def measure_audits(
    indicators: Sequence[Indicator],
    source: AuditsSource,
    *,
    place: str,
    by: Sequence[Sequence[str]],
    period: str = "year",
    level: float = 0.95,
) -> Estimates:
    """Scores of safety audits: totals, and every breakdown asked for.

    A point's score is points × Σ w r / (best × Σ w) over the rubric's parameters (a single parameter: its rating). A
    point at which fewer parameters were rated than the rubric asks for (`at_least`; of some of the parameters: all of
    them) has no score: it is left out, and the note says how many. A value is the mean over points, weighted by the
    points' weights.

    The variance takes walks as clusters, drawn anew in each period: Student interval with clusters − 1 degrees of
    freedom, cut to the scale. From a single walk nothing is known of the spread between walks: the value stands
    without se and interval, flagged `single_psu`. So it does where all walks agree to the last digit: a few equal
    walks are no proof that there is no spread.

    With `place` among a breakdown there is a row for every place with points, and `_U.<level>` for points without one.
    `coverage` is the share of a period's points that have a score and of which the breakdown is known.

    Parameters
    ----------
    indicators
        Of kind `score`; each definition is used in the periods in which it is in force.
    place
        Id of the observatory's place, which stands for all points.
    by
        Breakdowns: each a list of dimensions of the source, and `place`. Totals are always made.
    period
        year, quarter, month, week or day.
    level
        Confidence level.

    Raises
    ------
    UsageError
        If an indicator is not made of ratings, or the source lacks a breakdown or a parameter.
    SafercitiesError
        If the dates are not exact enough for the period.
    """
    combinations = _combinations(by, source)
    code = _periods(source, period)
    parts = []
    for one in indicators:
        for version in one.versions:
            inside = np.array([one.on(Period.parse(text).start) == version for text in code], dtype=bool)
            if inside.any():
                parts.append(_measured(one, version, source, code, inside, place, combinations, level))
    wanted = [name for name in source.dimensions if any(name in combination for combination in combinations)]
    return Estimates.concat([Estimates.empty(wanted), *parts]).sort()


def point_scores(source: AuditsSource, ratings: Ratings) -> tuple[Floats, str]:
    """The score of each point by an indicator's definition, NaN where too little was rated; and the unit.

    Raises
    ------
    UsageError
        If the source has too few of the parameters for any point to have a score.
    """
    by = source.rubric
    chosen = by.chosen(ratings.ratings)
    at_least = by.at_least if len(chosen) == len(by.codes) else len(chosen)
    lost = source.lacking(chosen)
    if len(chosen) - len(lost) < at_least:
        raise UsageError(problem("audits-parameters", source=source.name, lacking=", ".join(lost), needed=at_least))
    weights = np.array([weight for one, weight in zip(by.codes, by.weights, strict=True) if one in chosen])
    points, unit = (by.best, by.rating_unit) if len(chosen) == 1 else (by.points, by.unit)
    return scores(source.ratings(chosen), weights, best=by.best, points=points, at_least=at_least), unit


def _combinations(by: Sequence[Sequence[str]], source: AuditsSource) -> list[tuple[str, ...]]:
    """Each breakdown once, totals first."""
    known = [*(["place"] if source.levels else []), *source.dimensions]
    for name in (name for one in by for name in one):
        if name not in known:
            listed = ", ".join(known) or "nothing"
            raise UsageError(problem("breakdown-unknown", source=source.name, name=name, known=listed))
    return list(dict.fromkeys([(), *(tuple(name for name in known if name in one) for one in by)]))


def _periods(source: AuditsSource, kind: str) -> NDArray[np.object_]:
    """Code of the period of each point."""
    known: dict[str, Calendar] = {name: name for name in FINENESS}
    if kind not in known:
        raise UsageError(problem("period-kind", given=kind, known=", ".join(FINENESS)))
    if FINENESS.index(known[kind]) > FINENESS.index(known[source.precision]):
        raise SafercitiesError(problem("period-too-fine", source=source.name, period=kind, precision=source.precision))
    days, at = np.unique(days_of(source.table), return_inverse=True)
    codes = np.array([str(Period.of(day.item(), known[kind])) for day in days], dtype=object)
    return codes[at.reshape(-1)] if len(codes) else np.zeros(0, dtype=object)


def _measured(
    indicator: Indicator,
    version: Version,
    source: AuditsSource,
    code: NDArray[np.object_],
    inside: NDArray[np.bool_],
    place: str,
    combinations: Sequence[tuple[str, ...]],
    level: float,
) -> Estimates:
    """Rows of one definition, in the periods in which it is in force."""
    if not isinstance(version.numerator, Ratings):
        raise UsageError(problem("audits-indicator", indicator=indicator.code))
    score, unit = point_scores(source, version.numerator)
    table = _points(source, score, code).filter(pa.array(inside))
    same = {"indicator": indicator.code, "version": version.version, "source": source.name, "unit": unit}
    top = source.rubric.best if unit == source.rubric.rating_unit else source.rubric.points
    parts = []
    for where in (None, *source.levels):
        wanted = [one for one in combinations if ("place" in one) == (where is not None)]
        placed = _placed(table, where, place)
        design = _design(placed)
        for one in wanted:
            made = design.mean("score", [("period", "place", *_rest(one))], level=level)
            parts.append(_finished(_apart(made, where, place), placed, one, same, float(top), source.rejected))
    return Estimates.concat(parts)


def _apart(made: Estimates, level: str | None, place: str) -> Estimates:
    """Without the rows of the observatory's own place at a level: that is the total, which is there already."""
    if level is None:
        return made
    return Estimates(made.table.filter(pc.not_equal(made.table.column("place"), place)))


def _rest(combination: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in combination if name != "place")


def _points(source: AuditsSource, score: Floats, code: NDArray[np.object_]) -> pa.Table:
    """What the design needs, one row a point: score, weight, walk, period, breakdowns."""
    size = source.table.num_rows
    rows = [f"point {number}" for number in range(size)]
    walk = source.table.column("walk").to_pylist() if "walk" in source.table.column_names else rows
    columns = {
        "score": pa.array(score, mask=np.isnan(score)),
        "weight": source.table.column("weight"),
        "walk": pa.array([own if one is None else str(one) for one, own in zip(walk, rows, strict=True)], pa.string()),
        "period": pa.array(code.tolist(), pa.string()),
    }
    for name in source.dimensions:
        columns[name] = pc.fill_null(source.table.column(name).cast(pa.string()), UNKNOWN)
    for one in source.levels:
        placed = pc.fill_null(source.table.column(f"place_{one}").cast(pa.string()), UNKNOWN)
        columns[f"place_{one}"] = pc.replace_with_mask(
            placed.combine_chunks() if isinstance(placed, pa.ChunkedArray) else placed,
            pc.equal(placed, UNKNOWN).combine_chunks(),
            pa.scalar(unplaced(one)),
        )
    return pa.table(columns)


def _placed(table: pa.Table, level: str | None, place: str) -> pa.Table:
    """The points with a column `place`: of a level, or everywhere the observatory's."""
    where = pa.repeat(pa.scalar(place), table.num_rows) if level is None else table.column(f"place_{level}")
    return table.append_column("place", where)


def _design(table: pa.Table) -> Design:
    """Walks as clusters, drawn anew in each period. A period of one walk adds no variance: its rows will have none."""
    return survey(table, weight="weight", strata="period", psu="walk", nested=True, lonely="certainty")


def _finished(
    made: Estimates,
    points: pa.Table,
    combination: tuple[str, ...],
    same: Mapping[str, str],
    top: float,
    rejected: float,
) -> Estimates:
    """The rows as the contract has them: within the scale, no interval where none is known, what was left out."""
    table = made.table
    value, se, df = (numbers(table, name) for name in ("value", "se", "df"))
    spread = (df >= 1) & (se > STILL * top)
    lower, upper = (np.where(spread, np.clip(numbers(table, name), 0.0, top), np.nan) for name in ("lower", "upper"))
    placed, known = _shares(table, points, _rest(combination))
    answered = np.nan_to_num(numbers(table, "coverage"))
    return replaced(
        table,
        {
            **same,
            "method": METHOD,
            "se": np.where(spread, se, np.nan),
            "lower": lower,
            "upper": upper,
            "n_positive": None,
            "coverage": answered * placed * known,
            "obs_status": np.where(np.isnan(value), "O", np.where(spread, "A", "U")).tolist(),
            "quality": [_own_flags(field or "") for field in table.column("quality").to_pylist()],
        },
        flags=_flags(placed, known, rejected),
        notes=_notes(value, numbers(table, "n"), answered),
    )


def _flags(placed: Floats, known: Floats, rejected: float) -> list[str]:
    """What is missing of the points of each row's period."""
    flags = np.where(placed < KNOWN_ENOUGH, "unlocated_share ", "").astype(object)
    flags += np.where(known < KNOWN_ENOUGH, "unknown_share ", "").astype(object)
    flags += "rejected_share" if rejected > 1 - KNOWN_ENOUGH else ""
    return flags.tolist()  # type: ignore[no-any-return]


def _own_flags(field: str) -> str:
    """Flags of the mean that say something of points; those of its interval are not used, as it is not shown."""
    return " ".join(flag for flag in field.split() if flag not in ("zero_or_full", "lonely_psu", "no_spread"))


def _notes(value: Floats, n: Floats, answered: Floats) -> list[str]:
    """How many points have no score, and where none has one."""
    left_out = np.round(np.divide(n, answered, out=n.copy(), where=answered > 0)) - n
    none = "no point has a score: too few parameters were rated"
    some = "points left out, as too few parameters were rated there"
    return [
        none if np.isnan(mean) else f"{lost:.0f} {some}" if lost else ""
        for mean, lost in zip(value.tolist(), left_out.tolist(), strict=True)
    ]


def _shares(table: pa.Table, points: pa.Table, names: Sequence[str]) -> tuple[Floats, Floats]:
    """Share of the points of each row's period that have a place; and of these, that have all the characteristics."""
    nowhere = pc.starts_with(points.column("place"), f"{UNKNOWN}.")
    unknown = nowhere
    for name in names:
        unknown = pc.or_(unknown, pc.equal(points.column(name), UNKNOWN))
    columns = {"placed": pc.cast(pc.invert(nowhere), pa.float64()), "known": pc.cast(pc.invert(unknown), pa.float64())}
    sums = pa.table({"period": points.column("period"), **columns}).group_by("period")
    rows = sums.aggregate([("placed", "mean"), ("known", "mean")]).to_pylist()
    found = {row["period"]: (row["placed_mean"], row["known_mean"]) for row in rows}
    placed, known = np.array([found[period] for period in table.column("period").to_pylist()]).reshape(-1, 2).T
    return placed, np.divide(known, placed, out=np.zeros(len(placed)), where=placed > 0)
