"""The error catalogue: every problem has a stable code, says what and where, and what to do about it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

from safercities.model.printable import one_line

HIDDEN = "…"
#: The file of settings; `config.FILE` is it for the rooms above.
SETTINGS = "observatory.toml"
#: Names of details that hold what stands in a cell of somebody's data, as a number too.
CELLS = frozenset({"value", "other", "date"})
#: Text in problems that comes from the settings, from definitions, from releases or from this program. Any other may
#: quote a row (a value, a line that a reader stumbled over, the name of a stratum; column names of a file without a
#: header are its first row), and is hidden: what a new kind of problem brings is hidden until it is named here.
_OURS = frozenset(
    """
    acts about after against ages areas asked_if axis before breakdown by cell code coverage covers crs day decimal
    declared differ earlier engine first format found group groups held identity indicator indicators kind label
    lacking language last level levels limit list looks lower margin missing more most name names needed note number
    of old openings parameter part people period place precision prefix psus question questions recall recorded role
    roles rule says share size source standard status surveyed table timezone unit units until since upper version
    wanted waves weights where why
    """.split()  # noqa: SIM905 (one a line they would fill a page)
)
#: Keys of the settings below which the values of a column are listed.
_LISTS = ("map", "unknown", "yes", "no", "aliases", "ratings")
_VALUES = re.compile(rf"(.*?\.(?:{'|'.join(_LISTS)})\.).*", re.DOTALL)
#: What problems of files name beside columns: keys about a file, and columns of what this program writes.
_COLUMNS = frozenset(
    "code coverage crs deff df lower n n_positive period se timezone upper value verdict within".split()  # noqa: SIM905
)


def plain(name: str, value: object) -> bool:
    """Whether a detail says nothing of a cell: numbers count rows and the like, but where they are named as cells.

    Examples
    --------
    >>> plain("period", "2024"), plain("stratum", "North"), plain("row", 7), plain("value", 7)
    (True, False, True, False)
    """
    return name not in CELLS and (not isinstance(value, str) or name in _OURS)


def without_values(key: str) -> str:
    """A key of the settings, cut where the values of a column begin.

    Examples
    --------
    >>> without_values("sources.police.sex.map.Maria"), without_values("sources.police.sex.column")
    ('sources.police.sex.map.…', 'sources.police.sex.column')
    """
    return _VALUES.sub(rf"\1{HIDDEN}", key)


def named_in(settings: object) -> frozenset[str]:
    """Every key and text of the settings (as TOML gives them), without the values of columns: no cell is among them.

    Examples
    --------
    >>> sorted(named_in({"sex": {"column": "Sexo", "map": {"Maria": "F"}, "unknown": ["Ana"]}}))
    ['Sexo', 'column', 'map', 'sex', 'unknown']
    """
    if isinstance(settings, str):
        return frozenset({settings})
    if isinstance(settings, Mapping):
        below = [named_in(part) for key, part in settings.items() if key not in _LISTS]
        return frozenset(map(str, settings)).union(*below)
    if isinstance(settings, list | tuple):
        return frozenset[str]().union(*map(named_in, settings))
    return frozenset()


def column_without_cells(file: str, column: str | None, named: Collection[str] = ()) -> str | None:
    """What may be told of the column of a problem, or None. A file without a header is named after its first row.

    Parameters
    ----------
    named
        What the settings name (`named_in`): only such a column of a data file is told.

    Examples
    --------
    >>> column_without_cells("a.csv", "Maria Lopez"), column_without_cells("a.csv", "Sexo", {"Sexo"})
    (None, 'Sexo')
    >>> column_without_cells("observatory.toml", "sources.police.sex.map.Maria")
    'sources.police.sex.map.…'
    """
    if column is None:
        return None
    if file in ("", SETTINGS):
        return without_values(column)
    return column if column in named or column in _COLUMNS else None


class Hidden(str):
    """Stands where a number may: whatever its format, it is written as it is."""

    __slots__ = ()

    def __format__(self, spec: str, /) -> str:
        return str(self)


class Severity(StrEnum):
    """How bad a problem is: an error makes `safercities check` fail, a warning needs a look, a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue; `what` and `todo` are format strings over the problem's details."""

    code: str
    severity: Severity
    what: str
    todo: str


