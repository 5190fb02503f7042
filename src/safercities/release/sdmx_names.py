"""How the columns and codes of the estimates are called in SDMX, and back: nothing is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from safercities.model.dimensions import dimension
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import KEYS, MEASURES
from safercities.model.periods import Period
from safercities.release.content import Content

#: Version of the data format, and so of data structure and dataflow. Other columns, or other ids, need a new one.
FORMAT = "1.0.0"
AGENCY = "SAFERCITIES"
FLOW = "ESTIMATES"

Role = Literal["dimension", "measure", "attribute"]


@dataclass(frozen=True)
class Component:
    """One column of the file of data.

    Parameters
    ----------
    id
        In SDMX.
    column
        Of the estimates; "" where it only repeats another one (FREQ).
    coded
        Whether its values are codes of a list.
    label
        For people, in English.
    """

    id: str
    column: str
    role: Role
    coded: bool
    label: str

    @property
    def codelist(self) -> str:
        """Id of its code list."""
        return f"CL_{self.id}"


_BEFORE = (
    Component("FREQ", "", "dimension", True, "Frequency"),
    Component("INDICATOR", "indicator", "dimension", True, "Indicator"),
    Component("INDICATOR_VERSION", "version", "dimension", True, "Version of the indicator's definition"),
    Component("REF_AREA", "place", "dimension", True, "Reference area"),
)
_AFTER = (
    Component("SOURCE", "source", "dimension", True, "Source"),
    Component("UNIT_MEASURE", "unit", "dimension", True, "Unit of measure"),
    Component("METHOD", "method", "dimension", True, "Method"),
    Component("TIME_PERIOD", "period", "dimension", False, "Time period"),
    Component("OBS_VALUE", "value", "measure", False, "Value"),
    Component("SE", "se", "attribute", False, "Standard error"),
    Component("LOWER_BOUND", "lower", "attribute", False, "Lower end of the interval"),
    Component("UPPER_BOUND", "upper", "attribute", False, "Upper end of the interval"),
    Component("CONF_LEVEL", "level", "attribute", False, "Confidence level of the interval"),
    Component("N_OBS", "n", "attribute", False, "Cases counted, or people interviewed"),
    Component("N_POSITIVE", "n_positive", "attribute", False, "Cases in the numerator"),
    Component("DENOMINATOR", "denominator", "attribute", False, "Denominator"),
    Component("DEFF", "deff", "attribute", False, "Design effect"),
    Component("DF", "df", "attribute", False, "Degrees of freedom of the interval"),
    Component("OBS_STATUS", "obs_status", "attribute", True, "Observation status"),
    Component("CONF_STATUS", "conf_status", "attribute", True, "Confidentiality status"),
    Component("QUALITY", "quality", "attribute", False, "Quality flags, separated by a space"),
    Component("SCHEME", "scheme", "attribute", False, "Publication rules in force"),
    Component("VERDICT", "verdict", "attribute", False, "What the publication rules say"),
    Component("COVERAGE", "coverage", "attribute", False, "Share of the cases that the breakdown could place"),
    Component("NOTE", "note", "attribute", False, "Remark"),
)
#: Names of the dimensions in the global data structure of the SDG indicators (IAEG-SDGs:SDG), for those that it has.
_SDG = {
    "degurba": "URBANISATION",
    "income": "INCOME_WEALTH_QUANTILE",
    "education": "EDUCATION_LEV",
    "disability": "DISABILITY_STATUS",
}
_OWN = {name: own for own, name in _SDG.items()}
_TAKEN = {one.id for one in (*_BEFORE, *_AFTER)} | set(_OWN) | {"STRUCTURE", "STRUCTURE_ID", "ACTION"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS = {name for name, _ in (*KEYS, *MEASURES)}


def dimension_id(name: str) -> str:
    """SDMX's name of one of our dimensions: that of the SDG data structure where it has one, else in capitals.

    Raises
    ------
    UsageError
        If it is no name of a dimension.

    Examples
    --------
    >>> [dimension_id(name) for name in ("sex", "degurba", "means", "freq")]
    ['SEX', 'URBANISATION', 'MEANS', 'X_FREQ']
    """
    if not _NAME.fullmatch(name) or name in _COLUMNS:
        raise UsageError(problem("sdmx-dimension", given=name))
    made = _SDG.get(name, name.upper())
    return f"X_{made}" if name not in _SDG and (made in _TAKEN or made.startswith("X_")) else made


def dimension_name(id: str) -> str | None:
    """Our name of a dimension of the file; None where no name of ours is written so.

    Examples
    --------
    >>> [dimension_name(id) for id in ("SEX", "URBANISATION", "X_FREQ", "DEGURBA", "sex")]
    ['sex', 'degurba', 'freq', None, None]
    """
    name = _OWN.get(id) or id.removeprefix("X_").lower()
    if not _NAME.fullmatch(name) or name in _COLUMNS or dimension_id(name) != id:
        return None
    return name


def components(dimensions: Iterable[str]) -> tuple[Component, ...]:
    """Columns of the file in their order: the dimensions of the data structure, its measure, its attributes.

    Examples
    --------
    >>> [one.id for one in components(["sex"])][:6]
    ['FREQ', 'INDICATOR', 'INDICATOR_VERSION', 'REF_AREA', 'SEX', 'SOURCE']
    """
    own = (Component(dimension_id(name), name, "dimension", True, dimension(name).label) for name in dimensions)
    return (*_BEFORE, *own, *_AFTER)


def dimensions_of(ids: Sequence[str]) -> list[str] | None:
    """Our names of the dimensions in a header; None where it is no header of ours."""
    first, last = len(_BEFORE), len(ids) - len(_AFTER)
    if [one.id for one in _BEFORE] != list(ids[:first]) or [one.id for one in _AFTER] != list(ids[max(last, 0) :]):
        return None
    names = [dimension_name(id) for id in ids[first:last]]
    found = [name for name in names if name is not None]
    return found if len(set(found)) == len(names) else None


def agency(content: Content) -> str:
    """The agency that maintains the code lists: a part of ours for each place, as places differ in their codes.

    Examples
    --------
    >>> agency_of("CO-MDE"), agency_of("05001")
    ('SAFERCITIES.CO-MDE', 'SAFERCITIES.P05001')
    """
    return agency_of(content.place.id)


def agency_of(place: str) -> str:
    """The agency of the place with this id."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", place)
    return f"{AGENCY}.{name if name[:1].isascii() and name[:1].isalpha() else f'P{name}'}"


