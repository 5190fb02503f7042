"""How much a Parquet file unpacks to, counted before it is: a few bytes of it may stand for billions of values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.archive import UnpacksToMuchError, memory_for
from safercities.collect.parquet_pages import MAX_PAGES, Column, Page, footer, pages

#: Bytes of what describes a file (its row groups and columns).
MAX_FOOTER = 2**24
#: Bytes for each value besides those of texts and of binaries, with which it is counted, and for the number of a row.
_WIDTH, _TEXT, _BINARY, _LEVEL, _ROW = 8, 16, 32, 8, 8
_INDICES, _PIECE, _BUFFER = 2**20, 2**26, 2**20
#: Numbers that the format has for types and encodings.
_BYTES, _FIXED, _DELTA_TEXT, _DICTIONARIES = 6, 7, 7, (2, 8)
_TEXTS = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
_AS_CODES = (0, *_DICTIONARIES)  # what pyarrow can read as numbers into a dictionary


@dataclass
class Leaf:
    """What the pages of a column take: `sure` as they stand, `most` where each value is the longest it can be.

    `longest`: of a value that is longer than what stands for it; `front`: of the pages that hold the first rows.
    """

    path: str
    text: bool
    repeated: bool
    coded: bool = True
    values: int = 0
    sure: int = 0
    most: int = 0
    longest: int = 1
    front: int = 0


@dataclass
class Measured:
    """A file by its pages: rows, bytes of a row without its texts, and its columns."""

    rows: int
    width: int
    leaves: list[Leaf] = field(default_factory=list)

    @property
    def values(self) -> int:
        """Values of all columns, in lists as well."""
        return sum(leaf.values for leaf in self.leaves)

    @property
    def sure(self) -> int:
        """Bytes that it takes at least."""
        return self.rows * _ROW + sum(leaf.sure for leaf in self.leaves)

    @property
    def most(self) -> int:
        """Bytes that it takes at most."""
        return self.sure + sum(leaf.most for leaf in self.leaves)


def check_size(path: Path) -> None:
    """Refuse a file whose values take too much memory, before they do.

    Raises
    ------
    UnpacksToMuchError
        If they take more than a file of its size may (`archive.memory_for`).
    ValueError, EOFError, OSError, pyarrow.ArrowException
        If it is no Parquet file, or a broken one.
    """
    limit = memory_for(path)
    found = measure(path, limit)
    if found.most <= limit:
        return
    total = found.sure
    for number, leaf in enumerate(found.leaves):
        if leaf.most:
            total = _add_texts(path, leaf, number, total, limit)


def measure(path: Path, limit: int, first: int | None = None, most_footer: int = MAX_FOOTER) -> Measured:
    """Count what the pages of a file say that they hold; what is written about the whole file is not believed.

    Parameters
    ----------
    first
        Where only so many rows will be read: pages behind them are not looked at.
    most_footer
        Bytes of what describes the file, at most.

    Raises
    ------
    UnpacksToMuchError
        As soon as more than `limit` is sure.
    """
    with path.open("rb") as stream:
        about = footer(_end(stream, most_footer))
        widths = [_width(column) for column in about.columns]
        rows = max(about.rows, sum(rows for rows, _ in about.groups))
        leaves = [Leaf(one.path, one.kind == _BYTES, one.repeated > 0) for one in about.columns]
        found = Measured(rows, sum(widths) + _ROW, leaves)
        if first is None and rows * found.width > limit:
            raise UnpacksToMuchError(rows * found.width)
        seen = looked = 0
        for number, chunks in about.groups:
            if first is not None and seen >= first:
                break
            for leaf, width, chunk in zip(leaves, widths, chunks, strict=True):
                wanted = None if first is None or leaf.repeated else first - seen
                looked += _count(pages(stream, chunk), number, leaf, width, wanted)
                if looked > MAX_PAGES or (first is None and found.sure > limit):
                    raise UnpacksToMuchError(found.sure)
            seen += number
    return found


def _end(stream: IO[bytes], most: int) -> bytes:
    """What describes a file: it stands at its end."""
    stream.seek(-8, 2)
    end = stream.read(8)
    size = int.from_bytes(end[:4], "little")
    if end[4:] != b"PAR1":
        raise ValueError("its end is not that of a Parquet file")
    if size > most:
        raise UnpacksToMuchError(size)
    stream.seek(-8 - size, 2)
    return stream.read(size)


def _width(column: Column) -> int:
    """Bytes of a value, without those of a text."""
    plain = {_BYTES: _TEXT, _FIXED: _BINARY + column.length}.get(column.kind, _WIDTH)
    return plain + _LEVEL * (column.repeated + (column.optional > 1))


def _count(read: Iterator[Page], rows: int, leaf: Leaf, width: int, wanted: int | None) -> int:
    """Add a row group's pages to a column; gives how many."""
    values = unpacked = most = words = number = 0
    for number, page in enumerate(read, start=1):
        unpacked += page.size
        if page.dictionary:
            words = max(words, page.size)
        if page.dictionary or page.encoding == _DELTA_TEXT:  # a value may stand for more bytes than the page has for it
            leaf.longest = max(leaf.longest, page.size)
        values += page.values
        if leaf.text:
            most += _most(page, words)
            leaf.coded = leaf.coded and page.encoding in _AS_CODES
        if number > MAX_PAGES or (wanted is not None and values >= wanted):
            break
    values = max(values, rows)
    leaf.values += values
    leaf.front += unpacked + (values * width if leaf.repeated else 0)
    leaf.sure += values * width + unpacked if leaf.text else max(values * width, unpacked)
    leaf.most += most
    return max(number, 1)


