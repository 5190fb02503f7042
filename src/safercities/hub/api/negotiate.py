"""Chooses the format of an answer by what the client accepts (RFC 9110, 12.5.1), or by `?format=`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from safercities.hub.api.problems import ApiProblem, wrong


@dataclass(frozen=True)
class MediaType:
    """A media type with its parameters, and how much it is wanted.

    Examples
    --------
    >>> read_accept("text/csv;header=present;q=0.5, */*;q=0.1")[0].name
    'text/csv'
    """

    name: str
    parameters: Mapping[str, str]
    quality: float = 1.0

    def fits(self, offered: MediaType) -> int:
        """How exactly it names what is offered: 0 not at all, more is more exact."""
        kind, _, sub = self.name.partition("/")
        if self.name == "*/*":
            return 1
        if sub == "*":
            return 2 if offered.name.partition("/")[0] == kind else 0
        if self.name != offered.name:
            return 0
        told = {key: value for key, value in self.parameters.items() if key in _TOLD}
        mine = dict(offered.parameters)
        if any(_version(value) != _version(mine.get(key, "")) for key, value in told.items()):
            return 0
        return 3 + len(told)


#: Parameters that tell formats of one name apart; others, as charset, do not.
_TOLD = frozenset({"version"})
_MOST = 50


def _version(text: str) -> str:
    """`2.1` and `2.1.0` are the same."""
    return text.removesuffix(".0") if text.count(".") > 1 else text


@lru_cache(maxsize=256)
def parse(text: str) -> MediaType:
    """A media type as a header writes it."""
    name, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest)
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    return MediaType(
        name.lower(), {key: value for key, value in parameters.items() if key != "q"}, _quality(parameters)
    )


def _quality(parameters: Mapping[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0


def read_accept(header: str) -> list[MediaType]:
    """What a client accepts; a header that is not there accepts all."""
    return [parse(part) for part in (header or "*/*").split(",")[:_MOST] if part.strip()]


def choose(offers: Mapping[str, str], accept: str, format: str | None = None) -> str:
    """Name of the format that is wanted most; of equals, the one that is offered first.

    Parameters
    ----------
    offers
        Name → media type.
    accept
        The header.
    format
        A name that was asked for: it counts more than the header.

    Raises
    ------
    ApiProblem
        If the name is unknown, or nothing that is offered is accepted.

    Examples
    --------
    >>> choose({"csv": "text/csv", "json": "application/json"}, "application/*, text/csv;q=0.9")
    'json'
    >>> choose({"csv": "text/csv", "json": "application/json"}, "*/*")
    'csv'
    """
    if format is not None:
        if format not in offers:
            raise wrong("format", f"choose among: {', '.join(offers)}")
        return format
    wanted = read_accept(accept)
    qualities = {name: _quality_of(parse(media), wanted) for name, media in offers.items()}
    best = max(offers, key=lambda name: qualities[name])
    if qualities[best] <= 0:
        raise ApiProblem("not-acceptable", f"offered are: {', '.join(offers.values())}")
    return best


def _quality_of(offered: MediaType, wanted: Sequence[MediaType]) -> float:
    """The quality that the most exact range says."""
    fits = [(one.fits(offered), one.quality) for one in wanted]
    exact, quality = max(fits, key=lambda pair: pair[0], default=(0, 0.0))
    return quality if exact else 0.0
