"""The pages of jobs: how far each is, how it ended, and the problems beside their file, row and column."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from safercities.hub import texts
from safercities.hub.access import Right, find, may, need
from safercities.hub.jobs import queue, steps
from safercities.hub.models import Job, Observatory
from safercities.hub.workbench import results, shelf
from safercities.hub.workbench.document import Document
from safercities.hub.workbench.masked import masked
from safercities.model.errors import SafercitiesError, named_in

#: What somebody must be allowed to do to stop a job of each kind: what starting it asked for.
RIGHT_OF = {
    Job.Kind.CHECK: Right.CHECK,
    Job.Kind.MEASURE: Right.MEASURE,
    Job.Kind.PROTECT: Right.PREVIEW,
    Job.Kind.PUBLISH: Right.PUBLISH,
    Job.Kind.SUPERSEDE: Right.SUPERSEDE,
    Job.Kind.FIGURES: Right.PUBLISH,
    Job.Kind.COMPARE: Right.SEE_WORKBENCH,
}
_PAGE = 50


@require_safe
@need(Right.SEE_WORKBENCH)
def jobs(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """All of an observatory, the newest first."""
    page = Paginator(observatory.jobs.select_related("by"), _PAGE).get_page(request.GET.get("page"))
    return render(request, "hub/work/jobs.html", {"observatory": observatory, "page": page})


@require_safe
@need(Right.SEE_WORKBENCH)
def job(request: HttpRequest, observatory: Observatory, number: UUID) -> HttpResponse:
    """One; while it runs, htmx asks for its part of the page only."""
    found = find(Job, observatory, pk=number)
    context = told(request, found)
    part = request.headers.get("HX-Request") == "true"
    response = render(request, "hub/work/job_state.html" if part else "hub/work/job.html", context)
    response["Vary"] = "HX-Request"
    if part and found.state in Job.ENDED:
        response["HX-Refresh"] = "true"  # the whole page: problems, and what comes next
    return response


def told(request: HttpRequest, found: Job) -> dict[str, Any]:
    """What the page of a job shows."""
    running = found.state not in Job.ENDED
    proposal = found.proposals.order_by("-pk").first() or _proposal(found)
    whole = may(request.user, Right.UPLOAD, found.observatory)
    page = Paginator(_problems(found, whole=whole), _PAGE).get_page(request.GET.get("page"))
    return {
        "observatory": found.observatory,
        "job": found,
        "running": running,
        "step": steps.words(found.step),
        "percent": min(100 * found.done // found.total, 100) if found.total else None,
        "message": _(found.message) if found.message else "",
        "may_stop": running
        and not found.cancel
        and may(request.user, RIGHT_OF[Job.Kind(found.kind)], found.observatory),
        "page": page,
        "severities": _severities(found),
        "more_problems": found.result.get("more_problems"),
        "sources": found.result.get("sources", {}),
        "results": _results(request, found),
        "proposal": proposal,
    }


def _results(request: HttpRequest, found: Job) -> list[results.Result]:
    """What the last measuring made, for whoever may see rows."""
    measured = found.observatory.jobs.filter(kind=Job.Kind.MEASURE, state=Job.State.DONE).first()
    if found != measured or not may(request.user, Right.UPLOAD, found.observatory):
        return []
    return results.results(found.observatory)


def _proposal(found: Job) -> Any:
    return found.observatory.proposals.filter(pk=found.what.get("proposal")).first()


def _problems(found: Job, *, whole: bool) -> list[dict[str, Any]]:
    """In the reader's language, with the names of files that people gave them.

    Parameters
    ----------
    whole
        Whether the reader may see rows: for others, what stands in cells is hidden.
    """
    names = shelf.names(found.observatory)
    kept = found.problems if whole else _masked(found)
    told = [one | {"file": shelf.shown(str(one.get("file") or ""), names)} for one in kept]
    return [one | asdict(texts.said(one)) for one in told]


def _masked(found: Job) -> list[dict[str, Any]]:
    """Without cells; of columns, those that the settings name as they are now."""
    try:
        settings = Document.read(found.observatory.path).data
    except SafercitiesError:
        settings = {}
    named = named_in([settings.get("sources"), settings.get("geographies")])
    return [masked(one, named) for one in found.problems]


def _severities(found: Job) -> list[tuple[str, int]]:
    counted = Counter(one.get("severity") for one in found.problems)
    words = {"error": _("Errors"), "warning": _("Warnings"), "note": _("Notes")}
    return [(word, counted[key]) for key, word in words.items() if counted[key]]


@require_POST
@need(Right.SEE_WORKBENCH)
def stop(request: HttpRequest, observatory: Observatory, number: UUID) -> HttpResponse:
    """Ask a job to stop at its next step."""
    found = find(Job, observatory, pk=number)
    if not may(request.user, RIGHT_OF[Job.Kind(found.kind)], observatory):
        raise PermissionDenied
    queue.ask_to_stop(found, request.user)  # type: ignore[arg-type]  # the right needs an account
    messages.success(request, _("It was asked to stop. It does so at its next step."))
    return redirect("workbench:job", observatory.slug, number)
