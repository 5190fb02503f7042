"""What stands in a Parquet file: its schema, row groups and pages, read without unpacking or believing any of it.

pyarrow is not asked: it ends the whole process at some headers that are damaged (a histogram of a wrong length).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

#: Pages that are looked at, over all columns.
MAX_PAGES = 2**20
#: Groups within groups, and columns, of a schema.
MAX_DEPTH, MAX_ELEMENTS = 50, 2**16
#: Bytes of a page's header: what is read first, and at most.
_HEADER, _LONG_HEADER = 2**10, 2**24
_BEHIND, _LONGEST = 100, 1000
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_TRUE, _FALSE, _BYTE, _SHORT, _INT, _LONG, _DOUBLE, _TEXT, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
#: Fields that are known, by their numbers: their type, and what is known within them. Readers pass over a field of
#: another type, but take the items of a list for what they should be: here both have to be seen in the same way.
_Known = Mapping[int, tuple[int, Any]]
_INTS, _LONGS, _TEXTS, _STRUCTS = (_LIST, (_INT, None)), (_LIST, (_LONG, None)), (_LIST, (_TEXT, None)), (_STRUCT, None)
_COUNTS = (_STRUCT, {2: _LONGS, 3: _LONGS})
_CHUNK: _Known = {  # values, bytes, where pages are; and lists
    5: (_LONG, None),
    7: (_LONG, None),
    9: (_LONG, None),
    11: (_LONG, None),
    **{2: _INTS, 3: _TEXTS, 8: (_LIST, _STRUCTS), 13: (_LIST, _STRUCTS), 16: _COUNTS, 17: (_STRUCT, {2: _INTS})},
}
_COLUMN: _Known = {3: (_STRUCT, _CHUNK), 8: (_STRUCT, {2: (_STRUCT, {1: _TEXTS})})}
_GROUP: _Known = {1: (_LIST, (_STRUCT, _COLUMN)), 3: (_LONG, None), 4: (_LIST, _STRUCTS)}
_ELEMENT: _Known = {1: (_INT, None), 2: (_INT, None), 3: (_INT, None), 4: (_TEXT, None), 5: (_INT, None)}
_FOOTER: _Known = {
    2: (_LIST, (_STRUCT, _ELEMENT)),
    3: (_LONG, None),
    4: (_LIST, (_STRUCT, _GROUP)),
    5: (_LIST, _STRUCTS),
    7: (_LIST, _STRUCTS),
}
_PAGE: _Known = {
    **dict.fromkeys((1, 2, 3), (_INT, None)),
    **{5 + at: (_STRUCT, {1: (_INT, None), encoding: (_INT, None)}) for at, encoding in ((0, 2), (2, 2), (3, 4))},
}


@dataclass(frozen=True)
class Column:
    """A column: its path, physical type (0 truth … 6 text, 7 binary of `length` bytes), and how it may repeat."""

    path: str
    kind: int
    length: int
    repeated: int
    optional: int


@dataclass(frozen=True)
class Chunk:
    """A column in a row group: its values, and where its pages are."""

    values: int
    start: int
    size: int


@dataclass(frozen=True)
class Footer:
    """What a file says of itself."""

    rows: int
    columns: list[Column]
    groups: list[tuple[int, list[Chunk]]]


@dataclass(frozen=True)
class Page:
    """Values of a page, bytes that it unpacks to, and how its values are written."""

    values: int
    size: int
    encoding: int
    dictionary: bool


class _Compact:
    """Reads Thrift's compact protocol, and refuses what readers might take for something else."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def byte(self) -> int:
        if self.at >= len(self.content):
            raise EOFError("it ends within a header")
        self.at += 1
        return self.content[self.at - 1]

    def unsigned(self, bits: int) -> int:
        value = shift = 0
        while (byte := self.byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > bits:
                break
        value |= byte << shift
        if value >> bits:
            raise ValueError("a number is too large")
        return value

    def integer(self, bits: int) -> int:
        value = self.unsigned(bits)
        return (value >> 1) ^ -(value & 1)

    def struct(self, known: _Known, depth: int = 0) -> dict[int, Any]:
        """Values of the fields that are known, by their numbers."""
        found: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer(16)
            kind = head & 15
            wanted, within = known.get(number, (0, None))
            if wanted != kind:
                if kind not in (_TRUE, _FALSE):  # they stand in the head
                    self.value(kind, None, depth)
                continue
            if number in found or number >= 2**15:
                raise ValueError("a header says something twice")
            found[number] = self.value(kind, within, depth)
        return found

    def value(self, kind: int, within: Any, depth: int) -> Any:
        """A value of a field or of a list; None for what is not known."""
        if depth > MAX_DEPTH:
            raise ValueError("a header is nested too deeply")
        if kind in (_TRUE, _FALSE, _BYTE):
            return self.byte()
        if kind in (_SHORT, _INT, _LONG):
            return self.integer({_SHORT: 16, _INT: 32, _LONG: 64}[kind])
        if kind in (_DOUBLE, _TEXT):
            size = 8 if kind == _DOUBLE else self.unsigned(31)
            self.at += size
            if self.at > len(self.content):
                raise EOFError("it ends within a text")
            return self.content[self.at - size : self.at] if size <= _LONGEST else None
        if kind == _STRUCT:
            return self.struct(within or {}, depth + 1)
        if kind in (_LIST, _SET):
            return self._list(within, depth + 1)
        if kind == _MAP:
            return self._map(depth + 1)
        raise ValueError("a header holds what no header can")

    def _list(self, within: Any, depth: int) -> list[Any] | None:
        head = self.byte()
        size, kind = head >> 4, head & 15
        if size == 15:
            size = self.unsigned(31)
        wanted, known = within or (kind, None)
        if kind != wanted:
            raise ValueError("a list holds what it cannot")
        if known is not None:
            return [self.value(kind, known, depth) for _ in range(size)]
        for _ in range(size):
            self.value(kind, None, depth)
        return None

    def _map(self, depth: int) -> None:
        size = self.unsigned(31)
        kinds = self.byte() if size else 0
        for at in range(2 * size):
            self.value(kinds & 15 if at % 2 else kinds >> 4, None, depth)


def footer(content: bytes) -> Footer:
    """What the end of a file says of it.

    Raises
    ------
    ValueError, EOFError
        If it is broken, or its groups are nested without end (whoever reads them would fill the stack).
    """
    found = _Compact(content).struct(_FOOTER)
    columns = _columns(_structs(found, 2))
    groups = [
        (_whole(group, 3), [_chunk(_struct(column, 3)) for column in _structs(group, 1)])
        for group in _structs(found, 4)
    ]
    if any(len(chunks) != len(columns) for _, chunks in groups):
        raise ValueError("a row group has not the columns of its schema")
    return Footer(_whole(found, 3), columns, groups)


def _columns(elements: list[dict[int, Any]]) -> list[Column]:
    """Columns of a schema, which is a list of groups before what they hold."""
    if not elements or len(elements) > MAX_ELEMENTS:
        raise ValueError("it has no schema that can be read")
    columns: list[Column] = []
    within: list[list[Any]] = [[_whole(elements[0], 5), (), 0, 0]]  # fields to come, names, repeated, optional
    for element in elements[1:]:
        while within and within[-1][0] == 0:
            within.pop()
        if not within or len(within) > MAX_DEPTH:
            raise ValueError("its schema is nested too deeply, or has loose ends")
        within[-1][0] -= 1
        _, names, repeated, optional = within[-1]
        how = _whole(element, 3)
        name = element.get(4)
        names = (*names, name.decode(errors="replace") if isinstance(name, bytes) else "")
        repeated, optional = repeated + (how == 2), optional + (how != 0)
        if children := _whole(element, 5):
            within.append([children, names, repeated, optional])
        else:
            columns.append(Column(".".join(names), _whole(element, 1), _whole(element, 2), repeated, optional))
    if any(one[0] for one in within):
        raise ValueError("its schema is not whole")
    return columns


def _chunk(about: dict[int, Any]) -> Chunk:
    data, words = _whole(about, 9), _whole(about, 11)
    return Chunk(_whole(about, 5), min(data, words) if words else data, _whole(about, 7))


def _structs(struct: dict[int, Any], number: int) -> list[dict[int, Any]]:
    value = struct.get(number, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("a header holds what no header can")
    return value


def _struct(struct: dict[int, Any], number: int) -> dict[int, Any]:
    value = struct.get(number, {})
    if not isinstance(value, dict):
        raise ValueError("a header holds what no header can")
    return value


def _whole(struct: dict[int, Any], number: int) -> int:
    """A number in a struct; 0 where it has none."""
    value = struct.get(number, 0)
    if type(value) is not int or value < 0:
        raise ValueError("a header holds what no header can")
    return value


def pages(stream: IO[bytes], chunk: Chunk) -> Iterator[Page]:
    """Pages of a column in a row group, by their own headers, in the order in which they are read.

    Raises
    ------
    ValueError, EOFError, OSError
        If a header is broken.
    """
    at, end, seen = chunk.start, chunk.start + chunk.size, 0
    # behind the end as well where values are missing: that is where readers look in files of old writers
    while at < end or (seen < chunk.values and at < end + _BEHIND):
        header, read = _header(stream, at)
        kind, size, packed = (_whole(header, number) for number in (1, 2, 3))
        about = _struct(header, {_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}.get(kind, 0))
        values, encoding = _whole(about, 1), _whole(about, 4 if kind == _DATA_2 else 2)
        words = kind == _DICTIONARY
        seen += 0 if words else values
        yield Page(0 if words else values, size, encoding, words)
        at += read + packed


def _header(stream: IO[bytes], at: int) -> tuple[dict[int, Any], int]:
    """A page's header, and its bytes."""
    for most in (_HEADER, _LONG_HEADER):
        stream.seek(at)
        header = _Compact(stream.read(most))
        try:
            return header.struct(_PAGE), header.at
        except EOFError:
            if most == _LONG_HEADER or len(header.content) < most:
                raise
    raise EOFError
