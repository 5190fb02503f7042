"""From a publication to whoever asked to be told: once the pages show it, signed, again where it was not taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from hub.api.made_receiver import certificate
from hub.jobs.test_killed import SETUP, Hub, previewed, publishing, ready, take
from hub.made_observatory import run
from hub.operate.made_hub import published_city
from safercities.hub.figures.current import has_index
from safercities.hub.jobs import announce, queue
from safercities.hub.models import Event, Job, Observatory, Release
from safercities.hub.published import figures

__all__ = ["previewed", "publishing", "ready", "take"]

#: A worker that takes this machine for a public address, trusts the receiver, and does not wait long.
WORKER = """
import ssl, sys
from datetime import timedelta
from safercities.hub.api import hooks, outgoing
from safercities.hub.jobs.working import work
outgoing.resolve = lambda host, port: "127.0.0.1"
outgoing.tls = lambda: ssl.create_default_context(cafile=sys.argv[2])
hooks.PAUSES = (timedelta(seconds=0.1), timedelta(seconds=0.1))
work(interval=0.1)
"""


@dataclass
class Receiver:
    """Takes messages: what came, and what was to be seen when each came. The first one it refuses."""

    port: int = 0
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    look: Callable[[], bool] = bool


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.seen.append(found.look())
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.came.append(({name.lower(): text for name, text in self.headers.items()}, body))
            self.send_response(503 if len(found.came) == 1 else 204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    found.port = listening.server_port
    thread = Thread(target=listening.serve_forever)
    thread.start()
    yield found
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.mark.skipif(sys.platform != "linux", reason="as tests of killed workers")
def test_whoever_asked_is_told_of_a_release_that_can_be_read(
    publishing: Hub, take: Callable[[Hub], Hub], receiver: Receiver, tmp_path: Path
) -> None:
    hub = take(publishing)
    address = f"https://hook.example.org:{receiver.port}/in"
    hub.say(
        f"hook = Webhook(observatory=Observatory.objects.get(), url={address!r}, secret='geheim')\n"
        "hook.events = ['release.published']\nhook.save()"
    )
    receiver.look = lambda: has_index(hub.home / "figures" / "mini")
    run_it = [sys.executable, "-c", SETUP + WORKER, str(hub.folder), str(tmp_path / "cert.pem")]
    worker = subprocess.Popen(run_it, env=hub.env)
    hub.workers.append(worker)
    hub.until(lambda: len(receiver.came) > 1 and hub.ended())
    worker.terminate()
    assert worker.wait(60) == 0
    assert hub.last()["state"] == "done"
    (first, body), (second, again) = receiver.came  # refused once, then taken; and no third time
    assert receiver.seen == [True, True]
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    said = json.loads(body)
    assert (said["type"], said["data"]["number"]) == ("release.published", 1)
    for headers, content in receiver.came:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
        mark = base64.b64encode(hmac.new(b"geheim", signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mark}"
    hub.say("assert [(d.state, d.attempts, d.status) for d in Delivery.objects.all()] == [('sent', 2, 204)]")
    assert (hub.events("release.published"), hub.events("release.announced")) == (1, 1)


# -- what is announced, and when ---------------------------------------------------------------------------------------


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A release of the same place, made elsewhere."""
    (made,) = (published_city(tmp_path / "elsewhere") / "releases").glob("[!.]*")
    return made


@pytest.fixture
def heard() -> Iterator[list[tuple[int, bool]]]:
    """Numbers of releases that were announced, and whether each could be read then."""
    found: list[tuple[int, bool]] = []

    def listen(observatory: Observatory, release: Release) -> None:
        shown = figures(observatory)
        found.append((release.number, shown is not None and shown.version == release.identity))

    announce.register(listen)
    yield found
    announce.LISTENERS.remove(listen)


def received(real: Observatory, source: Path) -> Release:
    """A release that came by the API: on the shelf and in the trail, not shown yet."""
    from safercities.hub.models.shelf import sync

    shutil.copytree(source, real.releases / source.name)
    release = real.shelf.get(identity=sync(real)[-1].id)
    Event.record("release.received", observatory=real, object=release.identity)
    return release


def test_what_was_received_is_announced_when_it_is_shown_and_once(
    real: Observatory, signed: Path, heard: list[tuple[int, bool]]
) -> None:
    received(real, signed)
    assert heard == []
    for _ in range(2):
        assert run(queue.start(real, "figures", None)).state == Job.State.DONE
    assert heard == [(1, True)]
    assert Event.objects.filter(verb=announce.ANNOUNCED).count() == 1


def test_what_cannot_be_shown_is_not_announced_until_it_can(
    real: Observatory, signed: Path, heard: list[tuple[int, bool]]
) -> None:
    received(real, signed)
    estimates = real.releases / signed.name / "estimates.parquet"
    whole = estimates.read_bytes()
    estimates.write_bytes(whole[:-1])
    assert run(queue.start(real, "figures", None)).state == Job.State.FAILED
    assert heard == []
    estimates.write_bytes(whole)
    assert run(queue.start(real, "figures", None)).state == Job.State.DONE
    assert heard == [(1, True)]


def test_releases_that_were_there_before_the_hub_are_shown_and_not_announced(
    real: Observatory, signed: Path, heard: list[tuple[int, bool]]
) -> None:
    shutil.copytree(signed, real.releases / signed.name)
    assert run(queue.start(real, "figures", None)).state == Job.State.DONE
    assert heard == []


def test_a_release_that_comes_while_pages_are_prepared_has_a_run_of_its_own(real: Observatory) -> None:
    first = queue.start(real, "figures", None)
    assert queue.start(real, "figures", None) == first
    assert queue.claim(real.pk) == first
    assert queue.start(real, "figures", None) != first
