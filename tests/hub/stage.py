"""States of the hub with which several tests begin: the first one makes them by real jobs, the others get a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Model

from safercities.hub.models import Event, Job, Observatory, Proposal, Release, User
from safercities.hub.published import index

#: What jobs write, in the order in which it can be put back.
WRITTEN = (Job, Proposal, Release, Event)
#: What came of it: a copy of the folders, where they were, and the rows.
_KEPT: dict[str, tuple[Path, Path, list[tuple[type[Model], dict[str, Any]]]]] = {}


def begin(name: str, observatory: Observatory, make: Callable[[], object]) -> None:
    """Have happen what `make` does, in an observatory where nothing has happened yet; else just do it.

    A copy is taken only where everything is as it was when it was made: every file beside the observatory, its row, the
    people with their numbers, and the setting of the hub that proposals ask for. On PostgreSQL numbers never come back,
    and all is made anew.

    Parameters
    ----------
    name
        What is done: another name for something else.
    observatory
        Its folder lies in a folder of the test, with its keys beside it.
    """
    if any(model.objects.exists() for model in WRITTEN):
        make()
        return
    here, key = observatory.path.parent, _key(name, observatory)
    shown = index(observatory)
    if key not in _KEPT:
        shutil.rmtree(shown, ignore_errors=True)
        others = _others()
        make()
        assert _others() == others, "only what jobs write is put back"
        copy = Path(os.environ["SAFERCITIES_HUB_HOME"]) / "staged" / str(len(_KEPT))
        shutil.copytree(here, copy / "here")
        if shown.exists():
            shutil.copytree(shown, copy / "shown")
        rows = [(model, row) for model in WRITTEN for row in model.objects.order_by("pk").values()]
        _KEPT[key] = copy, here, rows
        return
    copy, there, rows = _KEPT[key]
    shutil.rmtree(here)
    shutil.copytree(copy / "here", here)
    shutil.rmtree(shown, ignore_errors=True)
    if (copy / "shown").exists():
        shutil.copytree(copy / "shown", shown)
    for model, row in rows:
        model(**_moved(row, f"{there}/", f"{here}/")).save_base(raw=True, force_insert=True)


def _moved(said: Any, there: str, here: str) -> Any:
    """The same, with other paths."""
    if isinstance(said, dict):
        return {name: _moved(each, there, here) for name, each in said.items()}
    if isinstance(said, list):
        return [_moved(each, there, here) for each in said]
    return said.replace(there, here) if isinstance(said, str) else said


def _key(name: str, observatory: Observatory) -> str:
    """All that decides what comes of it, but the hour."""
    here = observatory.path.parent
    files = [
        (str(path.relative_to(here)), sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in sorted(here.rglob("*"))
    ]
    people = list(User.objects.order_by("pk").values_list("pk", "email", "name"))
    return repr((name, date.today(), files, _row(observatory), people, settings.TWO_PERSON))


def _row(observatory: Observatory) -> dict[str, Any]:
    row = Observatory.objects.filter(pk=observatory.pk).values().get()
    return {name: value for name, value in row.items() if name not in ("folder", "created")}


def _others() -> dict[str, list[Any]]:
    """Rows of the hub that jobs do not write."""
    models = [model for model in apps.get_app_config("hub").get_models() if model not in (*WRITTEN, User)]
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}
