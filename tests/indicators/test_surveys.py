"""The catalogue's indicators of surveys, audits and comparisons: what the source texts fix about them."""

from __future__ import annotations

import math
import re
from datetime import date

import pytest

from safercities.indicators.catalogue import catalogue, codes, explain, indicator
from safercities.indicators.numerators import Answers, Compared, Goalposts, Index, Ratings
from safercities.indicators.spec import Indicator, Version

FAMILIES = "|".join(sorted({code.partition(".")[0] for code in codes()}))
SURVEYS = [code for code, entry in catalogue().items() if entry.on().made_of == "survey"]
EVER_PARTNERED = ["woman", "aged_15_plus", "ever_partnered"]


def numerator(code: str) -> Answers:
    made = indicator(code).on().numerator
    assert isinstance(made, Answers)
    return made


def base(version: Version) -> Answers | None:
    return version.denominator if isinstance(version.denominator, Answers) else None


@pytest.fixture(params=codes())
def entry(request: pytest.FixtureRequest) -> Indicator:
    return indicator(request.param)


class TestEveryEntry:
    def test_codes_named_in_its_texts_exist(self, entry: Indicator) -> None:
        for version in entry.versions:
            named = re.findall(rf"\b(?:{FAMILIES})\.[a-z0-9_]+(?:\.[a-z0-9_]+)*", version.definition + version.note)
            assert set(named) <= set(codes()) - {entry.code}

    def test_whom_it_means_and_how_far_it_looks_back(self, entry: Indicator) -> None:
        for version in entry.versions:
            past_year = any(role.endswith("_12m") for role in getattr(version.numerator, "roles", []))
            assert version.population or version.made_of in ("audits", "estimates")
            assert not past_year or version.reference_period == "P12M"

    def test_it_needs_indicators_that_exist_and_fit(self, entry: Indicator) -> None:
        made = entry.on().numerator
        if isinstance(made, Compared):
            assert (indicator(made.recorded).kind, indicator(made.surveyed).kind) == ("rate", "incidence")
        if isinstance(made, Index):
            assert {indicator(code).kind for code in made.parts} == {"rate"}


@pytest.mark.parametrize(
    "target",
    [
        *("16.1.3", "16.1.4", "16.2.3", "16.3.1", "16.5.1", "16.6.2", "16.7.2", "10.3.1"),
        *("11.7.2", "5.2.1", "5.2.2", "11.2.1", "11.7.1", "11.1.1"),
    ],
)
def test_the_sdg_indicators_of_surveys_are_there(target: str) -> None:
    assert [code for code in SURVEYS if f"{code}.".startswith(f"sdg.{target}.")]


def test_violence_any_form_is_made_of_the_three() -> None:
    forms = [role for form in ("physical", "psychological", "sexual") for role in numerator(f"sdg.16.1.3.{form}").any]
    assert numerator("sdg.16.1.3").any == forms
    assert {indicator(f"sdg.16.1.3.{form}").on().denominator for form in ("physical", "sexual")} == {"respondents"}


def test_feeling_safe_is_over_all_respondents() -> None:
    version = indicator("sdg.16.1.4").on()
    assert (version.denominator, version.missing, version.reference_period) == ("respondents", "no", "")
    assert indicator("sdg.16.1.4").direction == "higher"


@pytest.mark.parametrize("form", ["physical", "psychological", "sexual"])
def test_reporting_is_over_victims_of_the_same_form(form: str) -> None:
    entry = indicator(f"sdg.16.3.1.{form}")
    assert base(entry.on()) == Answers(any=[f"victim_{form}_12m"])
    assert entry.on().roles == [f"reported_{form}", f"victim_{form}_12m"]


@pytest.mark.parametrize(("sexes", "role"), [("women", "woman"), ("men", "man")])
def test_sexual_violence_in_childhood_keeps_the_sexes_apart(sexes: str, role: str) -> None:
    assert "sdg.16.2.3" not in codes()
    assert base(indicator(f"sdg.16.2.3.{sexes}").on()) == Answers(all=[role, "aged_18_29"])


def test_bribery_is_over_those_with_contact() -> None:
    assert base(indicator("sdg.16.5.1").on()) == Answers(any=["contact_official_12m"])
    assert numerator("sdg.16.5.1").any == ["bribe_paid_12m", "bribe_asked_12m"]


def test_the_headline_of_decision_making_is_not_faked_by_those_who_say_both() -> None:
    assert "sdg.16.7.2" not in codes()
    assert numerator("sdg.16.7.2.both").all == ["decisions_inclusive", "decisions_responsive"]
    assert "is not it" in indicator("sdg.16.7.2.both").on().note


