"""A hub's home that has its database, its texts and its files already: made once a run, for tests that start hubs.

To make one takes several seconds. A test module asks for it by `from hub.ready import ready as ready`, takes the
fixture `ready`, and copies it where its hub is to live.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from hub.operate.made_hub import environment

MAKE = "from safercities.hub.operate import starting; starting.enter(None); starting.prepare()"


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody has been there yet. Read only."""
    together = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        together = together.parent  # one for all processes of a run
    home, done = together / "ready-home", together / "ready-home.done"
    with FileLock(together / "ready-home.lock"):
        if not done.exists():
            environ = environment(together, SAFERCITIES_HUB_HOME=str(home))
            subprocess.run([sys.executable, "-c", MAKE], env=environ, check=True, timeout=120)
            done.touch()
    return home
