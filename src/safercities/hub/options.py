"""Every setting of the hub, in one table: read from `SAFERCITIES_*` variables of the environment. Imports no Django."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PREFIX = "SAFERCITIES_"
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
#: Said of an address of a database that cannot be read: signs in a password have to be quoted.
WRONG_DATABASE = f"{PREFIX}DATABASE_URL: should be as postgres://user:password@host/name, with / @ : as %2F %40 %3A"
#: Hosts that only this machine reaches.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class OptionError(ValueError):
    """A variable that does not say what it should. The message names it, and never repeats a secret."""


def switch(text: str) -> bool:
    """Yes or no.

    Examples
    --------
    >>> switch("on"), switch("0")
    (True, False)
    """
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ValueError("1 or 0")
    return word in _YES


def words(text: str) -> tuple[str, ...]:
    """A list, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def networks(text: str) -> tuple[str, ...]:
    """A list of addresses or networks.

    Examples
    --------
    >>> networks("10.0.0.0/8, 127.0.0.1")
    ('10.0.0.0/8', '127.0.0.1/32')
    """
    try:
        return tuple(str(ip_network(part)) for part in words(text))
    except ValueError:
        raise ValueError("addresses or networks as 10.0.0.0/8") from None


def amount(text: str) -> int:
    """A whole number above zero."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError("a whole number above 0")
    return int(text)


def rate(text: str) -> str:
    """How often: a number, and a second, minute, hour or day.

    Examples
    --------
    >>> rate("300/m")
    '300/m'
    """
    number, _, unit = text.strip().partition("/")
    if not number.isdecimal() or int(number) < 1 or unit not in ("s", "m", "h", "d"):
        raise ValueError("a rate as 300/m (s, m, h or d)")
    return f"{int(number)}/{unit}"


def folder(text: str) -> Path:
    """A folder."""
    return Path(text).expanduser().absolute()


def address(text: str) -> str:
    """An address in the web, whose host can stand in the rules that browsers are given: see `origins`."""
    wrong = ValueError("an address that begins with https:// and one host, of letters (a–z), digits, - and .")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise wrong from None
    if text and (parts.scheme not in ("https", "http") or not _HOST.fullmatch(parts.netloc.rpartition("@")[2])):
        raise wrong
    return text


_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")


def tiles(text: str) -> str:
    """Address of map tiles.

    Examples
    --------
    >>> tiles("https://{s}.tiles.example/{z}/{x}/{y}.png")
    Traceback (most recent call last):
    ...
    ValueError: the address of one host, with {z}, {x} and {y} behind it; nothing else, as {s}, is filled in
    """
    wrong = "the address of one host, with {z}, {x} and {y} behind it; nothing else, as {s}, is filled in"
    try:
        behind = address(text).split("/", 3)[-1]
    except ValueError:
        raise ValueError(wrong) from None
    if text and sorted(re.findall(r"\{.*?\}", behind)) != ["{x}", "{y}", "{z}"]:
        raise ValueError(wrong)
    return text


def level(text: str) -> str:
    """How much is logged."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()


@dataclass(frozen=True)
class Option:
    """A setting: its name without the prefix, how it is read, what stands where it is not set, and what it is for."""

    name: str
    read: Callable[[str], Any]
    default: str
    what: str
    secret: bool = False


