"""Parts that stand in pages many times, written without a template: addresses, options, rows of tables, cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.utils.html import escape
from django.utils.http import RFC3986_SUBDELIMS
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from safercities.hub.models import Observatory
from safercities.hub.public.page import link

if TYPE_CHECKING:
    from safercities.hub.public.cards import Card, Said
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


# -- cards -------------------------------------------------------------------------------------------------------------


def cards(found: Iterable[tuple[str, Card]], observatory: Observatory, here: str = "") -> SafeString:
    """Cards of indicators under the titles of their topics.

    Parameters
    ----------
    here
        The place that they are about; empty for the observatory's own.
    """
    address = links("indicator", observatory, "code")
    query = f"?place={quote(here, safe='')}" if here else ""
    held = _("Withheld, so that nobody can be recognised, or because it rests on too little. It is not zero.")
    notes = {"withheld": f'<p class="note">{escape(held)}</p>'}
    return SafeString("".join(_card(title, card, address(card.code) + query, notes) for title, card in found))


def _card(title: str, card: Card, address: str, notes: dict[str, str]) -> str:
    now = card.first
    badge = f'<p><span class="badge">{escape(now.status_word)}</span></p>'
    parts = [
        f'<article class="card indicator"><p class="kicker">{escape(title)}</p>'
        f'<h3><a href="{escape(address)}" lang="{escape(card.language)}">{escape(card.label)}</a></h3>'
        f'<p class="value {now.status}"><b>{escape(now.bare)}</b>',
        f" <span>{escape(now.unit)}</span></p>" if now.unit else "</p>",
        f'<p class="interval">{escape(now.interval)}</p>' if now.interval else "",
        notes.get(now.status, badge if now.status == "unreliable" else ""),
        f'<p class="note">{escape(now.period)} · <span dir="auto">{escape(now.source)}</span></p>',
        _above(card.above) if card.above is not None else "",
        _before(card.before) if card.before else "",
        f'<ul class="plain others">{"".join(map(_other, card.others))}</ul>' if card.others else "",
        "</article>",
    ]
    return "".join(parts)


def _care(one: Said) -> str:
    return f", {escape(one.status_word)}" if one.status == "unreliable" else ""


def _span(one: Said) -> str:
    return f" ({escape(one.span)})" if one.span else ""


def _above(one: Said) -> str:
    said = _("In %(place)s: %(value)s") % {"place": one.place, "value": one.value}
    return f'<p class="note">{escape(said)}{_span(one)}{_care(one)}</p>'


def _before(several: Iterable[Said]) -> str:
    lines = (
        f'<tr><th scope="row">{escape(one.period)}</th><td>{escape(one.bare)}'
        f'{f"""<span class="hidden">{_care(one)}</span>""" if _care(one) else ""}</td>'
        f'<td class="note">{escape(one.span)}</td></tr>'
        for one in several
    )
    head = f"<caption>{escape(_('Before'))}</caption>"
    return f'<table class="before">{head}<tbody>{"".join(lines)}</tbody></table>'


def _other(one: Said) -> str:
    said = f"{escape(one.period)}: {escape(one.value)}{_span(one)}{_care(one)}"
    return f'<li><span dir="auto">{escape(one.source)}</span>, {said}</li>'
