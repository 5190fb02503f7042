"""What published rows tell of counts: the count itself, or what gives it back: a rate, a limit, an error, a share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from safercities.disclose.attack_space import KNOWN, Cell
from safercities.measure import standards
from safercities.measure.audits import METHOD as AUDITED
from safercities.measure.published import UNDER
from safercities.measure.rates import garwood
from safercities.measure.reporting import METHOD as COMPARED
from safercities.measure.rows import ROUNDED
from safercities.model.dimensions import TOTAL, UNKNOWN, dimension
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period

#: (place, period, codes of the person) → people.
People = Mapping[Cell, float]
#: Rows that tell a count; of audits their number of points.
COUNTING = ("count", "rate", "points")
#: What a number is known to, of itself, that is shown in full.
FULL = 1e-9
#: More decimals than this are all there are.
_ALL_DECIMALS = 9
_NUMBERS = ("value", "se", "lower", "upper", "coverage")


@dataclass(frozen=True)
class Told:
    """A fact: a sum of counts of cells, each so many times, lies between two limits.

    Parameters
    ----------
    label
        What was published, for people.
    release
        Position of the release that says it.
    shown
        The cell whose count is published as such, where it is.
    """

    parts: tuple[tuple[Cell, float], ...]
    lower: float
    upper: float
    label: str
    release: int
    shown: Cell | None = None


@dataclass(frozen=True)
class Row:
    """A row of counts or of their rates."""

    cell: Cell
    kind: str
    hidden: bool
    release: int
    values: Mapping[str, Any]
    label: str = ""


def kind_of(method: str, unit: str) -> str:
    """count, rate, standardised, smoothed, compared, points, survey; empty where a row is made of something else.

    Examples
    --------
    >>> kind_of("count", "victims"), kind_of("crude rate, Garwood interval", "per 100 000")
    ('count', 'rate')
    """
    method = method.removesuffix(ROUNDED)
    if UNDER in method:  # of a larger place: made of what others published, and attacked in their releases
        return ""
    if method == COMPARED:
        return "compared"
    if method == AUDITED:
        return "points"
    if method == "count":
        return "count"
    if method.startswith("directly standardised"):
        return "standardised"
    if method.startswith("empirical Bayes"):
        return "smoothed"
    if method.split(", ")[0] in ("proportion", "mean", "ratio", "total"):
        return "survey"
    return "rate" if method.startswith(("crude rate", "rate")) and unit.startswith("per ") else ""


def per_of(unit: str) -> float:
    """How many people a rate is per: 100 000 of `per 100 000`."""
    digits = "".join(unit.removeprefix("per ").split())
    return float(digits) if digits.isascii() and digits.isdigit() and int(digits) else float("nan")


class Precision:
    """How exactly the numbers of a release are shown: by the most decimals in a column, of one unit and method."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._least: dict[tuple[str, str, str], int] = {}
        for row in rows:
            for name in _NUMBERS:
                number = row.get(name)
                if number is not None and np.isfinite(number):
                    key = (str(row["unit"]), str(row["method"]), name)
                    exponent = int(Decimal(repr(float(number))).normalize().as_tuple().exponent)
                    self._least[key] = min(self._least.get(key, 0), exponent)

    def half(self, row: Mapping[str, Any], name: str) -> float:
        """How far the number before rounding can lie from the one that is shown."""
        exponent = self._least[(str(row["unit"]), str(row["method"]), name)]
        digits = 0.0 if exponent < -_ALL_DECIMALS else 0.5 * 10.0**exponent
        return max(digits, FULL * abs(float(row[name])))


def count_between(row: Row, precision: Precision, people: People) -> tuple[int, int] | None:
    """The counts that a row of a count or a crude rate leaves possible; None: it tells nothing."""
    values = row.values
    scale = 1.0
    if row.kind == "rate":
        exposure = values.get("denominator") or exposure_of(row.cell, people)
        scale = float(exposure) / per_of(str(values["unit"])) if exposure else float("nan")
    low, high = 0, np.inf
    told = False
    for one in _ways(values, row.kind, precision, scale):
        if one is not None and one[0] <= one[1] and max(low, one[0]) <= min(high, one[1]):
            low, high, told = max(low, one[0]), min(high, one[1]), True
        if low == high:  # nothing can tell more
            break
    return (int(low), int(high)) if told else None


