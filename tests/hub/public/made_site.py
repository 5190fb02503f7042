"""An observatory of the hub, from a folder that has releases."""

from __future__ import annotations

from pathlib import Path

from hub.shown import show
from safercities.hub.models import Observatory

PLACE = "CO-MDE"
HOMICIDE = "sdg.16.1.1"


def shelve(slug: str, folder: Path, *, public: bool = True, name: str = "Medellín <b>") -> Observatory:
    """Show the releases of a folder in the hub."""
    made = Observatory.objects.create(slug=slug, name=name, place_id=PLACE, folder=str(folder), public=public)
    show(made, folder)
    return made
