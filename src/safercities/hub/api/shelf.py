"""Releases: which there are, their files byte by byte, and handing in a signed one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Router

from safercities.hub.access import Right, find, load
from safercities.hub.api import schemas
from safercities.hub.api.problems import ApiProblem
from safercities.hub.api.reading import answer, json_answer, readable, stream, token_of
from safercities.hub.api.receive import receive
from safercities.hub.models import Observatory, Release, Scope, Token
from safercities.release.bundle import opened
from safercities.release.manifest import FILE, FILES, HASHED, read_manifest

router = Router(tags=["releases"])
_PIECE = 2**18
MEDIA_TYPES = {
    ".md": "text/markdown; charset=utf-8",
    ".csv": "application/vnd.sdmx.data+csv; version=2.0.0",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".xml": "application/vnd.sdmx.structure+xml; version=3.0.0",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".sig": "application/octet-stream",
}


@router.get("/observatories/{slug}/releases", response={200: schemas.Releases}, operation_id="releases")
def releases(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """The chain of releases, newest first."""
    found = readable(request, slug)
    said = {"releases": [_release(one) for one in found.shelf.order_by("-number")]}
    return json_answer(request, said, public=found.public)


def _release(one: Release) -> dict[str, Any]:
    return {
        "number": one.number,
        "identity": one.identity,
        "period": one.period,
        "published": one.published.isoformat(),
        "supersedes": one.supersedes,
        "reason": one.reason,
        "in_force": not one.withdrawn,
    }


@router.get("/observatories/{slug}/releases/{number}", response={200: schemas.ReleaseDetails}, operation_id="release")
def release(request: HttpRequest, slug: schemas.Slug, number: schemas.Number) -> HttpResponseBase:
    """One release, and its files."""
    found = readable(request, slug)
    one = find(Release, found, number=number)
    said = _release(one) | {"files": _files(request, found, one)}
    return json_answer(request, said, public=found.public)


def _files(request: HttpRequest, observatory: Observatory, one: Release) -> list[dict[str, Any]]:
    said = read_manifest(_bytes(one, FILE))
    listed = []
    for name in FILES:
        seal = said.files.get(name)
        size = seal.bytes if seal else len(_bytes(one, name))
        given = {"slug": observatory.slug, "number": one.number, "name": name}
        url = reverse("api-1:release_file", kwargs=given)
        listed.append({"name": name, "bytes": size, "sha256": seal.sha256 if seal else None, "url": url})
    return listed


def _bytes(one: Release, name: str) -> bytes:
    try:
        with opened(Path(one.folder)) as bundle:
            return bundle.read(name, FILES[name])
    except OSError:
        raise Http404 from None


@router.get(
    "/observatories/{slug}/releases/{number}/files/{name}",
    response={200: None},
    operation_id="release_file",
    url_name="release_file",
)
def release_file(
    request: HttpRequest, slug: schemas.Slug, number: schemas.Number, name: schemas.FileName
) -> HttpResponseBase:
    """A file of a release, byte by byte as it was signed."""
    found = readable(request, slug)
    one = find(Release, found, number=number)
    media_type = MEDIA_TYPES[Path(name).suffix]

    def make() -> HttpResponseBase:
        return _sent(one, name, media_type, f"{found.slug}-{one.number}-{name}")

    return answer(request, f'"{one.identity[:32]}-{list(FILES).index(name)}"', make, public=found.public)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while piece := handle.read(_PIECE):
            yield piece


def _sent(one: Release, name: str, media_type: str, shown: str) -> HttpResponseBase:
    folder = Path(one.folder)
    path = folder / name
    if folder.is_dir() and name in HASHED and not path.is_symlink() and path.is_file():
        response: HttpResponseBase = stream(_pieces(path), media_type, shown)
        response.headers["Content-Length"] = str(path.stat().st_size)
        return response
    response = HttpResponse(_bytes(one, name), content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{shown}"'
    return response


@router.post(
    "/observatories/{slug}/releases",
    response={200: schemas.Received, 201: schemas.Received},
    operation_id="hand_in_release",
    summary="Hand in a signed release",
)
def hand_in(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """A .zip of a release (`application/zip`), or its files, or a .zip in a form (`multipart/form-data`).

    It must follow the last one here, and be signed by whom the observatory's releases come from. It is stored whole
    or not at all. The same one again is answered by 200, another one with the number of one that is here by 409.
    """
    token = needed(request, Scope.SUBMIT_RELEASE)
    observatory = allowed(token, slug, Scope.SUBMIT_RELEASE, Right.PUBLISH)
    said = receive(request, observatory, token)
    response = json_answer(request, said, public=False)
    response.status_code = 201 if said["created"] else 200
    del response.headers["ETag"]
    return response


def needed(request: HttpRequest, scope: Scope) -> Token:
    """The token, where one is needed.

    Raises
    ------
    ApiProblem
        If there is none that is good. What is asked for does not matter: it tells nothing.
    """
    token = token_of(request)
    if token is None:
        raise ApiProblem("unauthorized", headers={"WWW-Authenticate": f'Bearer scope="{scope}"'})
    return token


def allowed(token: Token, slug: str, scope: Scope, right: Right) -> Observatory:
    """The observatory, if the token reaches it, and its owner may do this there.

    Raises
    ------
    Http404
        If its owner could not even read it, or the token is for another one.
    PermissionDenied
        If they could read it, but not this.
    ApiProblem
        If the token was not made for this.
    """
    if token.observatory is not None and token.observatory.slug != slug:
        load(token.user, slug, Right.SEE_RELEASES)  # as many questions as for the others
        raise Http404
    if scope not in token.scopes:
        # a token without this scope learns of what its owner may see no more than it could read
        owner = token.user if Scope.READ_PRIVATE in token.scopes else None
        load(owner, slug, Right.SEE_RELEASES)
        raise ApiProblem("forbidden", f"the token lacks the scope {scope}")
    load(token.user, slug, Right.SEE_RELEASES)
    return load(token.user, slug, right)
