"""Registers observatory folders with the hub, and gets their published figures ready."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from safercities import config
from safercities.hub.models import Event, Observatory
from safercities.hub.models.work import TAKEN
from safercities.hub.published import refresh
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.release.store import KeyStore

_LONGEST = 50


def slug_of(name: str, place: str) -> str:
    """A name for addresses: of the observatory's name, or of its place where that has no Latin letters.

    Examples
    --------
    >>> slug_of("Medellín (2025)", "CO-MDE"), slug_of("مدينة", "XA-MAD")
    ('medellin-2025', 'xa-mad')
    """
    for text in (name, place):
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-")
        if made:
            return made
    return "observatory"


def register(folder: Path) -> Observatory:
    """Make a folder known; one that is known already keeps its name in addresses and who may do what.

    Raises
    ------
    SafercitiesError
        If it is no observatory, or one of real data while everybody may take any role.
    """
    path = folder.expanduser().resolve()
    said = config.load(path).observatory
    if settings.DEMO and not said.synthetic:
        raise UsageError(problem("hub-demo-real", file=str(folder)))
    with transaction.atomic():
        known = Observatory.objects.filter(folder=str(path)).first()
        if known is not None:
            return known
        made = Observatory.objects.create(
            slug=_unused(slug_of(said.name, said.place)),
            folder=str(path),
            name=said.name,
            place_id=said.place,
            demo=settings.DEMO,
        )
        Event.record("observatory.created", observatory=made, object=made.slug)
    return made


def _unused(wanted: str) -> str:
    taken = TAKEN | set(Observatory.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    return next(name for name in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def show(observatories: Sequence[Observatory], say: Callable[[str], None]) -> list[Problem]:
    """Have pages and the API show what the observatories have published; give what does not hold.

    Releases that do not verify are left out, with what was shown before still there: the hub starts all the same.
    """
    problems: list[Problem] = []
    for each in observatories:
        if not each.releases.is_dir() or not any(each.releases.iterdir()):
            say(f"{each.name}: nothing is published yet")
            continue
        try:
            refresh(each)
        except SafercitiesError as error:
            problems += error.problems
    return problems


def keys_elsewhere(observatories: Sequence[Observatory], home: Path) -> list[Problem]:
    """Warn where somebody's own keys would be looked for in vain."""
    usual = Path("~/.config/safercities/keys").expanduser()
    found = []
    for each in observatories:
        here = KeyStore.open(each.place_id).folder
        there = usual / here.name
        if not here.exists() and there.is_dir():
            where: dict[str, Any] = {"folder": there, "parent": usual, "home": home / "keys"}
            found.append(problem("hub-keys-elsewhere", file=each.folder, place=each.place_id, **where))
    return found
