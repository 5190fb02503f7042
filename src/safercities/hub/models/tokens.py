"""Tokens of machines, and webhooks: whom the hub tells that something was published."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date
from typing import Any, ClassVar

from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from safercities.hub.models.people import User
from safercities.hub.models.work import Observatory

_MARK = "sc_"


class Scope(models.TextChoices):
    """What a token may be used for, at most what its owner may do."""

    READ_PRIVATE = "read:private", _("Read releases that are not public")
    UPLOAD = "upload", _("Upload files")
    SUBMIT_RELEASE = "submit:release", _("Hand in signed releases")
    MANAGE_WEBHOOKS = "manage:webhooks", _("Manage webhooks")


def _digest(word: str) -> str:
    """256 random bits cannot be guessed from their hash: no slow hash is needed."""
    return hashlib.sha256(word.encode()).hexdigest()


class Token(models.Model):
    """A word by which a machine acts for somebody. Only its hash is kept; the word is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=12)
    hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateField(null=True, blank=True)
    revoked = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created", "-pk"]

    def __str__(self) -> str:
        return self.prefix

    @classmethod
    def make(cls, user: User, name: str, scopes: list[str], **fields: Any) -> tuple[Token, str]:
        """A new token, and its word: it cannot be had again."""
        unknown = set(scopes) - set(Scope.values)
        if unknown:
            raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
        word = _MARK + secrets.token_urlsafe(32)
        fields |= {"prefix": word[:10], "hash": _digest(word), "scopes": sorted(set(scopes))}
        return cls.objects.create(user=user, name=name, **fields), word

    @classmethod
    def find(cls, word: str) -> Token | None:
        """The token of a word, if it is still good, and so is its owner's account."""
        now = timezone.now()
        good = cls.objects.filter(Q(expires=None) | Q(expires__gt=now), revoked=None, user__is_active=True)
        token = good.select_related("user", "observatory").filter(hash=_digest(word)).first()
        today = now.date()
        if token is not None and token.last_used != today:
            cls.objects.filter(pk=token.pk).update(last_used=today)
            token.last_used = today
        return token

    def covers(self, scope: str, observatory: Observatory | None) -> bool:
        """Whether the token reaches this far. What its owner may do, `access.may` says besides."""
        return scope in self.scopes and (self.observatory_id is None or self.observatory == observatory)

    def unused_for(self, today: date) -> int | None:
        """Days since it was used; None where it never was."""
        return (today - self.last_used).days if self.last_used else None


class Webhook(models.Model):
    """An address that is told of releases. Whether it may be called is asked again at each delivery."""

    class On(models.TextChoices):
        """What it is told."""

        PUBLISHED = "release.published", _("A release was published")
        SUPERSEDED = "release.superseded", _("A release was corrected")

    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, related_name="webhooks")
    url = models.URLField(_("address"), max_length=500, validators=[URLValidator(schemes=["https"])])
    #: Signs what is sent (HMAC-SHA256). The hub has to know it, so it is kept as it is; it is shown once.
    secret = models.CharField(max_length=64, default=secrets.token_urlsafe)
    events = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.observatory_id}/{self.pk}"


class Delivery(models.Model):
    """One message to a webhook, with how often it was tried and what came back."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40, choices=Webhook.On.choices)
    payload = models.JSONField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    sent = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created", "-pk"]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.webhook_id}/{self.pk}"


class Pin(models.Model):
    """Whose signed releases an observatory takes by the API: the fingerprint of a root key, told by a trusted way."""

    observatory = models.OneToOneField(Observatory, on_delete=models.CASCADE, related_name="pin")
    identity = models.CharField(
        _("identity"),
        max_length=72,
        validators=[RegexValidator(r"\Aed25519:[0-9a-f]{64}\Z", _("ed25519: and 64 digits or letters a–f."))],
    )
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.observatory_id}"
