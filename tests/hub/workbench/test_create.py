"""Beginning an observatory, the steps of its work, its settings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from safercities import config
from safercities.hub.models import Event, Job, Observatory, Role
from safercities.hub.workbench.document import ChangedMeanwhileError, Document, same
from safercities.model.errors import SafercitiesError

NEW = {"name": 'Ciudad "Única"', "slug": "unica", "place": "XA-UNI", "languages": ["es", "en"], "public": "on"}


def test_an_administrator_begins_an_observatory_as_init_would(make_user, browser_of, settings):
    admin = make_user("admin", Role.HUB_ADMIN)
    answer = browser_of(admin).post("/w/new/", NEW)
    assert (answer.status_code, answer.url) == (302, "/w/unica/")
    made = Observatory.objects.get(slug="unica")
    assert made.path == settings.HOME / "observatories" / "unica"
    about = config.load(made.path).observatory
    assert (about.name, about.place, about.languages) == ('Ciudad "Única"', "XA-UNI", ["es", "en"])
    assert "# Every key is explained" in (made.path / config.FILE).read_text(encoding="utf-8")
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert Event.objects.get(verb="observatory.created").actor == admin
    assert browser_of(admin).get("/w/unica/").status_code == 200
    assert sorted(path.name for path in made.path.parent.iterdir()) == ["unica"]


@pytest.mark.parametrize("slug", ["new", "../up", "a/b", "Ä", "city", "x" * 61, ""])
def test_names_that_are_taken_or_none_are_refused(slug, town, make_user, browser_of, settings):
    answer = browser_of(make_user("admin", Role.HUB_ADMIN)).post("/w/new/", NEW | {"slug": slug})
    assert answer.status_code == 400
    assert Observatory.objects.count() == 1
    assert not (settings.HOME / "observatories").exists()


def test_only_hub_administrators_begin_observatories(analyst, make_user, browser_of):
    assert browser_of(None).get("/w/new/").url.startswith("/account/login/")
    for user in (analyst, make_user("stranger")):
        assert browser_of(user).post("/w/new/", NEW).status_code == 403


def test_the_home_shows_mine_and_no_others(town, hidden, analyst, browser_of):
    page = browser_of(analyst).get("/w/").content.decode()
    assert "/w/city/" in page
    assert "Hidden" not in page
    assert browser_of(None).get("/w/").url.startswith("/account/login/")


def test_the_next_step_comes_first(town, analyst, browser_of):
    browser = browser_of(analyst)
    page = browser.get("/w/city/").content.decode()
    assert "Next: Files" in page
    (town.path / "cases.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    assert "Next: Sources" in browser.get("/w/city/").content.decode()


def test_what_a_check_found_is_told_and_does_not_bar_the_way(town, analyst, browser_of):
    (town.path / "cases.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    document = Document.read(town.path)
    made = document.with_source("cases", {"kind": "incidents", "file": "cases.csv", "when": "a", "act": "0101"})
    made.with_table("measure", {"indicators": ["sdg.16.1.1"]}).save(document.version)
    now = timezone.now()
    job = Job.objects.create(observatory=town, kind="check", state="done", result={"errors": 2}, started=now, ended=now)
    page = browser_of(analyst).get("/w/city/").content.decode()
    assert "2 errors" in page
    assert f"/w/city/jobs/{job.pk}/" in page
    assert 'action="/w/city/measure/"' in page
    Job.objects.update(started=now - timedelta(days=1))
    assert "The settings changed since" in browser_of(analyst).get("/w/city/").content.decode()


def test_settings_that_cannot_be_read_are_told_and_break_no_page(town, analyst, browser_of):
    (town.path / config.FILE).write_text("[observatory\n", encoding="utf-8")
    page = browser_of(analyst).get("/w/city/")
    assert page.status_code == 200
    assert "TOML" in page.content.decode()
    for address in ("sources/", "settings/", "sources/x/?kind=incidents"):
        answer = browser_of(analyst).get(f"/w/city/{address}")
        assert answer.status_code == 409
        assert "TOML" in answer.content.decode()


def test_a_check_is_asked_for_once(town, analyst, browser_of):
    browser = browser_of(analyst)
    for _ in range(2):
        assert browser.post("/w/city/check/").status_code == 302
    assert [job.kind for job in Job.objects.all()] == [Job.Kind.CHECK]
    assert browser.get("/w/city/check/").status_code == 405


# -- settings ----------------------------------------------------------------------------------------------------------

SAY = {"name": "City", "place": "XA-CIT", "languages": "en, es", "period": "year", "which": "all"}


def _say(town, **more):
    return SAY | {"version": Document.read(town.path).version, "minimum_count": "5", "sensitive_count": "10"} | more


def test_indicators_and_rules_are_chosen_in_plain_words(town, analyst, browser_of):
    browser = browser_of(analyst)
    assert browser.get("/w/city/settings/").status_code == 200
    said = _say(town, indicators=["sdg.16.1.1"], minimum_count="6", method="suppression")
    assert browser.post("/w/city/settings/", said).status_code == 302
    spec = config.load(town.path)
    assert spec.measure.indicators == ["sdg.16.1.1"]
    assert (spec.publish.minimum_count, spec.publish.method) == (6, "suppression")
    assert "sensitive_count" not in Document.read(town.path).data["publish"]  # what is the default anyway


def test_lists_that_stay_keep_their_order_and_comments(town, analyst, browser_of):
    path = town.path / config.FILE
    listed = '[measure]\nindicators = [\n  "sdg.16.1.1",  # police\n  "audit.feeling",\n]\n'
    path.write_text(path.read_text(encoding="utf-8") + listed, encoding="utf-8")
    said = _say(town, indicators=["audit.feeling", "sdg.16.1.1"], smooth="on")
    assert browser_of(analyst).post("/w/city/settings/", said).status_code == 302
    assert listed.rstrip() in path.read_text(encoding="utf-8")
    assert config.load(town.path).measure.smooth


def test_rules_that_protect_nobody_are_refused_with_the_reason(town, analyst, browser_of):
    before = Document.read(town.path).text
    answer = browser_of(analyst).post("/w/city/settings/", _say(town, minimum_count="1"))
    assert answer.status_code == 400
    assert "minimum_count" in answer.content.decode()
    assert Document.read(town.path).text == before


def test_only_hub_administrators_let_the_second_person_off(town, analyst, make_user, browser_of):
    town.two_person = True
    town.save()
    browser_of(analyst).post("/w/city/settings/", _say(town, flags="1", public="on"))
    town.refresh_from_db()
    assert town.two_person
    browser_of(make_user("admin", Role.HUB_ADMIN)).post("/w/city/settings/", _say(town, flags="1", public="on"))
    town.refresh_from_db()
    assert not town.two_person
    assert Event.objects.filter(verb="observatory.changed").count() == 1


# -- the file ----------------------------------------------------------------------------------------------------------


def test_comments_and_unknown_keys_stay_and_only_what_differs_changes(town):
    text = '# mine\n[sources.a]\nkind = "incidents" # kept\nfile = "a.csv"\nwhen = "d" # when\nact = "0101"\n'
    document = Document(town.path, text + '\n# of measure\n[measure]\nindicators = ["x"]\n')
    wanted = document.data["sources"]["a"] | {"when": "day", "dimensions": {"sex": {"column": "s"}}}
    changed = document.with_source("a", wanted)
    assert changed.data["sources"]["a"] == wanted
    assert changed.text.startswith(text.replace('"d"', '"day"').rstrip())
    added = changed.with_source("b", {"kind": "incidents", "dimensions": {"sex": {"map": {"a.b c": "M"}}}})
    assert added.text.startswith(changed.text.rstrip())  # a new table stands at the end, and parts nothing
    assert added.with_source("b", None).data == changed.data
    assert "# of measure\n[measure]" in added.text


def test_places_are_added_changed_and_taken_out(town):
    document = Document.read(town.path)
    one = document.with_geography(0, {"level": "ward", "file": "w.csv", "id": "c"})
    two = one.with_geography(1, {"level": "block", "file": "b.csv", "id": "c"})
    three = two.with_geography(0, {"level": "ward", "file": "w2.csv", "id": "c"})
    assert [place["file"] for place in three.data["geographies"]] == ["w2.csv", "b.csv"]
    assert three.with_geography(0, None).with_geography(0, None).data == document.data


def test_nobody_overwrites_what_somebody_else_wrote(town):
    one, other = Document.read(town.path), Document.read(town.path)
    one.with_table("observatory", one.data["observatory"] | {"name": "One"}).save(one.version)
    with pytest.raises(ChangedMeanwhileError):
        other.with_table("observatory", other.data["observatory"] | {"name": "Other"}).save(other.version)
    assert config.load(town.path).observatory.name == "One"


def test_what_does_not_hold_is_not_written(town):
    document = Document.read(town.path)
    before = document.text
    with pytest.raises(SafercitiesError, match="colour"):
        document.with_table("measure", {"colour": "red"}).save(document.version)
    assert Document.read(town.path).text == before


def test_values_are_the_same_only_as_toml_sees_them():
    assert same({"a": [1, {"b": "c"}]}, {"a": [1, {"b": "c"}]})
    assert not same([1], [True])
    assert not same([1], [1, 2])
