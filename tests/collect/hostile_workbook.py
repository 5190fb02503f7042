"""Workbooks made by hand, in which few bytes stand for billions of cells, rows or texts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEADER = b'<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
STYLES = b"<fonts><font/></fonts><fills><fill><patternFill/></fill></fills><borders><border/></borders>"

Pieces = Iterable[bytes]


def write(path: Path, sheet: Pieces, *, texts: Pieces = (), styles: Pieces = (), after: Pieces = ()) -> None:
    """Write a workbook with one sheet: the inside of its data, of the texts that cells share, and of its styles."""
    parts = (("sheet", "worksheets/sheet1"), ("styles", "styles"), ("sharedStrings", "sharedStrings"))
    types = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{_TYPE}.{"worksheet" if kind == "sheet" else kind}+xml"/>'
        for kind, name in (*parts, ("sheet.main", "workbook"))
    )
    links = "".join(
        f'<Relationship Id="r{at}" Target="{name}.xml" Type="{_REL}/{"worksheet" if kind == "sheet" else kind}"/>'
        for at, (kind, name) in enumerate(parts)
    )
    plain = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{types}</Types>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r0"/></sheets></workbook>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in plain.items():
            archive.writestr(name, content)
        normal = b'</cellXfs><cellStyles><cellStyle name="Normal" xfId="0"/></cellStyles>'
        xfs: Pieces = (b"<cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/>", *styles, normal)
        _part(archive, "xl/styles.xml", "styleSheet", (STYLES, *xfs))
        _part(archive, "xl/sharedStrings.xml", "sst", texts)
        _part(archive, "xl/worksheets/sheet1.xml", "worksheet", _sheet(sheet, after))


def _sheet(data: Pieces, after: Pieces) -> Iterator[bytes]:
    yield b'<dimension ref="A1:XFD1048576"/><sheetData>'
    yield from data
    yield b"</sheetData>"
    yield from after


def _part(archive: zipfile.ZipFile, name: str, root: str, pieces: Pieces) -> None:
    with archive.open(name, "w") as out:
        out.write(f'<{root} xmlns="{_MAIN}">'.encode())
        for piece in pieces:
            out.write(piece)
        out.write(f"</{root}>".encode())


def _rows(cells: Callable[[int], str], first: int, last: int) -> Iterator[bytes]:
    return (f'<row r="{n}">{cells(n)}</row>'.encode() for n in range(first, last + 1))


def make(folder: Path) -> dict[str, str]:
    """Write them all; name → the code of its problem, empty where it can be read."""
    million, piece = 2**20, 2**16
    value = "<v>1</v>"
    ten = [HEADER, *_rows(lambda n: f'<c r="A{n}"><v>{n}</v></c>', 2, 10)]
    merge = f'<mergeCell ref="A2:A{million}"/>'.encode()
    made: dict[str, tuple[str, dict[str, Pieces]]] = {
        "empty cells in the last column": ("", {"sheet": [HEADER, *_rows(lambda n: f'<c r="XFD{n}"/>', 2, 50_000)]}),
        "above": ("workbook-wide", {"sheet": _rows(lambda n: f'<c r="XFD{n}">{value}</c>' * (n < 9000), 1, 9000)}),
        "last row": ("", {"sheet": [HEADER, f'<row r="{million}"><c>{value}</c></row>'.encode()]}),
        "row behind the last": ("workbook-wide", {"sheet": [HEADER, b'<row r="99999999999"><c><v>1</v></c></row>']}),
        "row before the first": ("workbook-broken", {"sheet": [HEADER, b'<row r="-5"><c><v>1</v></c></row>']}),
        "row twice": ("workbook-broken", {"sheet": [HEADER, HEADER]}),
        "column behind the last": ("workbook-wide", {"sheet": [HEADER, b'<row><c r="ZZZ2"><v>1</v></c></row>']}),
        "row of many cells": ("workbook-broken", {"sheet": [HEADER, b"<row>", *[b"<c/>" * piece] * 30, b"</row>"]}),
        "row of cells at one place": (
            "workbook-wide",
            {"sheet": [HEADER, b"<row>", b'<c r="A2"/>' * piece, b"</row>"]},
        ),
        "value without end": ("workbook-broken", {"sheet": [HEADER, b"<row><c><v>", *[b"1" * piece] * 100]}),
        "shared text without end": ("workbook-broken", {"sheet": ten, "texts": [b"<si><t>", *[b"x" * piece] * 100]}),
        "one text in many cells": (
            "file-expands",
            {
                "sheet": [HEADER, *_rows(lambda n: f'<c r="A{n}" t="s"><v>0</v></c>', 2, 20_000)],
                "texts": [b"<si><t>" + b"x" * 1_000_000 + b"</t></si>"],
            },
        ),
        "styles that are many": ("workbook-broken", {"sheet": ten, "styles": [b"<xf/>" * piece] * 9}),
        "styles that are large": ("workbook-broken", {"sheet": ten, "styles": [b"<!---->" * piece] * 60}),
        "merged over and over": ("file-expands", {"sheet": ten, "after": [merge * piece] * 8}),
    }
    made["merged over and over"][1]["sheet"] = [HEADER, *_rows(lambda n: f'<c r="A{n}"><v>{n}</v></c>', 2, 300)]
    for name, (_, parts) in made.items():
        write(folder / f"{name}.xlsx", **parts)
    return {name: code for name, (code, _) in made.items()}
