"""Margins: groups of respondents whose population totals are known, and all that may be wrong with them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import Problem, SafercitiesError, problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Margin:
    """Groups of respondents whose population totals are known. Made by `margin` (from values) or `of_codes`.

    Parameters
    ----------
    name
        Dimension, or dimensions joined by ×.
    codes
        Group of each respondent, a position in `categories`; shape (n,).
    categories
        The groups, as people know them.
    totals
        Size of each group in the population, above 0; shape (groups,).
    """

    name: str
    codes: Ints
    categories: tuple[str, ...]
    totals: Floats

    @property
    def sum(self) -> float:
        """Size of the population."""
        return float(self.totals.sum())

    def of(self, weights: Floats) -> Floats:
        """Sum of weights in each group; shape (groups,)."""
        return np.asarray(np.bincount(self.codes, weights, len(self.totals)), dtype=np.float64)


def margin(name: str, groups: Sequence[Any], totals: Mapping[Any, float], *, file: str = "") -> Margin:
    """A margin from the values of one dimension, or of several that are crossed.

    Parameters
    ----------
    name
        What problems call it.
    groups
        For each dimension the value of each respondent: lists, NumPy or Arrow arrays; shape (n,) each.
    totals
        Population of each value; with several dimensions, of each tuple of values. A group that neither the population
        nor the sample has may be left out, or be 0.

    Raises
    ------
    SafercitiesError
        If a respondent has no value; a total is missing, no number, negative, or 0 for a group that has respondents;
        the sample lacks a group that the population has. All that is wrong is said at once.

    Examples
    --------
    >>> margin("sex", [["F", "M", "F"]], {"F": 510, "M": 490}).totals
    array([510., 490.])
    >>> margin("sex × age", [["F", "M"], [15, 30]], {("F", 15): 9, ("M", 30): 7}).categories
    ('F, 15', 'M, 30')
    """
    import pyarrow as pa

    encoded = [pa.array(group, from_pandas=True).dictionary_encode() for group in groups]
    if missing := sum(one.null_count for one in encoded):
        raise SafercitiesError(problem("calibration-missing", file=file, rows=missing, margin=name))
    codes, used = crossed([one.indices.to_numpy(zero_copy_only=False).astype(np.int64) for one in encoded])
    lists = [one.dictionary.to_pylist() for one in encoded]
    keys = [tuple(values[at] for values, at in zip(lists, row, strict=True)) for row in used.T.tolist()]
    return of_codes(name, codes, [key if len(key) > 1 else key[0] for key in keys], totals, file=file)


def of_codes(
    name: str, codes: Ints, categories: Sequence[Hashable], totals: Mapping[Any, float], *, file: str = ""
) -> Margin:
    """A margin from codes: positions in `categories`, which need not all occur. Parameters and errors as `margin`.

    Examples
    --------
    >>> of_codes("sex", np.array([1, 0, 1]), ["M", "F", "X"], {"F": 510, "M": 490}).of(np.ones(3))
    array([1., 2.])
    """
    if missing := int(np.count_nonzero(codes < 0)):
        raise SafercitiesError(problem("calibration-missing", file=file, rows=missing, margin=name))
    seen = np.bincount(codes, minlength=len(categories))
    if wrong := list(_margin_problems(name, dict(zip(categories, seen.tolist(), strict=True)), totals, file)):
        raise SafercitiesError(wrong)
    kept = np.flatnonzero(seen > 0)
    position = np.zeros(len(categories), dtype=np.int64)
    position[kept] = np.arange(len(kept))
    names = [categories[at] for at in kept.tolist()]
    sizes = np.array([float(totals[one]) for one in names])
    return Margin(name, position[codes], tuple(_plain(one) for one in names), sizes)


def _plain(category: Hashable) -> str:
    return ", ".join(map(str, category)) if isinstance(category, tuple) else str(category)


def _margin_problems(name: str, seen: Mapping[Any, int], totals: Mapping[Any, float], file: str) -> list[Problem]:
    """All that keeps a margin from being reached."""
    called: dict[str, Any] = {"file": file, "margin": name}
    found = []
    for category, total in totals.items():
        respondents, label = seen.get(category, 0), _plain(category)
        if not isinstance(total, Real) or not np.isfinite(float(total)) or total < 0:
            found.append(problem("calibration-total", **called, category=label, given=total))
        elif total == 0 and respondents:
            found.append(problem("calibration-total-zero", **called, category=label, respondents=respondents))
        elif total > 0 and not respondents:
            found.append(problem("calibration-no-sample", **called, category=label, given=f"{total:g}"))
    return found + [
        problem("calibration-no-total", **called, value=_plain(category), respondents=respondents)
        for category, respondents in seen.items()
        if respondents and category not in totals
    ]


def crossed(codes: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The combination of codes of each row; and the codes of each combination that occurs, shape (margins, cells)."""
    cell = np.zeros(len(codes[0]), dtype=np.int64)
    for one in codes:
        cell = np.unique(cell * (int(one.max(initial=0)) + 1) + one, return_inverse=True)[1].astype(np.int64)
    first = np.unique(cell, return_index=True)[1]
    return cell, np.stack([one[first] for one in codes])
