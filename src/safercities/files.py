"""Outputs that appear whole or not at all, whatever kills the run; and text that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from safercities.model.errors import SafercitiesError, problem

_READY = ".{name}.ready"
_OLD = ".{name}.old"
_WORK = ".{name}.tmp-"
#: What a spreadsheet may take for the beginning of a formula: also in the full-width letters of East Asia.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")


@contextmanager
def replace_folder(target: Path, *, mark: str | None = None, private: bool = False) -> Iterator[Path]:
    """Give an empty folder to write to; when the block ends well it takes the place of `target`, else nothing changes.

    The finished folder is first renamed to a name that means "complete", then swapped in. Killed before that, the
    earlier output stands; killed after it, the next
    writer (`recover`) or reader (`settle`) finishes the swap.

    Parameters
    ----------
    mark
        Name of a file that each run writes: a folder that holds other files and lacks this one is not ours to replace.
    private
        Whether only the user may read the folder, whatever the umask.

    Raises
    ------
    SafercitiesError
        If another run is writing to the same folder, or `target` is a link, a file, or somebody's own folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target):
        recover(target)
        _refuse_foreign(target, mark)
        work = Path(tempfile.mkdtemp(prefix=_WORK.format(name=target.name), dir=target.parent))
        try:
            if not private:  # as mkdtemp makes it; other outputs follow the user's umask
                work.chmod(0o777 & ~_umask())
            yield work
            _sync(work)
            work.rename(target.parent / _READY.format(name=target.name))
            recover(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def keep_out_of_git(folder: Path) -> None:
    """Have git pass over a private folder: an observatory lives in git, its exact small counts must not."""
    text = "# Private: before disclosure control. Never publish, never commit.\n*\n"
    (folder / ".gitignore").write_text(text, encoding="utf-8")


def _refuse_foreign(target: Path, mark: str | None) -> None:
    """The folder that is there is deleted once the new one stands: it must be one that a run has made."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise SafercitiesError(problem("output-foreign", file=str(target)))
    if mark and target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
        raise SafercitiesError(problem("output-foreign", file=str(target)))


def recover(target: Path) -> None:
    """Finish a swap that was cut short, and clear what unfinished runs left behind. Safe to call at any time."""
    ready, old = (target.parent / name.format(name=target.name) for name in (_READY, _OLD))
    if ready.exists():
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        ready.rename(target)
        _sync_folder(target.parent)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)


def settle(target: Path) -> None:
    """Recover `target` if a killed run has left something to finish and nobody is at work on it now."""
    if not any((target.parent / name.format(name=target.name)).exists() for name in (_READY, _OLD)):
        return
    with suppress(SafercitiesError, OSError), locked(target):
        recover(target)


def unfinished(parent: Path) -> list[Path]:
    """The outputs in a folder whose swap was cut short."""
    found = [*parent.glob(_READY.format(name="*")), *parent.glob(_OLD.format(name="*"))]
    return sorted({path.with_name(path.name.removeprefix(".").rpartition(".")[0]) for path in found})


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock on an output folder.

    Raises
    ------
    SafercitiesError
        If another run holds it.
    """
    lock = FileLock(target.parent / f".{target.name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SafercitiesError(problem("output-busy", file=str(target.name))) from None
    try:
        _clear_unfinished(target)
        yield
    finally:
        lock.release()


def _clear_unfinished(target: Path) -> None:
    """Remove working folders of killed runs: whoever holds the lock is the only one at work."""
    for left in target.parent.glob(_WORK.format(name=target.name) + "*"):
        shutil.rmtree(left, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync(folder: Path) -> None:
    """Have everything below the folder on disk before it is called complete."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Hash of a file's bytes, read in pieces.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as handle:
    ...     sha256(Path(handle.name))[:12]
    'e3b0c44298fc'
    """
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only the user may read, whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # 0600, whatever the umask
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_text(value: object) -> str:
    """A cell's text such that no spreadsheet runs it: a quote mark before what would begin a formula; numbers stay.

    Source: OWASP, "CSV Injection".

    Examples
    --------
    >>> as_text('=HYPERLINK("x")'), as_text(-1.5), as_text(None), as_text("-1.5")
    ('\\'=HYPERLINK("x")', '-1.5', '', '-1.5')
    """
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, int | float) or not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a UTF-8 CSV that spreadsheets open safely."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([as_text(name) for name in header])
        writer.writerows([as_text(value) for value in row] for row in rows)
