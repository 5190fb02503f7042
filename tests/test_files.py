"""Outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities import files
from safercities.model.errors import SafercitiesError


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_finished_block_replaces_the_folder(tmp_path):
    target = tmp_path / "build"
    for text in ("first", "second"):
        with files.replace_folder(target) as work:
            (work / "a.txt").write_text(text)
        assert content(target) == {"a.txt": text}
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["build"]


def test_a_failed_block_leaves_the_earlier_output(tmp_path):
    target = tmp_path / "build"
    with files.replace_folder(target) as work:
        (work / "a.txt").write_text("first")
    with contextlib.suppress(RuntimeError), files.replace_folder(target) as work:
        (work / "a.txt").write_text("half")
        raise RuntimeError
    assert content(target) == {"a.txt": "first"}


def test_a_second_run_at_the_same_time_is_refused(tmp_path):
    target = tmp_path / "build"
    with (
        files.replace_folder(target),
        pytest.raises(SafercitiesError, match="another run"),
        files.replace_folder(target),
    ):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from safercities import files
step = int(sys.argv[2])
calls = 0
real = Path.rename
def rename(self, to):
    global calls
    if calls == step:
        os.kill(os.getpid(), signal.SIGKILL)
    calls += 1
    return real(self, to)
Path.rename = rename
with files.replace_folder(Path(sys.argv[1])) as work:
    (work / "a.txt").write_text("second")
    (work / "b.txt").write_text("second")
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX thing")
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_killed_at_each_rename_it_is_whole_after_recovery(tmp_path, step):
    target = tmp_path / "build"
    with files.replace_folder(target) as work:
        (work / "a.txt").write_text("first")
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(target), str(step)], check=False)
    assert run.returncode == (-signal.SIGKILL if step < 3 else 0)  # three renames: ready, old, new
    files.recover(target)
    whole = {"a.txt": "second", "b.txt": "second"}
    assert content(target) == ({"a.txt": "first"} if step == 0 else whole)
    with files.replace_folder(target) as work:
        (work / "c.txt").write_text("third")
    assert content(target) == {"c.txt": "third"}
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["build"]


def test_a_reader_finishes_a_swap_that_was_cut_short(tmp_path):
    for name in ("2023", "2024"):
        (tmp_path / f".{name}.ready").mkdir()
        (tmp_path / f".{name}.ready" / "a.txt").write_text(name)
    (tmp_path / "2023").mkdir()
    found = files.unfinished(tmp_path)
    assert found == [tmp_path / "2023", tmp_path / "2024"]
    with files.locked(found[0]):  # somebody is at work there
        files.settle(found[0])
        assert content(found[0]) == {}
    for target in found:
        files.settle(target)
        assert content(target) == {"a.txt": target.name}
    assert files.unfinished(tmp_path) == []


@given(st.text())
def test_no_cell_begins_a_formula(text):
    cell = files.as_text(text)
    if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        float(cell)  # only a number may begin with a sign


def test_csv_cells_that_look_like_formulas_are_text(tmp_path):
    path = tmp_path / "t.csv"
    files.write_csv(path, ["=a", "b"], [['=cmd|"/c calc"!A1', -1.5], ["@x", None]])
    assert path.read_text() == '\'=a,b\n"\'=cmd|""/c calc""!A1",-1.5\n\'@x,\n'


@pytest.mark.parametrize("kind", ["file", "link", "own"])
def test_what_no_run_has_made_is_never_replaced(tmp_path, kind):
    target, elsewhere = tmp_path / "build", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("mine")
    if kind == "file":
        target.write_text("mine")
    elif kind == "link":
        target.symlink_to(elsewhere)
    else:
        elsewhere.rename(target)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SafercitiesError, match="no run has made it"), files.replace_folder(target, mark="made.json"):
        pass
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != ".build.lock"] == before


def test_a_marked_folder_is_replaced_and_a_private_one_is_for_its_owner_only(tmp_path):
    target = tmp_path / "build"
    for text in ("first", "second"):
        with files.replace_folder(target, mark="made.json", private=True) as work:
            (work / "made.json").write_text(text)
        assert content(target) == {"made.json": text}
    if os.name != "nt":
        assert target.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("begin", [*"=+-@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_begins_as_a_formula(begin):
    assert files.as_text(f"{begin}1+cmd|x") == f"'{begin}1+cmd|x"
