"""Surveys, audits and indices on the page: how sure, of whom, what is withheld; no claim that the data do not bear."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from io import BytesIO

import pytest
from openpyxl import load_workbook
from tests.review.surveyed import EVENTS, ROBBED, SAFE, SECRET, SECRET_PEOPLE, SECRET_PLACE, contrast, with_survey
from tests.review.surveyed import row as row_of
from tests.review.test_build import Balance, words_of

from safercities.review.annex import annex
from safercities.review.build import render
from safercities.review.i18n import Texts
from safercities.review.rows import Shown
from safercities.review.words import Words


@pytest.fixture(scope="module")
def data(city):
    return with_survey(city.data())


@pytest.fixture(scope="module")
def page(data) -> str:
    return html.unescape(render(data))


def section(page: str, name: str) -> str:
    return page[page.index(f'<section aria-labelledby="{name}"') :].split("</section>")[0]


def rows_of(text: str, head: str) -> list[str]:
    """What the rows with this head say, each as one line."""
    rows = re.findall(r'<tr role="row">(<th scope="row".*?)</tr>', text, re.S)
    said = [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row)).strip() for row in rows]
    return [row for row in said if row.startswith(head)]


def test_a_number_of_a_survey_stands_with_interval_interviews_and_people(page):
    told = section(page, "told")
    (row,) = rows_of(told, "Victims of robbery, by survey")
    assert row == (
        "Victims of robbery, by survey about 801,000 people (759,000 to 844,000) 2016: 6.1% (5.5–6.8) "
        "5.2% 4.8–5.6 27,800"
    )
    assert "Speaks for</dt><dd>Residents aged 15 and over" in told
    assert "NCHS data presentation standards for proportions (2017)" in told
    assert "No change is claimed" in told


def test_the_first_sentences_tell_the_survey_and_the_dark_figure(page):
    short = words_of(section(page, "short"))
    assert (
        "People who feel safe walking alone after dark (residents aged 15 and over): 52.2% (95% interval "
        "49.5% to 54.8%); 27,700 interviewed, 2018." in short
    )
    assert (
        "for every 100 that people told the survey, about 40 stand in the records (95% interval 36.1 to 44.9)" in short
    )


def test_without_records_the_survey_is_the_headline(city):
    page = render(with_survey(city.data(), records=False))
    assert "There is nothing to show yet" not in page
    assert 'class="lead">People who feel safe' in page


SPELLED = ("17.35", "17.4%", "22,2", "22213", "19.14", "19.1%", "20.77", "20.8", "65,4", "65432")


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_withheld_values_are_nowhere_on_the_page(data, language):
    page = render(data, language)
    titles = " ".join(re.findall(r"<(?:title|desc)[^>]*>([^<]*)<", page))
    # without blanks and marks of direction, which languages put before a per cent sign
    said = re.sub(r"[\s\u200e\u200f\u061c]", "", words_of(page[page.index("<main") :]) + titles)
    for value in SPELLED:
        swapped = value.translate(str.maketrans(".,", ",."))
        assert value not in said
        assert swapped not in said
    assert "28 respondents" not in page


def test_a_withheld_group_says_why_and_draws_nothing(page):
    who = section(page, "who")
    (row,) = rows_of(who, "15–24 withheld")
    assert row == "15–24 withheld: too few interviews, interval too wide 28"
    raw = re.search(
        r'<tr role="row"><th scope="row" role="rowheader">15–24</th><td role="cell" class="drawn" colspan.*?</tr>',
        who,
        re.S,
    )
    assert raw is not None
    assert "<svg" not in raw[0]


def test_withheld_values_are_not_in_the_workbook(data):
    book = load_workbook(BytesIO(annex(data)))
    numbers = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row]
    for secret in (SECRET, SECRET_PEOPLE, SECRET_PLACE, 1.234567, 20.7654, 65432.1, 3210.9):
        assert secret not in numbers
    assert not any(isinstance(cell, str) and "28 respondents" in cell for cell in numbers)
    rows = list(book[ROBBED].iter_rows(values_only=True))
    hidden = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    hidden = [row for row in hidden if row["verdict"] == "withhold"]
    assert len(hidden) == 3
    assert {row["note"] for row in hidden} == {
        "withheld: too few interviews, interval too wide",
        "withheld: the publication rules ask for it",
        "withheld: interval too wide",
    }
    assert all("zero_or_full" not in (row["quality"] or "") for row in hidden)


def test_a_smoothed_place_does_not_tell_the_withheld_answers_of_its_people(data):
    told = {"n_positive": 17, "coverage": 0.913, "note": "direct estimate weighs 0.31"}
    rows = [row | told if row["quality"] == "smoothed" else row for row in data.estimates.rows()]
    made = replace(data, estimates=type(data.estimates).from_rows(rows, ["sex", "age"]))
    lines = list(load_workbook(BytesIO(annex(made)))[ROBBED].iter_rows(values_only=True))
    found = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    smoothed = {row["place"]: row for row in found if row["quality"] == "smoothed"}
    assert smoothed["N000"]["value"] == 5.9  # its direct estimate is withheld
    assert [smoothed["N000"][name] for name in told] == [None, None, None]
    assert [smoothed["N001"][name] for name in told] == [17, 0.913, "direct estimate weighs 0.31"]


def test_a_confidential_row_of_the_workbook_tells_nothing_of_its_answers(data):
    shut = {"conf_status": "N", "quality": "zero_or_full few_respondents", "note": "None of 28 respondents"}
    rows = [row | shut | {"deff": 1.7, "df": 9.0} if row["age"] == "Y35T59" else row for row in data.estimates.rows()]
    made = replace(data, estimates=type(data.estimates).from_rows(rows, ["sex", "age"]))
    lines = list(load_workbook(BytesIO(annex(made)))[ROBBED].iter_rows(values_only=True))
    (row,) = [row for line in lines if (row := dict(zip(lines[0], line, strict=True)))["age"] == "Y35T59"]
    assert [row[name] for name in ("value", "se", "n", "n_positive", "deff", "df", "note")] == [None] * 7
    assert row["quality"] == "few_respondents"


def test_the_workbook_has_the_differences_that_may_be_shown(data):
    rows = list(load_workbook(BytesIO(annex(data)))["Differences"].iter_rows(values_only=True))
    assert len(rows) == 2
    found = dict(zip(rows[0], rows[1], strict=True))
    assert (found["one"], found["other"]) == ("sex F", "sex M")
    assert (found["difference"], found["lower"], found["upper"]) == pytest.approx((3.5, 2.6, 4.4))


def test_nobody_in_the_sample_is_a_one_sided_interval_with_care(page):
    (row,) = rows_of(section(page, "who"), "25–34")
    assert row == "25–34 with care: too few sampling units, nobody in the sample 0.0% up to 10.3% 60"
    raw = re.search(r'rowheader">25–34</th>.*?</tr>', section(page, "who"), re.S)[0]
    assert 'class="dot open"' in raw
    assert 'class="iv open"' in raw
    assert "Hollow dot with a dotted interval: to be read with care." in page


def test_only_clear_differences_are_told(page):
    who = words_of(section(page, "who"))
    assert "Women: 6.9%; Men: 3.4%. Difference +3.5 percentage points (95% interval +2.6 to +4.4)." in who
    assert who.count("Difference +") == 1
    assert (
        "1 pair of groups was compared. 1 interval leaves out “no difference” and is told here. Among pairs that do "
        "not differ at all, about 5% would do so by chance."
    ) in who


def test_of_many_clear_differences_the_largest_are_told(data, monkeypatch):
    monkeypatch.setattr("safercities.review.surveyed.MOST_TOLD", 0)
    page = words_of(render(data))
    assert "Difference +" not in page
    assert "Smaller clear differences: 1. They stand in data.xlsx." in page


def test_an_interval_that_holds_no_difference_is_no_claim(data):
    unclear = contrast({"sex": "F"}, {"sex": "M"}, (6.9, 3.4), (-0.4, 7.4))
    page = words_of(render(replace(data, contrasts={ROBBED: [unclear]})))
    assert "no clear difference between groups" in page
    assert "No interval leaves out “no difference”." in page
    assert "Difference +" not in page


def test_chance_is_that_of_the_level_of_the_intervals(data):
    pair = replace(data.contrasts[ROBBED][0], level=0.9)
    assert "about 10% would do so by chance" in words_of(render(replace(data, contrasts={ROBBED: [pair]})))


@pytest.mark.parametrize(
    ("language", "counts"),
    [
        (
            "es",
            ["Se comparó 1 par de grupos. 1 intervalo excluye", "Se compararon 2 pares de grupos. 2 intervalos exc"],
        ),
        ("ar", ["قورن زوج واحد من الفئات. مجال واحد يستبعد", "قورن زوجان من الفئات. مجالان يستبعدان"]),
    ],
)
def test_one_pair_and_two_in_the_language_of_the_page(data, language, counts):
    pair = data.contrasts[ROBBED][0]
    for number, said in enumerate(counts, start=1):
        assert said in words_of(render(replace(data, contrasts={ROBBED: [pair] * number}), language))


def changed(data, values: tuple[float, float], ends: tuple[float, float], code: str = ROBBED) -> str:
    """What the page says of the survey, with this change since the wave before."""
    since = contrast({"period": "2018"}, {"period": "2016"}, values, ends)
    page = html.unescape(render(replace(data, changes={code: [since]})))
    return words_of(section(page, "told"))


def test_a_clear_change_since_the_wave_before_is_told_with_its_interval(data):
    told = changed(data, (5.2, 6.1), (-1.6, -0.2))
    assert (
        "1 indicator was compared with the interviews before. 1 interval leaves out “no change” and is told here."
        in told
    )
    assert "Victims of robbery, by survey: −0.9 percentage points since 2016 (95% interval −1.6 to −0.2)." in told
    assert "No change is claimed" not in told


def test_a_change_that_may_be_chance_is_only_counted(data):
    told = changed(data, (5.2, 6.1), (-1.9, 0.1))
    assert "1 indicator was compared with the interviews before. No interval leaves out “no change”." in told
    assert "since 2016" not in told


@pytest.mark.parametrize("values", [(5.2, 6.0), (5.1, 6.1)])
def test_a_change_of_other_numbers_than_the_page_shows_is_not_told(data, values):
    told = changed(data, values, (-1.6, -0.2))
    assert "No change is claimed" in told
    assert "since 2016" not in told


def test_a_change_from_a_wave_that_is_withheld_is_not_told(data):
    table = data.estimates.rows()
    hidden = [row | {"verdict": "withhold"} if row["period"] == "2016" else row for row in table]
    secret = replace(data, estimates=type(data.estimates).from_rows(hidden, ["sex", "age"]))
    assert "since 2016" not in changed(secret, (5.2, 6.1), (-1.6, -0.2))


def test_the_first_sentence_says_whether_it_changed(data):
    rows = [*data.estimates.rows(), row_of(SAFE, 50.2, 47.0, 53.0, period="2016")]
    estimates = type(data.estimates).from_rows(rows, ["sex", "age"])
    since = contrast({"period": "2018"}, {"period": "2016"}, (52.2, 50.2), (-1.1, 5.0))
    page = html.unescape(render(replace(data, estimates=estimates, changes={SAFE: [since]})))
    assert (
        "No clear change since 2016: +2.0 percentage points (95% interval −1.1 to +5.0, which includes no change)."
        in words_of(section(page, "short"))
    )


def test_recorded_and_told_stand_side_by_side(page):
    gap = section(page, "gap")
    text = words_of(gap)
    assert "Recorded: Police records 11,840 11,628 to 12,055" in text
    assert "Told to the survey: Victimisation survey about 29,600 events 26,400 to 32,800" in text
    assert "Recorded per 100 told 40.0 36.1–44.9" in text


def test_smoothed_places_are_told_apart_from_direct_ones(page):
    where = section(page, "where")
    (first,), (second,) = rows_of(where, "Area 0"), rows_of(where, "Area 1 6.3%")
    assert first == "Area 0 withheld: interval too wide – 5.9% 3.9–8.6 31"
    assert second == "Area 1 6.3% 4.4–8.7 5.8% 4.6–7.2 410"
    assert "Drawn towards comparable places (model)" in where
    assert where.count('<rect class="dot second"') == 2


def test_places_stand_by_name(data):
    changed = data.estimates.rows()
    page = render(data)
    heads = re.findall(r'rowheader">(Area \d+)</th>', section(page, "where"))
    assert heads == sorted(heads, key=lambda name: int(name.split()[1]))
    assert len(changed) > len(heads) > 1


def test_many_withheld_places_are_gathered_below_the_table(data, city):
    from tests.review.surveyed import row

    from safercities.model.estimates import Estimates

    more = [
        row(ROBBED, 3.0, 1.0, 9.0, place=f"N{number:03}", n=12, verdict="withhold", quality="few_respondents")
        for number in range(2, 12)
    ]
    changed = replace(data, estimates=Estimates.from_rows([*data.estimates.rows(), *more], ["sex", "age"]))
    where = words_of(section(render(changed), "where"))
    assert "Withheld: too few interviews – Area 2; Area 3; Area 4" in where
    assert "neighbourhood: 1 of 12 shown" in where


def test_audits_are_scores_of_chosen_points(page):
    audits = section(page, "audits")
    assert rows_of(audits, "Safety audit score") == ["Safety audit score 2.49 2.40–2.59 943"]
    assert rows_of(audits, "Safety audit: lighting") == ["Safety audit: lighting 1.71 1.61–1.80 960"]
    assert rows_of(audits, "Area 2") == ["Area 2 with care: all from one sampling unit 1.90 5"]
    assert "The points were chosen, not drawn at random" in words_of(audits)
    assert "Area 1: 2.90 of 5 (2.20–3.60)" in audits


def test_an_index_says_that_it_squeezes(page):
    scale = section(page, "scale")
    assert rows_of(scale, "Police records, 2018") == ["Police records, 2018 57.1 54.0–60.2 96"]
    assert "Read the rate first" in scale


def test_a_wave_of_another_time_is_shown_and_said(city):
    page = words_of(render(with_survey(city.data(), wave="2017")))
    assert "The interviews are of 2017, the records of 2018: they do not speak of the same time." in page
    assert "5.2% 4.8–5.6 27,800" in page


def test_recorded_and_surveyed_never_share_a_series(data):
    shown = Shown(data)
    assert {series.indicator for series in shown.series} == {"sdg.16.1.1", "recorded.robbery"}
    assert {series.indicator for series in shown.of("survey")} == {ROBBED, "sdg.16.1.4", EVENTS}


def test_the_page_is_well_formed_in_every_language(data):
    for language in ("en", "es", "ar"):
        page = render(data, language)
        found = Balance(page)
        assert len(found.ids) == len(set(found.ids))
        contents = page[page.index('class="contents"') : page.index("<main")]
        assert re.findall(r'href="#(\w+)"', contents) == re.findall(r'<section aria-labelledby="(\w+)"', page)
        assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))


def test_rows_have_as_many_cells_as_the_head(page):
    for table in re.findall(r'<table class="strips.*?</table>', page, re.S):
        head, body = table.split("<tbody", 1)
        columns = head.count("<th ")
        for row in re.findall(r"<tr .*?</tr>", body, re.S):
            assert len(re.findall(r"<t[hd] ", row)) + row.count('colspan="2"') == columns


def test_nothing_of_the_page_stays_english(data):
    page = render(data, "es")
    text = words_of(page[page.index("<body") :])
    for english in ("interviewed", "withheld", "with care", "told to", "value and interval", "speaks for"):
        assert english not in text.lower()


@pytest.mark.parametrize(("language", "respondents", "points"), [
    ("en", "respondents", "audited points"),
    ("es", "personas entrevistadas", "puntos auditados"),
    ("ar", "مجيبين", "نقاط مدقَّقة"),
])  # fmt: skip
def test_what_a_survey_and_an_audit_count_is_said_in_the_language_of_the_page(data, language, respondents, points):
    words = Words(Texts(language), data)
    assert (words.unit("respondents"), words.unit("points")) == (respondents, points)
