"""Parquet files in which few bytes stand for very much are refused before they are unpacked; honest ones are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collect import hostile_parquet as hostile
from collect.children import MOST, read_all
from safercities.collect import archive
from safercities.collect.archive import UnpacksToMuchError
from safercities.collect.parquet_bounds import check_size, front, measure
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec

#: Name → file, the code of its problem, and the rows that a page reads of it.
FILES = {
    "text": (hostile.repeated_text(1_000_000, 5000), "file-expands", 2000),
    "many rows": (hostile.repeated_text(100_000_000, 2000), "file-expands", 2000),
    "rows that it does not tell of": (hostile.repeated_text(2_000_000_000, 2000, said=100_000), "file-expands", 2000),
    "one text": (hostile.repeated_text(1_000_000, 100_000_000), "file-expands", 0),
    "binary": (hostile.repeated_binary(1_000_000, 10_000), "file-expands", 2000),
    "long binary": (hostile.repeated_binary(1_000_000, 100_000_000), "file-expands", 0),
    "truth": (hostile.booleans(2**31 - 1), "file-expands", 2000),
    "groups": (hostile.booleans(10**6, groups=10_000), "file-expands", 2000),
    "rows without values": (hostile.booleans(5, said=10**15), "file-expands", 0),
    "list": (hostile.one_long_list(2**30), "file-expands", 0),
    "list of texts": (hostile.list_of_texts(10_000_000, 10_000), "file-expands", 0),
    "page": (hostile.large_page(2**31 - 2**20), "file-expands", 0),
    # its readers call themselves for each group: the stack would be full
    "groups within groups": (replace(hostile.booleans(5), depth=30_000), "file-broken", 0),
    "small text": (hostile.repeated_text(1000, 100), "", 1000),
    "small binary": (hostile.repeated_binary(1000, 100), "", 1000),
    "small truth": (hostile.booleans(1000, groups=2), "", 2000),
    "small list": (hostile.one_long_list(1000), "", 1),
    "small list of texts": (hostile.list_of_texts(1000, 100), "", 1),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    for name, (file, _, _) in FILES.items():
        (made / f"{name}.parquet").write_bytes(file.content())
    return made


def test_few_bytes_never_take_much_memory_in_the_worker(folder: Path) -> None:
    names = [f"{name}.parquet" for name in FILES]
    assert all((folder / name).stat().st_size < 500_000 for name in names)
    told = read_all(folder, names)
    assert {name: one.code for name, one in zip(FILES, told, strict=True)} == {n: c for n, (_, c, _) in FILES.items()}
    assert told[-1].peak < MOST


def test_few_bytes_never_take_much_memory_in_the_server_which_reads_the_first_rows(folder: Path) -> None:
    told = read_all(folder, [f"{name}.parquet" for name in FILES], "sample")
    rows = {name: one.rows for name, one in zip(FILES, told, strict=True)}
    assert rows == {name: rows for name, (_, _, rows) in FILES.items()}
    assert told[-1].peak < MOST


def expanded(column: pa.ChunkedArray) -> int:
    return sum(len(value.encode()) for value in column.to_pylist() if value is not None)


@pytest.mark.parametrize("encoding", ["dictionary", "plain", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_what_texts_take_is_counted_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, version: str
) -> None:
    words = pa.array([None if n % 7 == 0 else f"word {n % 30:040}" for n in range(20_000)])
    how = {} if encoding == "dictionary" else {"use_dictionary": False}
    if encoding.startswith("DELTA"):
        how["column_encoding"] = {"word": encoding}
    path = tmp_path / "a.parquet"
    table = pa.table({"n": np.arange(20_000), "word": words})
    pq.write_table(table, path, row_group_size=6000, data_page_size=4096, data_page_version=version, **how)
    size = expanded(table["word"])
    found = measure(path, 2**40)
    assert (found.rows, found.values) == (20_000, 40_000)
    assert found.sure + found.most > size
    assert front(path, 500, 2**22, 2**20).to_pylist() == table.slice(0, 500).to_pylist()
    monkeypatch.setattr(archive, "MAX_RATIO", 0)
    at_most = found.sure + size + 20_000 * 8
    monkeypatch.setattr(archive, "FREE_MEMORY", at_most)
    check_size(path)
    monkeypatch.setattr(archive, "FREE_MEMORY", max(size // 2, 1))
    with pytest.raises(UnpacksToMuchError):
        check_size(path)


def test_texts_of_lists_are_counted_as_long_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each as long as all words together: tags of maps would not be read."""
    tags = [[(f"key {n % 50}", f"value {n % 2000:020}"), (f"key {n % 7}", None)][: n % 3] for n in range(10_000)]
    within = [{"a": [{"b": f"word {n % 900:020}"}] * (n % 3)} for n in range(10_000)]
    lists = pa.array([[f"name {n % 800:020}"] for n in range(10_000)], pa.large_list(pa.string()))
    table = pa.table({"t": pa.array(tags, pa.map_(pa.string(), pa.string())), "w": within, "l": lists})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=3000)
    monkeypatch.setattr(archive, "MAX_RATIO", 0)
    sure = measure(path, 2**40).sure
    monkeypatch.setattr(archive, "FREE_MEMORY", sure + 4 * table.nbytes)
    check_size(path)
    assert measure(path, 2**40).most > 100 * table.nbytes
    assert read_table(FileSpec(file="a.parquet"), tmp_path).table.to_pylist() == table.to_pylist()
    monkeypatch.setattr(archive, "FREE_MEMORY", sure + 10)
    with pytest.raises(UnpacksToMuchError):
        check_size(path)


def test_a_large_file_may_take_as_many_times_its_size_as_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FREE_MEMORY", 1000)
    pq.write_table(pa.table({"n": np.random.default_rng(1).integers(0, 2**40, 10_000)}), tmp_path / "a.parquet")
    check_size(tmp_path / "a.parquet")
    monkeypatch.setattr(archive, "MAX_RATIO", 1)
    with pytest.raises(UnpacksToMuchError):
        check_size(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": pa.array(["x", None, "y"] * 9, pa.large_string()), "a.b": [["p"], [], None] * 9}),
        pa.table({"s": [{"a": "x", "b": 1}, None, {"a": None, "b": 2}] * 9, "nul": pa.nulls(27)}),
        pa.table({"d": pa.array(["x", None, "y"] * 9).dictionary_encode(), "b": [b"1", b"", None] * 9}),
        pa.table({"m": pa.array([[("k", "v")], None, []] * 9, pa.map_(pa.string(), pa.string()))}),
        pa.table({"f": pa.array([1] * 27).cast(pa.decimal128(22, 2)), "t": pa.array([1] * 27, pa.timestamp("us"))}),
        pa.table({"v": pa.array(["x", None, "y"] * 9, pa.string_view()), "x": pa.array([b"ab"] * 27, pa.binary(2))}),
    ],
    ids=lambda table: ",".join(table.column_names),
)
def test_columns_of_every_type_are_read_as_they_were(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=10)
    assert read_table(FileSpec(file="a.parquet"), tmp_path).table.to_pylist() == table.to_pylist()
    first = front(path, 10, 2**25, 2**20)
    assert first.schema == pq.read_schema(path)
    assert 0 < first.num_rows <= 10
    assert first.to_pylist() == table.slice(0, first.num_rows).to_pylist()
