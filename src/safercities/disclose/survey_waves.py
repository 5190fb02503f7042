"""What the journal keeps of a wave of a survey: respondents and cases of each domain, and whose row is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.corrected import Version
from safercities.disclose.journal import Wave
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.disclose.survey_versions import Name
from safercities.model.dimensions import TOTAL
from safercities.model.estimates import Estimates

#: Indicator, without its version; place; codes, without those that are of all.
Unversioned = tuple[str, str, frozenset[tuple[str, str]]]


def wave_of(estimates: Estimates, shown: Estimates, number: int) -> list[Wave]:
    """What the journal keeps of waves that are published for the first time, one for each source and period.

    Parameters
    ----------
    estimates
        Exact ones, with n and n_positive.
    shown
        As protected, row by row.
    number
        Of the release.
    """
    table = read(estimates, 2)
    free = np.array([one == "F" for one in shown.table.column("conf_status").to_pylist()], dtype=bool)
    found: dict[tuple[str, str], list[tuple[Domain, int]]] = {}
    for one in table.domains:
        out = one.row >= 0 and bool(free[one.row])
        found.setdefault(one.series[:2], []).append((one, number if out else 0))
    return [wave(table, estimates.dimensions, its) for its in found.values()]


def wave(table: Table, names: Sequence[str], its: Sequence[tuple[Domain, int]]) -> Wave:
    """That of the domains of one wave, each with the release whose row is shown of it; 0: none is."""
    at = np.array([max((one.row, *one.totals, *one.others)) for one, _ in its], dtype=np.int64)
    source, period = its[0][0].series[:2]
    series, keys = (tuple((one.series[2], one.series[3]) for one, _ in its), tuple(one.key for one, _ in its))
    shown = np.array([number for _, number in its], dtype=np.int64)
    return Wave(source, period, ("place", *names), series, keys, table.n[at], table.x[at], shown)


def by_name(wave: Wave) -> dict[Name, tuple[int, int, int]]:
    """n, x and the release of the row shown, of each domain."""
    numbers = zip(wave.n.tolist(), wave.x.tolist(), wave.shown.tolist(), strict=True)
    found = {}
    for series, (place, *codes), three in zip(wave.series, wave.keys, numbers, strict=True):
        named = zip(wave.names[1:], codes, strict=True)
        found[series, place, frozenset((name, code) for name, code in named if code != TOTAL)] = three
    return found


def three(numbers: tuple[int, int, int]) -> NDArray[np.int64]:
    """Respondents, cases and others."""
    n, x, _ = numbers
    return np.array([n, x, n - x], dtype=np.int64)


def unversioned(name: Name) -> Unversioned:
    """What a domain is called whatever the definition (version) of its indicator is."""
    (indicator, _), place, codes = name
    return indicator, place, codes


def any_definition(wave: Iterable[Name]) -> dict[Unversioned, list[Name]]:
    """The domains of a wave, those together that differ only in the definition (version) of their indicator."""
    found: dict[Unversioned, list[Name]] = {}
    for name in wave:
        found.setdefault(unversioned(name), []).append(name)
    return found


def row_domain(row: Mapping[str, Any], dimensions: Sequence[str]) -> Name:
    """The domain that a row is of."""
    codes = frozenset((name, row[name]) for name in dimensions if row[name] != TOTAL)
    return (str(row["indicator"] or ""), str(row["version"] or "")), str(row["place"] or ""), codes


def rows_of(version: Version, dimensions: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row of each domain that was measured then: as shown, or with nothing but what stands behind it.

    Parameters
    ----------
    dimensions
        Further ones that the rows are to have.
    """
    own, rows = version.estimates.dimensions, version.estimates.rows()
    every = dict.fromkeys((*dimensions, *own, *version.wave.names[1:]), TOTAL)
    form: dict[tuple[str, str], dict[str, Any]] = {}
    shown: dict[Name, list[dict[str, Any]]] = {}
    direct = read(version.estimates, 2).kind != ""
    for row, used in zip(rows, direct.tolist(), strict=True):
        if not used:
            continue
        if not str(row["method"]).startswith("total"):
            form.setdefault((str(row["indicator"]), str(row["version"] or "")), row)
        if row["conf_status"] == "F":
            shown.setdefault(row_domain(row, own), []).append(row)
    for name, (n, x, _) in by_name(version.wave).items():
        series, place, codes = name
        behind = {"n": n if n >= 0 else None, "n_positive": x if x >= 0 else None}
        if name in shown:
            yield from (every | row | behind for row in shown[name])
        elif series in form:
            kept = {key: form[series][key] for key in ("indicator", "version", "period", "source", "unit", "method")}
            yield {**every, **kept, "place": place, **dict(codes), **behind}
