"""Problems without what stands in the cells of uploaded files: for those who may not read the files themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from safercities.config import FILE
from safercities.model.errors import CELLS, Kind, catalogue
from safercities.model.printable import one_line

HIDDEN = "…"
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
#: What the sentences may name beside the details.
_PLACE = frozenset({"file", "row", "column", "rows"})
#: Keys of the settings below which the values of a column are listed.
_VALUES = re.compile(r"\.(map|unknown|yes|no|aliases|ratings)\..*", re.DOTALL)


def masked(one: Mapping[str, Any]) -> dict[str, Any]:
    """A problem as `texts.kept` keeps it, with cells hidden in its details and in its sentences.

    Of jobs that kept no details only what the code says in general is left.
    """
    kind, details = catalogue().get(str(one.get("code"))), one.get("details")
    column = one.get("column")
    if one.get("file") == FILE and column:
        column = _VALUES.sub(rf".\1.{HIDDEN}", str(column))
    told = {**one, "column": column}
    if kind is None:
        return told | {"what": str(one.get("code")), "todo": "", "details": {}}
    if isinstance(details, Mapping):
        hidden = {name: value if _plain(name, value) else HIDDEN for name, value in details.items()}
    else:
        hidden = dict.fromkeys(_names(kind) - _PLACE, HIDDEN)
    words = {name: told.get(name) for name in _PLACE} | hidden
    shown = {name: _Hidden(HIDDEN) if value == HIDDEN else value for name, value in words.items()}
    said = {name: one_line(text.format(**shown)) for name, text in (("what", kind.what), ("todo", kind.todo))}
    return told | said | {"details": hidden}


def _plain(name: str, value: object) -> bool:
    """Whether a detail says nothing of a cell: numbers count rows and the like, but where they are named as cells."""
    return name not in CELLS and (not isinstance(value, str) or name in _OURS)


def _names(kind: Kind) -> set[str]:
    """Names of what a kind's sentences are filled in with."""
    return {name for text in (kind.what, kind.todo) for _, name, _, _ in Formatter().parse(text) if name}


class _Hidden(str):
    """Stands where a number may: whatever its format, it is written as it is."""

    __slots__ = ()

    def __format__(self, spec: str, /) -> str:
        return str(self)
