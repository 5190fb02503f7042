"""The attack on waves of surveys that were published more than once: a correction is held against what it corrects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from safercities.disclose.attack_public import Opening, Published
from safercities.disclose.attack_rows import kind_of
from safercities.disclose.attack_surveys import label_of, width_of
from safercities.disclose.attack_system import Answer
from safercities.disclose.survey_groups import definitions
from safercities.disclose.survey_rows import Domain
from safercities.disclose.survey_versions import Rules, attack_versions, each_with_others
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.estimates import Estimates

#: A release, and its rows of one wave.
Version = tuple[Published, Estimates]


def attack_waves(releases: Sequence[Published], wanted: int | None) -> tuple[Answer, list[Opening]]:
    """What follows of respondents, cases and others from several versions of a wave together, and of what changed.

    Versions that say the same are one. Each version by itself is looked at by `attack_surveys`.

    Parameters
    ----------
    releases
        Oldest first.
    wanted
        How many further values must be possible; None: as the rules of the releases say.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end: then nothing is proved.
    """
    answer, openings = Answer(), list[Opening]()
    for versions in _waves(releases):
        for chosen in each_with_others(len(versions)):
            for told, found in _attacked([versions[at] for at in chosen], wanted):
                answer.add(told)
                openings += [Opening("survey", one.aim.label, one.lower, one.upper, one.aim.width) for _, one in found]
    return answer, list(dict.fromkeys(openings))


def _attacked(versions: Sequence[Version], wanted: int | None) -> Iterator[tuple[Answer, list]]:  # type: ignore[type-arg]
    rows = [one for _, one in versions]
    names = list(dict.fromkeys(name for one in rows for name in one.dimensions))
    listed = {one.id: one for release, _ in versions for one in release.places}
    places = [one for one in listed.values() if not one.id.startswith(f"{UNKNOWN}.")]

    def rules(number: int, one: Domain) -> Rules:
        published = versions[number][0]
        by = [name for name, code in zip(names, one.key[1:], strict=True) if code != TOTAL]
        k = published.minimum(one.series[2], by)
        return Rules(k, published.width(k, wanted), int(width_of(published.rules, np.array([k]))[0]))

    def label(number: int, one: Domain) -> str:
        return f"{label_of(versions[number][0], names, one)} (versions together)"

    yield from attack_versions(rows, rules, places, definitions(), label, quick=True)


def _waves(releases: Sequence[Published]) -> list[list[Version]]:
    """The versions of each wave that was published more than once, not twice in the same way."""
    found: dict[tuple[str, str, str], list[Version]] = {}
    said: set[object] = set()
    for one in releases:
        table = one.estimates.table
        kinds = zip(table.column("method").to_pylist(), table.column("unit").to_pylist(), strict=True)
        rows = Estimates(table.filter(pa.array([kind_of(str(m), str(u)) == "survey" for m, u in kinds], pa.bool_())))
        pairs = rows.table.group_by(["source", "period"]).aggregate([]).to_pylist()
        for source, period in sorted((str(pair["source"]), str(pair["period"])) for pair in pairs):
            mine = rows.where(source=source, period=period)
            key = one.place, source, period
            content = key, frozenset(frozenset(_told(row).items()) for row in mine.rows())
            if content not in said:
                said.add(content)
                found.setdefault(key, []).append((one, mine))
    return [versions for versions in found.values() if len(versions) > 1]


def _told(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if value is not None and value != TOTAL}
