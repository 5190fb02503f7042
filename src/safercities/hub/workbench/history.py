"""What was published, proposed and done in an observatory, the newest first. Nothing in it can be edited."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from safercities.hub.access import Right, need, rights
from safercities.hub.models import Event, Observatory, Release

_PAGE = 50
_VERBS: dict[str, str | Promise] = {
    "job.asked": _("asked for a job"),
    "job.stop_asked": _("asked a job to stop"),
    "proposal.previewed": _("had a preview made"),
    "proposal.made": _("proposed a publication"),
    "proposal.approved": _("approved a publication"),
    "proposal.refused": _("refused a publication"),
    "release.published": _("published a release"),
    "release.superseded": _("published a correction"),
}


@require_safe
@need(Right.SEE_WORKBENCH)
def history(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Releases and proposals; the trail for those who may see it."""
    releases = list(observatory.shelf.order_by("-number"))
    allowed = rights(request.user, observatory)
    proposals = observatory.proposals.select_related("proposed_by", "decided_by", "job")
    context: dict[str, Any] = {
        "observatory": observatory,
        "releases": _rows(releases),
        "proposals": Paginator(proposals, _PAGE).get_page(request.GET.get("proposals")),
        "may_preview": Right.PREVIEW in allowed,
    }
    if Right.SEE_TRAIL in allowed:
        events = Event.objects.filter(observatory=observatory)
        page = Paginator(events, _PAGE).get_page(request.GET.get("events"))
        context |= {"events": page, "told": [(one, _VERBS.get(one.verb, one.verb)) for one in page]}
    return render(request, "hub/work/history.html", context)


def _rows(releases: list[Release]) -> list[dict[str, Any]]:
    """Each with the one that it is compared with: the one that it corrects, else the one before."""
    numbers = {one.identity: one.number for one in releases}
    before = {later.pk: earlier.number for later, earlier in pairwise(releases)}
    corrected = {one.supersedes: one.number for one in releases if one.supersedes}
    return [
        {
            "release": one,
            "corrects": numbers.get(one.supersedes or ""),
            "corrected_by": corrected.get(one.identity),
            "compare": numbers.get(one.supersedes or "") or before.get(one.pk),
        }
        for one in releases
    ]
