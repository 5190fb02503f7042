"""Recorded against surveyed crime: how many cases were recorded for every 100 that people told a survey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.measure.breakdown import COUNT, joined
from safercities.measure.members import COUNTED, grouped
from safercities.measure.rows import ROUNDED
from safercities.measure.verdicts import STATUSES, worst
from safercities.model import quality
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import TOTAL, UNKNOWN, Estimates
from safercities.model.periods import Period, Recall

Floats = NDArray[np.float64]

UNIT = "per 100"
METHOD = "recorded cases over surveyed cases, interval by MOVER on the logarithm"
#: Surveyed unit begins with → units of records that count the same thing.
_SAME = {"per ": ("incidents", "offences"), "%": ("victims",)}
_CAVEAT = (
    "the survey speaks of what happened to those it asks, wherever it happened; the records of what happened here, to "
    "anybody"
)


def reporting_rate(
    recorded: Estimates, surveyed: Estimates, *, indicator: str, version: str, recall: str = "", level: float = 0.95
) -> Estimates:
    """Recorded cases for every 100 that the survey's answers stand for, in the same place, period and breakdown.

    The survey's side is a number of cases: a total, or its incidence (or share of victims) times the people that it
    stands for (`denominator`, taken as known: weights are tied to the population). Events are set against incidents
    or offences, victims against victims; the survey's rates are never set against the records' rates, whose people are
    others (children, visitors).

    The interval puts both uncertainties together on the logarithm: of the records the limits that they carry, of the
    survey ± t · se / value with its degrees of freedom. Where nothing is recorded the lower limit is 0 and the upper
    one that of the records over the survey's lower one. Where nobody told the survey of a case there is no value.

    Values above 100 are possible and kept; a note says so. Flags, and what the publication rules say of the survey's
    estimate, hold for the quotient too; only that the records' place has no population does not, as no number of it is
    used. Cases and answers whose place or characteristic is not known are not set against each other: the victims of
    the ones are not those of the others.

    Parameters
    ----------
    recorded
        Counts of the records; other rows, and units that count something else, are not used.
    surveyed
        Direct estimates of the survey; smoothed ones are not used.
    indicator, version
        Of the rate.
    recall
        How far back the survey asks, as P12M.

    Raises
    ------
    UsageError
        If units never fit, the survey looks back on more or less time than the records cover, or one source of surveyed
        estimates has two rows for a place and period.

    Source: Zou & Donner (2008), Construction of confidence limits about effect measures: a general approach,
    Statistics in Medicine 27: 1693–1702; UNODC & UNECE (2010), Manual on victimization surveys, chapter 7.

    Examples
    --------
    >>> row = {"place": "x", "period": "2023", "level": 0.95}
    >>> police = {"indicator": "recorded.robbery", "value": 400.0, "lower": 361.8, "upper": 441.2, "unit": "incidents"}
    >>> told = {"indicator": "surveyed.robbery.incidents", "value": 20.0, "se": 2.0, "df": 60.0, "unit": "per 1 000",
    ...         "denominator": 50_000.0}
    >>> one, two = Estimates.from_rows([row | police | {"method": "count"}]), Estimates.from_rows([row | told])
    >>> made = reporting_rate(one, two, indicator="reporting.robbery", version="1", recall="P12M")
    >>> [round(made.only()[name], 1) for name in ("value", "lower", "upper")]
    [40.0, 32.0, 50.0]
    """
    pairs = _pairs(recorded, surveyed)
    _check_windows(pairs, recall)
    numbers = _quotients(pairs, level)
    same = {"indicator": indicator, "version": version, "unit": UNIT, "method": METHOD, "level": level}
    rows = []
    for at, pair in enumerate(pairs):
        made = {name: _or_none(column[at]) for name, column in numbers.items()}
        rows.append(pair["keys"] | same | made | _words(pair, made, recall))
    return Estimates.from_rows(rows, sorted({*recorded.dimensions, *surveyed.dimensions})).sort()


def _pairs(recorded: Estimates, surveyed: Estimates) -> list[dict[str, Any]]:
    """Rows of the two sides that belong together, with the keys that they share."""
    direct = [row for row in surveyed.rows() if "smoothed" not in (row["quality"] or "").split()]
    counts = [row for row in recorded.rows() if row["method"].removesuffix(ROUNDED) == COUNT]
    dimensions = sorted({*recorded.dimensions, *surveyed.dimensions})
    _check_once(surveyed)
    told: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in direct:
        told.setdefault(_key(row, dimensions), []).append(row)
    found, refused = [], None
    for row in counts:
        key = _key(row, dimensions)
        for other in [] if _unknown(key) else told.get(key, []):
            if row["unit"] in _units_of(other["unit"]):
                keys = {"place": row["place"], "period": row["period"]}
                keys |= {name: row.get(name, TOTAL) for name in dimensions}
                found.append({"keys": keys, "recorded": row, "surveyed": other})
            else:
                refused = (row["unit"], other["unit"])
    if refused and not found:
        raise UsageError(problem("reporting-units", recorded=refused[0], surveyed=refused[1]))
    return found


def _key(row: dict[str, Any], dimensions: list[str]) -> tuple[str, ...]:
    return (row["place"], row["period"], *(row.get(name, TOTAL) for name in dimensions))


def _unknown(key: tuple[str, ...]) -> bool:
    """Whether the place (`_U`, `_U.<level>`) or a code is not known."""
    place, _, *codes = key
    return place.partition(".")[0] == UNKNOWN or UNKNOWN in codes


def _units_of(unit: str | None) -> tuple[str, ...]:
    """Units of records that count what a survey's unit counts."""
    if unit in COUNTED:
        return (unit,)
    return next((units for begin, units in _SAME.items() if str(unit).startswith(begin)), ())


