"""Read any file that a city may have into an Arrow table with row numbers, or say plainly why it cannot be read."""

from __future__ import annotations

from pathlib import Path

from safercities.collect.records import RawTable
from safercities.collect.spec import FileSpec

__all__ = ["RawTable", "read_table"]


def read_table(spec: FileSpec, base: Path) -> RawTable:
    """Read the file that `spec` names, beside observatory.toml in `base`."""
    raise NotImplementedError
