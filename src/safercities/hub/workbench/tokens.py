"""Pages for machines: one's own tokens; of an observatory its webhooks, and whose releases it takes by the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from safercities.hub.access import Right, find, need
from safercities.hub.api.hooks import MOST, shown_secret
from safercities.hub.api.receive import identity_of
from safercities.hub.models import Event, Observatory, Scope, Token, User, Webhook
from safercities.hub.models.tokens import Pin

#: Tokens of one account that are good at the same time.
MOST_TOKENS = 50
_DAYS = ((30, gettext_lazy("30 days")), (90, gettext_lazy("90 days")), (365, gettext_lazy("One year")))
#: What can be chosen: nothing takes uploads by a token yet.
_SCOPES = [one for one in Scope.choices if one[0] != Scope.UPLOAD]
#: Deliveries that a page shows.
SHOWN = 50


class _Choice(forms.ModelChoiceField[Observatory]):
    """Observatories by their names."""

    def label_from_instance(self, obj: Observatory) -> str:
        return obj.name


class TokenForm(forms.Form):
    """A token to make."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"), max_length=100, help_text=gettext_lazy("So that you know it later.")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), choices=_SCOPES, widget=forms.CheckboxSelectMultiple
    )
    observatory = _Choice(
        label=gettext_lazy("Where"),
        queryset=Observatory.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label=gettext_lazy("Everywhere that I may"),
    )
    days = forms.TypedChoiceField(label=gettext_lazy("How long"), choices=_DAYS, coerce=int, initial=90)

    def __init__(self, user: User, *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["observatory"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # for the types
        field.queryset = _reached(user)


def _reached(user: User) -> Any:
    """Observatories that somebody has a role in; hub administrators all."""
    if user.memberships.filter(observatory=None).exists():
        return Observatory.objects.all()
    return Observatory.objects.filter(memberships__user=user).distinct()


def _signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  # login_required asked
    return request.user


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens, and a form for a new one. Its word is shown once, and stands in no address."""
    user = _signed_in(request)
    form = TokenForm(user, request.POST) if request.method == "POST" else TokenForm(user)
    word = ""
    if request.method == "POST" and form.is_valid():
        word = _made(user, form)
        if word:
            form = TokenForm(user)
    context = {"tokens": _listed(user), "form": form, "word": word}
    return render(request, "hub/tokens/tokens.html", context, status=400 if form.errors else 200)


def _made(user: User, form: TokenForm) -> str:
    said = form.cleaned_data
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two requests at once make no more than allowed
        if sum(one["good"] for one in _listed(user)) >= MOST_TOKENS:
            form.add_error(None, _("You have too many tokens. Revoke those that you do not need."))
            return ""
        expires = timezone.now() + timedelta(days=said["days"])
        token, word = Token.make(user, said["name"], said["scopes"], observatory=said["observatory"], expires=expires)
        detail = {"scopes": token.scopes, "days": said["days"]}
        Event.record("token.made", actor=user, observatory=token.observatory, object=token.prefix, detail=detail)
    return word


def _listed(user: User) -> list[dict[str, Any]]:
    labels, now = dict(Scope.choices), timezone.now()
    return [
        {
            "token": one,
            "scopes": [labels.get(scope, scope) for scope in one.scopes],
            "good": one.revoked is None and (one.expires is None or one.expires > now),
        }
        for one in user.tokens.select_related("observatory")[:200]
    ]


@login_required
@require_POST
def revoke(request: HttpRequest, number: int) -> HttpResponse:
    """End a token of one's own, at once."""
    user = _signed_in(request)
    with transaction.atomic():
        found = user.tokens.select_for_update().filter(pk=number).first()
        if found is None:
            raise Http404
        if found.revoked is None:
            found.revoked = timezone.now()
            found.save(update_fields=["revoked"])
            Event.record("token.revoked", actor=user, observatory=found.observatory, object=found.prefix)
    messages.success(request, _("The token is revoked: nobody can use it any more."))
    return redirect("tokens:tokens")


# -- webhooks ----------------------------------------------------------------------------------------------------------


class WebhookForm(forms.ModelForm[Webhook]):
    """A webhook to make."""

    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=gettext_lazy("It begins with https:// and can be reached from the internet."),
        widget=forms.URLInput(attrs={"dir": "ltr"}),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("What it is told"), choices=Webhook.On.choices, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Webhook
        fields = ("url", "events")

    def clean_url(self) -> str:
        """Only https, and no password in it."""
        url: str = self.cleaned_data["url"]
        if not url.startswith("https://") or "@" in url.partition("//")[2].partition("/")[0]:
            raise forms.ValidationError(_("Give an address that begins with https://, without a password in it."))
        return url


@never_cache
@require_http_methods(["GET", "POST"])
@need(Right.MANAGE_WEBHOOKS)
def webhooks(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Webhooks of an observatory with what became of their messages, and a form for a new one."""
    form = WebhookForm(request.POST) if request.method == "POST" else WebhookForm()
    secret = ""
    if request.method == "POST" and form.is_valid():
        secret = _made_webhook(request, observatory, form)
        if secret:
            form = WebhookForm()
    labels = dict(Webhook.On.choices)
    context = {
        "observatory": observatory,
        "form": form,
        "secret": secret,
        "webhooks": [
            {
                "webhook": one,
                "events": [labels.get(event, event) for event in one.events],
                "deliveries": one.deliveries.all()[:SHOWN],
            }
            for one in observatory.webhooks.order_by("pk")
        ],
    }
    return render(request, "hub/tokens/webhooks.html", context, status=400 if form.errors else 200)


def _made_webhook(request: HttpRequest, observatory: Observatory, form: WebhookForm) -> str:
    with transaction.atomic():
        Observatory.objects.select_for_update().get(pk=observatory.pk)
        if observatory.webhooks.count() >= MOST:
            form.add_error(None, _("There are too many webhooks. Delete those that are not needed."))
            return ""
        made = form.save(commit=False)
        made.observatory, made.by = observatory, _signed_in(request)
        made.save()
        Event.record("webhook.made", actor=request.user, observatory=observatory, object=str(made.pk))
    return shown_secret(made)


@require_POST
@need(Right.MANAGE_WEBHOOKS)
def change_webhook(request: HttpRequest, observatory: Observatory, number: int) -> HttpResponse:
    """Switch a webhook on or off, or delete it."""
    what = request.POST.get("what", "")
    verbs = {"on": "webhook.switched_on", "off": "webhook.switched_off", "delete": "webhook.deleted"}
    if what not in verbs:
        raise Http404
    with transaction.atomic():
        found = find(Webhook, observatory, pk=number)
        Event.record(verbs[what], actor=request.user, observatory=observatory, object=str(found.pk))
        if what == "delete":
            found.delete()
        else:
            found.active = what == "on"
            found.save(update_fields=["active"])
    messages.success(request, _("The webhook is deleted.") if what == "delete" else _("The webhook is changed."))
    return redirect("tokens:webhooks", observatory.slug)


# -- releases by the API -----------------------------------------------------------------------------------------------


class PinForm(forms.ModelForm[Pin]):
    """Whose releases are taken."""

    class Meta:
        model = Pin
        fields = ("identity",)
        labels = {"identity": gettext_lazy("Identity")}  # noqa: RUF012
        help_texts = {  # noqa: RUF012
            "identity": gettext_lazy("ed25519: and 64 letters or digits. Ask for it by a way that you trust.")
        }
        widgets = {"identity": forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false"})}  # noqa: RUF012


@never_cache
@require_http_methods(["GET", "POST"])
@need(Right.PUBLISH)
def incoming(request: HttpRequest, observatory: Observatory) -> HttpResponse:
    """Whose signed releases this observatory takes by the API. Where it has some, that cannot change any more."""
    fixed = observatory.shelf.exists()
    pin = Pin.objects.filter(observatory=observatory).first()
    form = PinForm(request.POST or None, instance=pin or Pin(observatory=observatory))
    if request.method == "POST" and not fixed and form.is_valid():
        with transaction.atomic():
            said = form.save(commit=False)
            said.by = _signed_in(request)
            said.save()
            detail = {"identity": said.identity}
            Event.record("identity.pinned", actor=request.user, observatory=observatory, detail=detail)
        messages.success(request, _("Releases of this identity are taken from now on."))
        return redirect("tokens:incoming", observatory.slug)
    context = {"observatory": observatory, "form": form, "fixed": fixed, "identity": identity_of(observatory)}
    return render(request, "hub/tokens/incoming.html", context, status=400 if form.errors and not fixed else 200)
