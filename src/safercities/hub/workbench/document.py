"""Changes to an observatory.toml: comments and unknown keys stay, nothing wrong is written, nobody's change is lost."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safercities import config, files
from safercities.model.errors import SafercitiesError, problem
from safercities.model.spec import parse

Plain = dict[str, Any]


class ChangedMeanwhileError(Exception):
    """Somebody else wrote the file after it was shown."""


@dataclass(frozen=True)
class Document:
    """The text of an observatory.toml, and what it says. Changes give a new one; `save` writes it."""

    folder: Path
    text: str

    @classmethod
    def read(cls, folder: Path) -> Document:
        """The file as it stands.

        Raises
        ------
        SafercitiesError
            If it cannot be read.
        """
        try:
            return cls(folder, (folder / config.FILE).read_bytes().decode("utf-8-sig"))
        except OSError as error:
            message = error.strerror or type(error).__name__
            raise SafercitiesError(problem("file-unreadable", file=config.FILE, message=message)) from None
        except UnicodeDecodeError:
            raise SafercitiesError(problem("toml-broken", file=config.FILE, message="it is not UTF-8 text")) from None

    @property
    def version(self) -> str:
        """Fingerprint of the text: forms carry it, so that no change of somebody else is overwritten."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def data(self) -> Plain:
        """What it says.

        Raises
        ------
        SafercitiesError
            If it is no TOML.
        """
        try:
            return tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise SafercitiesError(problem("toml-broken", file=config.FILE, message=str(error)[:200])) from None

    @property
    def spec(self) -> config.ObservatorySpec:
        """What it says, checked.

        Raises
        ------
        SafercitiesError
            If a key is unknown, missing or wrong.
        """
        return parse(config.ObservatorySpec, self.data, file=config.FILE, text=self.text)

    # -- changes ---------------------------------------------------------------------------------------------------

    def with_source(self, name: str, wanted: Plain | None) -> Document:
        """With a source as wanted; None: without it."""
        return self._with(("sources", name), wanted)

    def with_table(self, name: str, wanted: Plain) -> Document:
        """With a table (`observatory`, `measure`, `publish`) as wanted."""
        return self._with((name,), wanted)

    def with_geography(self, index: int, wanted: Plain | None) -> Document:
        """With the geography of this number (from 0; the next one is new) as wanted; None: without it."""
        expected = self.data
        listed = expected.setdefault("geographies", [])
        if wanted is None:
            del listed[index]
        else:
            listed[index : index + 1] = [wanted]
        if not listed:
            del expected["geographies"]
        return self._proved(expected, lambda doc: _put_listed(doc, index, wanted))

    def _with(self, path: tuple[str, ...], wanted: Plain | None) -> Document:
        """A table at a path: changed where it stands, or added at the end, where it parts no comment from its table."""
        expected = self.data
        above = expected
        for part in path[:-1]:
            above = above.setdefault(part, {})
        there = path[-1] in above
        if wanted is None:
            above.pop(path[-1], None)
        else:
            above[path[-1]] = wanted
        if not there and wanted:
            return self._added(expected, path, wanted)
        return self._proved(expected, lambda doc: _put_table(doc, path, wanted))

    def _added(self, expected: Plain, path: tuple[str, ...], wanted: Plain) -> Document:
        import tomlkit

        made: Any = _table(wanted)
        for part in reversed(path):
            outer = tomlkit.table(is_super_table=True) if made is not None else None
            assert outer is not None  # noqa: S101 - a table is always made
            outer[part] = made
            made = outer
        text = self.text.rstrip() + "\n\n" + tomlkit.dumps(made).lstrip("\n")
        return _checked(replace(self, text=text), expected)

    def _proved(self, expected: Plain, change: Callable[[Any], None]) -> Document:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            doc = tomlkit.parse(self.text)
            change(doc)
            return _checked(replace(self, text=tomlkit.dumps(doc)), expected)
        except (TOMLKitError, KeyError, TypeError, IndexError, AttributeError):
            raise _by_hand() from None

    # -- save ------------------------------------------------------------------------------------------------------

    def save(self, version: str) -> None:
        """Write it, whole or not at all.

        Parameters
        ----------
        version
            That of the document which was changed.

        Raises
        ------
        ChangedMeanwhileError
            If the file is another one by now.
        SafercitiesError
            If it does not say what an observatory.toml may say, or another one is writing.
        """
        _ = self.spec
        path = self.folder / config.FILE
        with files.locked(path):
            if Document.read(self.folder).version != version:
                raise ChangedMeanwhileError
            mode = path.stat().st_mode & 0o777
            files.write_private(path, self.text.encode())
            path.chmod(mode)


