"""What the pages on the hub say of rights and buttons is what the hub has."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from safercities.hub.access import RIGHTS, Right
from safercities.hub.models import Role

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CATALOGUE = ROOT / "src" / "safercities" / "hub" / "locale" / "fr" / "LC_MESSAGES" / "django.po"


def test_the_table_of_roles_is_that_of_the_hub() -> None:
    page = (DOCS / "reference" / "roles.md").read_text(encoding="utf-8")
    heads, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    assert heads[2:] == [str(role.value) for role in Role]
    told = {row[0].strip("`"): [cell == "yes" for cell in row[2:]] for row in rows}
    assert told == {right.value: [right in RIGHTS[role] for role in Role] for right in Right}
    assert {cell for row in rows for cell in row[2:]} == {"yes", "–"}


@pytest.mark.parametrize("name", ["tutorial/workbench.md", "how-to/read-a-page.md"])
def test_words_that_pages_of_the_hub_are_said_to_show_are_there(name: str) -> None:
    """Words in italics are what a page shows: texts of the hub, or names of its indicators."""
    from safercities.indicators.catalogue import catalogue

    texts = {str(part) for message in read_po(BytesIO(CATALOGUE.read_bytes())) for part in _all(message.id)}
    texts |= {entry.on().label for entry in catalogue().values()} | {"italics"}
    page = re.sub(r"\*\*.*?\*\*|```.*?```", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [re.sub(r"\s+", " ", words) for words in re.findall(r"(?<!\*)\*([^*]+)\*", page)]
    assert len(shown) > 5
    assert [words for words in shown if words not in texts] == []


def _all(id: object) -> tuple[object, ...]:
    return tuple(id) if isinstance(id, list | tuple) else (id,)
