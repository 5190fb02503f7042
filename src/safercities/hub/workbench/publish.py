"""The pages of publishing: preview, propose, decide, publish; each a step that waits for the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from safercities.hub import texts
from safercities.hub.access import Right, find, may, may_decide, need, rights
from safercities.hub.jobs import queue
from safercities.hub.jobs.inputs import written_since
from safercities.hub.models import Job, Observatory, Proposal
from safercities.hub.workbench import job_pages, proposals
from safercities.hub.workbench.proposals import RefusedError
from safercities.model.errors import SafercitiesError

_State = Proposal.State
_SHOWN = 12


@require_safe
@need(Right.SEE_WORKBENCH)
def page(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Where publishing stands, and what can be done next."""
    everything = observatory.proposals.select_related("proposed_by", "decided_by", "job")
    current = everything.exclude(state=_State.DRAFT, job__state__in=Job.ENDED).filter(state__in=proposals.OPEN).first()
    allowed = rights(request.user, observatory)
    context = {
        "observatory": observatory,
        "current": current,
        "last_job": observatory.jobs.filter(kind=Job.Kind.PROTECT).first(),
        "earlier": everything[:_SHOWN],
        "releases": observatory.shelf.all()[:_SHOWN],
        "correctable": _correctable(observatory),
        "two_people": proposals.two_people(observatory),
        "may_preview": Right.PREVIEW in allowed,
        "may_publish": Right.PUBLISH in allowed,
    }
    return render(request, "hub/work/publish.html", context | (_about(request, current) if current else {}))


def _correctable(observatory: Observatory) -> list[Any]:
    """Releases that no other one corrects."""
    corrected = set(observatory.shelf.exclude(supersedes=None).values_list("supersedes", flat=True))
    return [one for one in observatory.shelf.all() if one.identity not in corrected]


@require_safe
@need(Right.SEE_WORKBENCH)
def proposal(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """One proposal: what its preview showed, and what can be done with it."""
    found = find(Proposal, observatory, pk=number)
    context = {"observatory": observatory, "current": found, "two_people": proposals.two_people(observatory)}
    return render(request, "hub/work/publish_proposal.html", context | _about(request, found))


def _about(request: HttpRequest, found: Proposal) -> dict[str, Any]:
    """What a page shows of a proposal, and which of its buttons are for whoever asks."""
    allowed = rights(request.user, found.observatory)
    job = found.job
    runs = job is not None and job.state not in Job.ENDED
    decidable = found.state == _State.WAITING and may_decide(request.user, found)
    about = {
        "proposal": found,
        "parts": _parts(found),
        "runs": runs,
        "written": _written(found),
        "may_propose": found.state == _State.PREVIEWED and Right.PROPOSE in allowed,
        "may_decide": decidable,
        "waits_for_other": found.state == _State.WAITING and not decidable and Right.APPROVE in allowed,
        "may_go": found.state == _State.APPROVED and not runs and proposals.right_to_publish(found) in allowed,
        "may_go_at_once": proposals.right_to_publish(found) in allowed,
        "corrected": found.observatory.shelf.filter(identity=found.supersedes).first() if found.supersedes else None,
    }
    return about | (job_pages.told(request, job) if job is not None else {}) | {"proposal": found}


def _written(found: Proposal) -> bool:
    """Whether files were written since its preview began: a hint. The fingerprint decides."""
    if found.state not in (_State.PREVIEWED, _State.WAITING, _State.APPROVED):
        return False
    try:
        return written_since(found.observatory.path, found.created)
    except (SafercitiesError, OSError):
        return True


def _parts(found: Proposal) -> list[dict[str, Any]]:
    """Rows and withheld rows of each indicator and period, by the indicator's name."""
    from safercities.indicators.catalogue import catalogue

    known = {code: texts.named(entry.on().label) for code, entry in catalogue().items()}
    return [
        one | {"label": known.get(one["indicator"], one["indicator"]), "shown": one["rows"] - one["withheld"]}
        for one in found.seen.get("parts", [])
    ]


@require_POST
@need(Right.PREVIEW)
def preview(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Have a preview made."""
    supersedes, reason = request.POST.get("supersedes", ""), request.POST.get("reason", "")
    try:
        made = proposals.begin(observatory, request.user, supersedes[:64], reason)  # type: ignore[arg-type]
    except RefusedError as error:
        messages.error(request, str(error))
        return redirect("workbench:publish", observatory.slug)
    return redirect("workbench:job", observatory.slug, made.job_id)


@require_POST
@need(Right.PROPOSE)
def propose(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Propose what was previewed; whoever may publish alone can have it published in the same step."""
    found = find(Proposal, observatory, pk=number)

    def act() -> HttpResponse | None:
        made = proposals.propose(found, request.user, request.POST.get("reason", ""))  # type: ignore[arg-type]
        messages.success(request, _("Proposed."))
        return _decided(request, made) if "publish" in request.POST else None

    return _acted(request, found, act)


@require_POST
@need(Right.APPROVE)
def decide(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Approve or refuse."""
    found = find(Proposal, observatory, pk=number)

    def act() -> HttpResponse | None:
        if "refuse" in request.POST:
            answer = request.POST.get("answer", "")
            proposals.decide(found, request.user, approve=False, answer=answer)  # type: ignore[arg-type]
            messages.success(request, _("Refused."))
            return None
        return _decided(request, found)

    return _acted(request, found, act)


def _decided(request: HttpRequest, found: Proposal) -> HttpResponse | None:
    """Approved; and published, where that was asked for and may be."""
    if not may(request.user, Right.APPROVE, found.observatory):
        raise PermissionDenied
    made = proposals.decide(found, request.user, approve=True, answer=request.POST.get("answer", ""))  # type: ignore[arg-type]
    messages.success(request, _("Approved."))
    return _went(request, made) if "publish" in request.POST else None


@require_POST
@need(Right.PUBLISH)
def go(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Publish what was approved."""
    found = find(Proposal, observatory, pk=number)
    return _acted(request, found, lambda: _went(request, found))


def _went(request: HttpRequest, found: Proposal) -> HttpResponse:
    job = proposals.publish(found, request.user)  # type: ignore[arg-type]  # the right needs an account
    return redirect("workbench:job", found.observatory.slug, job.pk)


def _acted(request: HttpRequest, found: Proposal, act: Callable[[], HttpResponse | None]) -> HttpResponse:
    """Do it, and go to where it is seen; what is refused is said there."""
    try:
        response = act()
    except RefusedError as error:
        messages.error(request, str(error))
        response = None
    return response or redirect("workbench:proposal", found.observatory.slug, found.pk)


@require_POST
@need(Right.PUBLISH)
def figures(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Have the public pages prepared anew from the releases."""
    job = queue.start(observatory, Job.Kind.FIGURES, request.user)  # type: ignore[arg-type]
    return redirect("workbench:job", observatory.slug, job.pk)
