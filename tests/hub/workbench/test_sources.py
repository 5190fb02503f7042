"""Saying what columns mean: from a newcomer's messy file to a source that can be checked; and what is refused."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from hub.workbench.conftest import MESSY
from safercities import config
from safercities.collect.spec import IncidentsSpec
from safercities.hub.models import Event, Job, Role
from safercities.hub.workbench import guess, mapping, sampling
from safercities.hub.workbench.document import Document
from safercities.observatory import Observatory as Folder


class Fields(HTMLParser):
    """What a browser would send of the form `mapping` of a page, as it stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.inside, self.select = False, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        of = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.inside = of.get("id") == "mapping"
        name = of.get("name", "")
        if not self.inside or tag == "button":
            return
        if tag == "select":
            self.select = name
            self.found[name] = ""
        elif tag == "option" and self.select and "selected" in of:
            self.found[self.select] = of.get("value", "")
        elif tag == "input" and name and (of.get("type") != "checkbox" or "checked" in of):
            self.found[name] = of.get("value", "on")

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        if tag == "select":
            self.select = ""


@pytest.fixture
def messy(town):
    """The messy file, in the folder."""
    (town.path / "casos.csv").write_bytes(MESSY)
    return town


@pytest.fixture
def browser(analyst, browser_of):
    return browser_of(analyst)


def begin(browser, kind="incidents", name="cases", file="casos.csv"):
    """Begin a source; the first page of it."""
    answer = browser.post("/w/city/sources/", {"kind": kind, "name": name, "file": file})
    assert answer.status_code == 302, answer.content.decode()
    page = browser.get(answer.url)
    assert page.status_code == 200
    return page.content.decode()


def send(browser, fields, name="cases", **changes):
    """Send the form with some answers changed."""
    return browser.post(f"/w/city/sources/{name}/", {**fields, **{k.replace("_", "-"): v for k, v in changes.items()}})


def test_a_messy_file_becomes_a_source(messy, browser):
    fields = Fields(begin(browser)).found
    assert fields["decimal"] == ","
    assert (fields["when"], fields["longitude"], fields["latitude"]) == ("Fecha del hecho", "Longitud", "Latitud")
    assert (fields["d0-column"], fields["d1-column"], fields["d1-unknown"]) == ("Género", "Edad", "-1")
    answer = send(browser, fields, act_column="", act_code="0101", unit="victims", action="save")
    assert answer.status_code == 302
    spec = config.load(messy.path).sources["cases"]
    assert isinstance(spec, IncidentsSpec)
    assert (spec.act, spec.unit, spec.longitude, spec.decimal) == ("0101", "victims", "Longitud", ",")
    assert spec.dimensions["sex"].map == {"Hombre": "M", "Mujer": "F"}
    assert spec.dimensions["age"].bins == [0, 15, 25, 35, 60]
    assert [str(one) for one in spec.dimensions["age"].unknown] == ["-1"]
    collected = Folder(messy.path, config.load(messy.path)).collect("cases")
    assert (collected.rows_read, collected.table.num_rows) == (7, 6)
    assert Event.objects.get(verb="source.saved").object == "cases"
    assert browser.get("/w/city/sources/").status_code == 200


def test_the_preview_shows_rows_beside_what_they_become(messy, browser):
    fields = Fields(begin(browser)).found
    page = send(browser, fields, act_column="", act_code="0101").content.decode()
    assert "7 rows read: 6 kept, 1 left out" in page
    assert "casos.csv:5:Género" in page  # the row whose code nobody explained
    assert re.search(r'<tr class="out"><th scope="row">4</th>.*31/02/2023', page)
    assert "2023-04-23" in page
    assert config.load(messy.path).sources == {}  # looking writes nothing
    assert not Event.objects.exists()


def test_hostile_cells_are_shown_as_text(messy, browser):
    fields = Fields(begin(browser)).found
    page = send(browser, fields, act_column="", act_code="0101").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "=HYPERLINK(" in page


def test_another_column_brings_its_own_values(messy, browser):
    fields = Fields(begin(browser)).found
    page = send(browser, fields, act_column="Delito").content.decode()
    values = [value for key, value in Fields(page).found.items() if key.startswith("act-v")]
    assert values == ["Homicidio", "Años atrás"]


