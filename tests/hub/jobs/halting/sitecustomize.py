"""Has the process of a job halt at one place. Python runs this first in all processes that have it on PYTHONPATH.

`HALT_AT` names the place: the code of a step, once the job's row says it; or, with a slash in it, a pattern of paths,
just before one of them is opened. `HALT_IN` is a file that is there while it halts, and says its number.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def halt_at(place: str, file: str) -> None:
    """Halt this process where it comes there, once."""
    from fnmatch import fnmatch

    been = False

    def come(where: object) -> None:
        nonlocal been
        if not been and fnmatch(str(where), place):
            been = True
            _halt(file)

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            come(args[0])

    if "/" in place:
        sys.addaudithook(look)
    else:
        _after_each_step(come)


def _halt(file: str) -> None:
    import time

    with open(f"{file}.new", "w") as out:  # noqa: PTH123 (before anything of size is loaded)
        out.write(str(os.getpid()))
    os.replace(f"{file}.new", file)  # noqa: PTH105
    while os.path.exists(file):  # noqa: PTH110
        time.sleep(0.01)


def _after_each_step(come: Any) -> None:
    """Have it look once a step is in the job's row: as soon as what writes there is loaded."""
    from importlib.machinery import PathFinder

    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any, target: Any = None) -> Any:
            spec = PathFinder.find_spec(name, path, target) if name == "safercities.hub.jobs.queue" else None
            if spec is None or spec.loader is None:
                return None
            load = spec.loader.exec_module

            def loaded(module: Any) -> None:
                load(module)
                say = module.Hold.say

                def said(hold: Any, **fields: Any) -> None:
                    say(hold, **fields)
                    come(str(fields.get("step", "")).partition("|")[0])

                module.Hold.say = said

            spec.loader.exec_module = loaded  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder)


if "HALT_AT" in os.environ and "safercities.hub.jobs.child" in sys.orig_argv:
    halt_at(os.environ["HALT_AT"], os.environ["HALT_IN"])
