"""observatory.toml: what is refused, and how it is said."""

from __future__ import annotations

import pytest

import mini
from safercities import config
from safercities.model.errors import SafercitiesError, UsageError


def refused(tmp_path, toml: str) -> list[str]:
    with pytest.raises(SafercitiesError) as caught:
        config.load(mini.build(tmp_path, toml=toml))
    return [str(problem) for problem in caught.value.problems]


def test_the_template_is_valid_and_all_of_it_once_uncommented(tmp_path):
    path = config.write_template(tmp_path)
    assert config.load(tmp_path).observatory.name == "My city"
    lines = path.read_text().split("\n\n", 1)[1].splitlines()
    text = "\n".join(line if line.startswith("# -") else line.removeprefix("# ") for line in lines)
    path.write_text(text)
    spec = config.load(tmp_path)
    assert set(spec.sources) == {"homicides", "people", "victimisation", "walks", "sanvera"}
    assert spec.geographies[0].level == "neighbourhood"
    assert spec.measure.indicators == ["sdg.16.1.1"]


def test_the_template_is_never_written_over_an_observatory(tmp_path):
    mini.build(tmp_path)
    with pytest.raises(UsageError, match="already"):
        config.write_template(tmp_path)
    assert (tmp_path / "observatory.toml").read_text() == mini.TOML


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('place = "XA-MIN"', "", "observatory.toml:1:observatory.place: this key is missing"),
        ('kind = "incidents"', 'kind = "incident"', "toml:12:sources.robberies.kind: 'incident' does not fit"),
        ('unit = "victims"', 'unit = "people"', "observatory.toml:18:sources.robberies.unit"),
        ('level = "neighbourhood"', 'level = "Neighbourhood"', "observatory.toml:6:geographies.0.level"),
        (
            "[measure]",
            "[sources.'../x']\nkind = 'population'\nfile = 'a'\nperiod = 2020\ncount = 'n'\n[measure]",
            "letters",
        ),
        ('kind = "incidents"', "", "sources.robberies.kind: this key is missing"),
        ('longitude = "lon"\n', "", "longitude and latitude belong together"),
        ('by = [["sex"]', 'by = [["sex", "sex"]', "twice"),
        ('sex = { column = "sex" }', 'age = { column = "age", bins = [15, 0] }', "rising"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, words):
    assert old in mini.TOML
    assert any(words in text for text in refused(tmp_path, mini.TOML.replace(old, new)))


def test_two_geographies_of_one_level_need_dates(tmp_path):
    more = mini.TOML + '[[geographies]]\nlevel = "neighbourhood"\nfile = "areas.geojson"\nid = "code"\n'
    assert any("stands twice" in text for text in refused(tmp_path, more))


def test_not_utf8(tmp_path):
    folder = mini.build(tmp_path, toml=mini.TOML.replace("Mini", "Medellín").encode("latin-1"))
    with pytest.raises(SafercitiesError, match="UTF-8"):
        config.load(folder)


def test_a_byte_order_mark_is_fine(tmp_path):
    assert config.load(mini.build(tmp_path, toml=b"\xef\xbb\xbf" + mini.TOML.encode())).observatory.name == "Mini"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "9" * 5000, "too many digits"),
        (mini.TOML.replace("sources.robberies", "sources." + "a" * 300), "up to 60 letters"),
        (mini.TOML.replace("sources.robberies", "sources.CON"), "Windows"),
        (mini.TOML.replace("sources.people", "sources.Robberies"), "small and capital letters"),
    ],
)
def test_hostile_toml_is_refused_in_a_sentence(tmp_path, broken, words):
    (first, *_) = refused(tmp_path, broken)
    assert words in first