def test_codes_of_acts_are_mapped_value_by_value(messy, browser):
    fields = Fields(send(browser, Fields(begin(browser)).found, act_column="Delito").content.decode()).found
    answer = send(browser, fields, act_c0="0101", act_c1="_U", action="save")
    assert answer.status_code == 302
    act = Document.read(messy.path).data["sources"]["cases"]["act"]
    assert act == {"column": "Delito", "map": {"Homicidio": "0101"}, "unknown": ["Años atrás"]}


def test_what_does_not_hold_is_refused_at_its_question(messy, browser):
    before = Document.read(messy.path).text
    fields = Fields(begin(browser)).found
    answer = send(browser, fields, when="", act_column="", act_code="0101", action="save")
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "this key is missing" in wrong(page)["q-when"][0]
    assert 'id="q-when" aria-invalid="true" aria-describedby="q-when-wrong' in page
    answer = send(browser, fields, act_column="", act_code="0101", d1_bins="25, 15", action="save")
    assert "rising list" in answer.content.decode()
    assert Document.read(messy.path).text == before


def wrong(page):
    """Id of each list of what is wrong → its text and whether the live preview exchanges it."""
    found = {}
    for attributes, inside in re.findall(r'<ul class="errorlist"([^>]*)>(.*?)</ul>', page):
        (id,) = re.findall(r' id="([^"]+)-wrong"', attributes)
        assert f'data-wrong="{id}"' in attributes
        assert ("hidden" in attributes) == (inside == "")
        assert id not in found
        found[id] = (re.sub("<[^>]+>", "", inside), 'hx-swap-oob="true"' in attributes)
    return found


def test_a_live_preview_brings_what_is_wrong_to_its_question_and_takes_it_away(messy, browser):
    fields = Fields(begin(browser)).found | {"act-column": "", "act-code": "0101"}
    bare = fields | {"when": "", "d1-bins": "15, 0"}
    refused = send(browser, bare, action="save").content.decode()
    text, exchanged = wrong(refused)["q-when"]
    assert text.startswith("this key is missing. add it")
    assert not exchanged
    live = {"HX-Request": "true", "HX-Target": "preview"}

    def asked(fields):
        return wrong(browser.post("/w/city/sources/cases/", fields, headers=live).content.decode())

    first, second = asked(bare), asked(fields)
    assert first.keys() == second.keys() == wrong(refused).keys()  # each is there to be exchanged
    assert all(exchanged for _, exchanged in (*first.values(), *second.values()))
    assert first["q-when"][0]
    assert first["q-d1-bins"][0]
    assert {id for id, (text, _) in second.items() if text} == set()
    whole = browser.post("/w/city/sources/cases/", fields, headers=live | {"HX-Target": "draft"}).content.decode()
    assert not any(exchanged for _, exchanged in wrong(whole).values())  # they come with the questions around them
    for id in wrong(refused):
        assert re.search(rf'aria-describedby="{id}-wrong', refused), id


def test_a_live_preview_says_it_at_the_answer_that_was_sent(town, browser):
    (town.path / "survey.csv").write_text("weight,q1,q2\n1,1,2\n1,2,1\n1,1,1\n", encoding="utf-8")
    fields = Fields(begin(browser, "survey", "wave", "survey.csv")).found
    fields |= {"period": "2023", "period-column": "", "weight-column": "weight"}
    fields |= {f"a{at}-{key}": "" for at in range(3) for key in ("role", "column", "yes", "no", "unknown")}
    fields |= {"a1-role": "reported.police", "a1-column": "q1", "a1-yes": "1", "a1-no": "1"}  # the first is left empty
    live = {"HX-Request": "true", "HX-Target": "preview"}
    answer = browser.post("/w/city/sources/wave/", fields, headers=live).content.decode()
    told = wrong(answer)
    assert told["a1"][0]
    assert not told["a0"][0]
    assert Fields(answer).found["a1-role"] == "reported.police"


@pytest.mark.parametrize(
    "file", ["../../etc/passwd", "/etc/passwd", "observatory.toml", "https://x.example/a.csv", "no.csv"]
)
def test_no_other_file_than_those_offered_can_be_chosen(file, messy, browser):
    before = Document.read(messy.path).text
    assert browser.post("/w/city/sources/", {"kind": "incidents", "name": "x", "file": file}).status_code == 400
    fields = Fields(begin(browser)).found
    answer = send(browser, fields, file=file, act_column="", act_code="0101", action="save")
    assert answer.status_code == 400
    page = browser.get(f"/w/city/sources/x/?kind=incidents&file={file}")
    assert "root:" not in page.content.decode()
    assert Document.read(messy.path).text == before


