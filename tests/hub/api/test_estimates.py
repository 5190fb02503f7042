"""Estimates by the API: the rows of the releases, page by page or as a file, in the format that is asked for."""

from __future__ import annotations

import csv
import io
import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.figures.made_chain import as_set, in_force
from safercities.hub.api import estimates as answering
from safercities.hub.api import limits, schemas
from safercities.hub.api.estimates import _objects

URL = "/api/v1/observatories/city/estimates"


def pages(client, url: str) -> list[dict]:
    """All rows, page by page."""
    found = []
    while url:
        answer = client.get(url).json()
        found += answer["rows"]
        url = answer["next"]
    return found


def test_pages_hold_every_row_in_force_once(filled, client, chain_of_city):
    found = pages(client, f"{URL}?limit=7")
    expected = in_force(chain_of_city.chain)
    table = pa.Table.from_pylist(found, schema=expected.schema)
    assert as_set(table) == as_set(expected)
    assert client.get(f"{URL}?limit=7").json()["total"] == expected.num_rows


def test_withheld_rows_are_rows_without_a_value(filled, client):
    found = pages(client, f"{URL}?indicator=sdg.16.1.1&place=CO-MDE.01&period=2024&dim.sex=F")
    assert [(row["conf_status"], row["value"], row["n"]) for row in found] == [("N", None, None)]


@pytest.mark.parametrize(
    ("query", "column", "codes"),
    [
        ("place=CO-MDE&place=CO-MDE.02", "place", {"CO-MDE", "CO-MDE.02"}),
        ("dim.sex=F&dim.sex=M", "sex", {"F", "M"}),
        ("unit=", "unit", {None}),
        ("unit=per 100 000", "unit", {"per 100 000"}),
        ("level=city", "place", {"CO-MDE"}),
        ("period=2022", "period", {"2022"}),
        ("source=strange&dim.sex=x' OR '1'='1", "sex", {"x' OR '1'='1"}),
        ("indicator=nothing", "indicator", set()),
    ],
)
def test_filters(filled, client, query, column, codes):
    answer = client.get(f"{URL}?{query}").json()
    assert {row[column] for row in answer["rows"]} == codes
    assert answer["total"] == len(answer["rows"])


def test_order_puts_what_has_no_value_last(filled, client):
    rows = client.get(f"{URL}?indicator=sdg.16.1.1&unit=victims&order=-value&limit=40").json()["rows"]
    values = [row["value"] for row in rows if row["value"] is not None]
    assert values == sorted(values, reverse=True)
    assert all(row["value"] is None for row in rows[len(values) :])


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_formats_hold_the_same(filled, client):
    url, total = f"{URL}?indicator=sdg.16.1.1", client.get(f"{URL}?indicator=sdg.16.1.1").json()["total"]
    types = {
        "csv": "text/csv",
        "arrow": "application/vnd.apache.arrow.stream",
        "parquet": "application/vnd.apache.parquet",
        "sdmx-csv": "application/vnd.sdmx.data+csv",
    }
    for format, media_type in types.items():
        answer = client.get(url, headers={"accept": f"{media_type}, application/json;q=0.5"})
        assert answer.headers["Content-Type"].startswith(media_type), format
        assert body(answer) == body(client.get(f"{url}&format={format}"))
    tables = [
        pa.ipc.open_stream(body(client.get(f"{url}&format=arrow"))).read_all(),
        pq.read_table(io.BytesIO(body(client.get(f"{url}&format=parquet")))),
    ]
    assert as_set(tables[0]) == as_set(tables[1])
    lines = list(csv.DictReader(io.StringIO(body(client.get(f"{url}&format=csv")).decode())))
    assert len(lines) == tables[0].num_rows == total
    ordered = body(client.get(f"{url}&format=csv&order=-value&columns=value&limit=3")).decode().split()
    assert [float(text) for text in ordered[1:]] == sorted((float(text) for text in ordered[1:]), reverse=True)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("columns=place,value", ["place", "value"]),
        ("columns=place&columns=value,place", ["place", "value"]),
        ("columns=value&columns=value", ["value"]),
        ("columns=row", ["row"]),
    ],
)
def test_only_the_columns_that_are_asked_for(filled, client, given, names):
    url = f"{URL}?indicator=sdg.16.1.1&limit=5&{given}"
    found, whole = client.get(url).json(), client.get(f"{URL}?indicator=sdg.16.1.1&limit=5").json()
    assert [list(row) for row in found["rows"]] == [names] * 5
    if "row" not in names:
        assert found["rows"] == [{name: row[name] for name in names} for row in whole["rows"]]
    assert body(client.get(f"{url}&format=csv")).decode().splitlines()[0] == ",".join(names)
    assert client.get(found["next"]).json()["rows"]


