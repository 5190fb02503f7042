"""World standard populations and how they are put together to age groups."""

from __future__ import annotations

import pytest

from safercities.measure.standards import standard_population, standards, weights
from safercities.model.dimensions import age_codes
from safercities.model.errors import SafercitiesError, UsageError

# Ahmad et al. (2001), table 4: per cent, as printed (they add up to 100.035)
WHO_PRINTED = [8.86, 8.69, 8.60, 8.47, 8.22, 7.93, 7.61, 7.15, 6.59, 6.04, 5.37, 4.55, 3.72, 2.96, 2.21, 1.52, 0.91]
WHO_PRINTED += [0.44, 0.15, 0.04, 0.005]


@pytest.mark.parametrize("code", ["who", "segi"])
def test_they_add_up(code: str) -> None:
    assert sum(standard_population(code).people) == pytest.approx(100_000, abs=1e-6)


def test_who_is_the_printed_table_rescaled() -> None:
    rescaled = [1000 * share / 1.00035 for share in WHO_PRINTED]
    assert standard_population("who").people == pytest.approx(rescaled, abs=0.06)


@pytest.mark.parametrize("bins", [[0], [0, 15, 25, 35, 60], list(range(0, 85, 5)), [0, 5, 85]])
def test_groups_keep_everybody(bins: list[int]) -> None:
    for code in standards():
        assert weights(code, age_codes(bins)).sum() == pytest.approx(100_000)


def test_order_of_the_groups_is_kept() -> None:
    assert weights("segi", ["Y_GE35", "Y0T14", "Y15T34"]).tolist() == [38000, 31000, 31000]


@pytest.mark.parametrize(
    "ages",
    [["Y0T17", "Y_GE18"], ["Y0T14", "Y_GE25"], ["Y15T24", "Y_GE25"], ["Y0T14"], [], ["Y0T14", "Y10T24", "Y_GE25"]],
)
def test_groups_that_do_not_fit(ages: list[str]) -> None:
    with pytest.raises(SafercitiesError, match="cannot be put on"):
        weights("who", ages)


def test_unknown_standard() -> None:
    with pytest.raises(UsageError, match="who, segi"):
        weights("europe", ["_T"])
