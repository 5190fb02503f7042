"""Parts of pages that stand there hundreds of times, written without a template: addresses, options, rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.utils.html import escape
from django.utils.http import RFC3986_SUBDELIMS
from django.utils.safestring import SafeString

from safercities.hub.models import Observatory
from safercities.hub.public.page import link

if TYPE_CHECKING:
    from safercities.hub.public.indicator_form import Option
    from safercities.hub.public.indicator_table import Cell, Line

#: Stands in an address for the part that differs. It has no sign that would be quoted.
_HOLE = "0-hole-0"


def links(name: str, observatory: Observatory, part: str) -> Callable[[str], str]:
    """Addresses that differ in one part, as `page.link` gives them: the pattern is looked up once for all of them."""
    before, _, after = link(name, observatory, **{part: _HOLE}).rpartition(_HOLE)
    return lambda text: f"{before}{quote(text, safe=RFC3986_SUBDELIMS + '/~:@')}{after}"


def options(found: Iterable[Option]) -> SafeString:
    """Choices of a select."""
    return SafeString(
        "".join(
            f'<option value="{escape(one.value)}"{" selected" if one.chosen else ""}>{escape(one.label)}</option>'
            for one in found
        )
    )


def rows(lines: Iterable[Line]) -> SafeString:
    """Rows of the table of an indicator."""
    return SafeString("\n".join(_row(line) for line in lines))


def _row(line: Line) -> str:
    first, *others = line.heads
    heads = f'<th scope="row" class="t">{escape(first)}</th>' + "".join(
        f'<td class="t">{escape(head)}</td>' for head in others
    )
    if line.status in ("withheld", "none"):
        said = f'<td colspan="3" class="{line.status}">{escape(line.said)}</td><td></td><td></td>'
    else:
        marks = f" <sup>{escape(line.marks)}</sup>" if line.marks else ""
        numbers = "".join(_number(cell) for cell in (line.value, line.lower, line.upper))
        said = f'{numbers}<td>{escape(line.cases)}</td><td class="t">{escape(line.said)}{marks}</td>'
    return f'<tr data-row="{line.id:d}">{heads}{said}</tr>'


def _number(cell: Cell) -> str:
    text = escape(cell.text)
    return f'<td><data value="{escape(cell.exact)}">{text}</data></td>' if cell.exact else f"<td>{text}</td>"
