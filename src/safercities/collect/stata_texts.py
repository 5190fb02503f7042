"""How much the long texts of a Stata file take in all of its rows: each stands once in it, whoever refers to it."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

_LONG = 32768  # the number that the format has for the type of a column with long texts
_WIDTHS = {_LONG: 8, 65526: 8, 65527: 4, 65528: 4, 65529: 2, 65530: 1}
_LONGEST_PLAIN, _MAP, _DATA, _TEXTS = 2045, 14, 9, 10
#: Bytes of rows that are looked at at once.
_PIECE = 2**24


@dataclass
class Layout:
    """Where rows and long texts stand: offsets in the file, bytes of a row, and where in it texts are referred to."""

    release: int
    order: str
    data: int
    texts: int
    width: int
    columns: list[int]


def longest(path: Path) -> int:
    """Bytes of the longest text.

    Raises
    ------
    ValueError
        If it is not written as files with long texts are.
    """
    with path.open("rb") as stream:
        _, lengths = _lengths(stream, _layout(stream))
    return max(lengths, default=0)


def taken(path: Path, rows: int) -> int:
    """Bytes that the texts take where each row has its own.

    Raises
    ------
    ValueError
        If it is not written as files with long texts are.
    """
    with path.open("rb") as stream:
        layout = _layout(stream)
        keys, lengths = (np.frombuffer(one, np.uint64) for one in _lengths(stream, layout))
        if not len(keys) or not layout.columns:
            return 0
        if layout.release > 118:  # it refers to them in another way
            return rows * len(layout.columns) * int(lengths.max())
        order = np.lexsort((lengths, keys))  # of two with the same key the longer one counts
        keys, lengths = keys[order], lengths[order]
        stream.seek(layout.data)
        total, piece = 0, max(1, _PIECE // layout.width)
        while rows > 0 and (content := stream.read(min(rows, piece) * layout.width)):
            count = len(content) // layout.width
            read = np.frombuffer(content, np.uint8, count * layout.width).reshape(count, layout.width)
            for at in layout.columns:
                wanted = read[:, at : at + 8].copy().view(f"{layout.order}u8")[:, 0].astype(np.uint64)
                found = np.searchsorted(keys, wanted, side="right") - 1
                known = (found >= 0) & (keys[found] == wanted)
                total += int(lengths[found[known]].sum())
            rows -= piece
    return total


def _layout(stream: IO[bytes]) -> Layout:
    """What the beginning says; its parts stand one after another."""
    _tag(stream, b"<stata_dta><header><release>")
    release = int(stream.read(3))
    _tag(stream, b"</release><byteorder>")
    order = {b"LSF": "<", b"MSF": ">"}.get(stream.read(3))
    if order is None or not 117 <= release <= 119:
        raise ValueError("its layout is not known")
    _tag(stream, b"</byteorder><K>")
    (columns,) = _numbers(stream, order, "I" if release > 118 else "H")
    _tag(stream, b"</K><N>")
    stream.seek(8 if release > 117 else 4, 1)
    _tag(stream, b"</N><label>")
    (label,) = _numbers(stream, order, "H" if release > 117 else "B")
    stream.seek(label, 1)
    _tag(stream, b"</label><timestamp>")
    stream.seek(_numbers(stream, order, "B")[0], 1)
    _tag(stream, b"</timestamp></header><map>")
    places = _numbers(stream, order, f"{_MAP}Q")
    _tag(stream, b"</map><variable_types>")
    kinds = _numbers(stream, order, f"{columns}H")
    _tag(stream, b"</variable_types>")
    if any(kind not in _WIDTHS and not 1 <= kind <= _LONGEST_PLAIN for kind in kinds):
        raise ValueError("its columns are of no type that is known")
    starts = np.cumsum([0, *(_WIDTHS.get(kind, kind) for kind in kinds)]).tolist()
    long = [start for start, kind in zip(starts, kinds, strict=False) if kind == _LONG]
    stream.seek(places[_DATA])
    _tag(stream, b"<data>")
    return Layout(release, order, places[_DATA] + 6, places[_TEXTS], starts[-1], long)


def _lengths(stream: IO[bytes], layout: Layout) -> tuple[array[int], array[int]]:
    """For each text what rows refer to it by, as they have it, and its bytes."""
    keys, lengths = array("Q"), array("Q")
    head = struct.Struct(f"{layout.order}{'IQ' if layout.release > 117 else 'II'}BI")
    bits = 16 if layout.release > 117 else 32
    stream.seek(layout.texts)
    _tag(stream, b"<strls>")
    while (mark := stream.read(3)) == b"GSO":
        content = stream.read(head.size)
        if len(content) < head.size:
            raise ValueError("it ends within a text")
        variable, row, _, size = head.unpack(content)
        key = row << bits | variable if layout.order == "<" else variable << (64 - bits) | row
        keys.append(key & (2**64 - 1))
        lengths.append(size)
        stream.seek(size, 1)
    if mark != b"</s":
        raise ValueError("its texts do not end")
    return keys, lengths


def _numbers(stream: IO[bytes], order: str, kinds: str) -> tuple[int, ...]:
    form = struct.Struct(order + kinds)
    content = stream.read(form.size)
    if len(content) < form.size:
        raise ValueError("it ends too early")
    return form.unpack(content)


def _tag(stream: IO[bytes], tag: bytes) -> None:
    if stream.read(len(tag)) != tag:
        raise ValueError(f"{tag.decode()} is not where it should be")
