"""What counts the same cases in a run of periods, as an attacker sees it: facts, what they leave open, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.attack_rows import Told
from safercities.disclose.attack_space import Cell, Space
from safercities.disclose.audit import Fact, because, bounds, program, small
from safercities.disclose.knowledge import Ints, Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.solver import Floats, Infeasible, Mask, Program
from safercities.disclose.worlds import Opening, Points
from safercities.model.dimensions import UNKNOWN
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: For so many openings of a system it is worked out which numbers they follow from.
MOST_REASONS = 20
#: Programs that look for counts far apart in many targets at once, before the prover asks.
SPREADS = 12


@dataclass(frozen=True)
class Aim:
    """What an attacker wants to know: a sum over columns of the system."""

    label: str
    columns: Ints
    signs: Floats
    width: int
    kind: str
    minimum: int


@dataclass(frozen=True)
class Pinned:
    """An aim that can be pinned down, between which limits, and which facts that follows from."""

    aim: Aim
    lower: int
    upper: int
    facts: tuple[Fact, ...]


@dataclass
class Answer:
    """What came of one system; `narrowest`: how many further values the narrowest withheld cell keeps."""

    pinned: list[Pinned] = field(default_factory=list)
    checked: int = 0
    facts: int = 0
    narrowest: int | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, one: Answer) -> None:
        """Take in the answer of another system."""
        self.pinned += one.pinned
        self.checked += one.checked
        self.facts += one.facts
        self.notes += one.notes
        known = [each for each in (self.narrowest, one.narrowest) if each is not None]
        self.narrowest = min(known, default=None)


class System:
    """Facts over the leaves of a space. A leaf that a later release has revised is another unknown from then on.

    Parameters
    ----------
    told
        What is published and known.
    releases
        How many releases there are.
    apart
        Whether nothing that one release says is taken to hold for another one.
    """

    def __init__(self, space: Space, told: Sequence[Told], releases: int, *, apart: bool = False) -> None:
        self.space, self.told = space, [one for one in told if all(space.holds(cell) for cell, _ in one.parts)]
        self._cells: dict[Cell, Ints] = {}
        self.columns = space.size
        self.column = [np.arange(space.size)]
        shown: dict[Cell, Told] = {}
        by_release = self._shown(releases)
        for release in range(1, releases):
            shown.update(by_release[release - 1])
            again = {cell: one for cell, one in by_release[release].items() if cell in shown}
            self.column.append(self._next(shown, again, apart))

    def _shown(self, releases: int) -> list[dict[Cell, Told]]:
        found: list[dict[Cell, Told]] = [{} for _ in range(releases)]
        for one in self.told:
            if one.shown is not None and one.release >= 0:
                found[one.release][one.shown] = one
        return found

    def _next(self, before: dict[Cell, Told], again: dict[Cell, Told], apart: bool) -> Ints:
        """The columns of the leaves in the next release: new ones where all that is published twice has changed."""
        column = self.column[-1].copy()
        changed = np.full(self.space.size, apart)
        same = np.zeros(self.space.size, dtype=bool)
        for cell, one in again.items():
            kept = (one.lower, one.upper) == (before[cell].lower, before[cell].upper)
            (same if kept else changed)[self.leaves(cell)] = True
        fresh = np.flatnonzero(changed & (~same | apart))
        column[fresh] = self.columns + np.arange(len(fresh))
        self.columns += len(fresh)
        return column

    def leaves(self, cell: Cell) -> Ints:
        """The leaves of a cell, worked out once."""
        if cell not in self._cells:
            self._cells[cell] = self.space.leaves(cell)
        return self._cells[cell]

    def at(self, cell: Cell, release: int) -> Ints:
        """The columns of a cell as a release means it; −1: the last one (what is known outside)."""
        return np.asarray(self.column[release][self.leaves(cell)])

    def knowledge(self, more: Iterable[Told] = ()) -> Knowledge:
        """All facts, as sums over the columns; each once."""
        once: dict[tuple[object, ...], Told] = {}
        for one in (*self.told, *more):
            where = tuple((self.at(cell, one.release).tobytes(), times) for cell, times in one.parts)
            once.setdefault((where, one.lower, one.upper), one)
        facts = list(once.values())
        rows = [np.concatenate([self.at(cell, one.release) for cell, _ in one.parts]) for one in facts]
        data = [np.concatenate([np.full(len(self.leaves(cell)), times) for cell, times in one.parts]) for one in facts]
        matrix = sums(rows, self.columns, data)
        known = Knowledge.of(self.columns).plus(
            matrix,
            np.array([one.lower for one in facts]),
            np.array([one.upper for one in facts]),
            labels=[one.label for one in facts],
        )
        return capped(known)


def sums(rows: Sequence[Ints], columns: int, data: Sequence[Floats] | None = None) -> csr_array:
    """A matrix with these columns in each row; times 1 where nothing else is said."""
    import scipy.sparse as sp

    ends = np.cumsum([0, *(len(row) for row in rows)])
    at = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    values = np.ones(len(at)) if data is None else np.concatenate([np.zeros(0), *data])
    made = sp.csr_array((values, at, ends), shape=(len(rows), columns))
    made.sum_duplicates()
    return made


def capped(known: Knowledge) -> Knowledge:
    """No leaf holds more than a sum that it is part of: what is in a cell without cases is known to be 0."""
    matrix = known.matrix.tocoo()
    negative = np.zeros(matrix.shape[0], dtype=bool)
    negative[matrix.row[matrix.data < 0]] = True
    use = ~negative[matrix.row] & (matrix.data > 0) & np.isfinite(known.upper[matrix.row])
    most = known.most.copy()
    limit = np.floor(known.upper[matrix.row[use]] / matrix.data[use] + 1e-6)
    np.minimum.at(most, matrix.col[use], np.maximum(limit, 0.0))
    return replace(known, most=np.maximum(most, known.least))


def feasible(known: Knowledge) -> bool:
    """Whether any counts at all agree with the facts."""
    try:
        program(known).minimise(np.zeros(known.leaves))
    except Infeasible:
        return False
    return True


def absent(cells: Iterable[tuple[Cell, int]], space: Space, level: dict[str, str]) -> list[Told]:
    """What it says that a table has no row for cases of unknown place or characteristic: there are none.

    Parameters
    ----------
    cells
        All rows, withheld ones among them, with their release.
    level
        Place → its level, of places that are not everything.
    """
    tables: dict[tuple[int, str, str, str, tuple[str, ...]], set[Cell]] = defaultdict(set)
    for cell, release in cells:
        own = cell.place.partition(".")[2] if cell.place.startswith(f"{UNKNOWN}.") else level.get(cell.place, "")
        tables[(release, cell.indicator, cell.period, own, cell.names)].add(cell)
    found = []
    for (release, indicator, period, own, names), there in tables.items():
        places = {cell.place for cell in there} | ({f"{UNKNOWN}.{own}"} if own else set())
        codes = [{dict(cell.codes)[name] for cell in there} | {UNKNOWN} for name in names]
        for place, *chosen in product(sorted(places), *map(sorted, codes)):
            cell = Cell(place, period, tuple(zip(names, chosen, strict=True)), indicator)
            if cell not in there and (UNKNOWN in chosen or place.startswith(f"{UNKNOWN}.")) and space.holds(cell):
                found.append(Told(((cell, 1.0),), 0.0, 0.0, f"no row for {_words(cell)}", release))
    return found


def _words(cell: Cell) -> str:
    said = [cell.indicator, *(f"{name} {code}" for name, code in cell.codes), cell.place, cell.period]
    return ", ".join(one for one in said if one)


def solve(known: Knowledge, aims: Sequence[Aim], *, reasons: int = MOST_REASONS) -> Answer:
    """Ask of every aim how closely it can be pinned down; for so many, from which numbers that follows.

    Raises
    ------
    SafercitiesError
        If the solver ends with anything but an optimum: then nothing is proved.
    """
    answer = Answer(checked=len(aims), facts=len(known.lower))
    if not aims:
        return answer
    data = [np.broadcast_to(aim.signs, aim.columns.shape).astype(float) for aim in aims]
    targets = sums([aim.columns for aim in aims], known.leaves, data)
    width = np.array([aim.width for aim in aims], dtype=np.int64)
    met = Points(targets)
    try:
        for point in _spread(known, targets, width, aims):
            met.add(point)
        low, high = (edges.tolist() for edges in met.reach())
        suspects = [at for at, aim in enumerate(aims) if not len(met) or _may_leak(aim, low[at], high[at])]
        prover = Prover(known, targets[suspects], width[suspects], truth=None, points=met)
        openings = _beyond_doubt(prover, known)
    except Infeasible:
        raise SafercitiesError(problem("attack-contradiction")) from None
    for point in list(prover.points)[len(met) :]:
        met.add(point)
    lower, upper = met.reach()
    hidden = [
        high - low
        for aim, low, high in zip(aims, lower.tolist(), upper.tolist(), strict=True)
        if aim.kind in ("withheld", "survey") and low < aim.minimum
    ]
    answer.narrowest = min(hidden, default=None)
    for one in openings:
        at = suspects[one.target]
        aim = aims[at]
        if _leaks(aim, one.lower, one.upper):
            facts = because(known, targets[[at]])[1] if len(answer.pinned) < reasons else []
            answer.pinned.append(Pinned(aim, one.lower, one.upper, tuple(facts)))
    return answer


def _spread(known: Knowledge, targets: csr_array, width: Ints, aims: Sequence[Aim]) -> list[Floats]:
    """A few sets of counts in which as many targets as can be are `width` away from the first set, up or down.

    A program that only asks for more would raise few targets by much; here each counts up to its width.
    """
    import scipy.sparse as sp

    whole = small(known)
    first = program(known, whole=whole).minimise(np.zeros(known.leaves)).x
    points, rng = [first], np.random.default_rng(0)  # directions only: the same releases give the same report
    at = targets @ first
    low, high = at.copy(), at.copy()
    near = np.round(at).astype(np.int64).tolist()
    left = np.array([n for n, aim in enumerate(aims) if _may_leak(aim, near[n], near[n])], dtype=np.int64)
    before = len(width) + 1
    for _ in range(SPREADS):
        left = left[(high - low < width)[left]]
        if not len(left) or len(left) == before:
            break
        before = len(left)
        sign = np.where((rng.random(len(left)) < 0.5) & (at[left] >= width[left]), -1.0, 1.0)
        gain = sp.hstack([sp.diags_array(sign) @ targets[left], -sp.eye_array(len(left))])
        rest = sp.hstack([known.matrix, sp.csr_array((known.matrix.shape[0], len(left)))])
        ask = Program(
            sp.vstack([gain, rest], format="csr"),
            np.concatenate([sign * at[left], known.lower]),
            np.concatenate([np.full(len(left), np.inf), known.upper]),
            np.concatenate([known.least, np.zeros(len(left))]),
            np.concatenate([known.most, width[left].astype(float)]),
            whole=whole,
        )
        found = ask.minimise(np.concatenate([np.zeros(known.leaves), -np.ones(len(left))])).x[: known.leaves]
        points.append(found)
        low, high = np.minimum(low, targets @ found), np.maximum(high, targets @ found)
    return [each for one in points if (each := _fitting(known, one)) is not None]


def _fitting(known: Knowledge, point: Floats) -> Floats | None:
    """The point, whole where only whole numbers count; None where that is none that fits."""
    one = np.round(point) if small(known) else point
    return one if known.allows(one) else None


def _beyond_doubt(prover: Prover, known: Knowledge) -> list[Opening]:
    """The targets that are too narrow by their own limits; in a large system the prover only says which might be."""
    found = prover.openings()
    while True:
        doubtful = [one for one in found if not one.exact]
        again = prover.openings() if doubtful else found
        if len(again) >= len(found):
            break
        found = again
    if not doubtful:
        return found
    at = np.array([one.target for one in found], dtype=np.int64)
    limits = bounds(known, prover.targets[at], whole=False)
    sure = limits.width < prover.wanted[at]
    return [
        Opening(int(target), int(low), int(high), exact=True)
        for target, low, high in zip(at[sure], limits.lower[sure], limits.upper[sure], strict=True)
    ]


def _may_leak(aim: Aim, low: int, high: int) -> bool:
    """Whether an aim can be a leak that takes values from low to high: most are seen not to be without asking more."""
    if high - low >= aim.width:
        return False
    if aim.kind == "rounded":
        return low >= 1 and high < aim.minimum
    if aim.kind == "group":
        return high <= 0
    return high - aim.width + 1 < aim.minimum


def _leaks(aim: Aim, lower: int, upper: int) -> bool:
    """Whether limits that are too narrow tell of few people. What is surely k or more tells nothing of few."""
    if aim.kind == "rounded":
        return lower >= 1 and upper < aim.minimum
    if aim.kind == "group":
        return lower == upper == 0
    if aim.kind == "points":  # that nobody audited some place is no secret
        return upper >= 1 and lower < aim.minimum
    return lower < aim.minimum


def columns_once(aims: Iterable[Aim], taken: set[bytes]) -> list[Aim]:
    """The aims whose columns are not among those taken already, each once."""
    found = []
    for aim in aims:
        key = np.sort(aim.columns).tobytes()
        if key not in taken:
            taken.add(key)
            found.append(aim)
    return found


def possible(aims: Iterable[Aim], most: Floats) -> list[Aim]:
    """The aims that can be anything but 0."""
    empty: Mask = most <= 0
    return [aim for aim in aims if not empty[aim.columns].all()]
