"""The attack on a survey's estimates: what respondents and cases of every domain can have been, given what is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_leaves import Key, Leaves
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Bounds of shares are met to this, absolutely: the rest is rounding in binary fractions.
EXACT = 1e-9
#: What is bounded of a domain: cases, respondents who are none, respondents.
QUANTITIES = ("x", "y", "n")
#: Nodes of a search that may end without an answer.
STEPS = 50
#: No sample is larger, where nothing is known of its size.
LARGEST = 10_000_000


@dataclass(frozen=True)
class Seen:
    """What an attacker sees of the domains of one indicator in one wave; arrays of shape (domains,).

    The attacker takes the worst case for granted: that the sample weighs itself (a share is cases over respondents),
    and where `se_low` and `se_high` are given, that people were drawn one by one, so that the standard error is
    √(p(1 − p)/(n − 1)).

    Parameters
    ----------
    name
        For people: indicator and wave.
    n_low, n_high
        Respondents, from the band; of a withheld domain 0 and the size of the sample.
    share_low, share_high
        The share before it was rounded; 0 and 1: nothing is known.
    x_low, y_low
        Cases, and respondents who are none, at least.
    cases
        Whether cases are protected; of means only respondents are.
    withheld
        Whether the domain's rows are withheld.
    x_high, y_high
        Cases and others at most; None: as many as there are respondents.
    se_low, se_high
        Bounds of the standard error of the share, lower one excluded; 0 and infinity, or None: nothing is known.
    """

    name: str
    n_low: Integers
    n_high: Integers
    share_low: Floats
    share_high: Floats
    x_low: Integers
    y_low: Integers
    cases: Mask
    withheld: Mask
    se_low: Floats | None = None
    se_high: Floats | None = None
    x_high: Integers | None = None
    y_high: Integers | None = None


class System(NamedTuple):
    """Integer system `lower ≤ matrix @ z ≤ upper`, `0 ≤ z ≤ most`; z holds cases, then the others, of every cell.

    `sums` (3 × domains, variables) gives x, y and n of the domains, in this order, of a solution.
    """

    matrix: sparse.csr_array
    lower: Floats
    upper: Floats
    most: Floats
    sums: sparse.csr_array


class Bounds(NamedTuple):
    """Smallest and largest x, y and n of every domain, arrays of shape (3, domains)."""

    low: Integers
    high: Integers


def single(
    n_low: int, n_high: int, share: tuple[float, float], se: tuple[float, float] | None = None, least: int = 0
) -> tuple[Integers, Integers]:
    """All (n, x) that one row can stand for, in closed form for each n.

    Parameters
    ----------
    n_low, n_high
        First and last number of respondents.
    share
        Bounds of the share, as it was before it was rounded.
    se
        Bounds of the standard error of the share, lower one excluded, of a sample drawn one by one; None: not used.
    least
        Cases, and respondents who are none, at least.

    Returns
    -------
    n, x
        Of every world, in order.

    Examples
    --------
    >>> n, x = single(20, 49, (0.0625, 0.0625))
    >>> n.tolist(), x.tolist()
    ([32, 48], [2, 3])
    >>> n, x = single(10, 10_000, (0.25, 0.25), (0.0693, 0.0694))
    >>> n.tolist(), x.tolist()
    ([40], [10])
    """
    if se is not None:
        first, last = _sizes(share, se)
        n_low, n_high = max(n_low, first), min(n_high, last)
    sizes = np.arange(n_low, n_high + 1, dtype=np.int64)
    low = np.maximum(np.ceil((share[0] - EXACT) * sizes).astype(np.int64), least)
    high = np.minimum(np.floor((share[1] + EXACT) * sizes).astype(np.int64), sizes - least)
    number = np.maximum(high - low + 1, 0)
    n = np.repeat(sizes, number)
    x = np.arange(len(n)) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)
    if se is None:
        return n, x
    error = drawn_singly(n, x)
    fits = (error > se[0] * (1 - EXACT)) & (error <= se[1] * (1 + EXACT))
    return n[fits], x[fits]


def drawn_singly(n: NDArray[np.generic], x: NDArray[np.generic]) -> Floats:
    """Standard error of the share x / n in a sample drawn one by one."""
    size = np.asarray(n, dtype=np.float64)
    with np.errstate(all="ignore"):
        p = np.asarray(x, dtype=np.float64) / size
        return np.asarray(np.sqrt(p * (1 - p) / (size - 1)))


def _sizes(share: tuple[float, float], se: tuple[float, float]) -> tuple[int, int]:
    """Numbers of respondents that a share and its standard error leave possible."""
    ends = [p * (1 - p) for p in share]
    most = 0.25 if share[0] <= 0.5 <= share[1] else max(ends)
    first = 1 + min(ends) / se[1] ** 2 * (1 - EXACT) if se[1] > 0 else 0.0
    last = 1 + most / se[0] ** 2 * (1 + EXACT) if se[0] > 0 else LARGEST
    return int(np.floor(max(first, 0))), int(np.ceil(min(last, LARGEST)))


def fits(seen: Seen, x: NDArray[np.generic], y: NDArray[np.generic]) -> Mask:
    """Domains of which x cases and y others have a standard error that is shown as theirs was; shape (…, domains)."""
    if seen.se_low is None or seen.se_high is None:
        return np.ones(np.shape(x), dtype=bool)
    told = np.isfinite(seen.se_high)
    error = drawn_singly(np.asarray(x, dtype=np.float64) + np.asarray(y, dtype=np.float64), x)
    with np.errstate(invalid="ignore"):
        inside = (error > seen.se_low * (1 - EXACT)) & (error <= seen.se_high * (1 + EXACT))
    return np.asarray(~told | inside)


def constraints(leaves: Leaves, seen: Seen, ties: sparse.csr_array | None = None) -> System:
    """What is published of one or several indicators, as a linear system in whole numbers.

    Parameters
    ----------
    leaves
        How the domains add up.
    seen
        What is seen of each.
    ties
        Sums of the cells' cases, then of their others, that are known to be 0 or more.
    """
    from scipy import sparse

    sums, none = leaves.sums.astype(float), sparse.csr_array(leaves.sums.shape)
    x, y = sparse.hstack([sums, none]).tocsr(), sparse.hstack([none, sums]).tocsr()
    n, same = x + y, leaves.same.astype(float)
    empty = sparse.csr_array(same.shape)
    told = np.flatnonzero((seen.share_low > 0) | (seen.share_high < 1))
    under = _weighted(seen.share_low[told] - EXACT, x[told], y[told])
    over = _weighted(seen.share_high[told] + EXACT, x[told], y[told])
    flat = np.zeros(same.shape[0])
    blocks = [
        (sparse.hstack([same, empty]), flat, flat),
        (sparse.hstack([empty, same]), flat, flat),
        (n, seen.n_low, seen.n_high),
        (x, seen.x_low, np.where(seen.cases, seen.n_high if seen.x_high is None else seen.x_high, 0)),
        (y, seen.y_low, seen.n_high if seen.y_high is None else seen.y_high),
        (under, np.zeros(len(told)), np.full(len(told), np.inf)),
        (over, np.full(len(told), -np.inf), np.zeros(len(told))),
    ]
    if ties is not None and ties.shape[0]:
        blocks.append((ties.astype(float), np.zeros(ties.shape[0]), np.full(ties.shape[0], np.inf)))
    matrix = sparse.vstack([block for block, _, _ in blocks]).tocsr()
    lower = np.concatenate([np.asarray(low, dtype=float) for _, low, _ in blocks])
    upper = np.concatenate([np.asarray(high, dtype=float) for _, _, high in blocks])
    most = np.full(matrix.shape[1], float(seen.n_high.max(initial=0)))
    return System(matrix, lower, upper, most, sparse.vstack([x, y, n]).tocsr())


def _weighted(share: Floats, x: sparse.csr_array, y: sparse.csr_array) -> sparse.csr_array:
    """x − share · (x + y), row by row."""
    from scipy import sparse

    return sparse.csr_array(sparse.diags_array(1 - share) @ x - sparse.diags_array(share) @ y)


def attack(
    leaves: Leaves, seen: Seen, which: Sequence[int] | None = None, ties: sparse.csr_array | None = None
) -> Bounds:
    """Exact bounds of the domains `which` (default: all), by integer programming; other domains get 0 and `LARGEST`.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end with an optimum: also where no world fits, because then the attacker's
        view of the sample is wrong, and nothing is proved.

    Examples
    --------
    >>> from safercities.disclose.survey_leaves import leaves
    >>> tree = leaves([("A", "_T"), ("A", "F"), ("A", "M")], ["sex"])
    >>> whole, anything = np.array([60, 35, 0]), np.array([60, 35, 60])
    >>> nothing, everything = np.array([0.2, 0.2, 0.0]), np.array([0.2, 0.2, 1.0])
    >>> least, hidden = np.array([5, 5, 0]), np.array([False, False, True])
    >>> seen = Seen("F and the total exact", whole, anything, nothing, everything, least, least, hidden | True, hidden)
    >>> found = attack(tree, seen, [2])
    >>> found.low[:, 2].tolist(), found.high[:, 2].tolist()
    ([5, 20, 25], [5, 20, 25])
    """
    system, size = constraints(leaves, seen, ties), len(leaves.domains)
    low, high = np.zeros((3, size), dtype=np.int64), np.full((3, size), LARGEST, dtype=np.int64)
    for at in range(size) if which is None else which:
        for quantity in range(3):
            aim = system.sums[[quantity * size + at]].toarray()[0]
            low[quantity, at] = round(_solve(system, aim, seen.name))
            high[quantity, at] = -round(_solve(system, -aim, seen.name))
    return Bounds(low, high)


def _solve(system: System, aim: Floats, name: str) -> float:
    """Smallest `aim @ z` in whole numbers; any status but an optimum is a failure."""
    whole = np.ones(len(aim), dtype=np.int64)
    found = optimum(aim, system.matrix, (system.lower, system.upper), system.most, name, whole)
    return float(aim @ found)


def optimum(
    aim: Floats, matrix: sparse.csr_array, sides: tuple[Floats, Floats], most: Floats, name: str, whole: Integers
) -> Floats:
    """The z from 0 to `most` with `sides[0] ≤ matrix @ z ≤ sides[1]` and the smallest `aim @ z`; HiGHS, one thread.

    Raises
    ------
    SafercitiesError
        If the solver says anything but that it found the optimum.
    """
    from scipy import optimize

    found = optimize.milp(
        aim,
        integrality=whole,
        bounds=optimize.Bounds(0, most),
        constraints=optimize.LinearConstraint(matrix, *sides),
        options={"mip_rel_gap": 0.0},
    )
    if found.status != 0 or found.x is None:
        raise SafercitiesError(problem("survey-attack-unsolved", group=name, message=found.message))
    return np.asarray(found.x, dtype=np.float64)


def guess(rows: Sequence[tuple[sparse.csr_array, Floats, Floats]], most: Floats) -> Floats | None:
    """Whole numbers that meet all rows, if they are found within a fixed number of steps; else None.

    Parameters
    ----------
    rows
        Matrix, lower and upper sides.
    most
        Largest z.
    """
    from scipy import optimize, sparse

    matrix, lower, upper = (list(one) for one in zip(*rows, strict=True))
    found = optimize.milp(
        np.zeros(len(most)),
        integrality=np.ones(len(most), dtype=np.int64),
        bounds=optimize.Bounds(0, most),
        constraints=optimize.LinearConstraint(
            sparse.vstack(matrix).tocsr(), np.concatenate(lower), np.concatenate(upper)
        ),
        options={"node_limit": STEPS},
    )
    return None if found.x is None else np.rint(found.x)


def described(domains: Sequence[Key], bounds: Bounds) -> Iterator[str]:
    """Bounds as sentences, for the private log."""
    for at, key in enumerate(domains):
        spans = (f"{name} {bounds.low[i, at]}–{bounds.high[i, at]}" for i, name in enumerate(QUANTITIES))
        yield f"{' '.join(key)}: {', '.join(spans)}"
