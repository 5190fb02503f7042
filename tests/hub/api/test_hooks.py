"""Webhooks: who is called, what is signed, what is tried again, and which addresses are never called."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address

import pytest
from django_tasks_db.models import DBTaskResult

from hub.api.made_receiver import certificate
from safercities.hub.api import hooks, outgoing
from safercities.hub.jobs.announce import announce
from safercities.hub.models import Delivery, Event, Release, Webhook

PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001::1",
    "fec0::1",
)


@pytest.fixture
def made(city):
    """A release, entered by hand: no file of it is read here."""
    return Release.objects.create(
        observatory=city, number=1, identity="a" * 64, period="2024", published=date(2025, 1, 1), folder="/nowhere"
    )


@pytest.fixture
def webhook(city):
    return Webhook.objects.create(observatory=city, url="https://hook.example.org/in?x=1", events=["release.published"])


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_that_are_not_public(text):
    assert not outgoing.is_public(ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_addresses_that_are_public(text):
    assert outgoing.is_public(ip_address(text))


def resolving(*addresses: str):
    def found(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    return found


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://evil.example/", ("127.0.0.1",)),
        ("https://evil.example/", ("93.184.216.34", "10.0.0.1")),
        ("https://metadata.example/", ("169.254.169.254",)),
        ("http://fine.example/", ("93.184.216.34",)),
        ("https://me:secret@fine.example/", ("93.184.216.34",)),
        ("https://fine.example:x/", ("93.184.216.34",)),
        ("file:///etc/passwd", ()),
        ("https:///x", ()),
    ],
)
def test_what_may_not_be_called_is_not(monkeypatch, url, addresses):
    monkeypatch.setattr(socket, "getaddrinfo", resolving(*addresses))
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("called"))
    with pytest.raises(outgoing.RefusedError):
        outgoing.post(url, b"{}", {})


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    called = []

    def connect(address, **kwargs):
        called.append(address)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolving("93.184.216.34"))
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outgoing.RefusedError, match="does not answer"):
        outgoing.post("https://fine.example/", b"{}", {})
    assert called == [("93.184.216.34", 443)]


@pytest.fixture
def receiver(tmp_path, monkeypatch):
    """A real https server on this machine, which our rules are told to take for a public one."""
    pem, secret = certificate(tmp_path)
    taken: list[tuple[str, dict[str, str], bytes]] = []
    statuses = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, dict(self.headers.items()), body))
            self.send_response(statuses[0])
            self.send_header("Location", "http://127.0.0.1/secret")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(outgoing, "resolve", lambda host, port: "127.0.0.1")
    monkeypatch.setattr(outgoing, "tls", lambda: ssl.create_default_context(cafile=str(pem)))
    yield server.server_port, taken, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_signed(city, made, webhook, receiver):
    port, taken, _ = receiver
    Webhook.objects.update(url=f"https://hook.example.org:{port}/in?x=1")
    announce(city, made)
    announce(city, made)  # told once
    delivery = Delivery.objects.get()
    hooks.deliver.call(delivery.pk)
    hooks.deliver.call(delivery.pk)  # sent once
    ((path, headers, body),) = taken
    delivery.refresh_from_db()
    assert (path, delivery.state, delivery.status) == ("/in?x=1", "sent", 200)
    said = json.loads(body)
    assert (said["type"], said["data"]["identity"], said["data"]["observatory"]) == (
        "release.published",
        "a" * 64,
        "city",
    )
    headers = {name.lower(): text for name, text in headers.items()}
    key = base64.b64decode(hooks.shown_secret(webhook).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mark}"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_was_not_taken_is_tried_again_and_no_redirect_is_followed(city, made, webhook, receiver, status):
    port, taken, statuses = receiver
    statuses[0] = status
    Webhook.objects.update(url=f"https://hook.example.org:{port}/")
    announce(city, made)
    hooks.deliver.call(Delivery.objects.get().pk)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.status, len(taken)) == ("waiting", 1, status, 1)
    assert delivery.next_try > datetime.now(UTC) + timedelta(seconds=30)
    soon = (datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1))
    assert DBTaskResult.objects.filter(run_after__range=soon).count() == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_answers_letter_by_letter_holds_nobody_up(tmp_path, monkeypatch, when):
    """The worker that sends messages publishes releases as well."""
    pem, secret = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip():
        plain, _ = listener.accept()
        talk = context.wrap_socket(plain, server_side=True) if when == "after" else plain
        with talk, suppress(OSError):
            while not stop.wait(0.05):
                talk.sendall(b"H")

    thread = threading.Thread(target=drip)
    thread.start()
    monkeypatch.setattr(outgoing, "resolve", lambda host, port: "127.0.0.1")
    monkeypatch.setattr(outgoing, "tls", lambda: ssl.create_default_context(cafile=str(pem)))
    monkeypatch.setattr(outgoing, "WHOLE", 0.5)
    began = time.monotonic()
    with pytest.raises(outgoing.RefusedError, match="does not answer"):
        outgoing.post(f"https://hook.example.org:{listener.getsockname()[1]}/", b"{}", {})
    assert time.monotonic() - began < 8
    stop.set()
    thread.join()
    listener.close()


def test_a_certificate_of_another_name_is_not_trusted(city, made, webhook, receiver):
    port, taken, _ = receiver
    Webhook.objects.update(url=f"https://other.example.org:{port}/")
    announce(city, made)
    hooks.deliver.call(Delivery.objects.get().pk)
    assert (Delivery.objects.get().error, taken) == ("its certificate does not hold", [])


def test_after_many_misses_a_webhook_is_switched_off(city, webhook, monkeypatch):
    def refused(*args):
        raise outgoing.RefusedError("it does not answer")

    monkeypatch.setattr(hooks, "post", refused)
    for number in range(1, hooks.MISSED + 1):
        release = Release.objects.create(
            observatory=city,
            number=number,
            identity=f"{number:064}",
            period="2024",
            published=date(2025, 1, 1),
            folder="/x",
        )
        announce(city, release)
        delivery = Delivery.objects.first()
        for _ in range(len(hooks.PAUSES) + 1):
            hooks.deliver.call(delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == ("failed", len(hooks.PAUSES) + 1)
        webhook.refresh_from_db()
        assert webhook.active is (number < hooks.MISSED)
    assert Event.objects.filter(verb="webhook.switched_off").count() == 1
    announce(
        city,
        Release.objects.create(
            observatory=city, number=9, identity="b" * 64, period="2024", published=date(2025, 1, 1), folder="/x"
        ),
    )
    assert Delivery.objects.count() == hooks.MISSED


def test_only_what_it_wants_to_know_and_of_its_own_observatory(city, hidden, made, webhook):
    other = Release.objects.create(
        observatory=hidden, number=1, identity="c" * 64, period="2024", published=date(2025, 1, 1), folder="/y"
    )
    announce(hidden, other)
    made.supersedes = "d" * 64
    announce(city, made)
    assert not Delivery.objects.exists()


def test_a_message_whose_worker_was_killed_is_sent_all_the_same(city, made, webhook):
    announce(city, made)
    ready = DBTaskResult.objects.ready()
    assert (hooks.send_lost(), ready.count()) == (0, 1)
    Delivery.objects.update(next_try=datetime.now(UTC) - hooks.LOST - timedelta(seconds=1))
    assert (hooks.send_lost(), ready.count()) == (0, 1)  # it waits for a worker still
    DBTaskResult.objects.update(status="RUNNING")  # the worker that took it is gone
    assert (hooks.send_lost(), ready.count()) == (1, 1)
    assert hooks.send_lost() == 0