def _most(page: Page, words: int) -> int:
    """Bytes that a page's texts take beyond its own, at most: each may be the longest word, or hold all before it."""
    if page.encoding in _DICTIONARIES:
        return page.values * words
    return page.values * page.size if page.encoding == _DELTA_TEXT else 0


def _add_texts(path: Path, leaf: Leaf, number: int, total: int, limit: int) -> int:
    """Add the texts of a column as they would stand in memory, from its dictionaries and without unpacking them.

    Parameters
    ----------
    number
        Of the column, in their order.
    """
    if leaf.repeated and not (leaf.coded and _is_coded_text(path, number)):  # a single row may hold all of them
        raise UnpacksToMuchError(total + leaf.most)
    try:
        for batch in _codes(path, leaf) if leaf.repeated else batches(path, [leaf], leaf.path):
            total += sum(length(column) for column in batch.columns)
            if total > limit:
                raise UnpacksToMuchError(total)
    except pa.ArrowNotImplementedError:  # lists whose pages have no dictionary in common
        raise UnpacksToMuchError(total + leaf.most) from None
    return total


def batches(path: Path, leaves: list[Leaf], column: str | None = None, rows: int = _INDICES) -> Iterator[Any]:
    """Pieces of a file, texts by their dictionaries; where that cannot be, so few rows that they are small."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path, memory_map=False)
    texts = [leaf for leaf in leaves if leaf.text]
    coded = {leaf.path for leaf in texts if leaf.coded and _is_text(schema, leaf.path)}
    bound = max([leaf.longest for leaf in texts if leaf.path not in coded], default=1)
    how: Any = {"memory_map": False, "buffer_size": _BUFFER}  # page by page, not all of a column at once
    with pq.ParquetFile(path, read_dictionary=sorted(coded), **how) as source:
        size = max(1, min(rows, _PIECE // bound))
        yield from source.iter_batches(batch_size=size, columns=None if column is None else [column])


def _is_text(schema: pa.Schema, path: str) -> bool:
    at = schema.get_all_field_indices(path)
    return len(at) == 1 and schema.field(at[0]).type in _TEXTS


def _codes(path: Path, leaf: Leaf) -> Iterator[Any]:
    """Pieces of a column of lists of texts: the codes of a row are as many as its values, however long those are."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=False, buffer_size=_BUFFER, read_dictionary=[leaf.path]) as source:
        for group in range(source.num_row_groups):  # each has a dictionary of its own, and lists cannot have several
            yield from source.iter_batches(batch_size=_INDICES, row_groups=[group], columns=[leaf.path])


def _is_coded_text(path: Path, number: int) -> bool:
    """Whether pyarrow can read a column, which may be within lists and groups, as numbers into a dictionary."""
    import pyarrow.parquet as pq

    kinds = [kind for field in pq.read_schema(path, memory_map=False) for kind in _within(field.type)]
    return number < len(kinds) and kinds[number] in _TEXTS


def _within(kind: pa.DataType) -> Iterator[pa.DataType]:
    """The types of what has a column of its own in a file, in their order."""
    if pa.types.is_map(kind):
        yield from (*_within(kind.key_type), *_within(kind.item_type))
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _within(field.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _within(kind.value_type)
    else:
        yield kind


def length(column: pa.Array) -> int:
    """Bytes that the texts of a column take, or would take if they were not kept by a dictionary."""
    kind = column.type
    if pa.types.is_struct(kind):
        return sum(length(part) for part in column.flatten())
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and any(map(pa.types.is_dictionary, _within(kind))):
        return length(column.flatten())
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
        return int(pc.sum(lengths.take(column.indices)).as_py() or 0)
    return int(column.nbytes)


def front(path: Path, rows: int, room: int, most_footer: int) -> pa.Table:
    """The first rows, as many as fit into `room` bytes, up to `rows`.

    Raises
    ------
    UnpacksToMuchError
        If not even the first one does, or too much has to be unpacked to find it.
    """
    import pyarrow.parquet as pq

    found = measure(path, room, rows, most_footer)
    before = sum(leaf.front for leaf in found.leaves)
    rows = min(rows, room // found.width)
    if before > room or rows < 1:
        raise UnpacksToMuchError(before)
    batch = next(batches(path, found.leaves, rows=rows))
    while (size := sum(length(column) for column in batch.columns)) > room:
        if batch.num_rows == 1:
            raise UnpacksToMuchError(size)
        batch = batch.slice(0, batch.num_rows // 2)
    return pa.Table.from_batches([batch]).cast(pq.read_schema(path, memory_map=False))
