"""Tells others in the hub that something was published: webhooks register here."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import transaction

from safercities.hub.models import Observatory, Release

Listener = Callable[[Observatory, Release], None]
#: Called after each publication, in the transaction that enters it in the trail: they only queue, and are quick.
LISTENERS: list[Listener] = []
log = logging.getLogger(__name__)


def register(listener: Listener) -> Listener:
    """Have it called; usable as a decorator. Once is enough."""
    if listener not in LISTENERS:
        LISTENERS.append(listener)
    return listener


def announce(observatory: Observatory, release: Release) -> None:
    """Tell all of them. What breaks there is logged: it does not undo a publication, and keeps nobody from hearing."""
    for listener in LISTENERS:
        try:
            with transaction.atomic():
                listener(observatory, release)
        except Exception:
            log.exception("a listener broke")
