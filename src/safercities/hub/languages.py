"""The hub's languages: catalogues of texts (`locale/<language>/LC_MESSAGES/*.po`), compiled when they changed.

`django.po` holds the texts of the hub itself, `catalogue.po` those of the layers below it (see `texts`).
gettext reads compiled catalogues only. They are no source, and the package may lie where nobody may write: so they are
made in the hub's home, at the first start after a change. Babel makes them; GNU gettext is not needed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path

#: Domains: the texts of the hub itself, as Django calls them, and those of the layers below it.
OWN, TEXTS = "django", "catalogue"
#: Where a catalogue lies below a folder of languages.
CATALOGUE = "{language}/LC_MESSAGES/{domain}.{kind}"


def sources() -> dict[tuple[str, str], bytes]:
    """Language (as gettext names it: zh_Hans) and domain → the catalogue, as it is written."""
    found: dict[tuple[str, str], bytes] = {}
    for folder in files(__package__).joinpath("locale").iterdir():
        for domain in (OWN, TEXTS):
            file = folder.joinpath("LC_MESSAGES", f"{domain}.po")
            if file.is_file():
                found[folder.name, domain] = file.read_bytes()
    return dict(sorted(found.items()))


def compile_catalogues(target: Path) -> Path:
    """Compile each catalogue that changed since; gives the folder, for Django's LOCALE_PATHS.

    Several processes may start at once: each file appears whole or not at all.
    """
    for (language, domain), text in sources().items():
        compiled = target / CATALOGUE.format(language=language, domain=domain, kind="mo")
        mark, seal = compiled.with_suffix(".sha256"), hashlib.sha256(text).hexdigest()
        if not (compiled.is_file() and mark.is_file() and mark.read_text(encoding="ascii") == seal):
            compiled.parent.mkdir(parents=True, exist_ok=True)
            _write(compiled, _compiled(text, language))
            _write(mark, seal.encode("ascii"))
    return target


def _compiled(text: bytes, language: str) -> bytes:
    """A catalogue as gettext reads it; doubtful (fuzzy) texts are left out."""
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    out = BytesIO()
    write_mo(out, read_po(BytesIO(text), locale=language))
    return out.getvalue()


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
    Path(name).replace(path)
