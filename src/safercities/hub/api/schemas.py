"""What the API takes and gives, for its OpenAPI document."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from ninja import Field, Path, Schema
from pydantic import ConfigDict, StringConstraints

from safercities.hub.api.queries import MOST_ROWS, ORDER, USUAL_ROWS

#: Without a slash, so that it is one part of an address.
_PART = r"^[^/\x00-\x1f]+$"
Slug = Annotated[str, Path(description="Name of the observatory in addresses.", pattern=r"^[a-z0-9-]{1,60}$")]
Code = Annotated[str, Path(description="Code of the indicator, as `sdg.16.1.1`.", pattern=_PART, max_length=200)]
PlaceId = Annotated[str, Path(description="Id of the place.", min_length=1, max_length=200)]
Number = Annotated[int, Path(description="Number of the release.", ge=1, le=1_000_000)]
FileName = Annotated[
    Literal[
        "README.md",
        "data.csv",
        "estimates.parquet",
        "keys.json",
        "manifest.json",
        "manifest.sig",
        "structure.xml",
        "tables.xlsx",
    ],
    Path(description="File of the release."),
]
WebhookId = Annotated[int, Path(description="Id of the webhook.", ge=1, le=2**53)]
Text = Annotated[str, StringConstraints(max_length=500)]
OrderBy = Annotated[str, StringConstraints(pattern=f"^-?({'|'.join(ORDER)})$")]


def _many(what: str) -> Any:
    return Field(default=[], description=what, max_length=100)


class Filters(Schema):
    """Which rows. Each may be given several times; a code that is nowhere fits none."""

    indicator: list[Text] = _many("Codes of indicators.")
    place: list[Text] = _many("Ids of places.")
    level: list[Text] = _many("Levels of places, as `neighbourhood`.")
    period: list[Text] = _many("Periods, as `2024`, `2024-Q1`, `2024-03` or `2024-03-15/2025-03-14`.")
    unit: list[Text] = _many("Units; empty: rows without one.")
    method: list[Text] = _many("Methods; empty: rows without one.")
    source: list[Text] = _many("Sources.")
    version: list[Text] = _many("Versions of the indicators' definitions.")
    total: Literal["true", "false"] = Field(
        default="false", description="`true`: breakdowns that are not named by `dim.<name>` must be the total."
    )


class ChoicesQuery(Filters):
    """Filters."""


class EstimatesQuery(Filters):
    """Filters, and how the rows are given."""

    order: list[OrderBy] = _many(
        "Columns to order by; with `-`, falling. Needs an indicator; not with a cursor, and JSON has no page after. "
        f"Of more than {MOST_ROWS:,} rows, give a limit."
    )
    columns: list[Text] = _many(
        "Columns of the answer, as `place,period,value`; also several times. Default: all. With fewer, answers are "
        "smaller and come sooner. SDMX-CSV has all of its own."
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=MOST_ROWS,
        description=f"Most rows. JSON: {USUAL_ROWS:,} where it is not given; files: then all rows that fit.",
        json_schema_extra={"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
    )
    cursor: str | None = Field(
        default=None,
        description="The page after this mark, taken from the page before.",
        json_schema_extra={"type": "string"},
    )
    format: Literal["json", "csv", "sdmx-csv", "arrow", "parquet"] | None = Field(
        default=None,
        description="Counts more than the header Accept.",
        json_schema_extra={"type": "string", "enum": ["json", "csv", "sdmx-csv", "arrow", "parquet"]},
    )


class PlacesQuery(Schema):
    """Which places."""

    level: list[Text] = _many("Levels.")
    parent: Text | None = Field(
        default=None, description="Those that lie right in this place.", json_schema_extra={"type": "string"}
    )
    limit: int = Field(default=USUAL_ROWS, ge=1, le=MOST_ROWS, description="Most places.")
    after: Text | None = Field(
        default=None, description="Places after this id, in the order of ids.", json_schema_extra={"type": "string"}
    )


class Estimates(Schema):
    """A page of estimates."""

    observatory: str
    version: str = Field(description="Of the figures: id of the newest release.")
    synthetic: bool = Field(description="Whether the data were made up.")
    total: int = Field(description="How many rows fit, on all pages.")
    next: str | None = Field(description="Address of the next page.")
    rows: list[dict[str, Any]] = Field(
        description="indicator, version, place, period, one column a breakdown (`_T`: total), value, se, lower, upper, "
        "level, n, n_positive, denominator, deff, df, unit, method, obs_status, conf_status (N: withheld), quality, "
        "scheme, verdict, coverage, source, note, release."
    )


class Choice(Schema):
    """A code that leaves rows."""

    code: str | None
    rows: int
    shown: int = Field(description="Rows with a value.")


class Choices(Schema):
    """What can be chosen."""

    version: str
    rows: int
    filters: dict[str, list[Choice]]
    dimensions: dict[str, list[Choice]]


class Observatory(Schema):
    """An observatory."""

    slug: str
    name: str
    place: str
    public: bool
    synthetic: bool | None = Field(description="Whether the data were made up; null before the first release.")
    languages: list[str]
    version: str | None = Field(description="Of the figures; null before the first release.")
    rows: int | None = Field(description="Null while the figures are made anew.")
    releases: int | None = Field(description="Null while the figures are made anew.")


class Observatories(Schema):
    """All that the token may read, in the order of their names in addresses."""

    observatories: list[Observatory]


class Indicator(Schema):
    """An indicator, in short."""

    code: str
    labels: dict[str, str]
    units: list[str | None]
    levels: list[str]
    periods: list[str]
    rows: int
    withheld: int


class Indicators(Schema):
    """All that have been published."""

    version: str
    indicators: list[Indicator]


class IndicatorDetails(Schema):
    """All that is told of an indicator."""

    model_config = ConfigDict(extra="allow")
    code: str
    labels: dict[str, str]
    definitions: list[dict[str, Any]]
    kind: str
    direction: str
    links: dict[str, Any]
    units: list[str | None]
    methods: list[str | None]
    periods: list[str]
    levels: list[str]
    dimensions: dict[str, list[str]]
    sources: list[str]
    headlines: list[dict[str, Any]]
    rows: int
    withheld: int
    version: str = Field(description="Of the figures.")


class Place(Schema):
    """A place."""

    id: str
    name: str
    level: str
    parent: str | None
    aliases: dict[str, str]
    valid_from: date | None
    valid_to: date | None
    rows: int


class Places(Schema):
    """Places by id."""

    version: str
    total: int
    next: str | None = Field(description="Address of the next page.")
    places: list[Place]


class PlaceDetails(Place):
    """A place, and those that lie right in it."""

    version: str
    children: list[str]


class Periods(Schema):
    """All periods that have rows."""

    version: str
    periods: list[str]


class Release(Schema):
    """A release of the chain."""

    number: int
    identity: str = Field(description="SHA-256 of its manifest.")
    period: str
    published: date
    supersedes: str | None = Field(description="The release that it corrects.")
    reason: str
    in_force: bool


class Releases(Schema):
    """The chain, newest first."""

    releases: list[Release]


class ReleaseFile(Schema):
    """A file of a release."""

    name: str
    bytes: int
    sha256: str | None
    url: str


class ReleaseDetails(Release):
    """A release and its files."""

    files: list[ReleaseFile]


class Received(Schema):
    """What became of a release that was handed in."""

    number: int
    identity: str
    created: bool = Field(description="False: it was here already.")
    job: str | None = Field(description="Id of the job that puts it on the pages.")


Address = Annotated[
    str, StringConstraints(max_length=500, pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[!-~]*)?$")
]


class WebhookIn(Schema):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid")
    url: Address = Field(description="Where to; https only.")
    events: list[Literal["release.published", "release.superseded"]] = Field(min_length=1, max_length=2)


class Webhook(Schema):
    """A webhook."""

    id: int
    url: str
    events: list[str]
    active: bool


class NewWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str


class Webhooks(Schema):
    """All of the observatory."""

    webhooks: list[Webhook]


class WrongParameter(Schema):
    """A parameter that is wrong."""

    parameter: str
    message: str


class Reason(Schema):
    """Why a release does not hold."""

    code: str
    what: str
    todo: str


class Problem(Schema):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stays the same in all versions.")
    detail: str = ""
    errors: list[WrongParameter] = Field(default=[])
    reasons: list[Reason] = Field(default=[])
