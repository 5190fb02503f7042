"""How often 95 % limits hold the truth: samples drawn again and again from known populations.

Thousands of samples are one design: each has strata of its own, and is one group of a breakdown. So the library works
on all of them at once, and each group gets exactly what its sample alone would give. Run as a program, this file prints
the tables of docs/explanation/survey-intervals.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy import special

from safercities.sampling.design import Design, survey
from safercities.sampling.intervals import METHODS, proportion_interval

Floats = NDArray[np.float64]
AnyArray = NDArray[np.generic]
SHARES = (0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99)
SAMPLES = 2000
EVERYBODY, SMALL = "_T", "1"


@dataclass(frozen=True)
class Plan:
    """A population, and how samples are drawn from it.

    Parameters
    ----------
    psus
        Sampling units in each stratum; they hold 30 to 119 people.
    drawn, people
        Units drawn in each stratum, and people in each unit, at random and without replacement.
    alike
        Correlation, within a unit, of the trait that lies behind the answers.
    corrected
        Whether the design is told the population's sizes, for the finite-population correction at both stages.
    """

    psus: tuple[int, ...]
    drawn: int = 6
    people: int = 8
    alike: float = 0.08
    corrected: bool = False


LIGHT_TO_HEAVY = (60, 137, 214, 291, 368, 445, 522, 600)
#: Shares rise from stratum to stratum, so that weights and answers go together, or against each other.
PLANS: dict[str, Plan] = {
    "even weights": Plan((250,) * 8),
    "heavy weights say yes": Plan(LIGHT_TO_HEAVY),
    "heavy weights say no": Plan(LIGHT_TO_HEAVY[::-1]),
    "two units a stratum": Plan((150,) * 16, drawn=2, people=12),
    "alike within units": Plan((250,) * 8, alike=0.25),
    "small city": Plan((12,) * 8, drawn=4, corrected=True),
}


class Population:
    """People in units in strata, with yes or no for each share; `small` is a sixth of them, uneven over the units."""

    def __init__(self, plan: Plan, seed: int) -> None:
        rng = np.random.default_rng(seed)
        strata, most = len(plan.psus), max(plan.psus)
        self.plan, self.real = plan, np.arange(most) < np.array(plan.psus)[:, None]
        self.size = np.where(self.real, rng.integers(30, 120, (strata, most)), 0)
        self.first = np.cumsum(self.size.ravel()).reshape(strata, most) - self.size
        units, n = self.size.ravel(), int(self.size.sum())
        stratum = np.repeat(np.repeat(np.arange(strata), most), units)
        trait = np.sqrt(plan.alike) * np.repeat(rng.normal(size=units.size), units)
        trait += np.sqrt(1 - plan.alike) * rng.normal(size=n) + 0.4 * np.linspace(-1, 1, strata)[stratum]
        self.answers = {f"share {share:g}": trait > np.quantile(trait, 1 - share) for share in SHARES}
        self.small = rng.random(n) < np.repeat(rng.beta(1, 5, units.size), units)
        self.woman = rng.random(n) < 0.5

    def truth(self, group: str) -> dict[str, float]:
        """Share of yes in everybody, or in the small group."""
        inside = self.small if group == SMALL else np.ones(len(self.small), dtype=bool)
        return {name: float(yes[inside].mean()) for name, yes in self.answers.items()}

    def draw(self, samples: int, rng: np.random.Generator) -> dict[str, AnyArray]:
        """So many samples below each other, with their weights."""
        plan, strata = self.plan, len(self.plan.psus)
        order = rng.random((samples, *self.real.shape), dtype=np.float32)
        order[:, ~self.real] = 2
        unit = np.argpartition(order, plan.drawn, axis=2)[:, :, : plan.drawn]
        rows = np.arange(strata)[None, :, None]
        size, first = self.size[rows, unit], self.first[rows, unit]
        order = rng.random((*unit.shape, 119), dtype=np.float32)
        order[np.arange(119) >= size[..., None]] = 2
        person = (first[..., None] + np.argpartition(order, plan.people, axis=3)[..., : plan.people]).ravel()
        each, units = plan.drawn * plan.people, samples * strata * plan.drawn
        there = np.repeat(np.tile(np.array(plan.psus), samples), each)
        home = np.repeat(size.ravel(), plan.people)
        return {
            "sample": np.repeat(np.arange(samples), strata * each),
            "stratum": np.repeat(np.arange(samples * strata), each),
            "unit": np.repeat(np.arange(units), plan.people),
            "person": np.arange(len(person)),
            "weight": there / plan.drawn * home / plan.people,
            "units there": there,
            "people there": home,
            "small": self.small[person].astype(np.int8),
            "woman": self.woman[person].astype(np.int8),
            **{name: yes[person].astype(np.float64) for name, yes in self.answers.items()},
        }

    def design(self, samples: Mapping[str, AnyArray]) -> Design:
        """The samples as one design."""
        finite = {"stages": ["person"], "fpc": ["units there", "people there"]} if self.plan.corrected else {}
        return survey(pa.table(dict(samples)), weight="weight", strata="stratum", psu="unit", **finite)  # type: ignore[arg-type]


def covered(
    name: str, methods: Sequence[str], samples: int = SAMPLES, batch: int = 2000
) -> dict[tuple[str, str, str], float]:
    """Per cent of samples whose limits hold the truth, by method, group and share."""
    people = Population(PLANS[name], seed=7)
    held: dict[tuple[str, str, str], int] = {}
    for number in range(0, samples, batch):
        design = people.design(people.draw(min(batch, samples - number), np.random.default_rng([number, 20261123])))
        for method in methods:
            for key, count in _held(people, design, method):
                held[key] = held.get(key, 0) + count
    return {key: 100 * count / samples for key, count in held.items()}


def _held(people: Population, design: Design, method: str) -> Iterator[tuple[tuple[str, str, str], int]]:
    made = design.proportion(list(people.answers), by=[["sample"], ["sample", "small"]], interval=method)  # type: ignore[arg-type]
    table = made.to_arrow().select(["indicator", "small", "lower", "upper"])
    outcome, group = (np.array(table[column].to_pylist()) for column in ("indicator", "small"))
    lower, upper = (table[column].to_numpy() for column in ("lower", "upper"))
    for each in (EVERYBODY, SMALL):
        for name, share in people.truth(each).items():
            at = (group == each) & (outcome == name)
            empty = np.isnan(lower[at])  # nobody of the small group in the sample: no limits, so none that hold
            yield (method, each, name), int(np.sum((lower[at] <= share) & (share <= upper[at]) & ~empty))


#: The samples of one plan are drawn once for all of its tests, so these run in one process.
EACH_PLAN = list(PLANS)


@cache
def found(name: str) -> dict[tuple[str, str, str], float]:
    return covered(name, METHODS)


def _cells(name: str, method: str, least: float) -> Iterator[tuple[str, float]]:
    """Coverage where at least so many respondents are expected on either side, with the name of the case."""
    people = Population(PLANS[name], seed=7)
    drawn = len(PLANS[name].psus) * PLANS[name].drawn * PLANS[name].people
    for group, n in ((EVERYBODY, drawn), (SMALL, drawn * people.small.mean())):
        for answer, share in people.truth(group).items():
            if n * min(share, 1 - share) >= least:
                yield f"{group} {answer}", found(name)[method, group, answer]


@pytest.mark.parametrize("name", EACH_PLAN)
def test_korn_graubard_covers_94_everywhere(name: str) -> None:
    """From 1 % to 99 %, in the whole sample and in groups of some 60 respondents, where often nobody says yes."""
    low = {case: per_cent for case, per_cent in _cells(name, "korn-graubard", 0) if per_cent < 94}
    assert not low


@pytest.mark.parametrize("name", EACH_PLAN)
@pytest.mark.parametrize("method", ["logit", "wilson", "clopper-pearson"])
def test_others_cover_93_where_ten_are_expected(name: str, method: str) -> None:
    low = {case: per_cent for case, per_cent in _cells(name, method, 10) if per_cent < 93}
    assert not low


@pytest.mark.parametrize("name", EACH_PLAN)
@pytest.mark.parametrize("method", ["korn-graubard", "logit", "wilson", "clopper-pearson"])
def test_none_is_far_too_wide_where_thirty_are_expected(name: str, method: str) -> None:
    """In the whole sample: in small groups, with 8 degrees of freedom, they may be wider than need be."""
    cells = dict(_cells(name, method, 30))
    wide = {case: per_cent for case, per_cent in cells.items() if case.startswith(EVERYBODY) and per_cent > 97}
    assert not wide


@pytest.mark.parametrize("name", EACH_PLAN)
def test_student_only_where_a_hundred_are_expected(name: str) -> None:
    enough = dict(_cells(name, "student", 100))
    assert enough
    assert all(93 <= per_cent <= 97 for per_cent in enough.values()), enough
    assert found(name)["student", EVERYBODY, "share 0.01"] < 93  # why it is not the default


def test_the_bound_on_the_effective_size_is_needed() -> None:
    """Where few respondents stand for many, rare answers come with too small standard errors: R's limits fail."""
    people = Population(PLANS["heavy weights say no"], seed=7)
    design = people.design(people.draw(SAMPLES, np.random.default_rng(3)))
    made = design.proportion("share 0.01", by=["sample"]).to_arrow()
    facts = [made[column].to_numpy() for column in ("value", "se", "n", "df")]
    share, held = people.truth(EVERYBODY)["share 0.01"], {}
    for bounded in (True, False):
        got = proportion_interval("korn-graubard", *facts, truncate=bounded)
        held[bounded] = 100 * np.mean((got.lower <= share) & (share <= got.upper))
    assert held[False] < 93
    assert held[True] >= 94


