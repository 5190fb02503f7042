"""A small real observatory that can publish, and jobs run in this process: for tests of jobs and of the workbench."""

from __future__ import annotations

import random
from pathlib import Path

import mini
from safercities.hub.jobs import queue
from safercities.hub.jobs.carrying import carry_out
from safercities.hub.models import Job

BY = 'by = [["sex"], ["place"], ["place", "sex"]]'


def robberies(n: int = 240, seed: int = 1) -> str:
    """Many in the first neighbourhood, few in the last; some without a place or a sex."""
    draw = random.Random(seed)
    lines = ["date,lon,lat,sex"]
    for _ in range(n):
        x, y = draw.choices([0.5, 1.5], [7, 3])[0], draw.choices([0.5, 1.5], [8, 2])[0]
        where = f"{x},{y}" if draw.random() > 0.03 else ","
        sex = draw.choices(["woman", "man", ""], [3, 6, 0.3])[0]
        lines.append(f"{draw.choice((2023, 2024))}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d},{where},{sex}")
    return "\n".join(lines) + "\n"


def build(folder: Path, rows: int = 240) -> Path:
    """Write it; its place is XA-MIN."""
    toml = mini.TOML.replace('by = [["sex"], ["place"]]', BY) + '\n[publish]\nmethod = "suppression"\n'
    return mini.build(folder, toml=toml, robberies=robberies(rows))


def run(job: Job) -> Job:
    """Run the oldest job that waits there, which must be this one, in this process."""
    taken = queue.claim(job.observatory_id)
    assert taken is not None
    assert taken.pk == job.pk
    carry_out(queue.Hold(str(taken.pk), taken.lease))
    job.refresh_from_db()
    return job
