"""Fixtures of the workbench's tests: an observatory with a folder, an analyst at work, a city's messy file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.conftest import MakeUser
from safercities.config import write_template
from safercities.hub.models import Observatory, Role, User
from safercities.hub.workbench.document import Document

#: Latin-1, decimal commas, day first, codes that nobody explained, a date that is none, a formula, a script.
MESSY = """Fecha del hecho;Género;Edad;Longitud;Latitud;Delito;Caso
23/04/2023;Hombre;34;-75,57;6,25;Homicidio;1
24/04/2023;Mujer;-1;-75,58;6,24;Homicidio;2
31/02/2023;Mujer;20;-75,58;6,24;Homicidio;3
25/04/2023;Zz;41;-75,56;6,26;Homicidio;4
26/04/2023;<script>alert(1)</script>;7;-75,56;6,26;Homicidio;5
27/04/2023;=HYPERLINK("http://x");8;-75,56;6,26;Homicidio;6
28/04/2023;Mujer;15;-75,55;6,27;Años atrás;7
""".encode("latin-1")


@pytest.fixture(autouse=True)
def quarantine(tmp_path: Path, settings) -> Path:
    """An empty quarantine, and a hub's home of its own."""
    folder = tmp_path / "home" / "uploads"
    folder.mkdir(parents=True)
    settings.HOME, settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "home", str(folder)
    return folder


@pytest.fixture
def town(city: Observatory) -> Observatory:
    """An observatory as `safercities init` leaves it."""
    write_template(city.path)
    document = Document.read(city.path)
    about = document.data["observatory"] | {"name": "City", "place": "XA-CIT"}
    document.with_table("observatory", about).save(document.version)
    return city


@pytest.fixture
def analyst(town: Observatory, make_user: MakeUser) -> User:
    """Somebody who works on it."""
    return make_user("analyst", Role.ANALYST, observatory=town)
