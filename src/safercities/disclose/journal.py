"""The private journal of what was protected: the counts behind each release, which the next one is attacked with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.base import Base
from safercities.files import keep_out_of_git, replace_folder
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]

_FILE = "journal.json"
_ARRAYS = "counts.npz"
_FORMAT = "safercities-journal/2"
#: As it was before the numbers behind surveys and audits were kept; still read.
_BEFORE = "safercities-journal/1"


@dataclass(frozen=True, eq=False)
class Frame:
    """What the leaves of a base mean, without its counts: enough to find them again among the leaves of another base.

    Parameters
    ----------
    definitions
        (indicator, version) of each definition.
    signatures
        (which definitions count it, for which it may be a case), those that are counted first.
    levels, codes, at
        Zones: see `Zones`.
    axes
        (name, codes) of each dimension.
    """

    definitions: tuple[tuple[str, str], ...]
    signatures: tuple[tuple[tuple[bool, ...], tuple[bool, ...]], ...]
    levels: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...]
    at: Ints
    axes: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, base: Base) -> Frame:
        """That of a base."""
        return cls(
            tuple((one.indicator, one.version) for one in base.definitions),
            tuple((one.counted, one.unsure) for one in base.signatures),
            base.zones.levels,
            base.zones.codes,
            base.zones.at,
            tuple((axis.name, axis.codes) for axis in base.axes),
        )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """As `Base.shape`."""
        counted = sum(any(one) for one, _ in self.signatures)
        return (counted, self.at.shape[1], *(len(codes) for _, codes in self.axes))

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return int(np.prod(self.shape, dtype=np.int64)) + len(self.signatures) - self.shape[0]

    def find(self, base: Base) -> Ints:
        """For each leaf of a base the leaf here that it lies in, shape (base.leaves,); −1 where there is none."""
        signature = self._signatures(base)[base.at[0]]
        zone = self._zones(base)[base.at[1]]
        there = (signature >= 0) & (zone >= 0)
        along = [signature, zone]
        names = {axis.name: (2 + number, axis.codes) for number, axis in enumerate(base.axes)}
        for name, codes in self.axes:
            if name not in names:
                return np.full(base.leaves, -1, dtype=np.int64)
            row, theirs = names[name]
            position = {code: number for number, code in enumerate(codes)}
            along.append(np.array([position.get(code, -1) for code in theirs], dtype=np.int64)[base.at[row]])
            there &= along[-1] >= 0
        counted = signature < self.shape[0]
        found = np.full(base.leaves, -1, dtype=np.int64)
        inner = there & counted
        found[inner] = np.ravel_multi_index([one[inner] for one in along], self.shape)
        rest = (signature >= 0) & ~counted
        found[rest] = int(np.prod(self.shape, dtype=np.int64)) + signature[rest] - self.shape[0]
        return found

    def _signatures(self, base: Base) -> Ints:
        """For each signature of a base the one here that means the same to the definitions here."""
        number = {(one.indicator, one.version): at for at, one in enumerate(base.definitions)}
        if not number.keys() >= set(self.definitions):
            return np.full(len(base.signatures), -1, dtype=np.int64)
        at = [number[one] for one in self.definitions]
        position = {one: number for number, one in enumerate(self.signatures)}
        keys = [(tuple(one.counted[i] for i in at), tuple(one.unsure[i] for i in at)) for one in base.signatures]
        return np.array([position.get(key, -1) for key in keys], dtype=np.int64)

    def _zones(self, base: Base) -> Ints:
        if not set(self.levels) <= set(base.zones.levels):
            return np.full(len(base.zones), -1, dtype=np.int64)
        if not self.levels:
            return np.zeros(len(base.zones), dtype=np.int64)
        chains = [self._chain(at) for at in range(self.at.shape[1])]
        position = {chain: at for at, chain in enumerate(chains)}
        columns = [(base.zones.along(level), base.zones.places(level)) for level in self.levels]
        keys = [tuple(codes[at[zone]] for codes, at in columns) for zone in range(len(base.zones))]
        return np.array([position.get(key, -1) for key in keys], dtype=np.int64)

    def _chain(self, zone: int) -> tuple[str, ...]:
        return tuple(codes[at] for codes, at in zip(self.codes, self.at[:, zone].tolist(), strict=True))

    def to_json(self) -> dict[str, Any]:
        """As plain values; `at` aside."""
        return {
            "definitions": self.definitions,
            "signatures": self.signatures,
            "levels": self.levels,
            "codes": self.codes,
            "axes": self.axes,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], at: Ints) -> Frame:
        """From what `to_json` gave."""
        return cls(
            tuple((code, version) for code, version in value["definitions"]),
            tuple((tuple(counted), tuple(unsure)) for counted, unsure in value["signatures"]),
            tuple(value["levels"]),
            tuple(map(tuple, value["codes"])),
            at,
            tuple((name, tuple(codes)) for name, codes in value["axes"]),
        )


@dataclass(frozen=True, eq=False)
class Entry:
    """What one release told of one source and period, and the counts behind it.

    Parameters
    ----------
    source, period
        Of which.
    method
        rounding or suppression.
    minimum
        k of each leaf, shape (leaves,).
    frame
        What the leaves mean.
    effective
        The counts that were protected, shape (leaves,).
    rounded
        What they were rounded to; None with suppression.
    cells
        With suppression: cells whose counts were published, as (first position of each in `members`, leaves of all).
    """

    source: str
    period: str
    method: str
    minimum: Ints
    frame: Frame
    effective: Ints
    rounded: Ints | None = None
    cells: tuple[Ints, Ints] | None = None

    @property
    def published(self) -> csr_array:
        """The published cells as sums over the leaves, shape (cells, leaves)."""
        import scipy.sparse as sp

        first, members = self.cells if self.cells is not None else (np.zeros(1, np.int64), np.zeros(0, np.int64))
        return sp.csr_array((np.ones(len(members)), members, first), shape=(len(first) - 1, self.frame.leaves))


@dataclass(frozen=True, eq=False)
class Wave:
    """What stands behind one wave of a survey, or one period of audits, in one release.

    Parameters
    ----------
    source, period
        Of which.
    names
        What a key is made of: the place and the dimensions.
    series
        (indicator, version) of each domain; of audits the indicator is empty where all points are counted.
    keys
        Of each domain, with a code for each name.
    n, x
        True unweighted respondents and cases, shape (domains,); −1: not known. Of audits: points, and those that were
        published for them (of few changes the earlier ones).
    shown
        Number of the release whose row stands there; 0: it is withheld. Shape (domains,).
    """

    source: str
    period: str
    names: tuple[str, ...]
    series: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, ...], ...]
    n: Ints
    x: Ints
    shown: Ints


@dataclass(frozen=True)
class Record:
    """What the journal keeps of one release.

    Parameters
    ----------
    number
        Of the release in its chain.
    estimates
        Hash of its `estimates.parquet`: what a killed run left of a release that never came to be is known by it.
    entries
        Of its sources of counts and their periods.
    log
        For the office only: why what is withheld.
    waves
        Of its surveys and audits.
    """

    number: int
    estimates: str
    entries: tuple[Entry, ...]
    log: Mapping[str, Any]
    waves: tuple[Wave, ...] = ()


def write(folder: Path, record: Record) -> None:
    """Write what is kept of one release, whole or not at all; only the user may read it.

    Raises
    ------
    SafercitiesError
        If another run is writing it, or there is a folder of somebody else's.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keep_out_of_git(folder)
    with replace_folder(folder / str(record.number), mark=_FILE, private=True) as work:
        arrays: dict[str, Ints] = {}
        told = [_entry_to(one, number, arrays) for number, one in enumerate(record.entries)]
        waves = [_wave_to(one, number, arrays) for number, one in enumerate(record.waves)]
        np.savez_compressed(work / _ARRAYS, **arrays)  # type: ignore[arg-type]
        content = {"format": _FORMAT, "number": record.number, "estimates": record.estimates}
        text = json.dumps({**content, "entries": told, "waves": waves, "log": record.log}, ensure_ascii=False, indent=1)
        (work / _FILE).write_text(text, encoding="utf-8")
        keep_out_of_git(work)


