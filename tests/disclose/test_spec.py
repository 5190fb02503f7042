"""`[publish]`: what it refuses, and which least count holds where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import mini
from safercities import config
from safercities.disclose.spec import PublishSpec
from safercities.disclose.suppress import default_width
from safercities.indicators.catalogue import catalogue, indicator
from safercities.model.errors import SafercitiesError

ADDRESSES = {"file": "addresses.csv", "longitude": "x", "latitude": "y", "sources": ["robberies"]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"minimum_count": 2}, "greater than or equal to 3"),
        ({"minimum_count": 20}, "sensitive_count (10) is below minimum_count (20)"),
        ({"width": 5}, "width cannot be more than minimum_count − 1 (4)"),
        ({"dimensions": 4}, "less than or equal to 3"),
        ({"tables": [["sex", "age", "means"]]}, "has 3, and a table has at most 2 dimensions"),
        ({"tables": [["sex", "sex"]]}, "twice"),
        (
            {"dimensions": 3, "tables": [["place", "orientation", "migration"]]},
            "at most one of orientation, migration can stand with place",
        ),
        ({"sensitive_acts": ["301"]}, "301 is no act of the code list ICCS; did you mean 0301"),
        ({"sensitive_answers": ["victim_sexual"]}, "victim_sexual is no answer"),
        ({"width": 0}, "greater than or equal to 1"),
        ({"points": "snapped"}, "Extra inputs"),
        ({"addresses": {**ADDRESSES, "sources": []}}, "at least 1 item"),
        ({"addresses": {**ADDRESSES, "least": 4}}, "fewer addresses than minimum_count (5)"),
        ({"known": [{"indicator": "sdg.16.1.1", "periods": ["2021-13"]}]}, "no period"),
        ({"known": [{"indicator": "sdg.16.1.1", "by": [["sex", "sex"]]}]}, "twice"),
        ({"minimum": 5}, "Extra inputs"),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PublishSpec.model_validate(given)
    assert words in str(caught.value)


def test_sensitive_dimensions_may_stand_together_where_there_is_no_place() -> None:
    assert PublishSpec(tables=[["orientation", "migration"]]).tables == [["orientation", "migration"]]
    assert PublishSpec(dimensions=3, tables=[["place", "sex", "orientation"]]).unfit(["place", "sex"]) == ""


def test_which_indicators_are_sensitive() -> None:
    spec = PublishSpec()
    found = {code for code, entry in catalogue().items() if spec.is_sensitive(entry)}
    assert {code for code in catalogue() if "sexual" in code and "nonsexual" not in code} <= found
    assert "sdg.11.7.2" in found  # of its two parts, one is sexual
    assert not found & {"recorded.robbery", "sdg.16.1.1", "recorded.antisocial_behaviour", "sdg.11.7.2.nonsexual"}


def test_whoever_counts_a_part_of_what_is_sensitive_is_sensitive() -> None:
    trafficking = PublishSpec(sensitive_acts=["040111"])  # lies below robbery
    robbery, assault = indicator("recorded.robbery"), indicator("recorded.assault")
    assert trafficking.is_sensitive(robbery)
    assert not trafficking.is_sensitive(assault)
    left_out = PublishSpec(sensitive_acts=["02012"])  # assault leaves it out
    assert not left_out.is_sensitive(assault)


def test_least_counts_and_widths() -> None:
    spec, robbery = PublishSpec(minimum_count=4, sensitive_count=12), indicator("recorded.robbery")
    assert spec.minimum(robbery, ["place", "sex"]) == 4
    assert spec.minimum(robbery, ["place", "migration"]) == 12
    assert spec.minimum(indicator("recorded.sexual_violence"), []) == 12
    for k in (3, 4, 5, 12, 30):
        assert spec.least_width(k) == default_width(np.array([k]))[0]
        assert 1 <= spec.least_width(k) <= k - 1
    assert PublishSpec(width=1).least_width(10) == 1


def test_what_is_never_published_by_point() -> None:
    spec = PublishSpec(sensitive_acts=[], sensitive_answers=[])  # whatever an office takes off the lists
    pointed = {
        code for code, entry in catalogue().items() if spec.by_point(entry) and entry.on().made_of == "incidents"
    }
    assert "recorded.robbery" in pointed
    assert not any("sexual" in code for code in pointed)
    assert not PublishSpec(sensitive_acts=["0401"]).by_point(indicator("recorded.robbery"))


@pytest.mark.parametrize(
    ("publish", "words"),
    [
        ('tables = [["sexx"]]', "there is no dimension sexx; did you mean sex"),
        ('sensitive = ["orientaton"]', "there is no dimension orientaton; did you mean orientation"),
        ('tables = [["income"]]', "no source has the dimension income"),
        ('levels = ["ward"]', "there is no level ward among"),
        ('attributes = ["place"]', "choose levels instead"),
        ('known = [{ indicator = "recorded.robbery", source = "army" }]', "there is no source army"),
        ("minimum_cuont = 5", "did you mean minimum_count"),
    ],
)
def test_observatory_toml_is_refused_with_the_name(tmp_path, publish: str, words: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        config.load(mini.build(tmp_path, toml=f"{mini.TOML}\n[publish]\n{publish}\n"))
    assert words in str(caught.value)


def test_observatory_toml_with_everything(tmp_path) -> None:
    toml = f"""{mini.TOML}
[publish]
method = "suppression"
minimum_count = 3
tables = [["sex"], ["place", "sex"]]
levels = ["neighbourhood"]
[publish.addresses]
file = "addresses.csv"
longitude = "x"
latitude = "y"
sources = ["robberies"]
[[publish.known]]
indicator = "recorded.robbery"
by = [[], ["place"]]
periods = ["2023-01/2023-12"]
"""
    spec = config.load(mini.build(tmp_path, toml=toml)).publish
    assert spec.method == "suppression"
    assert spec.known[0].periods == ["2023"]
    assert spec.addresses is not None
    assert spec.addresses.crs == "EPSG:4326"
    assert config.load(mini.build(tmp_path)).publish == PublishSpec()


def test_every_key_is_described() -> None:
    for spec in (PublishSpec, config.KnownSpec, config.AddressesSpec):
        assert all(info.description for info in spec.model_fields.values())
