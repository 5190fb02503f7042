"""Spark behind the same few calls as DuckDB: the same SQL texts on a laptop, or on a cluster that shares a folder."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from safercities.engine.duck import Source
from safercities.model.errors import SafercitiesError, UsageError, problem

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Per session: what makes a SQL text mean the same as in DuckDB, and nothing be guessed or left out in silence.
SQL_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",
}
#: Per driver.
DRIVER_SETTINGS = {
    "spark.app.name": "safercities",
    "spark.driver.maxResultSize": "0",  # bounded by the driver's memory
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "64",  # joined where they are small (adaptive execution)
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
LOG_SETTINGS = """\
rootLogger.level = error
rootLogger.appenderRef.err.ref = err
appender.err.type = Console
appender.err.name = err
appender.err.target = SYSTEM_ERR
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""
_QUOTED = re.compile(r""""((?:[^"]|"")+)"|'((?:[^']|'')*)'""")
_PATTERN = re.compile(r"[\[\]{}*?]")


class Spark:
    """A Spark session with our settings; closes what it started, and nothing else.

    Parameters
    ----------
    master
        Where the work is done: `local[2]` (this machine, two processors), or a cluster's master, `spark://host:port`.
        Default: this machine, all its processors. Driver and workers must see Parquet files under the same paths.
    session
        A Spark session of your own, however it was made (a cluster with settings of its own). Ours works beside it,
        with its own settings and views, and leaves it running. Without it, a session that runs in this process
        already is used the same way.
    memory
        Memory of each executor and of the driver, as Spark writes it.
    cores
        Processors that the work may take on a cluster; default: all.
    options
        Further settings of Spark. They stay in a private file: none shows in a list of processes.

    Raises
    ------
    UsageError
        If PySpark or Java is missing, Spark does not start, or another master is at work in this process.

    Notes
    -----
    On this machine, and with a master on loopback, nothing listens on or calls another interface.

    Examples
    --------
    >>> with Spark("local[1]") as engine:                       # doctest: +SKIP
    ...     engine.register("t", pa.table({"n": [1, 2]}))
    ...     engine.run('SELECT MAX("n") AS "n" FROM "t"').column("n").to_pylist()
    [2]
    """

    def __init__(
        self,
        master: str | None = None,
        *,
        session: SparkSession | None = None,
        memory: str = "2g",
        cores: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        _require()
        self._closing = ExitStack()
        there = session or _running(master)
        if there is None:
            chosen = {**DRIVER_SETTINGS, "spark.master": master or "local[*]"}
            chosen |= {"spark.driver.memory": memory, "spark.executor.memory": memory}
            chosen |= LOOPBACK if on_loopback(chosen["spark.master"]) else {}
            chosen |= {"spark.cores.max": str(cores)} if cores else {}
            there = self._closing.enter_context(_driver({**chosen, **(options or {})}))
        self._session = there.newSession()
        for name, value in SQL_SETTINGS.items():
            self._session.conf.set(name, value)

    def register(self, name: str, source: Source) -> None:
        """Let SQL texts read an Arrow table, or Parquet files taken together, under this name.

        Raises
        ------
        SafercitiesError
            If Spark cannot read a file for its name, or would leave it out (`_` or `.` in front), or would fill
            columns that some files lack with nothing.
        """
        if isinstance(source, pa.Table):
            with _sockets_left_open():
                frame = self._session.createDataFrame(_plain(source))
        else:
            paths = [source] if isinstance(source, Path) else list(source)
            _check_files(paths)
            reader = self._session.read.option("recursiveFileLookup", "true")  # no columns out of names of folders
            frame = reader.parquet(*("file:" + _PATTERN.sub(r"\\\g<0>", str(path.resolve())) for path in paths))
        frame.createOrReplaceTempView(_backquoted(name))

    def keep(self, name: str, text: str) -> None:
        """Work a SQL text out once, keep its result with the workers, and let texts read it under this name."""
        frame = self._session.sql(spark_text(text)).persist()
        self._closing.callback(frame.unpersist)
        frame.createOrReplaceTempView(_backquoted(name))

    def run(self, text: str) -> pa.Table:
        """Result of a SQL text as an Arrow table, in the order that the text asks for."""
        with _sockets_left_open():
            table = self._session.sql(spark_text(text)).toArrow()
        return table.cast(pa.schema([field.with_nullable(True) for field in table.schema]))

    def close(self) -> None:
        """Let go of what was kept, and end the driver where we started it."""
        self._closing.close()

    def __enter__(self) -> Spark:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def spark_text(text: str) -> str:
    r"""A SQL text with its quoting as Spark reads it to the letter.

    Between double quotes and between single quotes Spark takes a backslash for the start of an escape, so that a name
    or a value that holds one would be read as another, or end the quotes. Back quotes know no escapes.

    Examples
    --------
    >>> print(spark_text('SELECT "a\\" FROM "t" WHERE "b""c" = \'it\'\'s \\\''))
    SELECT `a\` FROM `t` WHERE `b"c` = 'it\'s \\'
    """

    def quoted(found: re.Match[str]) -> str:
        if found[1] is not None:
            return _backquoted(found[1].replace('""', '"'))
        return "'" + found[2].replace("''", "'").replace("\\", "\\\\").replace("'", "\\'") + "'"

    return _QUOTED.sub(quoted, text)


def on_loopback(master: str) -> bool:
    """Whether all of the work stays on this machine.

    Examples
    --------
    >>> [on_loopback(master) for master in ("local[*]", "spark://127.0.0.1:7077", "spark://master.example:7077")]
    [True, True, False]
    """
    hosts = re.findall(r"(?:spark://|,)([^:,]+|\[[^]]*\])", master)
    return master.startswith("local") or (
        bool(hosts) and all(host in ("localhost", "[::1]") or host.startswith("127.") for host in hosts)
    )


@contextmanager
def _sockets_left_open() -> Iterator[None]:
    """PySpark leaves it to Python to close its sockets, which Python remarks upon."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def _backquoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _plain(table: pa.Table) -> pa.Table:
    """Columns of the types that Spark takes: no dictionaries, views, large or unsigned kinds."""
    return table.cast(pa.schema([pa.field(field.name, _plain_type(field.type)) for field in table.schema]))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.int64() if pa.types.is_unsigned_integer(kind) else kind


def _check_files(paths: Sequence[Path]) -> None:
    """Nothing that Spark would skip or fill in silence."""
    for path in paths:
        if path.name.startswith(("_", ".")) or ":" in path.name or "\\" in str(path):
            raise SafercitiesError(problem("spark-file-name", file=str(path)))
    first, *others = [(path, pq.read_schema(path)) for path in paths]
    for path, schema in others:
        if {field.name: field.type for field in schema} != {field.name: field.type for field in first[1]}:
            raise SafercitiesError(problem("parquet-columns-differ", file=str(path), first=first[0].name))


def _require() -> None:
    """PySpark and Java are there, or the reader is told what to install."""
    if importlib.util.find_spec("pyspark") is None:
        raise UsageError(problem("spark-missing"))
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise UsageError(problem("java-missing"))


def _running(master: str | None) -> SparkSession | None:
    """The session at work in this process, if there is one; there can be no second with another master."""
    from pyspark.sql import SparkSession

    there = SparkSession.getActiveSession() or getattr(SparkSession, "_instantiatedSession", None)
    if there is not None and master not in (None, there.sparkContext.master):
        raise UsageError(problem("spark-elsewhere", master=master, running=there.sparkContext.master))
    return there


@contextmanager
def _driver(settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """A driver of our own (a Java process), its settings and logs in a private folder; ended with the block."""
    import logging

    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    logging.getLogger("SQLQueryContextLogger").disabled = True  # what it writes is in the exception too
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="safercities-spark-")))
        undo.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)) if _main_thread() else None
        log = undo.enter_context((folder / "driver.log").open("w", encoding="utf-8"))
        try:
            with _environment(write_settings(folder, settings), on_loopback(settings["spark.master"])):
                gateway = launch_gateway(None, {"stdout": log, "stderr": log})
                undo.callback(_end, gateway)
                context = SparkContext(gateway=gateway, conf=SparkConf(_jvm=gateway.jvm))
        except (PySparkException, Py4JError) as error:
            said = (folder / "driver.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UsageError(problem("spark-not-started", message=said[-1] if said else str(error))) from error
        session = SparkSession(context)
        undo.callback(session.stop)
        yield session


def write_settings(folder: Path, settings: Mapping[str, str], log: str = LOG_SETTINGS) -> Path:
    """The folder with Spark's settings in the files where Spark looks for them."""
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    (folder / "log4j2.properties").write_text(log, encoding="utf-8")
    return folder


@contextmanager
def _environment(folder: Path, loopback: bool) -> Iterator[None]:
    """The variables that Spark reads when it starts, put back afterwards."""
    chosen = {"SPARK_CONF_DIR": str(folder), "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    chosen |= {"SPARK_LOCAL_IP": "127.0.0.1"} if loopback else {}
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _end(gateway: Any) -> None:
    """End the driver's process and make PySpark forget it, so that the next one may have other settings."""
    from pyspark import SparkContext

    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(20)
    except Exception:
        gateway.proc.kill()
        gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None
