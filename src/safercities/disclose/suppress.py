"""Suppression: which cells of a family of tables to publish, so that none of those withheld can be pinned down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from safercities.disclose.audit import LARGE, small
from safercities.disclose.elimination import combinations, eliminate
from safercities.disclose.family import Family
from safercities.disclose.knowledge import Ints, Knowledge
from safercities.disclose.marginal import Marginal
from safercities.disclose.prove import Prover
from safercities.disclose.remainder import Rest
from safercities.disclose.repair import Need, close
from safercities.disclose.solver import Floats, Infeasible, Mask
from safercities.disclose.worlds import Insider, Opening
from safercities.model.errors import SafercitiesError, problem

#: Families of up to so many entries are gone through cell by cell for what need not be withheld.
SPARE = 2_000
#: How much must be left of a published cell when its published parts are taken away, to the width, where a family is so
#: large that it cannot be proved otherwise: the less is left, the fewer other counts there are.
ROOM = 4
#: Rounds of proof and repair before giving up: each withholds more, so that few are ever needed.
MOST_ROUNDS = 30


@dataclass(frozen=True)
class Suppression:
    """What is published, and why the rest is not; shapes (cells,) of the family.

    Parameters
    ----------
    published
        Cells whose counts are published.
    primary
        Cells withheld for their own sake: counts below the least one, and those that disclose an attribute.
    repaired
        Cells withheld because the first pattern did not stand the attack.
    """

    published: Mask
    primary: Mask
    repaired: Mask

    @property
    def secondary(self) -> Mask:
        """Cells withheld for the sake of others."""
        return ~self.published & ~self.primary


def default_width(minimum: Ints) -> Ints:
    """Least width of what an attacker is left with, by the least count: half of the class "fewer than k", at least 1.

    Examples
    --------
    >>> default_width(np.array([3, 5, 10])).tolist()
    [1, 2, 4]
    """
    return np.maximum(1, (np.asarray(minimum) - 1) // 2)


def suppress(
    family: Family,
    counts: Ints,
    *,
    width: Ints | None = None,
    primary: Mask | None = None,
    known: Knowledge | None = None,
    insiders: list[Insider] | None = None,
    cost: Floats | None = None,
    seed: int = 0,
) -> Suppression:
    """Withhold every cell below its least count, and as few others as are needed so that an attacker cannot tell.

    Parameters
    ----------
    family
        The tables.
    counts
        Of the leaves, shape (leaves,).
    width
        How many further values of each withheld primary cell must remain possible; default: `default_width`.
    primary
        Cells to be withheld for another reason (attribute disclosure), shape (cells,).
    known
        What is known besides the release, and cannot be withheld any more.
    insiders
        Who knows a case; see `insiders_of`. Default: nobody.
    cost
        Of withholding each cell; default: 1 and a little more for larger counts.

    Raises
    ------
    SafercitiesError
        If what is known already pins down a cell, whatever is withheld now; or the solver gives no answer.

    Examples
    --------
    >>> from safercities.disclose.family import margins
    >>> family = margins([[("sex", np.arange(2))], [("age", np.arange(3))]], (2, 3), 5, 2)
    >>> result = suppress(family, np.array([2, 30, 40, 20, 25, 60]))
    >>> int(result.primary.sum()), int(result.secondary.sum())
    (1, 3)
    """
    total = family.counts(counts)
    below = total < family.minimum
    own = below if primary is None else below | primary
    wanted = default_width(family.minimum) if width is None else np.asarray(width)
    price = 1 + 0.1 * np.log1p(total) if cost is None else cost
    known = known if known is not None else Knowledge.of(family.leaves)
    work = _Work(family, counts, own, wanted, price, known, insiders or [], seed)
    published, repaired = work.run()
    return Suppression(published, own, repaired)


def insiders_of(counts: Ints, *, singletons: bool = True) -> list[Insider]:
    """Everybody who may know one case: one insider a leaf with cases; of a single case, one who knows she is alone.

    Examples
    --------
    >>> insiders_of(np.array([0, 1, 4]))
    [Insider(leaf=1, alone=True), Insider(leaf=2, alone=False)]
    """
    return [Insider(int(leaf), bool(singletons and counts[leaf] == 1)) for leaf in np.flatnonzero(counts)]


class _Work:
    """Elimination, then proof and repair until nothing is open."""

    def __init__(
        self,
        family: Family,
        counts: Ints,
        primary: Mask,
        width: Ints,
        cost: Floats,
        known: Knowledge,
        insiders: list[Insider],
        seed: int,
    ) -> None:
        self.family, self.counts, self.primary, self.cost, self.known = family, counts, primary, cost, known
        self.width, self.insiders, self.seed = width, insiders, seed
        self.total = family.counts(counts)
        self.points: list[Floats] = []
        self._marginal = Marginal(family, counts, width, np.ones(len(primary), dtype=bool))
        self.repaired = False

    def run(self) -> tuple[Mask, Mask]:
        published = first = self._eliminate()
        for _ in range(MOST_ROUNDS):
            openings = self._openings(published)
            if not openings:
                published = self._spare(published)
                return published, first & ~published
            published, self.repaired = self._repair(published, openings), True
        raise SafercitiesError(problem("protect-endless", rounds=MOST_ROUNDS))

    def _eliminate(self) -> Mask:
        import scipy.sparse as sp

        cells = self.family.matrix
        candidates = np.flatnonzero(~self.primary)
        order = candidates[np.argsort(-self.total[candidates], kind="stable")]
        facts = np.flatnonzero(self.known.lower == self.known.upper)
        matrix = sp.vstack([cells, self.known.matrix[facts]], format="csr")
        more = np.zeros(len(facts), dtype=bool)
        forced = cells.shape[0] + np.arange(len(facts))
        rest = None
        if cells.nnz > LARGE and not self._marginal.publishing(~self.primary).fewer:
            rest = Rest(self.family, self.total, ROOM * self.width)
        found = eliminate(matrix, np.concatenate([self.primary, more]), order, forced, rest=rest, seed=self.seed)
        published = found[: cells.shape[0]]
        if rest is not None:  # what follows from published cells hides nothing, however little it leaves
            left = np.flatnonzero(~published & ~self.primary)
            published[combinations(cells, left, np.flatnonzero(published), self.seed)] = True
        return published

    def knowledge(self, published: Mask) -> Knowledge:
        """Everything known once these cells are published."""
        at = np.flatnonzero(published)
        return self.known.plus(self.family.matrix[at], self.total[at].astype(float))

    def _cells(self, published: Mask) -> Marginal | None:
        """The cells as a quicker way to other counts, in large systems of few cells to many leaves."""
        if self.family.matrix.nnz <= LARGE:
            return None
        self._marginal = self._marginal.publishing(published)
        return self._marginal if self._marginal.fewer else None

    def _openings(self, published: Mask, *, brief: bool = False) -> list[Opening]:
        """Withheld cells that are pinned down; `target` is the cell.

        Others than the primary ones count as well, as long as an attacker must think that they may be below the least
        count: for him all withheld cells look alike.
        """
        withheld = np.flatnonzero(~published)
        prover = Prover(
            self.knowledge(published),
            self.family.matrix[withheld],
            self.width[withheld],
            truth=self.counts,
            points=self.points,
            seed=self.seed,
            exact=small(self.known),
            brief=brief,
            enough=np.where(self.primary, np.iinfo(np.int64).max, self.family.minimum)[withheld],
            cells=self._cells(published),
        )
        found = [replace(one, target=int(withheld[one.target])) for one in prover.openings(self.insiders)]
        self.points = list(prover.points)[1:]
        return found

    def _spare(self, published: Mask) -> Mask:
        """Publish again what the proof does not need, the dearest first; in small systems, where trying is cheap.

        Repair closes several openings at once, and may withhold for one what would have done for another.
        """
        if self.family.matrix.nnz > SPARE or not self.repaired:
            return published  # what elimination left out, it left out for a reason
        withheld = np.flatnonzero(~published & ~self.primary)
        for cell in withheld[np.argsort(-self.cost[withheld], kind="stable")].tolist():
            more, points = published.copy(), self.points
            more[cell] = True
            row = self.family.matrix[[cell]]
            self.points = [one for one in points if abs((row @ (one - self.counts))[0]) < 1e-6]
            if self._openings(more, brief=True):
                self.points = points
            else:
                published = more
        return published

    def _repair(self, published: Mask, openings: list[Opening]) -> Mask:
        needs = []
        for one in openings:
            truth, width = int(self.total[one.target]), int(self.width[one.target])
            inside = self.family.matrix[[one.target]].indices
            own = one.insider is not None and len(inside) == 1 and inside[0] == one.insider.leaf
            fixed = () if one.insider is None or own else (one.insider.leaf,)
            down = min(-1, one.upper - width - truth)
            needs.append(
                Need(one.target, max(1, one.lower + width - truth), fixed, down if truth + down >= 0 else None)
            )
        try:
            cells = self._cells(published)
            kept, points = close(self.family.matrix, published, self.cost, self.counts, self.known, needs, cells)
        except Infeasible:
            label = self.family.label(openings[0].target)
            raise SafercitiesError(problem("protect-impossible", cell=label)) from None
        self.points += points  # where nothing more is withheld, these show that nothing more need be
        return kept
