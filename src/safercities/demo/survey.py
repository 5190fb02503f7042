"""Draws the survey of the synthetic city: blocks, one person in each of some households, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from safercities.demo.answers import ANY, CRIMES, OPINIONS, PLACES, SAME, chances, not_known
from safercities.demo.residents import KINDS, SIZES, residents
from safercities.demo.shape import ground
from safercities.demo.truth import CENSUS_AGES, people

#: Blocks drawn in each district (a stratum), and the fewest and most interviews in a block and wave.
BLOCKS = 20
INTERVIEWS = (14, 24)
#: A quarter of the blocks has more than its share of each thing that happens, three quarters less: the others' gap × 3.
FEW = 0.25
_EFFECT, _ROOM = 0.6, 0.12


@dataclass(frozen=True)
class Sample:
    """The interviews, one entry each, in the order wave, district, block.

    Parameters
    ----------
    year
        The wave.
    district, place
        Index of the stratum and of the neighbourhood.
    block
        Number of the block (PSU) in its district, from 0. The same blocks are visited in each wave.
    weight
        How many residents aged 15 and over the person stands for.
    kind
        Index of each characteristic (`CHARACTERISTICS`), shape (interviews, 6).
    age
        Years of age.
    household
        People aged 15 and over in the household.
    answers
        Role → 1 or 0, or a number; nan where the person is not asked, or gives no usable answer.
    not_known
        Role → whether the person is asked and gives no usable answer.
    """

    year: np.ndarray
    district: np.ndarray
    place: np.ndarray
    block: np.ndarray
    weight: np.ndarray
    kind: np.ndarray
    age: np.ndarray
    household: np.ndarray
    answers: Mapping[str, np.ndarray]
    not_known: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.year)


def draw_survey(seed: int, years: tuple[int, ...]) -> Sample:
    """Draw the interviews of the waves.

    In each district 20 blocks are drawn with replacement, in proportion to the residents of the neighbourhoods; in each
    block and wave 14 to 24 households, all alike; in each household one person. A resident's weight is the inverse of
    the expected number of interviews, so weighted totals are unbiased for the truth.

    Parameters
    ----------
    seed
        Seed of the draws; the truth does not depend on it.
    years
        The waves.

    Examples
    --------
    >>> sample = draw_survey(1, (2023, 2025))
    >>> 5_500 < len(sample) < 6_700, round(sample.weight[sample.year == 2023].sum(), -5)
    (True, np.float64(700000.0))
    """
    rng = np.random.default_rng([seed, 2000])
    place = _blocks(rng)
    interviews = rng.integers(INTERVIEWS[0], INTERVIEWS[1] + 1, (len(years), place.size))
    wave, unit = (np.repeat(part.ravel(), interviews.ravel()) for part in np.indices(interviews.shape))
    cell, household = _people(rng, years, wave, place[unit])
    kind = np.column_stack(np.unravel_index(cell, KINDS))
    answers, unknown = _answers(rng, years, wave, unit, place, cell)
    return Sample(
        year=np.asarray(years)[wave],
        district=ground().district[place[unit]],
        place=place[unit],
        block=unit % BLOCKS,
        weight=_weights(years, wave, place[unit], household, interviews[wave, unit]),
        kind=kind,
        age=_ages(rng, years, wave, place[unit], kind),
        household=household,
        answers=answers,
        not_known=unknown,
    )


def _blocks(rng: np.random.Generator) -> np.ndarray:
    """Neighbourhood of each block, by district; the chances follow the residents of a year between the waves' ones."""
    size = _block_sizes()
    districts = ground().district
    draws = []
    for district in range(districts.max() + 1):
        mine = np.flatnonzero(districts == district)
        draws.append(np.sort(rng.choice(mine, BLOCKS, p=size[mine] / size[mine].sum())))
    return np.concatenate(draws)


@cache
def _block_sizes() -> np.ndarray:
    """Residents of each neighbourhood by which blocks are drawn: those of the first census, aged 15 and over."""
    size: np.ndarray = people([2020])[0][..., 3:].sum(axis=(1, 2))
    return size


