"""What columns may mean, by their names and values: proposals that a person looks at, never more."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.columns import as_text
from safercities.collect.records import RawTable

#: So many different values of a column are offered for mapping.
MOST_VALUES = 60
_DATE = re.compile(r"\d{4}-\d{1,2}(-\d{1,2})?([T ].*)?|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}( .*)?|\d{4}/\d{1,2}(/\d{1,2})?")
_NUMBER = re.compile(r"[-+]?\d+(?:([.,])\d+)?")
#: Words that names of columns hold, in several languages, without accents.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "when": ("fecha", "date", "datum", "when", "data", "dia", "mes", "month", "дата", "تاريخ", "日期"),
    "longitude": ("lon", "lng", "longitud", "longitude", "x", "east", "долгота", "经度"),
    "latitude": ("lat", "latitud", "latitude", "y", "north", "широта", "纬度"),
    "sex": ("sex", "sexo", "sexe", "gender", "genero", "genre", "пол", "الجنس", "性别"),
    "age": ("age", "edad", "alter", "idade", "возраст", "العمر", "年龄"),
    "id": ("id", "caso", "case", "folio", "expediente", "numero", "дело"),
    "count": ("n", "count", "cases", "casos", "nombre", "cantidad", "total", "people", "population", "poblacion"),
    "weight": ("weight", "peso", "factor", "poids", "w", "вес"),
    "strata": ("stratum", "strata", "estrato", "strate"),
    "psu": ("psu", "cluster", "upm", "manzana", "conglomerado", "grappe"),
    "period": ("year", "ano", "annee", "anio", "period", "wave", "ola", "год", "年"),
    "place": ("barrio", "comuna", "ward", "district", "distrito", "neighbourhood", "place", "code", "codigo", "район"),
    "name": ("name", "nombre", "nom", "название", "名称"),
    "act": ("delito", "offence", "crime", "act", "tipo", "type", "infraction"),
    "walk": ("walk", "route", "recorrido"),
}
_SEX: Mapping[str, tuple[str, ...]] = {
    "M": (
        *("m", "male", "man", "men", "hombre", "hombres", "masculino", "masculin", "homme", "varon"),
        *("муж", "мужской", "ذكر", "男"),
    ),
    "F": (
        *("f", "female", "woman", "women", "mujer", "mujeres", "femenino", "feminin", "femme"),
        *("ж", "жен", "женский", "انثى", "أنثى", "女"),
    ),
    "_O": ("other", "otro", "autre", "x"),
}
_UNKNOWN = (
    *(
        "unknown",
        "desconocido",
        "sin dato",
        "sin datos",
        "no informa",
        "no consta",
        "inconnu",
        "n/a",
        "na",
        "nd",
        "s/d",
    ),
    *("неизвестно", "غير معروف", "不详", "-1", "99", "999", "9999", "?", "-", "_u"),
)


@dataclass(frozen=True)
class Column:
    """A column as people see it when they choose."""

    name: str
    samples: tuple[str, ...]
    filled: int


def fold(text: str) -> str:
    """Small letters without accents.

    Examples
    --------
    >>> fold("Género ")
    'genero'
    """
    plain = unicodedata.normalize("NFKD", text.casefold().strip())
    return "".join(one for one in plain if not unicodedata.combining(one))


def columns_of(raw: RawTable) -> list[Column]:
    """Every column, with some of its values."""
    found = []
    for name in raw.table.column_names:
        column = raw.table.column(name)
        found.append(Column(name, tuple(values_of(raw, name, 3)), len(column) - column.null_count))
    return found


def values_of(raw: RawTable, column: str, most: int = MOST_VALUES) -> list[str]:
    """Different values of a column as text, the most frequent first."""
    if column not in raw.table.column_names:
        return []
    texts = as_text(raw.table.column(column))
    counts = pc.value_counts(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts).to_pylist()
    counts.sort(key=lambda one: -one["counts"])
    return [one["values"] for one in counts if one["values"] not in (None, "")][:most]


def decimal_of(raw: RawTable) -> str:
    """The decimal mark: a comma, where more numbers have one than a point."""
    marks = {".": 0, ",": 0}
    for name in raw.table.column_names:
        for value in values_of(raw, name, 50):
            match = _NUMBER.fullmatch(value.strip())
            if match and match[1]:
                marks[match[1]] += 1
    return "," if marks[","] > marks["."] else "."


def named(raw: RawTable, key: str, *, dates: bool = False) -> str | None:
    """The column whose name sounds like this; the one whose whole name it is goes first."""
    best: tuple[int, str] | None = None
    for name in raw.table.column_names:
        parts = re.split(r"[\W_]+", fold(name))
        score = max((_score(word, parts) for word in _WORDS[key]), default=0)
        if score and dates and not looks_dated(raw, name):
            continue
        if score and (best is None or score > best[0]):
            best = score, name
    return best[1] if best else None


def _score(word: str, parts: Sequence[str]) -> int:
    if parts == [word]:
        return 3
    if word in parts:
        return 2
    return 1 if len(word) > 3 and any(part.startswith(word) for part in parts) else 0


def looks_dated(raw: RawTable, name: str) -> bool:
    """Whether most values of a column are dates."""
    kind = raw.table.schema.field(name).type
    if pa.types.is_temporal(kind):
        return True
    values = values_of(raw, name, 50)
    return bool(values) and sum(bool(_DATE.fullmatch(value.strip())) for value in values) > 0.6 * len(values)


def dated(raw: RawTable) -> str | None:
    """The column with the date: by its name, else the first that holds dates."""
    by_name = named(raw, "when", dates=True)
    return by_name or next((name for name in raw.table.column_names if looks_dated(raw, name)), None)


def is_numeric(values: Iterable[str]) -> bool:
    """Whether most values are numbers."""
    listed = list(values)
    return bool(listed) and sum(bool(_NUMBER.fullmatch(one.strip())) for one in listed) > 0.7 * len(listed)


def code_of(dimension: str, value: str, among: Sequence[str]) -> str:
    """The code that a value seems to mean; `_U` for unknown; empty where nothing is known.

    Parameters
    ----------
    among
        All values of the column: beside “H”, “M” is a woman.

    Examples
    --------
    >>> code_of("sex", "Mujer", ["Hombre", "Mujer"]), code_of("sex", "M", ["H", "M"]), code_of("sex", "zz", ["zz"])
    ('F', 'F', '')
    """
    word = fold(value)
    if word in _UNKNOWN:
        return "_U"
    codes = listed_codes(dimension)
    if dimension == "sex":
        folded = {fold(one) for one in among}
        if "h" in folded and word in ("h", "m") and "f" not in folded:
            return "M" if word == "h" else "F"
        found = next((code for code, words in _SEX.items() if word in words), "")
        if found:
            return found
    if value in codes:
        return value
    return next((code for code, label in codes.items() if fold(label) == word), "")


@cache
def listed_codes(dimension: str) -> Mapping[str, str]:
    """Code → label of the dimension's list (`act`: the ICCS), without all and unknown; empty where it has none."""
    from safercities.model.dimensions import TOTAL, UNKNOWN, code_list
    from safercities.model.dimensions import dimension as known

    codes = code_list("ICCS") if dimension == "act" else known(dimension).codes
    if codes is None or codes.id == "AGE":
        return {}
    return {code: label for code, label in codes.labels.items() if code not in (TOTAL, UNKNOWN)}


