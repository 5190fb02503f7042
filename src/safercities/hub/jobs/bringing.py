"""Takes in a signed release that came from outside: it is verified with the whole chain before it is put there."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from safercities import files
from safercities.hub.jobs.carrying import WRITING, Outcome, Progress
from safercities.hub.jobs.publication import enter, show
from safercities.hub.models import Job, Observatory
from safercities.hub.models.shelf import sync
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.release import bundle, manifest
from safercities.release.chain import follow, read_chain
from safercities.release.verify import Verified, verify_release


def bring(job: Job, progress: Progress) -> Outcome:
    """Take in `what["archive"]`: a .zip of one release, in the hub's folder of uploads. It is removed at the end."""
    row = job.observatory
    source = (Path(settings.HOME) / "uploads" / str(job.what.get("archive", ""))).resolve()
    if not source.is_relative_to((Path(settings.HOME) / "uploads").resolve()) or not source.is_file():
        raise SafercitiesError(problem("job-nothing"))
    progress("verify the release", 0, 1)
    chain = sync(row)
    given = verify_release(source, identity=chain[0].identity if chain else None)
    place = given.manifest.observatory.place
    if place != row.place_id:
        raise SafercitiesError(problem("job-archive-place", found=place, wanted=row.place_id))
    problems: list[Problem] = []
    if known := next((each for each in chain if each.id == given.id), None):
        problems.append(problem("job-release-there", number=known.number))
    else:
        progress(WRITING, 0, 1)
        _put(row, source, given)
    progress.deaf = True
    # a run before this one may have put it there, and not come to tell of it
    return _told(job, given, source, problems, progress, fresh=known is None or job.attempt > 1)


def _put(row: Observatory, source: Path, given: Verified) -> None:
    """At the end of the chain, whole or not at all."""
    target = row.releases / f"{given.manifest.period.replace('/', '_')}-{given.number}"
    row.releases.mkdir(parents=True, exist_ok=True)
    with files.locked(row.releases / "chain"):  # whoever publishes holds it
        follow(read_chain(row.releases, identity=given.identity), given, row.releases)
        if target.exists() or target.is_symlink():
            raise SafercitiesError(problem("release-exists", file=target.name))
        with files.replace_folder(target) as folder, bundle.opened(source) as found:
            for name, limit in manifest.FILES.items():
                (folder / name).write_bytes(found.read(name, limit))
            if verify_release(folder).id != given.id:
                raise SafercitiesError(problem("job-nothing"))  # the archive was changed meanwhile


def _told(
    job: Job, given: Verified, source: Path, problems: list[Problem], progress: Progress, *, fresh: bool
) -> Outcome:
    row = job.observatory
    sync(row)
    with transaction.atomic():
        release = row.shelf.get(identity=given.id)
        if fresh:
            release.received = release.received or timezone.now()
            release.save(update_fields=["received"])
            enter(job, release, {"received": True})
    said = {"release": release.number, "identity": release.identity, "period": release.period}
    outcome = Outcome(said, problems, *show(row, problems, progress))
    source.unlink(missing_ok=True)
    return outcome
