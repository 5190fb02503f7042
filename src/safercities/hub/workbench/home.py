"""The first pages of the workbench: my observatories, and the steps of one, the next one first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from safercities import config
from safercities.hub.access import Right, may, may_decide, need, rights, visible
from safercities.hub.models import Job, Observatory, Proposal, Release
from safercities.hub.workbench import shelf
from safercities.hub.workbench.document import Document
from safercities.hub.workbench.preview import Told, tell
from safercities.model.errors import SafercitiesError


@dataclass(frozen=True)
class Step:
    """A step of the work. `state`: done, next, wrong, running, later."""

    key: str
    title: str
    state: str
    told: str
    href: str = ""
    action: str = ""
    post: bool = False
    more: str = ""


def link(name: str, *args: Any) -> str:
    """Address of a page; empty where there is none."""
    try:
        return reverse(f"workbench:{name}", args=args)
    except NoReverseMatch:
        return ""


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """My observatories, and what waits for me."""
    found = [one for one in visible(request.user) if may(request.user, Right.SEE_WORKBENCH, one)]
    context = {
        "observatories": [(one, _latest(one)) for one in found],
        "waiting": list(_waiting(request, found)),
        "may_create": may(request.user, Right.CREATE_OBSERVATORY),
    }
    return render(request, "hub/work/home.html", context)


def _latest(observatory: Observatory) -> Release | None:
    return Release.objects.filter(observatory=observatory).order_by("-number").first()


def _waiting(request: HttpRequest, observatories: list[Observatory]) -> Iterator[tuple[Observatory, str, str]]:
    """What somebody has to decide, what runs, and what failed last."""
    asked = Proposal.objects.filter(observatory__in=observatories, state=Proposal.State.WAITING)
    for proposal in asked.select_related("observatory"):
        if may_decide(request.user, proposal):
            yield (
                proposal.observatory,
                _("Something waits for your decision"),
                link("publish", proposal.observatory.slug),
            )
    for one in observatories:
        last = one.jobs.first()
        if last is not None and last.state in (Job.State.WAITING, Job.State.RUNNING, Job.State.FAILED):
            told = f"{last.get_kind_display()}: {last.get_state_display()}"
            yield one, told, link("job", one.slug, last.pk)


@require_safe
@need(Right.SEE_WORKBENCH)
def observatory(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """The way from files to a release, and how far it is."""
    allowed = rights(request.user, observatory)
    way = Steps(observatory, whole=Right.UPLOAD in allowed)
    steps = way.listed()
    current = next((one for one in steps if one.state in ("next", "wrong", "running")), None)
    context = {
        "observatory": observatory,
        "steps": steps,
        "current": current,
        "problems": way.problems,
        "may_configure": Right.CONFIGURE in allowed,
        "may_check": Right.CHECK in allowed,
        "may_see_members": Right.PUBLISH in allowed,
        "may_manage_webhooks": Right.MANAGE_WEBHOOKS in allowed,
        "history": link("history", observatory.slug),
    }
    return render(request, "hub/work/observatory.html", context)


class Steps:
    """How far each step of an observatory is.

    Parameters
    ----------
    whole
        Whether the reader may see rows: for others, problems do not tell what stands in them.
    """

    def __init__(self, observatory: Observatory, *, whole: bool) -> None:
        self.observatory, self.slug = observatory, observatory.slug
        self.problems: list[Told] = []
        self.spec: config.ObservatorySpec | None = None
        try:
            self.spec = Document.read(observatory.path).spec
        except SafercitiesError as error:
            self.problems = [tell(one, whole=whole) for one in error.problems]

    def listed(self) -> list[Step]:
        """All steps. The first that is not done is the next one."""
        made = [self._files(), self._sources(), self._check(), self._measure(), self._preview(), self._publish()]
        found, open_ = [], False
        for step in made:
            if step.state == "next" and open_:
                step = Step(step.key, step.title, "later", step.told, step.href, "", False, step.more)
            # what a check finds is for people to judge: files with rows that are left out can be measured
            open_ = open_ or (step.state != "done" and not (step.key == "check" and step.state == "wrong"))
            found.append(step)
        return found

    def _files(self) -> Step:
        count = len({path.partition("/")[2] or path for path in shelf.offered(self.observatory)})
        told = ngettext("%(count)s file", "%(count)s files", count) % {"count": count} if count else _("No file yet")
        return Step("files", _("Files"), "done" if count else "next", told, link("files", self.slug), _("Bring files"))

    def _sources(self) -> Step:
        href = link("sources", self.slug)
        if self.spec is None:
            return Step("sources", _("Sources"), "wrong", _("The settings cannot be read"), href, _("Look at them"))
        count = len(self.spec.sources)
        told = (
            ngettext("%(count)s source", "%(count)s sources", count) % {"count": count} if count else _("No source yet")
        )
        if count and not self.spec.measure.indicators:
            href, told = link("settings", self.slug), _("%(sources)s; no indicator chosen yet") % {"sources": told}
            return Step("sources", _("Sources and indicators"), "next", told, href, _("Choose indicators"))
        title = _("Sources and indicators")
        return Step("sources", title, "done" if count else "next", told, href, _("Say what the columns mean"))

    def _job(self, *kinds: str) -> Job | None:
        return self.observatory.jobs.filter(Q(kind__in=kinds)).order_by("-created").first()

    def _stale(self, job: Job) -> bool:
        """Whether settings or files are newer than what a job looked at."""
        path = self.observatory.path / config.FILE
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else job.created
        return changed > (job.started or job.created)

    def _run(self, key: str, title: str, kind: str, action: str, told: str) -> Step:
        """A step that a job takes."""
        job, href = self._job(kind), link(key, self.slug)
        if job is None or job.state == Job.State.CANCELLED:
            return Step(key, title, "next", _("Not yet"), href, action, True)
        more = link("job", self.slug, job.pk)
        if job.state in (Job.State.WAITING, Job.State.RUNNING):
            return Step(key, title, "running", str(job.get_state_display()), more, _("See how far it is"))
        if job.state == Job.State.FAILED:
            return Step(key, title, "wrong", _("It failed"), href, action, True, more)
        if self._stale(job):
            return Step(key, title, "next", _("The settings changed since"), href, action, True, more)
        errors = job.result.get("errors", 0) if kind == Job.Kind.CHECK else 0
        if errors:
            wrong = ngettext("%(count)s error", "%(count)s errors", errors) % {"count": errors}
            return Step(key, title, "wrong", wrong, href, action, True, more)
        return Step(key, title, "done", told, href, action, True, more)

    def _check(self) -> Step:
        return self._run("check", _("Check"), Job.Kind.CHECK, _("Check all files"), _("No errors"))

    def _measure(self) -> Step:
        return self._run("measure", _("Measure"), Job.Kind.MEASURE, _("Measure"), _("Measured"))

    def _preview(self) -> Step:
        title, href = _("Preview"), link("publish", self.slug)
        last = self.observatory.proposals.first()
        states = (Proposal.State.PREVIEWED, Proposal.State.WAITING, Proposal.State.APPROVED, Proposal.State.PUBLISHED)
        if last is None or last.state not in states:
            return Step("preview", title, "next", _("Not yet"), href, _("Preview what would be published"))
        return Step("preview", title, "done", str(last.get_state_display()), href, _("See the preview"))

    def _publish(self) -> Step:
        title, href = _("Publish"), link("publish", self.slug)
        last = _latest(self.observatory)
        asked = self.observatory.proposals.first()
        if asked is not None and asked.state in (Proposal.State.PREVIEWED, Proposal.State.WAITING):
            return Step("publish", title, "next", str(asked.get_state_display()), href, _("Publish"))
        if last is None:
            return Step("publish", title, "next", _("Nothing is published yet"), href, _("Publish"))
        told = _("Release %(number)s, %(period)s") % {"number": last.number, "period": last.period}
        return Step("publish", title, "done", told, href, _("Publish again"))


@require_POST
@need(Right.CHECK)
def check(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Have every file checked."""
    return begin_check(request, observatory)


@require_POST
@need(Right.MEASURE)
def measure(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Have everything measured."""
    return _begin(request, observatory, Job.Kind.MEASURE)


def begin_check(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Queue a check, and go to where its progress is seen."""
    return _begin(request, observatory, Job.Kind.CHECK)


def _begin(request: HttpRequest, observatory: Observatory, kind: Job.Kind) -> HttpResponse:
    from safercities.hub.jobs.queue import start

    job = start(observatory, kind, by=request.user)  # type: ignore[arg-type]  # the right needs an account
    return redirect(link("job", observatory.slug, job.pk) or link("observatory", observatory.slug))
