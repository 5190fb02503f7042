"""How the residents of the synthetic city answer: the true probability of each answer of each kind of resident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from safercities.demo.residents import CHARACTERISTICS, KINDS, Residents, residents
from safercities.demo.shape import ground
from safercities.demo.streets import lit, street_quality
from safercities.demo.survey_truth import EVERYBODY, SurveyTruth, tabulate
from safercities.demo.truth import by_age_group, expected

_EVEN = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Crime:
    """An act that the police record in part: the survey finds what really happened.

    Parameters
    ----------
    victim, times, reported
        Roles: victim or not, how many times, reported the last time; None where the survey does not ask.
    reporting
        Share of the acts that reach the police, of those against people who are no migrants, and against migrants.
    times_share
        Shares of victims to whom it happened once, twice, three times, … in 12 months.
    income, orientation
        Relative numbers of acts by characteristic.
    disabled
        Relative number for people with a disability.
    """

    victim: str
    times: str | None
    reported: str | None
    reporting: tuple[float, float]
    times_share: tuple[float, ...]
    income: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    orientation: tuple[float, ...] = _EVEN
    disabled: float = 1.0

    @property
    def times_mean(self) -> float:
        """Acts per victim in 12 months."""
        return float(np.dot(self.times_share, np.arange(len(self.times_share)) + 1))


@dataclass(frozen=True)
class Opinion:
    """An answer that no register knows: its share, and odds ratios.

    Parameters
    ----------
    share
        Share of all residents (of those asked, where `asked`) who say yes in the first wave.
    women, migrant, disabled
        Odds over those of men, of others.
    ages, income, orientation
        Odds by group over those of the first.
    streets
        Odds where the streets are one standard deviation better rated by the audits.
    lamps
        Odds where the new lamps are up, over those before.
    wave
        Odds in the second wave over those of the first.
    asked
        Role of which the answer must be “yes” for the question to be asked.
    """

    share: float
    women: float = 1.0
    ages: tuple[float, ...] = _EVEN
    income: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    orientation: tuple[float, ...] = _EVEN
    migrant: float = 1.0
    disabled: float = 1.0
    streets: float = 1.0
    lamps: float = 1.0
    wave: float = 1.0
    asked: str | None = None


#: Act of the police's files → how it shows in the survey.
CRIMES: dict[str, Crime] = {
    "robbery": Crime(
        *("victim_robbery_12m", "robberies_12m", "reported_robbery"),
        reporting=(0.32, 0.16),
        times_share=(0.80, 0.15, 0.05),
        income=(0.8, 0.9, 1.0, 1.1, 1.2),
    ),
    "theft": Crime(
        *("victim_theft_12m", "thefts_12m", "reported_theft"),
        reporting=(0.26, 0.13),
        times_share=(0.70, 0.20, 0.10),
        income=(0.8, 0.9, 1.0, 1.1, 1.3),
    ),
    "assault": Crime(
        *("victim_assault_12m", "assaults_12m", "reported_assault"),
        reporting=(0.28, 0.14),
        times_share=(0.75, 0.15, 0.10),
        income=(1.5, 1.2, 1.0, 0.8, 0.7),
        orientation=(1.0, 2.0, 1.8, 1.8),
        disabled=1.4,
    ),
    "harassment": Crime(
        *("harassed_sexual_12m", None, None),
        reporting=(0.02, 0.01),
        times_share=(0.50, 0.25, 0.0, 0.25),
        orientation=(1.0, 1.5, 1.8, 1.6),
        disabled=1.2,
    ),
}

_LGB = (1.0, 2.0, 2.2, 2.5)
_POOR = (2.0, 1.5, 1.2, 1.0, 0.8)
_RICH = (1.0, 1.2, 1.5, 1.9, 2.4)
_YOUNG = (1.0, 0.8, 0.5, 0.3)
OPINIONS: dict[str, Opinion] = {
    "victim_psychological_12m": Opinion(0.08, 1.5, _YOUNG, _POOR, _LGB, disabled=1.6),
    "victim_sexual_12m": Opinion(0.012, 5.0, (1.0, 0.6, 0.3, 0.1), orientation=_LGB, disabled=1.8),
    "reported_psychological": Opinion(0.14, asked="victim_psychological_12m"),
    "reported_sexual": Opinion(0.11, asked="victim_sexual_12m"),
    "safe_walking_dark": Opinion(
        0.52, 0.45, (1.0, 1.1, 0.9, 0.6), _RICH, (1.0, 0.8, 0.8, 0.8), 1.0, 0.7, streets=1.45, lamps=1.7
    ),
    "safe_walking_day": Opinion(0.84, 0.65, (1.0, 1.1, 1.0, 0.7), _RICH, disabled=0.7, streets=1.3),
    "afraid_avoids_going_out": Opinion(0.38, 1.9, (1.0, 0.9, 1.1, 1.6), _POOR, disabled=1.3, streets=0.75, lamps=0.7),
    "afraid_avoids_places": Opinion(0.46, 1.8, (1.0, 1.0, 1.0, 1.2), _POOR, streets=0.7, lamps=0.8),
    "afraid_avoids_transport": Opinion(0.17, 1.7, (1.0, 0.9, 0.9, 1.2), streets=0.85),
    "harassed_nonsexual_12m": Opinion(0.07, 1.2, _YOUNG, orientation=_LGB, migrant=1.8, disabled=1.5, streets=0.85),
    "discriminated_12m": Opinion(0.13, 1.2, (1.0, 0.9, 0.8, 0.7), _POOR, (1.0, 3.0, 2.5, 3.0), 2.5, 2.2),
    "contact_official_12m": Opinion(0.42, 1.1, (1.0, 1.5, 1.6, 1.2), _RICH),
    "bribe_paid_12m": Opinion(0.11, 0.7, (1.0, 1.1, 1.0, 0.6), migrant=1.8, asked="contact_official_12m"),
    "bribe_asked_12m": Opinion(0.06, 0.8, (1.0, 1.1, 1.0, 0.6), migrant=1.5, asked="contact_official_12m"),
    "decisions_inclusive": Opinion(0.35, 0.85, income=_RICH, migrant=0.7, wave=1.15),
    "decisions_responsive": Opinion(0.28, 0.85, income=_RICH, migrant=0.7, wave=1.15),
    "near_public_transport": Opinion(0.71, disabled=0.9, streets=1.6),
}

#: Roles that are made of others: true where one of them is.
ANY: dict[str, tuple[str, ...]] = {
    "violence_any_12m": ("victim_assault_12m", "victim_psychological_12m", "victim_sexual_12m"),
    "harassed_any_12m": ("harassed_nonsexual_12m", "harassed_sexual_12m"),
    "fear_any": ("afraid_avoids_going_out", "afraid_avoids_places", "afraid_avoids_transport"),
    "bribery_any_12m": ("bribe_paid_12m", "bribe_asked_12m"),
}
#: Roles that are made of others: true where all of them are.
ALL: dict[str, tuple[str, ...]] = {"decisions_both": ("decisions_inclusive", "decisions_responsive")}
#: Where harassment of either kind happened, each place on its own; where none of them, it was in a public space.
PLACES: dict[str, float] = {
    "harassed_public_space_12m": 0.55,
    "harassed_transport_12m": 0.30,
    "harassed_work_12m": 0.15,
    "harassed_home_12m": 0.08,
    "harassed_online_12m": 0.25,
}
#: The same question seen as another role: physical violence is what is told of as assault.
SAME = {"victim_physical_12m": "victim_assault_12m", "reported_physical": "reported_assault"}

#: Share of those asked who do not know or do not say; of the roles not named, `_USUALLY`.
NOT_KNOWN = {"victim_sexual_12m": 0.02, "safe_walking_dark": 0.025, "decisions_inclusive": 0.06, "bribe_paid_12m": 0.03}
_USUALLY = 0.006


def not_known(role: str) -> float:
    """Share of those asked who give no usable answer; the same for everybody."""
    if role in PLACES:  # it is enough to leave out one of the two kinds
        return 1 - float(np.prod([1 - not_known(kind) for kind in ANY["harassed_any_12m"]]))
    counted = {crime.times: crime.victim for crime in CRIMES.values()}
    role = counted.get(role, role)
    return NOT_KNOWN.get(SAME.get(role, role), _USUALLY)


@cache
def chances(years: tuple[int, ...]) -> Mapping[str, np.ndarray]:
    """True probability of “yes” in each cell of `residents(years).people`, of those who are asked; acts also as means.

    Examples
    --------
    >>> found = chances((2023, 2025))
    >>> found["victim_robbery_12m"].shape, bool(found["safe_walking_dark"].max() < 1)
    ((2, 40, 2, 4, 5, 4, 2, 2), True)
    """
    who = residents(years)
    found: dict[str, np.ndarray] = {}
    for act, crime in CRIMES.items():
        acts = _acts(act, crime, who)
        found[crime.victim] = acts / crime.times_mean
        if crime.times and crime.reported:
            found |= {crime.times: acts, crime.reported: _along(4, crime.reporting)}
    for role, opinion in OPINIONS.items():
        base = who.people[0] * (found[opinion.asked][0] if opinion.asked else 1.0)
        found[role] = _logistic(opinion, years, base)
    return {role: np.broadcast_to(cells, who.people.shape) for role, cells in found.items()}


def _acts(act: str, crime: Crime, who: Residents) -> np.ndarray:
    """Acts per person and year, such that those reported are, in each cell of the police's truth, the recorded ones."""
    recorded = by_age_group(expected(act, who.years))[..., 1:]
    relative = _along(2, crime.income) * _along(3, crime.orientation) * _along(5, (1.0, crime.disabled))
    reported = (who.people * relative * _along(4, crime.reporting)).sum(axis=(-4, -3, -2, -1))
    acts: np.ndarray = (recorded / reported)[..., None, None, None, None] * relative
    return acts


