"""The State of Safety review: one self-contained page a language, and a workbook with every number that it shows."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from safercities.review.data import ReviewData


def render(data: ReviewData, language: str = "en") -> str:
    """The review as one HTML page that needs nothing else: no network, no scripts.

    Raises
    ------
    UsageError
        If the review does not speak the language.
    """
    from safercities.review.content import page
    from safercities.review.i18n import Texts

    texts = Texts(language)
    template = _templates().get_template("review.html")
    content = page(data, texts)
    return template.render(
        page=content, data=data, style=_style(), gettext=texts.gettext, texts=texts, others=_others(data, language)
    )


def write_review(data: ReviewData, folder: Path) -> list[Path]:
    """Write `review.html`, one page more for each further language, and `data.xlsx`; returns their paths in that order.

    Raises
    ------
    UsageError
        If the review does not speak one of the languages.
    """
    from safercities.review.annex import annex

    pages = {file_name(data, language): render(data, language).encode() for language in data.languages}
    written = []
    for name, content in (pages | {"data.xlsx": annex(data)}).items():
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return written


def file_name(data: ReviewData, language: str) -> str:
    """Name of the page in one language."""
    return "review.html" if language == data.languages[0] else f"review.{language}.html"


def _others(data: ReviewData, language: str) -> list[tuple[str, str, str]]:
    """The pages in the other languages: (file, code, the language's own name)."""
    from safercities.review.i18n import Texts

    others = [code for code in data.languages if code != language]
    return [(file_name(data, code), code, str(Texts(code).locale.get_display_name() or code)) for code in others]


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("safercities.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> Markup:
    return Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
