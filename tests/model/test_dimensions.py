"""Code lists, age codes, the prefix rule of acts, dimensions."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.dimensions import (
    CodeList,
    age_code,
    age_codes,
    age_range,
    code_list,
    code_lists,
    dimension,
    dimensions,
    iccs_below,
)
from safercities.model.errors import SafercitiesError, UsageError

ICCS = code_list("ICCS")
ICCS_CODES = [code.code for code in ICCS if code.code[0].isdigit()]


class TestEveryList:
    @pytest.fixture(params=code_lists())
    def codes(self, request: pytest.FixtureRequest) -> CodeList:
        return code_list(request.param)

    def test_codes_stand_once_and_have_a_label(self, codes: CodeList) -> None:
        seen = [code.code for code in codes]
        assert len(seen) == len(set(seen)) > 0
        assert all(code.label.strip() == code.label != "" for code in codes)
        assert codes.label

    def test_siblings_have_different_labels(self, codes: CodeList) -> None:
        seen = [(code.parent, code.label) for code in codes]
        assert len(seen) == len(set(seen))

    def test_parents_exist(self, codes: CodeList) -> None:
        known = code_list(codes.parents) if codes.parents else codes
        assert [code.code for code in codes if code.parent and code.parent not in known.labels] == []

    def test_no_code_lies_below_itself(self, codes: CodeList) -> None:
        for code in codes:
            assert code.code not in codes.ancestors(code.code)  # a cycle would not come to an end

    def test_descendants_and_ancestors_agree(self, codes: CodeList) -> None:
        for code in codes:
            assert all(code.code in codes.ancestors(below) for below in codes.descendants(code.code))

    def test_the_file_says_where_it_is_from(self, codes: CodeList) -> None:
        text = files("safercities.model").joinpath("codelists", f"{codes.id}.csv").read_text(encoding="utf-8")
        head = [line for line in text.splitlines() if line.startswith("#")]
        assert len(head) >= 2
        rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
        assert {len(row) for row in rows} == {len(rows[0])}


def test_an_unknown_list_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="ICCS"):
        code_list("ICC")
    with pytest.raises(UsageError):
        code_list("../codelists/ICCS")


class TestSex:
    def test_codes_of_the_standard(self) -> None:
        # SDMX CL_SEX 2.1 has F, M, _N, _O, _T, _U, _Z
        assert {code.code for code in code_list("SEX")} == {"F", "M", "_O", "_T", "_U"}


class TestIccs:
    def test_the_eleven_sections(self) -> None:
        assert [code for code in ICCS_CODES if len(code) == 2] == [f"{i:02d}" for i in range(1, 12)]

    def test_the_parent_is_the_code_without_its_last_digits(self) -> None:
        cut = {2: 0, 4: 2, 5: 4, 6: 5}
        for code in ICCS_CODES:
            found = ICCS.get(code)
            assert found is not None
            assert (found.parent or "") == code[: cut[len(code)]]

    def test_codes_rise(self) -> None:
        assert sorted(ICCS_CODES) == ICCS_CODES

    @pytest.mark.parametrize(
        ("section", "divisions"),
        # number of divisions of each section, ICCS 1.0, table of categories
        [(f"{i + 1:02d}", number) for i, number in enumerate([8, 12, 3, 2, 5, 3, 5, 9, 8, 5, 3])],
    )
    def test_every_section_has_all_its_divisions(self, section: str, divisions: int) -> None:
        assert len(ICCS.children(section)) == divisions

    def test_every_division_but_two_ends_with_a_residual(self) -> None:
        residual = {section: ICCS.children(section)[-1] for section in ICCS_CODES if len(section) == 2}
        assert residual.pop("02") == "0219"  # ten divisions fill the digits, and an eleventh is 0211
        assert {code[-1] for code in residual.values()} == {"9"}

    @pytest.mark.parametrize(
        ("code", "label"),
        [
            # labels as Eurostat's code list of the ICCS prints them
            ("0101", "Intentional homicide"),
            ("02011", "Assault"),
            ("020111", "Serious assault"),
            ("020221", "Kidnapping"),
            ("0301", "Sexual violence"),
            ("03011", "Rape"),
            ("0401", "Robbery"),
            ("05012", "Burglary of private residential premises"),
            ("050211", "Theft of a motorized land vehicle"),
            ("0703", "Corruption"),
            ("0903", "Acts against computer systems"),
        ],
    )
    def test_labels(self, code: str, label: str) -> None:
        assert ICCS.labels[code] == label

    def test_causes_that_are_no_crime_stand_outside_the_hierarchy(self) -> None:
        extension = [code for code in ICCS if code.code.startswith("X-")]
        assert extension
        assert all(code.parent is None for code in extension)


class TestIccsBelow:
    @given(st.sampled_from(ICCS_CODES), st.sampled_from(ICCS_CODES))
    def test_it_is_what_the_hierarchy_says(self, code: str, act: str) -> None:
        assert iccs_below(code, [act]) == (code == act or act in ICCS.ancestors(code))

    @given(st.lists(st.sampled_from([*ICCS_CODES, "X-ROAD-DEATH"])))
    def test_unknown_is_below_nothing(self, acts: list[str]) -> None:
        assert not iccs_below("_U", acts)
        assert not iccs_below("", acts)

    def test_causes_lie_only_below_themselves(self) -> None:
        assert iccs_below("X-ROAD-DEATH", ["0101", "X-ROAD-DEATH"])
        assert not iccs_below("X-DISASTER-DEATH", ["X-ROAD-DEATH", "01"])
        assert not iccs_below("01", ["X-ROAD-DEATH"])

    def test_any_of_several(self) -> None:
        assert iccs_below("0502", (act for act in ("0401", "05")))
        assert not iccs_below("0502", [])


class TestCountries:
    def test_each_hangs_below_the_world(self) -> None:
        countries = code_list("ISO3166")
        assert len(countries) == 249
        assert {countries.ancestors(code.code)[-1] for code in countries} == {"001"}

    def test_three_codes_each(self) -> None:
        colombia = code_list("ISO3166").get("CO")
        assert colombia is not None
        assert (colombia.label, colombia.aliases) == ("Colombia", {"alpha3": "COL", "numeric": "170"})
        for scheme, form in {"alpha3": str.isupper, "numeric": str.isdigit}.items():
            found = [code.aliases[scheme] for code in code_list("ISO3166")]
            assert len(found) == len(set(found))
            assert all(len(code) == 3 and form(code) for code in found)

    @pytest.mark.parametrize(
        ("country", "above"),
        [
            ("CO", ("005", "419", "019", "001")),
            ("GB", ("154", "150", "001")),
            ("KE", ("014", "202", "002", "001")),
            ("EG", ("015", "002", "001")),
            ("IR", ("034", "142", "001")),
            ("CY", ("145", "142", "001")),
            ("AQ", ("001",)),
        ],
    )
    def test_regions(self, country: str, above: tuple[str, ...]) -> None:
        assert code_list("ISO3166").ancestors(country) == above

    def test_regions_partition_the_world(self) -> None:
        m49 = code_list("M49")
        assert set(m49.descendants("001")) == {code.code for code in m49} - {"001"}
        assert set(m49.children("001")) == {"002", "019", "142", "150", "009"}

    def test_every_lowest_region_has_countries(self) -> None:
        lowest = {code.code for code in code_list("M49") if not code_list("M49").children(code.code)}
        assert {code.parent for code in code_list("ISO3166")} - {"001"} == lowest


class TestAges:
    @given(st.integers(0, 120), st.integers(0, 60) | st.none())
    def test_ranges_and_codes_are_the_same_thing(self, low: int, more: int | None) -> None:
        high = None if more is None else low + more
        code = age_code(low, high)
        assert age_range(code) == (low, high)
        assert code in code_list("AGE")

    @given(st.lists(st.integers(0, 120), min_size=1, unique=True).map(sorted))
    def test_groups_follow_each_other_without_a_gap(self, bins: list[int]) -> None:
        ranges = [age_range(code) for code in age_codes(bins)]
        assert [low for low, _ in ranges] == bins
        assert ranges[-1][1] is None
        assert [high for _, high in ranges[:-1]] == [low - 1 for low in bins[1:]]

    @pytest.mark.parametrize(
        ("code", "expected"),
        [("Y_GT64", (65, None)), ("Y_LE4", (0, 4)), ("Y_LT1", (0, 0)), ("_T", (0, None)), ("Y0", (0, 0))],
    )
    def test_other_forms_are_read(self, code: str, expected: tuple[int, int | None]) -> None:
        assert age_range(code) == expected

    @pytest.mark.parametrize(
        "code", ["_U", "", "15-24", "Y24T15", "Y5T5", "Y_LT0", "Y015", "Y1000", "y15", "Y15T", "Y_GE", "Y15T24 "]
    )
    def test_others_are_refused(self, code: str) -> None:
        with pytest.raises(SafercitiesError) as caught:
            age_range(code)
        assert caught.value.problems[0].code == "age-code-wrong"
        assert code == "_U" or code not in code_list("AGE")

    @pytest.mark.parametrize("bins", [[15, 15], [25, 15], [-1, 5]])
    def test_groups_that_do_not_rise_are_a_wrong_call(self, bins: list[int]) -> None:
        with pytest.raises(UsageError):
            age_codes(bins)

    @pytest.mark.parametrize(
        ("code", "label"),
        [("Y15T24", "15–24"), ("Y_GE60", "60 and over"), ("Y7", "7"), ("_T", "All ages"), ("_U", "Unknown")],
    )
    def test_labels(self, code: str, label: str) -> None:
        assert code_list("AGE").label_of(code) == label


class TestDimensions:
    @pytest.mark.parametrize("name", dimensions())
    def test_known_ones_have_a_label_and_codes_with_total_and_unknown(self, name: str) -> None:
        found = dimension(name)
        assert found.name == name
        assert found.label[0].isupper()
        if found.codes is not None and found.codes.id != "ISO3166":
            assert "_T" in found.codes
            assert "_U" in found.codes

    def test_what_describes_a_person_and_what_the_event(self) -> None:
        assert {name: dimension(name).of for name in ("sex", "age", "income", "means", "weekday")} == {
            "sex": "person",
            "age": "person",
            "income": "person",
            "means": "event",
            "weekday": "event",
        }

    def test_a_free_one(self) -> None:
        free = dimension("school_grade")
        assert (free.label, free.codes, free.of) == ("School grade", None, "person")


@pytest.mark.parametrize(
    ("given_code", "meant"),
    [("101", "0101"), ("010119", "0101"), ("02013", "0201"), ("robery", "0401"), ("Intentional homicde", "0101")],
)
def test_near_codes(given_code: str, meant: str) -> None:
    assert ICCS.near(given_code)[0] == meant


def test_nothing_is_near_to_nonsense() -> None:
    assert ICCS.near("§") == ICCS.near("") == []