def _along(axis: int, values: tuple[float, ...]) -> np.ndarray:
    """Values along one of the characteristics, to be broadcast against cells."""
    return np.array(values).reshape([-1 if index == axis else 1 for index in range(len(KINDS))])


def _logistic(opinion: Opinion, years: tuple[int, ...], base: np.ndarray) -> np.ndarray:
    """Probabilities with these odds ratios, and the stated share among `base` people in the first wave."""
    groups = [(1.0, opinion.women), opinion.ages, opinion.income, opinion.orientation]
    groups += [(1.0, opinion.migrant), (1.0, opinion.disabled)]
    person = sum(np.log(_along(axis, odds)) for axis, odds in enumerate(groups))
    wave = np.log(opinion.wave) * (np.arange(len(years)) > 0)
    place = wave[:, None] + np.log(opinion.lamps) * lit(years)
    # the lamps are in the ratings too: their effect here is the stated one, so the quality is that of the first wave
    place = place + np.log(opinion.streets) * street_quality(years)[0]
    line = place[..., None, None, None, None, None, None] + person
    chance: np.ndarray = 1 / (1 + np.exp(-line - _level(line[0], base, opinion.share)))
    return chance


def _level(line: np.ndarray, base: np.ndarray, share: float) -> float:
    """Constant that gives the share: Newton's method, from the share's own log odds."""
    weight, level = base / base.sum(), float(np.log(share / (1 - share)))
    for _ in range(30):
        chance = 1 / (1 + np.exp(-line - level))
        step = ((weight * chance).sum() - share) / (weight * chance * (1 - chance)).sum()
        level -= float(step)
        if abs(step) < 1e-13:
            break
    return level


