"""What the hub remembers keeps its promises, also where somebody writes to it past the views."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from hub.postgres import own_database
from safercities.hub.models import Event, Job, Observatory, Proposal, Release, Role, Token, User, Webhook
from safercities.hub.models import shelf as shelf_module
from safercities.hub.models.trail import START, TrailError
from safercities.model.errors import SafercitiesError, problem


def test_the_migrations_make_what_the_models_say(db):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


RECORD = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "safercities.hub.settings"
import django
django.setup()
from django.core.management import call_command
from safercities.hub.models import Event
call_command("migrate", check_unapplied=True, verbosity=0)
for _ in range(20):
    Event.record("job.started")
print(Event.objects.count(), Event.broken())
"""


def test_the_migrations_run_and_processes_do_not_trip_over_each_other(tmp_path):
    """The other tests take the short way: one process, tables straight from the models."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SAFERCITIES_", "DJANGO_"))}
    environ |= {"SAFERCITIES_HUB_HOME": str(tmp_path), **own_database()}
    hub = [sys.executable, "-m", "safercities.hub"]
    subprocess.run([*hub, "migrate", "--verbosity", "0"], env=environ, timeout=120, check=True)
    command = [sys.executable, "-c", RECORD]
    both = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert max(int(count) for count, _ in said) == 40
    assert [broken for _, broken in said] == ["None", "None"]


# --- the trail ---


def record_three(city: Observatory, user: User) -> list[Event]:
    return [
        Event.record("member.added", actor=user, observatory=city, object="7", detail={"role": "viewer"}),
        Event.record("job.started"),
        Event.record("release.published", actor=user, observatory=city, object="1", detail={"number": 1}),
    ]


def test_each_entry_holds_the_hash_of_the_one_before(city, make_user):
    first, second, third = record_three(city, make_user())
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert [first.previous, second.previous, third.previous] == [START, first.hash, second.hash]
    assert Event.broken() is None


def test_nothing_in_the_trail_can_be_changed_or_deleted(city, make_user):
    event = record_three(city, make_user())[0]
    event.verb = "nothing.happened"
    every = Event.objects.all()
    for change in (
        event.save,
        event.delete,
        every.delete,
        lambda: every.update(verb="x"),
        lambda: Event._base_manager.update(verb="x"),
        lambda: Event.objects.bulk_create([event]),
        lambda: Event.objects.bulk_update([event], ["verb"]),
    ):
        with pytest.raises(TrailError):
            change()
    assert Event.broken() is None


@pytest.mark.parametrize(
    "field", ["verb", "object", "actor_name", "at", "detail", "previous", "number", "observatory_id"]
)
def test_a_change_past_the_hub_shows(field, city, make_user):
    record_three(city, make_user())
    other = {"at": "2020-01-01 00:00:00+00:00", "detail": '{"role": "king"}', "number": 9, "observatory_id": None}
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE hub_event SET {field} = %s WHERE number = 2", [other.get(field, "someone")])
    changed = field != "observatory_id"  # it was NULL there already
    assert Event.broken() == (2 if changed else None)


def test_an_entry_that_was_taken_out_shows(city, make_user):
    record_three(city, make_user())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM hub_event WHERE number = 1")
    assert Event.broken() == 1


def test_who_did_something_cannot_be_deleted_from_under_it(city, make_user):
    user = make_user()
    record_three(city, user)
    for one in (user, city):
        with pytest.raises(models.ProtectedError):
            one.delete()


def test_an_entry_stands_or_falls_with_what_was_done(city):
    def fail() -> None:
        with transaction.atomic():
            Event.record("job.started", observatory=city)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not Event.objects.exists()


# --- people ---


def test_an_address_is_one_account_however_it_is_written(db):
    User.objects.create_user("Ana@Example.org", "x")
    with pytest.raises(ValidationError):
        User.objects.create_user("ana@example.ORG", "y")
    assert User.objects.get_by_natural_key(" ANA@example.org").email == "ana@example.org"


def test_texts_of_accounts_hold_no_address(db):
    assert "@" not in str(User.objects.create_user("ana@example.org"))


def test_without_a_password_nobody_gets_in(db, client):
    User.objects.create_user("ana@example.org")
    assert not client.login(email="ana@example.org", password="")


# --- work ---


@pytest.mark.parametrize("slug", ["..", "a/b", "A", "-a", "a-", "é", "a\n", "a b", ""])
def test_names_in_addresses_are_plain(slug, tmp_path):
    with pytest.raises(ValidationError, match="slug"):
        Observatory(slug=slug, name="x", place_id="x", folder=str(tmp_path)).clean_fields()


def test_one_job_runs_in_an_observatory_at_a_time(city, hidden):
    Job.objects.create(observatory=city, kind="check", state="running")
    Job.objects.create(observatory=city, kind="check", state="waiting")
    Job.objects.create(observatory=hidden, kind="check", state="running")
    with pytest.raises(IntegrityError):
        Job.objects.create(observatory=city, kind="measure", state="running")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "supersede"},
        {"kind": "supersede", "supersedes": "a" * 64},
        {"kind": "publish", "supersedes": "a" * 64, "reason": "why"},
        {"kind": "publish", "state": "previewed"},
        {"kind": "publish", "state": "approved", "fingerprint": "a" * 64},
    ],
    ids=["corrects-what", "corrects-why", "no-correction", "unseen", "decided-by-nobody"],
)
def test_no_proposal_goes_on_without_what_it_needs(wrong, city, make_user):
    with pytest.raises(IntegrityError):
        Proposal.objects.create(observatory=city, proposed_by=make_user(), **wrong)


# --- tokens ---


def test_the_word_of_a_token_is_not_kept(city, make_user):
    token, word = Token.make(make_user(), "script", ["upload"], observatory=city)
    assert len(word) > 43
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM hub_token")
        assert word not in str(cursor.fetchall())
    assert Token.find(word) == token
    assert Token.find(word[:-1]) is None
    assert Token.find(token.hash) is None


def test_a_token_ends_with_its_day_its_revocation_or_its_owner(make_user):
    user, now = make_user(), timezone.now()
    _, late = Token.make(user, "late", [], expires=now - timedelta(seconds=1))
    revoked, taken = Token.make(user, "revoked", [])
    revoked.revoked = now
    revoked.save()
    _, good = Token.make(user, "good", [], expires=now + timedelta(hours=1))
    assert [Token.find(word) is not None for word in (late, taken, good)] == [False, False, True]
    user.is_active = False
    user.save()
    assert Token.find(good) is None


def test_a_token_reaches_no_further_than_it_says(city, hidden, make_user):
    one, _ = Token.make(make_user(), "one", ["upload"], observatory=city)
    assert one.covers("upload", city)
    assert not one.covers("upload", hidden)
    assert not one.covers("upload", None)
    assert not one.covers("submit:release", city)
    with pytest.raises(ValueError, match="everything"):
        Token.make(one.user, "two", ["everything"])


def test_webhooks_are_told_by_https_only(city):
    with pytest.raises(ValidationError, match="url"):
        Webhook(observatory=city, url="http://example.org/").clean_fields()
    assert len(Webhook(observatory=city, url="https://example.org/").secret) >= 43


# --- the shelf ---


def verified(number: int, supersedes: str | None = None, distrusted: bool = False) -> SimpleNamespace:
    said = SimpleNamespace(period="2024", published="2025-01-01", supersedes=supersedes, reason=supersedes and "why")
    return SimpleNamespace(
        number=number, id=f"{number}" * 64, manifest=said, path=f"/r/{number}", distrusted=distrusted
    )


def test_the_shelf_is_what_the_verified_chain_says(city, monkeypatch):
    chain = [verified(1), verified(2, supersedes="1" * 64), verified(3, distrusted=True)]
    known = []
    monkeypatch.setattr("safercities.release.chain.verify_chain", lambda path, known: known_is(known, path))

    def known_is(seen, path):
        known.append((path, seen))
        return chain

    assert shelf_module.sync(city) == chain
    assert shelf_module.sync(city) == chain
    assert [seen for _, seen in known] == [[], ["1" * 64, "2" * 64, "3" * 64]]
    assert known[0][0] == city.releases
    rows = Release.objects.order_by("number").values_list("number", "withdrawn", "reason")
    assert list(rows) == [(1, True, ""), (2, False, "why"), (3, True, "")]


def test_a_chain_that_does_not_hold_changes_nothing(city, monkeypatch):
    monkeypatch.setattr("safercities.release.chain.verify_chain", lambda path, known: [verified(1)])
    shelf_module.sync(city)

    def refuse(path, known):
        raise SafercitiesError(problem("chain-replayed", file="x", number=0, known=len(known)))

    monkeypatch.setattr("safercities.release.chain.verify_chain", refuse)
    with pytest.raises(SafercitiesError):
        shelf_module.sync(city)
    assert Release.objects.count() == 1


def test_the_first_administrator_comes_by_a_link_that_is_good_once(db, client, capsys):
    call_command("createadmin", "Ana@example.org", "--address", "https://hub.example.org/")
    address = capsys.readouterr().out.strip()
    assert address.startswith("https://hub.example.org/account/password/reset/key/")
    path = address.removeprefix("https://hub.example.org")
    form = client.get(path, follow=True)
    here, word = form.request["PATH_INFO"], "a word nobody thinks of"
    assert client.post(here, {"password1": word, "password2": word}).status_code == 302
    assert client.login(email="ana@example.org", password=word)
    assert User.objects.get().memberships.get().role == Role.HUB_ADMIN
    client.logout()
    again = client.get(path, follow=True)
    assert b'name="password1"' not in again.content
    call_command("createadmin", "ana@example.org")
    assert "--reset" in capsys.readouterr().out
    assert Event.broken() is None


def test_who_cannot_get_in_any_more_gets_another_link_and_no_role(make_user, client, capsys):
    user = make_user("ana")
    call_command("createadmin", "Ana@example.org", "--reset")
    path = capsys.readouterr().out.strip().removeprefix("http://localhost:8000")
    assert b'name="password1"' in client.get(path, follow=True).content
    assert not user.memberships.exists()
    assert Event.objects.get().verb == "password.link_made"
    for address in ("bo@example.org", "ana@example.org"):
        User.objects.update(is_active=False)
        with pytest.raises(CommandError):
            call_command("createadmin", address, "--reset")


@pytest.mark.parametrize("url", ["", "postgres://a:geheim@127.0.0.1:1/b", "postgres://a:ge/heim@127.0.0.1:1/b"])
def test_before_there_are_tables_it_is_said_what_to_do(url, tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SAFERCITIES_", "DJANGO_"))}
    environ |= {"SAFERCITIES_HUB_HOME": str(tmp_path), "SAFERCITIES_DATABASE_URL": url}
    command = [sys.executable, "-m", "safercities.hub", "createadmin", "ana@example.org"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert ("safercities.hub migrate" if not url else "SAFERCITIES_DATABASE_URL") in done.stderr
    for word in ("Traceback", "geheim", "heim"):
        assert word not in done.stderr
