"""A small Spark cluster on this machine (one master, some workers, loopback only): for tests, benchmarks and trials."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from safercities.engine.spark import LOG_SETTINGS, _require, write_settings
from safercities.model.errors import UsageError, problem

#: What the parts must say in their logs, so that we know where they listen.
DAEMON_LOG = (
    LOG_SETTINGS
    + """
logger.master.name = org.apache.spark.deploy.master.Master
logger.master.level = info
logger.worker.name = org.apache.spark.deploy.worker.Worker
logger.worker.level = info
"""
)
SECONDS = 60
#: A Java that starts fast and takes few threads, at the price of speed that these parts do not need.
LIGHT = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"


class Cluster:
    """A standalone Spark cluster started from PySpark's own files, on free ports of 127.0.0.1.

    Only who has the secret (`options`) may give it work: other people on this machine cannot run code through it.

    Parameters
    ----------
    workers
        How many workers.
    cores, memory
        Processors and memory that each may give to its executors.

    Attributes
    ----------
    url
        Address of the master, for `Spark(cluster.url, options=cluster.options)`.
    options
        The settings that a driver needs to be let in.
    pids
        Process ids of the master and the workers; each leads a process group.

    Raises
    ------
    UsageError
        If PySpark or Java is missing, or a part does not start in time; what was started is ended then.

    Examples
    --------
    >>> with Cluster(workers=2) as cluster, Spark(cluster.url, options=cluster.options) as engine:  # doctest: +SKIP
    ...     engine.run("SELECT 1 AS one").to_pylist()
    [{'one': 1}]
    """

    def __init__(self, workers: int = 2, *, cores: int = 1, memory: str = "1g") -> None:
        _require()
        self.options = {"spark.authenticate": "true", "spark.authenticate.secret": secrets.token_hex(32)}
        self.pids: list[int] = []
        self._closing = ExitStack()
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="safercities-cluster-")))
        settings = {**self.options, "spark.worker.cleanup.enabled": "true", "spark.master.rest.enabled": "false"}
        settings["spark.ui.killEnabled"] = "false"  # its pages are on loopback, which other people here can reach
        write_settings(self._folder, settings, DAEMON_LOG)
        try:
            log = self._start("master", _MASTER, [])
            self.url = self._wait("master", log, r"spark://127\.0\.0\.1:\d+")
            bounds = ["--cores", str(cores), "--memory", memory, self.url]
            logs = [
                self._start(f"worker-{number}", _WORKER, ["--work-dir", str(self._folder / f"work-{number}"), *bounds])
                for number in range(1, workers + 1)
            ]
            for number, log in enumerate(logs, 1):
                self._wait(f"worker-{number}", log, "Successfully registered with master")
        except BaseException:
            self.close()
            raise

    def _start(self, part: str, main: str, words: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        """Start one part in a process group of its own, which its executors join."""
        import pyspark

        home = Path(os.environ.get("SPARK_HOME", Path(pyspark.__file__).parent))
        chosen = {"SPARK_CONF_DIR": str(self._folder), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
        chosen["SPARK_DAEMON_JAVA_OPTS"] = LIGHT
        address = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        path = self._folder / f"{part}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [str(home / "bin" / "spark-class"), main, *address, *words],
                env={**os.environ, "SPARK_HOME": str(home), **chosen},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_us(),
            )
        self.pids.append(process.pid)
        self._closing.callback(_end, process)
        return process, path

    def _wait(self, part: str, started: tuple[subprocess.Popen[bytes], Path], pattern: str) -> str:
        """What the part says once it is ready."""
        process, log = started
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and process.poll() is None:
            if found := re.search(pattern, log.read_text(encoding="utf-8", errors="replace")):
                return found[0]
            time.sleep(0.05)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
        raise UsageError(problem("cluster-not-started", part=part, seconds=SECONDS, message=said[-1]))

    def close(self) -> None:
        """End the workers, then the master, by their process groups; the folder with logs and scratch files goes."""
        self._closing.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _end_with_us() -> Callable[[], object] | None:
    """On Linux, what makes a part end when our process does, even if that is killed and closes nothing."""
    if sys.platform != "linux":
        return None
    set_death_signal = ctypes.CDLL(None).prctl
    return lambda: set_death_signal(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the part and its executors to end; make them after ten seconds."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
