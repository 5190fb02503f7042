"""The indicators that ship with safercities, loaded on demand from `catalogue/*.toml`, and how to read any other."""

from __future__ import annotations

import difflib
import re
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from safercities.indicators.facts import facts, looks_back
from safercities.indicators.numerators import Material
from safercities.indicators.spec import Indicator, Version
from safercities.model.dimensions import dimension
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.spec import parse

_FOLDER = files(__package__).joinpath("catalogue")
#: What an indicator is made of, in words.
MATERIALS: dict[Material, str] = {
    "incidents": "records",
    "survey": "survey",
    "audits": "audits",
    "estimates": "other indicators",
}
_DIRECTIONS = {"lower": "lower is better", "higher": "higher is better", "none": "neither way is better"}


def load_indicator(source: str | Path, *, file: str = "") -> Indicator:
    """Read one indicator from a TOML file, or from TOML text.

    Parameters
    ----------
    source
        A path, or the text itself.
    file
        Name shown in problems; default: the path's name. Where it ends in `.toml`, it must be the code's.

    Raises
    ------
    SafercitiesError
        If it is no valid TOML, a key is unknown, missing or wrong, or the file is not named after the code.

    Examples
    --------
    >>> load_indicator('code = "x"\\nkindd = "rate"')
    Traceback (most recent call last):
    ...
    safercities.model.errors.SafercitiesError: ...2:kindd: this key is not known: did you mean kind
    """
    if isinstance(source, Path):
        file = file or source.name
        if not source.is_file():
            raise UsageError(problem("file-missing", file=file))
        try:
            source = source.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise SafercitiesError(problem("toml-broken", file=file, message="it is not UTF-8 text")) from None
    made = parse(Indicator, _toml(source, file), file=file, text=source)
    if file.endswith(".toml") and file != f"{made.code}.toml":
        raise SafercitiesError(problem("indicator-file-name", file=file, column="code", given=made.code))
    return made


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        row = int(found[1]) if found else None
        raise SafercitiesError(problem("toml-broken", file=file, row=row, message=str(error))) from None


@cache
def codes() -> tuple[str, ...]:
    """Codes of the catalogue, sorted; no file is read."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted((name.removesuffix(".toml") for name in names if name.endswith(".toml")), key=_natural))


def _natural(code: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts 3.6.1 before 11.5.1."""
    parts = re.split(r"[._-]", code)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def indicator(code: str) -> Indicator:
    """The catalogue's indicator of that code.

    Raises
    ------
    UsageError
        If there is none; names the nearest.

    Examples
    --------
    >>> indicator("sdg.16.1.1").on().counted.acts
    ['0101']
    >>> indicator("sdg.16.1.l")
    Traceback (most recent call last):
    ...
    safercities.model.errors.UsageError: there is no indicator “sdg.16.1.l”: did you mean sdg.16.1.1? ...
    """
    if code not in codes():
        near = _near(code)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(problem("indicator-unknown", given=code, hint=hint))
    return _load(code)


@cache
def _load(code: str) -> Indicator:
    entry = _FOLDER.joinpath(f"{code}.toml")
    return load_indicator(entry.read_text(encoding="utf-8"), file=entry.name)


def _near(code: str) -> list[str]:
    """Codes that may have been meant: those it is a part of or names, else those that look like it."""
    wanted = code.strip().casefold()
    if not wanted:
        return []
    digits = re.sub(r"\bl\b", "1", re.sub(r"\bo\b", "0", wanted))
    parts = [known for known in codes() if f".{digits}." in f".{known}."]
    alike = difflib.get_close_matches(wanted, codes(), n=2, cutoff=0.8)
    named = [known for known, entry in catalogue().items() if wanted in entry.on().label.casefold()]
    likely = [*parts[:3], *named] or alike or difflib.get_close_matches(wanted, codes(), n=2)
    return list(dict.fromkeys(likely))[:3]


def catalogue() -> MappingProxyType[str, Indicator]:
    """Every indicator of the catalogue by its code."""
    return MappingProxyType({code: indicator(code) for code in codes()})


def listing(made_of: Material | None = None) -> str:
    """The catalogue as a plain-text table: code, name, what it is made of, units; all, or those of one material.

    Examples
    --------
    >>> print(listing("audits").splitlines()[0].split())
    ['indicator', 'what', 'it', 'measures', 'made', 'of', 'units']
    >>> len(listing("audits").splitlines()) < len(listing().splitlines())
    True
    """
    rows = [("indicator", "what it measures", "made of", "units")]
    rows += [
        (code, entry.on().label, MATERIALS[entry.on().made_of], units_of(entry))
        for code, entry in catalogue().items()
        if made_of in (None, entry.on().made_of)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def units_of(entry: Indicator) -> str:
    """Units of an indicator's values, as its newest definition has them.

    Examples
    --------
    >>> units_of(indicator("sdg.16.1.1")), units_of(indicator("sdg.16.1.4"))
    ('victims', '%')
    """
    version = entry.on()
    return ", ".join(version.counted.units) if version.made_of == "incidents" else entry.unit(version)


def explain(indicator: Indicator) -> str:
    """What an indicator is, as plain text: definition, what it is made of, over what, from which text, links, versions.

    Examples
    --------
    >>> print(explain(indicator("sdg.16.1.1")).splitlines()[0])
    sdg.16.1.1 – Victims of intentional homicide
    """
    newest = indicator.on()
    blocks = [f"{indicator.code} – {newest.label}", _fill(newest.definition), _facts(indicator, newest)]
    if newest.note:
        blocks.append(_fill(f"To read it rightly: {newest.note}"))
    return "\n\n".join(blocks)


def _fill(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), width=100, break_on_hyphens=False)


def _facts(indicator: Indicator, version: Version) -> str:
    lines = []
    for name, value in _rows(indicator, version):
        head = f"{name:<16}"
        lines.append(textwrap.fill(value, 100, initial_indent=head, subsequent_indent=" " * 16, break_on_hyphens=False))
    return "\n".join(lines)


def _rows(indicator: Indicator, version: Version) -> Iterator[tuple[str, str]]:
    yield from facts(indicator, version)
    if version.population:
        yield "Whom it means", version.population
    if version.reference_period:
        yield "Looks back on", looks_back(version.reference_period)
    yield "Direction", _DIRECTIONS[indicator.direction]
    if version.disaggregations:
        yield "Break down by", ", ".join(dimension(name).label.lower() for name in version.disaggregations)
    yield "Defined in", version.source
    links = indicator.links
    nua = [f"§{paragraph}" for paragraph in links.nua]
    linked = {"SDG": links.sdg, "New Urban Agenda": nua, "CPI": links.cpi, "U4SSC": links.u4ssc}
    if any(linked.values()):
        yield "Linked to", "; ".join(f"{name} {', '.join(to)}" for name, to in linked.items() if to)
    since = (f"{v.version} (from {v.valid_from})" if v.valid_from else v.version for v in indicator.versions)
    yield "Versions", ", ".join(since)
