"""Which indicators hold which others, by the acts that their definitions count: each sum of kinds of acts is a fact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safercities.indicators.numerators import Acts, Compared
from safercities.indicators.spec import Indicator, Version
from safercities.model.dimensions import UNKNOWN, code_list

Ints = NDArray[np.int64]
#: (indicator, version) → definition.
Definitions = Mapping[tuple[str, str], Version]


@dataclass(frozen=True)
class Kinds:
    """The kinds of cases that some indicators tell apart: each kind is counted by the same of them.

    Parameters
    ----------
    of
        Indicator → positions of the kinds that it counts.
    counted
        Kind → the indicators that count it.
    """

    of: Mapping[str, Ints]
    counted: tuple[tuple[str, ...], ...]

    @classmethod
    def single(cls, indicator: str) -> Kinds:
        """The one kind of an indicator that nothing is known of."""
        return cls({indicator: np.zeros(1, dtype=np.int64)}, ((indicator,),))

    @classmethod
    def of_acts(cls, acts: Mapping[str, Acts]) -> Kinds:
        """The kinds that there can be: a source may hold any act of the code list, or that a definition names.

        Examples
        --------
        >>> theft = Acts(acts=["0502"], units=["victims"])
        >>> Kinds.of_acts({"theft": theft, "of cars": Acts(acts=["050211"], units=["victims"])}).counted
        (('theft',), ('theft', 'of cars'))
        """
        codes = {code.code for code in code_list("ICCS")} - {UNKNOWN}
        codes |= {act for one in acts.values() for act in one.acts}
        found = {tuple(name for name, one in acts.items() if one.counts(code)) for code in codes} - {()}
        counted = tuple(sorted(found, key=lambda one: (len(one), one)))
        of = {name: np.array([at for at, one in enumerate(counted) if name in one], dtype=np.int64) for name in acts}
        return cls(of, counted)

    def word(self, at: int, labels: Mapping[str, str]) -> str:
        """What to call a kind: what it is, and what of the others it is not."""
        mine = self.counted[at]
        inside = [name for name in self.of if name not in mine and set(self.of[name]) & set(_within(self, mine))]
        said = " and ".join(labels.get(name, name) for name in mine)
        return f"{said} but not {', '.join(labels.get(name, name) for name in inside)}" if inside else said


def _within(kinds: Kinds, names: Sequence[str]) -> list[int]:
    """Kinds that all of these indicators count."""
    return [at for at, one in enumerate(kinds.counted) if set(names) <= set(one)]


def definitions_of(indicators: Iterable[Indicator]) -> dict[tuple[str, str], Version]:
    """All versions of some indicators."""
    return {(one.code, version.version): version for one in indicators for version in one.versions}


def acts_of(code: str, versions: Iterable[str], definitions: Definitions) -> Acts | None:
    """The acts that an indicator counts in some versions; None where that is not known, or not the same in all."""
    found = []
    for version in sorted(set(versions)):
        known = definitions.get((code, version))
        if known is None or not isinstance(known.numerator, Acts):
            return None
        found.append(known.numerator)
    same = all((one.acts, one.without) == (found[0].acts, found[0].without) for one in found)
    return found[0] if found and same else None


def recorded_of(code: str, version: str, definitions: Definitions) -> str | None:
    """The indicator of recorded cases that is compared with a survey's; None where it is no such comparison."""
    known = definitions.get((code, version))
    return known.numerator.recorded if known is not None and isinstance(known.numerator, Compared) else None


def overlapping(acts: Mapping[str, Acts]) -> list[tuple[str, ...]]:
    """Indicators in groups: those that count some act in common, directly or by way of others, are in one.

    Examples
    --------
    >>> acts = {name: Acts(acts=[code], units=["victims"]) for name, code in
    ...         {"theft": "0502", "robbery": "0401", "of cars": "050211"}.items()}
    >>> overlapping(acts)
    [('theft', 'of cars'), ('robbery',)]
    """
    groups: list[set[str]] = [{name} for name in acts]
    for counted in Kinds.of_acts(acts).counted if len(acts) > 1 else ():
        joined = [group for group in groups if group & set(counted)]
        merged = set[str]().union(*joined)
        groups = [merged if group is joined[0] else group for group in groups if group not in joined[1:]]
    return [tuple(name for name in acts if name in group) for group in groups]
