"""Carries what the publication rules say of a share over to the number of people that belongs to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.model.flags import bits, words

#: From good to bad.
VERDICTS = ("publish", "warn", "withhold")


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