@cache
def catalogue() -> dict[str, Kind]:
    """Every kind of problem by its code, read from the `problems/*.toml` files beside this module.

    Examples
    --------
    >>> catalogue()["file-missing"].severity
    <Severity.ERROR: 'error'>
    """
    kinds: dict[str, Kind] = {}
    for entry in sorted(files(__package__).joinpath("problems").iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".toml"):
            continue
        for code, text in tomllib.loads(entry.read_text(encoding="utf-8")).items():
            if code in kinds:
                raise ValueError(f"{entry.name}: the code {code} stands twice in the catalogue of problems")
            kinds[code] = Kind(code, Severity(text["severity"]), text["what"], text["todo"])
    return kinds


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, missing or worth knowing, at one place (the first, where many rows share it).

    Parameters
    ----------
    kind
        Entry of the catalogue.
    file, row, column
        Where: file name as the user wrote it, row as a spreadsheet shows it (header = 1), column name or TOML key.
    rows
        How many rows share this problem; `row` is the first of them.
    details
        What the catalogue's sentences need.
    """

    kind: Kind
    file: str = ""
    row: int | None = None
    column: str | None = None
    rows: int = 1
    details: tuple[tuple[str, object], ...] = field(default=())

    @property
    def code(self) -> str:
        """Stable code of the kind."""
        return self.kind.code

    @property
    def severity(self) -> Severity:
        """Severity of the kind."""
        return self.kind.severity

    @property
    def what(self) -> str:
        """What is wrong, as a sentence without a full stop."""
        return one_line(self.kind.what.format(**self._words))

    @property
    def todo(self) -> str:
        """What to do about it, as a sentence without a full stop."""
        return one_line(self.kind.todo.format(**self._words))

    @property
    def _words(self) -> dict[str, object]:
        """What the sentences may name: the details, and the place."""
        column = HIDDEN if self.column is None else self.column
        return {"file": self.file, "row": self.row, "column": column, "rows": self.rows, **dict(self.details)}

    @property
    def masked(self) -> Problem:
        """The problem without what the cells hold: for pages that others read. A cell may name a person."""
        return self.without_cells()

    def without_cells(self, named: Collection[str] = ()) -> Problem:
        """The problem `masked`, with the columns of data files that the settings name (`named_in`)."""
        details = tuple((name, value if plain(name, value) else Hidden(HIDDEN)) for name, value in self.details)
        return replace(self, details=details, column=column_without_cells(self.file, self.column, named))

    @property
    def where(self) -> str:
        """`file:row:column`, as far as they are known."""
        return one_line(":".join(str(part) for part in (self.file, self.row, self.column) if part not in (None, "")))

    def __str__(self) -> str:
        more = f" ({self.rows:,} rows)" if self.rows > 1 else ""
        return ": ".join(part for part in (self.where, self.what + more, self.todo) if part)


def problem(
    code: str, /, *, file: str = "", row: int | None = None, column: str | None = None, rows: int = 1, **details: object
) -> Problem:
    """Make a problem of the catalogue's kind `code`.

    Raises
    ------
    KeyError
        If the catalogue has no such code, or the sentences need a detail that is not given.

    Examples
    --------
    >>> str(problem("file-missing", file="homicides.csv"))
    'homicides.csv: there is no such file: check the name and the folder; it is looked for beside observatory.toml'
    """
    made = Problem(catalogue()[code], file, row, column, rows, tuple(sorted(details.items())))
    _ = made.what, made.todo  # a missing detail shows where the problem is made, not where it is printed
    return made


def refused(error: OSError) -> Problem:
    """What the operating system refused: no space, no right to write, a name that is too long.

    Examples
    --------
    >>> refused(PermissionError(13, "Permission denied", "city/build")).what
    'the operating system says: Permission denied'
    """
    name = error.filename if isinstance(error.filename, str) else ""
    return problem("system-refused", file=name, message=error.strerror or str(error) or type(error).__name__)


class SafercitiesError(Exception):
    """The data are wrong in a way that stops the work; carries the problems. The command line exits with 1."""

    exit_code = 1

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(SafercitiesError):
    """The call is wrong: an argument, an option or an unknown name. The command line exits with 2."""

    exit_code = 2