# --------------------------------------------------------------------------------------------------------------- codes

#: Units that the SDG data structure has a code for.
_UNITS = {"%": "PT", "per 100 000": "PER_100000_POP", "per 1 000": "PER_1000_POP"}
_UNITS_BACK = {code: unit for unit, code in _UNITS.items()}
_NONE = "_Z"  # SDMX: not applicable
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_LIKE_NUMBER = re.compile(r"[0-9]+([eE]-?[0-9]+)?|inf|infinity|nan|true|false", re.IGNORECASE)
_PIECE = re.compile(r"\$_|\$-|\$([0-9a-f]{1,6})\$|@|[A-Za-z0-9_-]")


def code_id(text: str | None, component: str = "") -> str:
    r"""Id of a code in SDMX, whose ids know only letters, digits and `_@$-`. Different texts have different ids.

    A dot is `@`, a space `$_`, any other character its number between `$`. What a spreadsheet or a reader would take
    for a number begins with `$-`, so that `05001` keeps its zero. No id begins as a formula does.

    Examples
    --------
    >>> code_id("sdg.16.1.1"), code_id("CO-MDE.01"), code_id("05001"), code_id("score, 0–3"), code_id(None)
    ('sdg@16@1@1', 'CO-MDE@01', '$-05001', 'score$2c$$_0$2013$3', '_Z')
    >>> code_id("%", "UNIT_MEASURE"), code_id("%")
    ('PT', '$25$')
    """
    if text is None:
        return _NONE
    units = component == "UNIT_MEASURE"
    if units and text in _UNITS:
        return _UNITS[text]
    made = "".join(map(_escaped, text))
    if made[:1] in ("@", "-") or made == _NONE or (units and made in _UNITS_BACK):
        made = f"${ord(text[0]):x}${made[1:]}"
    return f"$-{made}" if not made or _LIKE_NUMBER.fullmatch(made) else made


