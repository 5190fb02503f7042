"""What an observatory has: its records and its places, each input read once, when first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safercities import config
from safercities.collect.spec import AuditsSpec, PopulationSpec, ReleaseSpec, SurveySpec
from safercities.model.errors import UsageError, problem
from safercities.model.places import Place

if TYPE_CHECKING:
    from safercities.collect.records import Collected
    from safercities.places.geographies import Geography
    from safercities.places.hierarchy import Hierarchy
    from safercities.places.locate import Located
    from safercities.places.overlaps import Overlaps
    from safercities.places.population import Population


class Inputs:
    """Records and places of an observatory's folder.

    Parameters
    ----------
    folder
        Where `observatory.toml` and the raw inputs are.
    spec
        The content of `observatory.toml`.
    """

    def __init__(self, folder: Path, spec: config.ObservatorySpec) -> None:
        self.folder = folder
        self.spec = spec

    @property
    def place(self) -> Place:
        """The observatory's own place."""
        about = self.spec.observatory
        return Place(about.place, about.name, about.level)

    # -- collect ---------------------------------------------------------------------------------------------------

    def collect(self, name: str) -> Collected:
        """Read one source into records.

        Raises
        ------
        SafercitiesError
            If the file as a whole cannot be used.
        UsageError
            If no source has that name, or it holds another observatory's releases: see `federation`.
        """
        if name not in self.spec.sources:
            raise UsageError(problem("source-unknown", source=name, known=", ".join(self.spec.sources) or "none"))
        if name not in self._collected:
            self._collected[name] = self._collect(name)
        return self._collected[name]

    @cached_property
    def _collected(self) -> dict[str, Collected]:
        return {}

    def _collect(self, name: str) -> Collected:
        spec = self.spec.sources[name]
        if isinstance(spec, PopulationSpec):
            from safercities.collect.population import collect_population

            return collect_population(name, spec, self.folder)
        if isinstance(spec, SurveySpec):
            from safercities.collect.survey import collect_survey

            return collect_survey(name, spec, self.folder)
        if isinstance(spec, AuditsSpec):
            from safercities.collect.audits import collect_audits

            return collect_audits(name, spec, self.folder)
        if isinstance(spec, ReleaseSpec):
            raise UsageError(problem("source-is-releases", source=name))
        from safercities.collect.incidents import collect_incidents

        return collect_incidents(name, spec, self.folder)

    def named(self, kind: type) -> list[str]:
        """Names of the sources of a kind."""
        return [name for name, spec in self.spec.sources.items() if isinstance(spec, kind)]

    # -- places ----------------------------------------------------------------------------------------------------

    @cached_property
    def geographies(self) -> tuple[Geography, ...]:
        """Every geography, in the order of `observatory.toml`, its places tied to their parents."""
        from safercities.places.geographies import load_geography
        from safercities.places.within import tie

        specs = self.spec.geographies
        loaded = [load_geography(spec, self.folder, default_parent=self.spec.observatory.place) for spec in specs]
        return tuple(tie(loaded, specs))

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All places as a tree, the observatory's own at the top."""
        from safercities.places.hierarchy import Hierarchy

        return Hierarchy([self.place, *(place for geography in self.geographies for place in geography.places)])

    @cached_property
    def overlaps(self) -> Overlaps:
        """Which places of parallel geographies share ground; see `places.overlaps`."""
        from safercities.places.overlaps import overlaps

        return overlaps(self.geographies, self.hierarchy)

    @cached_property
    def population(self) -> Population | None:
        """Who lives where, when; None where no source says it."""
        names = self.named(PopulationSpec)
        return self.population_of(*names) if names else None

    def population_of(self, *names: str) -> Population:
        """Who lives where, when, by some sources of population only."""
        from safercities.places.population import Population

        specs = {name: spec for name, spec in self.spec.sources.items() if isinstance(spec, PopulationSpec)}
        parts = [self.collect(name) for name in names]
        return Population.from_collected(parts, self.hierarchy, self.spec.observatory.place, specs)

    def locate(self, name: str) -> Located:
        """Give each record of a source its places."""
        from safercities.places.locate import locate

        if name not in self._located:
            self._located[name] = locate(self.collect(name), self.geographies, self.hierarchy)
        return self._located[name]

    @cached_property
    def _located(self) -> dict[str, Located]:
        return {}

    @cached_property
    def neighbours(self) -> Mapping[str, Sequence[str]]:
        """Place → the places that touch it, in every geography."""
        from safercities.places.within import neighbours

        return {key: value for geography in self.geographies for key, value in neighbours(geography).items()}
