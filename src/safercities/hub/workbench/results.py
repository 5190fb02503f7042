"""What measuring left in an observatory's `build/`, for those who may see its rows, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from safercities.hub.access import Right, need
from safercities.hub.models import Event, Observatory
from safercities.outputs import BUILD


@dataclass(frozen=True)
class Result:
    """A file: its path in `build/`, and what it holds."""

    name: str
    told: str


def results(observatory: Observatory) -> list[Result]:
    """The tables that the last measuring made."""
    folder = observatory.path / BUILD
    if folder.is_symlink():
        return []
    return [Result(str(path.relative_to(folder)), told) for path, told in _tables(folder) if _is_plain(path)]


def _tables(folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / "estimates.csv", _("Estimates before disclosure control")
    for path in sorted(folder.glob("rejects/*.csv")):
        yield path, _("Rows left out: {source}").format(source=path.stem)
    for path in sorted(folder.glob("unlocated/*.csv")):
        yield path, _("Rows without a place: {source}").format(source=path.stem)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


@require_GET
@need(Right.UPLOAD)
def result(request: HttpRequest, observatory: Observatory, name: str) -> FileResponse:
    """One of them. They are private: rows as they were brought, and numbers that nobody protected yet."""
    if name not in {one.name for one in results(observatory)}:
        raise Http404
    Event.record("file.downloaded", actor=request.user, observatory=observatory, object=f"{BUILD}/{name}"[:200])
    path = observatory.path / BUILD / name
    return FileResponse(path.open("rb"), as_attachment=True, filename=path.name, content_type="text/csv")
