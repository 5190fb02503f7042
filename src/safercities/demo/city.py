"""Builds the synthetic city as an ordinary observatory folder, with the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from safercities.demo.audits import AUDITS, draw_audits, write_audits
from safercities.demo.audits import MESS as AUDITS_MESS
from safercities.demo.draw import draw_cases
from safercities.demo.residents import waves
from safercities.demo.survey import draw_survey
from safercities.demo.survey_file import MESS as SURVEY_MESS
from safercities.demo.survey_file import SURVEY, write_survey
from safercities.demo.truth import CENSUS_YEARS, Truth
from safercities.demo.write import LABEL, MESS, write_all
from safercities.model.errors import UsageError, problem

SEED = 2016
YEARS = (2022, 2023, 2024, 2025)
TRUTH = "truth.json"


def build(folder: Path, *, seed: int = SEED, years: Sequence[int] = YEARS) -> Truth:
    """Write the synthetic city to a folder that is new, empty, or holds an earlier synthetic city.

    The ground, the people and the true rates are always the same; the seed draws the cases. The same seed gives the
    same bytes with the same versions of numpy, pyarrow and openpyxl.

    Parameters
    ----------
    folder
        Where to write.
    seed
        Seed of the draws, 0 or more.
    years
        At least three years in a row between the two censuses, 2020 and 2026.

    Returns
    -------
    Truth
        What an analysis ought to find; also saved as `truth.json`.

    Raises
    ------
    UsageError
        If the folder holds other files, or the years or the seed do not fit.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     truth = build(Path(folder), years=(2022, 2023, 2024))
    >>> round(truth.rate("homicide.registry", year=2022), 1)
    23.5
    """
    _check(folder, seed, years)
    folder.mkdir(parents=True, exist_ok=True)
    # first: it marks the folder as the demo's own, so that a run that was cut short can be repeated
    (folder / "README.txt").write_text(f"{LABEL}\nMade by: safercities demo (seed {seed}).\n", encoding="utf-8")
    truth, cases = draw_cases(seed, years)
    truth = replace(truth, mess=MESS | {SURVEY: SURVEY_MESS, AUDITS: AUDITS_MESS})
    write_all(folder, cases, seed)
    write_survey(folder, draw_survey(seed, waves(years)), seed)
    write_audits(folder, draw_audits(seed, waves(years)), seed, LABEL)
    (folder / "observatory.toml").write_text(_observatory(seed, years), encoding="utf-8")
    truth.write(folder / TRUTH)  # last: a folder without it is not a whole city
    return truth


def _check(folder: Path, seed: int, years: Sequence[int]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(problem("demo-not-a-folder", file=str(folder)))
    if folder.exists() and any(folder.iterdir()) and not is_demo(folder):
        raise UsageError(problem("folder-not-empty", file=str(folder)))
    first, last = CENSUS_YEARS
    in_a_row = list(years) == list(range(years[0], years[0] + len(years))) if years else False
    if len(years) < 3 or not in_a_row or years[0] < first or years[-1] > last:
        raise UsageError(problem("demo-years", first=first, last=last))
    if seed < 0:
        raise UsageError(problem("demo-seed", seed=seed))


def is_demo(folder: Path) -> bool:
    """Whether the folder holds a synthetic city that `build` made."""
    readme = folder / "README.txt"
    return readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(LABEL)


def _observatory(seed: int, years: Sequence[int]) -> str:
    text = files(__package__).joinpath("observatory.toml").read_text(encoding="utf-8")
    return text.replace("@SEED@", str(seed)).replace("@COVERS@", f"{years[0]}/{years[-1]}")
