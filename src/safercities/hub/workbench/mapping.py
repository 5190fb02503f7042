"""What the form of a source asks, kind by kind, and the draft that an answer gives: a table of observatory.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from safercities.collect.audits_spec import RubricFrom
from safercities.collect.file_spec import FileSpec
from safercities.collect.spec import AuditsSpec, IncidentsSpec, PopulationSpec, SurveySpec, Unit
from safercities.places.spec import GeographySpec

Words = str | Promise
Post = Mapping[str, str]
Draft = dict[str, Any]
#: The kinds of sources that have a form, and what checks them.
SPECS: Mapping[str, type[FileSpec]] = {
    "incidents": IncidentsSpec,
    "survey": SurveySpec,
    "audits": AuditsSpec,
    "population": PopulationSpec,
    "geography": GeographySpec,
}
KINDS: Mapping[str, Words] = {
    "incidents": _("Recorded cases: one row an incident, a victim, or a number of them"),
    "survey": _("Survey: one row a respondent"),
    "audits": _("Safety audit: one row a point that somebody rated"),
    "population": _("Population: how many people live where"),
}
#: Answers of a survey that can be added at a time, and the rating of an audit.
NEW_ANSWERS = 4
RATINGS: Mapping[str, Words] = {
    "lighting": _("Lighting"),
    "openness": _("Openness"),
    "visibility": _("Visibility"),
    "people": _("People around"),
    "security": _("Police or guards"),
    "walkpath": _("Walk path"),
    "transport": _("Public transport"),
    "gender_usage": _("Women and children around"),
    "feeling": _("Feeling of safety"),
}


@dataclass(frozen=True)
class Field:
    """A question of the form, for one key of the table."""

    key: str
    label: Words
    kind: Literal["column", "text", "whole", "choice", "switch", "names"]
    help: Words = ""
    choices: Sequence[tuple[str, Words]] = ()


def _field(key: str, label: Words, kind: Any, help: Words = "", choices: Sequence[tuple[str, Words]] = ()) -> Field:
    return Field(key, label, kind, help, choices)


_BY_ITSELF = ("", _("Found by itself"))
ENCODINGS = ("utf-8", "cp1252", "latin-1", "utf-16", "cp1251", "cp1253", "cp1255", "cp1256", "gb18030", "shift_jis")
FILE_FIELDS = (
    _field(
        "delimiter",
        _("What separates the columns"),
        "choice",
        "",
        (_BY_ITSELF, (",", _("Comma ,")), (";", _("Semicolon ;")), ("\\t", _("Tab")), ("|", _("Bar |"))),
    ),
    _field("decimal", _("Decimal mark of numbers"), "choice", "", ((".", _("Point: 3.5")), (",", _("Comma: 3,5")))),
    _field(
        "encoding",
        _("Character encoding"),
        "choice",
        _("If letters look wrong in the preview, try another one."),
        (_BY_ITSELF, *((one, one) for one in ENCODINGS)),
    ),
    _field("sheet", _("Sheet of a workbook"), "text", _("Its name, or its number from 1. Empty: the only one.")),
    _field("layer", _("Layer of a GeoPackage"), "text"),
    _field("header", _("Row with the names of the columns"), "whole", _("Empty: the first row.")),
)
_WHERE = (
    _field("longitude", _("Longitude, or easting"), "column"),
    _field("latitude", _("Latitude, or northing"), "column"),
    _field("crs", _("Reference system of the coordinates"), "text", _("Empty: EPSG:4326, that is degrees.")),
)
_ORDERS = (_BY_ITSELF, ("dmy", _("Day, month, year")), ("mdy", _("Month, day, year")), ("ymd", _("Year, month, day")))
_PRECISION = (_BY_ITSELF, ("day", _("Day")), ("month", _("Month")), ("year", _("Year")))
_WHEN = (
    _field("when", _("Date"), "column"),
    _field(
        "date_order",
        _("Order of day and month"),
        "choice",
        _("Where dates can be read two ways, as 03/04/2019."),
        _ORDERS,
    ),
    _field(
        "precision",
        _("How exact the dates are"),
        "choice",
        _("If 2022-01-01 stands for all of January, choose the month."),
        _PRECISION,
    ),
)
_LONELY = (
    ("fail", _("Stop, and say so")),
    ("adjust", _("Centre it on the whole sample")),
    ("average", _("Give it the average of the others")),
    ("certainty", _("Take it as certain")),
    ("remove", _("Leave it out of the variance")),
)
_LABEL = _field("label", _("Name shown to people"), "text")
#: Keys that a plain question answers. What else a table holds has a part of its own, or stays as it is.
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "incidents": (
        _LABEL,
        *_WHEN,
        _field(
            "covers", _("Period that the file covers"), "text", _("As 2019/2024. Months without a case are then zero.")
        ),
        *_WHERE,
        _field(
            "id", _("Number of the case"), "column", _("A number that stands twice makes the second row a duplicate.")
        ),
    ),
    "survey": (
        _LABEL,
        _field("population", _("Whom the survey speaks for"), "text", _("As: residents aged 15 and over.")),
        _field("strata", _("Stratum of the sample"), "column"),
        _field("psu", _("Primary sampling unit (cluster)"), "column", _("None: each row is its own.")),
        _field("nested", _("Numbers of units begin anew in each stratum"), "switch"),
        _field("lonely", _("A stratum with one unit"), "choice", _("Its variance cannot be seen."), _LONELY),
        _field("id", _("Number of the respondent"), "column"),
        *_WHERE,
    ),
    "audits": (
        _LABEL,
        *_WHEN,
        _field("walk", _("Walk, round or route"), "column", _("Points of one walk resemble each other.")),
        _field("id", _("Number of the audit"), "column"),
        *_WHERE,
    ),
    "population": (
        _LABEL,
        _field("place", _("Code of the place"), "column", _("None: all rows are the whole place.")),
        _field("count", _("Number of people"), "column"),
        _field("interpolate", _("Draw a straight line between the years that are given"), "switch"),
        _field("carry", _("Use a year for so many years before and after it"), "whole"),
    ),
    "geography": (
        _field(
            "level",
            _("Level"),
            "text",
            _("A word for these places, in small letters a–z: neighbourhood, district, ward."),
        ),
        _field("id", _("Code of the place"), "column"),
        _field("name", _("Name of the place"), "column"),
        _field("parent_column", _("Code of the larger place that it lies in"), "column"),
        _field("crs", _("Reference system"), "text", _("Only where the file does not say it.")),
        _field(
            "overlaps",
            _("Where boundaries overlap"),
            "choice",
            "",
            (
                ("refuse", _("Refuse the file")),
                ("smallest", _("The smallest place wins")),
                ("first", _("The first place wins")),
            ),
        ),
        _field("title_case", _("Write names in capitals as titles"), "switch"),
    ),
}
UNITS: Mapping[str, Words] = {"victims": _("Victims"), "incidents": _("Incidents"), "offences": _("Offences")}
assert set(UNITS) == set(get_args(Unit))  # noqa: S101 - a unit that is new gets a name


# -- reading an answer -------------------------------------------------------------------------------------------------


def read(kind: str, post: Post, base: Draft, levels: Sequence[str]) -> Draft:
    """The table that the form describes. What the form does not ask is taken from `base` as it is."""
    draft = dict(base)
    if kind != "geography":
        draft["kind"] = kind
    _put(draft, "file", post.get("file", "").strip() or None)
    for field in (*FILE_FIELDS, *FIELDS[kind]):
        if field.key in post or field.kind == "switch":
            _put(draft, field.key, _answer(field, post.get(field.key, "").strip(), base))
    if kind != "geography":
        _put(draft, "dimensions", _dimensions(post, base.get("dimensions", {})))
    if kind in ("incidents", "survey", "audits"):
        _put(draft, "places", _places(post, base.get("places", {}), levels))
    for read_more in _MORE.get(kind, ()):
        read_more(draft, post, base)
    return draft


def _put(draft: Draft, key: str, value: Any) -> None:
    """Set a key; what says nothing is left out."""
    if value in (None, "", {}, []) and value is not False:
        draft.pop(key, None)
    else:
        draft[key] = value


def _answer(field: Field, text: str, base: Draft) -> Any:
    """The value of a key; where the answer is what the reader takes anyway, only if it was written out before."""
    if field.kind == "switch":
        return True if text else (False if field.key in base else None)
    if field.kind == "whole" or (field.key == "sheet" and text.isdecimal()):
        return int(text) if text.isdecimal() and len(text) < 10 else (text or None)
    default = {"decimal": ".", "overlaps": "refuse", "lonely": "fail"}.get(field.key)
    return None if text == default and field.key not in base else (text or None)


def _dimensions(post: Post, base: Draft) -> Draft:
    found: Draft = {}
    for number in _numbers(post, "d"):
        name, column = post.get(f"d{number}-name", "").strip(), post.get(f"d{number}-column", "").strip()
        if name and column:
            found[name] = codes(post, f"d{number}", column, base.get(name, {}))
    return found


def codes(post: Post, prefix: str, column: str, base: Any) -> Draft:
    """How the values of a column become codes: the map, what is unknown, the bins. Other keys stay."""
    before: Draft = dict(base) if isinstance(base, dict) else {}
    how = before | {"column": column}
    if post.get(f"{prefix}-shown", column) != column:  # the values below are those of another column
        return {key: value for key, value in how.items() if key in ("column", "of", "label")}
    chosen = _chosen(post, prefix)
    kept = {value: code for value, code in before.get("map", {}).items() if value not in chosen}
    mapped = kept | {value: code for value, code in chosen.items() if code not in ("", "_U")}
    unknown = [value for value, code in chosen.items() if code == "_U" and value != "_U"]
    unknown += [one for one in words(post.get(f"{prefix}-unknown", "")) if one not in unknown]
    _put(how, "unknown", _as_before(unknown, before.get("unknown", [])))
    bins = words(post.get(f"{prefix}-bins", ""))
    _put(how, "bins", [int(one) if one.isdecimal() and len(one) < 6 else one for one in bins])
    own = all(value == code for value, code in mapped.items())
    _put(how, "map", None if own and "map" not in before else mapped)
    return how


def _chosen(post: Post, prefix: str) -> dict[str, str]:
    """Value → the code that was chosen for it."""
    chosen: dict[str, str] = {}
    for number in range(2 * len(post)):
        value = post.get(f"{prefix}-v{number}")
        if value is None:
            break
        chosen[value] = post.get(f"{prefix}-c{number}", "").strip()
    return chosen


def _as_before(values: list[str], before: list[Any]) -> list[Any]:
    """The same values, each as it was written before: -1 stays a number."""
    known = {str(one): one for one in before}
    return [known.get(one, one) for one in values]


def words(text: str) -> list[str]:
    """A list, separated by commas or line breaks."""
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


def _places(post: Post, base: Draft, levels: Sequence[str]) -> Draft:
    given = {level: post.get(f"place-{level}", base.get(level, "")).strip() for level in levels}
    others = {level: column for level, column in base.items() if level not in levels}
    return others | {level: column for level, column in given.items() if column}


def _numbers(post: Post, letter: str) -> list[int]:
    """Numbers of the rows of a list in the form."""
    found = []
    for number in range(len(post)):
        if f"{letter}{number}-column" not in post:
            break
        found.append(number)
    return found


def _act(draft: Draft, post: Post, base: Draft) -> None:
    column, code = post.get("act-column", "").strip(), post.get("act-code", "").strip()
    _put(draft, "act", codes(post, "act", column, base.get("act")) if column else code)
    unit, counted = post.get("unit", "").strip(), post.get("unit-column", "").strip()
    plain = None if unit == "incidents" and "unit" not in base else unit  # what it is anyway
    _put(draft, "unit", {"column": counted, "of": unit or "incidents"} if counted else plain)


def _period(draft: Draft, post: Post, base: Draft) -> None:
    column, text = post.get("period-column", "").strip(), post.get("period", "").strip()
    before = base.get("period")
    if not column:
        _put(draft, "period", int(text) if text.isdecimal() and len(text) < 6 else text)
    elif isinstance(before, dict):
        draft["period"] = before | {"column": column}
    else:
        draft["period"] = {"column": column}


def _weight(draft: Draft, post: Post, base: Draft) -> None:
    column, text = post.get("weight-column", "").strip(), post.get("weight-number", "").strip()
    _put(draft, "weight", column or number(text))


def number(text: str) -> Any:
    """A number where the text is one: the check says of any other text what is wrong with it."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return text or None
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def _variables(draft: Draft, post: Post, base: Draft) -> None:
    found: Draft = {}
    before = base.get("variables", {})
    for row in _numbers(post, "a"):
        role, column = post.get(f"a{row}-role", "").strip(), post.get(f"a{row}-column", "").strip()
        if not role or not column:
            continue
        how = dict(before.get(role, {})) | {"column": column}
        for key in ("yes", "no", "unknown"):
            given = words(post.get(f"a{row}-{key}", ""))
            _put(how, key, [_scalar(one) for one in _as_before(given, how.get(key, []))])
        if post.get(f"a{row}-number"):
            how["number"] = True
        else:
            how.pop("number", None)
        found[role] = how
    _put(draft, "variables", found)


