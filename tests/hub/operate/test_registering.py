"""Registering folders: names in addresses, what is known already, and what must not be served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.test import override_settings

import mini
from safercities.hub.models import Event, Observatory
from safercities.hub.operate import starting
from safercities.hub.operate.registering import keys_elsewhere, register, show
from safercities.hub.published import figures
from safercities.model.errors import SafercitiesError, UsageError

pytestmark = pytest.mark.usefixtures("db")


def test_a_folder_gets_a_name_once_and_keeps_what_was_changed(tmp_path: Path) -> None:
    mini.build(tmp_path / "a")
    made = register(tmp_path / "a")
    assert (made.slug, made.place_id, made.public, made.demo) == ("mini", "XA-MIN", True, False)
    Observatory.objects.update(slug="other", public=False)
    again = register(tmp_path / "a" / ".." / "a")
    assert (again.pk, again.slug, again.public) == (made.pk, "other", False)
    assert Event.objects.filter(verb="observatory.created").count() == 1


def test_two_of_one_name_stand_apart(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        mini.build(tmp_path / name)
    assert [register(tmp_path / name).slug for name in ("a", "b", "c")] == ["mini", "mini-2", "mini-3"]


def test_none_is_called_as_a_page_of_the_workbench(tmp_path: Path) -> None:
    mini.build(tmp_path / "a", toml=mini.TOML.replace("Mini", "New"))
    assert register(tmp_path / "a").slug == "new-2"


def test_what_is_no_observatory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        register(tmp_path)
    assert not Observatory.objects.exists()


@override_settings(DEMO=True)
def test_the_demonstration_takes_made_up_cities_only(tmp_path: Path, published: Path) -> None:
    mini.build(tmp_path / "real")
    with pytest.raises(UsageError) as caught:
        register(tmp_path / "real")
    assert caught.value.problems[0].code == "hub-demo-real"
    assert register(published / "city").demo


def test_figures_are_made_of_what_holds_and_the_rest_is_told(tmp_path: Path, published: Path) -> None:
    shutil.copytree(published / "city", tmp_path / "city")
    mini.build(tmp_path / "empty", toml=mini.TOML.replace("Mini", "Empty"))
    made, empty = register(tmp_path / "city"), register(tmp_path / "empty")
    said: list[str] = []
    assert show([made, empty], said.append) == []
    assert said == ["Empty: nothing is published yet"]
    found = figures(made)
    assert found is not None
    version = found.version
    data = next((tmp_path / "city" / "releases").glob("*/data.csv"))
    data.write_bytes(data.read_bytes() + b"x")
    assert [one.code for one in show([made], said.append)] != []
    still = figures(made)
    assert still is not None
    assert still.version == version


def test_keys_where_nobody_looks_are_told(tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = register(published / "city")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SAFERCITIES_KEYS", str(tmp_path / "hub" / "keys"))
    assert keys_elsewhere([made], tmp_path / "hub") == []
    (tmp_path / ".config/safercities/keys/XA-MIN").mkdir(parents=True)
    assert [one.code for one in keys_elsewhere([made], tmp_path / "hub")] == ["hub-keys-elsewhere"]
    (tmp_path / "hub/keys/XA-MIN").mkdir(parents=True)
    assert keys_elsewhere([made], tmp_path / "hub") == []


def test_the_first_link_is_given_until_somebody_can_sign_in(make_user: object) -> None:
    from safercities.hub.models import User

    link = starting.first_link("http://127.0.0.1:8000/")
    assert link.startswith("http://127.0.0.1:8000/account/password/reset/key/")
    assert starting.first_link("http://127.0.0.1:8000/")
    User.objects.get(email=starting.FIRST).memberships.get(role="hub_admin")
    with override_settings(DEMO=True):
        assert starting.first_link("http://127.0.0.1:8000/") == ""
    user = User.objects.get(email=starting.FIRST)
    user.set_password("long enough to be a password")
    user.save()
    assert starting.first_link("http://127.0.0.1:8000/") == ""


def test_no_first_link_beside_accounts_of_people(make_user: object) -> None:
    make_user("somebody")  # type: ignore[operator]
    assert starting.first_link("http://127.0.0.1:8000/") == ""


def test_an_unbuilt_front_end_and_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from safercities.hub import options

    monkeypatch.setattr(options, "__file__", str(tmp_path / "options.py"))
    with pytest.raises(SafercitiesError) as caught:
        starting.require_frontend()
    assert caught.value.problems[0].code == "hub-unbuilt"
    monkeypatch.setattr(starting, "NEEDED", ("django", "there_is_no_such_package"))
    with pytest.raises(UsageError, match="there_is_no_such_package"):
        starting.require_packages()
