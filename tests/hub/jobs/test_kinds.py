"""What the jobs do on a real observatory: check, measure, preview, publish, correct, take in; and what they refuse."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.made_observatory import robberies, run
from hub.stage import begin
from safercities import publishing
from safercities.hub.jobs import announce, carrying, queue
from safercities.hub.jobs.keys import keys_of
from safercities.hub.models import Event, Job, Observatory, Proposal, Release, Role, User
from safercities.hub.models.shelf import sync
from safercities.hub.published import figures
from safercities.observatory import open as open_observatory


@pytest.fixture
def ana(make_user: Any, real: Observatory) -> User:
    user: User = make_user("ana", Role.PUBLISHER, observatory=real)
    return user


def previewed(real: Observatory, ana: User, **fields: Any) -> Proposal:
    """A proposal whose preview was made."""

    def preview() -> None:
        made = Proposal.objects.create(observatory=real, proposed_by=ana, **{"kind": "publish", **fields})
        job = run(queue.start(real, "protect", ana, proposal=made.pk))
        assert job.state == Job.State.DONE, job.problems

    begin(f"previewed {fields}", real, preview)
    return Proposal.objects.latest("pk")


def approved(proposal: Proposal, by: User) -> Proposal:
    proposal.state, proposal.decided_by = Proposal.State.APPROVED, by
    proposal.save()
    return proposal


def publish(real: Observatory, ana: User, **fields: Any) -> Job:
    """The job that published, after a preview."""
    one = approved(previewed(real, ana, **fields), ana)
    return run(queue.start(real, fields.get("kind", "publish"), ana, proposal=one.pk))


def published(real: Observatory, ana: User) -> None:
    """An observatory with a release."""
    begin("published", real, lambda: publish(real, ana))


def releases(real: Observatory) -> list[str]:
    return sorted(one.name for one in real.releases.glob("[!.]*"))


def codes(job: Job) -> list[str]:
    return [one["code"] for one in job.problems if one["severity"] == "error"]


def test_check_tells_of_mistakes_beside_their_rows(real: Observatory) -> None:
    with (real.path / "robberies.csv").open("a", encoding="utf-8") as out:
        out.write("2024-13-45,0.5,0.5,woman\n")
    job = run(queue.start(real, "check", None))
    assert job.state == Job.State.DONE
    (wrong,) = [one for one in job.problems if one["column"] == "date"]
    assert (wrong["file"], wrong["row"]) == ("robberies.csv", 242)
    assert job.result["sources"]["robberies"]["rejected"] >= 1


def test_measure_writes_the_private_numbers(real: Observatory) -> None:
    job = run(queue.start(real, "measure", None))
    assert job.state == Job.State.DONE
    assert job.result["estimates"] > 10
    assert (real.path / "build" / "estimates.parquet").is_file()


def test_a_broken_observatory_fails_with_the_problem(real: Observatory) -> None:
    (real.path / "observatory.toml").write_text("[observatory]\nname = 3\n", encoding="utf-8")
    job = run(queue.start(real, "measure", None))
    assert (job.state, job.message) == (Job.State.FAILED, carrying._WRONG)
    assert {one["file"] for one in job.problems} == {"observatory.toml"}


def test_a_preview_publishes_nothing_and_tells_counts_only(real: Observatory, ana: User) -> None:
    proposal = previewed(real, ana)
    assert proposal.state == Proposal.State.PREVIEWED
    assert releases(real) == []
    assert not (real.path / "private" / "journal").exists()
    seen = proposal.seen
    assert seen["withheld"] > 0
    assert seen["rows"] == sum(one["rows"] for one in seen["parts"])
    assert len(proposal.fingerprint) == len(proposal.seal) == 64


def test_what_was_previewed_is_published_shown_and_entered(real: Observatory, ana: User) -> None:
    heard: list[tuple[str, int]] = []

    def listener(observatory: Observatory, release: Release) -> None:
        heard.append((observatory.slug, release.number))
        raise RuntimeError("a listener that breaks")

    announce.register(listener)
    try:
        job = publish(real, ana)
    finally:
        announce.LISTENERS.remove(listener)
    assert job.state == Job.State.DONE, job.problems
    assert releases(real) == ["2024-1"]
    assert heard == [("mini", 1)]
    proposal, release = Proposal.objects.get(), Release.objects.get()
    assert proposal.state == Proposal.State.PUBLISHED
    event = Event.objects.get(verb="release.published")
    assert (event.object, event.actor) == (release.identity, ana)
    shown = figures(real)
    assert shown is not None
    assert shown.version == release.identity
    table = table_of(real)
    assert (table.num_rows, sum(x == "N" for x in table.column("conf_status").to_pylist())) == (
        proposal.seen["rows"],
        proposal.seen["withheld"],
    )


def table_of(real: Observatory) -> Any:
    from safercities.release.verify import open_release

    return open_release(real.releases / releases(real)[-1]).estimates.table


@pytest.mark.parametrize("name", ["robberies.csv", "people.csv", "areas.geojson", "observatory.toml"])
def test_changed_after_the_preview_it_is_not_published(real: Observatory, ana: User, name: str) -> None:
    one = approved(previewed(real, ana), ana)
    with (real.path / name).open("a", encoding="utf-8") as out:
        out.write("\n")
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert (job.state, codes(job)) == (Job.State.FAILED, ["job-unseen"])
    assert releases(real) == []


def test_what_the_seal_does_not_cover_is_not_published(real: Observatory, ana: User) -> None:
    one = approved(previewed(real, ana), ana)
    Proposal.objects.update(seal="0" * 64)  # as if the program had changed since
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert (job.state, codes(job)) == (Job.State.FAILED, ["publish-unseen"])
    one.refresh_from_db()
    assert one.state == Proposal.State.FAILED
    assert releases(real) == []


def test_nothing_is_published_that_nobody_approved(real: Observatory, ana: User) -> None:
    one = previewed(real, ana)
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert codes(job) == ["job-not-approved"]
    approved(one, ana)
    Observatory.objects.update(two_person=True)  # the rule came after
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert codes(job) == ["job-not-approved"]
    assert releases(real) == []


def test_a_second_publication_of_one_preview_is_refused_and_a_repeated_job_is_not(
    real: Observatory, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = approved(previewed(real, ana), ana), approved(previewed(real, ana), ana)
    # killed after the release stood, before anybody was told
    monkeypatch.setattr("safercities.hub.jobs.publication._tell", lambda *given: 1 / 0)
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert (job.state, releases(real)) == (Job.State.FAILED, ["2024-1"])
    assert not Event.objects.filter(verb="release.published").exists()
    monkeypatch.undo()
    monkeypatch.setenv("SAFERCITIES_KEYS", str(real.path.parent / "keys"))
    for _ in range(2):
        job = run(queue.start(real, "publish", ana, proposal=one.pk))
        assert (job.state, job.result["release"]) == (Job.State.DONE, 1)
    assert Event.objects.filter(verb="release.published").count() == 1
    Proposal.objects.filter(pk=other.pk).update(seal="1" * 64)
    job = run(queue.start(real, "publish", ana, proposal=other.pk))
    assert codes(job) == ["job-other-release"]
    assert releases(real) == ["2024-1"]


def test_a_release_that_another_one_followed_before_it_was_told_is_told_all_the_same(
    real: Observatory, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that followed came past the hub's jobs, as one that the API takes in: it is not taken for this one."""
    one = approved(previewed(real, ana), ana)
    with monkeypatch.context() as patch:
        patch.setattr("safercities.hub.jobs.publication._tell", lambda *given: 1 / 0)
        assert run(queue.start(real, "publish", ana, proposal=one.pk)).state == Job.State.FAILED
    (real.path / "robberies.csv").write_text(robberies(300, seed=2), encoding="utf-8")
    first, opened, today = sync(real)[0], open_observatory(real.path), date.today()
    keys, _ = keys_of(real, opened, today)
    publishing.publish(opened, published=today, keys=keys, supersedes=first.id, reason="sixty were missing")
    job = run(queue.start(real, "publish", ana, proposal=one.pk))
    assert (job.state, job.result["release"]) == (Job.State.DONE, 1)
    event = Event.objects.get(verb="release.published")
    assert (event.object, event.detail["proposal"]) == (first.id, one.pk)
    one.refresh_from_db()
    assert one.state == Proposal.State.PUBLISHED
    assert not Event.objects.filter(verb="release.superseded").exists()


