"""Getting releases: by their address into a private cache, and out of archives that may be traps."""

from __future__ import annotations

import io
import json
import socket
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from release.made_release import code, content, keys
from safercities.collect.release_spec import ReleaseSpec
from safercities.model.errors import SafercitiesError
from safercities.release import fetch as fetching
from safercities.release.fetch import cached, chain_folder, fetch
from safercities.release.manifest import FILES
from safercities.release.member import read_members
from safercities.release.write import write_release

Serve = Callable[..., str]


class Server(HTTPServer):
    answers: dict[str, tuple[int, dict[str, str], bytes]]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.answers, made.asked = {}, []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def at(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def spec(url: str, **more: Any) -> ReleaseSpec:
    return ReleaseSpec(**{"kind": "release", "url": url, **more})


def zipped(members: dict[str, bytes], path: Path | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    if path is not None:
        path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


# -- the network -------------------------------------------------------------------------------------------------------


def test_what_was_fetched_is_read_later_without_any_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = keys(tmp_path / "keys")
    folder = write_release(content(), tmp_path / "city" / "releases", store)
    data = zipped({f"releases/2024-1/{path.name}": path.read_bytes() for path in folder.iterdir()})
    server.answers["/r.zip"] = (200, {}, data)
    source, cache = spec(at(server, "/r.zip"), identity=store.identity), tmp_path / "private" / "cache"
    with pytest.raises(SafercitiesError) as caught:
        read_members({"mde": source}, tmp_path, cache=cache, memory=None)
    assert (code(caught), server.asked) == ("federation-not-fetched", [])
    found = fetch("mde", source, cache)
    assert found.path.read_bytes() == data
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert (cache / ".gitignore").is_file()

    def refuse(*args: Any, **more: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (member,) = read_members({"mde": source}, tmp_path, cache=cache, memory=None)
    assert member.place.id == "CO-MDE"
    assert member.vintages[0].fetched == found.at
    assert cached("mde", spec("http://localhost/other.zip"), cache) is None


def test_a_failure_leaves_what_was_there(server: Server, tmp_path: Path) -> None:
    source = spec(at(server, "/r.zip"))
    server.answers["/r.zip"] = (200, {}, b"first")
    first = fetch("x", source, tmp_path / "cache")
    for answer in ((500, {}, b"no"), (200, {"Content-Length": "100"}, b"cut"), (302, {"Location": "ftp://a/b"}, b"")):
        server.answers["/r.zip"] = answer
        with pytest.raises(SafercitiesError) as caught:
            fetch("x", source, tmp_path / "cache")
        assert code(caught) in ("fetch-failed", "fetch-refused")
        assert cached("x", source, tmp_path / "cache") == first
    assert first.path.read_bytes() == b"first"
    (tmp_path / "cache" / "x" / "releases.zip").write_bytes(b"other")
    with pytest.raises(SafercitiesError) as caught:
        cached("x", source, tmp_path / "cache")
    assert code(caught) == "fetch-cache"


def test_there_is_a_bound_to_what_comes(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    server.answers["/r.zip"] = (200, {}, b"x" * 5000)
    with pytest.raises(SafercitiesError) as caught:
        fetch("x", spec(at(server, "/r.zip")), tmp_path / "cache")
    assert code(caught) == "release-large"
    assert not (tmp_path / "cache" / "x").exists()


def test_redirects_are_followed_within_bounds(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = (302, {"Location": "/b?c=1"}, b"")
    server.answers["/b?c=1"] = (200, {}, b"here")
    assert fetch("x", spec(at(server, "/a")), tmp_path / "cache").path.read_bytes() == b"here"
    server.answers["/loop"] = (301, {"Location": "/loop"}, b"")
    with pytest.raises(SafercitiesError) as caught:
        fetch("x", spec(at(server, "/loop")), tmp_path / "cache")
    assert code(caught) == "fetch-failed"
    assert len([path for path in server.asked if path == "/loop"]) == fetching.MAX_REDIRECTS + 1


@pytest.mark.parametrize("to", ["http://example.org/a", "file:///etc/passwd", "https://a:b@example.org/", "https://"])
def test_redirects_never_lead_to_other_schemes(server: Server, tmp_path: Path, to: str) -> None:
    server.answers["/a"] = (302, {"Location": to}, b"")
    with pytest.raises(SafercitiesError) as caught:
        fetch("x", spec(at(server, "/a")), tmp_path / "cache")
    assert code(caught) == "fetch-refused"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "fd00::1",
     "::ffff:10.0.0.1", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
def test_no_name_leads_into_a_private_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    good = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))
    found = [good, (family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("it was connected to"))
    with pytest.raises(SafercitiesError) as caught:
        fetch("x", spec("https://sanvera.example/r.zip"), tmp_path / "cache")
    assert code(caught) == "fetch-refused"


def test_an_address_that_does_not_answer_is_followed_by_the_next(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/r.zip"] = (200, {}, b"here")
    real, tried = socket.create_connection, []

    def connect(address: tuple[str, int], **more: Any) -> socket.socket:
        tried.append(address[0])
        if address[0] != "127.0.0.1":
            raise OSError("no route")
        return real(address, **more)

    names = ["::1", "127.0.0.2", "127.0.0.1"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, server.server_port)) for one in names]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    monkeypatch.setattr(socket, "create_connection", connect)
    url = f"http://localhost:{server.server_port}/r.zip"
    assert fetch("x", spec(url), tmp_path / "cache").path.read_bytes() == b"here"
    assert tried == names
    del found[-1]
    with pytest.raises(SafercitiesError, match="no route") as caught:
        fetch("x", spec(url), tmp_path / "cache")
    assert code(caught) == "fetch-failed"
    monkeypatch.setattr(fetching, "MAX_SECONDS", -1.0)
    tried.clear()
    with pytest.raises(SafercitiesError):
        fetch("x", spec(url), tmp_path / "cache")
    assert tried == []


def test_nobody_outside_sends_us_to_this_machine() -> None:
    with pytest.raises(SafercitiesError) as caught:
        fetching._redirected("x", "https://sanvera.example/r.zip", "http://127.0.0.1:8000/secret")
    assert code(caught) == "fetch-refused"
    assert fetching._redirected("x", "https://sanvera.example/a/r.zip", "../b") == "https://sanvera.example/b"


# -- archives ----------------------------------------------------------------------------------------------------------


def unpacked(path: Path) -> dict[str, bytes]:
    with chain_folder(path, "x") as folder:
        return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_names_in_archives_are_never_used_for_folders(tmp_path: Path) -> None:
    zipped({"a/2024-1/README.md": b"1", "a/2025-2/README.md": b"2"}, tmp_path / "a.zip")
    assert unpacked(tmp_path / "a.zip") == {"00001/README.md": b"1", "00002/README.md": b"2"}


@pytest.mark.parametrize(
    "name",
    ["../README.md", "/README.md", "a/../../README.md", "C:/README.md", "a\\README.md", "evil.py", "a/b/c/d/README.md",
     "a/README.md/"],
)  # fmt: skip
def test_tricks_in_archives_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    zipped({name: b"x"}, path)
    with pytest.raises(SafercitiesError) as caught:
        unpacked(path)
    assert code(caught) in ("archive-unsafe", "release-none")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.zip"]


def test_links_and_repeated_names_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("r/README.md")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("r/README.md", "a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("r/README.md", "b")
    for name in ("link.zip", "twice.zip"):
        with pytest.raises(SafercitiesError) as caught:
            unpacked(tmp_path / name)
        assert code(caught) == "archive-unsafe"


def test_bombs_and_broken_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FREE_UNPACKED", 2**20)
    monkeypatch.setitem(FILES, "README.md", 2**40)
    zipped({"r/README.md": bytes(3 * 2**20)}, tmp_path / "bomb.zip")
    whole = zipped({"r/README.md": b"text" * 100})
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    at = whole.index(b"README.md") + 15
    (tmp_path / "damaged.zip").write_bytes(whole[:at] + b"\xff\xff\xff" + whole[at + 3 :])
    (tmp_path / "none.zip").write_bytes(b"")
    end = whole.rindex(b"PK\x05\x06") + 16  # where the list says that it begins: then files begin before the archive
    further = (int.from_bytes(whole[end : end + 4], "little") + 1).to_bytes(4, "little")
    (tmp_path / "before.zip").write_bytes(whole[:end] + further + whole[end + 4 :])
    zipped({}, tmp_path / "empty.zip")
    wanted = {"bomb": "archive-bomb", "cut": "release-zip", "damaged": "archive-broken", "none": "release-zip"}
    for name, problem in (wanted | {"empty": "release-none", "before": "archive-broken"}).items():
        with pytest.raises(SafercitiesError) as caught:
            unpacked(tmp_path / f"{name}.zip")
        assert code(caught) == problem, name


def test_the_record_of_the_cache_is_plain(server: Server, tmp_path: Path) -> None:
    server.answers["/r.zip"] = (200, {}, b"data")
    source = spec(at(server, "/r.zip"))
    found = fetch("x", source, tmp_path / "cache")
    said = json.loads((tmp_path / "cache" / "x" / "fetched.json").read_text(encoding="utf-8"))
    assert said == {"url": source.url, "at": found.at, "sha256": found.sha256}
    assert found.at.endswith("Z")
