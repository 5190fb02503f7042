"""Round the small counts of one base, so that every table built from it is safe, additive and close to the truth.

Every leaf with a count of 1 to k − 1 becomes 0 or k; all others stay as they are. Tables are then added up from the
rounded leaves, so that they agree with each other by construction, and no arithmetic on them can tell a leaf of 1 to
k − 1 from one of 0 (shown as 0) or of k (shown as k). The idea of rounding the inner cells only, and of choosing
which go up so that the published margins stay close, is that of small count rounding: Heldal, J. (2017), The European
Census Hub 2011 hypercubes, Norwegian SDC experiences; Langsrud, Ø. and Heldal, J. (2018), An algorithm for small count
rounding of tabular data, Privacy in Statistical Databases, Valencia. The search is our own, because theirs is greedy
and always gives the same answer to the same table, so that whoever knows the algorithm can run it backwards:

1. *Start*: systematic sampling with a random start along an order that keeps leaves of the same margins together
   (random among the coarse tables): a leaf of count v goes up with probability exactly v / k. Now and then a leaf is
   drawn by itself (`APART`), so that the number that go up is not tied to ⌊Σv / k⌋ or ⌈Σv / k⌉: somebody who knows all
   other leaves could otherwise rule values out.
2. *Exchange*: a leaf that went up and one that did not, **of the same count and the same k**, change places where that
   lowers the sum of squared errors over all cells of all tables. The number that go up in each class stays that of
   the start: the expected error summed over the leaves of each count, and so that of the grand total, is exactly 0.
3. A fifth of the small leaves (`HELD`), drawn independently, take no part in the exchange. So every leaf of count v
   goes up with probability at least v / 5k and stays down with at least (1 − v / k) / 5, whatever the data.

What is not promised: the error of a single cell or leaf is not unbiased given the data (where a leaf's neighbours make
one direction better, it goes there more often: only the floor of 3. holds), and a leaf of count v is off by v or k − v.
Any change of a count, a table or a minimum draws everything anew: `previous` is there to keep what was shown before.
All draws come from SHAKE-256 keyed with HMAC-SHA256 of the data under a secret: same input and secret, same bytes on
every machine and version; without the secret, no replay.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safercities.disclose.family import Family

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

#: Share of the small leaves that keep the first, unbiased draw: the floor under every leaf's chance of either outcome.
HELD = 0.2
#: How many leaves of all, on average, are drawn by themselves: more hides the remainder of the total better, and costs
#: about 2.2 × √APART of its error (k = 5).
APART = 0.5
#: Rounds of exchanges at most, and the share by which a round must lower the objective for another to follow.
ROUNDS, GAIN = 16, 0.01
#: Leaves taken down between two looks at which are best to go up; those looked at; those kept to choose from.
BATCH, LOOKED, KEPT = 32, 4096, 64
#: Coarse tables that the first order goes by.
SORTED = 16
#: Shortest secret, bytes: 128 bits.
SECRET = 16


@dataclass(frozen=True)
class Error:
    """How far the cells of one table, or of several, are from the truth, in units of the count.

    Not for publication: of a table of one cell, the largest error is the true count for who sees the rounded one.
    """

    name: str
    cells: int
    mean: float  #: mean absolute error over all cells
    largest: int  #: largest absolute error
    changed: float  #: share of cells with an error


@dataclass(frozen=True)
class Rounded:
    """A protected base and what it cost."""

    counts: Ints  #: shape (leaves,): 0, k or a true count of k and more
    small: int  #: leaves of 1 to k − 1
    errors: tuple[Error, ...]  #: of each table, in the family's order; see `Error` about publishing them


def round_base(
    counts: Ints,
    family: Family,
    minimum: int | Ints,
    *,
    secret: bytes,
    previous: tuple[Ints, Ints] | None = None,
) -> Rounded:
    """Round the small counts of a base so that all tables of a family stay close to the truth.

    Parameters
    ----------
    counts
        True count of each leaf, shape (leaves,), 0 or more.
    family
        The tables to stay close to.
    minimum
        k, for all leaves or for each one, shape (leaves,): counts of 1 to k − 1 become 0 or k. 1: nothing is rounded.
    secret
        The observatory's own, at least 16 bytes, never published.
    previous
        True and rounded counts of an earlier release of the same period on the same leaves, under the same minimum: a
        leaf whose true count is the same keeps its rounded one, as two draws for one count could be averaged.

    Raises
    ------
    ValueError
        If a count is negative or not whole, a shape does not fit, a minimum is below 1, the secret is short, or an
        unchanged leaf of the earlier release was not rounded under this minimum.

    Examples
    --------
    >>> from safercities.disclose.family import Table
    >>> total = Table("total", np.zeros(6, dtype=np.int64), 1, 5)
    >>> rounded = round_base(np.array([0, 2, 3, 1, 4, 70]), Family(6, (total,)), 5, secret=b"only for examples")
    >>> sorted(rounded.counts.tolist()), rounded.errors[0].largest
    ([0, 0, 0, 5, 5, 70], 0)
    """
    true, least = _whole(counts, family.leaves, "counts"), _least(minimum, family.leaves)
    if len(secret) < SECRET:
        raise ValueError(f"the secret has {len(secret)} bytes; at least {SECRET} are needed")
    shown, decided = _keep(true, least, previous)
    small = np.flatnonzero((true > 0) & (true < least))
    search = _Search(family, small, true[small], least[small], _Draws(_seed(true, least, family, secret, previous)))
    search.start(shown[small], decided[small])
    search.exchange()
    shown[small] = np.where(search.up, least[small], 0)
    return Rounded(shown, len(small), errors(true, shown, family))


def bounds(rounded: Ints, minimum: int | Ints) -> tuple[Ints, Ints]:
    """Least and largest true count of each leaf that fits its rounded one: what anybody may conclude.

    A 0 was 0 to k − 1, a k was 1 to k (k itself is not rounded), and what is above k is exact.

    Parameters
    ----------
    rounded
        Rounded counts, shape (leaves,).
    minimum
        k, for all leaves or for each one.

    Returns
    -------
    tuple
        Lower and upper bounds, each of shape (leaves,), both included.

    Raises
    ------
    ValueError
        If a count is one that rounding cannot give: negative, or from 1 to k − 1.

    Examples
    --------
    >>> bounds(np.array([0, 5, 9]), 5)
    (array([0, 1, 9]), array([4, 5, 9]))
    """
    shown = _whole(rounded, len(rounded), "rounded counts")
    least = _least(minimum, len(shown))
    if np.any((shown > 0) & (shown < least)):
        raise ValueError("a count from 1 to the minimum less 1 has not been rounded")
    lower = np.where(shown == least, 1, shown)
    return lower, np.where(shown == 0, least - 1, shown)


def errors(counts: Ints, rounded: Ints, family: Family) -> tuple[Error, ...]:
    """Error of each table of a family, in its order; cells without a leaf count as cells without an error.

    Examples
    --------
    >>> from safercities.disclose.family import Table
    >>> table = Table("by sex", np.array([0, 0, 1]), 2, 5)
    >>> errors(np.array([1, 3, 8]), np.array([0, 5, 8]), Family(3, (table,)))
    (Error(name='by sex', cells=2, mean=0.5, largest=1, changed=0.5),)
    """
    wrong = rounded - counts
    return tuple(_error(table.name, np.abs(table.counts(wrong))) for table in family.tables)


def pooled(name: str, parts: Iterable[Error]) -> Error:
    """Error over all cells of several tables, as those of one level.

    Examples
    --------
    >>> pooled("both", [Error("a", 1, 4.0, 4, 1.0), Error("b", 3, 0.0, 0, 0.0)])
    Error(name='both', cells=4, mean=1.0, largest=4, changed=0.25)
    """
    found = list(parts)
    cells = sum(one.cells for one in found)
    mean = sum(one.mean * one.cells for one in found) / max(cells, 1)
    changed = sum(one.changed * one.cells for one in found) / max(cells, 1)
    return Error(name, cells, mean, max((one.largest for one in found), default=0), changed)


def _error(name: str, size: Ints) -> Error:
    if not len(size):
        return Error(name, 0, 0.0, 0, 0.0)
    return Error(name, len(size), float(size.mean()), int(size.max()), float((size > 0).mean()))


def _whole(counts: ArrayLike, leaves: int, what: str) -> Ints:
    """A copy of the counts as 64-bit integers, once they are known to be counts of these leaves."""
    found = np.asarray(counts)
    if found.shape != (leaves,):
        raise ValueError(f"{what}: shape {found.shape} instead of ({leaves},)")
    if leaves and found.dtype.kind not in "iu":
        raise ValueError(f"{what}: not whole numbers but {found.dtype}")
    if leaves and (found.min() < 0 or found.max() > np.iinfo(np.int64).max):
        raise ValueError(f"{what}: below 0 or beyond 64 bits")
    return found.astype(np.int64)


def _least(minimum: int | Ints, leaves: int) -> Ints:
    """The minimum of each leaf; the sum of all must fit, as errors are added up."""
    if np.ndim(minimum) == 0:
        minimum = np.full(leaves, minimum)
    least = _whole(minimum, leaves, "minimum")
    if leaves and (least.min() < 1 or int(least.max()) > 2**53 // leaves):
        raise ValueError("minimum: below 1, or too large")
    return least


def _keep(true: Ints, least: Ints, previous: tuple[Ints, Ints] | None) -> tuple[Ints, Mask]:
    """What is shown before anything is drawn, and which leaves are decided already."""
    shown = true.copy()
    if previous is None:
        return shown, np.zeros(len(true), dtype=bool)
    before, given = (_whole(one, len(true), "previous counts") for one in previous)
    same = before == true
    small = (true > 0) & (true < least)
    if np.any(same & np.where(small, (given != 0) & (given != least), given != true)):
        raise ValueError("the earlier release was not rounded under this minimum")
    shown[same] = given[same]
    return shown, same


def _seed(true: Ints, least: Ints, family: Family, secret: bytes, previous: tuple[Ints, Ints] | None) -> bytes:
    """HMAC-SHA256 under the secret of everything that the result depends on, each part after its length."""
    made = hmac.new(secret, f"safercities-rounding/1 {len(family.tables)}\n".encode(), hashlib.sha256)
    parts: list[Ints] = [true, least, *(table.of for table in family.tables), *(previous or ())]
    for part in parts:
        made.update(len(part).to_bytes(8, "little"))
        made.update(part.astype("<i8").tobytes())
    return made.digest()


class _Draws:
    """Random numbers from SHAKE-256: not to be foreseen without the seed, and the same in every version of NumPy."""

    def __init__(self, seed: bytes) -> None:
        self._seed, self._calls = seed, 0

    def uniform(self, size: int) -> Floats:
        """Numbers in [0, 1), shape (size,)."""
        self._calls += 1
        raw = hashlib.shake_256(self._seed + self._calls.to_bytes(8, "little")).digest(8 * size)
        return (np.frombuffer(raw, dtype="<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def shuffle(self, items: Ints) -> Ints:
        """The items in a random order."""
        return items[np.argsort(self.uniform(len(items)), kind="stable")]

    def below(self, limit: int, size: int) -> Ints:
        """Whole numbers from 0 to limit − 1, shape (size,)."""
        return (self.uniform(size) * limit).astype(np.int64)


class _Search:
    """The small leaves, which of them go up, and the error of every cell that they lie in.

    Cells of all tables are numbered through; the last number is no cell (leaves that a table leaves out), and its
    error is kept at 0. All sums are of integers, so that the result does not hang on the order of adding up.
    """

    def __init__(self, family: Family, leaves: Ints, value: Ints, least: Ints, draws: _Draws) -> None:
        self.value, self.least, self.draws = value, least, draws
        self.up = np.zeros(len(leaves), dtype=bool)
        self.free = np.zeros(len(leaves), dtype=bool)
        self.sizes = np.array([table.size for table in family.tables], dtype=np.int64)
        first, none = np.cumsum(self.sizes) - self.sizes, int(self.sizes.sum())
        self.cell = np.full((len(leaves), len(family.tables)), none, dtype=np.int64)
        for number, table in enumerate(family.tables):
            of = table.of[leaves]
            self.cell[:, number] = np.where(of >= 0, of + first[number], none)
        self.error = np.zeros(none + 1, dtype=np.int64)
        # What going up costs a leaf by itself: k² in every cell, divided by k as the rest of the cost is.
        self.own = least * (self.cell < none).sum(axis=1)

    def start(self, shown: Ints, decided: Mask) -> None:
        """Take over what is decided, draw the rest, and choose which leaves may be exchanged."""
        open_ = np.flatnonzero(~decided)
        self.up = decided & (shown > 0)
        self.up[open_] = self._systematic(open_)
        self.free = ~decided & (self.draws.uniform(len(decided)) >= HELD)
        wrong = np.where(self.up, self.least, 0) - self.value
        np.add.at(self.error, self.cell, wrong[:, None])
        self.error[-1] = 0

    def _systematic(self, leaves: Ints) -> Mask:
        """Which of some leaves go up at first: each with probability v / k, evenly along the order of `_order`."""
        share = self.value[leaves] / self.least[leaves]
        apart = self.draws.uniform(len(leaves)) * len(leaves) < APART
        up: Mask = self.draws.uniform(len(leaves)) < share
        order = self._order(leaves)
        order = order[~apart[order]]
        sums = np.concatenate([[0.0], np.cumsum(share[order])]) + self.draws.uniform(1)
        up[order] = np.diff(np.floor(sums)) > 0
        return up

    def _order(self, leaves: Ints) -> Ints:
        """An order in which neighbours share many cells: by k, then by coarse tables in a random order."""
        tables = np.argsort(self.sizes * self.draws.uniform(len(self.sizes)), kind="stable")[:SORTED]
        keys = [self.cell[leaves, table] for table in tables]
        return np.lexsort((self.draws.uniform(len(leaves)), *reversed(keys), self.least[leaves]))

    def exchange(self) -> None:
        """Rounds of exchanges within each class of leaves of the same count and k, until they gain little."""
        before = self._squares()
        for _ in range(ROUNDS):
            for members in self._classes():
                mixed = self.draws.shuffle(members)
                self._round(mixed[self.up[mixed]], mixed[~self.up[mixed]])
            after = self._squares()
            if before - after <= GAIN * before:
                return
            before = after

    def _squares(self) -> float:
        return float(np.sum(self.error.astype(np.float64) ** 2))

    def _classes(self) -> Iterator[Ints]:
        """Leaves that may be exchanged, class by class."""
        free = np.flatnonzero(self.free)
        pairs = np.stack([self.least[free], self.value[free]], axis=1)
        _, number = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(number.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(number.ravel()))
        yield from np.split(free[order], ends[:-1]) if len(free) else ()

    def _round(self, high: Ints, low: Ints) -> None:
        """Try to exchange each leaf of `high` (all up) with one of `low` (all down)."""
        for first in range(0, len(high) if len(low) else 0, BATCH):
            batch, places = high[first : first + BATCH], self._best(low)
            grows = self._growth(batch, low[places])
            for row, leaf in enumerate(batch.tolist()):
                column = int(grows[row].argmin())
                if grows[row, column] < 0 and self._swap(leaf, low, places[column]):
                    grows[:, column] = 0  # has gone up: no longer to be had

    def _best(self, low: Ints) -> Ints:
        """Where in `low` those are that cost least to go up, as things stand."""
        looked = np.arange(len(low))
        if len(low) > LOOKED:
            looked = self.draws.below(len(low), LOOKED)
        return looked[np.argsort(self._cost(low[looked]), kind="stable")[:KEPT]]

    def _cost(self, leaves: Ints) -> Ints:
        """What the sum of squares grows by if each of some leaves of one k went up, divided by k."""
        found: Ints = 2 * self.error.take(self.cell.take(leaves, axis=0)).sum(axis=1) + self.own[leaves]
        return found

    def _growth(self, high: Ints, low: Ints) -> Ints:
        """What the sum of squares grows by if each of `high` went down and each of `low` up instead, divided by k.

        Cells that both lie in stay as they are: shape (high, low).
        """
        cells = self.cell[high]
        inside = np.where(cells < len(self.error) - 1, cells, -1)
        shared = (inside[:, None, :] == self.cell[low]).sum(axis=2)
        saved = 2 * self.error[cells].sum(axis=1) - self.own[high]
        found: Ints = self._cost(low) - 2 * self.least[high[0]] * shared - saved[:, None]
        return found

    def _swap(self, leaf: int, low: Ints, place: int) -> bool:
        """Let a leaf of `low` go up instead of another leaf if that is still better; whether it was."""
        other, k = low[place], self.least[leaf]
        if self._growth(np.array([leaf]), low[place : place + 1])[0, 0] >= 0:
            return False
        self.error[self.cell[leaf]] -= k
        self.error[self.cell[other]] += k
        self.error[-1] = 0
        low[place] = leaf
        self.up[leaf], self.up[other] = False, True
        return True
