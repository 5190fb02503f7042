"""Opens an observatory's folder and ties the steps together: collect → locate → measure → review."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safercities import checks, config, federating, files, measuring, outputs, reviewing
from safercities.collect.spec import AuditsSpec, IncidentsSpec, SurveySpec
from safercities.inputs import Inputs
from safercities.model.errors import Problem, SafercitiesError
from safercities.model.estimates import Estimates

if TYPE_CHECKING:
    from datetime import date

    from safercities.collect.records import DimensionInfo
    from safercities.indicators.spec import Indicator
    from safercities.measure.counts import CountsSource
    from safercities.measure.surveys import SurveySource
    from safercities.publishing import Published
    from safercities.release.federate import Federation
    from safercities.review.data import ReviewData, SourceSummary
    from safercities.sampling.contrasts import Contrast

#: Called with what is being done, how many steps are done, and how many there are.
Progress = Callable[[str, int, int], None]


def open(folder: str | Path, *, progress: Progress | None = None) -> Observatory:
    """Open an observatory: a folder that holds `observatory.toml`. No input is read yet.

    Outputs that a killed run had finished, but not put in place, are put in place.

    Raises
    ------
    UsageError
        If there is no such folder, or it holds no `observatory.toml`.
    SafercitiesError
        If `observatory.toml` is wrong.
    """
    path = Path(folder)
    spec = config.load(path)
    for target in (path / outputs.BUILD, *files.unfinished(path / reviewing.REVIEWS)):
        files.settle(target)
    return Observatory(path, spec, progress)


@dataclass(frozen=True)
class Measured:
    """What a run of `Observatory.build` made: the estimates, and where they were written."""

    estimates: Estimates
    folder: Path
    problems: tuple[Problem, ...]


class Observatory(Inputs):
    """One place's monitoring: its inputs, what is measured of them, and what is written.

    Parameters
    ----------
    folder
        Where `observatory.toml` and the raw inputs are.
    spec
        The content of `observatory.toml`.
    """

    def __init__(self, folder: Path, spec: config.ObservatorySpec, progress: Progress | None = None) -> None:
        super().__init__(folder, spec)
        self.progress = progress or (lambda what, done, total: None)

    def __repr__(self) -> str:
        return f"<Observatory {self.spec.observatory.name}: {', '.join(self.spec.sources) or 'no sources'}>"

    @property
    def federation(self) -> Federation | None:
        """What other observatories published, put together; None where no source is another's releases.

        Raises
        ------
        SafercitiesError
            With what is wrong with each source that is refused.
        """
        if isinstance(self._federation, SafercitiesError):
            raise self._federation
        return self._federation

    @cached_property
    def _federation(self) -> Federation | SafercitiesError | None:
        """Read once, refused or not: releases may be large."""
        try:
            return federating.federation(self)
        except SafercitiesError as error:
            return error

    @property
    def dimensions(self) -> dict[str, DimensionInfo]:
        """What the sources located so far can be broken down by; of one name in several sources the last."""
        published = federating.dimensions(self.federation) if self.federation else {}
        names = [*self.named(SurveySpec), *self.named(AuditsSpec), *self.named(IncidentsSpec)]
        there = [self._located[name].collected for name in names if name in self._located]
        return published | {info.name: info for collected in there for info in collected.dimensions}

    def check(self) -> list[Problem]:
        """Every problem in every input: a list, never an exception for what the data do wrong."""
        return checks.check(self)

    # -- measure ---------------------------------------------------------------------------------------------------

    def measure(
        self,
        *codes: str,
        by: Sequence[str] | Sequence[Sequence[str]] | None = None,
        period: str | None = None,
    ) -> Estimates:
        """Estimates of indicators (default: those of `observatory.toml`), with totals and the breakdowns asked for.

        Parameters
        ----------
        codes
            Indicator codes, as `sdg.16.1.1`.
        by
            One breakdown (`["sex", "age"]`) or several (`[["sex"], ["sex", "age"]]`); default: `[measure] by`.
        period
            year, quarter, month, week or day; default: `[measure] period`. Surveys keep the periods of their waves.

        Raises
        ------
        UsageError
            If an indicator or breakdown is not known.
        SafercitiesError
            If an input cannot be used, or no source can answer an indicator of `codes`.
        """
        return measuring.measure(self, codes, by=by, period=period)

    def survey_source(self, name: str) -> SurveySource:
        """A survey as measuring takes it; its designs are made once."""
        if name not in self._surveys:
            self._surveys[name] = measuring.survey_source(self, name)
        return self._surveys[name]

    @cached_property
    def _surveys(self) -> dict[str, SurveySource]:
        return {}

    def contrasts(
        self, code: str, by: str | Sequence[str], *, against: str | Sequence[str] | None = None, wave: str | None = None
    ) -> list[Contrast]:
        """Differences and ratios between groups in a survey, with the covariance that a shared sample gives them.

        Parameters
        ----------
        code
            Code of an indicator that surveys answer.
        by
            Dimensions of the groups.
        against
            Codes of the group that the others are compared with; default: every pair.
        wave
            Interview period; default: the last of each survey.

        Raises
        ------
        UsageError
            If no survey answers the indicator, or there is no such breakdown, group or wave.
        """
        return measuring.contrasts(self, code, by, against=against, wave=wave)

    def changes(
        self, code: str, by: str | Sequence[str] | None = None, *, waves: tuple[str, str] | None = None
    ) -> list[Contrast]:
        """How an indicator changed between two waves of a survey, with the covariance that the same units give them.

        Parameters
        ----------
        code
            Code of an indicator that surveys answer.
        by
            Dimensions of the groups, each compared with itself; default: everybody.
        waves
            Two interview periods; default: the last two of each survey that has two.

        Returns
        -------
        list of Contrast
            The later wave less the earlier one, in the indicator's unit; `one` and `other` hold the wave as `period`.

        Raises
        ------
        UsageError
            If no survey answers the indicator, none has two waves, there is no such breakdown or wave, or the
            definition changed between them.
        """
        return measuring.changes(self, code, by, waves=waves)

    def counts_source(self, name: str) -> CountsSource:
        """A source of incidents as measuring takes it."""
        return measuring.counts_source(self, name)

    def sources_for(self, definition: Indicator) -> list[str]:
        """Sources that can answer an indicator; see `measuring.sources_for`."""
        return measuring.sources_for(self, definition)

    def acts(self, name: str) -> list[str]:
        """Acts that a source holds: declared, or seen where the column holds codes. An act it lacks is no zero."""
        return measuring.acts(self, name)

    def declared_acts(self, name: str) -> list[str] | None:
        """Acts that `observatory.toml` says a source holds; None where its column holds the codes."""
        return measuring.declared_acts(self.spec.sources[name])

    # -- outputs ---------------------------------------------------------------------------------------------------

    def build(self, *codes: str) -> Measured:
        """Measure and write `build/`: estimates, rejected rows, rows without a place, problems, a manifest.

        The folder appears whole or not at all. It is private: disclosure control comes later.
        """
        estimates = self.measure(*codes)
        problems = self.problems()
        folder = self.folder / outputs.BUILD
        outputs.write_build(folder, estimates, self, problems)
        return Measured(estimates, folder, tuple(problems))

    def publish(
        self, *, published: date | None = None, reason: str | None = None, supersedes: str | None = None
    ) -> Published:
        """Protect what is measured, attack it, and write it as the next signed release; see `publishing.publish`."""
        from safercities import publishing

        return publishing.publish(self, published=published, reason=reason, supersedes=supersedes)

    def problems(self) -> list[Problem]:
        """Problems of everything that has been read so far, and of what could not be measured."""
        found = [p for geography in self.geographies for p in geography.problems]
        for name, collected in self._collected.items():
            located = self._located.get(name)
            found.extend(collected.problems)
            found.extend(located.problems if located else ())
            found.extend(checks.check_covers(self, name) if located else ())
        found.extend(p for name in self._surveys for p in checks.check_survey(self, name))
        found.extend(self.population.problems if self.population else ())
        found.extend(self.federation.problems if self.federation else ())
        found.extend(checks.check_measure(self))
        return list(dict.fromkeys(found))

    def rows(self) -> dict[str, dict[str, int]]:
        """For each source that could be read: rows read, kept, rejected."""
        return {
            name: {"read": c.rows_read, "kept": c.table.num_rows, "rejected": c.rows_read - c.table.num_rows}
            for name, c in self._collected.items()
        }

    def covers(self, name: str) -> str:
        """The period that a source covers, as far as is declared or seen; of a survey its interview periods."""
        return outputs.covers(self, name)

    def manifest(self, estimates: Estimates) -> str:
        """What went in and came out, as JSON: the program's version, each source's hash and counts. No clock in it."""
        from safercities import __version__

        sources = [asdict(item) for item in self.summaries()]
        content = {"safercities": __version__, "estimates": len(estimates), "sources": sources}
        return json.dumps(content, indent=1, ensure_ascii=False)

    def summaries(self) -> list[SourceSummary]:
        """What was read, kept and left out, of each source."""
        return [outputs.summary(self, name) for name in self.spec.sources]

    def review_data(self, estimates: Estimates | None = None) -> ReviewData:
        """Everything that the review shows."""
        return reviewing.review_data(self, self.measure() if estimates is None else estimates)

    def review(self, estimates: Estimates | None = None, *, published: bool = False) -> list[Path]:
        """Write the review of these estimates (default: measured now), or of the releases; main language first."""
        from safercities.publishing import RELEASES

        data = reviewing.published_data(self, self.folder / RELEASES) if published else self.review_data(estimates)
        return reviewing.review(self, data)
