"""The targets of the Sustainable Development Goals, so that a link to one that does not exist is refused."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from string import ascii_lowercase


@cache
def targets() -> frozenset[str]:
    """All 169 targets: 1.1, …, 16.10, 16.a, …"""
    text = files(__package__).joinpath("goals.toml").read_text(encoding="utf-8")
    found: set[str] = set()
    for goal, (numbers, letter) in tomllib.loads(text).items():
        ends = [*range(1, numbers + 1), *ascii_lowercase[: ascii_lowercase.find(letter) + 1 if letter else 0]]
        found.update(f"{goal}.{end}" for end in ends)
    return frozenset(found)


def is_target(code: str) -> bool:
    """Whether there is such a target.

    Examples
    --------
    >>> is_target("16.1"), is_target("16.b"), is_target("16.11"), len(targets())
    (True, True, False, 169)
    """
    return code in targets()