def value_map(raw: RawTable, dimension: str, column: str) -> dict[str, Any]:
    """A proposal for a breakdown by a column: its codes, bins for ages, what means unknown."""
    values = values_of(raw, column)
    unknown = [value for value in values if code_of(dimension, value, values) == "_U" and fold(value) != "_u"]
    how: dict[str, Any] = {"column": column}
    if dimension == "age" and is_numeric(value for value in values if value not in unknown):
        how["bins"] = [0, 15, 25, 35, 60]
    else:
        found = {value: code_of(dimension, value, values) for value in values}
        codes = {value: code for value, code in found.items() if code not in ("", "_U")}
        if codes and any(value != code for value, code in codes.items()):
            how["map"] = codes
    return how | ({"unknown": unknown} if unknown else {})


def propose(kind: str, raw: RawTable, levels: Sequence[str]) -> dict[str, Any]:
    """A first draft of a source: what its columns seem to be."""
    draft: dict[str, Any] = {"decimal": ","} if decimal_of(raw) == "," else {}
    if kind in ("incidents", "audits"):
        draft |= _given(when=dated(raw), id=named(raw, "id"))
    if kind in ("incidents", "audits", "survey"):
        lon, lat = named(raw, "longitude"), named(raw, "latitude")
        draft |= _given(longitude=lon, latitude=lat) if lon and lat and lon != lat else {}
        place = named(raw, "place")
        if place and levels and "longitude" not in draft:
            draft["places"] = {levels[-1]: place}
    if kind == "incidents" and (column := named(raw, "act")):
        draft["act"] = {"column": column}
    if kind == "survey":
        draft |= _given(period=named(raw, "period"), weight=named(raw, "weight"), id=named(raw, "id"))
        draft |= _given(strata=named(raw, "strata"), psu=named(raw, "psu"))
    if kind == "population":
        draft |= _given(period=named(raw, "period"), count=named(raw, "count"), place=named(raw, "place"))
    if kind == "audits":
        draft |= _given(walk=named(raw, "walk"))
        from safercities.collect.audits_spec import RubricFrom

        folded = {fold(name): name for name in raw.table.column_names}
        draft["rubric"] = {name: folded[name] for name in RubricFrom.model_fields if name in folded}
    people = {name: named(raw, name) for name in ("sex", "age")}
    dimensions = {name: value_map(raw, name, column) for name, column in people.items() if column}
    return draft | ({"dimensions": dimensions} if dimensions else {})


def _given(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