def _ways(values: Mapping[str, Any], kind: str, precision: Precision, scale: float) -> Iterator[tuple[int, int] | None]:
    """Limits of the count by each number of a row, the plainest first."""
    for name in ("n", "n_positive"):
        if values.get(name) is not None:
            yield int(values[name]), int(values[name])
    there = {name: float(values[name]) for name in _NUMBERS if values.get(name) is not None}
    if kind == "points":
        return
    if kind == "count" and "value" in there:
        yield _whole(there["value"], 0.0)
    if not np.isfinite(scale):
        return
    half = {name: precision.half(values, name) for name in there}
    if kind == "rate" and "value" in there:
        yield _whole(there["value"] * scale, half["value"] * scale)
    if "se" in there:
        se, off = there["se"] * scale, half["se"] * scale
        low, high = max(se - off, 0.0) ** 2, (se + off) ** 2
        yield _whole((low + high) / 2, (high - low) / 2)
    level = float(values.get("level") or 0.95)
    for name, at in (("upper", 1), ("lower", 0)):
        if name in there and 0 < level < 1:
            yield _from_limit(there[name] * scale, half[name] * scale, level, at)


def _whole(value: float, half: float) -> tuple[int, int] | None:
    if not np.isfinite(value) or abs(value) > 1e12:
        return None
    slack = 1e-6 * max(1.0, abs(value) * 1e-3)
    return int(np.ceil(value - half - slack)), int(np.floor(value + half + slack))


def _from_limit(limit: float, half: float, level: float, at: int) -> tuple[int, int] | None:
    """Counts whose exact (Garwood) limit is the one that is shown."""
    if not 0 <= limit < 1e9:
        return None
    reach = 12 + 8 * np.sqrt(limit + half + 1) + half
    around = np.arange(max(0.0, np.floor(limit - reach)), np.ceil(limit + reach) + 1)
    if len(around) > 1_000_000:
        return None
    fits = around[np.abs(garwood(around, level)[at] - limit) <= half + 1e-7 * max(1.0, limit)]
    return (int(fits.min()), int(fits.max())) if len(fits) else None


def exposure_of(cell: Cell, people: People) -> float | None:
    """Person-years that a rate of a cell is over: of people with its characteristics, as far as the public knows."""
    person = tuple((name, code) for name, code in cell.codes if dimension(name).of == "person")
    own = people.get(Cell(cell.place, cell.period, person))
    if own is not None:
        return own
    period = Period.parse(cell.period)
    year = people.get(Cell(cell.place, f"{period.start.year:04d}", person))
    return None if year is None or period.start.year != period.end.year else year * period.years


def shares(
    rows: Sequence[Row], precision: Precision, counts: Mapping[Cell, int], level: Mapping[str, str], top: str
) -> list[Told]:
    """What `coverage` tells: cases whose place and characteristics are known are that share of all.

    Parameters
    ----------
    rows
        Of one release.
    counts
        Counts that are known exactly.
    level
        Place → its level, of places that are not everything.
    top
        The place that is everything.
    """
    placed: dict[tuple[str, str, str], tuple[float, float]] = {}
    found: dict[tuple[Cell, Cell], list[Told]] = {}
    for row in sorted(rows, key=lambda one: len(one.cell.codes)):
        share, cell = row.values.get("coverage"), row.cell
        if share is None or row.kind not in ("count", "rate") or cell.place.startswith(f"{UNKNOWN}."):
            continue
        half, own = precision.half(row.values, "coverage"), level.get(cell.place, "")
        low, high = max(float(share) - half, 0.0), min(float(share) + half, 1.0)
        if own and not cell.codes:
            placed.setdefault((cell.indicator, cell.period, own), (low, high))
            pair = cell._replace(place=f"{KNOWN}.{own}"), cell._replace(place=top)
        elif cell.codes and (not own or (cell.indicator, cell.period, own) in placed):
            least, most = placed[(cell.indicator, cell.period, own)] if own else (1.0, 1.0)
            low, high = low / most if most > 0 else 0.0, min(high / least, 1.0) if least > 0 else 1.0
            pair = cell._replace(codes=tuple((n, KNOWN) for n in cell.names)), cell._replace(codes=())
        else:
            continue
        if pair not in found:
            label = f"{row.label}: coverage {float(share):.6g}"
            found[pair] = list(_share(pair, low, high, counts, label, row.release))
    return [one for told in found.values() for one in told]


