"""Reads protected survey estimates as the public will, and says which domains look too narrow to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.attack_surveys import Attack
from safercities.disclose.suppress import default_width
from safercities.disclose.survey_groups import Group
from safercities.disclose.survey_rows import Domain, read
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Integers = NDArray[np.int64]


def narrow_to_the_public(
    shown: Estimates,
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
    minimum, rounded_for
        Least count of each member, and the width its rounding was made for.
    width
        As the rules have it; None: the default of all tables.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end.
    """
    table = read(shown, int(minimum.min()))
    wanted = default_width(minimum) if width is None else np.full(len(minimum), width, dtype=np.int64)
    attack = Attack(shown, table, group, minimum, wanted, rounded_for, places, _named)
    return sorted({attack.domain(one.aim) for one in attack.run().pinned})


def _named(one: Domain) -> str:
    return " ".join((*one.series, *one.key))
