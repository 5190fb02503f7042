"""Another implementation as an oracle: what pytauargus withholds against what we do, and our auditor's word on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.disclose.argus import Cube, Mask, Task, by_default, modular, optimal
from tests.disclose.brute import cube, published, regions, worlds

from safercities.disclose.audit import bounds
from safercities.disclose.family import Family, margins
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.suppress import default_width, suppress
from safercities.disclose.worlds import Insider

pytest.importorskip("pytauargus", reason="pytauargus is not installed: no oracle for suppression")


def made(shape: tuple[int, ...], district: int, seed: int) -> Task:
    """A table with all its margins, a few dozen cells; 4 to 12 people a leaf on the average, unevenly."""
    rng, size = np.random.default_rng(seed), int(np.prod(shape))
    axes = [[(f"axis {number}", np.arange(codes))] for number, codes in enumerate(shape)]
    if district:
        axes[-1].append(("district", np.arange(shape[-1]) // district))
    family = margins(axes, shape, 5, len(shape))
    counts = rng.multinomial(int(rng.integers(4 * size, 12 * size)), rng.dirichlet(np.ones(size)))
    return Task(family, counts, family.counts(counts) < 5, default_width(family.minimum))


def narrowest(task: Task, mask: Mask) -> int:
    """Least width of the limits of the primary cells."""
    known = published(task.family, task.counts, mask)
    return int(bounds(known, task.family.matrix[np.flatnonzero(task.primary)], whole=True).width.min(initial=99))


#: What we withhold besides the primary cells, at most: of a single table, so many times the optimum and a few cells
#: more (measured: see docs/explanation/performance.md); of all tables together, so many times.
ONE, ALL = (1.5, 2), 1.35
TABLES = [((4, 5), 0), ((3, 3, 3), 0), ((3, 8), 4), ((2, 3, 4), 2)]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Task, Mask, Mask]]:
    """20 tables: flat, of three axes, with districts, both; what its exact method publishes, and what we do."""
    tasks = [made(*TABLES[seed % len(TABLES)], seed) for seed in range(20)]
    best = optimal(tasks, tmp_path_factory.mktemp("optimal"))
    assert all(one is not None for one in best)
    ours = [suppress(task.family, task.counts).published for task in tasks]
    return [(task, one, other) for task, one, other in zip(tasks, best, ours, strict=True) if one is not None]


def test_it_withholds_the_same_primary_cells_and_its_optimum_stands_our_attack(compared) -> None:
    for task, best, _ in compared:
        assert not best[task.primary].any()
        assert narrowest(task, best) >= 2


def test_we_lose_little_more_than_the_optimum(compared) -> None:
    extra = np.array([[(~best & ~task.primary).sum(), (~ours & ~task.primary).sum()] for task, best, ours in compared])
    optimum, own = extra.T
    assert (own <= ONE[0] * optimum + ONE[1]).all(), extra.tolist()
    assert own.sum() <= ALL * optimum.sum(), extra.tolist()


def test_so_does_its_heuristic(tmp_path: Path) -> None:
    task = made((2, 3, 4), 2, seed=3)
    found = modular(task, Cube((2, 3, 4), 2), tmp_path)
    assert not found[task.primary].any()
    assert narrowest(task, found) >= 2


# -- what it calls safe, and is not ------------------------------------------------------------------------------------

SHAPE = (2, 3)
TINY = [
    [0, 1, 4, 5, 0, 6],
    [1, 1, 5, 6, 4, 5],
    [0, 1, 0, 0, 0, 2],
    [1, 0, 6, 0, 1, 5],
    [1, 2, 6, 4, 5, 6],
    [2, 2, 2, 4, 4, 4],
    [1, 4, 5, 4, 4, 1],
    [0, 0, 1, 1, 0, 0],
    [2, 8, 9, 9, 8, 3],
    [0, 0, 7, 3, 5, 5],
    [9, 9, 7, 7, 0, 7],
]
#: So many worlds can be tried in no time.
FEW = 100_000
Shown = tuple[Family, np.ndarray, Mask]


@pytest.fixture(scope="module", params=[4, 8])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    """Tables of 2 × 3 with totals as its `protect` publishes them: counts of 1 to k − 1 protected by 30 %."""
    family, counts = cube(SHAPE, request.param, 2), [np.array(leaves) for leaves in TINY]
    found = by_default(family, SHAPE, counts, f"FREQ({request.param},30)", tmp_path_factory.mktemp("default"))
    made = [(family, leaves, mask) for leaves, mask in zip(counts, found, strict=True)]
    few = [one for one in made if np.prod(told(*one).most - told(*one).least + 1) <= FEW]
    assert len(few) >= 6
    return few


def told(family: Family, leaves: np.ndarray, mask: Mask) -> Knowledge:
    """What everybody knows; no leaf is above a published sum that it is in, so that there are few worlds to try."""
    known, total = published(family, leaves, mask), family.counts(leaves)
    within = family.matrix[np.flatnonzero(mask)].toarray() > 0
    most = np.where(within, total[mask][:, None], leaves.sum()).min(axis=0).astype(float)
    alone = within[within.sum(axis=1) == 1].any(axis=0)
    return known.within(np.where(alone, leaves, 0).astype(float), most)


def by_enumeration(known: Knowledge, family: Family, cells: np.ndarray) -> np.ndarray:
    """Width of the limits of some cells, over every world."""
    every = worlds(known, 30) @ family.matrix[cells].T.toarray()
    return np.asarray(every.max(axis=0) - every.min(axis=0))


def small(family: Family, leaves: np.ndarray) -> np.ndarray:
    """The cells below the least count."""
    return np.flatnonzero(family.counts(leaves) < family.minimum)


def test_it_shows_every_0_and_that_tells(tiny) -> None:
    for family, leaves, mask in tiny:
        nobody = np.flatnonzero(family.counts(leaves) == 0)
        assert mask[nobody].all()
        assert not bounds(told(family, leaves, mask), family.matrix[nobody], whole=True).width.any()


def test_our_verdict_on_it_is_that_of_enumeration(tiny) -> None:
    hidden_and_narrow = 0
    for family, leaves, mask in tiny:
        known, cells = told(family, leaves, mask), small(family, leaves)
        width, wanted = by_enumeration(known, family, cells), default_width(family.minimum)[cells]
        assert bounds(known, family.matrix[cells], whole=True).width.tolist() == width.tolist()
        openings = Prover(known, family.matrix[cells], wanted, truth=leaves, whole=True).openings()
        assert {one.target for one in openings} == set(np.flatnonzero(width < wanted).tolist())
        hidden_and_narrow += int(((width < wanted) & ~mask[cells]).sum())
    if family.minimum[0] == 8:  # its level of protection is 30 % of the count: less than half of 0 to 7
        assert hidden_and_narrow


def test_and_our_verdict_on_what_single_people_learn_from_it(tiny) -> None:
    learned = 0
    for family, leaves, mask in tiny:
        known = told(family, leaves, mask)
        cells = np.array([cell for cell in small(family, leaves) if not mask[cell]], dtype=np.int64)
        wanted = default_width(family.minimum)[cells]
        wide = by_enumeration(known, family, cells) >= wanted
        cells, wanted = cells[wide], wanted[wide]  # what everybody learns is the other test
        for leaf in np.flatnonzero(leaves == 1).tolist() if len(cells) else ():
            width = by_enumeration(known.case(leaf, alone=True), family, cells)
            own = [family.matrix[[cell]].indices.tolist() == [leaf] for cell in cells]
            narrow = set(np.flatnonzero((width < wanted) & ~np.array(own)).tolist())
            prover = Prover(known, family.matrix[cells], wanted, truth=leaves, whole=True)
            assert {one.target for one in prover.openings([Insider(leaf, alone=True)])} == narrow
            learned += len(narrow)
    assert learned


def test_tables_that_it_protects_one_by_one_are_not_safe_together(tmp_path: Path) -> None:
    alone = []
    for one in ({"groups": False}, {"counties": False}):
        family, counts = regions(**one)
        alone.append(Task(family, counts, family.counts(counts) < 4, default_width(family.minimum)))
    masks = [mask for mask in optimal(alone, tmp_path) if mask is not None]
    for task, mask in zip(alone, masks, strict=True):
        assert narrowest(task, mask) >= 1
    seen = {
        task.family.label(cell): mask[cell] for task, mask in zip(alone, masks, strict=True) for cell in order(mask)
    }
    family, counts = regions()
    mask = np.array([seen[family.label(cell)] for cell in range(family.cells)])
    assert narrowest(Task(family, counts, family.counts(counts) < 4, default_width(family.minimum)), mask) == 0


def order(mask: Mask) -> list[int]:
    """The published cells first: what one table withholds is withheld."""
    return [*np.flatnonzero(mask).tolist(), *np.flatnonzero(~mask).tolist()]
