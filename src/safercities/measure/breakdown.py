"""The cells of each breakdown of one definition in one source: which are reported, what is known of them, over what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safercities.indicators.spec import Indicator, Version
from safercities.measure import rates
from safercities.measure.grid import Counter, Grid
from safercities.measure.rows import BIT, FEW, KNOWN_ENOUGH, ROUNDED, Cells, Floats, Frame, Mask, bits
from safercities.measure.source import CountsSource
from safercities.model.estimates import UNKNOWN, Estimates
from safercities.model.periods import Period
from safercities.places.hierarchy import Hierarchy
from safercities.places.population import Population

COUNT, CRUDE = "count", "crude rate, Garwood interval"


def unplaced(level: str) -> str:
    """Code that stands in the column `place` for the cases without a place at a level.

    Examples
    --------
    >>> unplaced("ward")
    '_U.ward'
    """
    return f"{UNKNOWN}.{level}"


@dataclass(frozen=True)
class Exposure:
    """Person-years of each cell (NaN where no rate can be made), and flags of the population used."""

    years: Floats
    flags: NDArray[np.int64]

    @property
    def rated(self) -> Mask:
        """Cells of which a rate can be made."""
        return np.asarray(self.years > 0)


class Breakdowns:
    """One definition in one source: counts its cases once, then gives the cells, counts and rates of each breakdown.

    Parameters
    ----------
    periods
        The periods in which this version of the definition is in force, in order.
    place
        Id of the observatory's place, which stands for everything that the source holds.
    level
        Confidence level.
    """

    def __init__(
        self,
        indicator: Indicator,
        version: Version,
        source: CountsSource,
        hierarchy: Hierarchy,
        population: Population | None,
        place: str,
        periods: tuple[Period, ...],
        level: float,
    ) -> None:
        self.source, self.hierarchy, self.population = source, hierarchy, population
        self.place, self.periods, self.level = place, periods, level
        self.wants_rate = indicator.kind == "rate" and version.denominator == "population"
        self.numerator = version.counted
        #: Standard deviation of what protecting people moved each count by; 0 where counts are as recorded.
        self.error = source.errors.get(indicator.code, 0.0)
        #: What the method of numbers ends with whose limits hold that.
        self.ending = ROUNDED if self.error else ""
        self.frame = Frame(indicator.code, version.version, source.name, level, version.per)

    def count(self, combinations: Sequence[tuple[str, ...]], *, with_age: bool) -> None:
        """Group the records once, by all that the breakdowns need."""
        wanted = list(combinations)
        if any("place" in one for one in combinations):  # coverage asks how many have a place at all
            wanted.append(("place",))
        if with_age and "age" in self.source.dimensions:
            wanted += [(*one, "age") for one in combinations if "age" not in one]
        self.counter = Counter(self.source, self.numerator, self.periods, wanted, self._places)

    @cached_property
    def _places(self) -> dict[str, Sequence[str]]:
        """Places of each level, but the observatory's own: that one is the total."""
        return {
            level: [one.id for one in self.hierarchy.at_level(level) if one.id != self.place]
            for level in self.source.levels
        }

    @cached_property
    def parts(self) -> dict[str, Period | None]:
        """The part of each period over which rates are made."""
        return {str(one): self.source.covered_part(one) for one in self.periods}

    @cached_property
    def _incomplete(self) -> Mask:
        return np.array([not self.source.complete(one) for one in self.periods])

    def cells(self, level: str | None, dimensions: Sequence[str]) -> Cells:
        """The cells that are reported: periods covered or with cases, places that existed, `_U` with cases."""
        grid = self.counter.grid(level, dimensions)
        shown, throughout = self._shown(grid)
        flat = np.flatnonzero(shown)
        where = np.unravel_index(flat, grid.counts.shape)
        keys = {name: _codes(grid, axis, where[axis]) for axis, name in enumerate(grid.names)}
        keys.setdefault("place", [self.place] * len(flat))
        coverage, flags = self._quality(grid, throughout)
        known = throughout & ~grid.unknown(grid.names[1:])
        return Cells(grid, keys, grid.counts[where], coverage[where], flags[where], known[where], flat)

    def _shown(self, grid: Grid) -> tuple[Mask, Mask]:
        """Which cells are reported, and whose place existed throughout the period; in the shape of the grid."""
        count = grid.counts
        shown = ~grid.unknown(grid.names[1:]) | (count > 0)
        throughout = np.ones(count.shape, dtype=bool)
        if grid.level is not None:
            some, whole = self._valid(grid.along("place"))
            here = count.sum(axis=tuple(range(2, count.ndim))) > 0
            shape = (*here.shape, *([1] * (count.ndim - 2)))
            shown &= (some | here).reshape(shape)
            throughout &= whole.reshape(shape)
        covered = np.array([self.parts[code] is not None or code in self._with_cases for code in grid.codes[0]])
        shown &= covered.reshape(-1, *([1] * (count.ndim - 1)))
        return shown, throughout

    @cached_property
    def _with_cases(self) -> set[str]:
        return {str(one) for one, n in zip(self.periods, self.counter.all_cases, strict=True) if n > 0}

    def _valid(self, places: Sequence[str]) -> tuple[Mask, Mask]:
        """Which places existed at either end of each period, and at both; shape (period, place)."""

        def on(id: str, period: Period) -> tuple[bool, bool]:
            if id not in self.hierarchy:
                return True, True
            return self.hierarchy.valid_on(id, period.start), self.hierarchy.valid_on(id, period.end)

        ends = np.array([[on(id, one) for id in places] for one in self.periods]).reshape(-1, len(places), 2)
        return np.asarray(ends.any(axis=2)), np.asarray(ends.all(axis=2))

    def _quality(self, grid: Grid, throughout: Mask) -> tuple[Floats, NDArray[np.int64]]:
        """Coverage and the flags of the counts, in the shape of the grid."""
        placed = np.ones(grid.counts.shape)
        if grid.level is not None:
            overall = self.counter.grid(grid.level, ()).known_share(["place"])
            placed = np.broadcast_to(overall.reshape(overall.shape + (1,) * (grid.counts.ndim - 2)), grid.counts.shape)
        known = grid.known_share(grid.dimensions) if grid.dimensions else np.ones(grid.counts.shape)
        column = (-1, *([1] * (grid.counts.ndim - 1)))
        acts = self.counter.unknown_acts > (1 - KNOWN_ENOUGH) * self.counter.all_cases
        part = self.source.acts is not None and not self.numerator.held_by(self.source.acts)
        flags = (
            np.where(grid.counts < FEW, BIT["few_cases"], 0)
            | np.where(self._incomplete.reshape(column) | ~throughout, BIT["partial_period"], 0)
            | (BIT["rejected_share"] if self.source.rejected > 1 - KNOWN_ENOUGH else 0)
            | (BIT["part_of_acts"] if part else 0)
            | np.where(acts.reshape(column), BIT["unknown_acts"], 0)
            | np.where(known < KNOWN_ENOUGH, BIT["unknown_share"], 0)
            | np.where(placed < KNOWN_ENOUGH, BIT["unlocated_share"], 0)
        )
        return placed * known, flags.astype(np.int64)

    def person_years(self, cells: Cells) -> Exposure:
        """Person-years of each cell, NaN where there are none, and what must be said of them."""
        covered = np.array([self.parts[code] is not None for code in cells.keys["period"]], dtype=bool)
        at = np.flatnonzero(cells.known & covered)
        years, flags = np.full(len(cells), np.nan), np.zeros(len(cells), dtype=np.int64)
        if self.wants_rate:
            years[at], flags[at] = self.denominators(cells, at.tolist())
        return Exposure(years, flags)

    def denominators(self, cells: Cells, at: Sequence[int], **more: Sequence[str]) -> tuple[Floats, NDArray[np.int64]]:
        """Person-years and flags for the cells at these positions (one may stand several times), by `more` as well."""
        if self.population is None or not len(at):
            return np.full(len(at), np.nan), np.zeros(len(at), dtype=np.int64)
        text = {code: str(part) for code, part in self.parts.items()}
        person = [name for name in cells.grid.dimensions if self.source.dimensions[name].of == "person"]
        dimensions: dict[str, list[str]] = {name: [cells.keys[name][one] for one in at] for name in person}
        found, quality = self.population.denominators(
            [cells.keys["place"][one] for one in at],
            [text[cells.keys["period"][one]] for one in at],
            dimensions | {name: list(codes) for name, codes in more.items()},
        )
        years = np.asarray(found, dtype=np.float64)
        return np.where(years > 0, years, np.nan), bits(quality) & ~BIT["no_denominator"]

    def counts(self, cells: Cells, exposure: Exposure) -> Estimates:
        """A row for each cell."""
        lower, upper = rates.garwood(cells.count, self.level)
        _, lower, upper = rates.widened(cells.count, lower, upper, self.error, self.level)
        flags = cells.flags | np.where(self.wants_rate & ~exposure.rated, BIT["no_denominator"], 0)
        return self.frame.rows(
            cells,
            np.ones(len(cells), dtype=bool),
            unit=self.source.unit,
            method=COUNT + self.ending,
            value=cells.count.astype(np.float64),
            se=np.sqrt(cells.count + self.error**2),
            lower=lower,
            upper=upper,
            level=self.level,
            flags=flags,
            note=self._count_notes(cells),
        )

    def _count_notes(self, cells: Cells) -> list[str]:
        """What a count cannot say by its flags: cases without a place, or without an act."""
        acts = {
            str(one): f"{int(n)} cases of this source have no known act, or only a wider one, and are not counted"
            for one, n in zip(self.periods, self.counter.unknown_acts, strict=True)
            if n > 0
        }
        stray = unplaced(cells.grid.level or "")
        lost = f"cases without a place at the level {cells.grid.level}"
        texts: dict[tuple[str, bool], str] = {}
        notes = []
        for one, where in zip(cells.keys["period"], cells.keys["place"], strict=True):
            key = (one, where == stray)
            if key not in texts:
                texts[key] = "; ".join(part for part in (lost if key[1] else "", acts.get(one, "")) if part)
            notes.append(texts[key])
        return notes

    def crude_rates(self, cells: Cells, exposure: Exposure, why: str = "") -> Estimates:
        """Rates with Garwood intervals of the cells that have person-years; `why` says why others are missing."""
        rated = exposure.rated
        count, years = cells.count[rated], exposure.years[rated]
        value, lower, upper = rates.rate(count, years, self.level, self.frame.per)
        each = self.frame.per / years
        _, lower, upper = rates.widened(value, lower, upper, self.error * each, self.level)
        return self.frame.rows(
            cells,
            rated,
            unit=self.frame.per_text,
            method=CRUDE + self.ending,
            value=value,
            se=np.sqrt(count + self.error**2) * each,
            lower=lower,
            upper=upper,
            level=self.level,
            denominator=years,
            flags=(cells.flags | exposure.flags)[rated],
            note=joined(self.annualised, why),
        )

    @property
    def annualised(self) -> str:
        """What must be said of rates of periods that are no year."""
        return "" if self.periods[0].kind == "year" else "cases per person-year: annualised"


def _codes(grid: Grid, axis: int, where: NDArray[np.intp]) -> list[str]:
    """Codes of the cells along one axis; places that are not known by their level."""
    codes = list(grid.codes[axis])
    if grid.names[axis] == "place":
        codes[-1] = unplaced(grid.level or "")
    return [codes[one] for one in where.tolist()]


def joined(*parts: str) -> str:
    """Notes as one, separated by semicolons; empty ones are left out."""
    return "; ".join(part for part in parts if part)