def test_a_correction_names_what_it_corrects_and_leaves_it(real: Observatory, ana: User) -> None:
    published(real, ana)
    first = Release.objects.get()
    (real.path / "robberies.csv").write_text(robberies(300, seed=2), encoding="utf-8")
    job = publish(real, ana, kind="supersede", supersedes=first.identity, reason="sixty were missing")
    assert job.state == Job.State.DONE, job.problems
    assert releases(real) == ["2024-1", "2024-2"]
    second = Release.objects.get(number=2)
    assert (second.supersedes, second.reason) == (first.identity, "sixty were missing")
    first.refresh_from_db()
    assert first.withdrawn
    assert Event.objects.filter(verb="release.superseded", object=second.identity).count() == 1


def test_nothing_new_cannot_be_previewed(real: Observatory, ana: User) -> None:
    published(real, ana)
    made = Proposal.objects.create(observatory=real, proposed_by=ana, kind="publish")
    job = run(queue.start(real, "protect", ana, proposal=made.pk))
    assert codes(job) == ["publish-nothing-new"]
    made.refresh_from_db()
    assert made.state == Proposal.State.FAILED


def test_another_place_is_never_signed_for(real: Observatory, ana: User) -> None:
    toml = real.path / "observatory.toml"
    toml.write_text(toml.read_text().replace("XA-MIN", "XA-BIG"), encoding="utf-8")
    made = Proposal.objects.create(observatory=real, proposed_by=ana, kind="publish")
    job = run(queue.start(real, "protect", ana, proposal=made.pk))
    assert codes(job) == ["job-other-place"]