# -- differences between groups ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """One difference in each sample: what `contrast` says of it, and the truth; arrays of shape (samples,)."""

    difference: Floats
    lower: Floats
    upper: Floats
    se: Floats
    covariance: Floats
    df: Floats
    truth: float

    @property
    def level(self) -> float:
        """Per cent of samples that would reject the truth."""
        return 100 * float(np.mean((self.truth < self.lower) | (self.upper < self.truth)))


def pairs(people: Population, group: str, answers: Sequence[str], drawn: Mapping[str, AnyArray]) -> dict[str, Pairs]:
    """The group against the rest in every sample; a few samples at a time, since `contrast` compares all pairs."""
    samples = int(drawn["sample"].max()) + 1
    rows, few = len(drawn["sample"]) // samples, 8
    said: dict[str, list[tuple[float, ...]]] = {answer: [()] * samples for answer in answers}
    for start in range(0, samples, few):
        part = {column: values[start * rows : (start + few) * rows] for column, values in drawn.items()}
        for one in people.design(part).contrast(answers, by=["sample", group]):
            if one.one["sample"] == one.other["sample"]:
                sign = 1 if one.one[group] == "1" else -1
                limits = sorted((sign * one.difference_lower, sign * one.difference_upper))
                figures = (sign * one.difference, *limits, one.difference_se, one.covariance, one.df)
                said[one.outcome][int(one.one["sample"])] = figures
    inside = people.woman if group == "woman" else people.small
    truth = {name: float(yes[inside].mean() - yes[~inside].mean()) for name, yes in people.answers.items()}
    return {answer: Pairs(*np.array(said[answer]).T, truth=truth[answer]) for answer in answers}


