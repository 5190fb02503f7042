"""Read files in a process of its own, as the worker or as a page does, and say how much memory it took at most."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Bytes of addresses that the process may have: where a bound does not hold, it fails, and not the machine.
ADDRESSES = 12 * 2**30
#: Megabytes that may be taken: what reading needs by itself, and something over.
MOST = 600

_CHILD = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
from safercities.collect.file_spec import FileSpec
from safercities.collect.read import read_table
from safercities.hub.workbench.sampling import TooLargeError, sampled
from safercities.model.errors import SafercitiesError

def read(name):
    spec = FileSpec(file=name)
    try:
        if sys.argv[2] == "collect":
            return ["", read_table(spec, Path(sys.argv[1])).table.num_rows, True]
        with sampled(spec, Path(sys.argv[1])) as (part, base, whole):
            return ["", read_table(part, base).table.num_rows, whole]
    except TooLargeError:
        return ["too-large", 0, False]
    except SafercitiesError as error:
        return [error.problems[0].code, 0, False]

for name in sys.argv[4:]:
    told = read(name)
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    print(json.dumps([*told, peak]), flush=True)
"""


@dataclass(frozen=True)
class Read:
    """What came of a file: the problem's code, or rows and whether they are all; and megabytes taken until then."""

    code: str
    rows: int
    whole: bool
    peak: int


def read_all(folder: Path, names: list[str], how: str = "collect") -> list[Read]:
    """Read the files one after the other; `how`: collect, or sample."""
    command = [sys.executable, "-c", _CHILD, str(folder), how, str(ADDRESSES), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = [Read(*json.loads(line)) for line in done.stdout.splitlines()]
    assert len(told) == len(names), f"{names[len(told)]}: {done.returncode} {done.stderr[-1000:]}"
    return told
