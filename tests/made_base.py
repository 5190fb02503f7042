"""A tiny base for tests: robberies by zone and sex, and what the journal keeps of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safercities.disclose.base import Axis, Base, Definition, Signature
from safercities.disclose.family import Family
from safercities.disclose.journal import Entry, Frame
from safercities.disclose.zones import Zones
from safercities.indicators.catalogue import indicator
from safercities.model.periods import Period

K = 5
Counts = list[list[int]]


def made(counts: Counts, beats: Sequence[tuple[str, str]] = ()) -> Base:
    """Robberies by zone (rows) and sex (columns): a zone is a ward, or a pair of ward and beat."""
    array = np.array(counts, dtype=np.int64)
    chains = list(beats) or [(ward,) for ward in "ABCDEFGH"[: len(array)]]
    levels = ("ward", "beat")[: len(chains[0])]
    codes = tuple(tuple(dict.fromkeys(chain[axis] for chain in chains)) for axis in range(len(levels)))
    at = np.array([[codes[axis].index(chain[axis]) for chain in chains] for axis in range(len(levels))])
    acts = indicator("recorded.robbery").versions[0].counted
    definition = Definition("recorded.robbery", "1", "Robbery", acts)
    axis = Axis("sex", ("F", "M", "_O")[: array.shape[1]])
    signature = Signature((True,), (False,), "0401")
    zones, period = Zones(levels, codes, at), Period.parse("2024")
    return Base("police", period, "T", (definition,), (signature,), zones, (axis,), array.ravel())


def minimum(base: Base) -> np.ndarray:
    return np.full(base.leaves, K, dtype=np.int64)


def entry(base: Base, shown: np.ndarray | None = None, tables: Family | None = None) -> Entry:
    """What the journal keeps of a release that published these rounded counts, or all cells of these tables."""
    frame = Frame.of(base)
    if shown is not None:
        return Entry("police", "2024", "rounding", minimum(base), frame, base.counts, rounded=shown)
    assert tables is not None
    cells = tables.matrix.indptr.astype(np.int64), tables.matrix.indices.astype(np.int64)
    return Entry("police", "2024", "suppression", minimum(base), frame, base.counts, cells=cells)
