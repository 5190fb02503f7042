"""Reads protected survey estimates as the public will, and says which domains look too narrow to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.attack_surveys import Attack
from safercities.disclose.suppress import default_width
from safercities.disclose.survey_attack import Seen, constraints, guess
from safercities.disclose.survey_groups import Group
from safercities.disclose.survey_proof import Proof, Sample
from safercities.disclose.survey_rows import Domain, Table
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def narrow_to_the_public(
    shown: Estimates,
    table: Table,
    group: Group,
    minimum: Integers,
    rounded_for: Integers,
    width: int | None,
    places: Sequence[Place],
) -> list[int]:
    """Positions of the members of which anything looks narrow to somebody who takes the sample to weigh itself.

    The proof is about the true numbers of respondents. The public sees weighted shares, and an attacker who takes them
    for unweighted ones finds other limits: wrong ones, but nobody can tell these from right ones, and so neither can
    the attack that a release must stand. What it would find is therefore withheld as well.

    Parameters
    ----------
    shown
        The estimates as they would be published.
    table
        The same as arrays.
    minimum, rounded_for
        Least count of each member, and the width its rounding was made for.
    width
        As the rules have it; None: the default of all tables.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end.
    """
    wanted = default_width(minimum) if width is None else np.full(len(minimum), width, dtype=np.int64)
    attack = Attack(shown, table, group, minimum, wanted, rounded_for, places, _named)

    def others(seen: Seen) -> list[Floats]:
        return samples(group, seen, wanted)

    return sorted({attack.domain(one.aim) for one in attack.run(others).pinned})


def samples(group: Group, seen: Seen, width: Integers) -> list[Floats]:
    """Samples in whole numbers that agree with what is seen, far apart in as many domains as can be; none of ties.

    They are found around one of them in the way of the proof, which is much quicker than to ask of each domain by
    itself. Whoever uses them asks whether they agree with everything known.
    """
    if group.ties is not None or not len(group.members):
        return []
    system = constraints(group.leaves, seen)
    first = guess([(system.matrix, system.lower, system.upper)], system.most)
    if first is None:
        return []
    x, y = (np.rint(group.leaves.sums @ half).astype(np.int64) for half in np.split(first, 2))
    proof = Proof(Sample(group.name, group.leaves, x, y, width, seen.cases, group.whole), first)
    proof.proved(seen, brief=False, thorough=False)
    return proof.worlds


def _named(one: Domain) -> str:
    return " ".join((*one.series, *one.key))
