"""A hub where an analyst has signed in and a release was previewed: made once a run, for tests that kill what runs.

A test module asks for it by `from hub.jobs.previewed import previewed as previewed, ready as ready`, takes the fixture
`previewed`, and has it copied.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from hub import made_observatory
from hub.operate.made_hub import environment
from hub.ready import ready as ready

MAKE = """
import sys
from pathlib import Path
from safercities.hub.operate import starting
starting.enter(None)
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from safercities.hub.jobs import queue
from safercities.hub.jobs.carrying import carry_out
from safercities.hub.models import Membership, Observatory, Proposal, User
row = Observatory.objects.create(slug="mini", name="Mini", place_id="XA-MIN", folder=sys.argv[1])
ana = User.objects.create_user("ana@example.org", "long enough to be a password")
Membership.objects.create(user=ana, role="publisher", observatory=row)
one = Proposal.objects.create(observatory=row, proposed_by=ana, kind="publish")
queue.start(row, "protect", ana, proposal=one.pk)
taken = queue.claim(row.pk)
carry_out(queue.Hold(str(taken.pk), taken.lease))
one.refresh_from_db()
assert one.state == "previewed", row.jobs.get().problems
store = SessionStore()
store["_auth_user_id"], store["_auth_user_hash"] = str(ana.pk), ana.get_session_auth_hash()
store["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[0]
store.create()
Path(sys.argv[2]).write_text(store.session_key)
"""


@pytest.fixture(scope="session")
def previewed(ready: Path) -> Path:
    """A folder with the observatory `mini`, the `home` of its hub, and the `session` of the analyst's browser."""
    folder = ready.parent / "previewed"
    session = folder / "session"
    with FileLock(ready.parent / "previewed.lock"):
        if not session.exists():
            made_observatory.build(folder / "mini")
            shutil.copytree(ready, folder / "home")
            environ = environment(folder, SAFERCITIES_HUB_HOME=str(folder / "home"))
            words = [sys.executable, "-c", MAKE, str(folder / "mini"), str(session)]
            subprocess.run(words, env=environ, check=True, timeout=120)
    return folder


def copied(previewed: Path, folder: Path) -> None:
    """The same in another folder."""
    shutil.copytree(previewed, folder, dirs_exist_ok=True)
    write(folder / "home", "UPDATE hub_observatory SET folder = ?", str(folder / "mini"))


def write(home: Path, sql: str, *values: str) -> None:
    """Past the hub."""
    with closing(sqlite3.connect(home / "hub.sqlite3", timeout=20)) as database, database:
        database.execute(sql, values)
