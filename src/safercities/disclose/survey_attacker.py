"""Play the attacker on survey estimates as published: what follows for each domain's respondents and cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.digits import bands, before
from safercities.disclose.survey_attack import LARGEST, Seen, attack, single
from safercities.disclose.survey_leaves import Key, leaves
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.disclose.survey_shown import units
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Floats = NDArray[np.float64]
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

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end: then nothing is proved.
    """
    table = read(estimates, minimum)
    rounded = np.array([status == "F" for status in estimates.table.column("conf_status").to_pylist()], dtype=bool)
    hidden = np.array([status == "N" for status in estimates.table.column("conf_status").to_pylist()], dtype=bool)
    groups: dict[Series, list[Domain]] = {}
    for one in table.domains:
        groups.setdefault(one.series, []).append(one)
    found = []
    for series, members in groups.items():
        tree = leaves([one.key for one in members], estimates.dimensions, places)
        size = (sizes or {}).get(series)
        far = max(minimum - 1, 1) if width is None else width
        which = [at for at, one in enumerate(members) if only is None or one.key in only]
        given = (table, members, rounded, hidden, minimum, far, size, tree.total)
        seen = _seen(*given, worst=True)
        try:
            bounds, fits = attack(tree, seen, which), True
        except SafercitiesError:  # no world of a sample that weighs itself: only the bands of n say something
            bounds, fits = attack(tree, _seen(*given, worst=False), which), False
        for at in which:
            x, y, n = ((int(low), int(high)) for low, high in zip(bounds.low[:, at], bounds.high[:, at], strict=True))
            found.append(Learned(series, members[at].key, bool(seen.withheld[at]), x, y, n, fits))
    return found


def _seen(
    table: Table,
    members: Sequence[Domain],
    rounded: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    minimum: int,
    width: int,
    size: int | None,
    total: int,
    *,
    worst: bool,
) -> Seen:
    many = len(members)
    largest = LARGEST if size is None else size
    n_low, n_high = np.zeros(many, dtype=np.int64), np.full(many, largest, dtype=np.int64)
    share_low, share_high, least = np.zeros(many), np.ones(many), np.zeros(many, dtype=np.int64)
    rows = np.array([max(one.row, *one.totals, -1) for one in members], dtype=np.int64)
    rows = np.where([one.row >= 0 for one in members], [one.row for one in members], rows)
    withheld = hidden[rows] | ~np.isfinite(table.value[rows])
    counted = table.kind[rows] != "number"
    step = units(table, rows, np.full(many, width, dtype=np.int64))
    for at in np.flatnonzero(~withheld).tolist():
        row, per = int(rows[at]), float(table.per[rows[at]])
        if rounded[row]:
            first, last = bands([int(table.n[row])])
            n_low[at], n_high[at] = max(int(first[0]), minimum), min(int(last[0]), largest)
            least[at] = minimum if counted[at] else 0
        if not counted[at] or not worst:
            continue
        value, half = table.value[row] / per, step.value[at] / per / 2 if rounded[row] else 0.0
        half = max(half, FULL_PRECISION * abs(value))
        share_low[at], share_high[at] = value - half, value + half
        se = table.se[row] / per
        low = float(before([table.se[row]])[0]) / per if rounded[row] else se * (1 - FULL_PRECISION)
        if se > 0:
            worlds = single(
                int(n_low[at]),
                int(n_high[at]),
                (share_low[at], share_high[at]),
                (low, se * (1 + FULL_PRECISION)),
                int(least[at]),
            )[0]
            if len(worlds):
                n_low[at], n_high[at] = worlds.min(), worlds.max()
    if size is not None and total >= 0:
        n_low[total] = n_high[total] = size
    name = " ".join(members[0].series)
    return Seen(name, n_low, n_high, share_low, share_high, least, least, counted, withheld)
