"""The demonstration's switcher of roles: look at the demo city as a visitor, an analyst, a reviewer, a publisher.

It exists only where SAFERCITIES_DEMO is on. Its accounts have no password, and are closed where it is off.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from safercities.hub.models import Event, Membership, Observatory, Role, User

#: Where the addresses of the demonstration's accounts end. Nothing can ever be sent to `.invalid`.
DOMAIN = "demo.invalid"
ROLES = (Role.ANALYST, Role.REVIEWER, Role.PUBLISHER, Role.HUB_ADMIN)
#: Nobody in particular.
VISITOR = "visitor"


def prepare() -> None:
    """Close the demonstration's accounts where it is off: who was signed in with one is not any more."""
    if not settings.DEMO:
        accounts().filter(is_active=True).update(is_active=False)


def accounts() -> QuerySet[User]:
    """The demonstration's accounts (a queryset)."""
    return User.objects.filter(email__endswith=f"@{DOMAIN}")


@transaction.atomic
def account(role: Role) -> User:
    """The account of a role, with that role in each demo observatory and in no other.

    Raises
    ------
    PermissionDenied
        For the administrator, whose role holds everywhere, where there is an observatory that is no demo.
    """
    if role is Role.HUB_ADMIN and Observatory.objects.filter(demo=False).exists():
        raise PermissionDenied
    email = f"{role.value}@{DOMAIN}"
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, name=f"{role.value} (demo)")
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
    user.memberships.filter(observatory__demo=False).delete()
    places = [None] if role is Role.HUB_ADMIN else list(Observatory.objects.filter(demo=True))
    for observatory in places:
        Membership.objects.get_or_create(user=user, observatory=observatory, role=role)
    return user


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """Show the roles, or take one. There is no such page where the demonstration is off."""
    if not settings.DEMO:
        raise Http404
    if request.method != "POST":
        # without another page to go back to, the switcher leads back to this one
        return render(request, "hub/operate/roles.html", {"chosen": _chosen(request), "next": _next(request)})
    wanted = request.POST.get("role", "")
    if wanted == VISITOR:
        logout(request)
    elif wanted in ROLES:
        user = account(Role(wanted))
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        Event.record("demo.role_taken", actor=user, object=wanted)
    else:
        raise SuspiciousOperation("no such role")
    return redirect(_next(request) or "/")


def _chosen(request: HttpRequest) -> str:
    """The role that is taken now; empty where somebody signed in in earnest."""
    user = request.user
    if not isinstance(user, User):
        return VISITOR
    name, _, domain = user.email.partition("@")
    return name if domain == DOMAIN else ""


def _next(request: HttpRequest) -> str:
    """The page of this hub to go back to; empty where none was named, or one of somebody else's."""
    asked = (request.POST if request.method == "POST" else request.GET).get("next", "")
    secure = request.is_secure()
    return asked if url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=secure) else ""
