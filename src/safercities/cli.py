"""The command line: thin commands, no logic. Heavy imports stay inside the commands, so that --help is instant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safercities import cli_keys, terminal
from safercities.model.errors import Severity
from safercities.terminal import DAY, Folder, Json

if TYPE_CHECKING:
    from safercities.indicators.numerators import Material
    from safercities.observatory import Observatory

app = typer.Typer(
    name="safercities",
    help="Monitor, understand and improve urban safety: from raw records to numbers that can be defended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich's markdown takes longer to load than the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)


class MadeOf(StrEnum):
    """What `indicators --made-of` takes: the words that people use."""

    RECORDS = "records"
    SURVEY = "survey"
    AUDITS = "audits"
    INDICATORS = "indicators"

    @property
    def material(self) -> Material:
        """The catalogue's word."""
        words: dict[MadeOf, Material] = {
            MadeOf.RECORDS: "incidents",
            MadeOf.SURVEY: "survey",
            MadeOf.AUDITS: "audits",
            MadeOf.INDICATORS: "estimates",
        }
        return words[self]


def main() -> None:
    """Run the command line; the exit code is 0 for ok, 1 where the data are wrong, 2 where the call is wrong."""
    terminal.run(app)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to build it: a new or empty folder, or an earlier demo.")
    ] = Path("demo-city"),
    serve_: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Stay, and serve the hub; or only try it out.")
    ] = True,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the hub in a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Build a synthetic city, measure and publish it, and open the hub on it."""
    from safercities.demo.run import run

    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        result = run(folder, say=(lambda line: None) if as_json else terminal.say, progress=progress)
    made = {"review": [str(path) for path in result.review], "release": str(result.release), "keys": str(result.keys)}
    terminal.done(as_json, {"folder": str(folder), **made, **result.counts})
    if not as_json:
        from safercities.hub.operate import demonstration

        with terminal.guarded(as_json):
            demonstration.show(folder, result.keys.parent, result.review[0], browse=open_, stay=serve_)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the observatory begins.")], as_json: Json = False
) -> None:
    """Begin an observatory: a commented observatory.toml to fill in."""
    from safercities.config import write_template

    with terminal.guarded(as_json):
        path = write_template(folder)
    terminal.done(
        as_json, {"written": str(path)}, f"{path} is written. Fill it in, then run: safercities check {folder}"
    )


@app.command()
def check(folder: Folder, as_json: Json = False) -> None:
    """List what is wrong in the files: where, what, what to do."""
    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        observatory = _open_observatory(folder, progress)
        problems = observatory.check()
        rows = observatory.rows()
    bad = [p for p in problems if p.severity is Severity.ERROR]
    if as_json:
        terminal.print_json({"ok": not bad, "sources": rows, "problems": [terminal.as_dict(p) for p in problems]})
    else:
        terminal.print_problems(problems, sys.stdout)
        print("\n".join([*terminal.of_sources(rows), terminal.tally(problems)]))  # noqa: T201
    raise typer.Exit(1 if bad else 0)


@app.command()
def measure(
    folder: Folder,
    indicator: Annotated[
        list[str] | None,
        typer.Option(
            "--indicator",
            "-i",
            metavar="CODE",
            help="Only this indicator; may be repeated. DIR/build then holds no others.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the numbers, with intervals, to DIR/build (private)."""
    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        observatory = _open_observatory(folder, progress)
        measured = observatory.build(*(indicator or ()))
        rows = observatory.rows()
    counts = {"estimates": len(measured.estimates), "folder": str(measured.folder), "sources": rows}
    if not as_json:
        terminal.warn(measured.problems)
        for line in terminal.of_sources(rows):
            terminal.say(line)
    terminal.done(
        as_json,
        counts,
        f"{len(measured.estimates):,} estimates in {measured.folder} (private: before disclosure control)",
    )


@app.command()
def review(
    folder: Folder,
    published: Annotated[
        bool, typer.Option("--published", help="Of what was published, as anybody may see it, instead.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the review in a browser.")] = False,
    as_json: Json = False,
) -> None:
    """Measure, and write the State of Safety review (private)."""
    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        written = _open_observatory(folder, progress).review(published=published)
    terminal.done(as_json, {"written": [str(path) for path in written]}, "\n".join(map(str, written)))
    if open_:
        terminal.browse(written[0])


@app.command()
def publish(
    folder: Folder,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=DAY, metavar="DATE", help="Day of publication; default: today."),
    ] = None,
    supersedes: Annotated[
        str | None, typer.Option("--supersedes", metavar="ID", help="The release that this one corrects.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it corrects that one. Public.")] = None,
    as_json: Json = False,
) -> None:
    """Protect, attack and sign the numbers, and write them to DIR/releases."""
    from safercities.release import desk

    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        observatory = _open_observatory(folder, progress)
        on = day.date() if day else date.today()
        store, made = desk.first_keys(observatory.place.id, folder / "releases", on)
        if made:
            terminal.say(desk.advice(store))
        found = observatory.publish(published=on, reason=reason, supersedes=supersedes)
    withheld = len(found.estimates.where(conf_status="N"))
    if not as_json:
        terminal.warn(found.problems)
    counts = {"folder": str(found.folder), "estimates": len(found.estimates), "withheld": withheld}
    counts |= {"identity": store.identity, "problems": [terminal.as_dict(p) for p in found.problems]}
    terminal.done(
        as_json, counts, f"{len(found.estimates):,} estimates, {withheld:,} of them withheld, in {found.folder}"
    )


