"""The guides of running a hub say what is true: settings, units, proxies and commands as they stand there are read."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from safercities.cli import app
from safercities.hub.operate.metrics import REGISTRY
from safercities.hub.options import OPTIONS, PREFIX, mail, read_options

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
GUIDE, BACKUPS = HOW_TO / "deploy.md", HOW_TO / "back-up.md"
HOME = "/srv/safercities"


@cache
def blocks(page: Path) -> tuple[str, ...]:
    """The blocks of code of a page, in order."""
    return tuple(re.findall(r"^```\w*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M))


def block(word: str) -> str:
    """The first block that holds a word."""
    return next(text for text in blocks(GUIDE) if word in text)


def unit(name: str) -> configparser.ConfigParser:
    """A file of systemd's, as it stands after its name."""
    text = GUIDE.read_text(encoding="utf-8").partition(f"`/etc/systemd/system/{name}`")[2]
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(re.search(r"^```ini\n(.*?)^```$", text, re.S | re.M)[1])  # type: ignore[index]
    return found


def variables() -> dict[str, str]:
    """Everything that the guide sets, also what stands there to be uncommented."""
    lines = [line.removeprefix("# ") for text in blocks(GUIDE) for line in text.splitlines()]
    pairs = [shlex.split(line)[0].partition("=") for line in lines if re.match(rf"{PREFIX}\w+=", line)]
    return {name: value for name, _, value in pairs}


def test_every_setting_in_the_guide_is_one_and_its_value_is_read() -> None:
    found = variables()
    known = {PREFIX + option.name for option in OPTIONS} | {f"{PREFIX}KEYS"}
    assert set(found) <= known
    assert {f"{PREFIX}{name}" for name in ("DATABASE_URL", "EMAIL_URL", "OIDC_SERVER", "METRICS_TOKEN")} <= set(found)
    values = read_options(found)
    assert mail(values["EMAIL_URL"])["EMAIL_HOST"] == "mail.example.org"
    assert values["TRUSTED_PROXIES"] == ("127.0.0.1/32",)


def test_django_objects_to_nothing_in_the_guides_settings(tmp_path: Path) -> None:
    set_now = dict(line.split("=", 1) for line in block("HUB_HOME=").splitlines() if not line.startswith("#"))
    assert set_now[f"{PREFIX}HUB_HOME"].startswith(HOME)
    environ = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "DJANGO_"))}
    environ |= set_now | {f"{PREFIX}HUB_HOME": str(tmp_path), f"{PREFIX}KEYS": str(tmp_path / "keys")}
    words = re.search(r"bin/python (-m safercities\.hub check [^']*)'", block("check --deploy"))
    assert words is not None
    run = [sys.executable, *words[1].split()]
    done = subprocess.run(run, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_what_the_hub_reads_is_made_by_its_user() -> None:
    """What root made in the home, the key above all, the hub could not read."""
    for text in blocks(GUIDE):
        if (
            re.search(r"bin/python -m safercities\.hub|bin/safercities (?:backup|serve)", text)
            and "[Service]" not in text
        ):
            assert "sudo -u safercities" in text


def test_units_run_as_the_hubs_user_where_it_may_write() -> None:
    paths = variables()
    for name in ("safercities.service", "safercities-backup.service"):
        service = unit(name)["Service"]
        assert service["User"] == "safercities"
        assert service["EnvironmentFile"] in GUIDE.read_text(encoding="utf-8").partition("## Run it")[0]
        assert service["ReadWritePaths"] == HOME
        assert service["UMask"] == "0077"
    for place in (paths[f"{PREFIX}HUB_HOME"], paths[f"{PREFIX}KEYS"]):
        assert Path(place).is_relative_to(HOME)
    stop = int(unit("safercities.service")["Service"]["TimeoutStopSec"])
    from safercities.hub.operate.keeping import GRACE

    assert stop > 2 * GRACE
    assert unit("safercities-backup.timer")["Timer"]["OnCalendar"]


def commands() -> list[tuple[str, list[str]]]:
    """Every command of `safercities` in the guides, and its words."""
    found = []
    for text in (*blocks(GUIDE), *blocks(BACKUPS)):
        for line in text.replace("\\\n", " ").splitlines():
            words = re.search(r"(?:^|[ =/])safercities ((?:serve|backup|restore)\b[^']*)", line)
            if words and not re.match(r"\w+=\S+$", line):
                name, *rest = words[1].replace("$$(date +%%F)", "D").replace("$(date +%F)", "D").split()
                found.append((name, rest))
    return found


def test_commands_have_the_options_that_the_guides_give_them() -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]
    found = commands()
    assert {name for name, _ in found} == {"serve", "backup", "restore"}
    for name, words in found:
        with known[name].make_context(name, list(words), resilient_parsing=False):
            pass


def test_management_commands_are_there() -> None:
    from django.core.management import get_commands, load_command_class

    for text in blocks(GUIDE):
        for name, rest in re.findall(r"-m safercities\.hub (\w+)([^'\n]*)", text):
            parser = load_command_class(get_commands()[name], name).create_parser("hub", name)
            parser.parse_args(
                [*rest.split(), *(["you@example.org"] if name == "createadmin" and "@" not in rest else [])]
            )


@pytest.fixture(params=["proxy_pass", "reverse_proxy"])
def proxy(request: pytest.FixtureRequest) -> str:
    return block(request.param)


def test_proxies_lead_to_the_hub_and_let_the_largest_upload_through(proxy: str) -> None:
    port = re.search(r"--port (\d+)", unit("safercities.service")["Service"]["ExecStart"])
    assert port is not None
    assert re.search(rf"127\.0\.0\.1:{port[1]}\b", proxy)
    largest = re.search(r"(?:client_max_body_size|max_size) (\d+)m", proxy, re.I)
    assert largest is not None
    bits = int(largest[1]) * 10**6 if "MB" in proxy else int(largest[1]) * 2**20  # Caddy counts in thousands
    assert bits > read_options({})["UPLOAD_MAX_MB"] * 2**20
    assert proxy.count("{") == proxy.count("}")
    assert re.search(r"/metrics (?:\{ return )?404", proxy)
    assert "safety.example.org" in variables()[f"{PREFIX}ALLOWED_HOSTS"].split(",")


def test_nginx_says_who_asks_and_how() -> None:
    """Caddy says so by itself; what a visitor sends under these names must not come through."""
    text = block("proxy_pass")
    heads = dict(re.findall(r"proxy_set_header (\S+) (\S+);", text))
    wanted = {"Host": "$host", "X-Forwarded-For": "$proxy_add_x_forwarded_for", "X-Forwarded-Proto": "$scheme"}
    assert heads == wanted
    assert re.search(r"listen 80;.*return 301 https://\$host\$request_uri;", text, re.S)


def test_the_address_for_the_office_is_where_the_hub_waits_for_it() -> None:
    from django.urls import reverse

    path = reverse("openid_connect_callback", kwargs={"provider_id": "office"})
    assert f"`https://safety.example.org{path}`" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.django_db
def test_the_numbers_worth_a_warning_exist() -> None:
    from prometheus_client import generate_latest

    told = generate_latest(REGISTRY).decode()
    names = set(re.findall(r"`(safercities_\w+)", GUIDE.read_text(encoding="utf-8")))
    assert len(names) >= 4
    for name in names:
        assert re.search(rf"^# TYPE {re.sub('_(total|bucket)$', '', name)}\b", told, re.M) or name in told, name
