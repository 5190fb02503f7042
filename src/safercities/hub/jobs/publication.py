"""Previews of releases, and publication: what was seen and approved is published, once, or nothing is."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from safercities.hub.jobs.announce import announce_new
from safercities.hub.jobs.carrying import Outcome, Progress
from safercities.hub.jobs.inputs import fingerprint
from safercities.hub.jobs.keys import keys_of
from safercities.hub.jobs.steps import WRITING
from safercities.hub.models import Event, Job, Observatory, Proposal, Release
from safercities.hub.models.shelf import sync
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.release.verify import Verified

#: What was approved is not what would be published.
_UNSEEN = {"job-unseen", "job-other-release", "publish-unseen"}
_HIDDEN_PAGES = gettext_noop(
    "The release is published. The public pages could not be prepared for it; the list says why."
)


def preview(job: Job, progress: Progress) -> Outcome:
    """Everything that publishing does, but for the release: what it would say, and the hashes that it is held to."""
    from safercities import publishing
    from safercities.observatory import open as open_observatory

    row, proposal = job.observatory, _proposal(job)
    progress("verify", 0, 1)
    chain, today = sync(row), date.today()
    before = fingerprint(row.path)
    opened = open_observatory(row.path, progress=progress)
    keys, made = keys_of(row, opened, today)
    found = publishing.preview(opened, published=today, supersedes=proposal.supersedes, keys=keys)
    if fingerprint(row.path) != before:  # somebody was at work meanwhile: nobody knows which of them was read
        raise SafercitiesError(problem("job-unseen"))
    seen = {**_counts(found.estimates), "identity": keys.identity, "keys_made": made}
    hashes = {"fingerprint": before, "head": _head(chain), "seal": found.seal}
    Proposal.objects.filter(pk=proposal.pk, state=Proposal.State.DRAFT).update(
        state=Proposal.State.PREVIEWED, seen=seen, **hashes
    )
    return Outcome(seen, found.problems)


def _counts(estimates: Estimates) -> dict[str, Any]:
    """Rows of each indicator and period, and how many of them are withheld. No number of the table itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = estimates.table
    withheld = pc.fill_null(pc.equal(table.column("conf_status"), "N"), False).cast(pa.int64())
    keyed = table.select(["indicator", "period"]).append_column("withheld", withheld)
    rows = keyed.group_by(["indicator", "period"]).aggregate([("withheld", "count"), ("withheld", "sum")])
    parts = [
        {"indicator": one["indicator"], "period": one["period"], "rows": one["withheld_count"]}
        | {"withheld": one["withheld_sum"]}
        for one in rows.sort_by([("indicator", "ascending"), ("period", "ascending")]).to_pylist()
    ]
    return {"rows": len(estimates), "withheld": sum(one["withheld"] for one in parts), "parts": parts}


def publish(job: Job, progress: Progress) -> Outcome:
    """Publish what a proposal says. A run that was killed can be repeated: what stands already is only told."""
    proposal = _proposal(job)
    progress("verify", 0, 1)
    chain = sync(job.observatory)
    problems: list[Problem] = []
    if _written(chain, proposal) is None:
        try:
            _check(job.observatory, proposal, chain)
            problems += _write(job.observatory, proposal, progress)
        except SafercitiesError as error:
            if _UNSEEN & {one.code for one in error.problems}:  # no further attempt can change that
                Proposal.objects.filter(pk=proposal.pk).update(state=Proposal.State.FAILED)
            raise
    progress.deaf = True  # it is public
    return _tell(job, proposal, problems, progress)


def _proposal(job: Job) -> Proposal:
    found = Proposal.objects.filter(observatory=job.observatory, pk=job.what.get("proposal")).first()
    if found is None:
        raise SafercitiesError(problem("job-nothing"))
    return found


def _head(chain: list[Verified]) -> str:
    return chain[-1].id if chain else ""


def _written(chain: list[Verified], proposal: Proposal) -> Verified | None:
    """The release that was proposed, if it is there. One that came by the API may follow it already."""
    for each in chain:
        said = each.manifest
        same = said.files["estimates.parquet"].sha256 == proposal.seal and said.supersedes == proposal.supersedes
        if same and (said.previous or "") == proposal.head:
            return each
    return None


def _check(row: Observatory, proposal: Proposal, chain: list[Verified]) -> None:
    """What must hold for it to be published.

    Raises
    ------
    SafercitiesError
        If nobody approved it who may, or it is not what was seen.
    """
    two = settings.TWO_PERSON or row.two_person or proposal.two_person
    decided = proposal.decided_by_id is not None and not (two and proposal.decided_by_id == proposal.proposed_by_id)
    if proposal.state != Proposal.State.APPROVED or not decided or not proposal.seal:
        raise SafercitiesError(problem("job-not-approved"))
    if _head(chain) != proposal.head:
        raise SafercitiesError(problem("job-other-release"))
    if fingerprint(row.path) != proposal.fingerprint:
        raise SafercitiesError(problem("job-unseen"))


def _write(row: Observatory, proposal: Proposal, progress: Progress) -> tuple[Problem, ...]:
    from safercities import publishing
    from safercities.observatory import open as open_observatory

    opened = open_observatory(row.path, progress=progress)
    today = date.today()
    keys, _ = keys_of(row, opened, today)
    reason = proposal.reason if proposal.kind == Proposal.Kind.SUPERSEDE else None
    told: dict[str, Any] = {"supersedes": proposal.supersedes, "reason": reason, "seal": proposal.seal}
    return publishing.publish(opened, published=today, keys=keys, **told).problems


def _tell(job: Job, proposal: Proposal, problems: list[Problem], progress: Progress) -> Outcome:
    """Have the hub know the release: its shelf, the trail, the public pages, and whoever wants to hear of it."""
    row = job.observatory
    progress(WRITING, 1, 1)
    written = _written(sync(row), proposal)
    if written is None:
        raise SafercitiesError(problem("job-other-release"))
    release = row.shelf.get(identity=written.id)
    with transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(state=Proposal.State.PUBLISHED)
        _enter(job, release, proposal)
    said = {"release": release.number, "identity": release.identity, "period": release.period}
    try:
        show(row, progress)
    except SafercitiesError as error:
        return Outcome(said, [*problems, *error.problems], _HIDDEN_PAGES, failed=True)
    return Outcome(said, problems)


def _enter(job: Job, release: Release, proposal: Proposal) -> None:
    """The entry of a release in the trail; once, however often a job is repeated."""
    verb = "release.superseded" if release.supersedes else "release.published"
    if Event.objects.filter(observatory=job.observatory, verb=verb, object=release.identity).exists():
        return
    detail = {"number": release.number, "job": str(job.pk), "proposal": proposal.pk}
    detail["fingerprint"] = proposal.fingerprint
    Event.record(verb, actor=job.by, observatory=job.observatory, object=release.identity, detail=detail)


def show(row: Observatory, progress: Progress) -> None:
    """Have the public pages show what is published, then tell whoever wants to hear of it. It can be done again.

    Raises
    ------
    SafercitiesError
        If a release does not hold; then nobody is told.
    """
    from safercities.hub.published import refresh

    progress("pages", 0, 1)
    refresh(row)
    announce_new(row)