def test_an_observatory_cannot_sign_with_the_keys_of_another(
    real: Observatory, ana: User, hidden: Observatory, tmp_path: Path
) -> None:
    published(real, ana)
    shutil.copytree(real.path, tmp_path / "hidden", ignore=shutil.ignore_patterns("releases", "private"))
    Observatory.objects.filter(pk=hidden.pk).update(place_id="XA-MIN")
    made = Proposal.objects.create(observatory=hidden, proposed_by=ana, kind="publish")
    job = run(queue.start(hidden, "protect", ana, proposal=made.pk))
    assert codes(job) == ["job-foreign-keys"]


def test_a_job_stops_between_steps_and_leaves_nothing(real: Observatory) -> None:
    job = queue.start(real, "measure", None)
    taken = queue.claim(real.pk)
    assert taken is not None
    queue.ask_to_stop(taken, None)
    carrying.carry_out(queue.Hold(str(taken.pk), taken.lease))
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.CANCELLED, queue.CANCELLED)
    assert not (real.path / "build").exists()


def test_progress_is_written_but_not_with_every_call(city: Observatory) -> None:
    queue.start(city, "measure", None)
    job = queue.claim(city.pk)
    assert job is not None
    hold, written = queue.Hold(str(job.pk), job.lease), 0

    def count(**fields: Any) -> None:
        nonlocal written
        written += 1
        queue.Hold.say(hold, **fields)

    hold.say = count  # type: ignore[method-assign]
    progress = carrying.Progress(hold)
    for done in range(1001):
        progress("measure things", done, 1000)
    progress("another step", 0, 0)
    job.refresh_from_db()
    assert (job.step, job.done, job.total) == ("another step", 0, None)
    assert written < 10