def read(folder: Path, number: int, estimates: str) -> tuple[Entry, ...] | None:
    """What is kept of a release; None where nothing is, or what is there is of another one.

    Raises
    ------
    SafercitiesError
        If it is damaged.
    """
    found = _read(folder, number, estimates)
    return None if found is None else found[0]


def read_waves(folder: Path, number: int, estimates: str) -> tuple[Wave, ...]:
    """What is kept of a release's surveys and audits; nothing in journals that were written before these were kept.

    Raises
    ------
    SafercitiesError
        If it is damaged.
    """
    found = _read(folder, number, estimates)
    return () if found is None else found[1]


def _read(folder: Path, number: int, estimates: str) -> tuple[tuple[Entry, ...], tuple[Wave, ...]] | None:
    file = folder / str(number) / _FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] not in (_FORMAT, _BEFORE):
            return None
        if (content["number"], content["estimates"]) != (number, estimates):
            return None
        told = content["waves"] if content["format"] == _FORMAT else []
        with np.load(file.with_name(_ARRAYS), allow_pickle=False) as arrays:
            entries = tuple(_entry_from(one, at, arrays) for at, one in enumerate(content["entries"]))
            return entries, tuple(_wave_from(one, at, arrays) for at, one in enumerate(told))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SafercitiesError(problem("publish-journal-broken", file=str(file), message=str(error)[:200])) from None


