"""Who belongs to an observatory, and as what: inviting, changing and taking roles. Every act is in the trail."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from safercities.hub.access import Right, may, need
from safercities.hub.accounts import invite as give_role
from safercities.hub.accounts import mail_invitation
from safercities.hub.models import Event, Membership, Observatory, Role

#: What each role may do, in plain words.
MEANS = {
    Role.VIEWER: gettext_lazy("reads releases, also where they are not public"),
    Role.AUDITOR: gettext_lazy("reads releases, also where they are not public"),
    Role.ANALYST: gettext_lazy("brings files, says what they mean, checks, measures and proposes"),
    Role.REVIEWER: gettext_lazy("looks at what is proposed, approves or refuses it"),
    Role.PUBLISHER: gettext_lazy("does all of this, and publishes"),
    Role.HUB_ADMIN: gettext_lazy("does everything, in every observatory of this hub"),
}


class Invitation(forms.Form):
    """Whom to give which role."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=150, required=False)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, initial=Role.ANALYST)


@require_safe
@need(Right.PUBLISH)
def members(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Who has which role here."""
    return _page(request, observatory, Invitation())


def _page(
    request: HttpRequest, observatory: Observatory, form: Invitation, link: str = "", status: int = 200
) -> HttpResponse:
    here = Membership.objects.filter(Q(observatory=observatory) | Q(observatory=None)).select_related("user")
    context = {
        "observatory": observatory,
        "members": here.order_by("user__name", "user__email", "role"),
        "form": form,
        "link": request.build_absolute_uri(link) if link else "",
        "roles": [one for one in Role.choices if one[0] != Role.HUB_ADMIN],
        "means": [(role.label, means) for role, means in MEANS.items()],
        "may_manage": may(request.user, Right.MANAGE_MEMBERS, observatory),
    }
    return render(request, "hub/work/members.html", context, status=status)


@require_POST
@need(Right.MANAGE_MEMBERS)
def invite(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Give somebody a role, and an account where they have none."""
    form = Invitation(request.POST)
    if not form.is_valid():
        return _page(request, observatory, form, status=400)
    role = Role(form.cleaned_data["role"])
    everywhere = None if role == Role.HUB_ADMIN else observatory
    try:
        user, link = give_role(
            form.cleaned_data["email"],
            role,
            everywhere,
            name=form.cleaned_data["name"],
            by=request.user,  # type: ignore[arg-type]
        )
    except ValidationError as error:
        form.add_error("email", error.messages[0])
        return _page(request, observatory, form, status=400)
    if settings.MAIL:
        if mail_invitation(request, user, observatory, role, link):
            # the same words for everybody: whether they had an account is theirs to say
            messages.success(request, _("The invitation is on its way by mail."))
            return redirect("workbench:members", observatory.slug)
        messages.error(request, _("The mail could not be sent."))
    if not link:
        messages.success(
            request, _("%(name)s has the role now, and signs in as before.") % {"name": user.name or user.email}
        )
        return redirect("workbench:members", observatory.slug)
    return _page(request, observatory, Invitation(), link)  # shown once: it opens the account


def _member(observatory: Observatory, number: int) -> Membership:
    """A membership of this observatory, or of the hub as a whole; locked."""
    here = Q(observatory=observatory) | Q(observatory=None)
    found = Membership.objects.select_for_update().filter(here, pk=number).first()
    if found is None:
        raise Http404
    return found


@require_POST
@need(Right.MANAGE_MEMBERS)
def change(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Give a member another role here."""
    wanted = request.POST.get("role", "")
    if wanted not in set(Role.values) - {Role.HUB_ADMIN}:
        raise Http404
    try:
        with transaction.atomic():
            member = _member(observatory, number)
            if member.observatory is None:
                raise Http404
            was, member.role = member.role, Role(wanted)
            member.save(update_fields=["role"])
            detail = {"was": str(was), "role": str(member.role)}
            Event.record(
                "member.changed", actor=request.user, observatory=observatory, object=str(member.user_id), detail=detail
            )
    except IntegrityError:
        messages.error(request, _("They have this role already."))
    else:
        messages.success(request, _("The role is changed."))
    return redirect("workbench:members", observatory.slug)


@require_POST
@need(Right.MANAGE_MEMBERS)
def remove(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Take a role away. The last hub administrator stays: nobody else could make another one."""
    with transaction.atomic():
        # all of them are locked: two administrators may take each other's role in the same moment
        admins = Membership.objects.select_for_update().filter(role=Role.HUB_ADMIN, user__is_active=True)
        held = list(admins.order_by("pk"))
        member = _member(observatory, number)
        if member.role == Role.HUB_ADMIN and not [one for one in held if one.pk != member.pk]:
            messages.error(request, _("The last hub administrator cannot be removed."))
            return redirect("workbench:members", observatory.slug)
        detail = {"role": str(member.role)}
        Event.record(
            "member.removed",
            actor=request.user,
            observatory=member.observatory,
            object=str(member.user_id),
            detail=detail,
        )
        own = member.user_id == request.user.pk
        member.delete()
    messages.success(request, _("The role is taken away."))
    if own and not may(request.user, Right.PUBLISH, observatory):
        return redirect("workbench:home")
    return redirect("workbench:members", observatory.slug)
