"""Measuring by parts: a plan of work, other sources of counts than the raw ones, what is made of given estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mini
import mini_survey as made
import safercities as sc
from safercities import measuring
from safercities.indicators.catalogue import indicator
from safercities.model.errors import SafercitiesError, UsageError


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return sc.open(made.build(tmp_path_factory.mktemp("city")))


def without(source, kept: pa.Array):
    return replace(source, table=source.table.filter(kept))


def test_a_protected_source_of_counts_stands_in_for_the_raw_one(city):
    raw = city.counts_source("police")
    half = without(raw, pa.array(np.arange(raw.table.num_rows) % 3 == 0))
    whole = {"by": [["sex"], ["place"]], "period": "quarter"}
    found = measuring.measure(city, ["recorded.robbery"], counts={"police": half}, **whole)
    usual = city.measure("recorded.robbery", **whole)
    cases = lambda estimates: sum(row["value"] for row in estimates.where(method="count").totals().rows())  # noqa: E731
    assert cases(found) * 3 == cases(usual)
    keys = ["place", "period", "sex", "unit"]
    assert found.table.select(keys).equals(usual.table.select(keys))  # the same rows, with other numbers


def test_the_parts_of_a_plan_make_the_whole(city):
    asked = [indicator(code) for code in city.spec.measure.indicators]
    work, by = measuring.plan(city, asked), measuring.breakdowns_of(city)
    assert {name for _, name in work} == {"police", "victims", "walks"}
    parts = [measuring.carry_out(city, [one], by) for one in work]
    made_here = sc.Estimates.concat(parts)
    codes = [one.code for one in asked]
    found = sc.Estimates.concat([made_here.where(indicator=codes), measuring.derive(city, asked, made_here)]).sort()
    assert found.table.equals(city.measure().table)


def test_what_others_are_made_of_is_planned_though_nobody_asked_for_it(city):
    work = measuring.plan(city, [indicator("reporting.robbery")])
    assert {(one.code, name) for its, name in work for one in its} == {
        ("recorded.robbery", "police"),
        ("surveyed.robbery.incidents", "victims"),
    }
    assert set(city.measure("reporting.robbery").table.column("indicator").to_pylist()) == {"reporting.robbery"}


def test_a_reporting_rate_is_made_of_the_estimates_that_are_given(city):
    asked = [indicator("reporting.robbery")]
    work, by = measuring.plan(city, asked), measuring.breakdowns_of(city)
    parts = measuring.carry_out(city, work, by)
    usual = measuring.derive(city, asked, parts).where(place="XA-MIN", period="2023").totals().only()
    fewer = without(city.counts_source("police"), pa.array(np.arange(120) % 2 == 0))
    parts = measuring.carry_out(city, work, by, counts={"police": fewer})
    found = measuring.derive(city, asked, parts).where(place="XA-MIN", period="2023").totals().only()
    assert found["value"] == pytest.approx(usual["value"] / 2)


def test_nothing_planned_makes_nothing(city):
    assert len(measuring.carry_out(city, [], [["sex"]])) == 0
    assert len(measuring.derive(city, [indicator("sdg.16.1.4")], sc.Estimates.empty())) == 0


def test_breakdowns_are_checked_before_anything_is_read(city):
    with pytest.raises(UsageError, match="colour"):
        measuring.breakdowns_of(city, ["colour"])
    assert measuring.breakdowns_of(city, ["sex", "age"]) == [["sex", "age"]]
    assert measuring.breakdowns_of(city, []) == []


def test_an_act_that_protection_took_away_leaves_no_trace(tmp_path):
    toml = mini.TOML.replace('act = "0401"', 'act = { column = "act" }')
    lines = mini.ROBBERIES.splitlines()
    acts = ["act", "0401", "0401", "0401", "0401", "0101", "0401"]
    csv = "\n".join(f"{line},{act}" for line, act in zip(lines, acts, strict=True)) + "\n"
    city = sc.open(mini.build(tmp_path, toml=toml, robberies=csv))
    homicide = indicator("sdg.16.1.1")
    assert city.sources_for(homicide) == ["robberies"]
    raw = city.counts_source("robberies")
    counts = {"robberies": without(raw, pc.not_equal(raw.table.column("act"), "0101"))}
    assert measuring.sources_for(city, homicide, counts) == []
    assert measuring.plan(city, [homicide], counts) == []
    with pytest.raises(SafercitiesError, match="measure"):
        measuring.measure(sc.open(tmp_path), ["sdg.16.1.1"], counts=counts)
