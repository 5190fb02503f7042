"""The template tag that renders a part of a page once for all who see the same: `{% kept "name" state … %}`."""

from __future__ import annotations

from django import template
from django.conf import settings
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.urls import get_urlconf
from django.utils.translation import get_language

from safercities.hub.figures.cache import Cache

register = template.Library()
#: Parts by what they are made of: of older ones nothing is asked any more, and they are forgotten first.
CACHE = Cache(8 * 2**20)


@register.tag("kept")
def kept(parser: Parser, token: Token) -> KeptNode:
    """Render what stands between `{% kept "name" state more… %}` and `{% endkept %}` once.

    Everything that the part differs by has to be named, but for its language: `state` is `request.figures_state`, or
    another word that changes with what is published; without one nothing is kept. No other tag may use variables that
    are set in the part, and no token of a form may stand in it.
    """
    _, name, *parts = token.split_contents()
    nodes = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(nodes, name, [parser.compile_filter(part) for part in parts])


class KeptNode(template.Node):
    """A part of a page."""

    child_nodelists = ("nodes",)

    def __init__(self, nodes: NodeList, name: str, parts: list[FilterExpression]) -> None:
        self.nodes, self.name, self.parts = nodes, name, parts

    def render(self, context: Context) -> str:
        """As it was rendered before, or now."""
        parts = [part.resolve(context, ignore_failures=True) for part in self.parts]
        if settings.DEBUG or not parts[0]:
            return self.nodes.render(context)
        where = (self.origin.name, self.name, get_language(), get_urlconf() or settings.ROOT_URLCONF)
        return CACHE.get((*where, *parts), lambda: self.nodes.render(context), len)
