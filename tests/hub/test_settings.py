"""Settings: one table, documented; what it makes of the environment; Django finds nothing to object to."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from safercities.hub import languages, options
from safercities.hub.options import OPTIONS, PREFIX, OptionError, read_options, secret_key

ROOT = Path(__file__).parents[2]


def test_every_setting_that_the_code_reads_stands_in_the_table():
    found = set()
    for file in (ROOT / "src" / "safercities" / "hub").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        found |= set(re.findall(r'OPTIONS\["(\w+)"\]', text))
        if "environ" in text and file.name != "__main__.py":
            found |= {name.removeprefix(PREFIX) for name in re.findall(r'"(SAFERCITIES_[A-Z_]+)"', text)}
    known = {option.name for option in OPTIONS}
    used_elsewhere = {"KEYS"}  # the command line's own
    assert found - used_elsewhere <= known
    assert len(known) == len(OPTIONS)


def test_every_setting_is_documented():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        assert f"`{PREFIX}{option.name}`" in page
        assert len(option.what) > 15


def test_nothing_set_is_a_hub_for_this_machine_only():
    values = read_options({})
    assert set(values["ALLOWED_HOSTS"]) == set(options.LOOPBACK)
    assert not values["DEBUG"]
    assert not values["DEMO"]
    assert not values["SIGN_UP"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEBUG", "perhaps"),
        ("UPLOAD_MAX_MB", "-1"),
        ("UPLOAD_MAX_MB", "1e3"),
        ("RATE_PUBLIC", "many"),
        ("RATE_PUBLIC", "0/m"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("LOG_LEVEL", "LOUD"),
        ("OIDC_SERVER", "login.example.org"),
        ("OIDC_SERVER", "https://login.example.org;script-src *"),
        ("OIDC_SERVER", "https://login.example.org:https"),
        ("OIDC_SERVER", "https://"),
        ("BASEMAP", "https://[tiles"),
        ("BASEMAP", "https://{s}.tiles.example/{z}/{x}/{y}.png"),
        ("BASEMAP", "https://tiles.example/{s}/{z}/{x}/{y}.png"),
        ("BASEMAP", "https://{z}.tiles.example/{x}/{y}.png"),
        ("BASEMAP", "https://tiles.example/"),
        ("BASEMAP", "https://a.example,https://b.example/{z}/{x}/{y}.png"),
        ("BASEMAP", "https://tiles.exämple/{z}/{x}/{y}.png"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name, text):
    with pytest.raises(OptionError, match=f"{PREFIX}{name}: should be ."):
        read_options({PREFIX + name: text})


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://tiles.example/{z}/{x}/{y}.png?key=a", "https://tiles.example"),
        ("http://127.0.0.1:8080/{z}/{x}/{y}@2x.png", "http://127.0.0.1:8080"),
        ("https://[::1]:8080/wmts?z={z}&x={x}&y={y}", "https://[::1]:8080"),
        ("https://me:word@tiles.example/{z}/{x}/{y}.png", "https://tiles.example"),
    ],
)
def test_an_address_of_tiles_becomes_a_rule_that_browsers_understand(text, source):
    assert read_options({f"{PREFIX}BASEMAP": text})["BASEMAP"] == text
    assert options.origins(text) == (source,)


@pytest.mark.parametrize(
    "url", ["ftp://me:hunter2@example.org", "smtp:hunter2", "hunter2", "smtp://me:hunter2/a@example.org"]
)
def test_secrets_are_not_repeated(url):
    with pytest.raises(OptionError, match="EMAIL_URL") as error:
        options.mail(url)
    assert "hunter2" not in "".join(traceback.format_exception(error.value))


def test_the_secret_key_is_made_once_and_is_nobody_elses(tmp_path):
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(home), range(32)))
    assert len(keys) == 1
    assert [path.name for path in home.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_key_that_is_none_is_refused(tmp_path):
    (tmp_path / "secret.key").write_text("short", encoding="ascii")
    with pytest.raises(OptionError, match="too short"):
        secret_key(tmp_path)
    with pytest.raises(OptionError, match="cannot be read"):
        secret_key(tmp_path, tmp_path / "elsewhere")


def ask(home: Path, code: str, **environ: str) -> dict:
    """What the settings are in a new process."""
    script = f"import json; from safercities.hub import settings as s; print(json.dumps({code}))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept |= {PREFIX + name: value for name, value in environ.items()} | {f"{PREFIX}HUB_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


HTTPS = "[s.HTTPS, s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0]"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"ALLOWED_HOSTS": "hub.example.org"}, True),
        ({"ALLOWED_HOSTS": "hub.example.org,localhost"}, True),
        ({"ALLOWED_HOSTS": "hub.example.org", "PLAIN_HTTP": "1"}, False),
    ],
    ids=["this-machine", "others", "both", "closed-network"],
)
def test_where_others_reach_the_hub_it_is_by_https(environ, expected, tmp_path):
    assert ask(tmp_path, HTTPS, **environ) == [expected] * 5


def test_the_office_sign_in_tiles_and_mail_are_a_setting_each(tmp_path):
    values = ask(
        tmp_path,
        "[s.SOCIALACCOUNT_PROVIDERS['openid_connect']['APPS'][0]['settings'], "
        "s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'], s.CONTENT_SECURITY_POLICY['DIRECTIVES']['img-src'], "
        "s.EMAIL_HOST, s.DATABASES['default']['ENGINE']]",
        OIDC_SERVER="https://login.example.org/realm",
        BASEMAP="https://tiles.example.org/{z}/{x}/{y}.png",
        EMAIL_URL="smtps://mail.example.org",
        DATABASE_URL="postgres://u:p@db.example.org/hub",
    )
    assert values == [
        {"server_url": "https://login.example.org/realm"},
        ["'self'", "https://login.example.org"],
        ["'self'", "data:", "blob:", "https://tiles.example.org"],
        "mail.example.org",
        "django.db.backends.postgresql",
    ]


def test_django_finds_nothing_to_object_to_in_production(tmp_path):
    command = [sys.executable, "-m", "safercities.hub", "check", "--deploy", "--fail-level", "DEBUG"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "DJANGO_"))}
    environ |= {f"{PREFIX}HUB_HOME": str(tmp_path), f"{PREFIX}ALLOWED_HOSTS": "hub.example.org"}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(bool(os.environ.get("SAFERCITIES_TEST_DATABASE_URL")), reason="is about SQLite")
def test_sqlite_waits_its_turn_instead_of_failing(tmp_path):
    code = "[s.DATABASES['default']['OPTIONS']['transaction_mode'], s.DATABASES['default']['OPTIONS']['timeout'] >= 5]"
    assert ask(tmp_path, code) == ["IMMEDIATE", True]
    assert "journal_mode=WAL" in connection.settings_dict["OPTIONS"]["init_command"]


def test_catalogues_are_compiled_when_they_changed(tmp_path, monkeypatch):
    head = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    texts = {("fr", "django"): head + b'msgid "Publish"\nmsgstr "Publier"\n'}
    monkeypatch.setattr(languages, "sources", lambda: texts)
    import gettext

    def publish() -> str:
        languages.compile_catalogues(tmp_path)
        return gettext.translation(
            "django", tmp_path, ["fr"], class_=type("New", (gettext.GNUTranslations,), {})
        ).gettext("Publish")

    assert publish() == "Publier"
    made = (tmp_path / "fr" / "LC_MESSAGES" / "django.mo").stat().st_mtime_ns
    assert publish() == "Publier"
    assert (tmp_path / "fr" / "LC_MESSAGES" / "django.mo").stat().st_mtime_ns == made
    texts["fr", "django"] = texts["fr", "django"].replace(b"Publier", "Édition".encode())
    assert publish() == "Édition"
