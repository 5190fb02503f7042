"""`safercities keys …`: the keys that sign releases. As in `cli`, heavy imports stay inside the commands."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from safercities import terminal
from safercities.terminal import DAY, Folder, Json

if TYPE_CHECKING:
    from pathlib import Path

    from safercities.release.store import KeyStore

app = typer.Typer(help="Make, show, rotate and distrust the keys that sign releases.", no_args_is_help=True)


@app.command("make")
def keys_make(folder: Folder, as_json: Json = False) -> None:
    """Make a root key and a first signing key."""
    from safercities.release import desk

    with terminal.guarded(as_json):
        store = _keys(folder)
        store.make(date.today())
    terminal.done(as_json, {"folder": str(store.folder), "identity": store.identity}, desk.advice(store))


@app.command("show")
def keys_show(folder: Folder, as_json: Json = False) -> None:
    """Show the identity, where the keys are, and which of them may sign."""
    with terminal.guarded(as_json):
        _show_keys(_keys(folder), as_json)


@app.command("rotate")
def keys_rotate(
    folder: Folder,
    day: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAY, metavar="DATE", help="First day of the new key; default: today."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a new signing key; the one in use signs that day for the last time."""
    with terminal.guarded(as_json):
        store = _keys(folder)
        store.rotate(day.date() if day else date.today())
        _show_keys(store, as_json)


@app.command("distrust")
def keys_distrust(
    folder: Folder,
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="Of the signing key: ed25519:…")],
    day: Annotated[
        datetime,
        typer.Option(
            "--from", formats=DAY, metavar="DATE", help="What it signed as published from then on is refused."
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why: it was stolen, lost. Public.")],
    as_json: Json = False,
) -> None:
    """Say that a signing key is not to be believed from a day on."""
    with terminal.guarded(as_json):
        store = _keys(folder)
        store.distrust(fingerprint, day.date(), reason)
        _show_keys(store, as_json)


def _keys(folder: Path) -> KeyStore:
    """The keys of an observatory's place."""
    from safercities.config import load
    from safercities.release.store import KeyStore

    return KeyStore.open(load(folder).observatory.place)


def _show_keys(store: KeyStore, as_json: bool) -> None:
    from safercities.release import desk

    ledger = store.ledger
    rows = desk.keys_told(ledger, date.today())
    said: dict[str, object] = {"folder": str(store.folder), "identity": ledger.identity, "keys": rows}
    lines = [f"identity {ledger.identity}", f"in {store.folder}", *desk.keys_sentences(rows)]
    terminal.done(as_json, said, "\n".join(lines))
