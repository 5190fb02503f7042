"""From a preview to a release: who proposes, who decides, and that nobody does both where two people are asked for."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from safercities.hub.access import Right, may, may_decide
from safercities.hub.jobs import queue
from safercities.hub.jobs.inputs import fingerprint
from safercities.hub.models import Event, Job, Observatory, Proposal, User
from safercities.model.errors import SafercitiesError

_State = Proposal.State
#: States in which something can still become of it.
OPEN = (_State.DRAFT, _State.PREVIEWED, _State.WAITING, _State.APPROVED)
_LONGEST = 2000


class RefusedError(Exception):
    """It cannot be done; the sentence is for whoever asked."""


def two_people(observatory: Observatory) -> bool:
    """Whether a second person has to approve what is published there."""
    return bool(settings.TWO_PERSON or observatory.two_person)


def right_to_publish(proposal: Proposal) -> Right:
    """What whoever publishes it must be allowed to do."""
    return Right.SUPERSEDE if proposal.kind == Proposal.Kind.SUPERSEDE else Right.PUBLISH


def begin(observatory: Observatory, user: User, supersedes: str = "", reason: str = "") -> Proposal:
    """Have a preview made, of the next release or of a correction.

    Raises
    ------
    RefusedError
        If there is no such release, it is corrected already, or a correction has no reason.
    """
    kind = Proposal.Kind.SUPERSEDE if supersedes else Proposal.Kind.PUBLISH
    reason = reason.strip()[:_LONGEST]
    if supersedes:
        if not reason:
            raise RefusedError(_("Say why the release is corrected. The reason is published with the correction."))
        if not observatory.shelf.filter(identity=supersedes).exists():
            raise RefusedError(_("There is no such release."))
        if observatory.shelf.filter(supersedes=supersedes).exists():
            raise RefusedError(_("Another release corrects this one already. Correct that one."))
    with transaction.atomic():
        Observatory.objects.select_for_update().get(pk=observatory.pk)
        drafts = Proposal.objects.filter(observatory=observatory, state=_State.DRAFT, proposed_by=user, kind=kind)
        same = drafts.filter(supersedes=supersedes or None, job__state__in=["waiting", "running"]).first()
        if same is not None:  # a second click
            return same
        proposal = Proposal.objects.create(
            observatory=observatory, kind=kind, supersedes=supersedes or None, reason=reason, proposed_by=user
        )
        proposal.job = queue.start(observatory, Job.Kind.PROTECT, user, proposal=proposal.pk)
        proposal.save(update_fields=["job"])
        _event("proposal.previewed", user, proposal)
    return proposal


def propose(given: Proposal, user: User, reason: str = "") -> Proposal:
    """Ask for the publication of what was previewed.

    Raises
    ------
    RefusedError
        If it is not previewed, has no reason, or the files have changed since.
    """
    _unchanged(given)
    with transaction.atomic():
        proposal = _locked(given, _State.PREVIEWED)
        proposal.reason = proposal.reason or reason.strip()[:_LONGEST]
        if not proposal.reason:
            raise RefusedError(_("Say why this should be published."))
        proposal.state, proposal.proposed_by = _State.WAITING, user
        proposal.two_person = two_people(proposal.observatory)
        proposal.save()
        _event("proposal.made", user, proposal)
    return proposal


def decide(given: Proposal, user: User, *, approve: bool, answer: str = "") -> Proposal:
    """Approve or refuse what was proposed.

    Raises
    ------
    RefusedError
        If it does not wait for that, they may not decide on it, or what would be approved is not what was seen.
    """
    if approve:
        _unchanged(given)
    with transaction.atomic():
        proposal = _locked(given, _State.WAITING)
        proposal.two_person = proposal.two_person or two_people(proposal.observatory)
        own = proposal.proposed_by_id == user.pk
        if not may_decide(user, proposal) or (proposal.two_person and own):
            raise RefusedError(_("You proposed this yourself: another person has to decide on it."))
        if not approve and not answer.strip():
            raise RefusedError(_("Say why you refuse it: whoever proposed it has to know."))
        proposal.state = _State.APPROVED if approve else _State.REFUSED
        proposal.decided_by, proposal.decided, proposal.answer = user, timezone.now(), answer.strip()[:_LONGEST]
        proposal.save()
        _event("proposal.approved" if approve else "proposal.refused", user, proposal)
    return proposal


def publish(given: Proposal, user: User) -> Job:
    """Have what was approved published; what is checked now is checked once more before anything is written.

    Raises
    ------
    RefusedError
        If it is not approved, or they may not publish.
    """
    with transaction.atomic():
        proposal = _locked(given, _State.APPROVED)
        if not may(user, right_to_publish(proposal), proposal.observatory):
            raise RefusedError(_("Your role does not cover this."))
        kind = Job.Kind.SUPERSEDE if proposal.kind == Proposal.Kind.SUPERSEDE else Job.Kind.PUBLISH
        job = queue.start(proposal.observatory, kind, user, proposal=proposal.pk)
        proposal.job = job
        proposal.save(update_fields=["job"])
    return job


def _locked(given: Proposal, wanted: Proposal.State) -> Proposal:
    proposal = Proposal.objects.select_for_update().get(pk=given.pk)
    if proposal.state != wanted:
        raise RefusedError(_("It is not at this step any more. The page shows how it stands."))
    return proposal


def _unchanged(proposal: Proposal) -> None:
    """What was seen is what would be published."""
    try:
        same = fingerprint(proposal.observatory.path) == proposal.fingerprint
    except SafercitiesError:
        same = False
    if not same:
        raise RefusedError(
            _("Files or rules have changed since the preview. Make a new preview: this one cannot be published.")
        )
    last = proposal.observatory.shelf.order_by("-number").first()
    if (last.identity if last else "") != proposal.head:
        raise RefusedError(
            _("Another release was published since the preview. Make a new preview: this one cannot be published.")
        )


def _event(verb: str, user: User, proposal: Proposal) -> None:
    detail = {"kind": proposal.kind, "fingerprint": proposal.fingerprint}
    Event.record(verb, actor=user, observatory=proposal.observatory, object=str(proposal.pk), detail=detail)
