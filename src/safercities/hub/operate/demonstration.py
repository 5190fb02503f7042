"""The last step of `safercities demo`: the hub on the demo city, in a home of its own, for whoever sits there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path

from safercities import terminal
from safercities.hub import options
from safercities.hub.operate import serving, starting
from safercities.model.errors import UsageError, problem
from safercities.release.store import FOLDER_VARIABLE

#: Marks a home that a demonstration made, and the next one may clear.
MARK = ".demonstration"
#: What people name as their browser where none is to open: nobody looks at the pages then.
_NO_BROWSER = frozenset({"true", "/bin/true", "/usr/bin/true", ":", "none"})


def show(
    city: Path,
    keys: Path,
    review: Path,
    *,
    browse: bool = True,
    stay: bool = True,
    say: Callable[[str], None] = terminal.say,
) -> None:
    """Serve the demo city; where nobody sits at a terminal, try the hub out and end.

    Parameters
    ----------
    city
        Folder of the demo city.
    keys
        Folder of its keys.
    review
        The page of its review: opened instead, where the hub is not installed or not built.
    stay
        Whether to stay if somebody is there.

    Raises
    ------
    SafercitiesError
        If the hub does not start, or does not answer.
    """
    try:
        starting.require_packages()
        starting.require_frontend()
    except UsageError as missing:
        say(f"6  no hub    {missing}")
        if browse:
            terminal.browse(review)
        return
    home = fresh_home(city)
    settle_environment(os.environ, home, keys)
    say("6  serving   the city on this machine: the pages for everybody need no account; /demo/role/ gives you one")
    there = stay and somebody_is_there()
    port = serving.any_port(serving.PORT)
    serving.serve([city], home=home, port=port, browse=browse and there, stay=there, say=say)


def fresh_home(city: Path) -> Path:
    """An empty home beside the city. That of an earlier demonstration goes: its releases were made anew.

    Raises
    ------
    UsageError
        If something else is in its place.
    """
    beside = city.resolve()
    home = beside.with_name(f"{beside.name}-hub")
    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise UsageError(problem("hub-demo-home", file=str(home)))
    if home.is_dir() and any(home.iterdir()):
        if not (home / MARK).is_file():
            raise UsageError(problem("hub-demo-home", file=str(home)))
        with serving.only_one(home):
            pass
        shutil.rmtree(home)
    options.make_home(home)
    (home / MARK).touch()
    return home


def settle_environment(environ: MutableMapping[str, str], home: Path, keys: Path) -> None:
    """Only what it needs: the settings of a hub in earnest, its database above all, are none of its business."""
    level = environ.get(f"{options.PREFIX}LOG_LEVEL", "WARNING")
    for option in options.OPTIONS:
        environ.pop(options.PREFIX + option.name, None)
    environ.update(
        {
            f"{options.PREFIX}LOG_LEVEL": level,
            f"{options.PREFIX}DEMO": "1",
            starting.HOME_VARIABLE: str(home),
            FOLDER_VARIABLE: str(keys.resolve()),
        }
    )


def somebody_is_there() -> bool:
    """Whether there is a terminal to press Ctrl-C on, and a browser that was not switched off."""
    ends = (sys.stdin, sys.stderr)
    return all(end is not None and end.isatty() for end in ends) and os.environ.get("BROWSER") not in _NO_BROWSER
