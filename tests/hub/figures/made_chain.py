"""A chain of signed releases of a small city, with corrections and a withdrawal; its rows in force, the slow way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from release.made_release import CITY, DISTRICTS, content, keys, rows
from safercities.indicators.catalogue import indicator
from safercities.model.estimates import Estimates
from safercities.release.chain import latest, verify_chain
from safercities.release.content import Series
from safercities.release.store import KeyStore
from safercities.release.verify import Verified, open_release
from safercities.release.write import write_release

TODAY = date(2026, 1, 1)
KEY = ("indicator", "version", "source", "unit", "method", "period", "place")
#: Codes that would do harm if they became part of a SQL text, a formula or a line of a file.
STRANGE = ("x' OR '1'='1", 'a"b; DROP TABLE wide; --', "=1+1", "ñ\u202e")
#: A value that stands only in releases that were superseded.
WRONG = 424242.0


@dataclass
class City:
    """A city that publishes."""

    keys: KeyStore
    releases: Path
    day: int = 0

    def publish(self, period: str, found: list[dict[str, Any]], **changes: Any) -> Path:
        """Publish these rows."""
        self.day += 1
        estimates = Estimates.from_rows(found, ["sex"])
        names = {name: sorted({row.get(name, "_T") for row in found} | {"_T"}) for name in estimates.dimensions}
        labels = {name: tuple((code, f"{name} {code}") for code in codes) for name, codes in names.items()}
        sources = sorted({row["source"] for row in found})
        series = tuple(Series(name, f"Source {name}", "incidents", "victims", None) for name in sources)
        made = content(
            period,
            estimates=estimates,
            dimensions=labels,
            series=series,
            published=date(2025, 3, self.day),
            denominators=(),
            indicators={code: indicator(code) for code in {row["indicator"] for row in found}},
        )
        made = replace(made, **changes)
        return write_release(made, self.releases, self.keys, today=TODAY)

    @property
    def chain(self) -> list[Verified]:
        """All releases, verified."""
        return verify_chain(self.releases, identity=self.keys.identity, today=TODAY)


def new_city(folder: Path) -> City:
    """A city without releases."""
    return City(keys(folder / "keys"), folder / "city" / "releases")


def full_city(folder: Path) -> City:
    """A city with a past: 2022; 2023, wrong and corrected; 2024, which repeats a part of 2023 in other numbers."""
    city = new_city(folder)
    robberies = [row | {"indicator": "recorded.robbery"} for row in rows("2022") if row["place"] == DISTRICTS[0].id]
    city.publish("2022", [*rows("2022"), *robberies])
    wrong = [row | ({"value": WRONG} if row.get("value") is not None else {}) for row in rows("2023")]
    city.publish("2023", [*wrong, *strange("2023")])
    last = city.chain[-1].id
    right = [row for row in rows("2023") if row["place"] != DISTRICTS[1].id]  # the second district is withdrawn
    city.publish("2023", right, supersedes=last, reason="counted twice; Santa Cruz is withdrawn")
    again = [changed(row) for row in rows("2023") if row["place"] == CITY.id]
    city.publish("2024", [*again, *rows("2024"), *strange("2024")])
    city.publish("2024-Q4", [row | {"age": age} for row in rows("2024-Q4") for age in ("_T", "Y5T9", "Y10T14")])
    return city


def changed(row: dict[str, Any]) -> dict[str, Any]:
    """The row as a later release says it: another number, or withheld now."""
    if row["sex"] == "F":
        gone = {"value": None, "n": None, "n_positive": None, "coverage": None, "conf_status": "N"}
        return row | gone
    return row | ({"value": row["value"] + 5} if row.get("value") is not None else {})


def strange(period: str) -> list[dict[str, Any]]:
    """Rows of another source, with codes and texts that mean harm, and without unit or method."""
    (one, *_) = rows(period)
    base = one | {"source": "strange", "note": "=HYPERLINK(1)"}
    units = [base | {"unit": unit, "method": unit} for unit in (*STRANGE, None)]
    return [*units, *(base | {"sex": sex} for sex in STRANGE)]


def in_force(chain: list[Verified]) -> pa.Table:
    """All rows in force with the number of their release: releases that nothing corrects, the last one wins."""
    whole: dict[tuple[Any, ...], dict[str, Any]] = {}
    parts = [(each.number, open_release(each.path).estimates) for each in latest(chain)]
    together = Estimates.concat(part for _, part in parts)
    numbers = [number for number, part in parts for _ in range(len(part))]
    for row, number in zip(together.rows(), numbers, strict=True):
        key = tuple(row[name] for name in (*KEY, *together.dimensions))
        whole[key] = row | {"release": number}
    target = together.table.schema.append(pa.field("release", pa.int32()))
    return pa.Table.from_pylist(list(whole.values()), schema=target)


def as_set(table: pa.Table) -> set[tuple[Any, ...]]:
    """The rows, whatever their order and number."""
    names = [name for name in sorted(table.column_names) if name != "row"]
    found = [tuple(row[name] for name in names) for row in table.to_pylist()]
    assert len(found) == len(set(found))
    return set(found)
