"""What a review is about: everything that it shows, as one immutable object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from safercities.model.errors import Problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place

if TYPE_CHECKING:
    from safercities.collect.records import DimensionInfo
    from safercities.indicators.spec import Indicator
    from safercities.model.periods import Period
    from safercities.places.geographies import Geography
    from safercities.places.hierarchy import Hierarchy
    from safercities.review.released import Released
    from safercities.sampling.contrasts import Contrast


@dataclass(frozen=True)
class SourceSummary:
    """What was read of one source, what was kept, what was left out.

    Parameters
    ----------
    located
        Level → counts of records: placed, no_coordinates, outside, unknown_code.
    population
        Of a survey: whom it speaks for.
    """

    name: str
    label: str
    kind: str
    file: str
    sha256: str
    rows_read: int
    rows_kept: int
    rows_rejected: int
    unit: str | None = None
    covers: Period | str | None = None
    located: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    population: str = ""


@dataclass(frozen=True)
class ReviewData:
    """Everything that a review shows. The same data give the same bytes.

    Parameters
    ----------
    period
        The latest complete period of the records (without records: of anything), ISO 8601.
    estimates
        All of them: places, periods, breakdowns, sources. Counts and rates are rows of their own.
    dimensions
        Name → labels and order of the codes of a breakdown.
    contrasts
        Indicator → differences between groups that a survey shows, in the wave that stands for the period.
    changes
        Indicator → that wave against the one before.
    named
        Columns that the settings name (`model.errors.named_in`): a problem tells no other one of a data file.
    languages
        The first one's page is review.html.
    made_on
        Date shown in the page; None = leave it out.
    released
        The releases that everything on the page comes from; None where it was measured just now.
    """

    title: str
    place: Place
    period: str
    estimates: Estimates
    indicators: Mapping[str, Indicator]
    hierarchy: Hierarchy
    geographies: Sequence[Geography] = ()
    sources: Sequence[SourceSummary] = ()
    problems: Sequence[Problem] = ()
    dimensions: Mapping[str, DimensionInfo] = field(default_factory=dict)
    contrasts: Mapping[str, Sequence[Contrast]] = field(default_factory=dict)
    changes: Mapping[str, Sequence[Contrast]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    languages: Sequence[str] = ("en",)
    synthetic: bool = False
    made_on: str | None = None
    version: str = ""
    released: Released | None = None

    @property
    def private(self) -> bool:
        """Whether a number on the page has not passed disclosure control (`conf_status` is not set)."""
        return bool(self.estimates.table.column("conf_status").null_count)
