"""Two cities' real files: known totals come out."""

from __future__ import annotations

from collections import Counter

import pyarrow.compute as pc

from safercities.collect.incidents import collect_incidents
from safercities.collect.population import collect_population
from safercities.collect.spec import IncidentsSpec, PopulationSpec

MEDELLIN = {
    "kind": "incidents",
    "file": "medellin_homicides.csv",
    "when": "fecha_hecho",
    "longitude": "longitud",
    "latitude": "latitud",
    "decimal": ",",
    "act": "0101",
    "unit": "victims",
    "dimensions": {
        "sex": {"column": "sexo", "map": {"Hombre": "M", "Mujer": "F"}},
        "age": {"column": "edad", "unknown": [-1], "bins": [0, 15, 25, 35, 60]},
        "means": {"column": "modalidad"},
    },
}


def test_medellin(shared_data):
    got = collect_incidents("homicides", IncidentsSpec.model_validate(MEDELLIN), shared_data / "medellin")
    assert (got.rows_read, got.table.num_rows, got.rejects.num_rows) == (9360, 9360, 0)
    assert got.table.column("x").null_count == got.table.column("y").null_count == 81
    years = Counter(pc.year(got.table.column("when")).to_pylist())
    assert [years[year] for year in range(2010, 2020)] == [2025, 1651, 1247, 928, 659, 496, 544, 582, 634, 594]
    assert Counter(got.table.column("sex").to_pylist()) == {"F": 704, "M": 8656}
    assert Counter(p.code for p in got.problems) == {"date-offsets": 1, "coordinates-missing": 1}
    assert [p.rows for p in got.problems] == [9360, 81]


def test_medellin_moved_to_local_time(shared_data):
    spec = IncidentsSpec.model_validate(MEDELLIN | {"timezone": "America/Bogota"})
    got = collect_incidents("homicides", spec, shared_data / "medellin")
    years = Counter(pc.year(got.table.column("when")).to_pylist())
    assert (years[2009], years[2010], sum(years.values())) == (3, 2022, 9360)


def test_lancashire(shared_data):
    spec = IncidentsSpec(
        kind="incidents",
        file="lancashire_asb.tab",
        when="month",
        precision="month",
        longitude="longitude",
        latitude="latitude",
        act="0802",
    )
    got = collect_incidents("asb", spec, shared_data / "lancashire")
    assert (got.rows_read, got.table.num_rows, got.problems, got.precision) == (56434, 56434, (), "month")


def test_lancashire_population(shared_data):
    spec = PopulationSpec(
        kind="population", file="lancashire_ward_pop.xlsx", place="gss_code", period=2020, count="population"
    )
    got = collect_population("people", spec, shared_data / "lancashire")
    assert got.rows_read == got.table.num_rows == 285
    assert got.table.slice(0, 1).to_pylist() == [{"row": 2, "code": "E05001643", "period": "2020", "n": 6278.0}]
