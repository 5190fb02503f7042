"""A peer: pytauargus (τ-Argus with HiGHS) asked to suppress the cells of our families, and read back.

Its solvers leave files in the current folder, print, and now and then crash after many runs: it works in a process of
its own, and what a crash cut off is asked again in another one. This file is that process too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from safercities.disclose.family import Family, Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: What a leaf of a table for `modular` counts more than it does: τ-Argus drops cells of 0, so that none may be 0.
SHADE = 1e-4
ANSWER = "answer: "


@dataclass(frozen=True)
class Task:
    """What to protect: the primary cells, so that their limits lie at least `width` apart; shapes (cells,)."""

    family: Family
    counts: Ints
    primary: Mask
    width: Ints


def optimal(tasks: Sequence[Task], folder: Path, minutes: int = 60) -> list[Mask | None]:
    """The cells that its exact method (Fischetti and Salazar) publishes; None where it gives up.

    The method takes any linear relations between cells, so that a whole family can be asked about. Every cell costs 1.
    Asked for besides the width ("sliding protection"): that the upper limit of a primary cell is above its count, as
    without any upper level the sliding one is not heeded. That is a little more than we ask of ourselves.
    """
    jobs: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        source = folder / f"{number}.jj"
        source.write_text("\n".join(_jj(task)) + "\n")
        jobs.append({"exact": str(source), "to": str(folder / f"{number}.out"), "minutes": minutes})
    answers = _ask(jobs, folder)
    return [
        _without(task, Path(job["to"])) if answer == 0 else None
        for task, job, answer in zip(tasks, jobs, answers, strict=True)
    ]


def _without(task: Task, withheld: Path) -> Mask:
    published = ~task.primary
    published[[int(line.split()[0]) for line in withheld.read_text().splitlines()]] = False
    return published


def _jj(task: Task) -> Iterator[str]:
    """The solver's format: a line a cell (count, cost, status, its limits, levels of protection), then the sums."""
    family, total, most = task.family, task.family.counts(task.counts), int(task.counts.sum())
    yield "0"
    yield str(family.cells)
    for cell in range(family.cells):
        rest = f"u 0 {most} 0 1 {task.width[cell]}" if task.primary[cell] else f"s 0 {most} 0 0 0"
        yield f"{cell} {total[cell]} 1 {rest}"
    sums = list(additions(family))
    yield str(len(sums))
    for whole, parts in sums:
        yield f"0 {len(parts) + 1} : {whole} (-1) " + " ".join(f"{part} (1)" for part in parts)


def additions(family: Family) -> Iterator[tuple[int, list[int]]]:
    """Which cells are the sum of which: each table and those that break it down by one step more."""
    tables = family.tables
    finer = [{at: found for at, two in enumerate(tables) if (found := _groups(one, two)) is not None} for one in tables]
    for number, below in enumerate(finer):
        for other, groups in below.items():
            if any(other in finer[between] for between in below):
                continue
            for cell in np.unique(groups):
                whole, parts = int(family.at[number][cell]), family.at[other][np.flatnonzero(groups == cell)].tolist()
                if parts != [whole]:
                    yield whole, parts


def _groups(coarse: Table, fine: Table) -> Ints | None:
    """The coarse cell that each fine one lies in; None where some lies in several, or the table is not finer."""
    if fine.size <= coarse.size:
        return None
    found = np.zeros(fine.size, dtype=np.int64)
    found[fine.of] = coarse.of
    return found if (found[fine.of] == coarse.of).all() else None


@dataclass(frozen=True)
class Cube:
    """A full cube with all its margins, as `margins` makes them; so many codes of the last axis make a `district`."""

    shape: tuple[int, ...]
    district: int = 0

    def cells(self, family: Family) -> dict[tuple[str, ...], tuple[int, int]]:
        """Each cell by its codes, as τ-Argus knows it: its number in the family, and its leaves."""
        numbers = np.arange(np.prod(self.shape)).reshape(self.shape)
        ways = [self._ways(axis) for axis in range(len(self.shape))]
        found = {}
        for cell in product(*ways):
            leaves = numbers[np.ix_(*(codes for _, _, codes in cell))]
            table = 0
            for axis, (way, _, _) in enumerate(cell):
                table = table * (3 if self.district and axis == len(self.shape) - 1 else 2) + way
            own = family.tables[table].of[leaves.flat[0]]
            found[tuple(name for _, name, _ in cell)] = (int(family.at[table][own]), leaves.size)
        return found

    def _ways(self, axis: int) -> list[tuple[int, str, list[int]]]:
        """Total, codes and districts of an axis: which way of breaking it down, what it is called, its codes."""
        size = self.shape[axis]
        ways = [(0, "T", list(range(size))), *((1, f"c{code:03}", [code]) for code in range(size))]
        if not self.district or axis < len(self.shape) - 1:
            return ways
        starts = range(0, size, self.district)
        return ways + [(2, f"d{at:03}", list(range(at, min(size, at + self.district)))) for at in starts]