CHANCE = 1.5  # three standard errors of a level of 5 % seen in 2 000 samples


@pytest.mark.parametrize("name", ["alike within units", "heavy weights say yes"])
def test_differences_keep_their_level(name: str) -> None:
    """Women against men: both in the same sampling units, so their estimates move together."""
    people = Population(PLANS[name], seed=7)
    drawn = people.draw(SAMPLES, np.random.default_rng(5))
    got = pairs(people, "woman", ["share 0.3"], drawn)["share 0.3"]
    assert abs(got.level - 5) <= CHANCE
    apart = got.se**2 + 2 * got.covariance  # had the two been drawn apart
    t = special.stdtrit(got.df, 0.975)
    naive = 100 * np.mean(np.abs(got.difference - got.truth) > t * np.sqrt(apart))
    assert naive < got.level
    if name == "alike within units":
        assert naive < 5 - CHANCE  # without the covariance the test misses differences that it could see


def test_differences_of_small_groups_keep_their_level() -> None:
    """Some 60 respondents against 320, few of whom say yes (or no), and weights that go with the answers."""
    people = Population(PLANS["heavy weights say yes"], seed=7)
    drawn = people.draw(SAMPLES, np.random.default_rng(5))
    for answer, got in pairs(people, "small", ["share 0.03", "share 0.9"], drawn).items():
        assert got.level <= 5 + CHANCE, answer
        student = np.abs(got.difference - got.truth) > special.stdtrit(got.df, 0.975) * np.nan_to_num(got.se)
        assert 100 * np.mean(student) > 5 + CHANCE  # what the shares' own limits mend


def table(samples: int) -> str:
    """The coverage of every method as Markdown."""
    lines = []
    for name in PLANS:
        people = Population(PLANS[name], seed=7)
        found = covered(name, METHODS, samples)
        for group, said in ((EVERYBODY, "all"), (SMALL, "small group")):
            shares = " | ".join(f"{100 * share:.1f} %" for share in people.truth(group).values())
            lines += ["", f"**{name}, {said}**", "", f"| true share | {shares} |", "|---" * (len(SHARES) + 1) + "|"]
            for method in METHODS:
                cells = " | ".join(f"{found[method, group, answer]:.1f}" for answer in people.answers)
                lines.append(f"| {method} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES))
