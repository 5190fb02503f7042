"""`kill -9` at any moment of publishing: the former state stands, and the next run succeeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from release.made_release import content, keys
from safercities.release.chain import verify_chain
from safercities.release.manifest import FILES
from safercities.release.write import write_release

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX thing")

#: Publishes the second release again and again, each time in a process that dies at another moment: at the nth time
#: that something is opened, made, renamed or removed. Prints these moments, and how many there are.
DYING = """
import os, shutil, signal, sys
sys.path.insert(0, sys.argv[1])
from datetime import date
from pathlib import Path
import openpyxl, pyarrow.parquet, pyarrow.csv, jinja2  # once, not in each process
import cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.serialization
from release.made_release import content
from safercities.release.store import KeyStore
from safercities.release import people, sdmx, workbook, write
base = Path(sys.argv[2])
store = KeyStore.open("CO-MDE", base / "keys")
EVENTS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "fcntl.flock", "tempfile.mkdtemp"}

def publish(folder, last):
    seen = 0
    def count(event, args):
        nonlocal seen
        if event in EVENTS and str(folder) in str(args[0]):
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
    sys.addaudithook(count)
    write.write_release(content("2025", published=date(2025, 9, 1)), folder, store)
    return seen

def in_a_process(folder, last):
    shutil.copytree(base / "first" / "releases", folder)
    child = os.fork()
    if not child:
        seen = publish(folder, last)
        (base / "seen").write_text(str(seen))
        os._exit(0)
    return os.waitpid(child, 0)[1]

assert in_a_process(base / "whole" / "releases", -1) == 0
moments = int((base / "seen").read_text())
chosen = sorted({*range(0, moments, max(moments // 7, 1)), *range(moments - 6, moments)})  # the swap is at the end
for moment in chosen:
    status = in_a_process(base / f"city{moment}" / "releases", moment)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
print(moments, *chosen)
"""


def test_killed_at_many_moments(tmp_path):
    store = keys(tmp_path / "keys")
    first = write_release(content("2024"), tmp_path / "first" / "releases", store)
    former = {path.name: path.read_bytes() for path in first.iterdir()}
    tests = str(Path(__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", DYING, tests, str(tmp_path)], check=True, capture_output=True, text=True
    )
    moments, *chosen = map(int, run.stdout.split())
    assert moments > 30  # before, in and after the writing of each file
    ends = set()
    for moment in chosen:
        releases = tmp_path / f"city{moment}" / "releases"
        assert {path.name: path.read_bytes() for path in (releases / "2024-1").iterdir()} == former
        chain = verify_chain(releases, identity=store.identity)  # whatever lies about, readers see whole releases
        ends.add(len(chain))
        done = write_release(content("2025", published=date(2025, 9, 1)), releases, store)
        assert done == releases / "2025-2"
        assert len(verify_chain(releases, identity=store.identity)) == 2
        shown = sorted(path.name for path in releases.iterdir() if not path.name.endswith(".lock"))
        assert shown == ["2024-1", "2025-2"]
        assert sorted(path.name for path in (releases / "2025-2").iterdir()) == sorted(FILES)
        shutil.rmtree(releases.parent)
    assert ends == {1, 2}
