"""The catalogue: every entry is whole, found by its code, and can be explained."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from safercities.indicators import catalogue
from safercities.indicators.answers import answer
from safercities.indicators.spec import Indicator
from safercities.model.dimensions import code_list
from safercities.model.errors import SafercitiesError, UsageError

CODES = catalogue.codes()


@pytest.fixture(params=CODES)
def entry(request: pytest.FixtureRequest) -> Indicator:
    return catalogue.indicator(request.param)


class TestEveryEntry:
    def test_texts_are_tidy(self, entry: Indicator) -> None:
        for version in entry.versions:
            assert not version.label.endswith(".")
            assert version.definition.strip().endswith(".")
            assert re.search(r"(19|20)\d\d", version.source)
            assert not version.note or version.note.strip().endswith(".")

    def test_an_sdg_indicator_is_linked_to_itself_and_its_target(self, entry: Indicator) -> None:
        match = re.match(r"sdg\.((\d+\.\w+)\.\d+)", entry.code)
        if match:
            assert {match[1], match[2]} <= set(entry.links.sdg)

    def test_it_can_be_explained(self, entry: Indicator) -> None:
        text = catalogue.explain(entry)
        newest = entry.on()
        flat = " ".join(text.split())
        assert text.startswith(f"{entry.code} – {newest.label}\n\n")
        for part in (newest.definition, newest.source, newest.note):
            assert " ".join(part.split()) in flat
        if newest.made_of == "incidents":
            for act in (*newest.counted.acts, *newest.counted.without):
                assert f"{act} {code_list('ICCS').label_of(act)}" in flat
        for role in newest.roles:
            assert f"{role} ({answer(role).label})" in flat
        assert max(map(len, text.splitlines())) <= 100

    def test_it_is_read_once(self, entry: Indicator) -> None:
        assert catalogue.indicator(entry.code) is entry


def test_labels_tell_entries_apart() -> None:
    labels = [entry.on().label for entry in catalogue.catalogue().values()]
    assert len(set(labels)) == len(labels) > 10


def test_an_entry_that_is_part_of_another_says_so() -> None:
    """Who adds an entry to one that its acts lie in counts twice: the narrower one names the wider."""
    recorded = [entry for entry in catalogue.catalogue().values() if entry.on().made_of == "incidents"]
    for one, other in combinations(recorded, 2):
        for narrow, wide in ((one, other), (other, one)):
            inside = [act for act in narrow.on().counted.acts if wide.on().counted.counts(act)]
            if inside:
                assert wide.code in narrow.on().definition + narrow.on().note


@pytest.mark.parametrize(
    ("code", "acts", "units"),
    [
        ("sdg.16.1.1", ["0101"], ["victims"]),
        ("sdg.3.6.1", ["X-ROAD-DEATH"], ["victims"]),
        ("sdg.11.5.1", ["X-DISASTER-DEATH", "X-DISASTER-MISSING"], ["victims"]),
        ("recorded.robbery", ["0401"], ["victims", "incidents", "offences"]),
        ("recorded.burglary", ["0501"], ["victims", "incidents", "offences"]),
        ("recorded.theft", ["0502"], ["victims", "incidents", "offences"]),
        ("recorded.sexual_violence", ["0301"], ["victims", "incidents", "offences"]),
    ],
)
def test_first_entries(code: str, acts: list[str], units: list[str]) -> None:
    entry = catalogue.indicator(code)
    assert (entry.kind, entry.on().per, entry.on().denominator) == ("rate", 100_000, "population")
    assert (entry.on().counted.acts, entry.on().counted.units) == (acts, units)


@pytest.mark.parametrize(
    ("act", "counted"),
    [
        ("0201", True),
        ("02011", True),
        ("020111", True),
        ("02012", False),
        ("020121", False),
        ("02019", True),
        ("0202", False),
    ],
)
def test_assaults_are_counted_without_threats(act: str, counted: bool) -> None:
    assert catalogue.indicator("recorded.assault").on().counted.counts(act) == counted


@pytest.mark.parametrize(
    ("act", "counted"), [("08", True), ("0801", True), ("0809", True), ("0805", False), ("0804", False), ("09", False)]
)
def test_antisocial_behaviour_is_not_tax_or_migration(act: str, counted: bool) -> None:
    assert catalogue.indicator("recorded.antisocial_behaviour").on().counted.counts(act) == counted


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sdg.16.1.l", "sdg.16.1.1"),
        ("SDG.16.1.1", "sdg.16.1.1"),
        ("16.1.1", "sdg.16.1.1"),
        ("recorded.robery", "recorded.robbery"),
        ("robbery", "recorded.robbery"),
        ("homicide", "cpi.homicide or sdg.16.1.1"),
        ("16.2.3", "sdg.16.2.3.men or sdg.16.2.3.women"),
        ("sdg.16.l.4", "sdg.16.1.4"),
        ("recorded.antisocial", "recorded.antisocial_behaviour"),
    ],
)
def test_an_unknown_code_names_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean {re.escape(meant)}\b"):
        catalogue.indicator(given)


@pytest.mark.parametrize("given", ["zzzzzz", "", "../catalogue/sdg.16.1.1", "§"])
def test_an_unknown_code_without_a_near_one_points_to_the_list(given: str) -> None:
    with pytest.raises(UsageError, match="safercities indicators"):
        catalogue.indicator(given)


def test_codes_are_in_the_order_of_their_numbers() -> None:
    sdg = [code for code in CODES if code.startswith("sdg.")]
    assert sdg.index("sdg.3.6.1") < sdg.index("sdg.11.5.1") < sdg.index("sdg.11.5.1.affected") < sdg.index("sdg.16.1.1")
    assert tuple(catalogue.catalogue()) == CODES


def test_the_list_has_a_row_each_in_straight_columns() -> None:
    head, *rows = catalogue.listing().splitlines()
    assert [row.split()[0] for row in rows] == list(CODES)
    start = head.index("what it measures")
    assert all(row[start - 1] == " " and row[start] != " " for row in rows)


class TestFiles:
    def test_a_file_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "my.own.toml"
        path.write_text(_text("my.own"), encoding="utf-8")
        assert catalogue.load_indicator(path).code == "my.own"

    def test_the_name_must_be_the_code(self, tmp_path: Path) -> None:
        path = tmp_path / "other.toml"
        path.write_text(_text("my.own"), encoding="utf-8")
        with pytest.raises(SafercitiesError, match=r"name it my\.own\.toml"):
            catalogue.load_indicator(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no such file"):
            catalogue.load_indicator(tmp_path / "none.toml")

    def test_a_file_that_is_no_toml_names_the_line(self, tmp_path: Path) -> None:
        path = tmp_path / "broken.toml"
        path.write_text('code = "x"\nkind = \n', encoding="utf-8")
        with pytest.raises(SafercitiesError, match=r"broken\.toml:2: this is not valid TOML"):
            catalogue.load_indicator(path)

    def test_a_file_that_is_no_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.toml"
        path.write_bytes('code = "ñ"'.encode("latin-1"))
        with pytest.raises(SafercitiesError, match="UTF-8"):
            catalogue.load_indicator(path)

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "my.own.toml"
        path.write_text(_text("my.own"), encoding="utf-8-sig")
        assert catalogue.load_indicator(path).code == "my.own"


def _text(code: str) -> str:
    return (
        f'code = "{code}"\nkind = "count"\n[[versions]]\nversion = "1"\nlabel = "L"\ndefinition = "D."\nsource = "S"\n'
        'numerator = { acts = ["0101"], units = ["victims"] }\ndenominator = "none"\n'
    )


def test_a_count_is_explained_as_one() -> None:
    text = catalogue.explain(catalogue.load_indicator(_text("my.own")))
    assert "none, a count only" in text
    assert "Linked to" not in text
    assert "each its own series" not in text


def test_the_catalogue_loads_without_heavy_libraries() -> None:
    script = (
        "import sys; from safercities.indicators import catalogue; catalogue.listing(); "
        "print(sorted({'numpy', 'pyarrow', 'duckdb', 'scipy', 'shapely', 'pyogrio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
