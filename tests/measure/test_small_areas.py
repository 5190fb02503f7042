"""Fay–Herriot rows beside direct survey estimates: which rows, from which variances, and what is cut or left out."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from safercities.measure.small_areas import fay_herriot_rows, rests_on
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.sampling.small_areas import fay_herriot

WARDS = [f"w{k:02}" for k in range(10)]
TREE = Hierarchy([Place("c", "C", "city"), *(Place(ward, ward, "ward", "c") for ward in WARDS)])
VALUES = [9.0, 22.0, 14.0, 11.0, 30.0, 12.0, 16.0, 0.0]
SE = [3.0, 7.0, 4.0, 3.0, 9.0, 5.0, 4.0, 0.0]
N = [40, 30, 60, 55, 25, 40, 70, 20]
SAME = {
    "indicator": "i",
    "version": "1",
    "period": "2023",
    "unit": "%",
    "method": "proportion",
    "source": "s",
    "df": 9.0,
}


def make(values: list[float] = VALUES, se: list[float] = SE, **more: Any) -> list[dict[str, Any]]:
    rows = zip(WARDS, values, se, N, strict=False)
    return [SAME | {"place": ward, "value": value, "se": s, "n": n} | more for ward, value, s, n in rows]


def pooled(n: list[int] = N, se: list[float] = SE) -> np.ndarray:
    sizes = np.array(n[: len(se)], float)
    return (sizes**2 * np.square(se)).sum() / sizes.sum() / sizes


def test_rows_are_those_of_the_model_with_pooled_variances() -> None:
    made = fay_herriot_rows(Estimates.from_rows(make()), TREE)
    expected = fay_herriot(VALUES, pooled())
    assert len(made) == 10
    for at, ward in enumerate(WARDS[:8]):
        row = made.where(place=ward).only()
        assert row["value"] == pytest.approx(expected.eblup[at])
        assert row["se"] == pytest.approx(np.sqrt(expected.mse[at]))
        half = 1.959963984540054 * row["se"]
        assert (row["lower"], row["upper"]) == (
            pytest.approx(max(row["value"] - half, 0)),
            pytest.approx(row["value"] + half),
        )
        assert (row["method"], row["quality"], row["obs_status"]) == ("Fay–Herriot (REML)", "smoothed", "A")
        assert (row["n"], row["df"], row["verdict"], row["source"], row["version"]) == (N[at], None, None, "s", "1")
        assert row["note"].startswith(f"direct estimate weighs {expected.gamma[at]:.2f}; model of 8 areas")
    for ward in WARDS[8:]:
        row = made.where(place=ward).only()
        assert row["value"] == pytest.approx(expected.beta[0])
        assert (row["quality"], row["obs_status"], row["n"]) == ("smoothed synthetic", "I", None)
        assert row["note"] == "no usable direct estimate: what the model expects; model of 8 areas"


def test_direct_variances_take_the_pooled_one_where_they_are_0() -> None:
    made = fay_herriot_rows(Estimates.from_rows(make()), TREE, variances="direct")
    variance = np.square(SE)
    variance[7] = pooled()[7]
    expected = fay_herriot(VALUES, variance)
    assert [row["value"] for row in made.where(place=WARDS[:8]).rows()] == pytest.approx(expected.eblup.tolist())


def test_one_sampling_unit_tells_no_variance() -> None:
    rows = make()
    rows[2] |= {"quality": "single_psu", "se": 0.0}
    made = fay_herriot_rows(Estimates.from_rows(rows), TREE)
    keep = [k for k in range(8) if k != 2]
    expected = fay_herriot([VALUES[k] for k in keep], pooled([N[k] for k in keep], [SE[k] for k in keep]))
    assert made.where(place="w02").only()["quality"] == "smoothed synthetic"
    assert made.where(place="w00").only()["value"] == pytest.approx(expected.eblup[0])


@pytest.mark.parametrize(("areas", "rows"), [(5, 0), (6, 10)])
def test_a_model_needs_six_areas(areas: int, rows: int) -> None:
    assert len(fay_herriot_rows(Estimates.from_rows(make()[:areas]), TREE)) == rows


@pytest.mark.parametrize(
    "other",
    [
        {"df": None},
        {"quality": "smoothed"},
        *({"unit": unit} for unit in ("victims", "people", "households", "events")),
    ],
)
def test_rows_that_are_no_direct_shares_are_not_modelled(other: dict[str, Any]) -> None:
    assert len(fay_herriot_rows(Estimates.from_rows(make(**other)), TREE)) == 0


def test_the_city_and_unplaced_respondents_are_no_areas() -> None:
    more = [SAME | {"place": place, "value": 90.0, "se": 1.0, "n": 500} for place in ("c", "_U.ward")]
    one, two = Estimates.from_rows(make()), Estimates.from_rows(make() + more)
    assert fay_herriot_rows(one, TREE).rows() == fay_herriot_rows(two, TREE).rows()


def test_each_series_has_its_own_model() -> None:
    low = [value / 3 for value in VALUES]
    alone = fay_herriot_rows(Estimates.from_rows(make(low, sex="F")), TREE)
    both = fay_herriot_rows(
        Estimates.from_rows([*make(sex="_T"), *make(low, sex="F"), *make(low, period="2024")]), TREE
    )
    assert len(both) == 30
    assert both.where(sex="F").rows() == alone.rows()


def test_places_that_did_not_exist_get_no_row() -> None:
    gone = Place("w99", "Gone", "ward", "c", valid_to=date(2022, 12, 31))
    tree = Hierarchy([*TREE.places, gone])
    assert "w99" not in [row["place"] for row in fay_herriot_rows(Estimates.from_rows(make()), tree).rows()]


def test_covariates_are_used_and_must_be_known_everywhere() -> None:
    poverty = {ward: float(k % 4) for k, ward in enumerate(WARDS)}
    rows = Estimates.from_rows(make())
    made = fay_herriot_rows(rows, TREE, covariates={"poverty": poverty}, method="ml")
    x = np.column_stack([np.ones(10), list(poverty.values())])
    expected = fay_herriot([*VALUES, np.nan, np.nan], [*pooled(), np.nan, np.nan], x, method="ml")
    assert [row["value"] for row in made.rows()] == pytest.approx(np.clip(expected.eblup, 0, 100).tolist())
    assert made.rows()[0]["method"] == "Fay–Herriot (ML)"
    with pytest.raises(UsageError) as caught:
        fay_herriot_rows(rows, TREE, covariates={"poverty": dict.fromkeys(WARDS[:9], 1.0)})
    assert caught.value.problems[0].code == "small-areas-covariate-places"


def test_what_cannot_be_is_cut_and_said() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    steep = {ward: float(k) for k, ward in enumerate(WARDS)} | {"w08": -20.0}
    made = fay_herriot_rows(Estimates.from_rows(make(values, [0.2] * 7)), TREE, covariates={"slope": steep})
    row = made.where(place="w08").only()
    assert (row["value"], row["lower"]) == (0.0, 0.0)
    assert row["note"].endswith("the model's -19 cannot be: cut to 0")


def test_lasting_flags_of_the_direct_row_are_kept() -> None:
    made = fay_herriot_rows(Estimates.from_rows(make(quality="missing_answers few_respondents")), TREE)
    assert made.where(place="w00").only()["quality"] == "missing_answers smoothed"


def test_where_chance_explains_all_it_is_said() -> None:
    made = fay_herriot_rows(Estimates.from_rows(make([10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0], [5.0] * 7)), TREE)
    row = made.where(place="w00").only()
    assert row["note"].split("; ")[1] == "chance alone explains the differences between the areas"


def test_pooled_variances_do_not_pull_rare_outcomes_down() -> None:
    """300 cities of 30 wards, true shares around 5 %, 20 to 75 respondents in clusters of 5: bias, gain, coverage."""
    rng = np.random.default_rng(1)
    wards = [f"w{k}" for k in range(30)]
    tree = Hierarchy([Place("c", "C", "city"), *(Place(ward, ward, "ward", "c") for ward in wards)])
    rows, truth, direct = [], [], []
    for year in range(1700, 2000):
        share = rng.beta(2.6, 49.5, 30)
        for ward, p in zip(wards, share, strict=True):
            clusters = int(rng.integers(4, 16))
            yes = rng.binomial(5, rng.beta(p * 15, (1 - p) * 15, clusters))
            value, n = yes.sum() / (5 * clusters), 5 * clusters
            se = np.sqrt(clusters / (clusters - 1) * (((yes - 5 * value) / n) ** 2).sum())
            truth.append(100 * p)
            direct.append(100 * value)
            rows.append(SAME | {"period": str(year), "place": ward, "value": 100 * value, "se": 100 * se, "n": n})
    made = {(row["period"], row["place"]): row for row in fay_herriot_rows(Estimates.from_rows(rows), tree).rows()}
    found = [made[row["period"], row["place"]] for row in rows]
    error = np.array([row["value"] for row in found]) - truth
    inside = [row["lower"] <= p <= row["upper"] for row, p in zip(found, truth, strict=True)]
    assert abs(error.mean()) < 0.15
    assert (error**2).mean() < 0.55 * np.mean((np.array(direct) - truth) ** 2)
    assert 0.9 < np.mean(inside) < 0.97
    assert np.mean([row["se"] ** 2 for row in found]) == pytest.approx((error**2).mean(), rel=0.12)


def test_each_row_says_which_direct_row_it_rests_on() -> None:
    direct = make(sex="F") + make([one + 1 for one in VALUES]) + make(unit="people", method="total")
    given = Estimates.from_rows(direct[::-1])
    made = fay_herriot_rows(given, TREE)
    at = rests_on(made, given)
    assert len(at) == len(made) == 20
    for row, one in zip(made.rows(), at.tolist(), strict=True):
        if row["n"] is None:  # a place without a direct row
            assert one == -1
            continue
        own = given.rows()[one]
        assert [own[name] for name in ("place", "sex", "unit", "n", "method")] == [
            *(row[name] for name in ("place", "sex", "unit", "n")), "proportion",
        ]  # fmt: skip
    assert rests_on(given, given).tolist() == [-1] * len(given)