def modular(task: Task, cube: Cube, folder: Path, minutes: int = 5) -> Mask:
    """The cells that its heuristic for hierarchical tables (HiTaS) publishes; `minutes` for each of its many subtables.

    Asked for: the upper limit of a primary cell lies the width above its count; each cell costs 1.
    """
    total, cells, axes = task.family.counts(task.counts), cube.cells(task.family), len(cube.shape)
    (folder / "table.tab").write_text(
        "".join(
            f"{';'.join(codes)};{total[cell] + SHADE * leaves:.4f};1;"
            f"{'U' if task.primary[cell] else 'S'};0;{task.width[cell]}\n"
            for codes, (cell, leaves) in cells.items()
        )
    )
    _metadata(folder, cube)
    names = "".join(f'"x{axis}"' for axis in range(axes))
    (folder / "table.arb").write_text(
        f'<OPENTABLEDATA> "{folder}/table.tab"\n<OPENMETADATA> "{folder}/table.rda"\n'
        f'<SPECIFYTABLE> {names}|"n"||"cost"\n<SAFETYRULE> MAN(20)\n<READTABLE>\n<SUPPRESS> MOD(1,{minutes},1,1,0)\n'
        f'<WRITETABLE> (1,5,SO+,"{folder}/table.out")\n'
    )
    _ask([{"batch": str(folder / "table.arb")}], folder)
    published = np.zeros(task.family.cells, dtype=bool)
    for line in (folder / "table.out").read_text().splitlines():
        parts = line.replace('"', "").split(";")
        published[cells[tuple(parts[:axes])][0]] = parts[-3] == "S"
    return published


def _metadata(folder: Path, cube: Cube) -> None:
    lines = ['<SEPARATOR> ";"']
    for axis in range(len(cube.shape)):
        lines += [f"x{axis}", " <RECODEABLE>", ' <TOTCODE> "T"']
        if cube.district and axis == len(cube.shape) - 1:
            lines += [" <HIERARCHICAL>", f' <HIERCODELIST> "{folder}/places.hrc"', ' <HIERLEADSTRING> "@"']
    lines += ["n", " <NUMERIC>", " <DECIMALS> 4", "cost", " <NUMERIC> <COST>", "status", " <STATUS>"]
    lines += ["below", " <NUMERIC> <LOWERPL>", "above", " <NUMERIC> <UPPERPL>"]
    (folder / "table.rda").write_text("\n".join(lines) + "\n")
    if cube.district:
        tree = ((code % cube.district == 0) * f"d{code:03}\n" + f"@c{code:03}\n" for code in range(cube.shape[-1]))
        (folder / "places.hrc").write_text("".join(tree))


def by_default(family: Family, shape: tuple[int, ...], counts: Sequence[Ints], rule: str, folder: Path) -> list[Mask]:
    """The cells that show a number after `pytauargus.protect` of people one by one, all options but the rule left out.

    Parameters
    ----------
    family
        All margins of a cube of that shape.
    rule
        As "FREQ(5,30)": counts of 1 to 4 are to be protected, by 30 %. Counts of 0 are published.
    """
    jobs = []
    for leaves in counts:
        codes = np.repeat(np.indices(shape).reshape(len(shape), -1).T, leaves, axis=0)
        people = [{f"x{axis}": f"c{code:03}" for axis, code in enumerate(one)} | {"n": 1} for one in codes.tolist()]
        jobs.append({"people": people, "axes": [f"x{axis}" for axis in range(len(shape))], "rule": rule})
    cells = Cube(shape).cells(family)
    found = []
    for rows in _ask(jobs, folder):
        published = np.ones(family.cells, dtype=bool)  # a code that nobody has is left out of its tables: all 0
        for codes, status in rows:
            at = cells[tuple("T" if code == "Total" else code for code in codes)][0]
            published[at] = status in "SE"
        found.append(published)
    return found


def _ask(jobs: Sequence[dict[str, Any]], folder: Path) -> list[Any]:
    """The answers to all jobs; a job that ends its process is asked once more.

    Raises
    ------
    RuntimeError
        If the process ends before it answers its first question.
    """
    answers: list[Any] = []
    while len(answers) < len(jobs):
        words = [sys.executable, str(Path(__file__).resolve())]
        rest = json.dumps(jobs[len(answers) :])
        done = subprocess.run(words, input=rest, cwd=folder, capture_output=True, text=True, check=False)
        told = [json.loads(line[len(ANSWER) :]) for line in done.stdout.splitlines() if line.startswith(ANSWER)]
        if not told:
            raise RuntimeError(f"pytauargus ended with {done.returncode}: {done.stderr[-2000:]}")
        answers += told
    return answers


def _answer(job: dict[str, Any]) -> Any:
    """Have pytauargus do one job, in the process that is its own."""
    if "exact" in job:
        from pytauargus import HiTaSCtrl

        return HiTaSCtrl().full_jj(job["exact"], job["to"], max_time=job["minutes"], out_dir=str(Path.cwd()))
    if "batch" in job:
        from pytauargus.engine import Engine

        Engine().run_batch(job["batch"])
        return 0
    from pytauargus import protect

    rows = protect(job["people"], job["axes"], response="n", safety_rules=job["rule"]).tables[0].rows
    return [[[row[axis] for axis in job["axes"]], row["status"]] for row in rows]


if __name__ == "__main__":
    for asked in json.load(sys.stdin):
        print(f"\n{ANSWER}{json.dumps(_answer(asked))}", flush=True)
