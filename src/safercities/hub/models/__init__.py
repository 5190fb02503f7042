"""What the hub remembers: people, observatories, work, the shelf of releases, tokens, and the trail of who did what."""

from __future__ import annotations

from safercities.hub.models.people import Membership, Role, User
from safercities.hub.models.shelf import Release
from safercities.hub.models.tokens import Delivery, Scope, Token, Webhook
from safercities.hub.models.trail import Event
from safercities.hub.models.work import Job, Observatory, Proposal, Upload

__all__ = [
    "Delivery",
    "Event",
    "Job",
    "Membership",
    "Observatory",
    "Proposal",
    "Release",
    "Role",
    "Scope",
    "Token",
    "Upload",
    "User",
    "Webhook",
]
