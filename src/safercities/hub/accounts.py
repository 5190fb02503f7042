"""How accounts come to be: by invitation or by the office's sign-in; by signing up only where that is switched on."""

from __future__ import annotations

from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from safercities.hub.models import Event, Membership, Observatory, Role, User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The hub's rules for accounts with a password."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether anybody may make an account."""
        return bool(settings.SIGN_UP)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The hub's rules for accounts of the office's sign-in."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whom the office lets in gets an account; without a membership it may do what the public may."""
        return True

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        """Take the name from there."""
        user: User = super().populate_user(request, sociallogin, data)
        full = " ".join(filter(None, (data.get("first_name"), data.get("last_name"))))
        user.name = str(data.get("name") or full)[:150]
        return user


def invite(
    email: str, role: Role, observatory: Observatory | None = None, *, name: str = "", by: User | None = None
) -> tuple[User, str]:
    """Give somebody a role, and an account where they have none.

    Returns
    -------
    tuple
        The account, and the path of a link that sets its password, for once and for three days. Empty where they have
        a password already: a role must not let its giver into somebody's account.
    """
    with transaction.atomic():
        user = User.objects.filter(email=email.strip().lower()).first()
        user = user or User.objects.create_user(email, name=name)
        Membership.objects.get_or_create(user=user, observatory=observatory, role=role)
        EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"primary": True, "verified": False})
        Event.record("member.added", actor=by, observatory=observatory, object=str(user.pk), detail={"role": str(role)})
    return user, "" if user.has_usable_password() else password_path(user)


def password_path(user: User) -> str:
    """Path of a link that sets the password: good once, until it is used or PASSWORD_RESET_TIMEOUT has passed."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
