"""What must be told of a federation: who is late, what differs so that it is not mixed, whose people nobody counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.measure.published import UNDER
from safercities.measure.rows import ROUNDED
from safercities.model.errors import Problem, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.release.member import Member

_FEW = 12
#: Characters of names on one line: what stands around them must fit into the 2 000 of a manifest's texts.
_ROOM = 1_500


def told(
    members: Sequence[Member],
    rows: Estimates,
    usable: NDArray[np.bool_],
    people: Callable[[str, str], float],
    everybody: Sequence[str],
) -> Iterator[Problem]:
    """What a reader of a federation should know beside its numbers.

    Parameters
    ----------
    members
        What they published.
    rows, usable
        Their rows, and which of them could be put together; shape (rows,).
    people
        (place, period) → people; NaN where nobody told.
    everybody
        Every member, with data or without.
    """
    yield from _late(members)
    yield from _differing(rows, "federation-rules-differ", lambda row: rule_of(row["method"]))
    yield from _differing(rows, "federation-rules-differ", _held, alike=_made_how)
    yield from _differing(rows, "federation-versions-differ", lambda row: row["version"])
    yield from _texts(members)
    left = rows.table.filter(pa.array(~usable, pa.bool_()))
    if left.num_rows:
        periods = set(left.column("period").to_pylist())
        without = sorted({one for one in everybody for when in periods if not np.isfinite(people(one, when))})
        codes = listed(sorted(set(left.column("indicator").to_pylist())))
        where = listed(without) or "a breakdown, or a share of some of the people"
        yield problem("federation-people", rows=left.num_rows, indicators=codes, places=where)


def _late(members: Sequence[Member]) -> Iterator[Problem]:
    """Members that lack what others have, for the newest period of each kind."""
    newest: dict[str, Period] = {}
    has: dict[tuple[str, str], set[str]] = defaultdict(set)
    for member in members:
        table = member.published.table
        for row in table.group_by(["source", "period"]).aggregate([]).to_pylist():
            period = Period.parse(row["period"])
            has[member.name, row["source"]].add(str(period))
            if row["source"] not in newest or (period.end, period.start) > _ends(newest[row["source"]]):
                newest[row["source"]] = period
    for member in members:
        for kind, period in sorted(newest.items()):
            if member.vintages and str(period) not in has[member.name, kind]:
                where = f"sources.{member.name}"
                yield problem("federation-late", column=where, source=member.name, kind=kind, period=str(period))


def _ends(period: Period) -> tuple[date, date]:
    return period.end, period.start


def rule_of(method: str | None) -> str:
    """The rules under which a number was published, as its method names them; empty where it names none.

    Examples
    --------
    >>> rule_of("count; published under: rounding, k = 5; same members in all periods")
    'rounding, k = 5'
    """
    return (method or "").partition(UNDER)[2].partition(";")[0]


def _held(row: Mapping[str, Any]) -> str:
    """The rules under which a number was published, and whether its limits hold what these did to it."""
    method, _, _ = (row["method"] or "").partition(UNDER)
    return rule_of(row["method"]) + (ROUNDED if method.endswith(ROUNDED) else "")


def _made_how(row: Mapping[str, Any]) -> tuple[str, str]:
    """How a number was made and under which rules: what may differ in nothing but whether it holds its rounding."""
    return (row["method"] or "").partition(UNDER)[0].removesuffix(ROUNDED), rule_of(row["method"])


def _differing(
    rows: Estimates,
    code: str,
    said: Callable[[Mapping[str, Any]], object],
    alike: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _: (),
) -> Iterator[Problem]:
    """Series in which members say different things, so that they are not mixed.

    Parameters
    ----------
    alike
        What rows have to share beside indicator, kind and period to be held against each other.
    """
    groups: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    columns = ["indicator", "source", "period", "place", "version", "method"]
    for row in rows.table.group_by(columns).aggregate([]).to_pylist():
        key = row["indicator"], str(row["source"]), row["period"], *alike(row)
        groups[key][str(said(row))].add(row["place"])
    for (indicator, kind, period, *_), found in sorted(groups.items()):
        if len(found) > 1:
            told = "; ".join(f"{name} ({listed(sorted(places))})" for name, places in sorted(found.items()))
            yield problem(code, indicator=indicator, kind=kind, period=period, groups=told)


def _texts(members: Sequence[Member]) -> Iterator[Problem]:
    """Definitions of one name and different words."""
    hashes: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for member in members:
        for key, sha in member.definitions.items():
            hashes[key][sha].append(member.place.id)
    for (code, version), found in sorted(hashes.items()):
        if len(found) > 1:
            told = "; ".join(listed(sorted(places)) for places in found.values())
            yield problem("federation-definition", indicator=code, version=version, groups=told)


def listed(names: Collection[str]) -> str:
    """Names on one line, neither too many nor too long together.

    Examples
    --------
    >>> listed(["Anland", "Bevera"])
    'Anland, Bevera'
    >>> listed([letter * 800 for letter in "abc"]).replace("a" * 800, "a…a")
    'a…a and 2 more'
    """
    shown = [one if len(one) <= _ROOM else f"{one[: _ROOM - 1]}…" for one in islice(names, _FEW)]
    while len(", ".join(shown)) > _ROOM:
        shown.pop()
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
