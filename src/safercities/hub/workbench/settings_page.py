"""What an observatory measures and what it may publish, in plain words; and what the hub does with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from safercities import config
from safercities.collect.spec import AuditsSpec, IncidentsSpec, SurveySpec
from safercities.hub import texts
from safercities.hub.access import Right, may, need
from safercities.hub.models import Event, Observatory, Release
from safercities.hub.workbench.broken import readable
from safercities.hub.workbench.document import ChangedMeanwhileError, Document, Plain
from safercities.hub.workbench.mapping import words
from safercities.hub.workbench.preview import Told, tell
from safercities.hub.workbench.sources import record
from safercities.model.errors import SafercitiesError

_PERIODS = ("year", "quarter", "month", "week", "day")


@dataclass(frozen=True)
class Choice:
    """Something that can be ticked."""

    value: str
    label: str
    chosen: bool
    note: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@need(Right.CONFIGURE)
@readable
def settings(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Indicators, breakdowns, the rules of publication, languages."""
    document = Document.read(observatory.path)
    told: list[Told] = []
    data = document.data
    if request.method == "POST":
        data = wanted(request, document.data, fixed=_published(observatory))
        told = _save(request, observatory, document, data)
        if not told:
            _flags(request, observatory)
            messages.success(request, _("Saved."))
            return redirect("workbench:settings", observatory.slug)
    context = _context(request, observatory, document, data) | {"told": told}
    return render(request, "hub/work/settings.html", context, status=400 if told else 200)


def _published(observatory: Observatory) -> bool:
    return Release.objects.filter(observatory=observatory).exists()


def wanted(request: HttpRequest, data: Plain, *, fixed: bool) -> Plain:
    """The tables that the form describes; keys that it does not ask stay.

    Parameters
    ----------
    fixed
        Whether the code of the place stands in releases: then it is not changed.
    """
    post = request.POST
    about = dict(data.get("observatory", {}))
    about["name"] = post.get("name", "").strip()
    about["languages"] = words(post.get("languages", "")) or about.get("languages", ["en"])
    if not fixed:
        about["place"] = post.get("place", "").strip()
    measure = dict(data.get("measure", {}))
    _set(measure, "indicators", in_order(post.getlist("indicators"), measure.get("indicators", [])))
    _set(measure, "by", in_order([words(one) for one in post.getlist("by")], measure.get("by", [])))
    _set(measure, "period", post.get("period", "year"), "year")
    _set(measure, "standard", post.get("standard", "").strip())
    _set(measure, "smooth", bool(post.get("smooth")), False)
    publish = dict(data.get("publish", {}))
    for key, default in (("minimum_count", 5), ("sensitive_count", 10)):
        text = post.get(key, "").strip()
        _set(publish, key, int(text) if text.isdecimal() and len(text) < 7 else text, default)
    _set(publish, "method", post.get("method", "rounding"), "rounding")
    tables = in_order([words(one) for one in post.getlist("tables")], publish.get("tables") or [])
    _set(publish, "tables", tables if post.get("which") == "some" else None)
    return data | {"observatory": about, "measure": measure, "publish": publish}


def in_order(chosen: list[Any], before: list[Any]) -> list[Any]:
    """What is chosen, in the order that it had: a list that is the same is not written anew, with its comments.

    Examples
    --------
    >>> in_order(["a", "b", "c"], ["c", "x", "a"])
    ['c', 'a', 'b']
    """
    return [one for one in before if one in chosen] + [one for one in chosen if one not in before]


def _set(table: Plain, key: str, value: Any, default: Any = None) -> None:
    """Set a key; what is the default anyway is written only where it was written before."""
    if value in (None, "", []) or (value == default and key not in table):
        table.pop(key, None)
    else:
        table[key] = value


def _save(request: HttpRequest, observatory: Observatory, document: Document, data: Plain) -> list[Told]:
    """Write what changed; or what is wrong with it."""
    try:
        changed = document
        for name in ("observatory", "measure", "publish"):
            if data[name] != document.data.get(name, {}):
                changed = changed.with_table(name, data[name])
        if changed is not document:
            changed.save(request.POST.get("version", ""))
            record(request, observatory, "settings.saved", observatory.slug, changed)
    except ChangedMeanwhileError:
        return [Told("error", "", _("Somebody changed the settings meanwhile."), _("Look at them again, then save."))]
    except SafercitiesError as error:
        return [tell(one) for one in error.problems]
    about = changed.spec.observatory
    Observatory.objects.filter(pk=observatory.pk).update(name=about.name[:200], place_id=about.place[:100])
    return []


def _flags(request: HttpRequest, observatory: Observatory) -> None:
    """What the hub does with it: for hub administrators only, else an analyst could let the second person off."""
    if "flags" not in request.POST or not may(request.user, Right.MANAGE_MEMBERS, observatory):
        return
    given = {key: bool(request.POST.get(key)) for key in ("public", "two_person")}
    if given != {key: getattr(observatory, key) for key in given}:
        Observatory.objects.filter(pk=observatory.pk).update(**given)
        Event.record(
            "observatory.changed", actor=request.user, observatory=observatory, object=observatory.slug, detail=given
        )


