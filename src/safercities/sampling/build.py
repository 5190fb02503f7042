"""Makes a design from its columns: checks weights, strata, PSUs and population sizes; puts the rows in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.sampling.choices import check_choice
from safercities.sampling.design import Design
from safercities.sampling.estimators import Sample
from safercities.sampling.spec import MOST, Lonely
from safercities.sampling.table import Respondents
from safercities.sampling.units import Floats, Ints, Units, make_units


def build(
    respondents: Respondents,
    weight: str | None,
    strata: str | None,
    psu: str | None,
    stages: Sequence[str],
    fpc: Sequence[str],
    nested: bool,
    lonely: Lonely,
    certainty: str | None,
) -> Design:
    """The design that `survey` describes."""
    check_choice("rule for lonely PSUs", lonely, get_args(Lonely))
    names = (psu, *stages) if psu else tuple(stages)
    if len(fpc) > max(len(names), 1):
        raise UsageError(problem("survey-fpc-stages", file=respondents.file, sizes=len(fpc), stages=max(len(names), 1)))
    weights = _weights(respondents, weight)
    if not len(respondents) or (weights is not None and not (weights > 0).any()):
        raise SafercitiesError(problem("survey-empty", file=respondents.file))
    ids, labels = _ids(respondents, strata, names, nested)
    sizes = [respondents.own_numbers(name) for name in fpc]
    if certainty is not None:
        ids, sizes, labels = _certain(respondents, certainty, ids, sizes, labels)
    if not fpc and (ids[0] == ids[0][0]).all() and (ids[1] == ids[1][0]).all():
        raise SafercitiesError(problem("survey-one-psu", file=respondents.file, column=psu or ""))
    depth = 2 if not fpc else len(ids)  # without population sizes only the first stage counts
    given: list[Floats | None] = [*sizes, *[None] * (len(ids) - 1 - len(sizes))]
    units, order, unit = make_units(ids[:depth], given, labels, lonely, file=respondents.file, column=strata or "")
    if units.psus == 1 and not (fpc and units.stages[0].scale[0] == 0):
        raise SafercitiesError(problem("survey-one-psu", file=respondents.file, column=psu or ""))
    ordered = _from_sizes(units, given, unit, order) if weights is None else weights[order]
    if not (ordered > 0).all():  # they count for nothing, but the units that they were drawn in stay in the design
        counted = ordered > 0
        order, unit, ordered = order[counted], unit[counted], ordered[counted]
    respondents.rows = None if np.array_equal(order, np.arange(len(respondents))) else order
    return Design(respondents, Sample(units, unit, ordered))


def _from_sizes(units: Units, sizes: Sequence[Floats | None], unit: Ints, order: Ints) -> Floats:
    """Weights of the rows in the order of the units, as the population sizes make them."""
    made = np.ones(len(unit))
    for stage, size in zip(units.stages, sizes, strict=False):
        if size is not None:
            at = np.searchsorted(stage.starts, unit, side="right") - 1
            drawn = stage.drawn[stage.group_of[at]]
            given = size[order]
            share = (given < 1) | ((given == 1) & (drawn > 1))
            made *= np.where(np.isinf(given), 1, np.where(share, 1 / given, given / drawn))  # inf: all of a certain PSU
    return made


def _weights(respondents: Respondents, name: str | None) -> Floats | None:
    """Weights in the order of the table; None where there is no column."""
    if name is None:
        return None
    weights = respondents.own_numbers(name, "survey-weight-text")
    if missing := int(np.isnan(weights).sum()):
        raise SafercitiesError(_at(respondents, "survey-weight-missing", name, np.isnan(weights), rows=missing))
    wrong = (weights < 0) | np.isinf(weights)
    if wrong.any():
        raise SafercitiesError(_at(respondents, "survey-weight-negative", name, wrong, rows=int(wrong.sum())))
    wrong = (weights > MOST) | ((weights > 0) & (weights < 1 / MOST))
    if wrong.any():
        raise SafercitiesError(_at(respondents, "survey-weight-size", name, wrong, rows=int(wrong.sum())))
    return weights


def _at(respondents: Respondents, code: str, column: str, where: NDArray[np.bool_], **details: Any) -> Problem:
    """A problem with a column, at the first row where it is met: counted from 1, of a CSV file as spreadsheets do."""
    row = int(np.flatnonzero(where)[0]) + respondents.first_row
    return problem(code, file=respondents.file, column=column, row=row, **details)


def _codes(respondents: Respondents, name: str, unit: str) -> tuple[Ints, list[str]]:
    codes, labels = respondents.own_codes(name)
    if missing := int((codes < 0).sum()):
        raise SafercitiesError(_at(respondents, "survey-id-missing", name, codes < 0, rows=missing, unit=unit))
    used, moved = np.unique(codes, return_inverse=True)
    return moved, [labels[one] for one in used.tolist()]


def _ids(
    respondents: Respondents, strata: str | None, names: Sequence[str], nested: bool
) -> tuple[list[Ints], list[str]]:
    """Codes of stratum, PSU and further units, and the names of the strata."""
    count = len(respondents)
    if strata is None:
        stratum, labels = np.zeros(count, dtype=np.int64), ["all"]
    else:
        stratum, labels = _codes(respondents, strata, "stratum")
    ids = [stratum]
    for number, name in enumerate(names):
        codes, texts = _codes(respondents, name, "PSU" if number == 0 else "unit")
        if number == 0 and not nested:
            _one_stratum(respondents, name, stratum, labels, codes, texts)
        ids.append(codes)
    return (ids if names else [*ids, np.arange(count)]), labels


def _one_stratum(
    respondents: Respondents, name: str, stratum: Ints, labels: Sequence[str], psu: Ints, texts: Sequence[str]
) -> None:
    """Refuse a PSU that lies in two strata."""
    low, high = np.full(len(texts), len(labels)), np.full(len(texts), -1)
    np.minimum.at(low, psu, stratum)
    np.maximum.at(high, psu, stratum)
    if wrong := np.flatnonzero(low != high).tolist():
        one, two = labels[low[wrong[0]]], labels[high[wrong[0]]]
        code = "survey-psu-strata"
        raise SafercitiesError(problem(code, file=respondents.file, column=name, psu=texts[wrong[0]], one=one, two=two))


def _certain(
    respondents: Respondents,
    name: str,
    ids: list[Ints],
    sizes: list[Floats],
    labels: list[str],
) -> tuple[list[Ints], list[Floats], list[str]]:
    """PSUs taken with certainty become strata, and their units of the next stage (or respondents) their PSUs."""
    given = respondents.own_numbers(name)
    if wrong := int(np.sum((given != 0) & (given != 1))):
        raise SafercitiesError(problem("survey-certainty", file=respondents.file, column=name, name=name, rows=wrong))
    sure = given == 1
    count = len(sure)
    whole = len(ids) > 2 and len(sizes) == len(ids) - 1  # sizes say all of every stage: below the last there is none
    deeper = [*ids[2:], ids[-1] if whole else np.arange(count)]
    stratum, psu = ids[0], ids[1]
    pair = stratum * (int(psu.max()) + 1) + psu
    own, moved = np.unique(pair[sure], return_inverse=True)
    first = np.flatnonzero(sure)
    names = [f"{labels[int(stratum[first[moved == one][0]])]} / certainty {one + 1}" for one in range(len(own))]
    new_stratum = stratum.copy()
    new_stratum[sure] = len(labels) + moved
    shifted = [np.where(sure, deep + int(up.max()) + 1, up) for up, deep in zip(ids[1:], deeper, strict=True)]
    later = [*sizes[1:], np.full(count, 1.0 if whole else np.inf)]  # one longer than sizes where there are none
    moved_sizes = [np.where(sure, after, size) for size, after in zip(sizes, later, strict=False)]
    used, compact = np.unique(new_stratum, return_inverse=True)
    everything = [*labels, *names]
    return [compact, *shifted], moved_sizes, [everything[one] for one in used.tolist()]
