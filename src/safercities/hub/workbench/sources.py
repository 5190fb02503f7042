"""Pages on which an analyst says what a file means: sources and levels of places, with a live preview."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from safercities.collect.file_spec import FileSpec
from safercities.collect.records import RawTable
from safercities.hub.access import Right, need
from safercities.hub.models import Event, Observatory
from safercities.hub.workbench import guess, mapping, shelf
from safercities.hub.workbench.broken import readable
from safercities.hub.workbench.document import ChangedMeanwhileError, Document, Plain
from safercities.hub.workbench.preview import ROWS, Preview, Told, preview, tell, worst_first
from safercities.hub.workbench.sampling import TooLargeError, sampled
from safercities.hub.workbench.showing import Form
from safercities.model.errors import SafercitiesError
from safercities.model.places import Place
from safercities.model.spec import parse

_NAME = re.compile(r"[\w-]{1,60}")


@dataclass
class Edit:
    """A table of observatory.toml while somebody changes it."""

    observatory: Observatory
    document: Document
    kind: str
    prefix: str
    draft: Plain
    saved: Plain | None
    raw: RawTable | None = None
    told: list[Told] = field(default_factory=list)
    too_large: bool = False
    whole: bool = True
    changed: Document | None = None
    shown: Preview | None = None
    places: Sequence[Place] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def levels(self) -> list[str]:
        """Levels of places that the observatory has."""
        listed = self.document.data.get("geographies", [])
        return [str(one.get("level")) for one in listed if isinstance(one, dict) and one.get("level")]

    @property
    def file(self) -> str:
        """The file as people know it."""
        path = str(self.draft.get("file", ""))
        return self.files.get(path) or shelf.shown(path, shelf.names(self.observatory))

    def refuse(self, error: SafercitiesError) -> None:
        """Keep what is wrong, with the place in the table that it is about."""
        name = self.draft.get("file")
        for one in error.problems:
            told = tell(replace(one, file=self.file) if one.file == name else one)
            key = told.key.removeprefix(self.prefix).lstrip(".") if told.key.startswith(self.prefix) else ""
            where = "" if key or told.key == self.prefix else told.where
            self.told.append(replace(told, key=key, where=where))


# -- the list ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@need(Right.CONFIGURE)
@readable
def sources(request: HttpRequest, observatory: Observatory) -> HttpResponseBase:
    """What there is, and a form that begins another one."""
    document = Document.read(observatory.path)
    files = shelf.offered(observatory)
    given = {key: request.POST.get(key, "").strip() for key in ("kind", "name", "file")}
    error = ""
    if request.method == "POST":
        error = _refusal(document, given, files)
        if not error:
            return redirect(_begin(observatory, document, given))
    names = shelf.names(observatory)
    listed = document.data.get("sources", {})
    context = {
        "observatory": observatory,
        "sources": [
            (
                name,
                one.get("kind"),
                mapping.KINDS.get(one.get("kind"), one.get("kind")),
                shelf.shown(str(one.get("file", "")), names),
            )
            for name, one in listed.items()
        ],
        "places": [
            (number, one.get("level"), shelf.shown(str(one.get("file", "")), names))
            for number, one in enumerate(document.data.get("geographies", []))
        ],
        "kinds": mapping.KINDS.items(),
        "forms": list(mapping.KINDS),
        "files": files.items(),
        "given": given | {"file": given["file"] or request.GET.get("file", "")},
        "error": error,
    }
    return render(request, "hub/work/sources.html", context, status=400 if error else 200)


def _refusal(document: Document, given: dict[str, str], files: dict[str, str]) -> str:
    if given["file"] not in files:
        return _("Choose one of the files.")
    if given["kind"] == "geography":
        return ""
    if given["kind"] not in mapping.KINDS:
        return _("Choose what the file holds.")
    if not _NAME.fullmatch(given["name"]):
        return _("A name has up to 60 letters, digits, - and _.")
    if given["name"].casefold() in {name.casefold() for name in document.data.get("sources", {})}:
        return _("There is a source with this name.")
    return ""


def _begin(observatory: Observatory, document: Document, given: dict[str, str]) -> str:
    if given["kind"] == "geography":
        number = len(document.data.get("geographies", []))
        address = reverse("workbench:geography", args=[observatory.slug, number])
    else:
        address = reverse("workbench:source", args=[observatory.slug, given["name"]])
    return f"{address}?{urlencode({'kind': given['kind'], 'file': given['file']})}"


# -- one of them -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@need(Right.CONFIGURE)
@readable
def source(request: HttpRequest, observatory: Observatory, name: str) -> HttpResponseBase:
    """What the columns of a source mean."""
    document = Document.read(observatory.path)
    saved = document.data.get("sources", {}).get(name)
    asked = request.POST.get("kind") or request.GET.get("kind", "")
    kind = str(saved.get("kind")) if isinstance(saved, dict) else asked
    if kind not in mapping.KINDS or not _NAME.fullmatch(name):
        raise Http404
    edit = Edit(observatory, document, kind, f"sources.{name}", dict(saved or {}), saved)
    return _page(request, edit, name)


@require_http_methods(["GET", "HEAD", "POST"])
@need(Right.CONFIGURE)
@readable
def geography(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponseBase:
    """What the columns of a file of places mean."""
    document = Document.read(observatory.path)
    listed = document.data.get("geographies", [])
    if number > len(listed) or (number == len(listed) and not (request.GET.get("file") or request.method == "POST")):
        raise Http404
    saved = listed[number] if number < len(listed) else None
    edit = Edit(observatory, document, "geography", f"geographies.{number}", dict(saved or {}), saved)
    return _page(request, edit, number)


def _page(request: HttpRequest, edit: Edit, key: str | int) -> HttpResponseBase:
    edit.files = shelf.offered(edit.observatory)
    action = request.POST.get("action", "preview") if request.method == "POST" else ""
    if action == "remove":
        return _remove(request, edit, key)
    _draft(request, edit)
    _prove(edit, key)
    if action in ("save", "check") and _saved(request, edit, key):
        return _onward(request, edit, key, action)
    if edit.changed is not None:
        _look(edit, key)
    # asked for by a field: the form stays as it is, and what is wrong is exchanged beside each of its questions
    live = request.headers.get("HX-Target") == "preview"
    roles = mapping.roles(request.POST.dict()) if live else ()
    form = Form(edit.kind, edit.draft, edit.raw, files=edit.files, levels=edit.levels, told=edit.told, roles=roles)
    context = {
        "observatory": edit.observatory,
        "key": key,
        "edit": edit,
        "form": form,
        "live": live,
        "version": edit.document.version,
        "new": edit.saved is None,
        "worst": worst_first(edit.shown.problems) if edit.shown else [],
        "rows_shown": ROWS,
    }
    refused = action in ("save", "check")
    return render(request, "hub/work/source.html", context, status=400 if refused else 200)


def _draft(request: HttpRequest, edit: Edit) -> None:
    """The draft that is meant: what was sent, what is saved, or a proposal; and the file, as far as it can be read."""
    if request.method == "POST":
        edit.draft = mapping.read(edit.kind, request.POST.dict(), edit.saved or {}, edit.levels)
    elif edit.saved is None:
        edit.draft = {} if edit.kind == "geography" else {"kind": edit.kind}
        edit.draft["file"] = request.GET.get("file", "")
    allowed = edit.draft.get("file") in edit.files or (edit.saved or {}).get("file") == edit.draft.get("file")
    if not allowed:
        edit.told.append(Told("error", "", _("Choose one of the files."), "", key="file"))
        edit.draft["file"] = (edit.saved or {}).get("file", "")
        return
    edit.raw = _raw(edit)
    if edit.raw is None:
        return
    if request.method == "POST":
        _propose_changed(request, edit, edit.raw)
    elif edit.saved is None:
        edit.draft |= _proposal(edit, edit.raw)


def _raw(edit: Edit) -> RawTable | None:
    """The file, or its beginning."""
    from safercities.collect.read import read_table

    keys = {key: edit.draft[key] for key in FileSpec.model_fields if key in edit.draft}
    try:
        with sampled(parse(FileSpec, keys, file=""), edit.observatory.path) as (part, base, edit.whole):
            return read_table(part, base)
    except TooLargeError:
        edit.too_large = True
    except SafercitiesError as error:
        edit.refuse(error)
    return None


def _proposal(edit: Edit, raw: RawTable) -> Plain:
    if edit.kind == "geography":
        found = {"id": guess.named(raw, "place") or guess.named(raw, "id"), "name": guess.named(raw, "name")}
        return {key: value for key, value in found.items() if value}
    return guess.propose(edit.kind, raw, edit.levels)


def _propose_changed(request: HttpRequest, edit: Edit, raw: RawTable) -> None:
    """Where another column was chosen, its values are new: propose what they mean."""
    for number, (name, how) in enumerate(list(edit.draft.get("dimensions", {}).items())):
        was = {request.POST.get(f"d{at}-name", ""): request.POST.get(f"d{at}-shown") for at in range(number + 9)}
        if was.get(name, "") != how["column"]:
            edit.draft["dimensions"][name] = how | guess.value_map(raw, name, how["column"])
    act = edit.draft.get("act")
    if isinstance(act, dict) and request.POST.get("act-shown") != act["column"]:
        edit.draft["act"] = act | guess.value_map(raw, "act", act["column"])


def _prove(edit: Edit, key: str | int) -> None:
    """Have the whole file checked with the draft in it."""
    try:
        changed = (
            edit.document.with_source(str(key), edit.draft)
            if isinstance(key, str)
            else edit.document.with_geography(key, edit.draft)
        )
        _ = changed.spec
    except SafercitiesError as error:
        edit.refuse(error)
        return
    if not any(one.key == "file" for one in edit.told):
        edit.changed = changed


def _look(edit: Edit, key: str | int) -> None:
    """The preview."""
    if edit.too_large or edit.raw is None or edit.changed is None:
        return
    spec = edit.changed.spec
    try:
        if isinstance(key, str):
            edit.shown = preview(edit.observatory.path, spec, key, edit.file, edit.raw)
        elif not edit.whole:  # of places a beginning says little: whether each lies in another one, what overlaps
            edit.too_large = True
        else:
            from safercities.places.geographies import load_geography

            found = load_geography(
                spec.geographies[key], edit.observatory.path, default_parent=edit.observatory.place_id
            )
            edit.places = found.places
            edit.told += [tell(one, edit.file) for one in found.problems]
    except TooLargeError:
        edit.too_large = True
    except SafercitiesError as error:
        edit.refuse(error)


def _saved(request: HttpRequest, edit: Edit, key: str | int) -> bool:
    """Write the draft; or say why not, at the field where that is known."""
    if edit.changed is None:
        return False
    given = request.POST.get("version", "")
    try:
        edit.changed.save(given)
    except ChangedMeanwhileError:
        edit.told.append(
            Told("error", "", _("Somebody changed the settings meanwhile."), _("Look at them again, then save."))
        )
        return False
    except SafercitiesError as error:
        edit.refuse(error)
        return False
    verb = "source.saved" if isinstance(key, str) else "geography.saved"
    record(request, edit.observatory, verb, str(key), edit.changed)
    return True


def record(request: HttpRequest, observatory: Observatory, verb: str, object: str, document: Document) -> None:
    """Add to the trail that the settings were changed, with the fingerprint of what they are now."""
    Event.record(
        verb, actor=request.user, observatory=observatory, object=object[:200], detail={"toml": document.version}
    )


def _onward(request: HttpRequest, edit: Edit, key: str | int, action: str) -> HttpResponse:
    messages.success(request, _("Saved."))
    if action == "check":
        from safercities.hub.workbench.home import begin_check

        return begin_check(request, edit.observatory)
    if isinstance(key, str):
        return redirect("workbench:source", edit.observatory.slug, key)
    return redirect("workbench:geography", edit.observatory.slug, key)


def _remove(request: HttpRequest, edit: Edit, key: str | int) -> HttpResponse:
    """Take a table out of observatory.toml; the file that it names stays."""
    if edit.saved is None:
        raise Http404
    document = edit.document
    try:
        changed = document.with_source(key, None) if isinstance(key, str) else document.with_geography(key, None)
        changed.save(request.POST.get("version", ""))
    except ChangedMeanwhileError:
        messages.error(request, _("Somebody changed the settings meanwhile."))
    except SafercitiesError as error:
        messages.error(request, str(error))
    else:
        record(
            request,
            edit.observatory,
            "source.removed" if isinstance(key, str) else "geography.removed",
            str(key),
            changed,
        )
        messages.success(request, _("It is taken out. Its file is still there."))
    return redirect("workbench:sources", edit.observatory.slug)
