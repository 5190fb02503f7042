"""How commands speak: results and JSON on standard output, all else on standard error, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, TextIO

import typer

from safercities.model.errors import Problem, SafercitiesError, Severity, problem, refused

#: What several commands take.
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="An observatory: a folder that holds observatory.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")]
#: How a day is written.
DAY = ["%Y-%m-%d"]
_STOPPED = "Stopped. What was there before is unchanged."


def run(app: Callable[[], object]) -> None:
    """Run the command line; the exit code is 0 for ok, 1 where the data are wrong, 2 where the call is wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name may hold letters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        say(_STOPPED)
        sys.exit(130)
    except OSError as error:  # standard output is a file on a full disk
        say(f"error: {refused(error)}")
        sys.exit(1)


@contextmanager
def guarded(as_json: bool) -> Iterator[None]:
    """Turn the data's faults into a list on standard error and the right exit code."""
    try:
        yield
    except SafercitiesError as error:
        raise _stop(as_json, error) from None
    except KeyboardInterrupt:  # here, for typer would leave without a word
        say(_STOPPED)
        raise typer.Exit(130) from None
    except MemoryError:
        raise _stop(as_json, SafercitiesError(problem("memory-short"))) from None
    except UnicodeEncodeError:
        raise _stop(as_json, SafercitiesError(problem("letters-unknown"))) from None
    except BrokenPipeError:  # whoever read our output has gone: no fault of the data
        raise
    except OSError as error:
        raise _stop(as_json, SafercitiesError(refused(error))) from None


def _stop(as_json: bool, error: SafercitiesError) -> typer.Exit:
    """Say what is wrong; gives the way out with its exit code."""
    if as_json:
        print_json({"ok": False, "problems": [as_dict(p) for p in error.problems]})
    else:
        print_problems(error.problems, sys.stderr)
    return typer.Exit(error.exit_code)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal, nothing in a pipe."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=max(total, 1))


def tally(problems: Sequence[Problem]) -> str:
    """How many problems of each severity, in words."""
    counts = {kind: sum(p.severity is kind for p in problems) for kind in Severity}
    words = [f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in counts.items() if number]
    return ", ".join(words) or "Nothing is wrong."


def print_problems(problems: Iterable[Problem], stream: TextIO) -> None:
    """A line a problem: where, what, what to do."""
    for item in problems:
        print(f"{item.severity}: {item}", file=stream)


def warn(problems: Iterable[Problem]) -> None:
    """The problems that are more than notes, on standard error: the command went on."""
    print_problems((item for item in problems if item.severity is not Severity.NOTE), sys.stderr)


def of_sources(rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A sentence a source: rows read = rows kept + rows rejected."""
    return [
        f"{name}: {each['read']:,} rows read = {each['kept']:,} kept + {each['rejected']:,} rejected"
        for name, each in rows.items()
    ]


def as_dict(item: Problem) -> dict[str, object]:
    """A problem as `--json` shows it."""
    return {
        "code": item.code,
        "severity": str(item.severity),
        "file": item.file,
        "row": item.row,
        "column": item.column,
        "rows": item.rows,
        "what": item.what,
        "todo": item.todo,
    }


def print_json(value: object) -> None:
    """The one object of `--json`."""
    print(json.dumps(value, ensure_ascii=False, indent=1))  # noqa: T201


def done(as_json: bool, value: dict[str, object], text: str | None = None) -> None:
    """The result of a command that went well: as JSON, or as text where there is something to say."""
    if as_json:
        print_json({"ok": True, **value})
    elif text is not None:
        print(text)  # noqa: T201


def say(line: str) -> None:
    """A line for whoever waits: on standard error, so that what is piped holds the result alone."""
    print(line, file=sys.stderr)  # noqa: T201


def browse(path: Path) -> None:
    """Open a page in the browser where there is one; its address stands in the terminal either way."""
    import webbrowser

    address = path.resolve().as_uri()
    print(address)  # noqa: T201
    webbrowser.open(address)
