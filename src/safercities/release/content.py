"""What a release says, before it is written: protected estimates, and everything that is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from safercities.indicators.spec import Indicator
from safercities.model.estimates import Estimates
from safercities.model.places import Place

#: What an estimate that is not for publication (`conf_status` N) must not have: its value, and all that depends on it.
SECRET = ("value", "se", "lower", "upper", "n", "n_positive", "deff", "df", "coverage", "verdict")


@dataclass(frozen=True)
class Series:
    """A source as the public may know it: never the raw file's name or hash (a small file can be guessed from a hash).

    Parameters
    ----------
    name
        As the column `source` of the estimates says it.
    label
        Its name for people.
    kind
        `incidents`, `survey`, `audits`, …
    unit
        What a row of it counts: victims, incidents, offences; None where it counts nothing.
    covers
        The days it speaks of, as an ISO 8601 period; None where it is not known.
    population
        Whom a survey asked, in words.
    """

    name: str
    label: str
    kind: str
    unit: str | None
    covers: str | None
    population: str = ""


@dataclass(frozen=True)
class Content:
    """Everything of one release. The same content gives the same bytes.

    Parameters
    ----------
    name
        Of the observatory.
    place
        What it is the observatory of.
    languages
        In which people read it, the first one first.
    synthetic
        Whether the data were made up, for a demonstration.
    period
        What the folder is called after: the latest period in it.
    estimates
        Protected. `conf_status` is F (published) or N (not for publication) in every row. Rows with N have nothing
        of `SECRET`.
    indicators
        Code → definition, of every indicator in the estimates.
    places
        Every place in the estimates, and the places that they lie in.
    dimensions
        Name → (code, label) of each code that the estimates use, `_T` included.
    series
        The sources that the estimates come from.
    rules
        How it was protected, as plain JSON: method, minimum counts, width, tables, version of the attacker's model.
    denominators
        (place, period, people): of the observatory's own place, where known.
    published
        Day of publication: an input, not a clock.
    version
        Of safercities.
    supersedes, reason
        Id of the earlier release that this one corrects, and why; both or neither.
    """

    name: str
    place: Place
    languages: tuple[str, ...]
    synthetic: bool
    period: str
    estimates: Estimates
    indicators: Mapping[str, Indicator]
    places: tuple[Place, ...]
    dimensions: Mapping[str, tuple[tuple[str, str], ...]]
    series: tuple[Series, ...]
    rules: Mapping[str, object]
    denominators: tuple[tuple[str, str, float], ...]
    published: date
    version: str
    supersedes: str | None = None
    reason: str | None = None