@cache
def _cells(years: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Running shares of households by kind of their drawn person, and people per household.

    Returns
    -------
    tuple
        Running shares, shape (years, neighbourhoods, cells of KINDS × sizes); households per wave and neighbourhood,
        shape (years, neighbourhoods).
    """
    who = residents(years)
    drawn = who.sizes() / np.array(SIZES)  # a person of a household of 3 is drawn in a third of the draws
    households = (who.people[..., None] * drawn).reshape(*who.people.shape[:2], -1)
    total = households.sum(axis=-1)
    return np.cumsum(households, axis=-1) / total[..., None], total


def _people(
    rng: np.random.Generator, years: tuple[int, ...], wave: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The person drawn in each household: index of the kind, and size of the household."""
    running, _ = _cells(years)
    row = wave * running.shape[1] + place
    steps = running.reshape(-1, running.shape[-1])
    # row r takes the numbers from 2 r to 2 r + 1, so that one search serves all rows
    at = np.searchsorted((steps + 2 * np.arange(len(steps))[:, None]).ravel(), rng.random(len(row)) + 2 * row, "right")
    cell = np.minimum(at - row * steps.shape[1], steps.shape[1] - 1)
    return cell // len(SIZES), np.array(SIZES)[cell % len(SIZES)]


def _weights(
    years: tuple[int, ...], wave: np.ndarray, place: np.ndarray, household: np.ndarray, interviews: np.ndarray
) -> np.ndarray:
    """Inverse of the expected number of interviews: of the block, of the household in it, of the person in that."""
    size, district = _block_sizes(), ground().district
    chance = size / np.bincount(district, weights=size)[district]
    _, households = _cells(years)
    weight: np.ndarray = households[wave, place] * household / (BLOCKS * chance[place] * interviews)
    return weight


def _ages(
    rng: np.random.Generator, years: tuple[int, ...], wave: np.ndarray, place: np.ndarray, kind: np.ndarray
) -> np.ndarray:
    """Years of age: a five-year group of the census within the age group, and any of its years."""
    counts = people(years)
    running = np.concatenate([np.zeros((*counts.shape[:3], 1)), np.cumsum(counts, axis=-1)], axis=-1)
    mine = running[wave, place, kind[:, 0]]
    edges = np.searchsorted(CENSUS_AGES, [15, 25, 35, 60, 200])
    low, high = (np.take_along_axis(mine, edges[kind[:, 1] + part][:, None], axis=1)[:, 0] for part in (0, 1))
    at = low + rng.random(len(low)) * (high - low)
    group = (mine[:, 1:] <= at[:, None]).sum(axis=1)
    age: np.ndarray = np.array(CENSUS_AGES)[np.minimum(group, len(CENSUS_AGES) - 1)] + rng.integers(0, 5, len(low))
    return age


def _answers(
    rng: np.random.Generator,
    years: tuple[int, ...],
    wave: np.ndarray,
    unit: np.ndarray,
    place: np.ndarray,
    cell: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What each person answers to each role, and where no usable answer is given."""
    chance = chances(years)
    row = (wave, place[unit], cell)
    mine = {role: cells.reshape(*cells.shape[:2], -1)[row] for role, cells in chance.items()}
    true: dict[str, np.ndarray] = {}
    for crime in CRIMES.values():
        true[crime.victim] = _happens(rng, mine[crime.victim], unit, place.size)
        if crime.times and crime.reported:
            number = 1 + rng.choice(len(crime.times_share), len(unit), p=crime.times_share)
            true[crime.times] = true[crime.victim] * number
            true[crime.reported] = _if_asked(true[crime.victim], rng.random(len(unit)) < mine[crime.reported])
    for role, opinion in OPINIONS.items():
        if opinion.asked:
            true[role] = _if_asked(true[opinion.asked], rng.random(len(unit)) < mine[role])
        else:
            true[role] = _happens(rng, mine[role], unit, place.size)
    unknown = {role: ~np.isnan(said) & (rng.random(len(unit)) < not_known(role)) for role, said in true.items()}
    _follow(unknown, true)
    _harassed_where(rng, true, unknown)
    said = {role: np.where(unknown[role], np.nan, true[role]) for role in true}
    return said | {role: said[other] for role, other in SAME.items()}, unknown


def _happens(rng: np.random.Generator, chance: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """1 or 0, with the given chances over all blocks, but more or less in each block."""
    block = np.where(rng.random(units) < FEW, 1 / FEW - 1, -1.0)  # mean 0
    room = np.minimum(_EFFECT * chance, _ROOM * (1 - chance))
    yes: np.ndarray = rng.random(len(unit)) < chance + block[unit] * room
    return yes.astype(float)


def _if_asked(yes: np.ndarray, answer: np.ndarray) -> np.ndarray:
    return np.where(yes == 1, answer.astype(float), np.nan)


def _follow(unknown: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> None:
    """Who does not say whether it happened is not asked how often, nor whether it was reported."""
    for crime in CRIMES.values():
        if crime.times and crime.reported:
            unknown[crime.times] = unknown[crime.victim]
            true[crime.reported][unknown[crime.victim]] = np.nan
            unknown[crime.reported] &= ~unknown[crime.victim]
    for role, opinion in OPINIONS.items():
        if opinion.asked:
            true[role][unknown[opinion.asked]] = np.nan
            unknown[role] &= ~unknown[opinion.asked]


def _harassed_where(rng: np.random.Generator, true: dict[str, np.ndarray], unknown: dict[str, np.ndarray]) -> None:
    """Where harassment happened, each place on its own; not known of people who leave out one of the two kinds."""
    kinds = ANY["harassed_any_12m"]
    harassed = np.any([true[role] == 1 for role in kinds], axis=0)
    silent = np.any([unknown[role] for role in kinds], axis=0)
    there = rng.random((len(PLACES), len(harassed))) < np.array(list(PLACES.values()))[:, None]
    there[0] |= ~there.any(axis=0)
    for role, here in zip(PLACES, there, strict=True):
        true[role], unknown[role] = (harassed & here).astype(float), silent


def weighted_total(sample: Sample, role: str, chosen: np.ndarray | None = None) -> float:
    """Weighted sum of the usable answers, of the chosen interviews."""
    mine = slice(None) if chosen is None else chosen
    return float(np.nansum(sample.answers[role][mine] * sample.weight[mine]))
