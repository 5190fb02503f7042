"""Protecting one source: which changes are shown, which cells disclose an attribute, what the journal keeps."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_base import Counts, K, entry, made
from safercities.disclose import journal
from safercities.disclose.base import Axis
from safercities.disclose.counts import attributes, revised
from safercities.disclose.journal import Frame, Record
from safercities.disclose.plan import PlannedTable
from safercities.model.errors import SafercitiesError

BEFORE = [[12, 3], [20, 0]]


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        ([[13, 3], [20, 0]], [[12, 3], [20, 0]]),  # one more: not shown
        ([[17, 3], [20, 0]], [[17, 3], [20, 0]]),  # five more: shown
        ([[12, 4], [20, 9]], [[12, 3], [20, 0]]),  # from 0…5 to 9: some of the class are less than five away
        ([[12, 9], [20, 10]], [[12, 3], [20, 10]]),  # from 0…5 to 10: none is, and the class decides, not the count
        ([[1, 3], [20, 0]], [[1, 3], [20, 0]]),
        ([[7, 3], [16, 0]], [[7, 3], [20, 0]]),
    ],
)
def test_changes_of_fewer_than_k_are_not_shown(now: Counts, shown: Counts) -> None:
    assert revised(made(now), entry(made(BEFORE), made(BEFORE).counts)).reshape(2, 2).tolist() == shown


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=4, max_size=4), st.lists(st.integers(0, 40), min_size=4, max_size=4))
def test_what_is_shown_is_the_old_count_or_one_at_least_k_away(old: list[int], new: list[int]) -> None:
    before, now = made([old[:2], old[2:]]), made([new[:2], new[2:]])
    found = revised(now, entry(before, before.counts))
    changed = found != before.counts
    assert (np.abs(found - before.counts)[changed] >= K).all()
    assert (found[changed] == now.counts[changed]).all()
    again = revised(now, entry(replace(before, counts=found), found))  # publishing once more changes nothing
    assert (again == found).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_whether_a_change_is_shown_does_not_tell_small_counts_apart(old: list[int], new: list[int]) -> None:
    now = made([new[:2], new[2:]])
    one, other = made([old[:2], old[2:]]), made([[0, 0], [0, 0]])
    shown = [revised(now, entry(base, base.counts)) == now.counts for base in (one, other)]
    large = now.counts > K
    assert (shown[0][large] == shown[1][large]).all()


def test_a_wider_count_that_has_changed_little_is_kept_in_its_parts() -> None:
    now = made([[12, 6, 3]])
    before = replace(now, axes=(), counts=np.array([20]))
    assert revised(now, entry(before, before.counts)).tolist() == [11, 6, 3]
    late = replace(now, axes=(), counts=np.array([30]))
    assert revised(now, entry(late, late.counts)).tolist() == [12, 6, 3]


def test_a_code_that_was_not_there_before_is_new_only_with_many_cases() -> None:
    before, now = made([[12, 6]]), made([[12, 6, 3]])
    assert revised(now, entry(before, before.counts)).tolist() == [12, 6, 0]
    assert revised(made([[12, 6, 30]]), entry(before, before.counts)).tolist() == [12, 6, 30]


def test_a_group_of_which_everybody_is_one_thing_is_found() -> None:
    base = made([[12, 0], [20, 30]])
    base = replace(base, axes=(Axis("migration", ("MIGRANT", "_U")),))
    table = PlannedTable("recorded.robbery", "1", "ward", ("migration",))
    family = base.family([table])
    hit = attributes(base, family, [table], base.counts, ["migration"])
    assert [family.label(cell) for cell in np.flatnonzero(hit)] == ["Robbery, MIGRANT, A, 2024"]
    assert not attributes(base, family, [table], base.counts, ["sex"]).any()
    unknown = replace(base, axes=(Axis("migration", ("_U", "MIGRANT")),))
    assert not attributes(
        unknown, family, [table], base.counts, ["migration"]
    ).any()  # that nothing is known is nothing


# -- journal -----------------------------------------------------------------------------------------------------------


def record(number: int = 1, seal: str = "a" * 64) -> Record:
    base = made(BEFORE)
    family = base.family([PlannedTable("recorded.robbery", "1", "ward", ("sex",))])
    return Record(number, seal, (entry(base, base.counts), entry(base, tables=family)), {"withheld": []})


def test_the_journal_gives_back_what_it_was_given(tmp_path: Path) -> None:
    journal.write(tmp_path / "journal", record())
    rounded, suppressed = journal.read(tmp_path / "journal", 1, "a" * 64) or ()
    assert rounded.frame.find(made(BEFORE)).tolist() == [0, 1, 2, 3]
    assert rounded.effective.tolist() == [12, 3, 20, 0]
    assert rounded.rounded is not None
    assert rounded.cells is None
    assert suppressed.published.toarray().tolist() == np.eye(4).tolist()
    assert stat.S_IMODE((tmp_path / "journal" / "1").stat().st_mode) == 0o700
    assert (tmp_path / "journal" / "1" / ".gitignore").read_text().endswith("*\n")


def test_what_a_killed_run_left_of_another_release_is_not_read(tmp_path: Path) -> None:
    journal.write(tmp_path, record())
    assert journal.read(tmp_path, 1, "b" * 64) is None
    assert journal.read(tmp_path, 2, "a" * 64) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"format": "safercities-journal/1"}'])
def test_a_damaged_journal_is_refused(tmp_path: Path, damage: bytes) -> None:
    journal.write(tmp_path, record())
    (tmp_path / "1" / "journal.json").write_bytes(damage)
    with pytest.raises(SafercitiesError, match="journal is damaged"):
        journal.read(tmp_path, 1, "a" * 64)


def test_a_journal_whose_counts_are_damaged_is_refused(tmp_path: Path) -> None:
    journal.write(tmp_path, record())
    (tmp_path / "1" / "counts.npz").write_bytes(b"PK no archive")
    with pytest.raises(SafercitiesError, match="journal is damaged"):
        journal.read(tmp_path, 1, "a" * 64)
    told = json.loads((tmp_path / "1" / "journal.json").read_text())
    assert told["number"] == 1


def test_leaves_are_found_again_by_what_they_mean() -> None:
    frame = Frame.of(made(BEFORE))
    turned = replace(made([[3, 12], [0, 20]]), axes=(Axis("sex", ("M", "F")),))
    assert frame.find(turned).tolist() == [1, 0, 3, 2]
