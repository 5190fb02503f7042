"""Texts of the layers below in the reader's language: problems as they are filled in, and built-in names."""

from __future__ import annotations

import gettext
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from django.utils.translation import override

from hub.workbench.publishing import Office, office
from safercities.config import load
from safercities.hub import phrases, texts
from safercities.hub.jobs import queue
from safercities.hub.workbench.preview import tell
from safercities.indicators.catalogue import indicator
from safercities.model.errors import Problem, SafercitiesError, catalogue, problem

__all__ = ["office"]
SCRIPT = Path(__file__).parents[2] / "scripts" / "messages.py"


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A catalogue of every language that a test fills."""
    known: dict[str, str] = {}

    class Known(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return known.get(message, "")

    monkeypatch.setattr(texts, "_catalogue", lambda language: Known() if language[:2] != "en" else texts._Nothing())
    return known


def put(words: dict[str, str], code: str, what: str, todo: str) -> None:
    words[catalogue()[code].what], words[catalogue()[code].todo] = what, todo


def stored(one: Any) -> dict[str, Any]:
    """As the row of a job gives it back."""
    found: dict[str, Any] = json.loads(json.dumps(texts.kept(one)))
    return found


def test_the_names_are_filled_in_after_the_translation_and_written_as_in_english(words: dict[str, str]) -> None:
    put(words, "sdmx-too-large", "más de {most:,} bytes", "pida uno menor")
    one = problem("sdmx-too-large", file="a.xml", most=1234567)
    assert "1,234,567" in one.what
    for told in (one, stored(one)):
        assert texts.said(told, "es") == texts.Said("más de 1,234,567 bytes", "pida uno menor")
        assert texts.said(told, "en") == texts.Said(one.what, one.todo)
    with override("es"):
        assert tell(one).what == "más de 1,234,567 bytes"


@pytest.mark.parametrize("what", ["{", "{other}", "{value.nothing}", "{0}", "{value:d}"])
def test_an_ill_formed_translation_is_not_shown(words: dict[str, str], what: str) -> None:
    put(words, "rating-wrong", what, "…")
    one = problem("rating-wrong", value="x", parameter="lighting")
    assert texts.said(stored(one), "fr") == texts.Said(one.what, one.todo, english=True)


def test_what_is_not_translated_and_what_older_jobs_kept_is_english(words: dict[str, str]) -> None:
    one = problem("rating-wrong", value="x", parameter="lighting")
    english = texts.Said(one.what, one.todo, english=True)
    assert texts.said(one, "fr") == english
    words[one.kind.what] = "faux"
    assert texts.said(one, "fr") == english  # half a translation is none
    put(words, "rating-wrong", "{value} : {parameter}", "faire")
    assert texts.said(one, "fr") == texts.Said("x : lighting", "faire")
    older = {name: value for name, value in stored(one).items() if name != "details"}
    assert texts.said(older, "fr") == english
    assert texts.said({**stored(one), "code": "gone"}, "fr") == english


def test_values_keep_their_order_where_writing_goes_from_right_to_left(words: dict[str, str]) -> None:
    put(words, "rating-wrong", "{value}: {parameter}", "…")
    told = texts.said(problem("rating-wrong", value="1-2\u202e\n3", parameter="a"), "ar")
    assert told.what == "\u20681-2\ufffd 3\u2069: \u2068a\u2069"


def test_hints_are_translated_within_the_sentence(words: dict[str, str], tmp_path: Path) -> None:
    def todo(one: Problem) -> str:
        words[one.kind.what] = "…"
        words.setdefault(one.kind.todo, one.kind.todo)
        return texts.said(one, "es").todo

    words["did you mean {code}"] = "quizá {code}"
    (tmp_path / "observatory.toml").write_text('[observatory]\nname = "A"\nplaec = "XA-A"\n', encoding="utf-8")
    with pytest.raises(SafercitiesError) as caught:
        load(tmp_path)
    assert "quizá place" in {todo(one) for one in caught.value.problems if one.code == "key-unknown"}
    given = {"value": "Homicide", "given": "101", "list": "ICCS", "codes": "0101"}
    words["did you mean {code} ({name})?"], words["Intentional homicide"] = "¿{code} ({name})?", "Homicidio"
    one = problem("map-code-unknown", **given, hint="did you mean 0101 (Intentional homicide)? ")
    assert todo(one).startswith("¿0101 (Homicidio)? ")
    assert todo(problem("map-code-unknown", **given, hint="something else ")).startswith("something else ")
    assert texts.said(problem("map-code-unknown", **given, hint="\u202e "), "ar").todo.startswith("\u2068\ufffd")


def test_settings_read_from_left_to_right_in_every_language(words: dict[str, str]) -> None:
    put(words, "rating-wrong", "في [sources.{parameter}.map], {value}", "{{ column = …, map = … }}، أو unknown")
    told = texts.said(problem("rating-wrong", value="9", parameter="a"), "ar")
    assert told.what == "في \u2066[sources.\u2068a\u2069.map]\u2069, \u20689\u2069"
    assert told.todo == "\u2066{ column = …, map = … }\u2069، أو unknown"
    assert "\u2066" not in texts.said(problem("rating-wrong", value="9", parameter="a"), "fr").what


def test_only_names_that_are_the_built_in_ones_are_translated(words: dict[str, str]) -> None:
    label = indicator("recorded.robbery").on().label
    words |= {label: "Vol", "Our own robberies": "?", "Education": "Éducation", "Female": "Femme", "Lives alone": "?"}
    assert texts.indicator_name("recorded.robbery", label, "fr") == "Vol"
    assert texts.indicator_name("own.robbery", label, "fr") is None
    assert texts.indicator_name("recorded.robbery", "Our own robberies", "fr") is None
    assert texts.indicator_name("recorded.robbery", label, "en") is None
    assert texts.dimension_name("education", "Education", "fr") == "Éducation"
    assert texts.dimension_name("own", "Education", "fr") is None
    assert texts.code_name("sex", "F", "Female", "fr") == "Femme"
    assert texts.code_name("sex", "F", "Lives alone", "fr") is None
    assert texts.code_name("citizenship", "CO", "Colombia", "fr") == "Colombie"


def test_a_job_tells_its_problems_in_the_language_of_the_page(office: Office, words: dict[str, str]) -> None:
    job = queue.start(office.observatory, "check", office.people["ana"])
    with (office.observatory.path / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write("31/02/2023,0.5,0.5,woman\n")
    office.work()
    job.refresh_from_db()
    told = next(one for one in job.problems if one["row"] == 242)
    kind = catalogue()[told["code"]]
    words |= {kind.what: f"FALSCH {kind.what}", kind.todo: "RICHTIG MACHEN"}
    page = office.get("ana", f"jobs/{job.pk}/", **{"Accept-Language": "fr"}).content.decode()
    assert "FALSCH" in page
    assert "31/02/2023" in page
    assert "RICHTIG MACHEN" in page
    assert "FALSCH" not in office.said("ana", f"jobs/{job.pk}/")
    words.clear()
    page = office.get("ana", f"jobs/{job.pk}/", **{"Accept-Language": "fr"}).content.decode()
    assert '<td class="t" lang="en" dir="ltr">' in page


# -- the script that gathers -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("messages_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_texts_that_the_hub_can_show_are_gathered(script: Any) -> None:
    found = {one.id for one in script.below()}
    kind = catalogue()["file-missing"]
    assert {kind.what, kind.todo, "Female", "Education", "Intentional homicide"} <= found
    assert indicator("sdg.16.1.1").on().label in found
    assert catalogue()["hub-extra"].what not in found  # only whoever starts a hub meets it
    assert {catalogue()[code].what for code in ("duck-refused", "survey-far-apart")} <= found  # a job may end with them
    assert catalogue()["java-missing"].what not in found


def test_calls_within_formatted_texts_are_gathered(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("x = f'<b>{escape(_(\"Before\"))}</b>'\ny = _('After')\n", encoding="utf-8")
    found = [message for _, message, _, _ in script.extract("python", script.BytesIO(script._calls(path)))]
    assert sorted(found) == ["After", "Before"]


@pytest.mark.parametrize(
    ("text", "translation", "fits"),
    [
        ("{a} of {most:,}", "{most:,}: {a}", True),
        ("{a} of {most:,}", "{most}: {a}", False),
        ("{a} of {most:,}", "{a}", False),
        ("{a}", "{b}", False),
        ("{a}", "{a", False),
        ("plain", "{a}", False),
        ("plain", "50 % {{von}}", True),
        ("%(a)s of it", "%(b)s", False),
        ("%(a)s of it", "davon %(a)s", True),
    ],
)
def test_translations_are_filled_in_as_their_texts(script: Any, text: str, translation: str, fits: bool) -> None:
    catalog = Catalog(locale="fr")
    catalog.add(text, translation)
    assert bool(script.ill_formed(catalog)) is not fits


def test_a_missing_or_unfit_translation_makes_the_check_fail(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "LANGUAGES", ("fr",))
    monkeypatch.setattr(script, "catalogue", lambda language, domain: tmp_path / f"{language}.{domain}.po")
    found = Catalog()
    found.add("{a} is wrong")
    assert "not translated" in " ".join(script.treat(texts.TEXTS, found, check=False))
    path = tmp_path / "fr.catalogue.po"
    blank = path.read_text(encoding="utf-8")
    path.write_text(blank.replace('is wrong"\nmsgstr ""', 'is wrong"\nmsgstr "{b} est faux"'), encoding="utf-8")
    assert "filled in otherwise" in " ".join(script.treat(texts.TEXTS, found, check=True))
    path.write_text(blank.replace('is wrong"\nmsgstr ""', 'is wrong"\nmsgstr "{a} est faux"'), encoding="utf-8")
    assert list(script.treat(texts.TEXTS, found, check=True)) == []


def test_what_a_job_keeps_can_be_kept_by_every_database() -> None:
    """PostgreSQL's JSON refuses the zero character, which a cell may hold, and numbers without end."""
    told = texts.kept(problem("date-unreadable", value="20\x0024", file="r\x00.csv", row=3))
    assert "\\u0000" not in json.dumps(told, allow_nan=False)
    assert (told["row"], told["details"]["value"]) == (3, "20�24")


def test_long_hints_are_not_looked_through() -> None:
    assert phrases.phrase("did you mean " + "( " * 100_000, {}.get) is None