@pytest.mark.parametrize("code", [code for code in SURVEYS if code.startswith("sdg.5.2.1")])
def test_partner_violence_is_over_ever_partnered_women_and_girls(code: str) -> None:
    assert base(indicator(code).on()) == Answers(all=EVER_PARTNERED)


class TestHarassment:
    @pytest.mark.parametrize(
        ("day", "version", "label"),
        [
            (date(2023, 10, 31), "2018-1", "Victims of physical or sexual harassment"),
            (date(2023, 11, 1), "2023-1", "Victims of non-sexual or sexual harassment"),
        ],
    )
    def test_the_renaming_of_november_2023_is_a_new_version(self, day: date, version: str, label: str) -> None:
        found = indicator("sdg.11.7.2").on(day)
        assert (found.version, found.label) == (version, label)

    def test_the_new_name_means_the_same_acts(self) -> None:
        old, new = indicator("sdg.11.7.2").versions
        assert (old.numerator, old.denominator) == (new.numerator, new.denominator)

    def test_breakdowns_in_the_title(self) -> None:
        assert indicator("sdg.11.7.2").on().disaggregations == ["sex", "age", "disability", "location"]

    @pytest.mark.parametrize("place", ["public_space", "transport", "work", "home", "online"])
    def test_each_place_is_over_everybody(self, place: str) -> None:
        assert numerator(f"harassment.{place}").any == [f"harassed_{place}_12m"]
        assert indicator(f"harassment.{place}").on().denominator == "respondents"


class TestSurveyedCrime:
    @pytest.mark.parametrize("crime", ["robbery", "assault", "theft", "burglary"])
    def test_recorded_and_surveyed_stand_side_by_side(self, crime: str) -> None:
        made = indicator(f"reporting.{crime}").on().numerator
        assert isinstance(made, Compared)
        assert made.surveyed == f"surveyed.{crime}.incidents"
        assert indicator(made.surveyed).on().per == 1_000
        assert base(indicator(f"surveyed.{crime}.reported").on()) == Answers(any=[f"victim_{crime}_12m"])

    @pytest.mark.parametrize(
        ("crime", "unit"),
        [("robbery", "person"), ("theft", "person"), ("burglary", "household"), ("vehicle_theft", "household")],
    )
    def test_households_are_told_from_people(self, crime: str, unit: str) -> None:
        found = [code for code in SURVEYS if code.startswith(f"surveyed.{crime}")]
        assert {numerator(code).unit for code in found} == {unit}
        assert ("the weights must be the households'" in explain(indicator(found[0]))) == (unit == "household")

    def test_what_only_owners_can_suffer_is_over_owners(self) -> None:
        assert base(indicator("surveyed.vehicle_theft").on()) == Answers(any=["owned_vehicle_12m"])


def test_self_reported_stand_ins_say_that_they_are_not_official() -> None:
    found = [code for code in codes() if code.endswith(".self_reported")]
    assert len(found) == 2
    assert all(indicator(code).on().note.startswith("Not the official value") for code in found)


def test_restricted_movement_is_any_of_its_parts() -> None:
    parts = [role for part in ("going_out", "places", "transport") for role in numerator(f"fear.avoids_{part}").any]
    assert numerator("fear.restricted_movement").any == parts


def test_audits_have_a_score_and_each_of_the_nine_parameters() -> None:
    score = indicator("audit.safety_score").on().numerator
    assert isinstance(score, Ratings)
    assert len(score.parameters) == 9
    for name in score.parameters:
        assert indicator(f"audit.{name}").on().numerator == Ratings(ratings=[name])


@pytest.mark.parametrize(
    ("code", "of", "low", "high", "transform"),
    [("cpi.homicide", "sdg.16.1.1", 1, 1654, "log"), ("cpi.theft", "recorded.theft", 25.45, 6159.11, "fourth_root")],
)
def test_goalposts_of_the_city_prosperity_index(code: str, of: str, low: float, high: float, transform: str) -> None:
    made = indicator(code).on().numerator
    assert isinstance(made, Index)
    assert made.goalposts == [Goalposts.model_validate({"of": of, "min": low, "max": high, "transform": transform})]


def test_the_note_on_homicide_has_its_arithmetic_right() -> None:
    assert round(100 * (math.log(1654) - math.log(25)) / math.log(1654)) == 57
    assert "25 homicides per 100 000 still scores 57" in " ".join(indicator("cpi.homicide").on().note.split())
