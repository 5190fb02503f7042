"""The attacker finds every planted leak, by the path that it was planted on, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.disclose.attack import Opening, Outside, Published, Report, attack
from safercities.disclose.attack_space import Cell
from safercities.disclose.attack_surveys import attack_surveys
from safercities.disclose.family import Family, Table
from safercities.disclose.suppress import insiders_of, suppress
from safercities.measure import rates, standards
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place

TOWN = Place("T", "Town", "city")
WARDS = tuple(Place(f"W{n}", f"Ward {n}", "ward", "T") for n in (1, 2, 3))
BEATS = tuple(Place(f"B{n}", f"Beat {n}", "beat", "T") for n in (1, 2))
SUPPRESSED = {"method": "suppression", "minimum_count": 5}
ROUNDED = {"method": "rounding", "minimum_count": 5}
Row = dict[str, Any]


def count(n: int | None, place: str = "T", period: str = "2024", /, **more: Any) -> Row:
    """A row of a count; None is withheld."""
    row = {"indicator": "robbery", "source": "police", "place": place, "period": period, "method": "count"}
    shown = {"conf_status": "N"} if n is None else {"conf_status": "F", "value": float(n), "level": 0.95}
    return {**row, "unit": "victims", **shown, **more}


def rate(value: float, denominator: float | None, **more: Any) -> Row:
    """A row of a rate."""
    method = {"method": "crude rate, Garwood interval", "unit": "per 100 000"}
    return {**count(0), **method, "value": value, "denominator": denominator, **more}


def release(rows: Iterable[Row], rules: Mapping[str, Any] = SUPPRESSED, **more: Any) -> Published:
    """A release of the town."""
    places = (TOWN, *WARDS, *BEATS)
    return replace(Published("2024-1", Estimates.from_rows(rows), rules, places, "T"), **more)


def found(*rows: Row, **more: Any) -> list[tuple[str, int, int]]:
    """What the attacker finds in one release: which cell, between which limits."""
    return told(attack([release(rows)], **more))


def told(report: Report) -> list[tuple[str, int, int]]:
    """Kind, and limits of each opening."""
    return [(one.kind, one.lower, one.upper) for one in report.openings]


SEXES = ("F", "M", "O")


def test_the_complement_in_one_row():
    report = attack([release([count(20), count(17, sex="F"), count(None, sex="M")])])
    (opening,) = report.openings
    assert (opening.kind, opening.what, opening.lower, opening.upper) == ("withheld", "robbery, M, Town, 2024", 3, 3)
    assert {(fact.label, fact.times) for fact in opening.facts if "no row" not in fact.label} == {
        ("robbery, Town, 2024: 20", 1.0),
        ("robbery, F, Town, 2024: 17", -1.0),
    }
    assert report.narrowest == 0


def test_two_withheld_ones_that_hold_each_other_are_safe():
    report = attack([release([count(30), count(17, sex="F"), count(None, sex="M"), count(None, sex="O")])])
    assert report.openings == ()
    assert report.narrowest is not None
    assert report.narrowest >= 2


#: Two linked tables: region → county, group, count (sdcTable, vignette on linked tables).
REGIONS = {
    "A": ("county-1", "small", 2),
    "B": ("county-1", "small", 2),
    "I": ("county-1", "small", 8),
    "J": ("county-1", "small", 8),
    "K": ("county-2", "small", 3),
    "L": ("county-2", "BIG", 3),
    "M": ("county-2", "BIG", 3),
    "N": ("county-2", "small", 7),
}


def linked(hidden: str) -> Published:
    """The regions and both ways to add them up."""
    counties = [Place(name, name, "county", "T") for name in ("county-1", "county-2")]
    groups = [Place(name, name, "group", "T") for name in ("small", "BIG")]
    rows = [count(None if name in hidden else n, name) for name, (_, _, n) in REGIONS.items()]
    rows.append(count(sum(n for _, _, n in REGIONS.values())))
    for at in (0, 1):
        for name in {one[at] for one in REGIONS.values()}:
            rows += [count(sum(one[2] for one in REGIONS.values() if one[at] == name), name)]
    # a place has one parent: the other grouping is a geography beside it, of which one region is known to lie in "BIG"
    regions = [Place(name, name, "region", county) for name, (county, _, _) in REGIONS.items()]
    return Published("linked", Estimates.from_rows(rows), SUPPRESSED, (TOWN, *counties, *groups, *regions), "T")


def linked_by_codes(hidden: str) -> Published:
    """The same where each region is a code of a dimension, and the groups are said by two more tables' totals."""
    rows = [count(sum(n for _, _, n in REGIONS.values()))]
    for name, (county, group, n) in REGIONS.items():
        shown = None if name in hidden else n
        rows.append(count(shown, county=county, group=group, region=name))
    for county in ("county-1", "county-2"):
        rows += [count(sum(n for c, _, n in REGIONS.values() if c == county), county=county)]
    for group in ("small", "BIG"):
        rows += [count(sum(n for _, g, n in REGIONS.values() if g == group), group=group)]
    for county, group, region in product(("county-1", "county-2"), ("small", "BIG"), REGIONS):
        if REGIONS[region][:2] != (county, group):
            rows.append(count(0, county=county, group=group, region=region, indicator="robbery"))
    return release(rows)