def _checked(document: Document, expected: Plain) -> Document:
    """The document, if its text says exactly what it should: tables may be written in ways that no editor foresees."""
    if not same(_without_empty(document.data), _without_empty(expected)):
        raise _by_hand()
    return document


def _without_empty(data: Plain) -> Plain:
    """Without the table of sources where none is in it: with the last one goes its heading."""
    return {key: value for key, value in data.items() if key != "sources" or value}


def _by_hand() -> SafercitiesError:
    message = "its tables are written in a way that cannot be changed here: change it with a text editor"
    return SafercitiesError(problem("toml-broken", file=config.FILE, message=message))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in TOML, where 1, 1.0 and true are three things.

    Examples
    --------
    >>> same({"a": [1]}, {"a": [1]}), same(1, True), same(1, 1.0)
    (True, False, False)
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _put_table(doc: Any, path: tuple[str, ...], wanted: Plain | None) -> None:
    above = doc
    for part in path[:-1]:
        above = above[part]
    if wanted is None:
        del above[path[-1]]
    else:
        _put(above[path[-1]], wanted)


def _put_listed(doc: Any, index: int, wanted: Plain | None) -> None:
    import tomlkit

    if "geographies" not in doc:
        doc["geographies"] = tomlkit.aot()
    listed = doc["geographies"]
    if wanted is None:
        del listed[index]
        if not len(listed):
            del doc["geographies"]
    elif index < len(listed):
        _put(listed[index], wanted)
    else:
        listed.append(_table(wanted))


def _put(container: Any, wanted: Plain) -> None:
    """Change what differs and nothing else: what stays keeps its comment and its writing."""
    for key in [key for key in container if key not in wanted]:
        del container[key]
    for key, value in wanted.items():
        there = container.get(key)
        if there is not None and same(there.unwrap() if hasattr(there, "unwrap") else there, value):
            continue
        if isinstance(value, dict) and isinstance(there, Mapping):
            _put(there, value)
        elif there is None:
            _add(container, key, _item(value))
        else:
            container[key] = _item(value)


def _add(container: Any, key: str, item: Any) -> None:
    """A new key after the last one: at the end of a table stand comments that belong to what follows."""
    from tomlkit.items import AoT, Table

    plain = [name for name in container if not isinstance(container[name], Table | AoT)]
    if isinstance(container, Table) and plain:
        container.value._insert_after(plain[-1], key, item)  # tomlkit has no other way; the outcome is proved
    else:
        container[key] = item


def _table(wanted: Plain) -> Any:
    """A new table: its tables of tables each with a heading, what is inside those on one line."""
    import tomlkit

    table = tomlkit.table()
    later: Plain = {}
    for key, value in wanted.items():
        if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
            later[key] = value
        else:
            table[key] = _item(value)
    for key, value in later.items():
        inner = tomlkit.table()
        for name, one in value.items():
            inner[name] = _item(one)
        table[key] = inner
    return table


def _item(value: Any) -> Any:
    import tomlkit

    if isinstance(value, dict):
        line = tomlkit.inline_table()
        for key, one in value.items():
            line[key] = _item(one)
        return line
    if isinstance(value, list):
        array = tomlkit.array()
        for one in value:
            array.append(_item(one))
        return array
    return tomlkit.item(value)
