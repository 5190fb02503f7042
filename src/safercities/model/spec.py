"""The base of every declarative file: unknown keys are refused, and each mistake becomes a problem with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from safercities.model.errors import Problem, SafercitiesError, problem

S = TypeVar("S", bound="Spec")

#: What pydantic says where a `kind` is unknown or missing.
_TAGS = ("union_tag_invalid", "union_tag_not_found")


class Spec(BaseModel):
    """A part of a TOML file as an immutable object. A field's `description` is its entry in the reference docs."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @classmethod
    def known_keys(cls) -> list[str]:
        """The keys that a user may write, aliases first."""
        return [info.alias or name for name, info in cls.model_fields.items()]


def parse(spec: type[S], data: dict[str, Any], *, file: str, text: str = "", context: object = None) -> S:
    """Validate `data` (what `tomllib` gives) as `spec`.

    Parameters
    ----------
    file
        Name shown in problems.
    text
        The TOML source; with it, problems carry the line of the key.

    Raises
    ------
    SafercitiesError
        With one problem for each key that is unknown, missing or wrong.
    """
    try:
        return spec.model_validate(data, context=context)
    except ValidationError as error:
        raise SafercitiesError(list(_problems(error, spec, data, file, text))) from None


def _problems(error: ValidationError, spec: type[Spec], data: Any, file: str, text: str) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()
    for item in error.errors(include_url=False):
        path = tuple(str(part) for part in _user_path(data, item["loc"], item["type"]))
        if path not in seen:  # each branch of a union complains about the same key: the first one says it
            seen.add(path)
            yield _problem(item, spec, path, file, text)


def _problem(item: ErrorDetails, spec: type[Spec], path: Sequence[str], file: str, text: str) -> Problem:
    where: dict[str, Any] = {"file": file, "row": line_of(text, list(path)), "column": ".".join(path)}
    given, message = item["input"], re.sub(r"^(Value error|Assertion failed), ", "", item["msg"])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _keys_below(spec), n=1)
        hint = f"did you mean {near[0]}" if near else "see the reference of this file for the keys that it takes"
        return problem("key-unknown", **where, hint=hint)
    if item["type"] in _TAGS:
        known = ", ".join(re.findall(r"tag:(\w+)", str(item["ctx"].get("expected_tags", ""))))
        given, message = given.get("kind") if isinstance(given, dict) else None, f"it must be one of {known}"
    if item["type"] == "missing" or (item["type"] in _TAGS and given is None):
        return problem("key-missing", **where)
    return problem("key-wrong", **where, message=message, given=_shown(given))


def _user_path(data: Any, location: Sequence[int | str], kind: str) -> list[int | str]:
    """The keys of `location` that the user wrote (or should have written): the names of union branches are not."""
    path: list[int | str] = []
    for index, part in enumerate(location):
        last_of_missing = kind == "missing" and index == len(location) - 1
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and part in range(len(data))):
            data = data[part]  # type: ignore[index]
        elif not last_of_missing:
            continue
        path.append(part)
    return [*path, "kind"] if kind in _TAGS else path


def _shown(given: Any) -> str:
    return repr(given) if isinstance(given, str | int | float | bool) else f"a {type(given).__name__}"


def _keys_below(spec: type[Spec]) -> list[str]:
    """Every key of the spec and of the specs inside it."""
    seen: set[type] = set()
    keys: list[str] = []

    def walk(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Spec):
            if kind not in seen:
                seen.add(kind)
                keys.extend(kind.known_keys())
                for info in kind.model_fields.values():
                    walk(info.annotation)
            return
        for inner in getattr(kind, "__args__", ()):
            walk(inner)

    walk(spec)
    return keys


def line_of(text: str, path: list[str]) -> int | None:
    """Line of a key in TOML source, as near as can be told: the last table on the path, then the key in it.

    Examples
    --------
    >>> line_of("[a]\\nx = 1\\n[a.b]\\ny = 2\\n", ["a", "b", "y"])
    4
    >>> line_of("[a]\\n", ["a", "z"])
    1
    """
    best: tuple[int, int | None] = (0, None)
    for number, here in _keys_written(text):
        if len(here) > best[0] and here == path[: len(here)]:
            best = (len(here), number)
    return best[1]


_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"


def _keys_written(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and full path of each table and key that stands on a line of its own; lists of tables count from 0."""
    table: list[str] = []
    last: dict[tuple[str, ...], int] = {}  # list of tables → number of its newest member
    inside = ""  # the quotes of a text that runs over several lines
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if line.count(inside) % 2 else inside
            continue
        if header := re.match(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]", line):
            table = []
            parts = _parts(header[2])
            for depth, part in enumerate(parts, start=1):
                table.append(part)
                if header[1] == "[[" and depth == len(parts):
                    last[tuple(table)] = last.get(tuple(table), -1) + 1
                if tuple(table) in last:
                    table.append(str(last[tuple(table)]))
            yield number, table
        elif key := re.match(rf"\s*({_DOTTED})\s*=", line):
            yield number, [*table, *_parts(key[1])]
        inside = next((quotes for quotes in ('"""', "'''") if line.count(quotes) % 2), "")


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_KEY, dotted)]
