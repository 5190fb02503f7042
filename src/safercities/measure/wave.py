"""One wave of a survey: its design, what each indicator is in its answers, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.survey_spec import SurveySpec
from safercities.indicators.numerators import Answers
from safercities.indicators.spec import Indicator, Version
from safercities.measure.breakdown import joined, unplaced
from safercities.measure.rows import KNOWN_ENOUGH
from safercities.measure.tied import STANDS_FOR, Margins
from safercities.measure.verdicts import judged_as
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import TOTAL, UNKNOWN, Estimates, schema
from safercities.model.flags import BIT, bits, words
from safercities.model.periods import Period
from safercities.sampling.design import Design, survey
from safercities.sampling.statistics import Kind, Statistic, statistic

if TYPE_CHECKING:
    from safercities.measure.surveys import SurveySource

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Said:
    """What respondents said: values, NaN where it is not known; and who was asked, None: everybody."""

    values: Floats
    asked: Mask | None


@dataclass(frozen=True, eq=False)
class Made:
    """An indicator in one wave.

    Parameters
    ----------
    indicator, version
        The indicator, in the definition in force.
    statistic
        The numbers that it is made of.
    per
        Values are per so many.
    base_known
        Share of the respondents of whom it is known whether they are in the denominator.
    note
        What a reader must know of these rows.
    """

    indicator: Indicator
    version: Version
    statistic: Statistic
    per: float
    base_known: float
    note: str

    @property
    def unit(self) -> str:
        """Unit of the rows."""
        if self.statistic.kind != "total":
            return self.indicator.unit(self.version)
        assert isinstance(self.version.numerator, Answers)  # noqa: S101 - only these are estimated here
        if self.version.numerator.how == "mean":
            return "events"
        return "people" if self.version.numerator.unit == "person" else "households"


def in_force(indicator: Indicator, wave: str) -> Version:
    """The definition in force on the first day of a wave's interviews."""
    return indicator.on(Period.parse(wave).start)


def answerable(version: Version, spec: SurveySpec) -> bool:
    """Whether a survey asked all that a definition needs, with weights of those that it is about."""
    numerator = version.numerator
    if not isinstance(numerator, Answers):
        return False
    return set(version.roles) <= spec.variables.keys() and f"{numerator.unit}s" == spec.weights_of


