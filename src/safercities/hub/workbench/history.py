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
#: Entry of the trail → what was done, after the name of who did it.
VERBS: dict[str, str | Promise] = {
    "file.uploaded": _("brought a file"),
    "file.replaced": _("replaced a file"),
    "file.removed": _("removed a file"),
    "file.downloaded": _("downloaded a file"),
    "source.saved": _("saved a source"),
    "source.removed": _("removed a source"),
    "geography.saved": _("saved a level of places"),
    "geography.removed": _("removed a level of places"),
    "settings.saved": _("saved the settings"),
    "observatory.created": _("created the observatory"),
    "observatory.changed": _("changed the observatory"),
    "member.added": _("gave somebody a role"),
    "member.changed": _("changed somebody's role"),
    "member.removed": _("took a role from somebody"),
    "job.asked": _("asked for a job"),
    "job.stop_asked": _("asked a job to stop"),
    "proposal.previewed": _("had a preview made"),
    "proposal.made": _("proposed a publication"),
    "proposal.approved": _("approved a publication"),
    "proposal.refused": _("refused a publication"),
    "release.published": _("published a release"),
    "release.superseded": _("published a correction"),
    "release.announced": _("announced a release"),
    "release.received": _("received a release"),
    "token.made": _("made a token"),
    "token.revoked": _("revoked a token"),
    "webhook.made": _("made a webhook"),
    "webhook.switched_on": _("switched a webhook on"),
    "webhook.switched_off": _("switched a webhook off"),
    "webhook.deleted": _("deleted a webhook"),
    "identity.pinned": _("said whose releases are received"),
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
        context |= {"events": page, "told": [(one, VERBS.get(one.verb, one.verb)) for one in page]}
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
