"""SPSS and Stata files in which few bytes stand for very long texts are refused before they are in memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from safercities.collect import archive, survey_files
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.collect.stata_texts import longest, taken
from safercities.collect.survey_files import extent
from safercities.model.errors import SafercitiesError


def code_of(folder: Path, name: str) -> str:
    """Code of what is wrong with a file."""
    try:
        read_table(FileSpec(file=name), folder)
    except SafercitiesError as error:
        return error.problems[0].code
    return ""


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if files were a thousand times as large."""
    monkeypatch.setattr(archive, "FREE_MEMORY", 2**20)
    monkeypatch.setattr(archive, "MAX_RATIO", 1)
    monkeypatch.setattr(survey_files, "_PIECE", 2**17)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("ending", [".zsav", ".dta"])
def test_long_texts_that_are_packed_are_counted_before_they_are_read(tmp_path: Path, ending: str) -> None:
    full = pd.DataFrame({"n": range(2000), "word": ["x" * 2000] * 2000})
    some = full.assign(word=["x" * (2000 if n % 100 == 0 else 1) for n in range(2000)])
    for name, table in (("full", full), ("some", some)):
        if ending == ".zsav":
            pyreadstat.write_sav(table, str(tmp_path / f"{name}.zsav"), compress=True)
        else:  # texts that stand once, whoever refers to them
            table.to_stata(tmp_path / f"{name}.dta", version=118, convert_strl=["word"], write_index=False)
    assert (tmp_path / f"full{ending}").stat().st_size < 100_000
    assert code_of(tmp_path, f"full{ending}") == "file-expands"
    rows, columns, width = extent(tmp_path / f"some{ending}", ending)
    assert (rows, columns) == (2000, 2)
    assert rows * width > 2**20  # it could be as much, and is not
    assert code_of(tmp_path, f"some{ending}") == ""


@pytest.mark.usefixtures("bounded")
def test_many_numbers_in_few_bytes_are_counted(tmp_path: Path) -> None:
    for name, rows in (("few.zsav", 1000), ("many.zsav", 100_000)):
        pyreadstat.write_sav(pd.DataFrame({"n": [1.0] * rows}), str(tmp_path / name), compress=True)
    assert code_of(tmp_path, "few.zsav") == ""
    assert code_of(tmp_path, "many.zsav") == "file-expands"


def stata(path: Path, version: int, order: str) -> None:
    """Answers of few letters, and one of very many; two columns, in which some refer to the same text."""
    words = [f"an answer {n % 500}" for n in range(2000)]
    words[7] = "ñ" * 50_000
    table = pd.DataFrame({"n": range(2000), "a": "xyz", "open": words, "b": words[::-1]})
    table.to_stata(path, version=version, byteorder=order, convert_strl=["open", "b"], write_index=False)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(("version", "order"), [(117, "<"), (117, ">"), (118, "<"), (118, ">"), (119, "<")])
def test_one_long_answer_among_short_ones_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, order: str
) -> None:
    stata(tmp_path / "a.dta", version, order)
    read: list[int] = []
    reader = pyreadstat.read_dta
    monkeypatch.setattr(pyreadstat, "read_dta", lambda *a, **k: (read.append(1), reader(*a, **k))[1])
    if version == 119:
        assert taken(tmp_path / "a.dta", 2000) >= 2000 * 2 * 100_000  # at most: how rows refer to texts is another way
        return
    assert code_of(tmp_path, "a.dta") == ""
    assert len(read) <= 3
    columns, _ = reader(str(tmp_path / "a.dta"), output_format="dict")
    sizes = [len(one.encode()) for name in ("open", "b") for one in columns[name]]
    assert sum(sizes) <= taken(tmp_path / "a.dta", 2000) <= sum(sizes) + len(sizes)  # with a zero at their ends
    assert max(sizes) <= longest(tmp_path / "a.dta") <= max(sizes) + 1
