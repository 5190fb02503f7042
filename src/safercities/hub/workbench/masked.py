"""Problems without what stands in the cells of uploaded files: for those who may not read the files themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter
from typing import Any

from safercities.model.errors import HIDDEN, Hidden, Kind, catalogue, column_without_cells, plain
from safercities.model.printable import one_line

#: What the sentences may name beside the details.
_PLACE = frozenset({"file", "row", "column", "rows"})


def masked(one: Mapping[str, Any], named: Collection[str] = ()) -> dict[str, Any]:
    """A problem as `texts.kept` keeps it, with cells hidden in its place, in its details and in its sentences.

    Of jobs that kept no details, or others than the sentences need, only what the code says in general is left.

    Parameters
    ----------
    named
        What the settings name (`errors.named_in`): other columns of data files are not told.
    """
    kind, details, column = catalogue().get(str(one.get("code"))), one.get("details"), one.get("column")
    column = column_without_cells(str(one.get("file") or ""), None if column is None else str(column), named)
    told = {**one, "column": column}
    if kind is None:
        return told | {"what": str(one.get("code")), "todo": "", "details": {}}
    place = {name: HIDDEN if told.get(name) is None else told[name] for name in _PLACE}
    if isinstance(details, Mapping):
        hidden = {name: value if plain(name, value) else HIDDEN for name, value in details.items()}
        try:
            return told | _said(kind, place | hidden) | {"details": hidden}
        except (LookupError, ValueError, AttributeError, TypeError):  # details of another version
            pass
    hidden = dict.fromkeys(_names(kind) - _PLACE, HIDDEN)
    return told | _said(kind, place | hidden) | {"details": hidden}


def _said(kind: Kind, words: Mapping[str, Any]) -> dict[str, str]:
    shown = {name: Hidden(HIDDEN) if value == HIDDEN else value for name, value in words.items()}
    return {name: one_line(text.format(**shown)) for name, text in (("what", kind.what), ("todo", kind.todo))}


def _names(kind: Kind) -> set[str]:
    """Names of what a kind's sentences are filled in with."""
    return {name for text in (kind.what, kind.todo) for _, name, _, _ in Formatter().parse(text) if name}
