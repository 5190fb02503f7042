"""Who may do what: roles → rights in one table, predicates made of it, and the decorators of the views.

Every view: load → may this actor do it on this object? → act. To those who may not even see that an object exists it
looks the same as one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from rules.permissions import has_perm, set_perm
from rules.predicates import Predicate

from safercities.hub.models import Membership, Observatory, Proposal, Role, User

#: Whoever asks: an account, nobody in particular, or nobody. Django's requests say it in its own words.
Actor = AbstractBaseUser | AnonymousUser | None
View = Callable[..., HttpResponseBase]
AnyModel = TypeVar("AnyModel", bound=Model)


class Right(StrEnum):
    """Something that may be done, and is asked for somewhere: in an observatory; the last one in the hub as a whole."""

    SEE_RELEASES = "see_releases"  # of a public observatory, anybody's
    SEE_WORKBENCH = "see_workbench"
    UPLOAD = "upload"
    CONFIGURE = "configure"
    CHECK = "check"
    MEASURE = "measure"
    PREVIEW = "preview"
    PROPOSE = "propose"
    APPROVE = "approve"
    PUBLISH = "publish"
    SUPERSEDE = "supersede"
    MANAGE_WEBHOOKS = "manage_webhooks"
    MANAGE_MEMBERS = "manage_members"
    SEE_TRAIL = "see_trail"
    CREATE_OBSERVATORY = "create_observatory"


_VIEWER = frozenset({Right.SEE_RELEASES})
_ANALYST = _VIEWER | {
    Right.SEE_WORKBENCH,
    Right.UPLOAD,
    Right.CONFIGURE,
    Right.CHECK,
    Right.MEASURE,
    Right.PREVIEW,
    Right.PROPOSE,
}
#: The table. What is not named here nobody may do.
RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: _VIEWER,
    Role.AUDITOR: _VIEWER,  # until the hub takes audits
    Role.ANALYST: _ANALYST,
    Role.REVIEWER: _VIEWER | {Right.SEE_WORKBENCH, Right.PREVIEW, Right.APPROVE},
    Role.PUBLISHER: _ANALYST | {Right.APPROVE, Right.PUBLISH, Right.SUPERSEDE, Right.MANAGE_WEBHOOKS},
    Role.HUB_ADMIN: frozenset(Right),
}


def roles(user: Actor, slug: str | None) -> frozenset[Role]:
    """Roles of somebody in the observatory of this address, hub-wide ones among them; asked of the database each time.

    It takes the address, not the object: so the same is asked whether or not the observatory exists.
    """
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    # the hub-wide role reads its own condition: without an observatory there is only that
    where = Q(observatory=None) if slug is None else Q(observatory=None) | Q(observatory__slug=slug)
    found = Membership.objects.filter(where, user=user).values_list("role", flat=True)
    return frozenset(Role(role) for role in found)


def rights(user: Actor, observatory: Observatory | None) -> frozenset[Right]:
    """Everything that somebody may do in an observatory (None: in the hub as a whole). Ask once a page."""
    return _rights(roles(user, observatory.slug if observatory else None), observatory)


def _rights(held: Iterable[Role], observatory: Observatory | None) -> frozenset[Right]:
    found = frozenset[Right]().union(*(RIGHTS[role] for role in held))
    return found | {Right.SEE_RELEASES} if observatory is not None and observatory.public else found


def _holds(right: Right) -> Predicate:
    def holds(user: Actor, observatory: Observatory | None) -> bool:
        return right in rights(user, observatory)

    return Predicate(holds, f"hub.{right}")


for _right in Right:
    set_perm(f"hub.{_right}", _holds(_right))


def may(user: Actor, right: str, observatory: Observatory | None = None) -> bool:
    """Whether somebody may do this, here.

    Raises
    ------
    ValueError
        If there is no such right: a slip of the pen must not become a refusal that nobody notices, or worse.
    """
    return bool(has_perm(f"hub.{Right(right)}", user, observatory))


def may_decide(user: Actor, proposal: Proposal) -> bool:
    """Whether somebody may approve or refuse a proposal: not their own, where two people are asked for."""
    two = settings.TWO_PERSON or proposal.observatory.two_person
    own = isinstance(user, User) and user.pk == proposal.proposed_by_id
    return may(user, Right.APPROVE, proposal.observatory) and not (two and own)


def visible(user: Actor) -> Any:
    """The observatories of which somebody may read the releases (a queryset)."""
    if not isinstance(user, User) or not user.is_active:
        return Observatory.objects.filter(public=True)
    if Role.HUB_ADMIN in roles(user, None):
        return Observatory.objects.all()
    return Observatory.objects.filter(Q(public=True) | Q(memberships__user=user)).distinct()


def load(user: Actor, slug: str, right: str) -> Observatory:
    """The observatory of an address, if somebody may do this there.

    Raises
    ------
    Http404
        If there is none, or it is none of their business.
    PermissionDenied
        If they belong to it, but may not do this.
    """
    wanted = Right(right)
    observatory = Observatory.objects.filter(slug=slug).first()
    held = roles(user, slug)  # asked in either case: an answer takes as long
    if observatory is None:
        raise Http404
    if wanted in _rights(held, observatory):
        return observatory
    if held:
        raise PermissionDenied
    raise Http404


def need(right: str) -> Callable[[View], View]:
    """For views of addresses with `slug`: the view is given the `observatory` instead, if the right is there."""
    wanted = Right(right)

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, slug: str, **kwargs: Any) -> HttpResponseBase:
            return view(request, *args, observatory=load(request.user, slug, wanted), **kwargs)

        checked.needs = wanted  # type: ignore[attr-defined]  # the matrix of the tests reads it
        return checked

    return decorate


def need_in_hub(right: str) -> Callable[[View], View]:
    """For views of the hub as a whole: whoever is not signed in is asked to."""
    wanted = Right(right)

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
            if not may(request.user, wanted):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        checked.needs = wanted  # type: ignore[attr-defined]
        return checked

    return decorate


def find(model: type[AnyModel], observatory: Observatory, **lookup: Any) -> AnyModel:
    """An object of this observatory and no other; else 404."""
    found = model._default_manager.filter(observatory=observatory, **lookup).first()
    if found is None:
        raise Http404
    return found
