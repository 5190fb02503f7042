"""What the scripts that write pages share: the mark of a generated page, links, cells of tables."""

from __future__ import annotations

import re

MADE = "<!-- Made by `make reference` from the program itself. Do not edit by hand. -->\n"


def anchor(heading: str) -> str:
    """Link target of a heading."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def one_line(text: str) -> str:
    """A text without line breaks."""
    return re.sub(r"\s+", " ", text).strip()


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table."""
    return "\n".join([row(*heads), "|" + "---|" * len(heads), *(row(*cells) for cells in rows)])
