"""Tells webhooks that something was published: signed, tried again with growing pauses, written down, given up.

Headers and signature are those of Standard Webhooks: receivers need nothing of ours to check them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from safercities.hub.api.outgoing import RefusedError, post
from safercities.hub.jobs.announce import register
from safercities.hub.models import Delivery, Event, Observatory, Release, Webhook

#: Webhooks of one observatory.
MOST = 20
#: Pauses before a message is tried again; after the last one it has failed.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
#: A webhook that missed so many messages one after the other is switched off.
MISSED = 3
#: After so long a message that is due was lost with the worker that had it: it is queued again.
LOST = timedelta(minutes=10)
#: Messages that a webhook's log keeps.
KEPT = 200


def shown_secret(webhook: Webhook) -> str:
    """The secret as receivers take it."""
    return "whsec_" + base64.b64encode(webhook.secret.encode()).decode()


@register
def tell(observatory: Observatory, release: Release) -> None:
    """Queue a message for each webhook that wants to know, in the transaction that is open. Once a release."""
    kind = Webhook.On.SUPERSEDED if release.supersedes else Webhook.On.PUBLISHED
    for webhook in observatory.webhooks.filter(active=True):
        if kind in webhook.events and not _told(webhook, release):
            delivery = Delivery.objects.create(
                webhook=webhook, event=kind, payload=_payload(kind, observatory, release)
            )
            _queue(delivery, timedelta())


def _told(webhook: Webhook, release: Release) -> bool:
    return webhook.deliveries.filter(payload__data__identity=release.identity).exists()


def _payload(kind: str, observatory: Observatory, release: Release) -> dict[str, Any]:
    return {
        "type": str(kind),
        "timestamp": timezone.now().isoformat(timespec="seconds"),
        "data": {
            "observatory": observatory.slug,
            "number": release.number,
            "identity": release.identity,
            "period": release.period,
            "published": str(release.published),
            "supersedes": release.supersedes,
            "path": f"/api/v1/observatories/{observatory.slug}/releases/{release.number}",
        },
    }


def _queue(delivery: Delivery, pause: timedelta) -> None:
    when = timezone.now() + pause
    Delivery.objects.filter(pk=delivery.pk).update(next_try=when)
    deliver.using(run_after=when if pause else None).enqueue(delivery.pk)


def send_lost() -> int:
    """Queue again what is due for long: the worker that had it was killed. Gives how many."""
    from django_tasks_db.models import DBTaskResult

    count = 0
    for delivery in Delivery.objects.filter(state=Delivery.State.WAITING, next_try__lt=timezone.now() - LOST):
        call = {"args": [delivery.pk], "kwargs": {}}
        if not DBTaskResult.objects.ready().filter(task_path=deliver.module_path, args_kwargs=call).exists():
            with transaction.atomic():
                _queue(delivery, timedelta())
            count += 1
    return count


@task()
def deliver(delivery: int) -> None:
    """Try to send a message. It may arrive twice, with the same id: whoever receives it can tell."""
    found = Delivery.objects.select_related("webhook__observatory").filter(pk=delivery).first()
    if found is None or found.state != Delivery.State.WAITING:
        return
    if not found.webhook.active:
        _write(found, state=Delivery.State.FAILED, error="the webhook was switched off")
        return
    found.attempts += 1
    try:
        status = post(found.webhook.url, *signed(found))
    except RefusedError as error:
        _failed(found, None, str(error))
        return
    if 200 <= status < 300:
        _write(found, state=Delivery.State.SENT, status=status, error="", sent=timezone.now())
    else:
        _failed(found, status, "redirects are not followed" if 300 <= status < 400 else "it was not taken")


def signed(delivery: Delivery) -> tuple[bytes, dict[str, str]]:
    """What is sent: the message, and headers that prove whose it is and when it was sent."""
    body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
    name, at = f"msg_{delivery.pk}", str(int(timezone.now().timestamp()))
    said = b".".join([name.encode(), at.encode(), body])
    mark = base64.b64encode(hmac.new(delivery.webhook.secret.encode(), said, hashlib.sha256).digest()).decode()
    return body, {
        "Content-Type": "application/json",
        "User-Agent": "safercities-hub",
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{mark}",
    }


def _write(delivery: Delivery, **fields: Any) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(attempts=delivery.attempts, next_try=None, **fields)


def _failed(delivery: Delivery, status: int | None, error: str) -> None:
    with transaction.atomic():
        if delivery.attempts <= len(PAUSES):
            _write(delivery, status=status, error=error)
            _queue(delivery, PAUSES[delivery.attempts - 1])
            return
        _write(delivery, state=Delivery.State.FAILED, status=status, error=error)
        _perhaps_off(delivery.webhook)


def _perhaps_off(webhook: Webhook) -> None:
    """Switch it off where the last messages all failed."""
    ended = webhook.deliveries.exclude(state=Delivery.State.WAITING).order_by("-pk")
    last = list(ended.values_list("state", flat=True)[:MISSED])
    if len(last) == MISSED and set(last) == {Delivery.State.FAILED}:
        Webhook.objects.filter(pk=webhook.pk).update(active=False)
        Event.record("webhook.switched_off", observatory=webhook.observatory, object=str(webhook.pk))
    old = webhook.deliveries.exclude(state=Delivery.State.WAITING).order_by("-pk").values_list("pk", flat=True)[KEPT:]
    Delivery.objects.filter(pk__in=list(old)).delete()
