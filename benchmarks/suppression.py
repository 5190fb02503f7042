"""Suppression of families of tables, proved; beside pytauargus (τ-Argus with HiGHS) on those that it can do.

    .venv/bin/python -m benchmarks.suppression [--cases a b c d …] [--seed 1] [--limit 600] [--peer-limit 120] [--small]

Cases (see publishing_data.py): (a) 2×6×5×20 places in 5 districts, all margins; (b) 2×6×5×4×20, all margins; (c) its
tables of up to three axes; (d) those of 2×6×5×4×3×20; 3 000 people each. Before them three small tables, at a size that
the peer's exact method can solve. k = 5, W = 2, zeros are protected like all counts below k.

Columns: how many of the cells of k and more are withheld, and their share; seconds to protect; seconds to prove the
pattern again from nothing, in a process of its own; cells below k that an attacker knows exactly, and those that he
knows more closely than W; peak memory of the process that protects. Below ours: seconds of its steps, how many cells
repair withheld, the narrowest width that the proof shows, and how many other withheld cells that may be below k (they
look alike) are too narrow. The peer gets the same cells to protect at a cost of 1 for every other: OPT is its exact
method, MOD its heuristic for hierarchical tables; our auditor proves what they withhold.

Each contender runs in its own process, and is ended after its limit. 1 where ours missed an aim, or is not safe.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.publishing_data import CASES, DISTRICT, MINIMUM, Case

Mask = NDArray[np.bool_]
#: Seconds in which a case is to be protected, the proof included.
AIMS = {"a": 10.0, "b": 60.0, "d": 30.0}
#: What `--small` runs, and its seconds for each method of the peer.
QUICK = 30.0
SMALL = ["2-way", "3-way", "3-way+", "a"]
#: The peer is asked about single tables of up to four axes: more its heuristic does not take.
PEERS = ["2-way", "3-way", "3-way+", "a"]


def protect(case: Case, seed: int, pattern: Path) -> dict[str, Any]:
    """Ours: time of each step, and what is withheld."""
    import highspy  # noqa: F401 (loaded before the clock starts)
    import scipy.sparse.linalg  # noqa: F401

    from safercities.disclose import suppress as steps

    counts, spent = case.counts(seed), dict[str, float]()
    for name in ("_eliminate", "_openings", "_repair"):
        setattr(steps._Work, name, _timed(getattr(steps._Work, name), name[1:], spent))
    start = time.perf_counter()
    family = case.family()
    found = steps.suppress(family, counts)
    spent["protect"] = time.perf_counter() - start
    np.save(pattern, found.published)
    cells = {"cells": family.cells, "primary": int(found.primary.sum()), "repaired": int(found.repaired.sum())}
    return {**spent, **cells, "withheld": int(found.secondary.sum())}


def _timed(step: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same step, its seconds added up."""

    def run(*words: Any) -> Any:
        start = time.perf_counter()
        try:
            return step(*words)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

    return run


def prove(case: Case, seed: int, pattern: Path) -> dict[str, Any]:
    """Our auditor on any pattern: seconds, and which withheld cells below k are known too well, by how much.

    Proved wide enough is every withheld cell that may be below k for all that an attacker knows: they all look alike.
    """
    from safercities.disclose.knowledge import Knowledge
    from safercities.disclose.marginal import Marginal
    from safercities.disclose.prove import Prover
    from safercities.disclose.suppress import default_width

    counts, family, published = case.counts(seed), case.family(), np.load(pattern)
    total, withheld = family.counts(counts), np.flatnonzero(~published)
    start = time.perf_counter()
    at, targets = np.flatnonzero(published), family.matrix[withheld]
    known = Knowledge.of(family.leaves).plus(family.matrix[at], total[at].astype(float))
    width = default_width(family.minimum)
    cells = Marginal(family, counts, width, published)
    prover = Prover(known, targets, width[withheld], truth=counts, cells=cells if cells.fewer else None)
    openings = prover.openings()
    spent = time.perf_counter() - start
    small = (total < family.minimum)[withheld]
    narrow = [one for one in openings if small[one.target]]
    like = sum(not small[one.target] and one.lower < MINIMUM for one in openings)
    least = int(prover.points.width()[small].min())
    exactly = sum(one.lower == one.upper for one in narrow)
    return {"proof": spent, "narrow": len(narrow), "pinned": exactly, "like": like, "width": least}


def peer(method: str, case: Case, seed: int, pattern: Path) -> dict[str, Any]:
    """What pytauargus withholds for the same primary cells."""
    from tests.disclose.argus import Cube, Task, modular, optimal

    from safercities.disclose.suppress import default_width

    counts, family = case.counts(seed), case.family()
    primary = family.counts(counts) < MINIMUM
    task = Task(family, counts, primary, default_width(family.minimum))
    start = time.perf_counter()
    if method == "OPT":
        [published] = optimal([task], pattern.parent)
    else:
        published = modular(task, Cube(case.shape, DISTRICT), pattern.parent)
    if published is None:
        raise SystemExit("no pattern")
    np.save(pattern, published)
    return {"protect": time.perf_counter() - start, "withheld": int((~published & ~primary).sum())}