#: The table. The reference page is made of it.
OPTIONS = (
    Option("HUB_HOME", folder, "~/.local/share/safercities/hub", "Folder that holds the hub's state: accounts, keys."),
    Option("ALLOWED_HOSTS", words, "localhost,127.0.0.1,[::1]", "Names under which people reach the hub."),
    Option("DATABASE_URL", str, "", "PostgreSQL, as `postgres://user:password@host/name`. Empty: SQLite.", secret=True),
    Option("SECRET_KEY", str, "", "Key that signs sessions and links. Empty: that of the file.", secret=True),
    Option("SECRET_KEY_FILE", folder, "", "File with that key. Empty: `secret.key` in the home, made once."),
    Option("DEBUG", switch, "0", "For people who work on the hub: errors show code. Never where others reach it."),
    Option("DEMO", switch, "0", "The demo city: a labelled switcher of roles. Never beside real data."),
    Option("SIGN_UP", switch, "0", "Whether anybody may make an account. Without it, hub admins invite people."),
    Option("TWO_PERSON", switch, "0", "Whether in every observatory a second person has to approve what is published."),
    Option("TRUSTED_PROXIES", networks, "", "Reverse proxies whose word on a visitor's address and https is taken."),
    Option("PLAIN_HTTP", switch, "0", "Serve other machines without https: for a closed network or a test only."),
    Option("EMAIL_URL", str, "", "Mail server, `smtp+tls://user:password@host:587`. Empty: no mail.", secret=True),
    Option("EMAIL_FROM", str, "safercities@localhost", "Sender of the hub's mail."),
    Option("OIDC_NAME", str, "", "What people call the office's sign-in (OpenID Connect), on the button."),
    Option(
        "OIDC_SERVER", address, "", "Address of that sign-in: what stands before `/.well-known/openid-configuration`."
    ),
    Option("OIDC_CLIENT_ID", str, "", "Name of the hub there."),
    Option("OIDC_CLIENT_SECRET", str, "", "Password of the hub there.", secret=True),
    Option("BASEMAP", tiles, "", "Address of map tiles to draw under maps, `https://…/{z}/{x}/{y}.png`. Empty: none."),
    Option("UPLOAD_MAX_MB", amount, "1024", "Largest file that analysts may upload."),
    Option("RATE_PUBLIC", rate, "600/m", "Requests of one address to the API without a token."),
    Option("RATE_TOKEN", rate, "3000/m", "Requests of one token to the API."),
    Option("RATE_FILES", rate, "60/m", "Files and drawings of indicators that are made for one address."),
    Option("RATE_SIGN_IN", rate, "20/m", "Attempts to sign in from one address."),
    Option(
        "METRICS_TOKEN",
        str,
        "",
        "Word that opens `/metrics`. Empty: only to this machine, and only while no other reaches the hub.",
        secret=True,
    ),
    Option("SECURITY_CONTACT", str, "", "Who is told of weaknesses, `mailto:…` or an address: for security.txt."),
    Option("LOG_LEVEL", level, "INFO", "How much is logged: DEBUG, INFO, WARNING or ERROR."),
)


def read_options(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The value of every option.

    Raises
    ------
    OptionError
        If a variable does not say what it should.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        text = environ.get(PREFIX + option.name, "") or option.default
        try:
            values[option.name] = option.read(text) if text else (None if option.read is folder else option.read(""))
        except ValueError as error:
            raise OptionError(f"{PREFIX}{option.name}: should be {error}") from None
    return values


def make_home(home: Path) -> Path:
    """The hub's folder, which only its user may enter."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def secret_key(home: Path, file: Path | None = None) -> str:
    """The key that signs; made at the first start, and never twice: several processes may start at once.

    Raises
    ------
    OptionError
        If the file holds too little to be a key, or is not there where it was named.
    """
    path = file or make_home(home) / "secret.key"
    if file is None and not path.exists():
        _make_key(path)
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: the key cannot be read ({type(error).__name__})") from None
    if len(key) < 50:
        raise OptionError(f"{path}: too short for a key")
    return key


def _make_key(path: Path) -> None:
    """Written beside, then linked into place: whoever comes second finds a whole key, and keeps it."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_urlsafe(64) + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def mail(url: str) -> dict[str, Any]:
    """Django's settings for a mail server.

    Examples
    --------
    >>> mail("smtp+tls://me:p%40ss@mail.example:587")["EMAIL_HOST_PASSWORD"]
    'p@ss'
    >>> mail("")
    {'EMAIL_BACKEND': 'django.core.mail.backends.dummy.EmailBackend'}
    """
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    wrong = OptionError(f"{PREFIX}EMAIL_URL: should be smtp://, smtp+tls:// or smtps:// and a host")
    try:
        parts = urlsplit(url)
        port = parts.port
        seconds = int(dict(parse_qsl(parts.query)).get("timeout", "10"))
    except ValueError:  # its message would repeat a part of the password
        raise wrong from None
    if parts.scheme not in ("smtp", "smtp+tls", "smtps") or not parts.hostname:
        raise wrong
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": seconds,
    }


def origins(text: str) -> tuple[str, ...]:
    """Scheme and host of an address, as the browser's rules name it.

    Examples
    --------
    >>> origins("https://tiles.example/{z}/{x}/{y}.png"), origins("")
    (('https://tiles.example',), ())
    """
    parts = urlsplit(text)
    return (f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",) if text else ()
