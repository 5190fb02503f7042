"""A chain in one .zip: verified as a chain, and attacked as a whole, as the folder that it was made of."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from release.made_release import CITY, code, content, keys, rows
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.release import desk
from safercities.release.attacked import attack_releases
from safercities.release.write import write_release

SAFE = {"method": "suppression", "minimum_count": 5}


def of_sexes(**shown: int | None) -> Estimates:
    """Counts of the whole city by sex; None is withheld."""
    (total,) = [row for row in rows() if (row["place"], row["sex"], row["method"]) == (CITY.id, "_T", "count")]
    made: list[dict[str, Any]] = []
    for sex, n in shown.items():
        told = {"value": float(n), "n": n, "n_positive": n} if n is not None else {"conf_status": "N"}
        kept = {name: value for name, value in total.items() if name not in ("value", "n", "n_positive", "coverage")}
        made.append({**kept, "sex": sex, **told, "conf_status": "N" if n is None else "F"})
    return Estimates.from_rows(made).sort()


def chain(tmp_path: Path) -> Path:
    """Two releases, each safe by itself; from both, three men follow."""
    store, releases = keys(tmp_path / "keys"), tmp_path / "city" / "releases"
    labels = {"sex": (("_T", "Total"), ("F", "Female"), ("M", "Male"), ("O", "Other"))}
    said = replace(content(rules=SAFE), dimensions=labels)
    write_release(replace(said, estimates=of_sexes(_T=30, F=None, M=None, O=20)), releases, store)
    write_release(replace(said, estimates=of_sexes(_T=30, F=7, M=None, O=None)), releases, store)
    return releases


def zipped(releases: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(releases.rglob("*")):
            if path.is_file():
                archive.write(path, prefix + str(path.relative_to(releases)))
    return target


@pytest.mark.parametrize("prefix", ["", "releases/"])
def test_a_chain_in_a_zip_is_verified_as_its_folder_is(tmp_path: Path, prefix: str) -> None:
    releases = chain(tmp_path)
    packed = desk.verified(zipped(releases, tmp_path / "all.zip", prefix))
    folder = desk.verified(releases)
    assert packed.chain
    assert desk.told(packed) == desk.told(folder)
    assert [each.warnings for each in packed.releases] == [each.warnings for each in folder.releases]
    assert [each.path for each in packed.releases] == [tmp_path / "all.zip" / name for name in ("2024-1", "2024-2")]


def test_one_release_in_its_folder_in_a_zip(tmp_path: Path) -> None:
    releases = chain(tmp_path)
    one = zipped(releases / "2024-1", tmp_path / "one.zip")
    assert not desk.verified(one).chain
    first = zipped(releases / "2024-1", tmp_path / "first.zip", "2024-1/")
    assert not desk.verified(first).chain
    with zipfile.ZipFile(first, "a") as archive:  # as the folder of a chain of one has it
        archive.writestr(".2024-1.lock", "")
        archive.writestr("2024-1/", "")
    assert desk.verified(first).chain
    deep = zipped(releases / "2024-1", tmp_path / "deep.zip", "releases/2024-1/")
    assert desk.verified(deep).chain
    assert len(desk.verified(deep).releases) == 1


def test_planted_what_two_releases_tell_together_is_found_however_they_are_packed(tmp_path: Path) -> None:
    releases = chain(tmp_path)
    each = [releases / "2024-1", releases / "2024-2"]
    assert all(attack_releases([one]).openings == () for one in each)
    packed = zipped(releases, tmp_path / "all.zip")
    singles = [zipped(one, tmp_path / f"{one.name}.zip") for one in each]
    for given in ([releases], each, [packed], [packed, releases], singles):
        assert [(one.kind, one.lower, one.upper) for one in attack_releases(given).openings] == [("withheld", 3, 3)]


def test_a_chain_in_a_zip_that_lacks_one_or_holds_more_is_refused(tmp_path: Path) -> None:
    releases = chain(tmp_path)
    lacking = zipped(releases, tmp_path / "more.zip")
    with zipfile.ZipFile(lacking, "a") as archive:
        archive.writestr("2024-1/evil.py", "x")
    wanted = {"more.zip": "archive-unsafe", "second.zip": "chain-gap"}
    zipped(releases / "2024-2", tmp_path / "second.zip", "releases/2024-2/")
    for name, problem in wanted.items():
        with pytest.raises(SafercitiesError) as caught:
            desk.verified(tmp_path / name)
        assert code(caught) == problem
    (releases / "2024-1" / "README.md").write_text("other")
    altered = zipped(releases, tmp_path / "altered.zip")
    for check in (desk.verified, lambda path: attack_releases([path])):
        with pytest.raises(SafercitiesError) as caught:
            check(altered)
        assert code(caught) == "release-altered"