def _share(
    pair: tuple[Cell, Cell], low: float, high: float, counts: Mapping[Cell, int], label: str, release: int
) -> Iterator[Told]:
    """part ≥ low · whole and part ≤ high · whole; whole numbers where the whole is known."""
    part, whole = pair
    if whole in counts:
        total = counts[whole]
        slack = 1e-6 * max(1.0, total * 1e-3)
        limits = float(np.ceil(low * total - slack)), float(np.floor(high * total + slack))
        if limits[0] <= limits[1]:
            yield Told(((part, 1.0),), *limits, label, release)
        return
    yield Told(((part, 1.0), (whole, -low)), -1e-6, np.inf, label, release)
    yield Told(((part, 1.0), (whole, -high)), -np.inf, 1e-6, label, release)


def standardised(row: Row, precision: Precision, people: People, ages: Sequence[str]) -> list[Told]:
    """What a directly age-standardised rate tells: a weighted sum of the counts by age, whose weights are public."""
    cell, told = row.cell, []
    if row.values.get("n") is not None:
        n = float(row.values["n"])
        told.append(Told(((cell.but("age", KNOWN), 1.0),), n, n, f"{row.label}: n {n:g}", row.release))
    value, code = row.values.get("value"), _standard(str(row.values["method"]))
    years = [exposure_of(cell.but("age", age), people) for age in ages]
    if value is None or code is None or not ages or not all(years):
        return told
    try:
        weights = standards.weights(code, ages)
    except SafercitiesError:
        return told
    exposure = np.array(years, dtype=np.float64)
    # in cases of a population with the standard's ages: factors near 1
    factor = weights / weights.sum() * exposure.sum() / exposure
    scale = exposure.sum() / per_of(str(row.values["unit"]))
    middle, half = float(value) * scale, precision.half(row.values, "value") * scale + 1e-6
    parts = tuple((cell.but("age", age), float(times)) for age, times in zip(ages, factor, strict=True))
    told.append(Told(parts, middle - half, middle + half, f"{row.label}: {value:.6g} standardised", row.release))
    return told


def compared(row: Row, precision: Precision) -> list[Told]:
    """What recorded cases per 100 that were told to a survey say, as what the survey stands for is shown beside them.

    The row's cell is that of the recorded cases.
    """
    value, cases = row.values.get("value"), row.values.get("denominator")
    if value is None or not cases:
        return []
    scale = float(cases) / 100
    half = precision.half(row.values, "value") * scale + FULL * float(value) * scale
    limits = _whole(float(value) * scale, half)
    if limits is None or limits[0] > limits[1]:
        return []
    return [Told(((row.cell, 1.0),), *limits, f"{row.label}: {value:g} per 100 of {float(cases):g}", row.release)]


def _standard(method: str) -> str | None:
    """Code of the standard population that a method names."""
    return next((code for code, one in standards.standards().items() if f"({one.label})" in method), None)


def people_of(rows: Iterable[Mapping[str, Any]], dimensions: Sequence[str]) -> dict[Cell, float]:
    """Populations that rates themselves show as their denominator."""
    found: dict[Cell, float] = {}
    for row in rows:
        if row.get("denominator") is None or kind_of(str(row["method"]), str(row["unit"])) != "rate":
            continue
        codes = tuple(sorted((n, row[n]) for n in dimensions if row[n] != TOTAL and dimension(n).of == "person"))
        found.setdefault(Cell(row["place"], row["period"], codes), float(row["denominator"]))
    return found
