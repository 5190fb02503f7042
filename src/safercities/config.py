"""What observatory.toml may say: the whole file as one immutable object."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from safercities.collect.spec import AuditsSpec, IncidentsSpec, PopulationSpec, SourceSpec, SurveySpec
from safercities.disclose.spec import AddressesSpec, KnownSpec, PublishSpec
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.spec import Spec, parse
from safercities.places.spec import GeographySpec

__all__ = [
    "FILE",
    "AboutSpec",
    "AddressesSpec",
    "KnownSpec",
    "MeasureSpec",
    "ObservatorySpec",
    "PublishSpec",
    "load",
    "write_template",
]

FILE = "observatory.toml"


class AboutSpec(Spec):
    """`[observatory]`: who this is."""

    name: str = Field(min_length=1, description="Name of the place, as people there write it.")
    place: str = Field(min_length=1, description="Code of the place: ISO 3166-2, LOCODE or your own, as CO-MDE.")
    level: str = Field(
        default="city", pattern=r"^[a-z][a-z0-9_]*$", description="Level of the place: city, country, region, …"
    )
    languages: list[str] = Field(
        default=["en"], min_length=1, description='Languages of the review, the main one first: ["es", "en"].'
    )
    synthetic: bool = Field(default=False, description="Whether the data are made up. Every page then says so.")


class MeasureSpec(Spec):
    """`[measure]`: which indicators, broken down by what."""

    indicators: list[str] = Field(
        default=[], description="Codes of the indicators; `safercities indicators` lists them."
    )
    by: list[list[str]] = Field(
        default=[], description='Breakdowns: [["sex"], ["place"], ["sex", "age"]]. Totals are always made.'
    )
    period: Literal["year", "quarter", "month", "week", "day"] = Field(
        default="year", description="Length of a period."
    )
    level: Annotated[float, Field(gt=0.5, lt=1)] = Field(default=0.95, description="Confidence level of the intervals.")
    standard: Literal["who", "segi"] | None = Field(
        default=None, description="Standard population for age-standardised rates beside the crude ones: who or segi."
    )
    smooth: bool = Field(default=False, description="Whether to add smoothed rates of small areas beside the raw ones.")

    @field_validator("by")
    @classmethod
    def _no_repeats(cls, by: list[list[str]]) -> list[list[str]]:
        for combination in by:
            if len(set(combination)) != len(combination):
                raise ValueError(f"{combination} names a breakdown twice")
        return by


class ObservatorySpec(Spec):
    """observatory.toml."""

    observatory: AboutSpec = Field(description="Who this is.")
    geographies: list[GeographySpec] = Field(default=[], description="Levels of places below the observatory's own.")
    sources: dict[str, SourceSpec] = Field(default={}, description="Raw inputs, by a name of your choice.")
    measure: MeasureSpec = Field(default=MeasureSpec(), description="Which indicators, broken down by what.")
    publish: PublishSpec = Field(default=PublishSpec(), description="The rules of disclosure control.")

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: dict[str, object]) -> dict[str, object]:
        for name in sources:
            if not name or len(name) > 60 or not all(c.isalnum() or c in "_-" for c in name):
                raise ValueError(
                    f"the name {name[:60]!r} of a source may hold up to 60 letters, digits, - and _ only: "
                    "files are named after it"
                )
            if re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", name):
                raise ValueError(f"no source can be called {name}: Windows keeps this name for a device")
        if len({name.casefold() for name in sources}) < len(sources):
            raise ValueError("two sources differ only in small and capital letters: files are named after them")
        return sources

    @model_validator(mode="after")
    def _levels(self) -> ObservatorySpec:
        seen: set[tuple[str, object]] = set()
        for geography in self.geographies:
            key = (geography.level, geography.valid_from)
            if key in seen:
                raise ValueError(
                    f"the level {geography.level} stands twice: give each its own name, or dates with valid_from"
                )
            if geography.level == self.observatory.level:
                raise ValueError(f"the level {geography.level} is the observatory's own")
            seen.add(key)
        return self

    @model_validator(mode="after")
    def _margins(self) -> ObservatorySpec:
        people = [name for name, spec in self.sources.items() if isinstance(spec, PopulationSpec)]
        for name, spec in self.sources.items():
            for margin in spec.margins if isinstance(spec, SurveySpec) else []:
                if margin.source is not None and margin.source not in people:
                    listed = f"choose one of {', '.join(people)}" if people else "there is none"
                    raise ValueError(
                        f"the margin {margin.name} of {name} takes its totals from {margin.source}, which is no source "
                        f'with kind = "population": {listed}'
                    )
        return self

    @model_validator(mode="after")
    def _published(self) -> ObservatorySpec:
        cases = [spec for spec in self.sources.values() if isinstance(spec, IncidentsSpec | SurveySpec | AuditsSpec)]
        sources = {name for spec in cases for name in spec.dimensions}
        if wrong := self.publish.unknown_names(sources, [geography.level for geography in self.geographies]):
            raise ValueError("[publish]: " + "; ".join(wrong))
        for known in self.publish.known:
            if known.source is not None and known.source not in self.sources:
                raise ValueError(f"[[publish.known]]: there is no source {known.source}")
        return self


def load(folder: Path) -> ObservatorySpec:
    """Read and validate `folder/observatory.toml`.

    Raises
    ------
    UsageError
        If there is no such folder or file.
    SafercitiesError
        If it is not valid TOML, or a key is unknown, missing or wrong; names the line.
    """
    path = folder / FILE
    if not folder.is_dir():
        raise UsageError(problem("observatory-no-folder", file=str(folder)))
    if not path.is_file():
        raise UsageError(problem("observatory-no-toml", file=str(folder)))
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text)
    except OSError as error:
        message = error.strerror or str(error)
        raise SafercitiesError(problem("file-unreadable", file=FILE, message=message)) from None
    except UnicodeDecodeError:
        raise SafercitiesError(problem("toml-broken", file=FILE, message="it is not UTF-8 text")) from None
    except tomllib.TOMLDecodeError as error:
        raise SafercitiesError(problem("toml-broken", file=FILE, row=_line(error), message=str(error))) from None
    except RecursionError:
        raise SafercitiesError(problem("toml-broken", file=FILE, message="it is nested too deeply")) from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise SafercitiesError(problem("toml-broken", file=FILE, message="a number has too many digits")) from None
    return parse(ObservatorySpec, data, file=FILE, text=text)


def _line(error: tomllib.TOMLDecodeError) -> int | None:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else None


def write_template(folder: Path) -> Path:
    """Write a commented `observatory.toml` into a new or existing folder; returns its path.

    Raises
    ------
    UsageError
        If the folder holds one already, or is no folder.
    """
    path = folder / FILE
    if path.exists():
        raise UsageError(problem("observatory-exists", file=str(path)))
    if folder.exists() and not folder.is_dir():
        raise UsageError(problem("observatory-no-folder", file=str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    text = files("safercities").joinpath("template.toml").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    return path
