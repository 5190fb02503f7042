"""Populations: person-years that are right, flagged, or not given at all."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import helpers
from safercities.collect.spec import PopulationSpec
from safercities.model.places import Place
from safercities.places.covers import cover
from safercities.places.hierarchy import Hierarchy
from safercities.places.population import Population

TREE = Hierarchy(
    [
        helpers.TOP,
        Place("A", "North", "district", "T"),
        Place("B", "South", "district", "T"),
        Place("1", "Mill", "ward", "A", aliases={"old": "0001"}),
        Place("2", "Park", "ward", "A"),
        Place("3", "Quay", "ward", "B"),
    ]
)


def spec(**given):
    return PopulationSpec(
        **({"kind": "population", "file": "p.csv", "place": "code", "period": "year", "count": "n"} | given)
    )


def population(*parts, tree=TREE, specs=None, **given):
    specs = specs or {part.source: spec(**given) for part in parts}
    return Population.from_collected(parts, tree, "T", specs)


def ask(found, place, period="2020", **dims):
    """One answer: (person-years, flags)."""
    value, flags = found.denominators([place], [period], {name: [code] for name, code in dims.items()})
    return (None if np.isnan(value[0]) else float(value[0])), flags[0]


NONE = (None, "no_denominator")


def test_the_number_as_it_is_given_and_what_a_period_makes_of_it():
    found = population(helpers.people([("1", "2019", 1000), ("1", "2020", 1200)]))
    assert ask(found, "1", "2019") == (1000, "")
    assert ask(found, "1", "2020") == (1200, "")
    assert ask(found, "1", "2019-01") == (pytest.approx(1000 * 31 / 365), "")
    assert ask(found, "1", "2020-02") == (pytest.approx(1200 * 29 / 366), "")
    assert ask(found, "1", "2019/2020") == (2200, "")
    assert ask(found, "1", "2019-07-01/2020-06-30") == (pytest.approx(1000 * 184 / 365 + 1200 * 182 / 366), "")


def test_a_year_that_is_not_given_leaves_no_number():
    found = population(helpers.people([("1", "2019", 1000)]))
    assert ask(found, "1", "2020") == NONE
    assert ask(found, "1", "2019/2020") == NONE
    assert ask(found, "2", "2019") == NONE
    assert ask(found, "nowhere", "2019") == NONE


def test_nobody_is_no_denominator():
    found = population(helpers.people([("1", "2020", 0)]))
    assert ask(found, "1") == (0, "no_denominator")
    assert [p.code for p in found.problems if p.code == "population-zero"]


def test_a_straight_line_between_given_years_and_only_there():
    rows = [("1", "2010", 1000), ("1", "2020", 2000), ("2", "2020", 10)]
    found = population(helpers.people(rows), interpolate=True)
    assert ask(found, "1", "2013") == (pytest.approx(1300), "population_interpolated")
    assert ask(found, "1", "2020") == (2000, "")
    assert ask(found, "1", "2021") == NONE
    assert ask(found, "1", "2009") == NONE
    assert ask(found, "2", "2015") == NONE
    assert ask(population(helpers.people(rows)), "1", "2013") == NONE


def test_a_years_number_carried_so_many_years():
    found = population(helpers.people([("1", "2010", 1000), ("1", "2020", 2000)]), carry=2)
    assert [ask(found, "1", str(year))[0] for year in (2007, 2008, 2012, 2013, 2018, 2022, 2023)] == [
        None, 1000, 1000, None, 2000, 2000, None,
    ]  # fmt: skip
    assert ask(found, "1", "2022")[1] == "population_carried"
    both = population(helpers.people([("1", "2010", 1000), ("1", "2020", 2000)]), carry=1, interpolate=True)
    assert ask(both, "1", "2011") == (pytest.approx(1100), "population_interpolated")
    assert ask(both, "1", "2021") == (2000, "population_carried")
    assert ask(both, "1", "2019/2021") == (pytest.approx(5900), "population_interpolated population_carried")


def test_the_nearest_year_is_carried_and_of_two_the_earlier():
    found = population(helpers.people([("1", "2010", 1), ("1", "2014", 2)]), carry=5)
    assert [ask(found, "1", str(year))[0] for year in (2011, 2012, 2013)] == [1, 1, 2]


SEXES = [("1", "2020", "F", 60), ("1", "2020", "M", 40)]


def test_totals_from_parts_and_parts_never_added_to_totals():
    found = population(helpers.people(SEXES, ["sex"]))
    assert ask(found, "1", sex="F") == (60, "")
    assert ask(found, "1") == (100, "")
    with_total = population(helpers.people([*SEXES, ("1", "2020", "_T", 100)], ["sex"]))
    assert ask(with_total, "1") == (100, "")
    assert with_total.problems == tuple(p for p in with_total.problems if p.code != "population-totals-differ")


def test_a_total_of_one_sex_is_no_total():
    found = population(helpers.people([("1", "2020", "F", 60)], ["sex"]))
    assert ask(found, "1", sex="F") == (60, "")
    assert ask(found, "1") == NONE


def test_people_of_unknown_sex_count_in_the_total_only():
    found = population(helpers.people([*SEXES, ("1", "2020", "_U", 5)], ["sex"]))
    assert ask(found, "1") == (105, "")
    assert ask(found, "1", sex="_U") == NONE


def test_totals_that_contradict_their_parts_are_told():
    found = population(helpers.people([*SEXES, ("1", "2020", "_T", 150)], ["sex"]))
    (fault,) = [p for p in found.problems if p.code == "population-totals-differ"]
    assert (fault.row, fault.severity) == (2, "warning")
    assert "150" in fault.what
    assert "100" in fault.what
    assert ask(found, "1") == (150, "")
    rounded = population(helpers.people([*SEXES, ("1", "2020", "_T", 101)], ["sex"]))
    assert not [p for p in rounded.problems if p.code == "population-totals-differ"]


def test_a_dimension_that_the_population_lacks():
    found = population(helpers.people(SEXES, ["sex"]))
    assert ask(found, "1", sex="F", disability="Y") == NONE
    assert ask(found, "1", sex="F", disability="_T") == (60, "")


AGES = [("1", "2020", code, n) for code, n in [("Y0T4", 5), ("Y5T9", 6), ("Y10T14", 7), ("Y15T64", 50), ("Y_GE65", 9)]]


@pytest.mark.parametrize(
    ("age", "n"),
    [
        ("Y0T4", 5),
        ("Y0T14", 18),
        ("Y5T64", 63),
        ("Y_GE10", 66),
        ("_T", 77),
        ("Y_GE0", 77),
        ("Y_LT5", 5),
        ("Y0T5", None),
        ("Y15T24", None),
        ("Y_GE60", None),
        ("_U", None),
    ],
)
def test_age_groups_are_put_together_where_they_fit_exactly(age, n):
    assert ask(population(helpers.people(AGES, ["age"])), "1", age=age)[0] == n


def test_overlapping_age_groups_are_not_counted_twice():
    rows = [*AGES, ("1", "2020", "Y0T14", 18), ("1", "2020", "Y_GE15", 59), ("1", "2020", "Y0T64", 68)]
    found = population(helpers.people(rows, ["age"]))
    assert ask(found, "1") == (77, "")
    assert ask(found, "1", age="Y5T14") == (13, "")


def test_a_missing_age_group_is_no_zero():
    found = population(helpers.people(AGES[1:], ["age"]))
    assert ask(found, "1") == NONE
    assert ask(found, "1", age="Y0T14") == NONE
    assert ask(found, "1", age="Y5T14") == (13, "")


def test_single_years_of_age_that_end_at_99_or_later():
    rows = [("1", "2020", f"Y{age}", 1) for age in range(101)]
    assert ask(population(helpers.people(rows, ["age"])), "1") == (101, "")
    assert ask(population(helpers.people(rows, ["age"])), "1", age="Y_GE60") == (41, "")
    assert ask(population(helpers.people(rows[:91], ["age"])), "1") == NONE


def test_margins_without_the_cross():
    rows = [("1", "2020", "F", "_T", 60), ("1", "2020", "M", "_T", 40)]
    rows += [("1", "2020", "_T", "Y0T14", 30), ("1", "2020", "_T", "Y_GE15", 70)]
    found = population(helpers.people(rows, ["sex", "age"]))
    assert ask(found, "1", sex="F") == (60, "")
    assert ask(found, "1", age="Y0T14") == (30, "")
    assert ask(found, "1") == (100, "")
    assert ask(found, "1", sex="F", age="Y0T14") == NONE


def test_places_and_years_that_are_broken_down_differently():
    rows = [("1", "2019", "_T", 100), *SEXES, ("2", "2020", "_T", 7)]
    found = population(helpers.people(rows, ["sex"]))
    assert ask(found, "1", "2019", sex="F") == NONE
    assert ask(found, "1", "2019/2020") == (200, "")
    assert ask(found, "2", sex="F") == NONE
    assert ask(found, "A") == (107, "")
    assert ask(found, "A", sex="F") == NONE


def test_a_place_is_the_sum_of_its_children_only_if_all_are_there():
    found = population(helpers.people([("1", "2020", 10), ("2", "2020", 20)]))
    assert ask(found, "A") == (30, "")
    assert ask(found, "B") == NONE
    assert ask(found, "T") == NONE
    found = population(helpers.people([("1", "2020", 10), ("2", "2020", 20), ("3", "2019", 5)]), carry=1)
    assert ask(found, "T") == (35, "population_carried")
    own = population(helpers.people([("1", "2020", 10), ("2", "2020", 20), ("A", "2020", 31), ("B", "2020", 9)]))
    assert ask(own, "A") == (31, "")
    assert ask(own, "T") == (40, "")


def test_only_children_that_exist_that_year_are_needed():
    tree = Hierarchy(
        [
            helpers.TOP,
            Place("1", "a", "ward", "T", valid_to=date(2019, 12, 31)),
            Place("2", "b", "ward", "T"),
            Place("3", "c", "ward", "T", valid_from=date(2020, 1, 1)),
        ]
    )
    rows = [(code, year, n) for code, n in (("1", 1), ("2", 20), ("3", 300)) for year in ("2019", "2020")]
    found = population(helpers.people(rows), tree=tree)
    assert ask(found, "T", "2019") == (21, "")
    assert ask(found, "T", "2020") == (320, "")


def test_parallel_levels_are_not_added():
    tree = Hierarchy(
        [helpers.TOP, *(Place(i, i, level, "T") for i, level in [("1", "ward"), ("2", "ward"), ("b", "beat")])]
    )
    found = population(helpers.people([("1", "2020", 10), ("2", "2020", 20), ("b", "2020", 29)]), tree=tree)
    assert ask(found, "T") == (30, "")


def test_of_two_sources_the_first_that_has_the_number_wins():
    one = helpers.people([("1", "2020", 10)], source="one")
    two = helpers.people([("1", "2020", "F", 6), ("1", "2020", "M", 5), ("2", "2020", "_T", 7)], ["sex"], source="two")
    found = population(one, two)
    asked = found.resolve(["1", "1", "2", "A", "3"], ["2020"] * 5, {"sex": ["_T", "F", "_T", "_T", "_T"]})
    assert asked.person_years[:4].tolist() == [10, 6, 7, 17]
    assert asked.source == ["one", "two", "two", "one+two", ""]
    assert ask(population(two, one), "1") == (11, "")
    assert found.table.column("source").unique().to_pylist() == ["one", "two"]
    assert found.table.column_names == ["place", "period", "sex", "n", "source"]


def test_codes_that_are_no_place_and_places_without_people():
    found = population(helpers.people([("1", "2020", 1), ("99", "2020", 2), ("98", "2020", 3), ("98", "2021", 3)]))
    assert found.unmatched_codes == ("99", "98")
    assert found.places_without == ("2", "3")
    (fault,) = [p for p in found.problems if p.code == "population-code-unknown"]
    assert (fault.row, fault.rows, fault.column) == (3, 3, "code")
    assert found.table.num_rows == 1


def test_a_code_a_name_or_an_alias_of_the_level():
    found = population(helpers.people([("0001", "2020", 1), ("park", "2020", 2), ("North", "2020", 9)]), level="ward")
    assert ask(found, "1") == (1, "")
    assert ask(found, "2") == (2, "")
    assert found.unmatched_codes == ("North",)


def test_without_a_column_of_places_it_is_the_observatorys_own():
    found = population(helpers.people([(None, "2020", 500)]), place=None)
    assert ask(found, "T") == (500, "")
    assert found.places_without == ()


def test_several_rows_of_one_group_are_added_and_told():
    found = population(helpers.people([("1", "2020", 10), ("1", "2020", 15)]))
    assert ask(found, "1") == (25, "")
    (fault,) = [p for p in found.problems if p.code == "population-repeated"]
    assert (fault.row, fault.rows) == (2, 1)


def test_nothing_asked_and_nothing_given():
    found = population(helpers.people([("1", "2020", 10)]))
    value, flags = found.denominators([], [], {})
    assert len(value) == 0
    assert flags == []
    assert ask(population(helpers.people([])), "1") == NONE


@given(
    st.lists(st.integers(0, 500), min_size=12, max_size=12),
    st.sets(st.integers(1, 99), max_size=6),
    st.data(),
)
def test_whatever_is_put_together_equals_the_people_one_by_one(edges_seed, edges, data):
    """Everybody has an age and a sex; the file gives groups; asked groups that fit hold exactly these people."""
    rng = np.random.default_rng(sum(edges_seed))
    ages, sexes = rng.integers(0, 100, 400), rng.choice(["F", "M"], 400)
    starts = [0, *sorted(edges)]
    ends = [*(e - 1 for e in sorted(edges)), None]

    def code(low, high):
        return f"Y_GE{low}" if high is None else (f"Y{low}T{high}" if high > low else f"Y{low}")

    rows = []
    for low, high in zip(starts, ends, strict=True):
        for sex in "FM":
            held = (ages >= low) & (ages <= (200 if high is None else high)) & (sexes == sex)
            rows.append(("1", "2020", sex, code(low, high), int(held.sum())))
    found = population(helpers.people(rows, ["sex", "age"]))
    first = data.draw(st.sampled_from(starts))
    last = data.draw(st.sampled_from([end for end in ends if end is None or end >= first]))
    sex = data.draw(st.sampled_from(["F", "M", "_T"]))
    held = (ages >= first) & (ages <= (200 if last is None else last)) & ((sexes == sex) | (sex == "_T"))
    assert ask(found, "1", sex=sex, age=code(first, last))[0] == held.sum()


def test_cover_never_mixes_a_total_with_its_parts():
    present = frozenset({("_T",), ("F",), ("M",)})
    assert cover(("_T",), ["sex"], [["_T", "F", "M"]], present) == [("_T",)]
    assert cover(("_T",), ["sex"], [["_T", "F", "M"]], present - {("_T",)}) == [("F",), ("M",)]


def test_lancashire(shared_data):
    import openpyxl

    wards = helpers.load(shared_data, file="lancashire/lancashire_wards.gpkg", id="ward_code")
    book = openpyxl.load_workbook(shared_data / "lancashire" / "lancashire_ward_pop.xlsx", read_only=True)
    rows = [(code, "2021", n) for code, _, n in list(book["Sheet1"].iter_rows(values_only=True))[1:]]
    book.close()
    found = population(helpers.people(rows), tree=Hierarchy([helpers.TOP, *wards.places]), carry=1)
    assert len(found.unmatched_codes) == 40
    assert len(found.places_without) == 26
    ids = [place.id for place in wards.places]
    value, flags = found.denominators(ids, ["2022"] * 271, {})
    assert np.isfinite(value).sum() == 245
    assert flags.count("population_carried") == 245
    assert {i for i, v in zip(ids, value, strict=True) if np.isnan(v)} == set(found.places_without)
    assert ask(found, "T", "2022") == NONE


def test_a_sum_over_the_places_inside_is_told():
    found = population(helpers.people([(i, "2020", 10) for i in "123"]))
    (note,) = [p for p in found.problems if p.code == "population-added-up"]
    assert note.what.endswith("North, South, Town")
    own = population(
        helpers.people([("1", "2020", 10), ("A", "2020", 20), ("B", "2020", 9), ("T", "2020", 30)]), level=None
    )
    assert not [p for p in own.problems if p.code == "population-added-up"]