def test_a_link_out_of_the_folder_is_not_offered(messy, browser, tmp_path):
    (tmp_path / "secret.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    (messy.path / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert "link.csv" not in browser.get("/w/city/sources/").content.decode()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a.b", "con", "x" * 61, "<b>"])
def test_names_that_are_none_are_refused(name, messy, browser):
    answer = browser.post("/w/city/sources/", {"kind": "incidents", "name": name, "file": "casos.csv"})
    if answer.status_code == 302:  # the check of the settings has the last word
        fields = Fields(browser.get(answer.url).content.decode()).found
        answer = send(browser, fields, name=name, act_column="", act_code="0101", action="save")
    assert answer.status_code == 400
    assert config.load(messy.path).sources == {}


def test_what_the_form_does_not_ask_stays(messy, browser):
    document = Document.read(messy.path)
    text = document.text + (
        '\n# ours\n[sources.cases]\nkind = "incidents"\nfile = "casos.csv"\nwhen = "Fecha del hecho"  # day first\n'
        'act = "0101"\nearliest = 2020-01-01\ndecimal = ","\ntimezone = "America/Bogota"\n'
        '[sources.cases.dimensions]\nsex = { column = "Género", of = "person", map = { Mujer = "F", Nunca = "M" } }\n'
    )
    (messy.path / config.FILE).write_text(text, encoding="utf-8")
    before = Document.read(messy.path).data["sources"]["cases"]
    fields = Fields(browser.get("/w/city/sources/cases/").content.decode()).found
    assert send(browser, fields, action="save", label="Casos").status_code == 302
    after = Document.read(messy.path)
    assert after.data["sources"]["cases"] == before | {"label": "Casos"}
    assert "# ours" in after.text
    assert "# day first" in after.text


def test_somebody_elses_change_is_not_lost(messy, browser):
    fields = Fields(begin(browser)).found
    document = Document.read(messy.path)
    document.with_table("measure", {"indicators": ["sdg.16.1.1"]}).save(document.version)
    answer = send(browser, fields, act_column="", act_code="0101", action="save")
    assert answer.status_code == 400
    assert "meanwhile" in answer.content.decode()
    again = Fields(answer.content.decode()).found
    assert send(browser, again, action="save").status_code == 302
    assert set(Document.read(messy.path).data) == {"observatory", "measure", "sources"}


def test_save_and_check_queues_a_check(messy, browser):
    fields = Fields(begin(browser)).found
    answer = send(browser, fields, act_column="", act_code="0101", action="check")
    assert answer.status_code == 302
    assert Job.objects.get().kind == Job.Kind.CHECK


