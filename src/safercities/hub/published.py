"""The published figures of an observatory, as pages and the API ask for them, and how they are kept up to date."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from safercities.hub.figures import Figures, build
from safercities.hub.figures.current import has_index
from safercities.hub.models import Observatory
from safercities.hub.models.shelf import sync


def index(observatory: Observatory) -> Path:
    """Folder of its index."""
    return Path(settings.HOME) / "figures" / observatory.slug


def figures(observatory: Observatory) -> Figures | None:
    """What is published of it; None before the first release."""
    folder = index(observatory)
    return Figures.open(folder) if has_index(folder) else None


def refresh(observatory: Observatory) -> None:
    """Verify the releases on disk, and have pages and the API show them. Slow for large ones: for jobs.

    Raises
    ------
    SafercitiesError
        If a release does not hold; what was shown before goes on being shown.
    """
    from safercities.hub.public.geo import refresh_geo  # it asks for what is published

    build(index(observatory), sync(observatory))
    refresh_geo(observatory)