def _check_once(surveyed: Estimates) -> None:
    table = surveyed.table.filter(
        pc.invert(pc.match_substring(pc.fill_null(surveyed.table["quality"], ""), "smoothed"))
    )
    group, first = grouped(table, ("place", "period", "indicator", "source", "unit", *surveyed.dimensions))
    if len(first) < table.num_rows:
        row = table.slice(int(np.flatnonzero(np.bincount(group)[group] > 1)[0]), 1).to_pylist()[0]
        raise UsageError(problem("reporting-twice", place=row["place"], period=row["period"]))


def _check_windows(pairs: list[dict[str, Any]], recall: str) -> None:
    """The time that the survey asks about must be as long as the records' period, to a day in a month."""
    for period in sorted({pair["keys"]["period"] for pair in pairs}):
        if not as_long(recall, period):
            raise UsageError(problem("reporting-window", recall=Recall.parse(recall).label, period=period))


def as_long(recall: str, period: str) -> bool:
    """Whether a period is as long as a survey looks back, to a day in a month; where nothing says how far, it is.

    Examples
    --------
    >>> as_long("P12M", "2024"), as_long("P12M", "2023-Q1"), as_long("", "2023-Q1")
    (True, False, True)
    """
    return not recall or abs(Period.parse(period).years * 12 - Recall.parse(recall).months) <= 1 / 28


def _quotients(pairs: list[dict[str, Any]], level: float) -> dict[str, Floats]:
    """Value, se and limits; NaN where there is none."""
    from scipy.special import stdtrit

    def column(side: str, name: str) -> Floats:
        return np.array([np.nan if p[side][name] is None else p[side][name] for p in pairs], dtype=np.float64)

    cases, low, high = (column("recorded", name) for name in ("value", "lower", "upper"))
    shown, se, df = (column("surveyed", name) for name in ("value", "se", "df"))
    told = shown * np.array([_people(pair["surveyed"]) for pair in pairs], dtype=np.float64)
    same = np.isclose(column("recorded", "level"), level)
    quantile = np.asarray(stdtrit(np.where(np.isfinite(df), np.maximum(df, 1.0), 1e9), (1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        told, spread = np.where(told > 0, told, np.nan), quantile * se / shown
        value = 100 * cases / told
        below = np.where(cases > 0, np.hypot(np.log(cases / low), spread), np.inf)
        above = np.where(cases > 0, np.hypot(np.log(high / cases), spread), spread)
        top = np.where(cases > 0, value, 100 * high / told)
        error = np.sqrt(column("recorded", "se") ** 2 + (cases * se / shown) ** 2) * 100 / told
    lower = np.where(same, value * np.exp(-below), np.nan)
    upper = np.where(same, top * np.exp(above), np.nan)
    return {"value": value, "se": error, "lower": lower, "upper": upper, "denominator": told}


def _people(row: dict[str, Any]) -> float:
    """What a surveyed number is multiplied by to become a number of cases."""
    if row["unit"] in COUNTED:
        return 1.0
    people = float("nan") if row["denominator"] is None else float(row["denominator"])
    per = 100.0 if row["unit"] == "%" else float(str(row["unit"]).removeprefix("per ").replace(" ", ""))
    return people / per


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _words(pair: dict[str, Any], made: dict[str, float | None], recall: str) -> dict[str, Any]:
    """What stands beside the numbers: sources, sizes, quality, the survey's verdict, what to keep in mind."""
    recorded, surveyed = pair["recorded"], pair["surveyed"]
    value = made["value"]
    asks = "nothing says how far back the survey asks"
    if recall:
        asks = f"the survey asks about {Recall.parse(recall).label}, the records are of {pair['keys']['period']}"
    statuses = (recorded["obs_status"], surveyed["obs_status"])
    return {
        "source": f"{recorded['source'] or 'records'} / {surveyed['source'] or 'survey'}",
        "n": surveyed["n"],
        "n_positive": surveyed["n_positive"],
        "df": surveyed["df"],
        "scheme": surveyed["scheme"],
        "verdict": surveyed["verdict"],
        "quality": quality.join(*_flags_of_records(recorded), surveyed["quality"] or ""),
        "obs_status": "O" if value is None else worst(statuses, STATUSES) or "A",
        "note": joined(
            "no value: the survey found no case, or does not say for how many people it stands"
            if value is None
            else "",
            "more was recorded than told: the two do not count the same" if value is not None and value > 100 else "",
            asks,
            _CAVEAT,
        ),
    }


def _flags_of_records(row: dict[str, Any]) -> list[str]:
    """The flags that hold for the quotient: it needs no population of the records' place."""
    return [flag for flag in (row["quality"] or "").split() if flag != "no_denominator"]


__all__ = ["METHOD", "UNIT", "as_long", "reporting_rate"]