def roles(post: Post) -> list[str]:
    """What each answer of a survey is, in the order of the form; empty where nothing was said."""
    return [post.get(f"a{row}-role", "").strip() for row in _numbers(post, "a")]


def _scalar(value: Any) -> Any:
    """A whole number where a new value is written as one: files of surveys hold numbers."""
    plain = isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 10
    return int(value) if plain and str(int(value)) == value else value


def _rubric(draft: Draft, post: Post, base: Draft) -> None:
    before = base.get("rubric", {})
    found: Draft = {}
    for name in RubricFrom.model_fields:
        column, unknown = post.get(f"rubric-{name}", "").strip(), words(post.get(f"rubric-{name}-unknown", ""))
        if not column:
            continue
        old = before.get(name)
        how: Draft = dict(old) if isinstance(old, dict) else {}
        how["column"] = column
        _put(how, "unknown", [_scalar(one) for one in _as_before(unknown, how.get("unknown", []))])
        found[name] = column if how == {"column": column} and not isinstance(old, dict) else how
    _put(draft, "rubric", found)
    _put(draft, "weight", post.get("weight-column", "").strip() or number(post.get("weight-number", "").strip()))


def _level(draft: Draft, post: Post, base: Draft) -> None:
    _put(draft, "level", post.get("level", "").strip())


_MORE: Mapping[str, tuple[Any, ...]] = {
    "incidents": (_act,),
    "survey": (_period, _weight, _variables),
    "audits": (_rubric,),
    "population": (_period, _level),
}
