"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tools import missing

if TYPE_CHECKING:
    from safercities.engine.spark import Spark

# Compiled modules are kept, also where the shell asks Python not to: else each process of the tests, and each of the
# hundreds that they start, would compile everything anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real data sets; they are not part of the project, so tests that need them skip without it."""
    folder = Path(os.environ.get("SAFERCITIES_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(
            "the real data sets are not on this machine (set SAFERCITIES_SHARED to the folder that holds data/)"
        )
    return folder


@pytest.fixture(scope="session")
def spark() -> Iterator[Spark]:
    """Spark on a real cluster: a master and two workers on loopback. Tests that take it have `spark` in their path."""
    there = {"make spark": find_spec("pyspark"), "apt-get install openjdk-17-jre-headless": shutil.which("java")}
    for hint in (hint for hint, found in there.items() if not found):
        missing(f"Spark cannot run here: {hint}")
    from safercities.engine.cluster import LIGHT, Cluster
    from safercities.engine.spark import Spark

    fast = {"spark.sql.shuffle.partitions": "2"}
    fast |= {f"spark.{part}.extraJavaOptions": LIGHT for part in ("driver", "executor")}
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    with Cluster(workers=2, memory="512m") as cluster:
        with Spark(cluster.url, memory="512m", options={**cluster.options, **fast}) as engine:
            yield engine
        pids = cluster.pids
    assert signal.getsignal(signal.SIGINT) is on_ctrl_c
    assert len(pids) == 3
    until = time.monotonic() + 10  # executors that were ended still wait for init to take note
    while any(map(_group_is_there, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_group_is_there, pids))


def _group_is_there(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


#: Folders whose tests share what is dear (a city, a chain of releases): each in one process.
TOGETHER = ("tests/demo/", "tests/hub/api/", "tests/hub/browser/", "tests/hub/public/")
#: Modules whose tests are dear and share nothing: each test where there is time.
APART = ("disclose/test_thousand.py", "hub/jobs/test_server_killed.py")
#: What takes longest begins first: else one process would be at it at the end, and the others would wait.
LONGEST = (
    "spark",
    "tests/hub/browser/",
    "tests/hub/operate/test_postgres.py",
    "tests/hub/operate/",
    "hub/jobs/test_killed.py",
    *APART,
    "coverage of",
    "tests/demo/",
    "disclose/test_corrected.py",
    "tests/disclose/",
    "tests/hub/",
    "tests/sampling/",
    "tests/test_",
    "tests/measure/",
    "tests/engine/",
    "docs/test_reference.py",
)


def unit_of(nodeid: str) -> str:
    """With which other tests a test runs in one process: those of its module, if nothing else is known."""
    if "spark" in nodeid:
        return "spark"
    if "test_coverage.py" in nodeid:  # the population is the last of the parameters
        return f"coverage of {nodeid.rpartition('-')[2].rpartition('[')[2]}"
    module = nodeid.partition("::")[0]
    if module.endswith(APART):
        return nodeid
    return next((folder for folder in TOGETHER if module.startswith(folder)), module)


def rank_of(unit: str) -> int:
    """When a unit begins: the lower the earlier."""
    return next((rank for rank, part in enumerate(LONGEST) if part in unit), len(LONGEST))


#: How the names of the fixtures begin that pytest-django puts around each and every test.
OF_DJANGO = ("_dj", "_live_server", "_template_string")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Around tests of what knows no Django, there is nothing of Django: it would take as long as most of them."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names and "hub" not in item.nodeid.partition("::")[0].split("/"):
            item.fixturenames = [name for name in names if not name.startswith(OF_DJANGO)]  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than processors: many tests wait, for a browser, a server, or a job that is to be killed."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests run where there is time, but those that share what is dear in one process; the longest begin first."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            self.workqueue.move_to_end(min(self.workqueue, key=rank_of), last=False)
            super()._assign_work_unit(node)

    return Together(config, log) if config.getvalue("dist") == "load" else None
