"""Sources that hold the same cases, found by their files or declared; they are protected over one base, or refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities import files
from safercities.collect.archive import opened
from safercities.collect.file_spec import FileSpec
from safercities.collect.read import read_table
from safercities.collect.records import DimensionInfo
from safercities.collect.survey_spec import SurveySpec
from safercities.disclose.counts import Guarded
from safercities.disclose.plan import PlannedPeriod, PlannedTable
from safercities.disclose.room import keys
from safercities.measure.source import CountsSource, days_of
from safercities.model.dimensions import UNKNOWN
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.periods import Period

Ints = NDArray[np.int64]
Names = NDArray[np.object_]
_FILE = "observatory.toml"
#: Files of text, which programs write again with other ends of lines.
_LINES = {".csv", ".tsv", ".txt", ".json", ".geojson"}


class Sisters:
    """Which sources hold the same cases, period by period. What it compares never leaves the office.

    Sources may hold the same cases where their files have the same bytes (then a case is known by its row), or where
    somebody says so (then by its id). Whether they do is seen from the cases.

    Parameters
    ----------
    specs
        Source → its file, of all sources of cases, interviews or audits.
    used
        Those among them that are published, or were; no other file is looked at.
    folder
        Of the observatory.
    declared
        Groups of sources that are said to hold the same cases.
    table
        Records of a source, by its name.
    """

    def __init__(
        self,
        specs: Mapping[str, FileSpec],
        used: Collection[str],
        folder: Path,
        declared: Sequence[Sequence[str]],
        table: Callable[[str], pa.Table],
    ) -> None:
        unknown = sorted({name for group in declared for name in group} - specs.keys())
        if unknown:
            said: dict[str, Any] = {"source": unknown[0], "known": ", ".join(specs) or "nothing"}
            raise SafercitiesError(problem("publish-source-nowhere", file=_FILE, column="publish.same_cases", **said))
        self.specs = {name: spec for name, spec in specs.items() if name in used}
        self.folder, self.table = folder, table
        self.declared = [tuple(group) for group in declared]
        self._ids: dict[str, dict[int, str]] = {}

    @cached_property
    def same_file(self) -> set[frozenset[str]]:
        """Pairs of sources over the same file, or over copies of it."""
        seals = {name: self._seal(name) for name in self.specs} if len(self.specs) > 1 else {}
        pairs = combinations(seals, 2)
        return {frozenset(pair) for pair in pairs if seals[pair[0]] == seals[pair[1]] and self._one_table(*pair)}

    def _seal(self, name: str) -> str:
        with opened(self.specs[name].file, self.folder) as source:
            return _of_lines(source.path) if source.path.suffix.lower() in _LINES else files.sha256(source.path)

    def _one_table(self, one: str, other: str) -> bool:
        """Whether two sources of the same bytes read the same table of it: a workbook may have several."""
        first, second = self.specs[one], self.specs[other]
        if (first.sheet, first.layer) == (second.sheet, second.layer):
            return True
        return bool(read_table(first, self.folder).table.equals(read_table(second, self.folder).table))

    def of(self, name: str) -> tuple[str, ...]:
        """Other sources that may hold the same cases, directly or by way of others, in their order."""
        found, fresh = {name}, [name]
        while fresh:
            at = fresh.pop()
            near = {other for pair in self.same_file if at in pair for other in pair}
            near |= {other for group in self.declared if at in group for other in group}
            fresh += sorted(near - found)
            found |= near
        return tuple(one for one in self.specs if one in found and one != name)

    def together(
        self, part: PlannedPeriod, others: Iterable[tuple[str, Period]], kinds: Mapping[str, str]
    ) -> tuple[str, ...]:
        """The sources, this one among them, whose cases of a period are the same, case by case.

        Parameters
        ----------
        others
            Source and period of everything that is published now, or was.
        kinds
            Source → incidents, survey or audits.

        Raises
        ------
        SafercitiesError
            If they share some cases only, share them in an overlapping period, are declared to and share none, or are
            no sources of counts (but surveys that have no answer in common); or if it cannot be seen: then nothing can
            be proved of them together.
        """
        mates, found, wrong = self.of(part.source), [part.source], dict[Problem, None]()
        for other, period in dict.fromkeys(others):
            if other not in mates or not period.overlaps(part.period) or self._asked_apart(part.source, other):
                continue
            said: dict[str, Any] = {"source": part.source, "other": other, "period": str(part.period)}
            by_row = frozenset((part.source, other)) in self.same_file
            try:
                one, two = self.cases(part.source, part.period, by_row), self.cases(other, period, by_row)
            except KeyError as error:
                wrong[problem("publish-same-cases-unnamed", file=_FILE, **(said | {"source": error.args[0]}))] = None
                continue
            shared = len(np.intersect1d(one, two))
            if not shared and len(one) and len(two) and not by_row and self._said(part.source, other):
                wrong[problem("publish-same-cases-none", file=_FILE, **said)] = None
                continue
            whole = shared == len(one) == len(two)
            if shared and not (whole and period == part.period and kinds[part.source] == kinds[other] == "incidents"):
                wrong[problem("publish-same-cases-partly", file=_FILE, **said)] = None
            elif shared:
                found.append(other)
        if wrong:
            raise SafercitiesError(list(wrong))
        return tuple(name for name in self.specs if name in found)

    def _said(self, one: str, other: str) -> bool:
        """Whether it is declared of just these two that they hold the same cases."""
        return any(one in group and other in group for group in self.declared)

    def _asked_apart(self, one: str, other: str) -> bool:
        """Whether two are surveys that have no answer in common: then they are as two indicators of one survey."""
        first, second = self.specs[one], self.specs[other]
        if not isinstance(first, SurveySpec) or not isinstance(second, SurveySpec):
            return False
        return first.variables.keys().isdisjoint(second.variables)

    def cases(self, name: str, period: Period, by_row: bool) -> Names:
        """What names each case of a period.

        Raises
        ------
        KeyError
            With the source, if its cases have no ids.
        """
        table = self.table(name)
        if "period" in table.column_names:
            inside = np.asarray(pc.fill_null(pc.equal(table.column("period"), str(period)), False))
        else:
            days = days_of(table)
            inside = (days >= np.datetime64(period.start, "D")) & (days <= np.datetime64(period.end, "D"))
        return np.asarray(self.names(name, by_row)[inside])

    def names(self, name: str, by_row: bool) -> Names:
        """What names each record of a source: its row, or its id."""
        rows = self.table(name).column("row").to_numpy()
        if by_row:
            return np.array([str(row) for row in rows.tolist()], dtype=object)
        ids = self._named(name)
        try:
            return np.array([ids[row] for row in rows.tolist()], dtype=object)
        except KeyError:
            raise KeyError(name) from None

    def _named(self, name: str) -> dict[int, str]:
        """Row → id, of all rows that have one."""
        if name not in self._ids:
            spec = self.specs[name]
            column = getattr(spec, "id", None)
            if column is None:
                raise KeyError(name)
            raw = read_table(spec, self.folder)
            texts = raw.table.column(column).cast(pa.string()).to_pylist()
            pairs = zip(raw.rows.tolist(), texts, strict=True)
            self._ids[name] = {row: text.strip() for row, text in pairs if text is not None and text.strip()}
        return self._ids[name]

    def joined(self, sources: Sequence[CountsSource], period: Period) -> CountsSource:
        """One source with what all of them know of the cases of a period; they are the same, case by case.

        Raises
        ------
        SafercitiesError
            If two of them say something else of the same case.
        """
        made = sources[0]
        for other in sources[1:]:
            by_row = frozenset((made.name, other.name)) in self.same_file
            position = {name: at for at, name in enumerate(self._of(other, by_row).tolist())}
            at = np.array([position.get(name, -1) for name in self._of(made, by_row).tolist()], dtype=np.int64)
            made = join(made, other, at, period)
        return made

    def _of(self, source: CountsSource, by_row: bool) -> Names:
        """As `names`, of the records that a source still has: those within what it covers."""
        rows = self.table(source.name).column("row").to_numpy()
        position = {row: at for at, row in enumerate(rows.tolist())}
        kept = [position[row] for row in source.table.column("row").to_pylist()]
        return np.asarray(self.names(source.name, by_row)[np.array(kept, dtype=np.int64)])


def _of_lines(path: Path) -> str:
    """A hash of the lines of a file, whatever ends them."""
    found = sha256()
    with path.open("rb") as lines:
        for line in lines:
            if text := line.strip():
                found.update(text + b"\n")
    return found.hexdigest()


def join(one: CountsSource, other: CountsSource, at: Ints, period: Period) -> CountsSource:
    """The first source with the dimensions and levels of the other one besides.

    Parameters
    ----------
    at
        For each record of the first source the same case in the other one, shape (records,); −1: none.
    period
        In which all cases are in both. Of other days nothing is taken from the other source but which codes it has.

    Raises
    ------
    SafercitiesError
        If the two say something else of a case of the period.
    """
    inside = (one.days >= np.datetime64(period.start, "D")) & (one.days <= np.datetime64(period.end, "D"))
    theirs = other.table.take(pa.array(np.maximum(at, 0))) if other.table.num_rows else other.table
    shared = [name for name in other.dimensions if name in one.dimensions]
    levels = [level for level in other.levels if level in one.levels]
    alike = ["act", *shared, *(f"place_{level}" for level in levels)]
    said: dict[str, Any] = {"source": one.name, "other": other.name, "period": str(period)}
    if (inside & (at < 0)).any():  # one of them says that it does not cover that day
        raise SafercitiesError(problem("publish-same-cases-partly", file=_FILE, **said))
    for name in ("n", *alike):
        mine, its = (_column(table, name) for table in (one.table, theirs))
        if (inside & (mine != its)).any():
            what = "how many they are" if name == "n" else name.removeprefix("place_")
            raise SafercitiesError(problem("publish-same-cases-differ", file=_FILE, name=what, **said))
    table, infos = one.table, dict(one.dimensions)
    more = [level for level in other.levels if level not in one.levels]
    for name in [*(name for name in other.dimensions if name not in shared), *(f"place_{level}" for level in more)]:
        codes = _column(other.table, name)
        filler = codes[0] if len(codes) else UNKNOWN  # a code that it has in any case
        column = np.where(inside, _column(theirs, name), filler)
        table = table.append_column(name, pa.array(column, pa.string()))
    for name, info in other.dimensions.items():
        infos[name] = _codes(infos.get(name, info), info, other)
    acts = None if one.acts is None or other.acts is None else tuple(dict.fromkeys([*one.acts, *other.acts]))
    return replace(one, table=table, dimensions=infos, levels=(*one.levels, *more), acts=acts)


def _column(table: pa.Table, name: str) -> Names:
    column = table.column(name)
    if name == "n":
        return np.asarray(pc.fill_null(column, 0).to_numpy()).astype(object)
    return np.array(pc.fill_null(column.cast(pa.string()), UNKNOWN).to_pylist(), dtype=object)


def _codes(mine: DimensionInfo, theirs: DimensionInfo, other: CountsSource) -> DimensionInfo:
    """The dimension with the codes of both, those that the other one has in any period among them."""
    seen = sorted(set(_column(other.table, theirs.name).tolist()) - {UNKNOWN})
    codes = tuple(dict.fromkeys([*mine.codes, *theirs.codes, *seen]))
    return replace(mine, codes=codes, labels={**theirs.labels, **mine.labels})


# ------------------------------------------------------------------------------------------------ one base, many tables


def whole_part(parts: Sequence[PlannedPeriod], source: CountsSource) -> PlannedPeriod:
    """What is planned of several sources that hold the same cases, as if it were of one."""
    order = list(source.dimensions)
    tables = dict.fromkeys(table for one in parts for table in _ordered(one.tables, order))
    known = dict.fromkeys(table for one in parts for table in _ordered(one.known, order))
    return replace(
        parts[0], revision=any(one.revision for one in parts), tables=tuple(tables), known=tuple(known)
    )  # fmt: skip


def split(whole: Guarded, parts: Sequence[PlannedPeriod], names: Sequence[str]) -> list[Guarded]:
    """What was protected together, as each source has it: its tables over the one base. The attack is on the whole.

    Parameters
    ----------
    parts
        Those published now.
    names
        All sources that hold the cases.
    """
    order, found = [axis.name for axis in whole.base.axes], []
    position = {key: at for at, key in enumerate(keys(whole.family.matrix))}
    for number, part in enumerate(parts):
        mine = replace(part, tables=tuple(_ordered(part.tables, order)), known=tuple(_ordered(part.known, order)))
        base = replace(whole.base, source=part.source)
        family = base.family(mine.tables)
        at = np.array([position[key] for key in keys(family.matrix)], dtype=np.int64)
        found.append(
            replace(
                whole,
                part=mine,
                base=base,
                family=family,
                published=None if whole.published is None else whole.published[at],
                primary=None if whole.primary is None else whole.primary[at],
                errors=whole.errors if number == 0 else (),
                whole=whole,
                sisters=tuple(names),
            )
        )
    return found


def _ordered(tables: Iterable[PlannedTable], order: Sequence[str]) -> list[PlannedTable]:
    """Tables with their dimensions in one order."""
    return [replace(one, dimensions=tuple(name for name in order if name in one.dimensions)) for one in tables]


def same_cases(guarded: Collection[Guarded]) -> list[dict[str, list[str]]]:
    """Which sources hold the same cases in which periods, as the manifest says it: plain JSON."""
    periods: dict[tuple[str, ...], set[str]] = {}
    for one in guarded:
        if one.sisters:
            periods.setdefault(tuple(sorted(one.sisters)), set()).add(str(one.part.period))
    return [{"sources": list(names), "periods": sorted(its)} for names, its in sorted(periods.items())]
