"""Writes what measuring leaves in `build/`: estimates, what was left out, problems, a manifest. Private files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safercities.collect.spec import SurveySpec
from safercities.files import keep_out_of_git, replace_folder, sha256, write_csv
from safercities.model.errors import Problem
from safercities.model.estimates import Estimates

if TYPE_CHECKING:
    import pyarrow as pa

    from safercities.observatory import Observatory
    from safercities.review.data import SourceSummary


BUILD = "build"


def write_build(target: Path, estimates: Estimates, observatory: Observatory, problems: list[Problem]) -> None:
    """Write the folder whole, or leave the earlier one."""
    import pyarrow.parquet as pq

    with replace_folder(target, mark="manifest.json", private=True) as folder:
        pq.write_table(estimates.table, folder / "estimates.parquet", compression="zstd")
        write_table(folder / "estimates.csv", estimates.table)
        write_problems(folder / "problems.csv", problems)
        for name in observatory.spec.sources:
            write_left_out(folder, observatory, name)
        (folder / "manifest.json").write_text(observatory.manifest(estimates), encoding="utf-8")
        keep_out_of_git(folder)


def write_left_out(folder: Path, observatory: Observatory, name: str) -> None:
    """Rejected rows and rows without a place, each with its reason, where there are any."""
    collected = observatory.collect(name)
    if collected.rejects.num_rows:
        (folder / "rejects").mkdir(exist_ok=True)
        write_table(folder / "rejects" / f"{name}.csv", collected.rejects)
    if collected.kind != "population":
        unlocated = observatory.locate(name).unlocated
        if unlocated.num_rows:
            (folder / "unlocated").mkdir(exist_ok=True)
            write_table(folder / "unlocated" / f"{name}.csv", unlocated)


def write_table(path: Path, table: pa.Table) -> None:
    """An Arrow table as CSV that spreadsheets open safely."""
    rows = (
        row for batch in table.to_batches(10_000) for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    )
    write_csv(path, table.column_names, rows)


def write_problems(path: Path, problems: list[Problem]) -> None:
    """The problems as a table."""
    header = ["severity", "code", "file", "row", "column", "rows", "what", "what to do"]
    rows = ([p.severity, p.code, p.file, p.row, p.column, p.rows, p.what, p.todo] for p in problems)
    write_csv(path, header, rows)


def summary(observatory: Observatory, name: str) -> SourceSummary:
    """What was read, kept and left out of one source."""
    from safercities.review.data import SourceSummary

    spec, collected = observatory.spec.sources[name], observatory.collect(name)
    cases = collected.kind != "population"
    return SourceSummary(
        name=name,
        label=collected.label,
        kind=collected.kind,
        file=collected.file,
        sha256=sha256(on_disk(observatory.folder, spec.file)),
        rows_read=collected.rows_read,
        rows_kept=collected.table.num_rows,
        rows_rejected=collected.rows_read - collected.table.num_rows,
        unit=collected.unit,
        covers=observatory.covers(name) if cases else None,
        located=observatory.locate(name).counts if cases else {},
        population=spec.population if isinstance(spec, SurveySpec) else "",
    )


def on_disk(folder: Path, file: str) -> Path:
    """The file that holds the data: the archive, where `file` names a member of one.

    Examples
    --------
    >>> on_disk(Path("city"), "data.zip/2019.csv").name
    'data.zip'
    """
    path = folder / file
    for part in [path, *path.parents]:
        if part.suffix.lower() == ".zip":
            return part
    return path
