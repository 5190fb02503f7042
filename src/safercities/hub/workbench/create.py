"""Begins an observatory: a folder in the hub's home, with the same observatory.toml that `safercities init` writes."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from safercities.config import write_template
from safercities.hub.access import Right, need_in_hub
from safercities.hub.models import Event, Observatory
from safercities.hub.models.work import SLUG, TAKEN
from safercities.hub.workbench.document import Document
from safercities.model.errors import SafercitiesError


def folders() -> Path:
    """Where the observatories lie that were begun in the workbench."""
    return Path(settings.HOME) / "observatories"


class New(forms.Form):
    """What has to be known of an observatory at its beginning."""

    name = forms.CharField(label=_("Name of the place"), max_length=200, help_text=_("As people there write it."))
    slug = forms.CharField(
        label=_("Name in addresses"),
        max_length=60,
        validators=[SLUG],
        help_text=_("Small letters a–z, digits and hyphens. It cannot be changed later."),
    )
    place = forms.CharField(
        label=_("Code of the place"),
        max_length=100,
        help_text=_("ISO 3166-2, LOCODE or your own, as CO-MDE. It stands in every release."),
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages of its reviews"), choices=settings.LANGUAGES, widget=forms.CheckboxSelectMultiple
    )
    public = forms.BooleanField(
        label=_("Anybody may read what is published"),
        required=False,
        help_text=_("Without it only its members may. Files and drafts are never public."),
    )

    def clean_slug(self) -> str:
        """Free, and no word with another meaning."""
        slug = str(self.cleaned_data["slug"])
        if slug in TAKEN or Observatory.objects.filter(slug=slug).exists() or (folders() / slug).exists():
            raise ValidationError(_("This name is taken."))
        return slug


@require_http_methods(["GET", "HEAD", "POST"])
@need_in_hub(Right.CREATE_OBSERVATORY)
def new(request: HttpRequest) -> HttpResponse:
    """Begin an observatory."""
    form = New(
        request.POST if request.method == "POST" else None, initial={"languages": [get_language()], "public": True}
    )
    if form.is_valid():
        try:
            return redirect("workbench:observatory", begin(request, form.cleaned_data).slug)
        except (SafercitiesError, IntegrityError, OSError) as error:
            said = str(error) if isinstance(error, SafercitiesError) else _("It could not be begun: the name is taken.")
            form.add_error(None, said)
    return render(request, "hub/work/new.html", {"form": form}, status=400 if form.is_bound else 200)


def begin(request: HttpRequest, said: dict[str, Any]) -> Observatory:
    """Make the folder and its place in the hub: both, or neither.

    Raises
    ------
    SafercitiesError
        If a name or code is not one that observatory.toml takes.
    """
    folders().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder, fresh = folders() / said["slug"], folders() / f".new-{secrets.token_hex(8)}"
    fresh.mkdir(mode=0o700)
    try:
        write_template(fresh)
        document = Document.read(fresh)
        about = document.data["observatory"] | {"name": said["name"], "place": said["place"]}
        document.with_table("observatory", about | {"languages": said["languages"]}).save(document.version)
        (fresh / ".observatory.toml.lock").unlink(missing_ok=True)
        with transaction.atomic():
            made = Observatory.objects.create(
                slug=said["slug"],
                folder=str(folder),
                name=said["name"],
                place_id=said["place"],
                public=said["public"],
                demo=settings.DEMO,
            )
            detail = {"public": made.public}
            Event.record("observatory.created", actor=request.user, observatory=made, object=made.slug, detail=detail)
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return made
