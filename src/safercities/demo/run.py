"""The demo from end to end: build the city, check, measure, review, and say at each step what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safercities import observatory
from safercities.demo.city import build
from safercities.model.errors import Severity
from safercities.observatory import Progress


@dataclass(frozen=True)
class DemoResult:
    """The review's pages, and the counts of each step."""

    review: list[Path]
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
    say(f"3  measured  {len(measured.estimates):,} estimates in {measured.folder}/")
    review = city.review(measured.estimates)
    say(f"4  reviewed  {review[0]}")
    errors = sum(p.severity is Severity.ERROR for p in problems)
    counts = {"read": read, "kept": kept, "rejected": rejected, "errors": errors, "estimates": len(measured.estimates)}
    return DemoResult(review, counts)