class Wave:
    """One wave of a survey: its design, and what is estimated with it."""

    def __init__(self, source: SurveySource, period: str) -> None:
        self.source, self.period = source, period
        mine = pc.equal(source.table.column("period"), period)
        self.table = source.table.filter(mine).combine_chunks()

    @cached_property
    def design(self) -> Design:
        """How the wave was drawn, its weights tied to the margins.

        Raises
        ------
        SafercitiesError
            If a stratum has one PSU and no rule is chosen, or the weights cannot be tied to the margins.
        """
        try:
            drawn = self._drawn()
            margins = Margins(self.source.spec, self.source.name, self.source.place, self.source.populations)
            return margins.tie(drawn, self.table, self.period)
        except SafercitiesError as error:  # its rows are those of a table that nobody sees
            raise SafercitiesError([self._of_file(p) for p in error.problems]) from None

    def _of_file(self, found: Problem) -> Problem:
        of_settings = (found.column or "").startswith(f"sources.{self.source.name}.")
        return found if of_settings else replace(found, file=self.source.file, row=None)

    def _drawn(self) -> Design:
        spec, names = self.source.spec, self.table.column_names
        design = survey(
            self.table,
            weight="weight",
            strata="stratum" if "stratum" in names else None,
            psu="psu" if "psu" in names else None,
            stages=[name for name in names if name.startswith("unit_")],
            fpc=[name for name in names if name.startswith("fpc_")],
            lonely=spec.lonely,
            certainty="certain" if "certain" in names else None,
        )
        design.respondents.file = self.source.file
        if spec.replicates is not None:
            given = {name: getattr(spec.replicates, name) for name in ("fay", "scale", "rscales")}
            columns = [name for name in names if name.startswith("rep_")]
            settings = {name: value for name, value in given.items() if value is not None}
            combined = spec.replicates.combined
            design = design.replicate_weights(columns, spec.replicates.kind, combined=combined, **settings)
        return design

    @cached_property
    def stands_for_population(self) -> bool:
        """Whether the weights add up to people (or households), not to the sample."""
        return bool(np.mean(self.design.weights) > STANDS_FOR)

    # -- what is estimated -----------------------------------------------------------------------------------------

    def estimates(
        self, indicators: Sequence[Indicator], combinations: Sequence[tuple[str, ...]], level: float
    ) -> Iterator[Estimates]:
        """The rows of all indicators in this wave; those of one scale together, in one pass."""
        together: dict[tuple[str, float], list[Made]] = {}
        for one in indicators:
            version = in_force(one, self.period)
            if not answerable(version, self.source.spec):
                continue
            made = self.made(one, version)
            together.setdefault((made.statistic.kind, made.per), []).append(made)
            if one.kind in ("proportion", "incidence") and self.stands_for_population:
                together.setdefault(("total", 1.0), []).append(self.made(one, version, total=True))
        found = {key: self._rows(its, combinations, level, key[1]) for key, its in together.items()}
        shares = [table for (kind, _), table in found.items() if kind != "total"]
        for key, its in together.items():
            table = judged_as(found[key], pa.concat_tables(shares)) if key[0] == "total" else found[key]
            yield self._placed(table, {one.indicator.code: one for one in its})

    def _rows(self, its: Sequence[Made], combinations: Sequence[tuple[str, ...]], level: float, per: float) -> pa.Table:
        return self.design.estimates(
            [one.statistic for one in its],
            list(combinations),
            interval=self.source.spec.interval,
            level=level,
            df="domain",
            per=per,
            scheme=self.source.spec.scheme,
        ).table

    def made(self, indicator: Indicator, version: Version, *, total: bool = False) -> Made:
        """The numbers that an indicator is made of.

        Raises
        ------
        UsageError
            If the survey did not ask for one of its answers, or its weights are those of others.
        """
        numerator, below = version.numerator, version.denominator
        if not isinstance(numerator, Answers):
            raise UsageError(problem("indicator-not-of-survey", indicator=indicator.code, of=version.made_of))
        self._check(indicator, version, numerator)
        said, by, base = self._answer(numerator), None, None
        asked, among = said.asked, said.asked
        if isinstance(below, Answers) and below.how == "mean":
            divisor = self._answer(below)
            by, among = divisor.values, _both(asked, divisor.asked)
        elif isinstance(below, Answers):
            base = self._answer(below)
            among = _both(_both(asked, base.asked), base.values == 1)
        elif version.missing == "no":  # over all respondents: who was not asked is one of them, and did not say yes
            asked = among = None
        kind: Kind = "ratio" if by is not None else "proportion" if indicator.kind == "proportion" else "mean"
        made = statistic(
            "total" if total else kind,
            indicator.code,
            said.values,
            self.design.weights,
            by=by,
            by_name=f"{indicator.code} below",
            among=among,
            among_name=_spelled(below, asked, indicator.code),
            missing=version.missing,
            file=self.source.file,
        )
        per = version.per if indicator.kind in ("proportion", "incidence", "ratio") and not total else 1
        return Made(indicator, version, made, float(per), 1.0 if base is None else _known(base), self.whose(version))

    def whose(self, version: Version) -> str:
        """What is to be said where a definition speaks of all respondents, but its questions were put to some only."""
        numerator = version.numerator
        if not isinstance(numerator, Answers) or version.denominator != "respondents" or version.missing == "no":
            return ""
        asked = self._asked_any(numerator.roles)
        if asked is None or asked.all():
            return ""
        return f"of those who were asked: {asked.mean():.1%} of the respondents"

    def _check(self, indicator: Indicator, version: Version, numerator: Answers) -> None:
        spec, of = self.source.spec, self.source.name
        if lacking := [role for role in version.roles if role not in spec.variables]:
            roles = ", ".join(lacking)
            raise UsageError(problem("survey-role-missing", source=of, indicator=indicator.code, roles=roles))
        if f"{numerator.unit}s" != spec.weights_of:
            about = f"{numerator.unit}s"
            raise UsageError(
                problem("survey-weights-of", source=of, indicator=indicator.code, about=about, weights=spec.weights_of)
            )

    def _answer(self, one: Answers) -> Said:
        """What respondents said to the roles together, and who was asked: one of them; for `all`, as many as settle it.

        `any` is yes where one answer is yes, else missing where one is missing, else no; `all` is no where one is no,
        else missing where one is missing, else yes; `none` is the opposite of `any`. A question that somebody was not
        asked says nothing of them: it is no missing answer.
        """
        values = np.array([self._value(role) for role in one.roles])
        asked, put = self._asked_any(one.roles), [self._asked(role) for role in one.roles]
        if one.how == "mean":
            return Said(values[0], asked)
        lacking = np.isnan(values)
        unsure = np.any([own if each is None else own & each for own, each in zip(lacking, put, strict=True)], axis=0)
        settles = 0.0 if one.how == "all" else 1.0
        settled = (values == settles).any(axis=0)
        together = np.where(settled, settles, np.where(unsure, np.nan, 1 - settles))
        some = [each for each in put if each is not None]
        if one.how == "all" and some:  # who was not asked one of them cannot be said to have said yes to all
            outside = ~settled & ~np.all(some, axis=0)
            asked = ~outside if asked is None else asked & ~outside
        if asked is not None:
            together = np.where(asked, together, np.nan)
        return Said(1 - together if one.how == "none" else together, asked)

    def _value(self, role: str) -> Floats:
        """The answers to one question; missing ones are no where the variable says so."""
        values = self._column(f"answer_{role}")
        if self.source.spec.variables[role].missing != "no":
            return values
        asked = self._asked(role)
        return np.where(np.isnan(values) if asked is None else np.isnan(values) & asked, 0.0, values)

    def _asked_any(self, roles: Sequence[str]) -> Mask | None:
        """Respondents to whom at least one of the questions was put; None: all of them."""
        some = [each for each in map(self._asked, roles) if each is not None]
        return np.any(some, axis=0) if len(some) == len(roles) else None

    def _asked(self, role: str) -> Mask | None:
        """Respondents whom the question is about: it was put to them, or the answer is known without; None: all."""
        name = f"asked_{role}"
        if name not in self.table.column_names:
            return None
        return np.asarray((self._column(name) == 1) | ~np.isnan(self._column(f"answer_{role}")))

    def _column(self, name: str) -> Floats:
        return self.design.respondents.numbers(name)

    # -- from the design's rows to the contract --------------------------------------------------------------------

    def _placed(self, table: pa.Table, made: Mapping[str, Made]) -> Estimates:
        """Rows with the indicator's version and unit, the place, the period, and what is known of the breakdown."""
        codes = table.column("indicator").combine_chunks().dictionary_encode()
        its = [made[code] for code in codes.dictionary.to_pylist()]

        def each(texts: Iterable[str]) -> pa.Array:
            return pa.array(list(texts), pa.string()).take(codes.indices)

        known, flags = self._known(table)
        base = np.array([one.base_known for one in its])[codes.indices.to_numpy()]
        flags[base < KNOWN_ENOUGH] |= BIT["missing_answers"]
        answered = np.asarray(table.column("coverage").to_numpy(), dtype=np.float64)
        dimensions = [name for name in self.source.dimensions if name in table.column_names]
        columns = {name: table.column(name) for name in table.column_names} | {
            "version": each(one.version.version for one in its),
            "unit": each(one.unit for one in its),
            "place": self._places(table),
            "period": pa.repeat(pa.scalar(self.period), table.num_rows),
            "source": pa.repeat(pa.scalar(self.source.name), table.num_rows),
            "quality": pa.array(words(bits(table.column("quality").to_pylist()) | flags), pa.string()),
            "coverage": pa.array(answered * base * known),
            "note": _with_notes(
                table.column("note"), each(one.note for one in its), self._too_low(its, codes, answered * base)
            ),
        }
        if not self.stands_for_population:  # sums of such weights are numbers of nobody
            columns["denominator"] = pa.nulls(table.num_rows, pa.float64())
        target = schema(dimensions)
        return Estimates(pa.table([columns[one.name] for one in target], schema=target))

    def _places(self, table: pa.Table) -> pa.Array:
        """Place of each row: the observatory's, or one of a level."""
        place = pa.array([self.source.place] * table.num_rows, pa.string())
        for level in self.source.levels:
            name = f"place_{level}"
            if name in table.column_names:
                column = table.column(name).combine_chunks()
                there = pc.if_else(pc.equal(column, UNKNOWN), unplaced(level), column)
                place = pc.if_else(pc.equal(column, TOTAL), place, there)
        return place

    def _too_low(self, its: Sequence[Made], codes: pa.DictionaryArray, answered: Floats) -> pa.Array:
        """A number of people lacks those who gave no answer: said where there are any."""
        total = np.array([one.statistic.kind == "total" for one in its])[codes.indices.to_numpy()]
        return pa.array(np.where(total & (answered < 1), "without those who gave no usable answer", "").tolist())

    def _known(self, table: pa.Table) -> tuple[Floats, NDArray[np.int64]]:
        """Share of the wave's respondents whose characteristics a row's breakdown knows; flags where it is small."""
        share, flags = np.ones(table.num_rows), np.zeros(table.num_rows, dtype=np.int64)
        if self.source.rejected > 1 - KNOWN_ENOUGH:
            flags |= BIT["rejected_share"]
        places = [f"place_{level}" for level in self.source.levels]
        for name in (*places, *self.source.dimensions):
            if name not in table.column_names:
                continue
            lacking = pc.sum(pc.equal(pc.fill_null(self.table.column(name), UNKNOWN), UNKNOWN)).as_py() or 0
            of_all = 1 - lacking / self.table.num_rows
            broken = np.asarray(pc.not_equal(table.column(name), TOTAL).to_numpy(), dtype=bool)
            share[broken] *= of_all
            if of_all < KNOWN_ENOUGH:
                flags[broken] |= BIT["unlocated_share" if name in places else "unknown_share"]
        return share, flags


def _with_notes(reasons: pa.ChunkedArray, *notes: pa.Array) -> pa.Array:
    """Notes of each row as one text; every distinct combination is joined once."""
    parts = pa.table([pc.fill_null(reasons, "").combine_chunks(), *notes], names=["0", *"12"[: len(notes)]])
    key = pc.binary_join_element_wise(*parts.columns, "\x1f").combine_chunks().dictionary_encode()
    texts = [joined(*text.split("\x1f")) for text in key.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(key.indices)


def _known(base: Said) -> float:
    """Share of those asked whose answer is known."""
    lacking = np.isnan(base.values) if base.asked is None else np.isnan(base.values[base.asked])
    return 1.0 - float(lacking.mean()) if len(lacking) else 1.0


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _spelled(below: object, asked: Mask | None, code: str) -> str:
    """A name for who is asked: the same for statistics of the same respondents, so that their weights add up once."""
    said = f"{below.how} {', '.join(below.roles)}" if isinstance(below, Answers) else "respondents"
    return joined(said, f"asked for {code}" if asked is not None else "")
