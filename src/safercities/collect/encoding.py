"""Find out how a text file is written: its character encoding and its column separator."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from safercities.model.errors import Problem, SafercitiesError, problem

_SAMPLE = 2**20
_CHUNK = 2**22
TEXT = 100_000  # characters that the separator and the header are found in
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: First bytes of files that are often given a wrong ending.
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "a GeoPackage or other SQLite database"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"$FL", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
)
#: Encodings of scripts in which most letters lie beyond ASCII; Latin scripts are read as Windows-1252.
_OTHER_SCRIPTS = ["cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "shift_jis", "gb18030", "euc_kr"]
_MANY_HIGH = 0.35
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Scan:
    """What one pass over the bytes tells: the first of them, UTF-8 or not (and from which line), quotes, lines."""

    head: bytes
    bom: str | None
    bad_line: int | None
    quotes: int
    high: bytes
    lines: int


def scan(path: Path) -> Scan:
    """Read the file once, in pieces, without keeping it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, high, quotes, lines, returns = b"", b"", 0, 1, 0
    bad: int | None = None
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            head = head or chunk[:_SAMPLE]
            quotes += chunk.count(b'"')
            plain = chunk.isascii()
            if not plain and len(high) < _SAMPLE:
                high += b"\n".join(line for line in chunk[:_SAMPLE].splitlines() if not line.isascii())
            if bad is None and not (plain and decoder.getstate()[0] == b""):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    bad = lines + chunk.count(b"\n", 0, max(error.start, 0))
            lines += chunk.count(b"\n")
            returns += chunk.count(b"\r")
    if bad is None and decoder.getstate()[0]:
        bad = lines
    bom = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    return Scan(head, bom, bad, quotes, high[:_SAMPLE], max(lines, returns))


def encoding_of(found: Scan, declared: str | None, file: str) -> tuple[str, tuple[Problem, ...]]:
    """The encoding to read with, and a note where it was guessed.

    Raises
    ------
    SafercitiesError
        If the declared encoding is unknown or does not fit, or the file is no text.
    """
    looks = _looks(found)
    if looks is None:
        kind = next((name for mark, name in _MAGIC if found.head.startswith(mark)), "no text file")
        raise SafercitiesError(problem("text-binary", file=file, kind=kind))
    if declared is None:
        notes = () if looks in ("utf-8", "utf-16", "utf-32") else (problem("encoding-guessed", file=file, looks=looks),)
        return looks, notes
    wanted = _codec(declared)
    if wanted is None:
        raise SafercitiesError(problem("encoding-unknown", file=file, declared=declared[:40]))
    if wanted.startswith("utf") and wanted[:6].rstrip("-_") != looks[:6].rstrip("-_"):
        raise SafercitiesError(problem("encoding-wrong", file=file, row=found.bad_line, declared=declared, looks=looks))
    wide = looks.startswith(("utf-16", "utf-32"))
    if wide and not wanted.startswith("utf"):
        raise SafercitiesError(problem("encoding-wrong", file=file, declared=declared, looks=looks))
    return (looks if wide and found.bom else wanted), ()


def _codec(declared: str) -> str | None:
    """Python's name of a character encoding; None where there is none, or it is one of its other codecs (hex, idna)."""
    try:
        trial = codecs.getincrementaldecoder(declared)(errors="replace").decode(b"a")
        return codecs.lookup(declared).name if isinstance(trial, str) else None
    except (LookupError, ValueError, TypeError, AssertionError):
        return None


def _looks(found: Scan) -> str | None:
    """The encoding by the look of the bytes; None for a file that is no text."""
    if found.bom in ("utf-16", "utf-32"):
        return found.bom
    if any(found.head.startswith(mark) for mark, _ in _MAGIC):
        return None
    if b"\0" in found.head:
        return _wide(found.head)
    if found.bad_line is None:
        return "utf-8"
    return _eight_bit(found.high)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: in most text every second byte is zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _eight_bit(sample: bytes) -> str | None:
    """An encoding with one byte a letter; many letters beyond ASCII mean that the script is not Latin."""
    control = sum(sample.count(bytes([byte])) for byte in range(32) if byte not in (9, 10, 12, 13))
    if control > 0.02 * len(sample):
        return None
    high = sum(byte > 127 for byte in sample)
    letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in sample)
    if high > _MANY_HIGH * (high + letters):
        from charset_normalizer import from_bytes

        best = from_bytes(sample[:20_000], cp_isolation=_OTHER_SCRIPTS).best()
        if best is not None:
            return best.encoding
    undefined = any(bytes([byte]) in sample for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return "latin-1" if undefined else "cp1252"


def delimiter_of(text: str, declared: str | None, suffix: str, file: str) -> str:
    """The column separator: the declared one, or that which cuts the first lines into equally many columns.

    Parameters
    ----------
    text
        Beginning of the file, from the header on.

    Raises
    ------
    SafercitiesError
        If the declared one is not a single character.

    Examples
    --------
    >>> delimiter_of("a;b;c\\n1,5;2;3\\n", None, ".csv", "x.csv")
    ';'
    """
    if declared is not None:
        wanted = {"\\t": "\t", "tab": "\t"}.get(declared, declared)
        if len(wanted) != 1 or wanted in '\r\n"' or not wanted.isascii():
            raise SafercitiesError(problem("delimiter-wrong", file=file, declared=declared))
        return wanted
    scores: dict[str, tuple[float, int]] = {}
    for delimiter in DELIMITERS:
        widths = [len(record) for record in records(text, delimiter, 50) if record]
        if widths and widths[0] > 1:
            scores[delimiter] = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
    if not scores:
        return "\t" if suffix in (".tsv", ".tab") else ","
    return max(scores, key=lambda delimiter: scores[delimiter])


def records(text: str, delimiter: str, limit: int) -> list[list[str]]:
    """The first records of a text; a last one that may be cut off is left out where there are others."""
    found: list[list[str]] = []
    for record in csv.reader(io.StringIO(text[:TEXT], newline=""), delimiter=delimiter):
        found.append(record)
        if len(found) > limit:
            break
    return found[:-1] if len(found) > 1 and (len(found) > limit or not text.endswith(("\n", "\r"))) else found
