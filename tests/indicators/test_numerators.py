"""What indicators may be made of: answers, ratings, comparisons, goalposts; and what is refused."""

from __future__ import annotations

import pytest

from safercities.indicators.catalogue import explain, load_indicator
from safercities.indicators.numerators import Answers
from safercities.model.errors import SafercitiesError, UsageError

TEXT = """\
code = "x.y"
kind = "KIND"
[[versions]]
version = "1"
label = "First"
definition = "What it means."
numerator = { NUMERATOR }
denominator = DENOMINATOR
population = "Residents aged 15 and over"
reference_period = "P12M"
source = "A text"
"""
ROBBED = 'any = ["victim_robbery_12m"]'
ALL = '"respondents"'


def text(kind: str, numerator: str, denominator: str) -> str:
    return TEXT.replace("KIND", kind).replace("NUMERATOR", numerator).replace("DENOMINATOR", denominator)


def refused(content: str) -> str:
    with pytest.raises(SafercitiesError) as caught:
        load_indicator(content, file="x")
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "numerator", "denominator", "made_of", "unit", "roles"),
    [
        ("proportion", ROBBED, ALL, "survey", "%", ["victim_robbery_12m"]),
        ("proportion", 'all = ["woman", "aged_15_plus"]', ALL, "survey", "%", ["woman", "aged_15_plus"]),
        (
            *("proportion", 'any = ["reported_robbery"]', '{ any = ["victim_robbery_12m"] }', "survey", "%"),
            ["reported_robbery", "victim_robbery_12m"],
        ),
        (
            *("proportion", 'none = ["woman"]', '{ none = ["ever_partnered"] }', "survey", "%"),
            ["woman", "ever_partnered"],
        ),
        ("incidence", 'mean = "robberies_12m"', ALL, "survey", "per 1 000", ["robberies_12m"]),
        ("mean", 'mean = "thefts_12m"', '{ any = ["woman"] }', "survey", "mean", ["thefts_12m", "woman"]),
        (
            *("ratio", 'mean = "thefts_12m"', '{ mean = "robberies_12m" }', "survey", "per 100"),
            ["thefts_12m", "robberies_12m"],
        ),
        ("ratio", 'recorded = "a", surveyed = "b"', '"none"', "estimates", "per 100", []),
        ("score", 'ratings = "all"', '"none"', "audits", "score", []),
        ("index", 'goalposts = [{ of = "a", min = 0, max = 1 }]', '"none"', "estimates", "index 0–100", []),
        ("rate", 'acts = ["0401"], units = ["incidents"]', '"population"', "incidents", "per 100 000", []),
        (
            "count",
            'acts = ["0401"], units = ["incidents", "offences"]',
            '"none"',
            "incidents",
            "incidents or offences",
            [],
        ),
    ],
)
def test_every_kind(kind: str, numerator: str, denominator: str, made_of: str, unit: str, roles: list[str]) -> None:
    made = load_indicator(text(kind, numerator, denominator))
    version = made.on()
    assert (version.made_of, made.unit(version), version.roles) == (made_of, unit, roles)
    assert load_indicator(text(kind, numerator, denominator)).model_validate(made.model_dump()) == made
    assert explain(made).startswith("x.y – First\n\nWhat it means.")