def _wave_to(wave: Wave, number: int, arrays: dict[str, Ints]) -> dict[str, Any]:
    arrays[f"wave_{number}"] = np.array([wave.n, wave.x, wave.shown], dtype=np.int64)
    told = {"source": wave.source, "period": wave.period, "names": wave.names}
    return {**told, "series": wave.series, "keys": wave.keys}


def _wave_from(told: Mapping[str, Any], number: int, arrays: Mapping[str, Ints]) -> Wave:
    names, keys = tuple(told["names"]), tuple(map(tuple, told["keys"]))
    series = tuple((indicator, version) for indicator, version in told["series"])
    n, x, shown = arrays[f"wave_{number}"]
    if not len(n) == len(keys) == len(series) or any(len(key) != len(names) for key in keys):
        raise ValueError("its numbers do not fit its domains")
    return Wave(told["source"], told["period"], names, series, keys, n, x, shown)


def _entry_to(entry: Entry, number: int, arrays: dict[str, Ints]) -> dict[str, Any]:
    held = {"at": entry.frame.at, "effective": entry.effective, "minimum": entry.minimum, "rounded": entry.rounded}
    if entry.cells is not None:
        held |= {"first": entry.cells[0], "members": entry.cells[1]}
    arrays |= {f"{name}_{number}": value for name, value in held.items() if value is not None}
    told = {"source": entry.source, "period": entry.period, "method": entry.method}
    return {**told, "frame": entry.frame.to_json()}


def _entry_from(told: Mapping[str, Any], number: int, arrays: Mapping[str, Ints]) -> Entry:
    frame = Frame.from_json(told["frame"], arrays[f"at_{number}"])
    effective, minimum = arrays[f"effective_{number}"], arrays[f"minimum_{number}"]
    if not effective.shape == minimum.shape == (frame.leaves,):
        raise ValueError("its counts do not fit its leaves")
    rounded = arrays[f"rounded_{number}"] if told["method"] == "rounding" else None
    cells = None if rounded is not None else (arrays[f"first_{number}"], arrays[f"members_{number}"])
    return Entry(told["source"], told["period"], told["method"], minimum, frame, effective, rounded, cells)


def of_release(entries: Sequence[Entry], source: str, period: str) -> Entry | None:
    """The entry of one source and period."""
    return next((one for one in entries if (one.source, one.period) == (source, period)), None)