def test_an_ordered_file_is_never_cut_without_a_word(filled, client, monkeypatch):
    url = f"{URL}?indicator=sdg.16.1.1&order=-value&format=csv"
    total = client.get(f"{URL}?indicator=sdg.16.1.1").json()["total"]
    assert len(body(client.get(url)).splitlines()) == total + 1
    monkeypatch.setattr(answering, "MOST_ROWS", 7)
    answer = client.get(url)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "order")
    assert len(body(client.get(f"{url}&limit=7")).splitlines()) == 8


def test_rows_are_what_the_document_says(filled, client):
    """They are written without a look at the document, so that they come soon."""
    said = client.get(f"{URL}?indicator=sdg.16.1.1&limit=50")
    schemas.Estimates.model_validate_json(said.content, strict=True)
    named = schemas.Estimates.model_fields["rows"].description or ""
    for name in said.json()["rows"][0]:
        assert name in named or name in filled_dimensions(client)


def filled_dimensions(client) -> set[str]:
    return set(client.get("/api/v1/observatories/city/choices").json()["dimensions"])


def test_what_is_published_is_not_told_as_nothing_while_it_is_made_anew(filled, client, monkeypatch):
    from safercities.hub import published
    from safercities.model.errors import SafercitiesError, problem

    def broken(*args):
        raise SafercitiesError(problem("figures-unreadable", why="test"))

    monkeypatch.setattr(published, "figures", broken)
    said = client.get("/api/v1/observatories/city").json()
    assert (said["rows"], said["releases"], said["version"]) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "accept", "status", "code", "parameter"),
    [
        ("nothing=1", "", 400, "invalid-parameter", "nothing"),
        ("limit=0", "", 400, "invalid-parameter", "limit"),
        ("limit=10001", "", 400, "invalid-parameter", "limit"),
        ("limit=1&limit=2", "", 400, "invalid-parameter", "limit"),
        ("order=value", "", 400, "indicator-required", "indicator"),
        ("order=note&indicator=a", "", 400, "invalid-parameter", None),
        ("columns=secret", "", 400, "invalid-parameter", "columns"),
        ("columns=value,", "", 400, "invalid-parameter", "columns"),
        ("dim.age2=1", "", 400, "invalid-parameter", "dim.age2"),
        ("cursor=x", "", 400, "invalid-parameter", "cursor"),
        ("cursor=MS4wMDAwMDAwMDAwMDA", "", 400, "cursor-stale", "cursor"),
        ("total=maybe", "", 400, "invalid-parameter", "total"),
        ("format=xls", "", 400, "invalid-parameter", "format"),
        ("format=csv", "", 400, "indicator-required", "indicator"),
        ("&".join(f"place=p{k}" for k in range(60)), "", 400, "indicator-required", "indicator"),
        ("", "image/png", 406, "not-acceptable", None),
        ("", "application/json;q=0, text/html", 406, "not-acceptable", None),
    ],
)
def test_what_is_wrong_is_named(filled, client, query, accept, status, code, parameter):
    answer = client.get(f"{URL}?{query}", headers={"accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert (answer.status_code, said["status"], said["code"]) == (status, status, code)
    if parameter:
        assert [one["parameter"] for one in said["errors"]] == [parameter]
    assert "Traceback" not in answer.content.decode()


def test_an_error_of_ours_tells_nothing(filled, client, monkeypatch):
    from safercities.hub.figures import Figures

    def broken(*args, **kwargs):
        raise RuntimeError("SELECT secret FROM /srv/hub")

    monkeypatch.setattr(Figures, "rows", broken)
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (500, "server-error")
    assert "secret" not in answer.content.decode()


def test_what_has_not_changed_is_not_sent_again(filled, client, machine):
    first = client.get(f"{URL}?limit=2")
    mark = first.headers["ETag"].removeprefix("W/")  # weak, where the answer may also be sent packed
    assert first.headers["Cache-Control"] == "public, no-cache"
    assert {"Accept", "Authorization"} <= set(first.headers["Vary"].split(", "))
    again = client.get(f"{URL}?limit=2", headers={"if-none-match": f'"x", W/{mark}'})
    assert (again.status_code, again.content, again.headers["ETag"].removeprefix("W/")) == (304, b"", mark)
    assert client.get(f"{URL}?limit=3", headers={"if-none-match": mark}).status_code == 200
    assert client.get(f"{URL}?limit=2&format=csv", headers={"if-none-match": mark}).status_code == 200
    assert "private" in machine().get(URL).headers["Cache-Control"]


def test_too_many_requests_have_to_wait(filled, client, settings, machine):
    settings.OPTIONS = settings.OPTIONS | {"RATE_PUBLIC": "3/m"}
    limits.forget()
    answers = [client.get(f"{URL}?limit=1") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "rate-limited"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert [one.headers["RateLimit"].partition(";t")[0] for one in answers] == [
        f'"default";r={k}' for k in (2, 1, 0, 0)
    ]
    assert client.get("/sdmx/data/ESTIMATES").status_code == 429
    assert client.get(f"{URL}?limit=1", REMOTE_ADDR="203.0.113.9").status_code == 200
    assert machine().get(f"{URL}?limit=1").status_code == 200


def test_choices_lead_nowhere_empty(filled, client):
    said = client.get("/api/v1/observatories/city/choices?indicator=recorded.robbery").json()
    assert said["rows"] == 4
    assert [one["code"] for one in said["filters"]["periods"]] == ["2022"]
    assert {one["code"] for one in said["dimensions"]["sex"]} == {"F", "M", "_T"}


def test_releases_and_their_files_are_those_on_disk(filled, client):
    listed = client.get("/api/v1/observatories/city/releases").json()["releases"]
    assert [one["number"] for one in listed] == [5, 4, 3, 2, 1]
    assert [one["in_force"] for one in listed] == [True, True, True, False, True]
    one = client.get("/api/v1/observatories/city/releases/3").json()
    folder = next(filled.releases.glob("*-3"))
    for file in one["files"]:
        answer = client.get(file["url"])
        sent = body(answer) if answer.streaming else answer.content
        assert sent == (folder / file["name"]).read_bytes()
        assert len(sent) == file["bytes"]
        assert answer.headers["Content-Disposition"].startswith("attachment")
    for name in ("nothing", "..%2Fmanifest.json", "%2e%2e", "chain.lock"):
        assert client.get(f"/api/v1/observatories/city/releases/3/files/{name}").status_code in (400, 404)
    assert client.get("/api/v1/observatories/city/releases/9").status_code == 404


def test_what_there_is(filled, client):
    assert [one["slug"] for one in client.get("/api/v1/observatories").json()["observatories"]] == ["city"]
    first = client.get("/api/v1/observatories/city/places?limit=2").json()
    second = client.get(first["next"]).json()
    assert [one["id"] for one in first["places"] + second["places"]] == ["CO-MDE", "CO-MDE.01", "CO-MDE.02"]
    assert second["next"] is None
    assert client.get("/api/v1/observatories/city/places/CO-MDE").json()["children"] == ["CO-MDE.01", "CO-MDE.02"]
    assert client.get("/api/v1/observatories/city/indicators/sdg.16.1.1").json()["definitions"]
    assert client.get("/api/v1/observatories/city/indicators/none").status_code == 404


def test_before_the_first_release(city, client):
    assert client.get("/api/v1/observatories/city").json()["version"] is None
    assert client.get(URL).json()["code"] == "nothing-published"


def test_what_json_cannot_hold_is_null():
    table = pa.table({"upper": [math.inf, math.nan, 1.5, None], "note": ['"', None, "é", ""]})
    assert json.loads("[" + ",".join(_objects(table)) + "]") == [
        {"upper": None, "note": '"'},
        {"upper": None, "note": None},
        {"upper": 1.5, "note": "é"},
        {"upper": None, "note": ""},
    ]
