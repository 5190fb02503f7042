"""Releases as an attacker reads them: folders, archives or whole chains, and files with what else is known."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from safercities.disclose.attack import Outside, Published, Report, attack
from safercities.disclose.attack_acts import definitions_of
from safercities.disclose.attack_space import Cell
from safercities.indicators.catalogue import codes, indicator
from safercities.indicators.spec import Version
from safercities.model.dimensions import TOTAL
from safercities.model.errors import SafercitiesError, problem
from safercities.model.periods import Period
from safercities.release.desk import placed, releases_in, unpacked
from safercities.release.manifest import Definitions, definition_hash
from safercities.release.sdmx_meaning import read_structure
from safercities.release.verify import Opened, open_release

#: Columns of a file of what is known outside; every other one is a dimension.
COLUMNS = ("indicator", "source", "place", "period", "n")
#: Such a file is small: it names what somebody knows.
MAX_KNOWN = 16 * 2**20


def attack_releases(
    given: Sequence[Path],
    *,
    known: Path | None = None,
    width: int | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Report:
    """Play the attacker on releases that anybody may have.

    Each must hold as a release: the signature and hashes are verified. Whose it is does not matter.

    Parameters
    ----------
    given
        Folders or archives of releases, and folders or archives of several.
    known
        CSV of true numbers that are known outside.
    width
        How many further values must be possible; default: as the releases say.

    Raises
    ------
    SafercitiesError
        If one is no release, or nothing can be proved.
    """
    opened: dict[str, Opened] = {}
    paths = [path for each in given for path in releases_in(each)]
    for number, path in enumerate(paths):
        progress("reading", number, len(paths))
        for found in _opened(path):
            opened.setdefault(found.verified.id, found)
    ordered = sorted(opened.values(), key=lambda one: (one.verified.manifest.published, one.verified.number))
    outside = read_known(known) if known is not None else []
    return attack([published(one) for one in ordered], known=outside, width=width, progress=progress)


def _opened(path: Path) -> Iterator[Opened]:
    """The release that a path is, or each of those in an archive of several."""
    with unpacked(path) as folder:
        for one in releases_in(folder):
            found = open_release(one)
            yield replace(found, verified=placed(found.verified, path))


def published(opened: Opened) -> Published:
    """A release as the public has it: its rows, rules, places, labels and populations."""
    said = opened.verified.manifest
    meaning = read_structure(opened.files["structure.xml"])
    return Published(
        name=opened.verified.path.name,
        estimates=opened.estimates,
        rules=said.rules,
        places=meaning.places,
        place=said.observatory.place,
        labels={name: dict(codes) for name, codes in meaning.labels.items()},
        people=[(one.place, one.period, one.people) for one in said.denominators],
        definitions=_definitions(said.indicators),
    )


def _definitions(said: Mapping[str, Definitions]) -> dict[tuple[str, str], Version]:
    """What the indicators of a release count: those whose definition is, to the letter, one that we have."""
    ours = [indicator(code) for code in said if code in codes()]
    return definitions_of(one for one in ours if definition_hash(one) == said[one.code].sha256)


def read_known(file: Path) -> list[Outside]:
    """True numbers that are known outside: CSV with the columns indicator, source, place, period, n, and dimensions.

    Raises
    ------
    SafercitiesError
        If the file is not there, is too large, lacks a column, or a number or period is wrong.
    """
    if not file.is_file():
        raise SafercitiesError(problem("file-missing", file=str(file)))
    if file.stat().st_size > MAX_KNOWN:
        raise SafercitiesError(problem("attack-known-large", file=str(file), most=MAX_KNOWN))
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            return list(_outside(csv.DictReader(handle, strict=True), str(file)))
    except (UnicodeDecodeError, csv.Error) as error:
        message = str(error)[:200]
        raise SafercitiesError(problem("attack-known-unreadable", file=str(file), message=message)) from None


def _outside(rows: csv.DictReader[str], file: str) -> Iterator[Outside]:
    names = rows.fieldnames or ()
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise SafercitiesError(problem("attack-known-columns", file=file, missing=", ".join(missing)))
    for row in rows:
        if None in row or None in row.values():
            raise SafercitiesError(
                problem("attack-known-unreadable", file=file, row=rows.line_num, message="a row has other columns")
            )
        yield _one(row, file, rows.line_num)


def _one(row: Mapping[str, str], file: str, line: int) -> Outside:
    text = row["n"].strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise SafercitiesError(problem("attack-known-number", file=file, row=line, column="n", value=text))
    try:
        period = str(Period.parse(row["period"]))
    except SafercitiesError as error:
        what = error.problems[0].what
        raise SafercitiesError(
            problem("attack-known-unreadable", file=file, row=line, column="period", message=what)
        ) from None
    codes = {name: code.strip() for name, code in row.items() if name not in COLUMNS}
    told = tuple(sorted((name, code) for name, code in codes.items() if code not in ("", TOTAL)))
    return Outside(row["indicator"].strip(), row["source"].strip(), Cell(row["place"].strip(), period, told), int(text))
