"""Files of figures hold the rows that were asked for, safely, and come in pieces."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.figures.conftest import Made
from hub.figures.made_chain import as_set
from safercities.hub.figures import WRITERS, Query, export, reader
from safercities.model.errors import UsageError
from safercities.release.sdmx_data import read_data

QUERIES = [Query(), Query(periods=["2024"]), Query(places=["CO-MDE"], total_only=True), Query(places=["nowhere"])]


def whole(made: Made, query: Query) -> pa.Table:
    return made.figures.rows(query).drop_columns(["row"])


def written(made: Made, query: Query, format: str, **more: Any) -> bytes:
    return b"".join(export(made.figures, query, format, **more))


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_STEPS", (5, 10))


@pytest.mark.parametrize("query", QUERIES)
def test_every_format_holds_the_rows(made: Made, query: Query) -> None:
    expected = whole(made, query)
    assert pa.ipc.open_stream(written(made, query, "arrow")).read_all().equals(expected)
    assert pq.read_table(io.BytesIO(written(made, query, "parquet"))).equals(expected)
    told = json.loads(written(made, query, "json"))
    assert (told["rows"], told["version"]) == (expected.to_pylist(), made.figures.version)
    rows = list(csv.DictReader(io.StringIO(written(made, query, "csv").decode("utf-8"))))
    values = [row["value"] for row in expected.to_pylist()]
    assert [float(row["value"]) if row["value"] else None for row in rows] == values
    assert len(rows) == expected.num_rows


@pytest.mark.parametrize("query", QUERIES[:3])
def test_sdmx_csv_is_read_back_as_a_release_is(made: Made, query: Query) -> None:
    expected = whole(made, query).drop_columns(["release"])
    assert read_data(written(made, query, "sdmx-csv")).equals(expected)


def test_sdmx_csv_of_a_release_is_the_release(made: Made) -> None:
    last = made.city.chain[-1]
    query = Query(periods=["2024-Q4"])
    lines = written(made, query, "sdmx-csv").splitlines()
    data = (last.path / "data.csv").read_bytes().splitlines()
    assert (lines[0], sorted(lines)) == (data[0], sorted(data))


def test_no_cell_begins_as_a_formula_and_no_code_breaks_a_line(made: Made) -> None:
    rows = list(csv.reader(io.StringIO(written(made, Query(), "csv").decode("utf-8"))))
    assert {len(row) for row in rows} == {len(made.figures.columns) - 1}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]
    assert "'=HYPERLINK(1)" in cells
    assert "'=1+1" in cells


def test_withheld_is_empty_and_never_zero(made: Made) -> None:
    query = Query(periods=["2024"], dimensions={"sex": ["F"]}, levels=["neighbourhood"])
    rows = list(csv.DictReader(io.StringIO(written(made, query, "csv").decode())))
    assert {(row["value"], row["n"], row["conf_status"]) for row in rows} == {("", "", "N")}
    assert {row["value"] for row in json.loads(written(made, query, "json"))["rows"]} == {None}


@pytest.mark.parametrize("format", ["csv", "json", "arrow"])
def test_files_come_in_pieces_with_the_columns_that_were_asked_for(made: Made, format: str) -> None:
    pieces = list(export(made.figures, Query(), format, columns=["place", "value"]))
    assert len(pieces) > 5
    if format == "arrow":
        found = pa.ipc.open_stream(b"".join(pieces)).read_all()
        assert found.equals(whole(made, Query()).select(["place", "value"]))
    if format == "csv":
        assert pieces[0] == b"place,value\n"


def test_a_page_is_a_part_of_the_whole(made: Made) -> None:
    first = pa.ipc.open_stream(written(made, Query(), "arrow", limit=7)).read_all()
    rest = pa.ipc.open_stream(written(made, Query(), "arrow", after=6)).read_all()
    assert as_set(pa.concat_tables([first, rest])) == as_set(made.expected)


@pytest.mark.parametrize(
    "given",
    [
        {"format": "xml"},
        {"format": "csv", "columns": ["secret"]},
        {"format": "csv", "limit": 10**12},
        {"format": "parquet", "after": -7},
        {"format": "json", "query": Query(dimensions={"income": ["Q1"]})},
    ],
)
def test_what_is_wrong_is_refused_before_the_first_piece(made: Made, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        export(made.figures, **{"query": Query(), **given})


def test_every_format_has_a_media_type_and_an_ending_of_its_own() -> None:
    assert len({one.media_type for one in WRITERS.values()}) == len(WRITERS) == 5
    assert all(one.suffix.startswith(".") for one in WRITERS.values())