def _escaped(letter: str) -> str:
    if letter in (".", " "):
        return "@" if letter == "." else "$_"
    return letter if _PLAIN.match(letter) else f"${ord(letter):x}$"


def code_text(id: str, component: str = "") -> str | None:
    """The text that an id stands for.

    Raises
    ------
    ValueError
        If no text is written so.

    Examples
    --------
    >>> code_text("sdg@16@1@1"), code_text("PT", "UNIT_MEASURE"), code_text("_Z")
    ('sdg.16.1.1', '%', None)
    """
    if id == _NONE:
        return None
    if component == "UNIT_MEASURE" and id in _UNITS_BACK:
        return _UNITS_BACK[id]
    text, position = [], 0
    while position < len(id):
        match = _PIECE.match(id, position)
        if match is None:
            raise ValueError(f"{id[:40]!r} is no id of a code")
        text.append(_letter(match))
        position = match.end()
    made = "".join(text)
    made.encode()  # halves of characters are no text: a ValueError
    if code_id(made, component) != id:
        raise ValueError(f"{id[:40]!r} is another way to write a code")
    return made


def _letter(match: re.Match[str]) -> str:
    fixed: Mapping[str, str] = {"$_": " ", "$-": "", "@": "."}
    if match[1] is not None:
        return chr(int(match[1], 16))  # ValueError beyond the last character
    return fixed.get(match[0], match[0])


# ------------------------------------------------------------------------------------------------------------- periods

_KINDS = {"year": "A", "quarter": "Q", "month": "M", "week": "W", "day": "D", "range": "_O"}
#: Labels of SDMX CL_FREQ, version 2.1, for the codes in use.
FREQUENCIES = {"A": "Annual", "Q": "Quarterly", "M": "Monthly", "W": "Weekly", "D": "Daily", "_O": "Other"}
_RANGE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})/P([1-9][0-9]{0,5})D")


def time_period(period: str) -> tuple[str, str]:
    """Frequency and time period in SDMX, which writes a range as its first day and how many days it has.

    Raises
    ------
    UsageError
        If the period is not written as the estimates write it.

    Examples
    --------
    >>> time_period("2019"), time_period("2019-03-15/2020-03-14")
    (('A', '2019'), ('_O', '2019-03-15/P366D'))
    """
    try:
        found = Period.parse(period)
    except SafercitiesError:
        raise UsageError(problem("sdmx-period", given=period)) from None
    if str(found) != period:
        raise UsageError(problem("sdmx-period", given=period))
    written = f"{found.start.isoformat()}/P{found.days}D" if found.kind == "range" else period
    return _KINDS[found.kind], written


def period_of(time: str) -> str:
    """The period that a time period of SDMX stands for.

    Raises
    ------
    ValueError
        If the estimates have no such period.

    Examples
    --------
    >>> period_of("2019-Q1"), period_of("2019-03-15/P366D")
    ('2019-Q1', '2019-03-15/2020-03-14')
    """
    made = time
    if match := _RANGE.fullmatch(time):
        first = date.fromisoformat(match[1])
        try:
            made = str(Period(first, first + timedelta(days=int(match[2]) - 1)))
        except OverflowError:
            raise ValueError(f"{time!r} ends beyond the calendar") from None
    try:
        again = time_period(made)[1]
    except SafercitiesError:
        again = ""
    if again != time:
        raise ValueError(f"{time[:40]!r} is no time period")
    return made


def flow_id(owner: str) -> str:
    """The dataflow as the column STRUCTURE_ID names it.

    Examples
    --------
    >>> flow_id("SAFERCITIES.CO-MDE")
    'SAFERCITIES.CO-MDE:ESTIMATES(1.0.0)'
    """
    return f"{owner}:{FLOW}({FORMAT})"


_FLOW = re.compile(re.escape(AGENCY) + r"\.[A-Za-z][A-Za-z0-9_-]*:" + re.escape(f"{FLOW}({FORMAT})"))


def is_flow(id: str) -> bool:
    """Whether STRUCTURE_ID names a dataflow in this format."""
    return _FLOW.fullmatch(id) is not None
