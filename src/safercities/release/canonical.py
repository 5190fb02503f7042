"""Canonical JSON: one meaning has one form in bytes, so that it can be signed; and reading it when it is hostile."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from safercities.model.errors import SafercitiesError, problem

#: How deep lists and objects may lie in each other.
MAX_DEPTH = 16
#: Whole numbers that every reader of JSON holds exactly (RFC 8259, section 6).
MAX_NUMBER = 2**53
_MAX_DIGITS = 32


def dumps(value: object) -> bytes:
    """The value as canonical JSON: UTF-8, keys sorted, no spaces, numbers that are whole without a point.

    Raises
    ------
    SafercitiesError
        If it holds what JSON or this format cannot say: NaN, huge numbers, half characters, other kinds of objects.

    Examples
    --------
    >>> dumps({"b": 2.0, "a": [True, None, "ñ"]}).decode()
    '{"a":[true,null,"ñ"],"b":2}'
    """
    plain = _plain(value, MAX_DEPTH)
    try:
        return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise _unfit("half of a character") from None


def _plain(value: object, depth: int) -> Any:
    if depth < 0:
        raise _unfit(f"more than {MAX_DEPTH} levels")
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _unfit("a key that is no text")
        return {key: _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner, depth - 1) for inner in value]
    raise _unfit(f"a {type(value).__name__}")


def _number(value: int | float) -> int | float:
    if abs(value) > MAX_NUMBER or not math.isfinite(value):
        raise _unfit("a number that is not finite or too large")
    whole = int(value)
    return whole if whole == value else float(value)


def _unfit(what: str) -> SafercitiesError:
    return SafercitiesError(problem("json-unfit", what=what))


def loads(data: bytes, *, file: str, limit: int) -> Any:
    """Read canonical JSON; any other form of the same value is refused, so that nothing hides in the difference.

    Parameters
    ----------
    file
        Name shown in problems.
    limit
        Bytes that it may have.

    Raises
    ------
    SafercitiesError
        If it is too long, too deep, no JSON, has numbers beyond `MAX_NUMBER`, a key twice, or is not canonical.

    Examples
    --------
    >>> loads(b'{"a":1}', file="x", limit=100)
    {'a': 1}
    >>> loads(b'{"a":1,"a":1}', file="x", limit=100)
    Traceback (most recent call last):
    ...
    safercities.model.errors.SafercitiesError: x: this is not the JSON that safercities writes: a key stands twice...
    """
    if len(data) > limit:
        raise SafercitiesError(problem("release-large", file=file, limit=f"{limit:,} bytes"))
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_int=_short_int,
            parse_float=_short_float,
            parse_constant=_no_constant,
        )
        same = dumps(value) == data
    except SafercitiesError as error:
        raise _broken(file, str(error.problems[0].what)) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or nested without end
        message = "it is nested without end" if isinstance(error, RecursionError) else str(error)
        raise _broken(file, message) from None
    if not same:
        raise _broken(file, "the same content has another form")
    return value


def _broken(file: str, message: str) -> SafercitiesError:
    return SafercitiesError(problem("json-broken", file=file, message=message))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _short_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _short_float(text: str) -> float:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return float(text)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