def test_two_linked_tables_give_k_away_unless_n_is_withheld_too():
    # zeros of impossible combinations are known from the outside here, and are no news: only withheld cells count
    def withheld(hidden: str) -> dict[str, tuple[int, int]]:
        openings = attack([linked_by_codes(hidden)]).openings
        return {one.what.split(", ")[3]: (one.lower, one.upper) for one in openings if one.kind == "withheld"}

    assert withheld("ABKLM")["K"] == (3, 3)
    assert "K" not in withheld("ABKLMN")


def test_regions_of_two_geographies_alone_do_not_give_k_away():
    assert "K, 2024" not in " ".join(one.what for one in attack([linked("ABKLMN")]).openings)


def test_a_rate_gives_the_count_back_where_the_population_is_public():
    hidden = [count(30), count(None, "W1"), count(None, "W2"), count(None, "W3")]
    assert found(*hidden) == []
    assert ("withheld", 3, 3) in found(*hidden, rate(30.0, 10_000.0, place="W1"))
    without = [*hidden, rate(30.0, None, place="W1")]
    assert found(*without) == []
    people = {Cell("W1", "2024"): 10_000.0}
    assert ("withheld", 3, 3) in found(*without, people=people)


def test_a_rate_that_is_rounded_enough_gives_nothing_back():
    hidden = [count(3_000), count(None, "W1"), count(None, "W2"), count(None, "W3")]
    others = [rate(float(one), 5_000_000.0, place="W3") for one in (2,)]
    assert found(*hidden, *others) == []


def test_the_exact_interval_of_a_withheld_count():
    lower, upper = (float(one) for one in rates.garwood(3))
    for limit in ({"upper": round(upper, 2)}, {"lower": round(lower, 3)}):
        rows = [count(30), count(None, "W1", level=0.95, **limit), count(None, "W2"), count(None, "W3")]
        assert ("withheld", 3, 3) in found(*rows)


def test_a_standard_error_or_a_size_left_beside_a_withheld_count():
    for left in ({"se": float(np.sqrt(3))}, {"n": 3}, {"n_positive": 3}):
        rows = [count(30), count(None, "W1", **left), count(None, "W2"), count(None, "W3")]
        assert ("withheld", 3, 3) in found(*rows)


def test_coverage_tells_the_unknown():
    rows = [count(100), count(None, sex="F"), count(60, sex="M"), count(None, sex="_U")]
    assert found(*rows) == []
    rows[2]["coverage"] = 0.97
    assert found(*rows) == [("withheld", 3, 3)]  # 37 women besides


def test_coverage_by_place():
    rows = [count(100), count(50, "W1", coverage=0.96), count(None, "W2"), count(None, "W3"), count(None, "_U.ward")]
    assert found(*rows) == [("withheld", 4, 4)]


AGES = ("Y0T14", "Y15T34", "Y_GE35")


def test_a_standardised_rate_is_one_more_equation():
    people = dict(zip(AGES, (20_000.0, 30_000.0, 50_000.0), strict=True))
    cases = dict(zip(AGES, (4, 30, 2), strict=True))
    weights = standards.weights("who", AGES)
    value = sum(w / weights.sum() * cases[a] / people[a] * 1e5 for a, w in zip(AGES, weights, strict=True))
    rows = [count(36), count(30, age="Y15T34"), count(None, age="Y0T14"), count(None, age="Y_GE35")]
    denominators = {Cell("T", "2024", (("age", age),)): n for age, n in people.items()}
    label = standards.standard_population("who").label
    method = f"directly standardised ({label}), Fay–Feuer interval"
    assert found(*rows, people=denominators) == []
    rows.append({**rate(float(value), None), "method": method})
    assert found(*rows, people=denominators) == [("withheld", 4, 4), ("withheld", 2, 2)]


