"""Webhooks by the API: list, make, delete."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router

from safercities.hub.access import Right, find
from safercities.hub.api import schemas
from safercities.hub.api.hooks import MOST, shown_secret
from safercities.hub.api.problems import ApiProblem
from safercities.hub.api.reading import json_answer
from safercities.hub.api.shelf import allowed, needed
from safercities.hub.models import Event, Observatory, Scope, Token, Webhook

router = Router(tags=["webhooks"])


def _reach(request: HttpRequest, slug: str) -> tuple[Token, Observatory]:
    token = needed(request, Scope.MANAGE_WEBHOOKS)
    return token, allowed(token, slug, Scope.MANAGE_WEBHOOKS, Right.MANAGE_WEBHOOKS)


@router.get("/observatories/{slug}/webhooks", response={200: schemas.Webhooks}, operation_id="webhooks")
def webhooks(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """All webhooks of the observatory. Their secrets are not told again."""
    _, observatory = _reach(request, slug)
    said = {"webhooks": [_webhook(one) for one in observatory.webhooks.order_by("pk")]}
    return json_answer(request, said, public=False)


def _webhook(one: Webhook) -> dict[str, Any]:
    return {"id": one.pk, "url": one.url, "events": one.events, "active": one.active}


@router.post("/observatories/{slug}/webhooks", response={201: schemas.NewWebhook}, operation_id="make_webhook")
def make_webhook(request: HttpRequest, slug: schemas.Slug, body: schemas.WebhookIn) -> HttpResponseBase:
    """A new one. The answer holds its secret, this once."""
    token, observatory = _reach(request, slug)
    with transaction.atomic():
        if observatory.webhooks.count() >= MOST:
            raise ApiProblem("busy", f"an observatory has no more than {MOST} webhooks")
        events = list(dict.fromkeys(body.events))
        made = Webhook.objects.create(observatory=observatory, url=body.url, events=events, by=token.user)
        Event.record("webhook.made", actor=token.user, observatory=observatory, object=str(made.pk))
    response = json_answer(request, _webhook(made) | {"secret": shown_secret(made)}, public=False)
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    del response.headers["ETag"]
    return response


@router.delete("/observatories/{slug}/webhooks/{webhook}", response={204: None}, operation_id="delete_webhook")
def delete_webhook(request: HttpRequest, slug: schemas.Slug, webhook: schemas.WebhookId) -> HttpResponseBase:
    """Delete one, with the log of its deliveries."""
    token, observatory = _reach(request, slug)
    with transaction.atomic():
        found = find(Webhook, observatory, pk=webhook)
        Event.record("webhook.deleted", actor=token.user, observatory=observatory, object=str(found.pk))
        found.delete()
    return HttpResponse(status=204)
