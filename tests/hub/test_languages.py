"""Every language has all the texts: pages are the same in it, and no visible English is left in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.test import Client
from django.utils.translation import to_locale

from hub.workbench.conftest import MESSY
from hub.workbench.publishing import Office, office
from safercities.hub import languages
from safercities.hub.jobs import queue
from safercities.hub.models import Role

__all__ = ["office"]
LANGUAGES = ("fr", "es", "ar", "zh-hans", "ru")
CODE = "recorded.robbery"
PUBLIC = [
    "/",
    "/o/mini/",
    "/o/mini/indicators/",
    f"/o/mini/i/{CODE}/?view=table&level=neighbourhood&by=sex&period=all&unit=victims",
    f"/o/mini/i/{CODE}/?view=chart",
    f"/o/mini/i/{CODE}/embed/",
    "/o/mini/p/XA-MIN/",
    f"/o/mini/compare/?i={CODE}&p=XA-MIN&p=XA-MIN.01",
    "/o/mini/releases/",
    "/o/mini/releases/1/",
    "/about/",
    "/method/",
    "/account/login/",
    "/account/password/reset/",
    "/account/signup/",
    "/nowhere/",
]
INSIDE = [
    "/w/",
    "/w/new/",
    "/w/mini/",
    "/w/mini/files/",
    "/w/mini/sources/",
    "/w/mini/sources/robberies/",
    "/w/mini/places/0/",
    "/w/mini/sources/cases/?kind=incidents&file=casos.csv",
    "/w/mini/sources/survey/?kind=survey&file=casos.csv",
    "/w/mini/sources/audits/?kind=audits&file=casos.csv",
    "/w/mini/settings/",
    "/w/mini/publish/",
    "/w/mini/publish/{proposal}/",
    "/w/mini/jobs/",
    "/w/mini/jobs/{job}/",
    "/w/mini/history/",
    "/w/mini/members/",
    "/w/mini/webhooks/",
    "/w/mini/incoming/",
    "/w/tokens/",
    "/account/password/change/",
    "/account/2fa/",
]
#: What is no word of the hub's: names of the observatory, its places, sources and people, what its files hold, and what
#: is called so in every language.
OURS = re.compile(
    r"""[\w.-]+\.(?:csv|toml|zip|json|xml|parquet|xlsx|org|geojson|txt|md|sig)\b | ^\d{2,6}\ (?=\D)
    | Mini | East | West | North | South | robberies | XA-MIN[.\d]* | it\ is\ time
    | \b(?:ada|ana|aud|max|pia|rob|vera)\b
    | \b(?:date|lon|lat|sex|code|name)\ \(.*\) | (?:Fecha\ del\ hecho|Género|Edad|Longitud|Latitud|Delito|Caso)\ \(.*\)
    | ^(?:cases|survey|audits)\ – | safercities(?:\ \d[\w.]*)? | Français | English | Español
    | SHA-256 | SDMX | JSON | CSV | API | utf-8 | utf-16 | latin-1 | shift_jis""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z]{3,}")
_FILLED = re.compile(r"%\(\w+\)s|\{\w+\}")
_SAID = ("aria-label", "title", "placeholder", "alt", "content")
_VOID = {"meta", "link", "input", "br", "img", "hr", "col", "source", "wbr"}
#: What holds no text, or text that is not the hub's: code, what was typed, and what is marked as somebody's.
_APART = {"script", "style", "code", "bdi", "textarea", "svg", "pre", "template", "kbd", "samp"}


class Visible(HTMLParser):
    """The texts of a page in its own language: those of elements and of attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[tuple[str, bool]] = []
        self.language = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = dict(attributes)
        if tag == "html":
            self.language = said.get("lang") or ""
        other = "lang" in said and said["lang"] != self.language
        apart = self.apart or other or tag in _APART or "code" in (said.get("class") or "").split()
        if not apart:
            self.found += [said[name] or "" for name in _SAID if name in said and (name, tag) != ("content", "meta")]
        if tag not in _VOID:
            self.open.append((tag, apart))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self.open):
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.apart:
            self.found.append(data)

    @property
    def apart(self) -> bool:
        return bool(self.open) and self.open[-1][1]


@cache
def same(language: str) -> re.Pattern[str]:
    """Texts whose translation is the English one, as it was written: whatever they are filled in with."""
    found = {"(?!)"}
    for (name, _), data in languages.sources().items():
        if name == to_locale(language):
            for one in read_po(BytesIO(data), locale=name):
                ours = [one.string] if isinstance(one.string, str) else one.string
                theirs = [one.id] if isinstance(one.id, str) else one.id
                found |= {_pattern(text) for text in set(ours) & set(theirs) if _WORD.search(_FILLED.sub("", text))}
    return re.compile("|".join(sorted(found)), re.IGNORECASE)


def _pattern(text: str) -> str:
    return ".+".join(re.escape(part) for part in _FILLED.split(text))


@lru_cache(maxsize=2)
def texts(page: str) -> dict[str, None]:
    """The texts that can be seen in a page; the English one is compared with each of the others."""
    return dict.fromkeys(" ".join(text.split()) for text in Visible(page).found)


def english(page: str, other: str, language: str) -> Iterator[str]:
    """Texts of a page that are the same, word for word, in the English one, and have a word of letters a–z."""
    there = texts(other)
    for text in texts(page):
        said = OURS.sub("", text).strip(" ·–,:")
        if text in there and _WORD.search(said) and not same(language).fullmatch(said):
            yield text


@pytest.fixture
def town(office: Office, make_user: Any, browser_of: Any) -> tuple[Client, dict[str, Any]]:
    """The browser of somebody who may see everything of a published observatory; and what its addresses name."""
    (office.observatory.path / "casos.csv").write_bytes(MESSY)
    with Path(office.observatory.path / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write("31/02/2023,0.5,0.5,woman\n")
    job = queue.start(office.observatory, "check", office.people["ana"])
    office.work()
    office.published()
    named = {"job": job.pk, "proposal": office.observatory.proposals.get().pk}
    return browser_of(make_user("ada", Role.HUB_ADMIN)), named


def test_no_page_shows_english_in_another_language(town: tuple[Client, dict[str, Any]], client: Client) -> None:
    admin, named = town
    left: dict[str, dict[str, list[str]]] = {}
    for browser, addresses in ((client, PUBLIC), (admin, INSIDE)):
        for address in (one.format(**named) for one in addresses):
            pages = {
                language: browser.get(address, headers={"accept-language": language}).content.decode()
                for language in ("en", *LANGUAGES)
            }
            for language in LANGUAGES:
                assert f'lang="{language}"' in pages[language]
                if str(named["job"]) in address:
                    assert '<td class="t" lang="en"' not in pages[language], "a problem that has no translation"
                if found := list(english(pages[language], pages["en"], language)):
                    left.setdefault(address, {})[language] = found
    assert left == {}


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<p>Read it with care</p>", ["Read it with care"]),
        ('<p aria-label="Rows read">x</p>', ["Rows read"]),
        ('<p lang="en">Read it with care</p>', []),
        ("<p><bdi>Somebody</bdi> <code>unknown</code> 12 CSV</p>", []),
        ("<p>Sources of error</p>", ["Sources of error"]),
        ("<p>Sources ·</p>", []),
        ("<p>Version 2015-1</p>", []),
    ],
)
def test_what_is_found(page: str, found: list[str]) -> None:
    assert list(english(f'<html lang="fr">{page}</html>', f'<html lang="en">{page}</html>', "fr")) == found
