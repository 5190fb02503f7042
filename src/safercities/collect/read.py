"""Read any file that a city may have into an Arrow table with row numbers, or say plainly why it cannot be read."""

from __future__ import annotations

from pathlib import Path

from safercities.collect.archive import Opened, opened
from safercities.collect.formats import VECTOR, read_parquet, read_vector
from safercities.collect.records import RawTable
from safercities.collect.spec import FileSpec
from safercities.collect.survey_files import STATISTICS, read_statistics
from safercities.collect.text import read_text
from safercities.collect.workbook import read_workbook
from safercities.model.errors import SafercitiesError, problem

__all__ = ["RawTable", "read_table"]


def read_table(spec: FileSpec, base: Path) -> RawTable:
    """Read the file that `spec` names. Its ending says the format; any unknown ending is read as delimited text.

    Parameters
    ----------
    spec
        The file, relative to `base`, and what is known of how it is written.
    base
        The observatory folder. Nothing outside of it is read, not even through a link.

    Returns
    -------
    RawTable
        Values as the file types them (text files: text), with row numbers.

    Raises
    ------
    SafercitiesError
        If the file is missing, outside the folder, empty, broken, or written differently than declared.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cases.csv").write_text("date;sex\\n2019-04-23;F\\n", encoding="utf-8")
    ...     raw = read_table(FileSpec(file="cases.csv"), Path(folder))
    >>> raw.table.to_pylist(), raw.rows.tolist()
    ([{'date': '2019-04-23', 'sex': 'F'}], [2])
    """
    try:
        with opened(spec.file, base) as source:
            return _read(source, spec)
    except OSError as error:  # no right to read, a name that is too long, a full disk while unpacking
        message = error.strerror or str(error)
        raise SafercitiesError(problem("file-unreadable", file=spec.file, message=message)) from None


def _read(source: Opened, spec: FileSpec) -> RawTable:
    suffix = source.suffix
    if suffix in (".xlsx", ".xlsm"):
        return read_workbook(source.path, spec)
    if suffix in (".parquet", ".pq", ".geoparquet"):
        return read_parquet(source.path, spec)
    if suffix in VECTOR:
        return read_vector(source.path, spec, suffix)
    if suffix in STATISTICS:
        return read_statistics(source.path, spec, suffix)
    if suffix in (".xls", ".xlsb", ".ods"):
        raise SafercitiesError(problem("format-old", file=spec.file, format=suffix))
    return read_text(source.path, spec, suffix)
