"""What the tests of publishing share: an observatory that can publish, and people who work there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub import made_observatory
from hub.stage import begin
from safercities.hub.jobs import queue
from safercities.hub.models import Job, Observatory, Proposal, Release, Role, User
from safercities.release.store import FOLDER_VARIABLE

#: Who works there.
PEOPLE = {
    "vera": Role.VIEWER,
    "aud": Role.AUDITOR,
    "ana": Role.ANALYST,
    "rob": Role.REVIEWER,
    "pia": Role.PUBLISHER,
    "max": Role.PUBLISHER,
}


class Office:
    """The observatory, the people, and their browsers."""

    def __init__(self, observatory: Observatory, make_user: Any, browser_of: Any) -> None:
        self.observatory = observatory
        self.people: dict[str, User] = {
            name: make_user(name, role, observatory=observatory) for name, role in PEOPLE.items()
        }
        self._browser_of = browser_of

    def get(self, who: str | None, path: str, **headers: str) -> Any:
        """What somebody's browser gets."""
        return self._browser_of(self.people[who] if who else None).get(f"/w/mini/{path}", headers=headers or None)

    def post(self, who: str | None, path: str, **data: str) -> Any:
        """What it gets for a form."""
        return self._browser_of(self.people[who] if who else None).post(f"/w/mini/{path}", data)

    def said(self, who: str, path: str) -> str:
        """The page that somebody sees."""
        response = self.get(who, path)
        assert response.status_code == 200
        text: str = response.content.decode()
        return text

    def work(self) -> Job:
        """Run the oldest job that waits."""
        job = self.observatory.jobs.filter(state=Job.State.WAITING).order_by("created").first()
        assert job is not None
        return made_observatory.run(job)

    def previewed(self, who: str = "ana", **data: str) -> Proposal:
        """A proposal with its preview."""

        def preview() -> None:
            self.post(who, "publish/preview/", **data)
            assert self.work().state == Job.State.DONE

        begin(f"previewed by {who}: {data}", self.observatory, preview)
        found = self.observatory.proposals.first()
        assert found is not None
        return found

    def published(self, **data: str) -> Release:
        """The next release, by one person."""

        def publish() -> None:
            proposal = self.previewed("pia", **data)
            self.post("pia", f"publish/{proposal.pk}/propose/", reason="it is time", publish="1")
            assert self.work().state == Job.State.DONE

        begin(f"published: {data}", self.observatory, publish)
        found = self.observatory.shelf.order_by("-number").first()
        assert found is not None
        return found


@pytest.fixture
def office(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_user: Any, browser_of: Any) -> Office:
    """An office without releases."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(keys))
    folder = made_observatory.build(tmp_path / "mini")
    row = Observatory.objects.create(slug="mini", name="Mini", place_id="XA-MIN", folder=str(folder))
    return Office(row, make_user, browser_of)


def waiting(office: Office) -> int:
    """How many jobs wait."""
    return len([job for job in office.observatory.jobs.all() if job.state in queue._OPEN])
