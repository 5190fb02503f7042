"""Pages of releases: what each one is, what it corrects and why, how people are protected, and how to check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from safercities.hub.access import find
from safercities.hub.figures import Figures
from safercities.hub.models import Observatory, Release
from safercities.hub.public import wording
from safercities.hub.public.files import identity, manifest
from safercities.hub.public.page import link, of_observatory, releases_crumb, show
from safercities.hub.public.words import Words
from safercities.release.manifest import FILE, SIGNATURE, Manifest

#: Places and periods whose population a page tells; the manifest has all of them.
MOST_PEOPLE = 500


@of_observatory
def releases(request: HttpRequest, *, observatory: Observatory, figures: Figures | None) -> HttpResponse:
    """`/o/<slug>/releases/`: all of them, the newest first; also those that later ones correct."""
    found = list(observatory.shelf.all())
    later = _corrections(found)
    listed = [_line(observatory, one, later) for one in found]
    return show(request, "hub/releases/list.html", observatory, [(releases_crumb(observatory)[0], "")], listed=listed)


def _corrections(found: list[Release]) -> dict[str, Release]:
    """Id of a release → the one that corrects it."""
    return {one.supersedes: one for one in found if one.supersedes}


def _line(observatory: Observatory, release: Release, later: Mapping[str, Release]) -> dict[str, Any]:
    plain, by = wording.plain(), later.get(release.identity)
    before = observatory.shelf.filter(identity=release.supersedes).first() if release.supersedes else None
    return {
        "release": release,
        "number": plain.number(release.number),
        "period": plain.period(release.period),
        "published": plain.date(release.published),
        "corrected_by": by,
        "corrected_why": by.reason if by is not None else "",
        "corrects": before,
        "in_force": not release.withdrawn,
        "received": plain.date(release.received.date()) if release.received else "",
    }


@of_observatory
def release(request: HttpRequest, *, observatory: Observatory, figures: Figures | None, number: int) -> HttpResponse:
    """`/o/<slug>/releases/<number>/`."""
    found = find(Release, observatory, number=number)
    said, plain = manifest(found), wording.plain()
    context: dict[str, Any] = {
        **_line(observatory, found, _corrections(list(observatory.shelf.all()))),
        "said": said,
        "periods": wording.listed(plain.period(one) for one in said.periods),
        "files": _files(observatory, found, said),
        "rules": in_words(said.rules),
        "coverage": [_covered(figures, said, each) for each in said.coverage],
        "people": [
            (each.place, plain.period(each.period), plain.number(each.people))
            for each in said.denominators[:MOST_PEOPLE]
        ],
        "people_cut": len(said.denominators) > MOST_PEOPLE,
        "identity": identity(found),
        "zip": link("release_zip", observatory, number=number),
        "zip_name": zip_name(observatory, found),
    }
    title = _("Release %(number)s") % {"number": plain.number(number)}
    crumbs = [releases_crumb(observatory), (title, "")]
    return show(request, "hub/releases/release.html", observatory, crumbs, title=title, **context)


def zip_name(observatory: Observatory, found: Release) -> str:
    """What the whole of a release is called."""
    return f"{observatory.slug}-release-{found.number}.zip"


def _files(observatory: Observatory, found: Release, said: Manifest) -> list[dict[str, Any]]:
    """The files, what is in them, how large they are, and their hashes; those for people first."""
    what = {
        "tables.xlsx": _("the tables for people, to open in a spreadsheet"),
        "data.csv": _("all estimates as SDMX-CSV, for statistical systems"),
        "estimates.parquet": _("all estimates for programs"),
        "structure.xml": _("what the codes mean, as SDMX-ML"),
        "README.md": _("what this release is, in words"),
        FILE: _("what belongs to this release, with a hash of every file"),
        SIGNATURE: _("the signature"),
        "keys.json": _("which keys may sign, and since when"),
    }
    return [
        {
            "name": name,
            "what": text,
            "size": wording.size(said.files[name].bytes) if name in said.files else "",
            "sha256": said.files[name].sha256 if name in said.files else found.identity if name == FILE else "",
            "address": link("release_file", observatory, number=found.number, name=name),
        }
        for name, text in what.items()
    ]


def _covered(figures: Figures | None, said: Manifest, each: Any) -> dict[str, Any]:
    """One indicator and source: how many numbers, how many of them withheld, how much of the cases could be placed."""
    words = Words(figures) if figures is not None else None
    info = figures.indicators.get(each.indicator) if figures is not None else None
    labels = {one.name: one.label for one in said.series}
    plain = wording.plain()
    return {
        "code": each.indicator,
        "label": words.indicator(info) if words is not None and info is not None else each.indicator,
        "known": info is not None,
        "source": labels.get(each.source or "", each.source or ""),
        "rows": plain.number(each.estimates),
        "withheld": plain.number(each.withheld),
        "lowest": _("%(n)s %%") % {"n": plain.number(100 * each.lowest)} if each.lowest is not None else "",
    }


def in_words(rules: Mapping[str, Any]) -> list[str]:
    """How people are protected in a release, in sentences; what is not known to us is left to its README."""
    plain = wording.plain()
    said = [_methods()[rules["method"]]] if rules.get("method") in _methods() else []
    for key, text in _counts().items():
        if isinstance(rules.get(key), int):
            said.append(text % {"n": plain.number(rules[key])})
    error = rules.get("error")
    if isinstance(error, Mapping):
        sizes = "; ".join(f"{name}: {value}" for name, value in error.items())
        said.append(_("How far protected counts lie from the recorded ones: %(sizes)s.") % {"sizes": sizes})
    tables = rules.get("tables")
    if isinstance(tables, list) and tables:
        n = len(tables)
        text = ngettext("%(n)s kind of table is published.", "%(n)s kinds of tables are published.", n)
        said.append(text % {"n": plain.number(n)})
    if isinstance(rules.get("attacker"), Mapping):
        said.append(
            _(
                "Before publication the tables were attacked with everything published here so far; publication stops "
                "where a protected count could be worked out."
            )
        )
    return said


def _methods() -> dict[str, str]:
    return {
        "rounding": _(
            "Small counts were rounded before anything else was computed: each count below the minimum, in the finest "
            "groups, became zero or the minimum. Totals, rates and intervals come from the rounded counts, so they add "
            "up, and are close to the recorded numbers without being equal to them."
        ),
        "suppression": _(
            "Counts below the minimum are withheld, zero included, and so are other numbers from which they could be "
            "worked out. All of them carry the same mark."
        ),
    }


def _counts() -> dict[str, str]:
    return {
        "minimum_count": _("The smallest count that may be told is %(n)s."),
        "sensitive_count": _("Where something sensitive takes part, such as sexual violence, it is %(n)s."),
        "width": _("Of each protected count, at least %(n)s further values remain possible."),
    }
