"""The template tag that names built scripts and styles: `{% load hub_assets %}{% asset "site" "charts" %}`."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from safercities.hub import assets

register = template.Library()


@register.simple_tag
def asset(*names: str) -> SafeString:
    """Styles, preloads and scripts of these entries of `frontend/`, each once; for the head of a page."""
    return _written(names, assets.stamp())


@lru_cache(maxsize=32)
def _written(names: tuple[str, ...], stamp: tuple[object, ...]) -> SafeString:
    found = [assets.asset(name) for name in names]
    styles = dict.fromkeys(style for one in found for style in one.styles)
    preload = dict.fromkeys(part for one in found for part in one.preload)
    lines = [
        *(('<link rel="stylesheet" href="', address, '">') for address in styles),
        *(('<link rel="modulepreload" href="', address, '">') for address in preload),
        *(('<script type="module" src="', one.script, '"></script>') for one in found),
    ]
    return format_html_join("\n", "{}{}{}", ((SafeString(a), address, SafeString(b)) for a, address, b in lines))
