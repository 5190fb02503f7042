"""Publication rules: each scheme at its own limits, what is not known, and the files themselves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from safercities.model.errors import SafercitiesError, UsageError
from safercities.sampling.publication import Facts, Judgement, find_scheme, judge, load_scheme, schemes
from safercities.sampling.rules import VERDICTS, Curve, Measure

#: An estimate that every scheme publishes, by kind.
SOUND: dict[str, dict[str, float]] = {
    "proportion": {"value": 0.3, "se": 0.01, "lower": 0.28, "upper": 0.32},
    "mean": {"value": 12.0, "se": 0.6, "lower": 10.8, "upper": 13.2},
    "total": {"value": 90_000, "se": 3_000, "lower": 84_000, "upper": 96_000},
    "ratio": {"value": 1.4, "se": 0.05, "lower": 1.3, "upper": 1.5},
    "rate": {"value": 80.0, "se": 4.0, "lower": 72.0, "upper": 88.0},
    "quantile": {"value": 7.0, "se": 0.3, "lower": 6.4, "upper": 7.6},
}
COMMON: dict[str, float] = {"n": 2000, "n_positive": 600, "n_effective": 1500, "df": 120, "deff": 1.3}


def _facts(kind: str = "proportion", **changes: float) -> Facts:
    known = SOUND[kind] | COMMON | changes
    return Facts(kind, **{name: np.array([value], dtype=float) for name, value in known.items()})


def _verdict(scheme: str, kind: str = "proportion", **changes: float) -> tuple[str | None, str]:
    got = judge(scheme, _facts(kind, **changes))
    return got.verdict[0], got.flags[0]


@pytest.mark.parametrize("name", [name for name in schemes() if name != "none"])
def test_a_sound_estimate_is_published(name: str) -> None:
    for kind in schemes()[name].kinds:
        got = judge(name, _facts(kind))
        assert got == Judgement(name, got.verdict, [""], [""])
        assert got.verdict.tolist() == ["publish"]


NCHS = "nchs-proportions-2017"
LIMITS = [  # scheme, kind, what stays, what changes: just inside, its verdict, just outside, its verdict and flag
    (NCHS, "proportion", {}, "n", 30, "publish", 29, "withhold", "few_respondents"),
    (NCHS, "proportion", {}, "n_effective", 30, "publish", 29.9, "withhold", "low_effective_n"),
    (NCHS, "proportion", {"lower": 0.15}, "upper", 0.44, "publish", 0.4501, "withhold", "wide_interval"),
    (NCHS, "proportion", {"value": 0.05, "lower": 0}, "upper", 0.065, "publish", 0.066, "withhold", "wide_interval"),
    # an interval of 5 percentage points at most is narrow, though it is five times the value
    (NCHS, "proportion", {"value": 0.01, "lower": 0}, "upper", 0.05, "publish", 0.051, "withhold", "wide_interval"),
    (NCHS, "proportion", {"value": 0.95, "lower": 0.92}, "upper", 0.985, "publish", 0.9851, "warn", "wide_interval"),
    (NCHS, "proportion", {}, "df", 8, "publish", 7, "warn", "few_df"),
    ("nchs-rates-2023", "rate", {}, "n_positive", 10, "publish", 9, "withhold", "few_positive"),
    ("nchs-rates-2023", "total", {}, "n_effective", 10, "publish", 9.5, "withhold", "low_effective_n"),
    ("nchs-rates-2023", "rate", {"lower": 10}, "upper", 138, "publish", 139, "withhold", "wide_interval"),
    ("nchs-rates-2023", "rate", {}, "df", 8, "publish", 7, "warn", "few_df"),
    ("ine-chile-2020", "proportion", {}, "n", 60, "publish", 59, "withhold", "few_respondents"),
    ("ine-chile-2020", "mean", {}, "df", 9, "publish", 8, "withhold", "few_df"),
    # 0.125^(2/3) / 9 = 0.25 / 9 = 0.02777…
    ("ine-chile-2020", "proportion", {"value": 0.125}, "se", 0.0277, "publish", 0.0278, "warn", "high_cv"),
    ("ine-chile-2020", "proportion", {"value": 0.875}, "se", 0.0277, "publish", 0.0278, "warn", "high_cv"),
    ("ine-chile-2020", "ratio", {"value": 0.875}, "se", 0.0277, "publish", 0.0278, "warn", "high_cv"),
    ("ine-chile-2020", "ratio", {"value": 2}, "se", 0.3, "publish", 0.31, "warn", "high_cv"),
    ("ine-chile-2020", "ratio", {"value": 2}, "se", 0.6, "warn", 0.61, "withhold", "high_cv"),
    ("ine-chile-2020", "total", {"value": 100}, "se", 15, "publish", 16, "warn", "high_cv"),
    ("ine-chile-2020", "total", {"value": 100}, "se", 30, "warn", 31, "withhold", "high_cv"),
    ("eclac-2020", "proportion", {}, "n", 100, "publish", 99, "withhold", "few_respondents"),
    ("eclac-2020", "proportion", {}, "n_effective", 140, "publish", 139, "withhold", "low_effective_n"),
    ("eclac-2020", "total", {}, "n_positive", 50, "publish", 49, "withhold", "few_positive"),
    # −ln(0.1) · 0.1 · 0.175 = 0.040295
    ("eclac-2020", "proportion", {"value": 0.1}, "se", 0.0402, "warn", 0.0403, "withhold", "high_cv"),
    ("eclac-2020", "proportion", {"value": 0.9}, "se", 0.0402, "publish", 0.0403, "withhold", "high_cv"),
    ("eclac-2020", "mean", {}, "df", 9, "publish", 8, "warn", "few_df"),
    ("eclac-2020", "mean", {"value": 10}, "se", 1.99, "publish", 2, "warn", "high_cv"),
    ("eclac-2023", "mean", {}, "deff", 1, "publish", 0.99, "withhold", "low_effective_n"),
    ("eclac-2023", "mean", {}, "n_effective", 60, "publish", 59, "withhold", "low_effective_n"),
    ("eclac-2023", "mean", {}, "df", 9, "publish", 8, "withhold", "few_df"),
    ("eclac-2023", "proportion", {}, "n_positive", 50, "publish", 49, "warn", "few_positive"),
    ("eclac-2023", "proportion", {}, "n_positive", 30, "warn", 29, "withhold", "few_positive"),
    ("eclac-2023", "proportion", {"value": 0.9}, "se", 0.0402, "publish", 0.0403, "withhold", "high_cv"),
    ("eclac-2023", "total", {"value": 100}, "se", 20, "publish", 21, "warn", "high_cv"),
    ("eclac-2023", "total", {"value": 100}, "se", 30, "warn", 31, "withhold", "high_cv"),
    ("inegi-cv", "mean", {"value": 100}, "se", 14.9, "publish", 15, "warn", "high_cv"),
    ("inegi-cv", "mean", {"value": -100}, "se", 29.9, "warn", 30, "withhold", "high_cv"),
    ("dhs-counts", "quantile", {}, "n", 50, "publish", 49, "warn", "few_respondents"),
    ("dhs-counts", "proportion", {}, "n", 25, "warn", 24, "withhold", "few_respondents"),
    ("statcan-cv", "total", {}, "n", 30, "publish", 29, "withhold", "few_respondents"),
    ("statcan-cv", "total", {"value": 1000}, "se", 165, "publish", 166, "warn", "high_cv"),
    ("statcan-cv", "total", {"value": 1000}, "se", 333, "warn", 334, "withhold", "high_cv"),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "kind", "stays", "fact", "inside", "mild", "outside", "severe", "flag"), LIMITS)
def test_each_limit(
    scheme: str,
    kind: str,
    stays: dict[str, float],
    fact: str,
    inside: float,
    mild: str,
    outside: float,
    severe: str,
    flag: str,
) -> None:
    assert _verdict(scheme, kind, **stays, **{fact: inside})[0] == mild
    assert _verdict(scheme, kind, **stays, **{fact: outside}) == (severe, flag)


def test_reasons_are_sentences_with_the_figures() -> None:
    got = judge("nchs-proportions-2017", _facts(n=24, n_effective=29.97, df=1))
    assert got.reasons == [
        "24 respondents; nchs-proportions-2017 asks for 30. "
        "Worth 29.97 independent respondents; nchs-proportions-2017 asks for 30. "
        "1 degree of freedom; nchs-proportions-2017 asks for 8"
    ]
    assert got.flags == ["few_respondents low_effective_n few_df"]
    assert judge("dhs", _facts(n=1)).reasons == ["1 respondent; dhs-counts asks for 25"]
    assert judge("inegi", _facts("mean", value=10, se=1.50001)).reasons == [
        "Standard error of 15.0001 % of the value; inegi-cv asks for less than 15 %"
    ]
    assert judge("ine-chile", _facts(value=0.125, se=0.05)).reasons == [
        "Standard error of 5 percentage points; ine-chile-2020 asks for at most 2.78 percentage points"
    ]
    assert judge("nchs", _facts(lower=0, upper=0.5)).reasons == [
        "Interval of 50 percentage points; nchs-proportions-2017 asks for less than 30 percentage points"
    ]
    assert judge("inegi", _facts("total", value=10, se=20_000_000)).reasons == [
        "Standard error of 200000000 % of the value; inegi-cv asks for less than 30 %"
    ]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nobody_or_everybody(value: float) -> None:
    facts = {"value": value, "se": 0.0, "n": 500, "n_positive": 500 * value, "n_effective": 400, "deff": np.nan}
    limits = {"lower": 0.0 if value == 0 else 0.99, "upper": 0.01 if value == 0 else 1.0}
    who = "None of 500 respondents" if value == 0 else "All of 500 respondents"
    got = judge("nchs", _facts(**facts, **limits))
    assert (got.verdict[0], got.flags[0]) == ("warn", "zero_or_full")
    assert got.reasons == [f"{who}; nchs-proportions-2017 asks for a review"]
    for name in ("inegi-cv", "statcan-cv", "ine-chile-2020"):  # a standard error of 0 is no precision
        got = judge(name, _facts(**facts, **limits))
        assert (got.verdict[0], got.flags[0]) == ("warn", "zero_or_full"), name
        assert got.reasons[0].startswith(f"{who}; {name} cannot judge it by its "), name
    alone = judge("nchs", _facts(**facts | {"n": 1, "n_positive": value}, **limits)).reasons[0]
    assert ("The only respondent is no case" if value == 0 else "The only respondent is a case") in alone
    few = facts | {"n": 20, "n_positive": 20 * value}
    assert _verdict("nchs", **few, **limits)[0] == "withhold"


def test_a_total_without_a_case_is_no_precise_zero() -> None:
    zero = {"value": 0.0, "se": 0.0, "lower": 0.0, "upper": 900.0, "n_positive": 0}
    assert _verdict("statcan", "total", **zero) == ("warn", "zero_or_full")
    assert _verdict("nchs", "total", **zero)[0] == "withhold"


@pytest.mark.parametrize("name", [name for name in schemes() if name != "none"])
def test_nothing_unknown_is_published(name: str) -> None:
    for kind in schemes()[name].kinds:
        asked = {rule.measure for rule in schemes()[name].rules_for(kind)} & {*SOUND[kind], *COMMON}
        if {rule.measure for rule in schemes()[name].rules_for(kind)} & {"cv", "log_cv"}:
            asked.add("se")
        for fact in asked:
            got = judge(name, _facts(kind, **{fact: np.nan}))
            assert got.verdict[0] != "publish", (kind, fact)
            assert "not known" in got.reasons[0], (kind, fact)
        assert _verdict(name, kind, value=np.nan, n=0, n_positive=0)[0] == "withhold"


@pytest.mark.parametrize("scheme", ["inegi", "statcan", "ine-chile", "eclac-2020", "eclac-2023"])
@pytest.mark.parametrize("se", [0.0, 1e-17])
def test_no_spread_is_not_precision(scheme: str, se: float) -> None:
    """A group from one sampling unit, or whose units are all alike, has a standard error of 0."""
    for kind in find_scheme(scheme).kinds:
        if any(rule.measure in ("se", "cv", "log_cv") for rule in find_scheme(scheme).rules_for(kind)):
            assert _verdict(scheme, kind, se=se)[0] != "publish", kind


def test_an_empty_domain_is_not_nobody() -> None:
    got = judge("inegi", _facts(value=np.nan, se=np.nan, n=0, n_positive=0))
    assert "None of" not in got.reasons[0]
    assert "There is no value" in got.reasons[0]


def test_no_rule_no_verdict() -> None:
    for scheme, kind in (("none", "proportion"), ("nchs-proportions-2017", "mean"), ("dhs", "total")):
        got = judge(scheme, _facts(kind, n=1))
        assert got.verdict.tolist() == [None]
        assert (got.flags, got.reasons) == ([""], [""])


def test_names_without_year_and_families() -> None:
    assert find_scheme("eclac").name == "eclac-2023"
    assert find_scheme("nchs").name == "nchs-proportions-2017"
    assert find_scheme("nchs", "rate").name == "nchs-rates-2023"
    assert find_scheme("nchs-proportions", "rate").name == "nchs-proportions-2017"
    assert find_scheme("ine-chile").name == "ine-chile-2020"
    assert judge("nchs", _facts()).scheme == "nchs-proportions-2017"


@pytest.mark.parametrize(
    ("given", "near"), [("nhcs", "nchs"), ("eclac-2019", "eclac-2020"), ("INE", "none"), ("", "dhs")]
)
def test_an_unknown_name_names_near_ones(given: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        judge(given, _facts())
    assert near in str(caught.value)
    assert "nchs-proportions-2017" in str(caught.value)


@pytest.mark.parametrize("scheme", schemes().values(), ids=schemes())
def test_files_say_where_they_come_from(scheme: object) -> None:
    assert scheme.checked.endswith(".")  # type: ignore[attr-defined]
    assert "  " not in scheme.checked  # type: ignore[attr-defined]
    assert scheme.source.title  # type: ignore[attr-defined]
    assert scheme.label  # type: ignore[attr-defined]


def test_rows_are_judged_one_by_one() -> None:
    rng = np.random.default_rng(20261123)
    size, names = 400, [*SOUND["proportion"], *COMMON]
    table = {name: rng.choice([0.0, 0.01, 0.2, 0.5, 1.0, np.nan], size) for name in ("value", "se", "lower", "upper")}
    table |= {name: rng.choice([0.0, 5, 28, 45, 70, 400, np.nan], size) for name in COMMON}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in schemes():
            together = judge(name, Facts("proportion", **table))
            for row in range(0, size, 7):
                alone = judge(name, _facts(**{fact: float(table[fact][row]) for fact in names}))
                assert alone.verdict[0] == together.verdict[row]
                assert (alone.flags[0], alone.reasons[0]) == (together.flags[row], together.reasons[row])
                assert (alone.verdict[0] in (None, "publish")) == (alone.reasons[0] == "")


def test_rules_of_ones_own() -> None:
    text = """
