"""The base of every declarative file: unknown keys are refused, and each mistake becomes a problem with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from safercities.model.errors import Problem, SafercitiesError, problem

S = TypeVar("S", bound="Spec")


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
        raise SafercitiesError(list(_problems(error, spec, file, text))) from None


def _problems(error: ValidationError, spec: type[Spec], file: str, text: str) -> Iterator[Problem]:
    for item in error.errors(include_url=False):
        # a tagged union adds the tag to the location: it is not a key that the user wrote
        path = [part for part in item["loc"] if not str(part).startswith("tag:")]
        key = ".".join(str(part) for part in path)
        row = line_of(text, [str(part) for part in path])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(path[-1]), _keys_at(spec, path[:-1]), n=1)
            hint = f"did you mean {near[0]}" if near else "see the reference of this file for the keys that it takes"
            yield problem("key-unknown", file=file, row=row, column=key, hint=hint)
        elif item["type"] == "missing":
            yield problem("key-missing", file=file, row=row, column=key)
        else:
            message = re.sub(r"^(Value error|Assertion failed), ", "", item["msg"])
            given = item.get("input")
            shown = repr(given) if isinstance(given, str | int | float | bool) else type(given).__name__
            yield problem("key-wrong", file=file, row=row, column=key, message=message, given=shown)


def _keys_at(spec: type[Spec], path: list[Any]) -> list[str]:
    """Keys of the spec at `path`; all keys below `spec` where the path crosses a list, map or union."""
    del path
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
    if not text:
        return None
    table: list[str] = []
    arrays: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        header = re.match(r"^\[(\[?)\s*([^\]]+?)\s*\]", stripped)
        if header:
            names = [part.strip().strip("\"'") for part in header[2].split(".")]
            if header[1]:
                index = arrays.get(header[2], -1) + 1
                arrays[header[2]] = index
                names.append(str(index))
            table = names
            here = table
        else:
            key = re.match(r"^([A-Za-z0-9_\-\".' ]+?)\s*=", stripped)
            if not key:
                continue
            here = table + [part.strip().strip("\"'") for part in key[1].split(".")]
        if here == path[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None
