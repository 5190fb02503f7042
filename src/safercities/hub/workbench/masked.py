"""Problems without what stands in the cells of uploaded files: for those who may not read the files themselves."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

from safercities.config import FILE
from safercities.model.errors import HIDDEN, Hidden, Kind, catalogue, plain, without_values
from safercities.model.printable import one_line

#: What the sentences may name beside the details.
_PLACE = frozenset({"file", "row", "column", "rows"})


def masked(one: Mapping[str, Any]) -> dict[str, Any]:
    """A problem as `texts.kept` keeps it, with cells hidden in its details and in its sentences.

    Of jobs that kept no details only what the code says in general is left.
    """
    kind, details = catalogue().get(str(one.get("code"))), one.get("details")
    column = one.get("column")
    if one.get("file") == FILE and column:
        column = without_values(str(column))
    told = {**one, "column": column}
    if kind is None:
        return told | {"what": str(one.get("code")), "todo": "", "details": {}}
    if isinstance(details, Mapping):
        hidden = {name: value if plain(name, value) else HIDDEN for name, value in details.items()}
    else:
        hidden = dict.fromkeys(_names(kind) - _PLACE, HIDDEN)
    words = {name: told.get(name) for name in _PLACE} | hidden
    shown = {name: Hidden(HIDDEN) if value == HIDDEN else value for name, value in words.items()}
    said = {name: one_line(text.format(**shown)) for name, text in (("what", kind.what), ("todo", kind.todo))}
    return told | said | {"details": hidden}


def _names(kind: Kind) -> set[str]:
    """Names of what a kind's sentences are filled in with."""
    return {name for text in (kind.what, kind.todo) for _, name, _, _ in Formatter().parse(text) if name}