def place_chance(role: str) -> float:
    """Probability that harassment happened at this place, of those who were harassed."""
    elsewhere = float(np.prod([1 - share for share in PLACES.values()]))
    return PLACES[role] + (elsewhere if role == next(iter(PLACES)) else 0.0)


def asked() -> dict[str, str]:
    """Role → the role of those who are asked, where not everybody is."""
    found = {role: opinion.asked for role, opinion in OPINIONS.items() if opinion.asked}
    found |= {crime.reported: crime.victim for crime in CRIMES.values() if crime.reported}
    found |= {role: found[parts[0]] for role, parts in ANY.items() if parts[0] in found}
    return found | {role: found[other] for role, other in SAME.items() if other in found}


@cache
def survey_truth(years: tuple[int, ...]) -> SurveyTruth:
    """The truth of the survey's waves; the same for every seed."""
    city, who = ground(), residents(years)
    numbers = {EVERYBODY: who.people} | _numbers(years, who.people)
    names = tuple(CHARACTERISTICS)
    tables = tabulate(np.stack(list(numbers.values())), city.district, names)
    codes = {"district": city.district_codes, "neighbourhood": city.codes, **CHARACTERISTICS}
    by_role = {key: dict(zip(numbers, cells, strict=True)) for key, cells in tables.items()}
    unknown = {role: not_known(role) for role in (*chances(years), *PLACES, *SAME)}
    return SurveyTruth(years, codes, asked(), unknown, by_role)


def _numbers(years: tuple[int, ...], people: np.ndarray) -> dict[str, np.ndarray]:
    """Role → expected number of residents (or acts) in each cell."""
    chance = dict(chances(years))
    chance |= {role: 1 - np.prod([1 - chance[part] for part in parts], axis=0) for role, parts in ANY.items()}
    chance |= {role: np.prod([chance[part] for part in parts], axis=0) for role, parts in ALL.items()}
    below = asked()
    numbers = {role: people * cells * (chance[below[role]] if role in below else 1.0) for role, cells in chance.items()}
    numbers |= {role: numbers["harassed_any_12m"] * place_chance(role) for role in PLACES}
    return numbers | {role: numbers[other] for role, other in SAME.items()}