def test_rolling_periods_give_back_their_parts():
    windows = {"2023": 40, "2023-07/2024-06": 43, "2024": 41}
    assert found(*(count(n, "T", code) for code, n in windows.items())) == []
    half = count(19, "T", "2023-01/2023-06")
    # 40 − 19 = 21 in the second half of 2023; the rest follows
    assert found(*(count(n, "T", code) for code, n in windows.items()), half) == []
    less = count(38, "T", "2023-01/2023-06")
    assert ("derived", 2, 2) in found(*(count(n, "T", code) for code, n in windows.items()), less)


def test_the_year_beside_its_quarters():
    quarters = [count(n, "T", f"2024-Q{at}") for at, n in ((1, 10), (2, 11), (3, 12))]
    report = attack([release([count(36), *quarters])])
    assert told(report) == [("derived", 3, 3)]
    assert "2024-Q4" in report.openings[0].what
    assert told(attack([release([count(36), *quarters], ROUNDED)])) == [("rounded", 3, 3)]
    assert told(attack([release([count(33), *quarters], ROUNDED)])) == []


def test_an_earlier_release_that_withheld_other_cells():
    first = release([count(30), count(None, sex="F"), count(None, sex="M"), count(20, sex="O")])
    second = release([count(30), count(7, sex="F"), count(None, sex="M"), count(None, sex="O")])
    assert told(attack([first])) == told(attack([second])) == []
    assert ("withheld", 3, 3) in told(attack([first, second]))


def test_releases_of_other_years_do_not_matter():
    assert told(attack([release([count(30)]), release([count(32, "T", "2025")])])) == []


def test_one_late_case_between_two_releases():
    tables = [[count(n), count(n - 20, sex="F"), count(20, sex="M")] for n in (40, 41, 46)]
    late = told(attack([release(tables[0]), release(tables[1])]))
    assert late
    assert set(late) == {("late", 1, 1)}
    assert told(attack([release(tables[0]), release(tables[2])])) == []


def test_two_geographies():
    wards = [count(n, one.id) for n, one in zip((20, 30, 40), WARDS, strict=True)]
    beats = [count(n, one.id) for n, one in zip((50, 43), BEATS, strict=True)]
    # three cases lie in no ward, and none in no beat
    assert found(count(93), *wards, *beats) != []
    assert found(count(90), *wards, count(50, "B1"), count(40, "B2")) == []


def test_nested_zones():
    streets = [Place(f"S{n}", f"Street {n}", "street", "W1") for n in (1, 2)]
    rows = [count(20), count(20, "W1"), count(17, "S1"), count(None, "S2")]
    town = Published("nested", Estimates.from_rows(rows), SUPPRESSED, (TOWN, WARDS[0], *streets), "T")
    assert told(attack([town])) == [("withheld", 3, 3)]


def test_ages_that_are_cut_elsewhere():
    ages = [count(40, age="Y0T14"), count(60, age="Y_GE15"), count(38, age="Y0T13"), count(62, age="Y_GE14")]
    assert ("derived", 2, 2) in found(count(100), *ages)


def test_known_totals_of_withheld_cells():
    rows = [count(30), count(17, sex="F"), count(None, sex="M"), count(None, sex="O")]
    outside = Outside("robbery", "police", Cell("T", "2024", (("sex", "O"),)), 11)
    assert found(*rows) == []
    report = attack([release(rows)], known=[outside])
    assert ("withheld", 2, 2) in told(report)
    assert any("outside" in note for note in report.notes)


def test_known_totals_behind_rounded_counts():
    rows = [count(20), count(0, sex="F"), count(0, sex="M"), count(20, sex="O")]
    cell = Cell("T", "2024")
    assert told(attack([release(rows, ROUNDED)])) == []
    for n, safe in ((24, True), (28, True), (32, False)):  # up to four more each, and four of unknown sex
        report = attack([release(rows, ROUNDED)], known=[Outside("robbery", "police", cell, n)])
        assert (report.openings == ()) is safe
    assert ("true", 4, 4) in told(report)
    with pytest.raises(SafercitiesError, match="contradict"):
        attack([release(rows, ROUNDED)], known=[Outside("robbery", "police", cell, 40)])


