"""Code lists and dimensions: the words by which cases and people are broken down, and the rules of their codes."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal

from safercities.model.errors import SafercitiesError, UsageError, problem

TOTAL = "_T"
UNKNOWN = "_U"
#: The code of what has none of its own, where that of the unknown is taken.
OTHER = "_O"


@dataclass(frozen=True)
class Code:
    """One entry of a code list.

    Parameters
    ----------
    code
        As data carry it.
    label
        In English; text for people goes through gettext where it is shown.
    parent
        The code that it lies in, or None.
    aliases
        Other codes for the same thing by scheme: `{"alpha3": "COL", "numeric": "170"}`.
    """

    code: str
    label: str
    parent: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class CodeList:
    """A list of codes, in its own order.

    Parameters
    ----------
    id
        SEX, AGE, ICCS, M49, ISO3166, …
    label
        Its name for people.
    codes
        The codes.
    parents
        Id of the list that holds the parents, where it is another one: countries (ISO3166) lie in regions (M49).
    rule
        Makes a code that is not listed, for lists by rule (ages); None where the rule does not know it either.

    Examples
    --------
    >>> sexes = code_list("SEX")
    >>> "F" in sexes, sexes.labels["F"], "Y15T24" in code_list("AGE")
    (True, 'Female', True)
    """

    id: str
    label: str
    codes: tuple[Code, ...]
    parents: str | None = None
    rule: Callable[[str], Code | None] | None = field(default=None, compare=False)

    @cached_property
    def _by_code(self) -> dict[str, Code]:
        return {code.code: code for code in self.codes}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Code → label of the listed codes. (`label` also knows codes by rule.)"""
        return {code.code: code.label for code in self.codes}

    def get(self, code: str) -> Code | None:
        """The code's entry, or None."""
        found = self._by_code.get(code)
        return self.rule(code) if found is None and self.rule else found

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and self.get(code) is not None

    def __iter__(self) -> Iterator[Code]:
        return iter(self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    def label_of(self, code: str) -> str:
        """Label of a code; of an unknown one, the code itself.

        Examples
        --------
        >>> code_list("AGE").label_of("Y15T24"), code_list("SEX").label_of("?")
        ('15–24', '?')
        """
        found = self.get(code)
        return found.label if found else code

    def children(self, code: str) -> tuple[str, ...]:
        """Codes that lie directly in it."""
        return self._children.get(code, ())

    def descendants(self, code: str) -> tuple[str, ...]:
        """All codes below it, nearest first.

        Examples
        --------
        >>> code_list("M49").descendants("053"), code_list("M49").descendants("419")
        ((), ('029', '013', '005'))
        """
        below = list(self.children(code))
        for inner in below:
            below.extend(self.children(inner))
        return tuple(below)

    def ancestors(self, code: str) -> tuple[str, ...]:
        """All codes above it, nearest first, on through the list that holds the parents.

        Examples
        --------
        >>> code_list("ISO3166").ancestors("CO")
        ('005', '419', '019', '001')
        """
        found = self.get(code)
        if found is None or found.parent is None:
            return ()
        upper = code_list(self.parents) if self.parents else self
        return (found.parent, *upper.ancestors(found.parent))

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {}
        for code in self.codes:
            if code.parent is not None:
                children.setdefault(code.parent, []).append(code.code)
        return {parent: tuple(codes) for parent, codes in children.items()}

    def near(self, code: str, n: int = 3) -> list[str]:
        """Codes that may have been meant: with the zero that a spreadsheet took away, cut short, spelt or named alike.

        Examples
        --------
        >>> code_list("ICCS").near("101", n=1), code_list("ICCS").near("robery", n=1)
        (['0101'], ['0401'])
        """
        shorter = [code[:end] for end in range(len(code) - 1, 1, -1)] if code.isdigit() else []
        likely = [known for known in (f"0{code}", *shorter[:2]) if known in self.labels]
        by_label = {label.casefold(): key for key, label in self.labels.items()}
        named = difflib.get_close_matches(code.casefold(), list(by_label), n=n)
        alike = difflib.get_close_matches(code, list(self.labels), n=n)
        return list(dict.fromkeys([*likely, *(by_label[label] for label in named), *alike]))[:n]


@cache
def code_list(id: str) -> CodeList:
    """The code list of that id; the lists are the CSV files in `codelists/`, each with a header that says where from.

    Raises
    ------
    UsageError
        If there is no such list.

    Examples
    --------
    >>> code_list("ICCS").get("0101")
    Code(code='0101', label='Intentional homicide', parent='01', aliases={})
    """
    if id not in code_lists():
        raise UsageError(problem("code-list-unknown", given=id, known=", ".join(code_lists())))
    text = files(__package__).joinpath("codelists", f"{id}.csv").read_text(encoding="utf-8")
    lines = text.splitlines()
    head = dict(re.findall(r"^# (title|parents): *(.*?) *$", text, re.MULTILINE))
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return CodeList(id, head["title"], tuple(map(_code, rows)), head.get("parents"), _age if id == "AGE" else None)


@cache
def code_lists() -> tuple[str, ...]:
    """Ids of all code lists."""
    names = (entry.name for entry in files(__package__).joinpath("codelists").iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in names if name.endswith(".csv")))


def _code(row: dict[str, str]) -> Code:
    aliases = {name: value for name, value in row.items() if name not in ("code", "label", "parent") and value}
    return Code(row["code"], row["label"], row["parent"] or None, aliases)


# ---------------------------------------------------------------------------------------------------------------- ages