# -- what the page shows -----------------------------------------------------------------------------------------------


def _context(request: HttpRequest, observatory: Observatory, document: Document, data: Plain) -> dict[str, Any]:
    measure, publish = data.get("measure", {}), data.get("publish", {})
    spec = _spec(document)
    tables = publish.get("tables")
    breakdowns = _breakdowns(data)
    return {
        "observatory": observatory,
        "version": document.version,
        "about": data.get("observatory", {}),
        "languages": ", ".join(map(str, data.get("observatory", {}).get("languages", []))),
        "fixed": _published(observatory),
        "groups": _indicators(spec, measure.get("indicators", [])),
        "by": _choices(breakdowns, measure.get("by", [])),
        "periods": [(one, _period(one), one == measure.get("period", "year")) for one in _PERIODS],
        "standard": measure.get("standard", ""),
        "smooth": measure.get("smooth", False),
        "minimum_count": publish.get("minimum_count", 5),
        "sensitive_count": publish.get("sensitive_count", 10),
        "method": publish.get("method", "rounding"),
        "all_tables": tables is None,
        "tables": _choices(breakdowns, tables or []),
        "may_flag": may(request.user, Right.MANAGE_MEMBERS, observatory),
    }


def _period(one: str) -> str:
    return {"year": _("Year"), "quarter": _("Quarter"), "month": _("Month"), "week": _("Week"), "day": _("Day")}[one]


def _spec(document: Document) -> config.ObservatorySpec | None:
    try:
        return document.spec
    except SafercitiesError:
        return None


def _breakdowns(data: Plain) -> list[tuple[str, ...]]:
    """Each dimension alone, by place, and with sex; and what is chosen already."""
    sources = data.get("sources", {}).values()
    names = list(dict.fromkeys(name for one in sources for name in one.get("dimensions", {})))
    placed = bool(data.get("geographies"))
    found: list[tuple[str, ...]] = [(name,) for name in names]
    found += [("place",), *(("place", name) for name in names)] if placed else []
    found += [("sex", name) for name in names if "sex" in names and name != "sex"]
    chosen = [*data.get("measure", {}).get("by", []), *(data.get("publish", {}).get("tables") or [])]
    known = {frozenset(one) for one in found}
    return found + [tuple(one) for one in chosen if frozenset(one) not in known]


def _choices(breakdowns: Iterable[tuple[str, ...]], chosen: Iterable[Iterable[str]]) -> list[Choice]:
    there = {frozenset(one): list(one) for one in chosen}
    found, seen = [], set()
    for names in breakdowns:
        key = frozenset(names)
        if key not in seen:
            seen.add(key)
            written = there.get(key, list(names))
            found.append(Choice(",".join(written), " × ".join(map(_named, written)), key in there))
    return found


def _named(name: str) -> str:
    words_: Mapping[str, str] = {"sex": _("Sex"), "age": _("Age"), "place": _("Place")}
    if name in words_:
        return words_[name]
    from safercities.model.dimensions import dimension, dimensions

    return texts.named(dimension(name).label) if name in dimensions() else name


def _indicators(spec: config.ObservatorySpec | None, chosen: list[str]) -> list[tuple[str, list[Choice]]]:
    """The catalogue: first what the sources may answer, then the rest."""
    from safercities.indicators.catalogue import catalogue

    can: list[Choice] = []
    cannot: list[Choice] = []
    for code, definition in catalogue().items():
        choice = Choice(code, texts.named(definition.on().label), code in chosen)
        (can if choice.chosen or (spec is not None and fits(spec, definition)) else cannot).append(choice)
    can += [Choice(code, code, True, _("not in the catalogue")) for code in chosen if code not in catalogue()]
    return [(_("Your sources can answer these"), can), (_("These need other sources"), cannot)]


def fits(spec: config.ObservatorySpec, definition: Any) -> bool:
    """Whether a source may answer an indicator, by what is said of it: nothing is read."""
    from safercities.measuring import declared_acts

    version, sources = definition.on(), list(spec.sources.values())
    if version.made_of == "incidents":
        held = [declared_acts(one) for one in sources if isinstance(one, IncidentsSpec)]
        return any(acts is None or any(version.counted.counts(act) for act in acts) for acts in held)
    if version.made_of == "survey":
        return any(set(version.roles) <= set(one.variables) for one in sources if isinstance(one, SurveySpec))
    if version.made_of == "audits":
        return any(isinstance(one, AuditsSpec) for one in sources)
    from safercities.indicators.catalogue import catalogue

    return bool(version.parts) and all(part in catalogue() and fits(spec, catalogue()[part]) for part in version.parts)
