"""A survey, audits, records beside them and an index of the test city, made by hand."""

from __future__ import annotations

from dataclasses import replace

from safercities.collect.records import DimensionInfo
from safercities.indicators.catalogue import indicator
from safercities.model.estimates import Estimates
from safercities.review.data import ReviewData, SourceSummary
from safercities.sampling.contrasts import Contrast

#: Values that are withheld: they, and what could be told from them, must appear nowhere.
SECRET, SECRET_PEOPLE, SECRET_PLACE = 17.3519, 22213.7, 19.1373
ROBBED, SAFE, EVENTS = "surveyed.robbery", "sdg.16.1.4", "surveyed.robbery.incidents"
RULES = {"scheme": "nchs-proportions-2017", "verdict": "publish"}
KORN = "proportion, Taylor linearisation, Korn–Graubard interval"


def row(code: str, value: float | None, lower: float | None, upper: float | None, **more: object) -> dict:
    """One estimate of the survey."""
    same = {"indicator": code, "version": "x", "place": "XX-CTY", "period": "2018", "source": "survey", "level": 0.95}
    same |= {"unit": "%", "method": KORN, "quality": "", "df": 90.0, "n": 3000, "n_positive": 90, **RULES}
    return same | {"value": value, "lower": lower, "upper": upper, **more}


def survey_rows() -> list[dict]:
    """Robbery by sex and age (one group withheld, one with care and nobody), by place, smoothed; people and events."""
    people = {"unit": "people", "method": "total, Taylor linearisation, Student interval"}
    smooth = {"method": "Fay–Herriot (REML)", "quality": "smoothed", "verdict": None, "scheme": None}
    withheld = {"verdict": "withhold", "note": "None of 28 respondents; nchs-proportions-2017 asks for a review"}
    return [
        row(ROBBED, 5.2, 4.8, 5.6, n=27_800),
        row(ROBBED, 801_234.0, 758_900.0, 843_800.0, n=27_800, **people),
        row(ROBBED, 6.1, 5.5, 6.8, period="2016", n=25_000),
        row(ROBBED, 6.9, 6.1, 7.8, sex="F", n=14_000),
        row(ROBBED, 3.4, 2.9, 4.0, sex="M", n=13_800),
        row(ROBBED, SECRET, 1.234567, 20.7654, age="Y15T24", n=28, quality="zero_or_full few_respondents wide_interval",
            **withheld),
        # the share is withheld, so the number of people is: one tells the other
        row(ROBBED, SECRET_PEOPLE, 3210.9, 65432.1, age="Y15T24", n=28, **people),
        row(ROBBED, 0.0, 0.0, 10.3, age="Y25T34", n=60, verdict="warn", quality="zero_or_full few_df"),
        row(ROBBED, 4.4, 4.0, 4.9, age="Y35T59", n=9_000),
        row(ROBBED, SECRET_PLACE, 2.0, 21.0, place="N000", n=31, quality="wide_interval", **withheld),
        row(ROBBED, 5.9, 3.9, 8.6, place="N000", n=31, **smooth),
        row(ROBBED, 6.3, 4.4, 8.7, place="N001", n=410),
        row(ROBBED, 5.8, 4.6, 7.2, place="N001", n=410, **smooth),
        row(SAFE, 52.2, 49.5, 54.8, n=27_700),
        row(EVENTS, 74.0, 66.0, 82.0, unit="per 1 000", method="mean, Taylor linearisation, Student interval"),
        row(EVENTS, 29_600.0, 26_400.0, 32_800.0, unit="events"),
    ]  # fmt: skip


