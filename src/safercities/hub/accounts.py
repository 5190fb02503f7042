"""How accounts come to be: by invitation or by the office's sign-in; by signing up only where that is switched on."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from safercities.hub.models import Event, Membership, Observatory, Role, User

log = logging.getLogger(__name__)


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

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        """Have the office's sign-in ask as `office.py` checks the answer."""
        from safercities.hub.office import OfficeAdapter

        found = super().get_provider(request, provider, client_id)
        found.oauth2_adapter_class = OfficeAdapter
        return found

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
        The account, and the path of a link that sets its password, for once and for three days. Empty where somebody
        can sign in to it already: a role must not let its giver into somebody's account.

    Raises
    ------
    ValidationError
        If there can be no such account, or there is one of which nobody knows whose it is.
    """
    address = email.strip().lower()
    with transaction.atomic():
        user = _owner(address) or _new(address, name)
        Membership.objects.get_or_create(user=user, observatory=observatory, role=role)
        Event.record("member.added", actor=by, observatory=observatory, object=str(user.pk), detail={"role": str(role)})
    return user, "" if _in_use(user) else password_path(user)


def _owner(address: str) -> User | None:
    """The account whose address this is known to be; None where there is none.

    Anybody can write somebody else's address into their own account, and wait for a role that is meant for that
    person: so an address that was not confirmed is nobody's.
    """
    known = EmailAddress.objects.filter(email=address, verified=True).select_related("user").first()
    user: User | None = known.user if known else None
    if user is None and User.objects.filter(email=address).exists():
        raise ValidationError(_("There is an account with this address, but it was never confirmed whose it is."))
    if user is not None and not user.is_active:
        raise ValidationError(_("This account is closed."))
    return user


def _new(address: str, name: str) -> User:
    """An account that only the link of its invitation opens: so whoever opens it was given it, by mail or by hand."""
    user = User.objects.create_user(address, name=name)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def _in_use(user: User) -> bool:
    """Whether somebody can sign in to it, or ever did: by a password, or by the office's sign-in."""
    return user.has_usable_password() or user.last_login is not None or SocialAccount.objects.filter(user=user).exists()


def password_path(user: User) -> str:
    """Path of a link that sets the password: good once, until it is used or PASSWORD_RESET_TIMEOUT has passed."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})


def mail_invitation(request: HttpRequest, user: User, observatory: Observatory, role: Role, path: str) -> bool:
    """Tell somebody of their role, with the link that opens their account where there is one; whether that went out."""
    said = {
        "observatory": observatory.name,
        "role": role.label,
        "site": request.get_host(),
        "opens": bool(path),
        "link": request.build_absolute_uri(path or reverse("workbench:home")),
    }
    try:
        get_adapter(request).send_mail("account/email/invitation", user.email, said)
    except OSError:  # whatever a mail server, or the way to it, refuses
        log.warning("an invitation could not be sent", exc_info=True)
        return False
    return True
