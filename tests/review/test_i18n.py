"""Languages: every text has its translation, with the same blanks to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

import safercities.review
from safercities.indicators.catalogue import catalogue as indicators
from safercities.model.dimensions import dimension, dimensions
from safercities.model.quality import FLAGS
from safercities.review.annex import COLUMNS
from safercities.review.build import render
from safercities.review.i18n import Texts, catalogue, languages

TRANSLATED = [language for language in languages() if language != "en"]


@pytest.fixture(scope="module")
def messages() -> set[str | tuple[str, ...]]:
    folder = Path(safercities.review.__file__).parent
    methods = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
    found = extract_from_dir(folder, method_map=methods, keywords={"gettext": None, "ngettext": (1, 2)})
    return {message for _, _, message, _, _ in found}


def blanks(text: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language, messages):
    assert len(messages) > 80
    found = catalogue(language)
    for message in messages:
        first = message if isinstance(message, str) else message[0]
        entry = found.get(first)
        assert entry is not None, f"{language}.po lacks: {first}"
        assert all([entry.string] if isinstance(entry.string, str) else entry.string), (
            f"{language}.po is empty for: {first}"
        )
        assert not entry.fuzzy


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_fill_in_the_same_blanks(language):
    for entry in catalogue(language):
        if not entry.id:
            continue
        wanted = blanks(entry.id if isinstance(entry.id, str) else entry.id[1])
        given = [entry.string] if isinstance(entry.string, str) else entry.string
        for form in given:
            missing = wanted - blanks(form)
            # forms for none, one and two may say the number in words
            allowed = {"{n}", "{count}"} if len(given) > 1 else set()
            assert missing <= allowed, entry.id
            assert blanks(form) <= wanted, entry.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_quality_flags_and_labels_of_indicators_are_translated(language):
    found = catalogue(language)
    for text in [*FLAGS.values(), *(entry.on().label for entry in indicators().values())]:
        assert found.get(text) is not None, f"{language}.po lacks: {text}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_known_breakdowns_are_translated(language):
    found = catalogue(language)
    for name in dimensions():
        assert found.get(dimension(name).label) is not None, f"{language}.po lacks: {dimension(name).label}"


def test_spanish_has_the_definitions_and_the_columns_too():
    found = catalogue("es")
    texts = [
        " ".join(version.split())
        for entry in indicators().values()
        for version in (entry.on().definition, entry.on().note)
    ]
    for text in [*texts, *COLUMNS.values()]:
        assert not text or found.get(text) is not None, f"es.po lacks: {text}"


def test_a_spanish_page_says_it_in_spanish(city):
    page = render(city.data(languages=["es"]), "es")
    assert '<html lang="es" dir="ltr">' in page
    assert (
        "En 2018, 96 personas fueron víctimas de homicidio intencional en Test City, "
        "es decir, 24,0 por cada 100.000 habitantes y año" in page
    )


def test_plural_forms():
    es = Texts("es")
    assert [es.ngettext("victim", "victims", n) for n in (0, 1, 2)] == ["víctimas", "víctima", "víctimas"]
    ar = Texts("ar")
    assert [ar.ngettext("victim", "victims", n) for n in (1, 2, 5, 11, 100)] == [
        "ضحية",
        "ضحيتان",
        "ضحايا",
        "ضحية",
        "ضحية",
    ]
    said = [
        ar.ngettext("{n} place has no matching population, so only a count: {places}.", "", n, places="")
        for n in (7, 26)
    ]
    assert ["أماكن" in said[0], "مكاناً" in said[1]] == [True, True]
    assert [Texts("en").ngettext("victim", "victims", n) for n in (0, 1, 2)] == ["victims", "victim", "victims"]


def test_a_value_cannot_fill_in_another_blank():
    assert Texts("en").gettext("{label}: trend", label="{period}") == "{period}: trend"


@pytest.mark.parametrize(
    ("code", "english", "spanish"),
    [
        ("2019", "2019", "2019"),
        ("2019-Q1", "Q1 2019", "T1 2019"),
        ("2019-03", "March 2019", "marzo de 2019"),
        ("2019-03-05", "March 5, 2019", "5 de marzo de 2019"),
        ("2019-W07", "2019-W07", "2019-W07"),
        ("not a period", "not a period", "not a period"),
    ],
)
def test_periods(code, english, spanish):
    assert (Texts("en").period(code), Texts("es").period(code)) == (english, spanish)


def test_ranges_keep_their_order_from_right_to_left(city):
    page = render(city.data(languages=["ar"]), "ar")
    assert '<html lang="ar" dir="rtl">' in page
    assert "\u206678–117\u2069" in page
    assert "\u206615–24\u2069" in page
    assert '<div class="drawing" dir="ltr">' in page