@pytest.mark.parametrize(
    ("kind", "numerator", "denominator", "said"),
    [
        ("proportion", 'any = ["victim_robery_12m"]', ALL, "no role of answers.toml; did you mean victim_robbery_12m"),
        ("proportion", 'any = ["robberies_12m"]', ALL, "robberies_12m does not fit here: it is a number: say mean"),
        ("incidence", 'mean = "victim_robbery_12m"', ALL, "it is answered by yes or no: say any, all or none"),
        ("proportion", "any = []", ALL, "say one of any, all, none (lists of roles) and mean (one role)"),
        ("proportion", f'{ROBBED}, none = ["woman"]', ALL, "say one of any, all, none"),
        ("proportion", 'any = ["woman", "woman"]', ALL, "the role woman stands twice"),
        (
            "proportion",
            'anny = ["woman"]',
            ALL,
            "x:7:versions.0.numerator.anny: this key is not known: did you mean any",
        ),
        ("proportion", f"{ROBBED}, ratings = 1", ALL, "numerator.ratings: this key is not known"),
        ("proportion", 'any = "woman"', ALL, "versions.0.numerator.any"),
        (
            "proportion",
            'any = ["woman", "victim_burglary_12m"]',
            ALL,
            "mix answers for persons with answers for households",
        ),
        (
            *("proportion", ROBBED, '{ any = ["owned_vehicle_12m"] }'),
            "the numerator stands for a person, the denominator for a household",
        ),
        (
            *("proportion", 'any = ["reported_robbery"]', ALL),
            "reported_robbery is asked only of those who said yes to victim_robbery_12m: the denominator must say so",
        ),
        ("proportion", 'any = ["reported_robbery"]', '{ any = ["victim_robbery_12m", "woman"] }', "must say so"),
        ("proportion", 'any = ["reported_robbery"]', '{ none = ["victim_robbery_12m"] }', "must say so"),
        ("proportion", ROBBED, '"population"', "a proportion needs any, all or none of some roles, over “respondents”"),
        ("proportion", ROBBED, '"none"', "a proportion needs"),
        ("proportion", ROBBED, '{ mean = "thefts_12m" }', "a proportion needs"),
        ("proportion", 'mean = "thefts_12m"', ALL, "a proportion needs"),
        ("proportion", 'acts = ["0401"], units = ["incidents"]', ALL, "a proportion needs"),
        ("incidence", ROBBED, ALL, "an incidence needs mean = a role"),
        ("mean", ROBBED, ALL, "a mean needs mean = a role"),
        ("ratio", 'mean = "thefts_12m"', ALL, "a ratio needs mean = a role, over mean = another"),
        ("ratio", 'recorded = "a", surveyed = "b"', ALL, "a ratio needs"),
        ("ratio", ROBBED, '"none"', "a ratio needs"),
        ("score", ROBBED, ALL, "a score needs ratings"),
        ("score", 'ratings = "all"', ALL, "a score needs ratings"),
        ("score", "ratings = []", '"none"', "name at least one parameter, or say all"),
        (
            "score",
            'ratings = ["lightning"]',
            '"none"',
            "lightning is no parameter of the rubric; did you mean lighting",
        ),
        ("score", 'ratings = ["people", "people"]', '"none"', "the parameter people stands twice"),
        ("index", "goalposts = []", '"none"', "at least 1"),
        ("index", 'goalposts = [{ of = "a", min = 2, max = 1 }]', '"none"', "min must lie below max"),
        ("index", 'goalposts = [{ of = "a", min = nan, max = 1 }]', '"none"', "min must lie below max"),
        (
            "index",
            'goalposts = [{ of = "a", min = 0, max = 1, transform = "log" }]',
            '"none"',
            "min must be above zero",
        ),
        (
            *("index", 'goalposts = [{ of = "a", min = -1, max = 1, transform = "fourth_root" }]', '"none"'),
            "min must not be negative",
        ),
        (
            "index",
            'goalposts = [{ of = "a", min = 0, max = 1 }, { of = "a", min = 0, max = 2 }]',
            '"none"',
            "stands twice",
        ),
        ("index", 'goalposts = [{ of = "a", min = 0, max = 1, weight = 0 }]', '"none"', "weight"),
        ("ratio", 'recorded = "A b", surveyed = "b"', '"none"', "numerator.recorded"),
        ("ratio", 'recorded = "a"', '"none"', "numerator.surveyed: this key is missing"),
    ],
)
def test_what_is_wrong_is_said_once(kind: str, numerator: str, denominator: str, said: str) -> None:
    assert said in refused(text(kind, numerator, denominator))


def test_one_mistake_is_one_problem() -> None:
    with pytest.raises(SafercitiesError) as caught:
        load_indicator(text("proportion", 'any = ["nobody"]', ALL), file="x")
    assert len(caught.value.problems) == 1


def test_a_proportion_is_a_percentage() -> None:
    wrong = text("proportion", ROBBED, ALL).replace("reference_period", "per = 1000\nreference_period")
    assert "a proportion is a percentage: leave per out" in refused(wrong)


def test_an_incidence_may_be_per_something_else() -> None:
    made = load_indicator(text("incidence", 'mean = "thefts_12m"', ALL).replace("source", "per = 100_000\nsource"))
    assert made.unit(made.on()) == "per 100 000"


def test_an_indicator_of_answers_says_whom_it_means() -> None:
    assert "version 1 needs population" in refused(
        text("proportion", ROBBED, ALL).replace('population = "Residents aged 15 and over"\n', "")
    )


@pytest.mark.parametrize("period", ["12M", "P", "P0M", "P12", "p12m", "P1Y2M"])
def test_a_reference_period_is_one_number_and_its_unit(period: str) -> None:
    assert "reference_period" in refused(text("proportion", ROBBED, ALL).replace("P12M", period))


def test_what_is_no_count_of_records_cannot_be_used_as_one() -> None:
    version = load_indicator(text("proportion", ROBBED, ALL)).on()
    with pytest.raises(UsageError, match="“First” is not counted from recorded cases: it is made of survey"):
        _ = version.counted


class TestAnswers:
    def test_the_unit_is_that_of_the_roles(self) -> None:
        assert Answers(any=["victim_burglary_12m"]).unit == "household"
        assert Answers(mean="robberies_12m").unit == "person"

    @pytest.mark.parametrize("how", ["any", "all", "none"])
    def test_how(self, how: str) -> None:
        made = Answers.model_validate({how: ["woman", "man"]})
        assert (made.how, made.roles) == (how, ["woman", "man"])
