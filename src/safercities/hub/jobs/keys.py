"""The keys that the hub signs an observatory's releases with: its own, and never those of another observatory."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from safercities.hub.models import Observatory as Row
from safercities.model.errors import SafercitiesError, problem
from safercities.release.store import FOLDER_VARIABLE

if TYPE_CHECKING:
    from safercities.observatory import Observatory
    from safercities.release.store import KeyStore


def keys_of(row: Row, observatory: Observatory, today: date) -> tuple[KeyStore, bool]:
    """The keys, made now where nothing was published yet; and whether they were made.

    Raises
    ------
    SafercitiesError
        If observatory.toml names another place (whoever edits it would sign in that place's name), the keys are
        another observatory's, or there are releases but no keys.
    """
    from safercities.release.desk import first_keys

    place = observatory.place.id
    if place != row.place_id:
        raise SafercitiesError(problem("job-other-place", file="observatory.toml", found=place, wanted=row.place_id))
    others = Row.objects.filter(place_id=place).exclude(pk=row.pk)
    if not row.shelf.exists() and others.filter(shelf__isnull=False).exists():
        raise SafercitiesError(problem("job-foreign-keys", place=place))
    if not os.environ.get(FOLDER_VARIABLE):
        folder = Path(settings.HOME) / "keys"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ[FOLDER_VARIABLE] = str(folder)
    return first_keys(place, row.releases, today)
