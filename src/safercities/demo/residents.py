"""Who lives in the synthetic city, aged 15 and over: how many of each kind, and in households of which size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from safercities.demo.shape import ground
from safercities.demo.truth import AGES, SEXES, by_age_group, people, place_risk

#: Characteristics of a resident and their codes, in the order of the axes of every array of residents.
CHARACTERISTICS: dict[str, tuple[str, ...]] = {
    "sex": SEXES,
    "age": AGES[1:],
    "income": ("Q1", "Q2", "Q3", "Q4", "Q5"),
    "orientation": ("HETEROSEXUAL", "GAY_LESBIAN", "BISEXUAL", "_O"),
    "migration": ("NONMIGRANT", "MIGRANT"),
    "disability": ("WITHOUT", "WITH"),
}
#: Shape of one neighbourhood's cells: the characteristics above.
KINDS = tuple(map(len, CHARACTERISTICS.values()))
#: Household sizes: people aged 15 and over. One of them answers the survey.
SIZES = (1, 2, 3, 4)

_ORIENTATION = np.array(
    [[0.88, 0.03, 0.07, 0.02], [0.92, 0.03, 0.04, 0.01], [0.95, 0.02, 0.02, 0.01], [0.97, 0.015, 0.01, 0.005]]
)
_DISABLED = np.array([0.03, 0.04, 0.09, 0.26])
#: Odds-like weights of the sizes: old people live alone more often, poor people in larger households.
_SIZE_BY_AGE = np.array([[4, 25, 35, 36], [14, 40, 26, 20], [10, 45, 28, 17], [26, 52, 14, 8]], dtype=float)
_SIZE_BY_INCOME = np.exp(np.array([0.22, 0.1, 0.0, -0.1, -0.22])[:, None] * np.arange(len(SIZES)))


@dataclass(frozen=True)
class Residents:
    """Residents aged 15 and over in some years.

    Parameters
    ----------
    years
        The years.
    people
        How many, shape (years, neighbourhoods, sexes, ages, incomes, orientations, migratory statuses, disabilities).
    household
        Share of each household size among people of an age and income, shape (ages, incomes, sizes).
    """

    years: tuple[int, ...]
    people: np.ndarray
    household: np.ndarray

    def sizes(self) -> np.ndarray:
        """Share of each household size in each cell of `people` without its first two axes; shape (*KINDS, sizes)."""
        shares = self.household[None, :, :, None, None, None, :]
        spread: np.ndarray = np.broadcast_to(shares, (*KINDS, len(SIZES)))
        return spread


@cache
def residents(years: tuple[int, ...]) -> Residents:
    """The residents, the same on every call: those of the censuses, spread over income, orientation and the rest.

    Examples
    --------
    >>> found = residents((2023,))
    >>> found.people.shape, round(found.people.sum())
    ((1, 40, 2, 4, 5, 4, 2, 2), 732994)
    """
    counted = by_age_group(people(years))[..., 1:]
    shares = np.einsum("pi,ao,pm,ad->paiomd", _incomes(), _ORIENTATION, _migrants(), _yes_no(_DISABLED))
    cells = counted[..., None, None, None, None] * shares[None, :, None]
    household = _SIZE_BY_AGE[:, None, :] * _SIZE_BY_INCOME[None]
    return Residents(years, cells, household / household.sum(axis=-1, keepdims=True))


def _incomes() -> np.ndarray:
    """Share of each fifth in each neighbourhood; (neighbourhoods, incomes). Where crime is high, more are poor."""
    tilt = np.exp(-0.28 * place_risk("assault")[:, None] * (np.arange(5) - 2))
    shares: np.ndarray = tilt / tilt.sum(axis=1, keepdims=True)
    return shares


def _migrants() -> np.ndarray:
    """Share of migrants in each neighbourhood, 3 % to 25 %; shape (neighbourhoods, 2)."""
    rng = np.random.default_rng([1976, 50])
    return _yes_no(np.clip(0.10 * np.exp(0.5 * rng.normal(size=len(ground().codes))), 0.03, 0.25))


def _yes_no(yes: np.ndarray) -> np.ndarray:
    return np.stack([1 - yes, yes], axis=-1)


def waves(years: Sequence[int]) -> tuple[int, int]:
    """The two years of the survey and of the audits: the second of the city's years, and the last.

    Examples
    --------
    >>> waves((2022, 2023, 2024, 2025))
    (2023, 2025)
    """
    return years[1], years[-1]
