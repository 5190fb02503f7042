"""The demo from end to end: build the city, check, measure, publish, review, and say at each step what came out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from safercities import federating, observatory, publishing
from safercities.demo.city import build
from safercities.model.errors import Severity
from safercities.observatory import Observatory, Progress
from safercities.publishing import Published
from safercities.release.store import KeyStore

#: Day of publication of the demo's release. The keys are good from the same day on.
DAY = date(2026, 3, 2)


@dataclass(frozen=True)
class DemoResult:
    """The review's pages, the release, and the counts of each step."""

    review: list[Path]
    release: Path
    keys: Path
    counts: dict[str, int]


def run(folder: Path, *, say: Callable[[str], None], progress: Progress | None = None, seed: int = 2016) -> DemoResult:
    """Build the synthetic city in `folder` (new, empty, or an earlier demo) and take it all the way.

    Raises
    ------
    UsageError
        If the folder holds something else.
    """
    build(folder, seed=seed)
    city = observatory.open(folder, progress=progress)
    say(f"1  built     {city.spec.observatory.name}, a synthetic city, in {folder}/")
    problems = city.check()
    read, kept, rejected = (sum(counts[key] for counts in city.rows().values()) for key in ("read", "kept", "rejected"))
    say(f"2  checked   {read:,} rows read = {kept:,} kept + {rejected:,} rejected; {len(problems)} remarks")
    measured = city.build()
    say(f"3  measured  {len(measured.estimates):,} estimates in {measured.folder}/ (private)")
    made, keys = publish(city)
    withheld = len(made.estimates.where(conf_status="N"))
    say(f"4  published {len(made.estimates):,} estimates, {withheld:,} of them withheld, in {made.folder}/")
    say(f"             signed by keys of the demo's own, in {keys.folder.parent}/")
    review = city.review(measured.estimates)
    say(f"5  reviewed  {review[0]} (private)")
    errors = sum(p.severity is Severity.ERROR for p in problems)
    counts = {"read": read, "kept": kept, "rejected": rejected, "errors": errors, "estimates": len(measured.estimates)}
    counts |= {"published": len(made.estimates), "withheld": withheld}
    return DemoResult(review, made.folder, keys.folder, counts)


def publish(city: Observatory) -> tuple[Published, KeyStore]:
    """Publish the city as if for the first time, on a day that is always the same, with keys of its own.

    What an earlier demo published in the folder is removed: it was of inputs that were built anew.

    Parameters
    ----------
    city
        A synthetic city that was built just now.
    """
    for name in (publishing.RELEASES, federating.PRIVATE):
        shutil.rmtree(city.folder / name, ignore_errors=True)
    keys = keys_of(city.folder, city.place.id)
    if not keys.exists:
        keys.make(DAY)
    return publishing.publish(city, published=DAY, keys=keys), keys


def keys_of(folder: Path, place: str) -> KeyStore:
    """The demo's keys: beside its folder, for they must never lie in it; never those of the user.

    Examples
    --------
    >>> keys_of(Path("demo-city"), "XA-SAN").folder.as_posix()
    'demo-city-keys/XA-SAN'
    """
    beside = folder.resolve() if folder.name in ("", "..") else folder
    return KeyStore.open(place, beside.with_name(f"{beside.name}-keys") / place)