family = "ours"
label = "Ours"
kinds = ["proportion"]
checked = "Ours."
source = { authors = "we", title = "", institution = "" }
[[rules]]
measure = "n"
up_to = 99
verdict = "withhold"
flag = "few_respondents"
"""
    ours = load_scheme(text, "ours")
    got = judge(ours, _facts(n=99))
    assert (got.scheme, got.verdict[0]) == ("ours", "withhold")
    assert got.reasons == ["99 respondents; ours asks for more than 99"]
    with pytest.raises(SafercitiesError, match="bound"):
        load_scheme(text.replace("up_to = 99\n", ""), "ours")
    with pytest.raises(SafercitiesError, match="no quality flag"):
        load_scheme(text.replace('"few_respondents"', '"few"'), "ours")
    with pytest.raises(SafercitiesError, match="uncertainty"):
        load_scheme(text.replace('measure = "n"', 'measure = "uncertainty"'), "ours")


def test_the_curve_is_symmetric() -> None:
    curve = Curve(power=(2, 3), divisor=9)
    p = np.linspace(0, 1, 21)
    assert curve.at(p) == pytest.approx(curve.at(1 - p))
    assert curve.at(np.array([0.5]))[0] == pytest.approx(0.5 ** (2 / 3) / 9)
    assert VERDICTS == ("publish", "warn", "withhold")


def test_the_page_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "publication-rules.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in schemes())
    assert all(f"`{measure}`" in page for measure in get_args(Measure))
