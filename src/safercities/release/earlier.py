"""What an observatory's earlier releases hold, and the counts behind them: every new one is protected with these."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.disclose import journal
from safercities.disclose.corrected import Version
from safercities.disclose.journal import Entry
from safercities.disclose.plan import PlannedPeriod
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.release.store import KeyStore
from safercities.release.verify import Verified, open_release


class Earlier:
    """The releases so far.

    Parameters
    ----------
    chain
        All of them, verified.
    keys
        Of the observatory.
    folder
        Of the private journal.
    """

    def __init__(self, chain: Sequence[Verified], keys: KeyStore, folder: Path) -> None:
        self.chain, self.keys, self.folder = list(chain), keys, folder

    @cached_property
    def told(self) -> dict[str, set[tuple[str, Period]]]:
        """Release id → source and period of everything in it."""
        found: dict[str, set[tuple[str, Period]]] = {}
        for each in self.chain:
            table = read(each, self.keys).table
            pairs = table.group_by(["source", "period"]).aggregate([]).to_pylist()
            found[each.id] = {(row["source"], Period.parse(row["period"])) for row in pairs if row["source"]}
        return found

    @property
    def everything(self) -> list[tuple[str, Period]]:
        """Source and period of everything in any release, in order."""
        return sorted(set().union(*self.told.values()), key=str)

    def entries(self, sources: Sequence[str], period: Period) -> list[Entry]:
        """What the journal keeps of earlier releases of a period of a source, or of several that hold the same cases.

        Raises
        ------
        SafercitiesError
            If it has nothing of one of them, or a release holds sources of the same cases that were not protected
            together: then nothing can be proved.
        """
        found = []
        for each in self.chain:
            there = [name for name in sources if (name, period) in self.told[each.id]]
            if not there:
                continue
            kept = journal.read(self.folder, each.number, each.manifest.files["estimates.parquet"].sha256)
            mine = [journal.of_release(kept or (), name, str(period)) for name in there]
            for name, entry in zip(there, mine, strict=True):
                said: dict[str, Any] = {"source": name, "period": str(period), "number": each.number}
                if entry is None:
                    raise SafercitiesError(problem("publish-journal-gone", file=str(each.path), **said))
                if mine[0] is not None and not _alike(entry, mine[0]):
                    said["other"] = there[0]
                    raise SafercitiesError(problem("publish-same-cases-before", file=str(each.path), **said))
            found += [entry for entry in mine[:1] if entry is not None]
        return found

    def versions(self, source: str, period: Period) -> list[Version]:
        """Every release of a wave of a survey, or of audits, oldest first; none where of one nothing was kept.

        Raises
        ------
        SafercitiesError
            If the journal is damaged.
        """
        found = []
        for each in self.chain:
            if (source, period) not in self.told[each.id]:
                continue
            seal = each.manifest.files["estimates.parquet"].sha256
            kept = journal.read_waves(self.folder, each.number, seal)
            wave = next((one for one in kept if (one.source, one.period) == (source, str(period))), None)
            if wave is None:
                return []
            rows = read(each, self.keys).where(source=source, period=str(period))
            found.append(Version(each.number, rows, wave, each.manifest.rules))
        return found

    def check_renamed(self, parts: Sequence[PlannedPeriod], sources: Collection[str], file: str) -> None:
        """Refuse to publish what a source of another name, that is gone now, has published of the same days.

        Its counts would be taken for those of other cases: the difference would be each case that came late.

        Parameters
        ----------
        sources
            Names of all sources of today.
        """
        before = {name for name, _ in self.everything}
        gone = before - set(sources)
        fresh = [one for one in parts if one.source not in before]
        if not gone or not fresh:
            return
        wrong: dict[Problem, None] = {}
        for each in self.chain:
            table = read(each, self.keys).table.group_by(["source", "indicator", "period"]).aggregate([])
            for row in table.filter(pc.is_in(table.column("source"), pa.array(sorted(gone)))).to_pylist():
                for one in fresh:
                    codes = {its.indicator for its in one.tables if its.shown}
                    if row["indicator"] in codes and one.period.overlaps(Period.parse(row["period"])):
                        said: dict[str, Any] = {"source": one.source, "period": str(one.period), "old": row["source"]}
                        wrong[problem("publish-source-renamed", file=file, column="sources", **said)] = None
        if wrong:
            raise SafercitiesError(list(wrong))

    def last(self, source: str, period: Period) -> Estimates:
        """The rows of a source and period as they were published last."""
        each = [one for one in self.chain if (source, period) in self.told[one.id]][-1]
        return read(each, self.keys).where(source=source, period=str(period))


def _alike(one: Entry, other: Entry) -> bool:
    """Whether two entries say the same of the same leaves: those of sources that were protected together do."""
    pairs = [(one.effective, other.effective), (one.minimum, other.minimum), (one.frame.at, other.frame.at)]
    pairs += list(zip(one.cells or (), other.cells or (), strict=False))
    if one.rounded is not None and other.rounded is not None:
        pairs.append((one.rounded, other.rounded))
    kind = one.method == other.method and one.frame.to_json() == other.frame.to_json()
    return kind and all(np.array_equal(a, b) for a, b in pairs)


def read(each: Verified, keys: KeyStore) -> Estimates:
    """The estimates of a release of the chain; its key may have been distrusted since."""
    return open_release(each.path, identity=keys.identity).estimates