CONTENDERS: dict[str, Callable[[Case, int, Path], dict[str, Any]]] = {
    "ours": protect,
    "proof": prove,
    "OPT": lambda *words: peer("OPT", *words),
    "MOD": lambda *words: peer("MOD", *words),
}


def one(name: str, case: Case, seed: int, pattern: Path) -> None:
    """Run a contender in this process and print what came out as JSON."""
    found = CONTENDERS[name](case, seed, pattern)
    peak = max(resource.getrusage(whose).ru_maxrss for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({**found, "peak": peak / 1024}))


def run(name: str, case: str, seed: int, pattern: Path, limit: float) -> dict[str, Any] | None:
    """The same in a process of its own; None after the limit."""
    words = ["--one", name, "--cases", case, "--seed", str(seed), "--pattern", str(pattern)]
    command = [sys.executable, "-m", "benchmarks.suppression", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as work:
        try:
            out, wrong = work.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(work.pid, signal.SIGKILL)  # with the process that the peer's solver works in
            return None
    if work.returncode:
        raise SystemExit(f"{name} failed on {case}:\n{wrong}")
    return dict(json.loads(out.splitlines()[-1]))


def compare(name: str, said: argparse.Namespace, peers: bool) -> bool:
    """Ours on one case, then the peer's methods; whether ours is proved, and kept to its aim."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        pattern = Path(folder, "pattern.npy")
        us = run("ours", name, said.seed, pattern, said.limit)
        proof = run("proof", name, said.seed, pattern, said.limit) if us else None
        told = "×".join(str(size) for size in case.shape)
        if us is None or proof is None:
            print(f"\n({name}) {told}: {'no proof' if us else 'no pattern'} in {said.limit:g} s", flush=True)
            return False
        free = us["cells"] - us["primary"]
        ways = "all margins" if case.full else f"up to {case.most} axes"
        print(f"\n({name}) {told}, {ways}: {case.people:,} people, {us['cells']:,} cells, {free:,} could be published")
        print(f"{'':8}{'withheld':>9}{'share':>7}{'protect s':>11}{'proof s':>9}{'pinned':>8}{'< W':>6}{'peak MB':>9}")
        _row("ours", us, proof, free)
        steps = ", ".join(f"{label} {us.get(key, 0.0):.1f} s" for key, label in STEPS.items())
        print(f"{'':8}{steps} ({us['repaired']} cells); proof again {proof['peak']:.0f} MB; ", end="")
        print(f"narrowest width shown {proof['width']}; too narrow of the others {proof['like']}", flush=True)
        for method in ("OPT", "MOD") if peers and name in PEERS else ():
            _peer(method, name, said, Path(folder, f"{method}.npy"), free)
    safe = proof["narrow"] + proof["like"] == 0
    return bool(safe and us["protect"] <= AIMS.get(name, np.inf))


STEPS = {"eliminate": "elimination", "openings": "proof", "repair": "repair"}


def _peer(method: str, name: str, said: argparse.Namespace, pattern: Path, free: int) -> None:
    found = run(method, name, said.seed, pattern, said.peer_limit)
    audit = run("proof", name, said.seed, pattern, said.limit) if found else None
    if found is None or audit is None:
        print(f"{method:8}{'no result' if found is None else 'no audit'} in {said.peer_limit:g} s", flush=True)
    else:
        _row(method, found, audit, free)


def _row(name: str, found: dict[str, Any], audit: dict[str, Any], free: int) -> None:
    """What was withheld, in what time, and what our auditor says of it."""
    share = f"{found['withheld'] / free:7.1%}"
    times = f"{found['protect']:11.1f}{audit['proof']:9.1f}"
    print(
        f"{name:8}{found['withheld']:9}{share}{times}{audit['pinned']:8}{audit['narrow']:6}{found['peak']:9.0f}",
        flush=True,
    )


def main() -> int:
    """Every case; 1 where ours missed an aim or is not safe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600, help="seconds for ours and for each proof")
    parser.add_argument("--peer-limit", type=float, default=120, help="seconds for each method of the peer")
    parser.add_argument("--small", action="store_true", help=f"only {', '.join(SMALL)}")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--pattern", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        one(said.one, CASES[said.cases[0]], said.seed, said.pattern)
        return 0
    peers = find_spec("pytauargus") is not None
    if said.small:
        said.cases, said.peer_limit = SMALL, min(said.peer_limit, QUICK)
    if not peers:
        print("pytauargus is not installed: not compared")
    good = [compare(name, said, peers) for name in said.cases]
    aims = ", ".join(f"({name}) {limit:g} s" for name, limit in AIMS.items())
    print(f"\naims (all proved safe; {aims}): {'kept' if all(good) else 'NOT KEPT'}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
