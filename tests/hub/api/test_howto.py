"""The page for researchers: its lines are run as they stand, in each of its languages."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub.figures.made_chain import City, in_force
from safercities.model.estimates import schema
from tools import missing, tool

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "read-figures.md"
THERE = "http://127.0.0.1:8000/api/v1/observatories/sanvera-synthetic"


def lines(language: str, hub: str) -> str:
    """The code of the page in a language, for this hub."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    assert THERE in found[0]
    return "\n".join(found).replace(THERE, hub).replace("limit=10000", "limit=2")  # more pages than one


@pytest.fixture
def hub(filled, live_server) -> str:
    return f"{live_server.url}/api/v1/observatories/city"


def totals(city: City) -> list[dict[str, Any]]:
    """Rows of the releases that the page asks for: of one indicator, without breakdowns."""
    table = in_force(city.chain)
    broken_down = set(table.column_names) - set(schema().names) - {"release", "row"}
    rows = [row for row in table.to_pylist() if row["indicator"] == "sdg.16.1.1"]
    return [row for row in rows if all(row[name] == "_T" for name in broken_down)]


def test_addresses_for_curl(filled, client):
    """Every address of the page is there, and gives what it says."""
    found = []
    for line in lines("sh", "").replace("$HUB", "/api/v1/observatories/city").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["curl"]:
            answer = client.get(words[-1].replace("%20", " "))
            assert answer.status_code == 200, line
            found.append((words, b"".join(answer.streaming_content) if answer.streaming else answer.content))
    files = {words[-2]: body for words, body in found if "-o" in words}
    assert files["homicide.csv"].count(b"\n") > 10
    assert files["homicide.parquet"].startswith(b"PAR1")


@pytest.mark.django_db(transaction=True)
def test_python(hub, chain_of_city):
    told: dict[str, object] = {}
    exec(compile(lines("python", hub), str(PAGE), "exec"), told)  # our own page
    wanted = totals(chain_of_city)
    rows, shown = told["rows"], told["shown"]
    assert len(rows) == len(wanted)
    assert len(shown) == sum(row["conf_status"] != "N" for row in wanted)
    assert not rows["name"].isna().any()
    series = told["one"]
    assert len(series)
    assert {(row.source, row.unit, row.method, row.version) for row in series.itertuples()} == {
        tuple(series.iloc[0][["source", "unit", "method", "version"]])
    }
    assert set(rows["version"]) == {row["version"] for row in wanted}
    assert len(told["places"]) > 2


@pytest.mark.django_db(transaction=True)
def test_r(hub, tmp_path, chain_of_city):
    program = tool("no R here (Debian: apt-get install r-base-core r-cran-jsonlite)", "Rscript")
    script = tmp_path / "page.R"
    counts = 'cat("\\nCOUNTS", nrow(rows), nrow(shown), nrow(one), class(rows$conf_status), anyNA(rows$name), "\\n")\n'
    script.write_text(f"{lines('r', hub)}\n{counts}", encoding="utf-8")
    told = subprocess.run([program, str(script)], capture_output=True, text=True, timeout=120, check=False)
    if "there is no package" in told.stderr:
        missing("no jsonlite for R here (Debian: apt-get install r-cran-jsonlite)")
    assert told.returncode == 0, told.stderr
    wanted = totals(chain_of_city)
    (said,) = [line.split() for line in told.stdout.splitlines() if line.startswith("COUNTS")]
    assert said[1:3] == [str(len(wanted)), str(sum(row["conf_status"] != "N" for row in wanted))]
    assert int(said[3]) > 0
    assert said[4:] == ["character", "FALSE"]