def test_a_large_file_is_read_from_its_beginning(messy, browser, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE", 200)
    fields = Fields(begin(browser)).found
    page = send(browser, fields, act_column="", act_code="0101").content.decode()
    assert "its first rows only" in page
    read = re.search(r"(\d) rows read", page)
    assert read
    assert 1 < int(read[1]) < 7


def test_a_large_file_of_places_is_left_to_the_check(messy, browser, monkeypatch):
    """A page does not load it whole, and a beginning would say wrong things of what lies in what."""
    monkeypatch.setattr(sampling, "SAMPLE", 20)
    (messy.path / "barrios.csv").write_text("codigo;nombre\nA;Uno\nB;Dos\n", encoding="utf-8")
    begun = browser.post("/w/city/sources/", {"kind": "geography", "file": "barrios.csv"})
    fields = Fields(browser.get(begun.url).content.decode()).found
    assert (fields["id"], fields["name"]) == ("codigo", "nombre")
    page = browser.post("/w/city/places/0/", fields | {"level": "barrio"}).content.decode()
    assert "too large to be read here" in page
    assert "2 places" not in page


def test_places_population_surveys_and_audits_are_mapped_too(messy, browser):
    folder = messy.path
    (folder / "barrios.csv").write_text("codigo;nombre\nA;Uno\nB;Dos\n", encoding="utf-8")
    (folder / "gente.csv").write_text("codigo;año;sexo;personas\nA;2023;Hombre;10\nB;2023;Mujer;12\n", encoding="utf-8")
    (folder / "encuesta.csv").write_text("factor;sexo;p1\n10,5;1;1\n9,5;2;2\n10;1;9\n", encoding="utf-8")
    (folder / "audits.csv").write_text("date;lighting;openness\n2023-01-01;3;1\n2023-01-02;9;2\n", encoding="utf-8")

    begun = browser.post("/w/city/sources/", {"kind": "geography", "file": "barrios.csv"})
    fields = Fields(browser.get(begun.url).content.decode()).found
    assert (fields["id"], fields["name"]) == ("codigo", "nombre")
    page = browser.post("/w/city/places/0/", fields | {"level": "barrio"}).content.decode()
    assert "2 places" in page
    assert browser.post("/w/city/places/0/", fields | {"level": "barrio", "action": "save"}).status_code == 302

    fields = Fields(begin(browser, "population", "people", "gente.csv")).found
    assert fields["place"] == "codigo"
    said = {"count": "personas", "period_column": "año", "level": "barrio", "action": "save"}
    assert send(browser, fields, "people", **said).status_code == 302

    fields = Fields(begin(browser, "survey", "victims", "encuesta.csv")).found
    assert (fields["weight-column"], fields["decimal"]) == ("factor", ",")
    said = {"period": "2023", "d0_c0": "M", "d0_c1": "F", "a0_role": "victim_physical_12m", "a0_column": "p1"}
    said |= {"a0_yes": "1", "a0_no": "2", "a0_unknown": "9", "action": "save"}
    assert send(browser, fields, "victims", **said).status_code == 302

    fields = Fields(begin(browser, "audits", "walks", "audits.csv")).found
    assert (fields["rubric-lighting"], fields["when"]) == ("lighting", "date")
    assert send(browser, fields, "walks", rubric_lighting_unknown="9", action="save").status_code == 302

    spec = config.load(folder)
    assert spec.geographies[0].level == "barrio"
    assert spec.sources["people"].level == "barrio"
    assert spec.sources["victims"].variables["victim_physical_12m"].yes == [1]
    opened = Folder(folder, spec)
    rows = {name: opened.collect(name).table.num_rows for name in ("people", "victims", "walks")}
    assert rows == {"people": 2, "victims": 3, "walks": 2}
    for name in ("people", "victims", "walks"):  # what was saved is what the page shows again
        before = Document.read(folder).data
        again = Fields(browser.get(f"/w/city/sources/{name}/").content.decode()).found
        assert send(browser, again, name, action="save").status_code == 302
        assert Document.read(folder).data == before


def test_a_source_is_taken_out_and_its_file_stays(messy, browser):
    fields = Fields(begin(browser)).found
    send(browser, fields, act_column="", act_code="0101", action="save")
    version = Document.read(messy.path).version
    browser.post("/w/city/sources/cases/", {"kind": "incidents", "version": version, "action": "remove"})
    assert config.load(messy.path).sources == {}
    assert (messy.path / "casos.csv").is_file()


def test_raw_rows_are_for_those_who_work_with_them(messy, hidden, make_user, browser_of):
    for role in (Role.VIEWER, Role.AUDITOR, Role.REVIEWER):
        one = browser_of(make_user(f"u{role}", role, observatory=messy))
        for address in (
            "sources/",
            "sources/cases/?kind=incidents&file=casos.csv",
            "places/0/?file=casos.csv",
            "settings/",
        ):
            assert one.get(f"/w/city/{address}").status_code == 403
    stranger = browser_of(make_user("elsewhere", Role.PUBLISHER, observatory=hidden))
    assert stranger.get("/w/city/sources/").status_code == 404
    assert stranger.get("/w/nothing/sources/").status_code == 404


def test_every_question_is_a_key_that_the_settings_have():
    for kind, fields in mapping.FIELDS.items():
        known = mapping.SPECS[kind].model_fields
        assert {field.key for field in (*fields, *mapping.FILE_FIELDS)} <= set(known), kind
    from safercities.collect.audits_spec import RubricFrom

    assert set(mapping.RATINGS) == set(RubricFrom.model_fields)


@pytest.mark.parametrize(
    ("dimension", "values", "codes"),
    [
        ("sex", ["H", "M", "?"], ["M", "F", "_U"]),
        ("sex", ["M", "F"], ["M", "F"]),
        ("sex", ["ذكر", "أنثى"], ["M", "F"]),
        ("disability", ["WITH", "Sin dato", "so so"], ["WITH", "_U", ""]),
    ],
)
def test_meanings_are_proposed_and_never_invented(dimension, values, codes):
    assert [guess.code_of(dimension, value, values) for value in values] == codes
