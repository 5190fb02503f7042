"""Parquet files made by hand, in which few bytes stand for very much, and what a file says of itself is not so."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

Field = tuple[int, str, object]
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
BOOLEAN, INT64, BYTE_ARRAY, FIXED = 0, 2, 6, 7
_KINDS = {"int": 5, "long": 6, "text": 8, "list": 9, "struct": 12}


def unsigned(number: int) -> bytes:
    """A number in as many bytes as it needs."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _value(kind: str, value: object) -> bytes:
    if kind in ("int", "long"):
        assert isinstance(value, int)
        return unsigned((value << 1) ^ (value >> 63))
    if kind == "text":
        assert isinstance(value, str)
        return unsigned(len(value)) + value.encode()
    if kind == "list":
        assert isinstance(value, tuple)
        of, items = value
        head = bytes([0xF0 | _KINDS[of]]) + unsigned(len(items))
        return head + b"".join(_value(of, item) for item in items)
    assert isinstance(value, bytes)
    return value


def struct(*fields: Field) -> bytes:
    """A struct of Thrift's compact protocol."""
    out, last = b"", 0
    for number, kind, value in fields:
        out += bytes([(number - last) << 4 | _KINDS[kind]]) + _value(kind, value)
        last = number
    return out + b"\0"


def page(content: bytes, values: int, *, dictionary: bool = False, encoding: int = PLAIN) -> bytes:
    """A page, packed; with the size that it unpacks to."""
    packed = pa.compress(content, codec="zstd", asbytes=True)
    sizes: list[Field] = [(1, "int", 2 if dictionary else 0), (2, "int", len(content)), (3, "int", len(packed))]
    if dictionary:
        about: Field = (7, "struct", struct((1, "int", values), (2, "int", PLAIN)))
    else:
        levels: list[Field] = [(3, "int", RLE), (4, "int", RLE)]
        about = (5, "struct", struct((1, "int", values), (2, "int", encoding), *levels))
    return struct(*sizes, about) + packed


def runs(count: int, width: int = 1, value: int = 0) -> bytes:
    """One value so many times, as run lengths."""
    return unsigned(count << 1) + value.to_bytes((width + 7) // 8, "little")


def levels(count: int, value: int) -> bytes:
    """Levels of a page, all the same but the first, which begins a row."""
    body = runs(1) + runs(count - 1, value=value)
    return len(body).to_bytes(4, "little") + body


@dataclass
class Hostile:
    """A file with one column: its pages, and what it says of them."""

    pages: bytes
    kind: int
    rows: int
    values: int
    length: int = 0
    groups: int = 1
    dictionary: int = 0
    repeated: bool = False
    depth: int = 0

    def content(self) -> bytes:
        """The file."""
        end = 4 + len(self.pages)
        about: list[Field] = [
            (1, "int", self.kind),
            (2, "list", ("int", [PLAIN, RLE, RLE_DICTIONARY])),
            (3, "list", ("text", ["a"])),
            (4, "int", 6),
            (5, "long", self.values),
            (6, "long", len(self.pages)),
            (7, "long", len(self.pages)),
            (9, "long", 4 + self.dictionary),
        ]
        if self.dictionary:
            about.append((11, "long", 4))
        chunk = struct((2, "long", end), (3, "struct", struct(*about)))
        group = struct((1, "list", ("struct", [chunk])), (2, "long", len(self.pages)), (3, "long", self.rows))
        footer = struct(
            (1, "int", 1),
            (2, "list", ("struct", self._schema())),
            (3, "long", self.rows * self.groups),
            (4, "list", ("struct", [group] * self.groups)),
        )
        return b"PAR1" + self.pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"

    def _schema(self) -> list[bytes]:
        groups = [struct((3, "int", 0), (4, "text", "g"), (5, "int", 1))] * (self.depth + 1)
        fields: list[Field] = [(1, "int", self.kind)]
        if self.length:
            fields.append((2, "int", self.length))
        fields += [(3, "int", 2 if self.repeated else 0), (4, "text", "a")]
        if self.kind == BYTE_ARRAY:
            fields.append((6, "int", 0))
        return [*groups, struct(*fields)]


def text_page(text: bytes) -> bytes:
    """A dictionary that holds one text."""
    return page(len(text).to_bytes(4, "little") + text, 1, dictionary=True)


def repeated_text(rows: int, size: int, said: int | None = None) -> Hostile:
    """One long text, in every row."""
    words = text_page(b"x" * size)
    pages = words + page(b"\1" + runs(rows), rows, encoding=RLE_DICTIONARY)
    return Hostile(pages, BYTE_ARRAY, said or rows, said or rows, dictionary=len(words))


def repeated_binary(rows: int, length: int) -> Hostile:
    """One long binary of a fixed length, in every row."""
    words = page(b"x" * length, 1, dictionary=True)
    pages = words + page(b"\1" + runs(rows), rows, encoding=RLE_DICTIONARY)
    return Hostile(pages, FIXED, rows, rows, dictionary=len(words), length=length)


def booleans(rows: int, said: int | None = None, groups: int = 1) -> Hostile:
    """The same truth value in every row."""
    body = runs(rows)
    pages = page(len(body).to_bytes(4, "little") + body, rows, encoding=RLE)
    return Hostile(pages, BOOLEAN, said or rows, said or rows, groups=groups)


def one_long_list(values: int) -> Hostile:
    """One row, with a list of very many numbers."""
    words = page(bytes(8), 1, dictionary=True)
    body = levels(values, 1) + _ones(values) + b"\1" + runs(values)
    return Hostile(
        words + page(body, values, encoding=RLE_DICTIONARY), INT64, 1, 1, dictionary=len(words), repeated=True
    )


def list_of_texts(values: int, size: int) -> Hostile:
    """One row, with a list of very many times the same long text."""
    words = text_page(b"x" * size)
    body = levels(values, 1) + _ones(values) + b"\1" + runs(values)
    pages = words + page(body, values, encoding=RLE_DICTIONARY)
    return Hostile(pages, BYTE_ARRAY, 1, 1, dictionary=len(words), repeated=True)


def _ones(count: int) -> bytes:
    body = runs(count, value=1)
    return len(body).to_bytes(4, "little") + body


def large_page(size: int) -> Hostile:
    """A page of zeros that unpacks to very much, of which the file says that it holds one row."""
    return Hostile(page(bytes(size), 1), INT64, 1, 1)
