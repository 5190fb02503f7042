"""Makes the index of an observatory's figures from verified releases: whole or not at all, one a head of the chain."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from safercities.engine.sql import quote
from safercities.files import replace_folder
from safercities.hub.figures import store
from safercities.hub.figures.about import FILE, FORMAT, About, IndicatorInfo
from safercities.hub.figures.current import point
from safercities.hub.figures.headlines import headlines
from safercities.hub.figures.store import LEVEL, RELEASE, ROWS, SHOWN, Writer
from safercities.hub.figures.telling import Told, ranked, releases
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import TOTAL, Estimates
from safercities.release.chain import doubted, latest
from safercities.release.manifest import FILE as MANIFEST
from safercities.release.verify import Opened, Verified, open_release

#: The key of an index without releases.
_NOTHING = "nothing"
_BATCH = 1_000_000


def build(index: Path, chain: Sequence[Verified], *, anew: bool = False) -> Path:
    """Make the index of a chain and have readers find it. What is there already, for the same head, is left as it is.

    The releases in force give the rows; where several of them say the same thing, the last one does, withheld or not.
    Nothing is read but the releases, and each is verified once more as it is read. Readers of the index before this
    one go on.

    Parameters
    ----------
    index
        Folder of the observatory's index.
    chain
        All releases, as `release.chain.verify_chain` gives them.
    anew
        Make it again though it is there.

    Returns
    -------
    Path
        Folder of the version that is now current.

    Raises
    ------
    SafercitiesError
        If they are not the releases of one observatory, one in force was signed by a key that is distrusted, or one
        has changed since it was verified. The index before it stays current then.
    """
    chain = sorted(chain, key=lambda each: each.number)
    _check(chain)
    head = chain[-1].id if chain else _NOTHING
    target = index / f"{head[:40]}.{FORMAT}"
    if anew or not (target / FILE).is_file():
        with replace_folder(target, mark=FILE, private=True) as folder:
            _write(folder, chain)
    point(index, target.name)
    return target


def _check(chain: Sequence[Verified]) -> None:
    faults = {
        "several places": len({each.manifest.observatory.place for each in chain}) > 1,
        "several root keys": len({each.identity for each in chain}) > 1,
        "a number stands twice": len({each.number for each in chain}) < len(chain),
    }
    for why, wrong in faults.items():
        if wrong:
            raise SafercitiesError(problem("figures-mixed", why=why))
    for each in doubted(chain):
        raise SafercitiesError(problem("chain-doubted", file=each.path.name, number=each.number))


def _write(folder: Path, chain: Sequence[Verified]) -> None:
    work = folder / "parts"
    work.mkdir()
    coder, told = Coder(work), Told()
    for each in latest(chain):
        opened = _again(each)
        told.add(opened)
        coder.add(opened.estimates, each.number)
    texts = coder.finish({id: place.level for id, place in told.places.items()})
    with Writer(folder, coder.dimensions) as writer:
        for first, last in store.runs(sorted(coder.counts.items())):
            once = any(first <= at <= last for at in coder.shared)
            writer.add(coder.parts, f"indicator BETWEEN {first} AND {last}", once=once)
        writer.finish()
    shutil.rmtree(work)
    shutil.rmtree(folder / "spill", ignore_errors=True)
    about = describe(folder, chain, told, texts, coder.dimensions)
    (folder / FILE).write_text(about.model_dump_json(), encoding="utf-8")


def _again(verified: Verified) -> Opened:
    """A release with its content: verified once more as it is read, and the same one."""
    opened = open_release(verified.path, identity=verified.identity)
    if opened.verified.id != verified.id:
        raise SafercitiesError(problem("release-altered", file=f"{verified.path.name}/{MANIFEST}"))
    return opened


# -- texts to positions ------------------------------------------------------------------------------------------------


class Coder:
    """Turns the texts of releases into positions in lists: first as they come, in the end in order.

    Parameters
    ----------
    work
        Folder for the parts.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._seen: dict[str, dict[str, int]] = {}
        self._first: list[tuple[Path, int, tuple[str, ...]]] = []
        self._spoken: dict[tuple[str, str], int] = {}
        self._shared: set[str] = set()
        self._counts: dict[str, int] = {}
        self.dimensions: tuple[str, ...] = ()
        self.parts: list[Path] = []
        self.shared: set[int] = set()
        self.counts: dict[int, int] = {}

    def add(self, estimates: Estimates, number: int) -> None:
        """Take in a release's rows."""
        for row in estimates.table.group_by(["indicator", "period"]).aggregate([([], "count_all")]).to_pylist():
            self._counts[row["indicator"]] = self._counts.get(row["indicator"], 0) + row["count_all"]
            if self._spoken.setdefault((row["indicator"], row["period"]), number) != number:
                self._shared.add(row["indicator"])  # several releases speak of it: only the last one will
        names = set(store.coded(estimates.dimensions))
        columns = {
            name: self._positions(name, estimates.table.column(name)) if name in names else estimates.table.column(name)
            for name in estimates.table.column_names
        }
        path = self._work / f"first-{number}.parquet"
        pq.write_table(pa.table(columns), path, compression="lz4", row_group_size=2**17)
        self._first.append((path, number, estimates.dimensions))

    def _positions(self, column: str, values: pa.ChunkedArray) -> pa.Array:
        """Where each text stands in the list of those seen; -1 for none."""
        known = self._seen.setdefault(column, {})
        coded = values.combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = (
                pa.concat_arrays(coded.chunks) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
            )
        texts = coded.dictionary.to_pylist()
        at = np.array([*(known.setdefault(text, len(known)) for text in texts), -1], dtype=np.int32)
        return pa.array(at[np.asarray(coded.indices.fill_null(len(texts)), dtype=np.int64)])

    def finish(self, levels: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Put the positions of all parts in order.

        Parameters
        ----------
        levels
            Place → level.

        Returns
        -------
        dict
            Column → texts in order.
        """
        self.dimensions = tuple(dict.fromkeys(name for _, _, names in self._first for name in names))
        if clash := sorted({*store.OURS} & {*self.dimensions}):
            raise SafercitiesError(problem("figures-names", given=", ".join(clash)))
        for name in self.dimensions:
            self._seen[name].setdefault(TOTAL, len(self._seen[name]))  # where a release has no such breakdown
        texts = {name: tuple(ranked(name, list(self._seen.get(name, ())))) for name in store.coded(self.dimensions)}
        texts[LEVEL] = tuple(sorted(set(levels.values())))
        level_of = [texts[LEVEL].index(levels[id]) if id in levels else -1 for id in texts["place"]]
        ranks = {name: self._ranks(name, texts[name]) for name in store.coded(self.dimensions)}
        for path, number, _ in self._first:
            self.parts.append(self._ordered(path, number, ranks, np.array([*level_of, -1], dtype=np.int32)))
            path.unlink()
        at = {code: position for position, code in enumerate(texts["indicator"])}
        self.shared = {at[code] for code in self._shared}
        self.counts = {at[code]: rows for code, rows in self._counts.items()}
        return texts

    def _ranks(self, column: str, texts: Sequence[str]) -> NDArray[np.int32]:
        """Position as seen → position in order; the last one stands for none, which is at -1."""
        at = {text: position for position, text in enumerate(texts)}
        return np.array([*(at[text] for text in self._seen.get(column, ())), -1], dtype=np.int32)

    def _ordered(
        self, path: Path, number: int, ranks: Mapping[str, NDArray[np.int32]], levels: NDArray[np.int32]
    ) -> Path:
        made, target = path.with_name(f"part-{number}.parquet"), store.stored(self.dimensions)
        with pq.ParquetWriter(made, target, compression="lz4") as writer:
            for batch in pq.ParquetFile(path).iter_batches(_BATCH):
                there = dict(zip(batch.schema.names, batch.columns, strict=True))
                rows = {name: rank[_at(there, name, batch.num_rows, self._seen)] for name, rank in ranks.items()}
                rows |= {name: there[name] for name in target.names if name in there and name not in rows}
                rows[RELEASE] = np.full(batch.num_rows, number, dtype=np.int32)
                rows[LEVEL] = levels[rows["place"]]
                writer.write_table(pa.table([pa.array(rows[name]) for name in target.names], schema=target))
        return made


def _at(there: Mapping[str, pa.Array], name: str, rows: int, seen: Mapping[str, Mapping[str, int]]) -> NDArray[Any]:
    """Positions as seen; of a breakdown that the release does not have, that of the total."""
    return np.asarray(there[name]) if name in there else np.full(rows, seen[name][TOTAL])


# -- what is told of them ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """What there is of each indicator: its combinations, and how many rows."""

    combinations: Mapping[str, list[dict[str, Any]]]
    rows: Mapping[str, tuple[int, int]]
    places: Mapping[str, int]
    releases: Mapping[int, int]
    constants: Mapping[str, Any]


def describe(
    folder: Path,
    chain: Sequence[Verified],
    told: Told,
    texts: Mapping[str, Sequence[str]],
    dimensions: Sequence[str],
) -> About:
    """What is told of an index whose numbers are written."""
    counted = _counted(folder, texts, dimensions)
    last = chain[-1].manifest if chain else None
    indicators = {code: _indicator(code, told, counted, dimensions) for code in texts["indicator"]}
    return About(
        format=FORMAT,
        version=chain[-1].id if chain else "",
        name=last.observatory.name if last else "",
        place=last.observatory.place if last else "",
        level=last.observatory.level if last else "",
        languages=tuple(last.languages) if last else ("en",),
        synthetic=any(each.manifest.synthetic for each in latest(chain)),
        rows=sum(counted.releases.values()),
        indicators=indicators,
        places={id: one.model_copy(update={"rows": counted.places.get(id, 0)}) for id, one in told.places.items()},
        dimensions={name: told.dimension(name, texts[name]) for name in dimensions},
        sources={name: told.sources[name] for name in texts["source"] if name in told.sources},
        releases=releases(chain, counted.releases),
        texts={name: tuple(codes) for name, codes in texts.items()},
        constants=dict(counted.constants),
    )


def _counted(folder: Path, texts: Mapping[str, Sequence[str]], dimensions: Sequence[str]) -> Counted:
    connection = store.connect(folder / store.FILE, read_only=True, memory="1GB", threads=1)
    try:
        run = connection.execute
        found: dict[str, list[dict[str, Any]]] = {code: [] for code in texts["indicator"]}
        for row in connection.sql(f"SELECT * FROM {store.COMBINATIONS}").to_arrow_table().to_pylist():
            named = {name: None if row[name] < 0 else texts[name][row[name]] for name in store.facets(dimensions)}
            found[str(named["indicator"])].append(named | {ROWS: row[ROWS], SHOWN: row[SHOWN]})
        withheld = texts["conf_status"].index("N") if "N" in texts["conf_status"] else -2
        of = f"count(*) FILTER (conf_status = {withheld})"
        rows = run(f"SELECT indicator, count(*), {of} FROM {store.WIDE} GROUP BY indicator").fetchall()
        places = run(f"SELECT place, count(*) FROM {store.NEAR} GROUP BY place").fetchall()
        numbers = run(f"SELECT {RELEASE}, count(*) FROM {store.WIDE} GROUP BY {RELEASE}").fetchall()
        return Counted(
            found,
            {texts["indicator"][at]: (total, hidden) for at, total, hidden in rows},
            {texts["place"][at]: total for at, total in places},
            dict(numbers),
            _constants(run, texts, dimensions),
        )
    finally:
        connection.close()


def _constants(
    run: Callable[[str], Any], texts: Mapping[str, Sequence[str]], dimensions: Sequence[str]
) -> dict[str, Any]:
    """Columns of the estimates that say the same in every row."""
    names = store.stored(dimensions).names[:-2]
    asked = ", ".join(f"min({quote(one)}), max({quote(one)}), count({quote(one)})" for one in names)
    answer = run(f"SELECT count(*), {asked} FROM {store.WIDE}").fetchone()
    found: dict[str, Any] = {}
    for at, name in enumerate(names):
        least, most, there = answer[1 + 3 * at : 4 + 3 * at]
        if there in (0, answer[0]) and least == most:
            coded = name in texts and there
            found[name] = (None if least < 0 else texts[name][least]) if coded else least
    return found


def _indicator(code: str, told: Told, counted: Counted, dimensions: Sequence[str]) -> IndicatorInfo:
    definitions, entry = told.defined(code)
    there = counted.combinations[code]
    rows, withheld = counted.rows[code]
    used = {name: _distinct(name, there) for name in dimensions}
    return IndicatorInfo(
        code=code,
        labels={"en": told.label("indicator", code)},
        definitions=definitions,
        kind=entry.kind if entry else "",
        direction=entry.direction if entry else "",
        links=entry.links.model_dump() if entry else {},
        units=_distinct("unit", there),
        methods=_distinct("method", there),
        periods=_distinct("period", there),
        levels=_distinct(LEVEL, there),
        dimensions={name: codes for name, codes in used.items() if codes != (TOTAL,)},
        sources=_distinct("source", there),
        headlines=tuple(headlines(there, dimensions, entry)),
        rows=rows,
        withheld=withheld,
    )


def _distinct(name: str, there: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Codes of a column in their order; none of them comes last."""
    found = {row[name] for row in there}
    return (*ranked(name, [code for code in found if code is not None]), *([None] if None in found else []))