def beside_rows() -> list[dict]:
    """What was recorded of it, the rate between them, an index."""
    records = {"source": "police", "period": "2018", "place": "XX-CTY", "level": 0.95, "quality": ""}
    recorded = records | {"indicator": "recorded.robbery", "version": "x", "unit": "incidents", "method": "count"}
    rate = records | {"indicator": "reporting.robbery", "version": "x", "unit": "per 100", "source": "police / survey"}
    index = records | {"indicator": "cpi.homicide", "version": "x", "unit": "index 0–100", "n": 96}
    return [
        recorded | {"value": 11_840, "lower": 11_628.0, "upper": 12_055.0, "n": 11_840},
        rate | {"value": 40.0, "lower": 36.1, "upper": 44.9, "method": "MOVER", "n": 3000, **RULES},
        index | {"value": 57.1, "lower": 54.0, "upper": 60.2, "method": "between goalposts; of: crude rate"},
    ]


def audit_rows() -> list[dict]:
    """Scores of the city, of one parameter, of two places; one of them from a single walk."""
    same = {"version": "x", "period": "2018", "source": "audits", "level": 0.95, "quality": "", "method": "mean"}
    score = same | {"indicator": "audit.safety_score", "unit": "score 0–5"}
    return [
        score | {"place": "XX-CTY", "value": 2.493, "lower": 2.395, "upper": 2.59, "n": 943},
        score | {"place": "N001", "value": 2.9, "lower": 2.2, "upper": 3.6, "n": 24},
        score | {"place": "N002", "value": 1.9, "n": 5, "quality": "single_psu"},
        same | {"indicator": "audit.lighting", "unit": "score 0–3", "place": "XX-CTY", "value": 1.71, "lower": 1.61,
                "upper": 1.8, "n": 960},
    ]  # fmt: skip


def contrast(one: dict, other: dict, values: tuple[float, float], ends: tuple[float, float]) -> Contrast:
    """A difference of robbery between two groups."""
    first, second = values
    rest = {"ratio_se": 0.1, "ratio_lower": 1.0, "ratio_upper": 2.0, "covariance": 0.0, "df": 90.0, "p_value": 0.01}
    return Contrast(
        outcome=ROBBED, one=one, other=other, value=first, other_value=second, difference=first - second,
        difference_se=0.4, difference_lower=ends[0], difference_upper=ends[1], ratio=first / second, level=0.95, **rest,
    )  # fmt: skip


def with_survey(data: ReviewData, *, records: bool = True, wave: str = "2018") -> ReviewData:
    """A review of the test city that has a survey and audits too."""
    made = [*survey_rows(), *beside_rows(), *audit_rows()]
    made = [one | {"period": wave} if one["source"] == "survey" and one["period"] == "2018" else one for one in made]
    old = data.estimates.rows() if records else []
    made = made if records else survey_rows()
    codes = [ROBBED, SAFE, EVENTS, "recorded.robbery", "reporting.robbery", "audit.safety_score", "audit.lighting"]
    survey = SourceSummary("survey", "Victimisation survey", "survey", "survey.csv", "cd" * 32, 27_900, 27_800, 100,
                           None, wave, population="Residents aged 15 and over")  # fmt: skip
    audits = SourceSummary("audits", "Safety audits", "audits", "audits.csv", "ef" * 32, 943, 943, 0)
    ages = DimensionInfo("age", "Age", "person", ("Y15T24", "Y25T34", "Y35T59"), {})
    pairs = [
        contrast({"sex": "M"}, {"sex": "F"}, (3.4, 6.9), (-4.4, -2.6)),
        contrast({"age": "Y35T59"}, {"age": "Y15T24"}, (4.4, SECRET), (-9.0, -0.5)),  # one side is withheld
        contrast({"age": "Y35T59"}, {"age": "Y25T34"}, (4.4, 3.9), (-1.0, 9.0)),  # not the numbers of the page
    ]
    return replace(
        data,
        estimates=Estimates.from_rows([*old, *made], ["sex", "age"]),
        indicators={**data.indicators, **{code: indicator(code) for code in [*codes, "cpi.homicide"]}},
        sources=[*data.sources, survey, audits],
        dimensions={**data.dimensions, "age": ages},
        contrasts={ROBBED: pairs},
    )