def test_what_is_known_of_nothing_is_refused():
    outside = Outside("murder", "police", Cell("T", "2024"), 11)
    with pytest.raises(UsageError, match="murder"):
        attack([release([count(30)])], known=[outside])


def test_a_group_whose_cases_all_have_one_attribute():
    rules = {**SUPPRESSED, "attributes": ["migration"]}
    shown = [count(30), count(30, migration="MIG"), count(None, migration="NAT")]
    kinds = [one.kind for one in attack([release(shown, rules)]).openings]
    assert "group" in kinds
    withheld = [count(30), count(None, migration="MIG"), count(0, migration="NAT")]
    assert "group" in [one.kind for one in attack([release(withheld, rules)]).openings]
    fine = [count(40), count(30, migration="MIG"), count(10, migration="NAT")]
    assert attack([release(fine, rules)]).openings == ()


def test_zeros_that_are_shown_while_other_small_counts_are_hidden():
    rows = [count(30), count(0, sex="F"), count(None, sex="M"), count(None, sex="O")]
    assert ("small", 0, 0) in found(*rows)


def test_rounded_releases_show_no_count_below_k():
    assert told(attack([release([count(20), count(0, sex="F"), count(20, sex="M")], ROUNDED)])) == []
    assert ("small", 3, 3) in told(attack([release([count(20), count(3, sex="F"), count(15, sex="M")], ROUNDED)]))
    assert ("small", 3, 3) in told(attack([release([rate(30.0, 10_000.0, place="W1")], ROUNDED)]))


def test_tables_that_contradict_themselves_prove_nothing():
    with pytest.raises(SafercitiesError, match="contradict"):
        attack([release([count(10), count(20, sex="F"), count(None, sex="M")])])


def test_too_many_leaves_are_refused():
    codes = [str(n) for n in range(700)]
    rows = [count(1000), *(count(10, one=code) for code in codes), *(count(10, two=code) for code in codes)]
    with pytest.raises(SafercitiesError, match="smallest cells"):
        attack([release(rows)])


def survey(n: int | None, share: float | None, sex: str) -> Row:
    row = {"indicator": "robbed", "source": "victims", "place": "T", "period": "2024", "sex": sex, "unit": "%"}
    hidden = {"conf_status": "N"} if n is None else {"conf_status": "F", "n": n, "value": share, "level": 0.95}
    return {**row, "method": "proportion, Wilson interval", **hidden}


def test_a_withheld_domain_of_a_survey():
    # not rounded, and the sizes as they are: what is left of the sample is the withheld domain
    whole = [{**survey(100, 20.0, "_T"), "se": 2.0}, {**survey(60, 30.0, "F"), "se": 3.0}]
    one = release([*whole, survey(None, None, "M")])
    answer, openings = attack_surveys(one, None)
    assert answer.checked == 11  # also of what is shown, and of all who are not in it
    assert all(isinstance(each, Opening) for each in openings)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 14), min_size=6, max_size=6),
    st.integers(0, 3),
)
def test_what_was_protected_by_suppression_stands_the_attack(counts: list[int], more: int):
    leaves = np.array([*counts[:3], counts[3] + more, *counts[4:]], dtype=np.int64)
    cells = [("_T", "_T"), *product(("F", "M"), ("_T",)), *product(("_T",), "abc"), *product(("F", "M"), "abc")]
    at = list(product(("F", "M"), "abc"))
    inside = [[s in (sex, "_T") and m in (means, "_T") for sex, means in at] for s, m in cells]
    tables = tuple(Table(str(cell), np.where(own, 0, -1), 1, 5) for cell, own in zip(cells, inside, strict=True))
    family = Family(6, tables)
    try:
        published = suppress(family, leaves, insiders=insiders_of(leaves)).published
    except SafercitiesError:  # so few cases that nothing can be published: then nothing is
        return
    rows = []
    for number, (cell, own) in enumerate(zip(cells, inside, strict=True)):
        n = int(leaves[np.array(own)].sum())
        rows.append(count(n if published[family.at[number][0]] else None, sex=cell[0], means=cell[1]))
    report = attack([release(rows)])
    true = {
        f"robbery, {', '.join(c for c in reversed(cell) if c != '_T')}": number for number, cell in enumerate(cells)
    }
    for one in report.openings:  # a count of k or more that might be less by what is shown is no case of few
        name = one.what.removesuffix(", Town, 2024")
        own = inside[true[name]] if name in true else None
        assert own is not None
        assert leaves[np.array(own)].sum() >= 5
