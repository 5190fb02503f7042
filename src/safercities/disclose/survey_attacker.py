"""Play the attacker on survey estimates as published: what follows for each domain's respondents and cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.digits import bands, before
from safercities.disclose.survey_attack import LARGEST, Seen, attack, single
from safercities.disclose.survey_groups import definitions, groups, tied_groups
from safercities.disclose.survey_leaves import Key
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.disclose.survey_shown import units
from safercities.indicators.spec import Indicator
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Series = tuple[str, str, str, str]
#: Figures that are not rounded are known to this share of themselves.
FULL_PRECISION = 1e-7


@dataclass(frozen=True)
class Learned:
    """What an attacker knows of one domain in the end.

    Parameters
    ----------
    series, key
        Source, period, indicator, version; place and codes.
    withheld
        Whether the row is withheld.
    x, y, n
        Smallest and largest number of cases, of the others, of respondents.
    self_weighting
        Whether a sample that weighs itself can have given the figures; if not, shares were not used.
    """

    series: Series
    key: Key
    withheld: bool
    x: tuple[int, int]
    y: tuple[int, int]
    n: tuple[int, int]
    self_weighting: bool


def survey_attack(
    estimates: Estimates,
    *,
    minimum: int = 5,
    width: int | None = None,
    places: Sequence[Place] = (),
    sizes: Mapping[Series, int] | None = None,
    only: Sequence[Key] | None = None,
    indicators: Mapping[str, Indicator] | None = None,
) -> list[Learned]:
    """Exact bounds of respondents, cases and others of every domain, from the rows as published.

    The attacker knows the method, and takes the worst case for granted: that the sample weighs itself, and that people
    were drawn one by one, so that share and standard error give n and x. Where no world fits that, what is left are
    the bands. Rows without `conf_status` are taken as published at full precision, but without their n and cases;
    those of status N as withheld.

    Parameters
    ----------
    minimum, width
        Those of the protection.
    places
        Places with levels and parents.
    sizes
        Size of the sample, by series, where the attacker knows it: it is seldom a secret.
    only
        Domains to be bounded; default: all. Each takes six integer programmes.
    indicators
        Definitions by code, which say what holds what; default: those of the catalogue.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end: then nothing is proved.
    """
    table = read(estimates, minimum)
    least, far = minimum, max(minimum - 1, 1) if width is None else width
    asked = (
        table.domains,
        np.ones(len(table.domains), dtype=bool),
        estimates.dimensions,
        places,
        definitions(indicators),
    )
    learned: dict[tuple[Series, Key], Learned] = {}
    for group in [*groups(table.domains, estimates.dimensions, places), *tied_groups(*asked)]:
        members = [table.domains[at] for at in group.members.tolist()]
        which = [at for at, one in enumerate(members) if only is None or one.key in only]
        every = np.ones(len(members), dtype=np.int64)
        known = np.array([(sizes or {}).get(one.series, LARGEST) for one in members], dtype=np.int64)
        view = View(table, members, group.whole, statuses(estimates), every * least, every * far, known)
        seen = view.seen(group.name, worst=True)
        try:
            bounds, fits = attack(group.leaves, seen, which, group.ties), True
        except SafercitiesError:  # no world of a sample that weighs itself: only the bands of n say something
            seen = view.seen(group.name, worst=False)
            bounds, fits = attack(group.leaves, seen, which, group.ties), False
        for at in which:
            x, y, n = ((int(low), int(high)) for low, high in zip(bounds.low[:, at], bounds.high[:, at], strict=True))
            one = Learned(members[at].series, members[at].key, bool(seen.withheld[at]), x, y, n, fits)
            learned[one.series, one.key] = _both(one, learned.get((one.series, one.key), one))
    return list(learned.values())


def _both(one: Learned, other: Learned) -> Learned:
    """What is known from both."""
    x, y, n = ((max(a[0], b[0]), min(a[1], b[1])) for a, b in ((one.x, other.x), (one.y, other.y), (one.n, other.n)))
    return replace(one, x=x, y=y, n=n, self_weighting=one.self_weighting and other.self_weighting)


def statuses(estimates: Estimates) -> NDArray[np.str_]:
    """`conf_status` of each row; empty: none."""
    return np.array([one or "" for one in estimates.table.column("conf_status").to_pylist()], dtype="<U1")


class View:
    """What an attacker reads of some domains.

    Parameters
    ----------
    table
        All rows.
    members
        The domains.
    whole
        For each the position of the one that holds everybody, as in `Group`.
    status
        `conf_status` of the rows.
    minimum, width
        Those of the protection of each domain.
    size
        Largest number of respondents; of the domain that holds everybody it is theirs, where it is not `LARGEST`.
    """

    def __init__(
        self,
        table: Table,
        members: Sequence[Domain],
        whole: Integers,
        status: NDArray[np.str_],
        minimum: Integers,
        width: Integers,
        size: Integers,
    ) -> None:
        self.table, self.minimum, self.size = table, minimum, size
        rows = np.array([one.row if one.row >= 0 else max((*one.totals, -1)) for one in members], dtype=np.int64)
        self.rows, self.total = rows, whole == np.arange(len(members))
        self.withheld = (status[rows] == "N") | ~np.isfinite(table.value[rows])
        self.rounded = status[rows] == "F"
        self.counted = table.kind[rows] != "number"
        known, secret = units(table, rows, width, self.total), units(table, rows, width, np.zeros_like(self.total))
        # what has no unit as a total was rounded as something else; what has none at all is taken for exact
        self.unit = np.nan_to_num(np.where(np.isnan(known.value), secret.value, known.value))

    def seen(self, name: str, *, worst: bool) -> Seen:
        """What follows for each domain from its own row; `worst`: of a sample that weighs itself."""
        size = len(self.rows)
        given = _Told(
            np.zeros(size, np.int64), self.size.copy(), np.zeros(size), np.ones(size), np.zeros(size, np.int64)
        )
        for at in np.flatnonzero(~self.withheld).tolist():
            if self.rounded[at]:
                first, last = bands([int(self.table.n[self.rows[at]])])
                given.n_low[at] = max(int(first[0]), int(self.minimum[at]))
                given.n_high[at] = min(int(last[0]), int(given.n_high[at]))
                given.least[at] = self.minimum[at] if self.counted[at] else 0
            if self.counted[at] and worst:
                self._by_share(at, given)
        known = self.total & (self.size < LARGEST)
        given.n_low[known] = self.size[known]
        return Seen(
            name, given.n_low, given.n_high, given.share_low, given.share_high, given.least, given.least, self.counted,
            self.withheld,
        )  # fmt: skip

    def _by_share(self, at: int, given: _Told) -> None:
        """Bounds of the share, and respondents that it and its standard error leave possible."""
        row, per = int(self.rows[at]), float(self.table.per[self.rows[at]])
        value, half = self.table.value[row] / per, self.unit[at] / per / 2 if self.rounded[at] else 0.0
        half = max(half, FULL_PRECISION * abs(value))
        share = given.share_low[at], given.share_high[at] = value - half, value + half
        se = self.table.se[row] / per
        if not se > 0:
            return
        low = float(before([self.table.se[row]])[0]) / per if self.rounded[at] else se * (1 - FULL_PRECISION)
        ends = int(given.n_low[at]), int(given.n_high[at])
        worlds = single(*ends, share, (low, se * (1 + FULL_PRECISION)), int(given.least[at]))[0]
        if len(worlds):
            given.n_low[at], given.n_high[at] = worlds.min(), worlds.max()


class _Told(NamedTuple):
    n_low: Integers
    n_high: Integers
    share_low: Floats
    share_high: Floats
    least: Integers
