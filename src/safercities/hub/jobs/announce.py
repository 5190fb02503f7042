"""Tells others that something was published, once it can be read: webhooks register here."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import transaction

from safercities.hub.models import Event, Observatory, Release

Listener = Callable[[Observatory, Release], None]
#: Called once a release, in the transaction that enters in the trail that it was announced: they only queue.
LISTENERS: list[Listener] = []
#: Entries of the trail by which a release came to be here; and the one that says that it was announced.
ENTERED = ("release.published", "release.superseded", "release.received")
ANNOUNCED = "release.announced"
log = logging.getLogger(__name__)


def register(listener: Listener) -> Listener:
    """Have it called; usable as a decorator. Once is enough."""
    if listener not in LISTENERS:
        LISTENERS.append(listener)
    return listener


def announce_new(observatory: Observatory) -> None:
    """Announce what the trail says was published or received, and was not announced before.

    Call it when the public pages show all of it: whoever is told comes and reads.
    """
    events = Event.objects.filter(observatory=observatory)
    done = set(events.filter(verb=ANNOUNCED).values_list("object", flat=True))
    entered = events.filter(verb__in=ENTERED).order_by("number").values_list("object", flat=True)
    for identity in dict.fromkeys(entered):
        release = observatory.shelf.filter(identity=identity).first()
        if identity in done or release is None:
            continue
        with transaction.atomic():
            Event.record(ANNOUNCED, observatory=observatory, object=identity, detail={"number": release.number})
            announce(observatory, release)


def announce(observatory: Observatory, release: Release) -> None:
    """Tell all of them. What breaks there is logged: it undoes nothing, and keeps nobody from hearing."""
    for listener in LISTENERS:
        try:
            with transaction.atomic():
                listener(observatory, release)
        except Exception:
            log.exception("a listener broke")