def age_code(low: int, high: int | None) -> str:
    """SDMX code of the ages from `low` to `high` (both included, in completed years); None is open.

    Raises
    ------
    UsageError
        If `low` is negative or above `high`.

    Examples
    --------
    >>> age_code(15, 24), age_code(7, 7), age_code(60, None), age_code(0, 4)
    ('Y15T24', 'Y7', 'Y_GE60', 'Y0T4')
    """
    if low < 0 or (high is not None and high < low):
        raise UsageError(problem("age-range-wrong", given=f"{low} to {high}"))
    if high is None:
        return f"Y_GE{low}"
    return f"Y{low}" if low == high else f"Y{low}T{high}"


_AGE = re.compile(r"Y(?:(0|[1-9][0-9]{0,2})(?:T(0|[1-9][0-9]{0,2}))?|_(GE|GT|LE|LT)(0|[1-9][0-9]{0,2}))")


def age_range(code: str) -> tuple[int, int | None]:
    """Lowest and highest age (in completed years, both included) of an SDMX age code; None is open.

    `_T` is all ages. `Y_LT5`, `Y_LE4` and `Y_GT4` are read, though never written.

    Raises
    ------
    SafercitiesError
        If it is no such code. (`_U` has no range.)

    Examples
    --------
    >>> age_range("Y15T24"), age_range("Y7"), age_range("Y_GE60"), age_range("Y_LT5"), age_range("_T")
    ((15, 24), (7, 7), (60, None), (0, 4), (0, None))
    """
    if code == TOTAL:
        return 0, None
    match = _AGE.fullmatch(code)
    if match is None:
        raise _bad_age(code)
    single, upper, comparison, bound = match.groups()
    if single is not None:
        low, high = int(single), int(upper if upper is not None else single)
        if upper is not None and high <= low:
            raise _bad_age(code)
        return low, high
    edge = int(bound)
    if comparison in ("GE", "GT"):
        return edge + (comparison == "GT"), None
    if comparison == "LT" and edge == 0:
        raise _bad_age(code)
    return 0, edge - (comparison == "LT")


def age_codes(bins: Sequence[int]) -> list[str]:
    """Codes of the groups that begin at these ages; the last is open.

    Raises
    ------
    UsageError
        If the ages do not rise or the first is negative.

    Examples
    --------
    >>> age_codes([0, 15, 25])
    ['Y0T14', 'Y15T24', 'Y_GE25']
    """
    highs: list[int | None] = [upper - 1 for upper in bins[1:]]
    return [age_code(low, high) for low, high in zip(bins, [*highs, None], strict=True)]


def _bad_age(code: str) -> SafercitiesError:
    return SafercitiesError(problem("age-code-wrong", given=code))


def _age(code: str) -> Code | None:
    """A code of the list AGE by rule."""
    try:
        low, high = age_range(code)
    except SafercitiesError:
        return None
    if high is None:
        return Code(code, f"{low} and over")
    return Code(code, str(low) if low == high else f"{low}–{high}")


# ---------------------------------------------------------------------------------------------------------------- acts


def iccs_below(code: str, acts: Iterable[str]) -> bool:
    """Whether an act is one of `acts` or lies below one (a longer code that begins with it).

    `_U` (unknown act) lies below nothing. Causes that are no crimes (`X-…`) stand beside the classification: they lie
    only below themselves.

    Examples
    --------
    >>> iccs_below("010111", ["0101"]), iccs_below("0102", ["0101"]), iccs_below("_U", ["01"])
    (True, False, False)
    """
    if not code[:1].isdigit():
        return code != UNKNOWN and code in set(acts)
    return any(code.startswith(act) for act in acts if act)


# ---------------------------------------------------------------------------------------------------------- dimensions


@dataclass(frozen=True)
class Dimension:
    """A characteristic by which cases are broken down.

    Parameters
    ----------
    name
        Name of the column: sex, age, means, …
    label
        For people.
    codes
        Its code list, or None where each source brings its own values.
    of
        Whether it describes a person (rates then need the population with that characteristic) or the event (rates
        then use the whole population).
    """

    name: str
    label: str
    codes: CodeList | None
    of: Literal["person", "event"]


#: name → label, code list, of. Those of the event are disaggregating variables of the ICCS, part "event descriptions".
_KNOWN: dict[str, tuple[str, str | None, Literal["person", "event"]]] = {
    "sex": ("Sex", "SEX", "person"),
    "age": ("Age", "AGE", "person"),
    "income": ("Household income", "INCOME", "person"),
    "orientation": ("Sexual orientation", "ORIENTATION", "person"),
    "migration": ("Migratory status", "MIGRATION", "person"),
    "disability": ("Disability", "DISABILITY", "person"),
    "citizenship": ("Citizenship", "ISO3166", "person"),
    "ethnicity": ("Ethnicity or population group", None, "person"),
    "education": ("Education", None, "person"),
    "degurba": ("Degree of urbanisation", "DEGURBA", "person"),
    "means": ("Means", None, "event"),
    "motive": ("Motive", None, "event"),
    "location": ("Type of location", None, "event"),
    "context": ("Situational context", None, "event"),
    "time_of_day": ("Time of day", None, "event"),
    "weekday": ("Day of the week", None, "event"),
    "attempted": ("Attempted or completed", None, "event"),
}


def dimension(name: str) -> Dimension:
    """The dimension of that name; a free one of the person, without code list, where the name is not a known one.

    Examples
    --------
    >>> dimension("sex").codes.labels["F"], dimension("means").of, dimension("school_grade").label
    ('Female', 'event', 'School grade')
    """
    if name not in _KNOWN:
        return Dimension(name, name.replace("_", " ").capitalize(), None, "person")
    label, codes, of = _KNOWN[name]
    return Dimension(name, label, code_list(codes) if codes else None, of)


def dimensions() -> tuple[str, ...]:
    """Names of the known dimensions."""
    return tuple(_KNOWN)
