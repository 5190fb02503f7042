"""What ties indicators of one survey to each other: whose respondents or cases are surely among those of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from safercities.indicators.numerators import Answers
from safercities.indicators.spec import Version

#: Cases, respondents who are none, respondents.
Of = Literal["x", "y", "n"]
_ALL: tuple[Of, ...] = ("x", "y", "n")


class State(NamedTuple):
    """What somebody answered: to all of some questions, or to one of them at least, yes or no."""

    every: bool
    yes: bool
    roles: frozenset[str]

    def implies(self, other: State) -> bool:
        """Whether whoever answered like this answered like that as well.

        Examples
        --------
        >>> hit, robbed = frozenset(["hit"]), frozenset(["hit", "robbed"])
        >>> State(False, True, hit).implies(State(False, True, robbed))
        True
        >>> State(False, True, robbed).implies(State(False, True, hit)), State(True, True, robbed).implies(
        ...     State(False, True, hit)
        ... )
        (False, True)
        """
        if self.yes != other.yes:
            return False
        if self.every or len(self.roles) == 1:
            return self.roles >= other.roles if other.every else bool(self.roles & other.roles)
        return self.roles <= other.roles if not other.every else False


def included(one: Version, other: Version) -> Iterator[tuple[Of, Of]]:
    """Pairs (a, b): whoever is in `a` of the one indicator is surely in `b` of the other.

    Only proportions of answers that are yes or no are looked at. What is missing in an answer is never taken for one.

    Examples
    --------
    >>> from safercities.indicators.catalogue import indicator
    >>> robbed, told = (indicator(f"surveyed.robbery{end}").on() for end in ("", ".reported"))
    >>> list(included(told, robbed))
    [('x', 'x'), ('x', 'n'), ('y', 'x'), ('y', 'n'), ('n', 'x'), ('n', 'n')]
    >>> list(included(robbed, told))
    []
    """
    if _is_share(one) and _is_share(other):
        for of in _ALL:
            known = _known(one, of)
            yield from ((of, into) for into in _ALL if _surely(known, other, into))


def tied(versions: Sequence[Version | None]) -> list[tuple[int, Of, int, Of]]:
    """All pairs of a list: (i, a, j, b) where `a` of the one at i lies in `b` of that at j, less what follows."""
    found = []
    for i, one in enumerate(versions):
        for j, other in enumerate(versions):
            if i == j or one is None or other is None:
                continue
            pairs = set(included(one, other))
            if ("n", "x") in pairs or ("n", "y") in pairs:  # then x and y are parts of what is held
                pairs = {pair for pair in pairs if pair[0] == "n"}
            pairs -= {(a, "n") for a, b in pairs if b != "n"}
            pairs -= {(a, "n") for a in _ALL[:2] if ("n", "n") in pairs}
            pairs -= {("n", "n")} if {("x", "x"), ("y", "y")} <= pairs else set()
            found += [(i, a, j, b) for a, b in sorted(pairs)]
    return found


def everybody(version: Version | None) -> bool:
    """Whether the indicator is about all respondents, whose number is seldom a secret; taken for granted if unknown."""
    return version is None or version.denominator == "respondents"


def _is_share(version: Version) -> bool:
    numerator, below = version.numerator, version.denominator
    if not isinstance(numerator, Answers) or numerator.how == "mean":
        return False
    return below == "respondents" or (isinstance(below, Answers) and below.how != "mean")


def _answer(answers: Answers, *, yes: bool) -> State:
    """What it means to be a case, or to be none, in answers to its questions."""
    roles, some = frozenset(answers.roles), answers.how == "any"
    if answers.how == "none":
        return State(yes, not yes, roles)
    return State(some != yes, yes, roles)


def _base(version: Version) -> list[State]:
    below = version.denominator
    return [_answer(below, yes=True)] if isinstance(below, Answers) else []


def _known(version: Version, of: Of) -> list[State]:
    """What somebody surely answered who is counted there."""
    assert isinstance(version.numerator, Answers)  # noqa: S101 - `_is_share` looked
    if of == "n" or (of == "y" and version.missing == "no"):
        return _base(version)
    return [_answer(version.numerator, yes=of == "x"), *_base(version)]


def _surely(known: Sequence[State], version: Version, of: Of) -> bool:
    """Whether somebody who surely answered this is counted there."""
    assert isinstance(version.numerator, Answers)  # noqa: S101 - `_is_share` looked

    def holds(state: State) -> bool:
        return any(one.implies(state) for one in known)

    if not all(map(holds, _base(version))):
        return False
    yes, no = (holds(_answer(version.numerator, yes=which)) for which in (True, False))
    if of == "n":
        return yes or no or (version.missing == "no" and version.denominator == "respondents")
    return yes if of == "x" else no
