"""The page of files: what was brought, bringing more, replacing one, and getting one's own back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import TooManyFilesSent
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from safercities.hub.access import Right, find, may, need
from safercities.hub.jobs import leftovers
from safercities.hub.models import Event, Observatory, Upload
from safercities.hub.workbench import shelf, uploads
from safercities.hub.workbench.document import ChangedMeanwhileError, Document
from safercities.hub.workbench.sources import record
from safercities.model.errors import SafercitiesError


@require_GET
@need(Right.SEE_WORKBENCH)
def files(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """What was brought, by whom, and which sources read it."""
    data: dict[str, Any] = {}
    with suppress(SafercitiesError):
        data = Document.read(observatory.path).data
    listed = [(upload, shelf.uses(data, upload.stored)) for upload in observatory.uploads.select_related("by")]
    context = {
        "observatory": observatory,
        "uploads": listed,
        "others": [name for path, name in shelf.offered(observatory).items() if "/" not in path],
        "endings": ",".join((*uploads.ENDINGS, ".gz")),
        "most": settings.UPLOAD_MAX_BYTES,
        "may_upload": may(request.user, Right.UPLOAD, observatory),
    }
    return render(request, "hub/work/files.html", context)


@csrf_exempt  # it is asked for below: but only where somebody may upload is anything read
@require_POST
@need(Right.UPLOAD)
def upload(request: HttpRequest, observatory: Observatory) -> HttpResponseBase:
    """Take files in: into quarantine while they come, and from there only what was looked at."""
    leftovers.sweep_quarantine()
    quarantine = uploads.Quarantine(request, uploads.room(observatory))
    request.upload_handlers = [quarantine]
    try:
        return _upload(request, observatory)
    except TooManyFilesSent:
        messages.error(request, _("These are too many files at once."))
        return redirect("workbench:files", observatory.slug)
    finally:
        quarantine.clear()


@csrf_protect
def _upload(request: HttpRequest, observatory: Observatory) -> HttpResponseBase:
    came = request.FILES.getlist("file")
    old = find(Upload, observatory, pk=_whole(request.POST["replaces"])) if request.POST.get("replaces") else None
    taken = [one for received in came if (one := _take(request, observatory, received))]
    if not came:
        messages.error(request, _("Choose a file first."))
    if old is not None and len(taken) == 1:
        _replace(request, observatory, old, taken[0])
    elif taken:
        many = ngettext("%(count)s file is here.", "%(count)s files are here.", len(taken))
        messages.success(request, many % {"count": len(taken)})
    address = reverse("workbench:files", args=[observatory.slug])
    return HttpResponseClientRedirect(address) if getattr(request, "htmx", False) else redirect(address)


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


def _take(request: HttpRequest, observatory: Observatory, received: Any) -> Upload | None:
    assert isinstance(received, uploads.Received)  # noqa: S101 - our handler makes no others
    try:
        uploads.inspect(received)
        return uploads.store(observatory, received, request.user)  # type: ignore[arg-type]  # UPLOAD needs an account
    except uploads.RefusedError as error:
        said = {"name": received.name[:80], "why": str(error)}
        messages.error(request, _("“%(name)s” was not taken: %(why)s") % said)
        return None


def _replace(request: HttpRequest, observatory: Observatory, old: Upload, new: Upload) -> None:
    """Have the sources that read the old file read the new one. The old one stays."""
    try:
        document = before = Document.read(observatory.path)
        data = document.data
        for table, key in shelf.uses(data, old.stored):
            one = dict(data[table][key])
            one["file"] = new.stored + str(one["file"])[len(old.stored) :]
            document = (
                document.with_source(str(key), one) if table == "sources" else document.with_geography(int(key), one)
            )
        if document is not before:
            document.save(before.version)
    except (SafercitiesError, ChangedMeanwhileError):
        messages.error(request, _("The file is here, but the settings could not be changed: choose it at its source."))
        return
    record(request, observatory, "file.replaced", f"{old.pk} {new.pk}", document)
    messages.success(request, _("The new file is in use. The old one is kept."))


@require_POST
@need(Right.UPLOAD)
def remove(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Take away a file that no source reads, for good: what should not have been brought can be undone."""
    one = find(Upload, observatory, pk=number)
    if _is_read(observatory, one):
        messages.error(request, _("A source reads this file. Take the source out first, or have it read another file."))
        return redirect("workbench:files", observatory.slug)
    with transaction.atomic():
        detail = {"sha256": one.sha256}
        Event.record("file.removed", actor=request.user, observatory=observatory, object=str(one.pk), detail=detail)
        one.delete()
        if (path := _path(observatory, one)) is not None:
            path.unlink()
    messages.success(request, _("The file is deleted."))
    return redirect("workbench:files", observatory.slug)


def _is_read(observatory: Observatory, one: Upload) -> bool:
    try:
        return bool(shelf.uses(Document.read(observatory.path).data, one.stored))
    except SafercitiesError:
        return True  # nobody can tell


def _path(observatory: Observatory, one: Upload) -> Path | None:
    """Where an upload lies; None where it is not there, or what is there is none of ours."""
    path = observatory.path / one.stored
    plain = path.is_file() and not path.is_symlink()
    return path if plain and path.resolve().is_relative_to(observatory.path.resolve()) else None


@require_GET
@need(Right.UPLOAD)
def download(request: HttpRequest, observatory: Observatory, number: int) -> FileResponse:
    """A file as it was brought: raw data, for those who may bring them."""
    one = find(Upload, observatory, pk=number)
    path = _path(observatory, one)
    if path is None:
        raise Http404
    Event.record("file.downloaded", actor=request.user, observatory=observatory, object=str(one.pk))
    response = FileResponse(path.open("rb"), as_attachment=True, filename=one.name)
    response["Content-Type"] = "application/octet-stream"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
