"""What statuses and publication verdicts several estimates have together: no better than the worst of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.model.flags import bits, words

#: From good to bad.
VERDICTS = ("publish", "warn", "withhold")
#: `obs_status` from good to bad: normal, provisional, imputed, low reliability, missing.
STATUSES = ("A", "P", "I", "U", "M", "O")


def worst(given: Iterable[str | None], order: Sequence[str]) -> str | None:
    """The worst that is said of any part; None where some part says nothing and no part more than the best.

    Parameters
    ----------
    given
        What is said of each part; a word that the order lacks counts as nothing said.
    order
        From good to bad, as `VERDICTS` and `STATUSES`.

    Examples
    --------
    >>> worst(["A", "I", "A"], STATUSES), worst(["publish", None], VERDICTS), worst(["warn", None], VERDICTS)
    ('I', None, 'warn')
    """
    ranks = [order.index(one) if one in order else -1 for one in given]
    rank = max(ranks, default=-1)
    return order[rank] if rank > 0 or (rank == 0 and min(ranks) == 0) else None


def of_wholes(
    table: pa.Table,
    group: NDArray[np.int64],
    used: NDArray[np.bool_],
    flags: Sequence[str],
    given: NDArray[np.bool_],
) -> list[str]:
    """`obs_status` of larger places: the worst of their members'; that a member has few cases is judged anew.

    Parameters
    ----------
    table
        Rows of members.
    group, used
        Larger place of each row, and whether the row counts; shape (rows,).
    flags, given
        Quality of each larger place, and whether it has a value; without one it is O.
    """
    found = [["U" if {"few_cases", "partial_period"} & set(one.split()) else "A"] for one in flags]
    members = zip(*(table.column(name).to_pylist() for name in ("obs_status", "verdict", "quality")), strict=True)
    for at, here, (status, verdict, words_of) in zip(group.tolist(), used.tolist(), members, strict=True):
        anew = status == "U" and verdict is None and "few_cases" in (words_of or "").split()
        if here and not anew:
            found[at] += [status if status in STATUSES else "A", "A" if verdict in (None, "publish") else "U"]
    return [worst(some, STATUSES) or "A" if there else "O" for some, there in zip(found, given, strict=True)]


def judged_as(totals: pa.Table, shares: pa.Table) -> pa.Table:
    """Numbers of people with what the publication rules say of their share, where that is worse.

    A share that is withheld could be worked out from its number. Both tables have an indicator's rows in one order.
    """
    own, theirs = _places_of_codes(totals), _places_of_codes(shares)
    rows, at = np.concatenate(list(own.values())), np.concatenate([theirs[code] for code in own])
    its = shares.take(pa.array(at[np.argsort(rows)]))
    rank = [_rank(table.column("verdict")) for table in (totals, its)]
    worse = rank[1] > rank[0]
    flags = [bits(table.column("quality").to_pylist()) for table in (totals, its)]
    taken = {
        name: pc.if_else(worse, its.column(name), totals.column(name))
        for name in ("verdict", "scheme", "note", "obs_status")
    }
    taken["quality"] = pa.array(words(np.where(worse, flags[0] | flags[1], flags[0])), pa.string())
    for name, column in taken.items():
        totals = totals.set_column(totals.column_names.index(name), name, column)
    return totals


def _rank(verdicts: pa.ChunkedArray) -> NDArray[np.int64]:
    """How bad a verdict is; −1 where there is none."""
    found = pc.index_in(verdicts, pa.array(VERDICTS))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


def _places_of_codes(table: pa.Table) -> dict[str, NDArray[np.int64]]:
    """Rows of each indicator, in their order."""
    codes = table.column("indicator").combine_chunks().dictionary_encode()
    numbers = codes.indices.to_numpy()
    return {code: np.flatnonzero(numbers == at) for at, code in enumerate(codes.dictionary.to_pylist())}