@app.command()
def attack(
    releases: Annotated[
        list[Path],
        typer.Argument(metavar="RELEASE", help="Folders or .zip files of a release, or of all releases."),
    ],
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="CSV of true numbers that somebody knows: indicator, source, place, period, dimensions, n.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width", min=1, metavar="N", help="How many further values must be possible; default: as released."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the attacker on releases: what can be deduced of protected numbers."""
    from dataclasses import asdict

    from safercities.disclose import words
    from safercities.release.attacked import attack_releases

    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        report = attack_releases(releases, known=known, width=width, progress=progress)
    if as_json:
        terminal.print_json({"ok": not report.openings, **asdict(report)})
    else:
        print("\n".join(words.told(report)))  # noqa: T201
    raise typer.Exit(1 if report.openings else 0)


@app.command()
def verify(
    release: Annotated[
        Path,
        typer.Argument(metavar="RELEASE", help="A release, or all releases (a chain): a folder or a .zip."),
    ],
    identity: Annotated[
        str | None, typer.Option("--identity", metavar="FINGERPRINT", help="Whose it must be: ed25519:…")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify releases: signatures, hashes, content, and that none is missing."""
    from safercities.release import desk

    with terminal.guarded(as_json):
        checked = desk.verified(release, identity=identity)
        rows = desk.told(checked)
    warnings = list(dict.fromkeys(p for each in checked.releases for p in each.warnings))
    if not as_json:
        terminal.print_problems(warnings, sys.stderr)
    said: dict[str, object] = {
        "chain": checked.chain,
        "releases": rows,
        "problems": [terminal.as_dict(p) for p in warnings],
    }
    terminal.done(as_json, said, "\n".join([*desk.sentences(rows), f"identity {rows[0]['identity']}: all of it holds"]))


@app.command()
def fetch(
    folder: Folder,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Only these; default: all that have an address.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Get the releases of others by their addresses, into DIR/private."""
    from safercities import federating

    with terminal.guarded(as_json), terminal.progress(as_json) as progress:
        found = federating.fetch(_open_observatory(folder, progress), *(sources or ()))
    rows = [{"file": str(one.path), "url": one.url, "at": one.at, "sha256": one.sha256} for one in found]
    lines = [f"{one.url}: {one.path}" for one in found]
    terminal.done(as_json, {"fetched": rows}, "\n".join(lines) or "No source has an address: nothing was to be got.")


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="HOME",
        help="The hub's own folder: accounts, jobs. Default: $SAFERCITIES_HUB_HOME, or ~/.local/share/safercities/hub.",
    ),
]


@app.command()
def serve(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Observatories. Those of earlier times are known still.")
    ] = None,
    home: Home = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: any that is free.")
    ] = 8000,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Serve the hub: public pages, workbench and API, on this machine."""
    from safercities.hub.operate import serving

    with terminal.guarded(False):
        serving.serve(folders or [], home=home, host=host, port=port, browse=browser)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: a .tar.gz.")],
    home: Home = None,
    with_keys: Annotated[
        bool, typer.Option("--keys", help="Also the keys that sign releases and sessions: whoever has them is you.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy the hub, also while it runs: database, observatories, releases."""
    from safercities.hub.operate import backing_up

    with terminal.guarded(as_json):
        made = backing_up.back_up(file, home=home, keys=with_keys)
    if not as_json:
        terminal.warn(made.problems)
    size = f"{made.bytes / 1e6:,.1f} MB in {made.files:,} files"
    terminal.done(as_json, made.told(), f"{made.file}: {size}, {made.observatories} observatories")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` wrote.")],
    home: Annotated[Path, typer.Option("--home", metavar="HOME", help="A new or empty folder.")],
    as_json: Json = False,
) -> None:
    """Make a hub of a backup, in a new home."""
    from safercities.hub.operate import restoring

    with terminal.guarded(as_json):
        made = restoring.restore(file, home)
    if not as_json:
        terminal.warn(made.problems)
    text = (
        f"{home} holds {made.observatories} observatories as of {made.created}. Next: safercities serve --home {home}"
    )
    terminal.done(as_json, made.told(), text)


app.add_typer(cli_keys.app, name="keys")


@app.command()
def indicators(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="Explain this one, as sdg.16.1.3.")] = None,
    made_of: Annotated[
        MadeOf | None, typer.Option("--made-of", help="List only those that are made of this.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the indicators, or explain one."""
    from safercities.indicators import catalogue

    material = made_of.material if made_of else None
    with terminal.guarded(as_json):
        if code is None:
            entries = [entry for entry in catalogue.catalogue().values() if material in (None, entry.on().made_of)]
            text = catalogue.listing(material)
        else:
            entries, text = [catalogue.indicator(code)], catalogue.explain(catalogue.indicator(code))
    if as_json:
        terminal.print_json(
            [entry.model_dump(mode="json") for entry in entries] if code is None else entries[0].model_dump(mode="json")
        )
    else:
        print(text)  # noqa: T201


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    from safercities import __version__

    terminal.done(as_json, {"version": __version__}, __version__)


# -- what several commands do ------------------------------------------------------------------------------------------


def _open_observatory(folder: Path, progress: Callable[[str, int, int], None]) -> Observatory:
    from safercities import observatory

    return observatory.open(folder, progress=progress)
