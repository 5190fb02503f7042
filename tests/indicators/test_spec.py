"""What an indicator file may say, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.indicators.catalogue import load_indicator
from safercities.indicators.goals import is_target, targets
from safercities.indicators.numerators import Acts
from safercities.indicators.spec import Indicator
from safercities.model.dimensions import code_list
from safercities.model.errors import SafercitiesError

TEXT = """\
code = "x.y"
kind = "rate"
[links]
sdg = ["16.1", "16.1.1"]
nua = [39]
[[versions]]
version = "1"
label = "First"
definition = "What it means."
numerator = { acts = ["0101"], units = ["victims", "incidents"] }
denominator = "population"
disaggregations = ["sex"]
source = "A text"
[[versions]]
version = "2"
valid_from = 2020-01-01
label = "Second"
definition = "What it means now."
numerator = { acts = ["0101", "0102"], units = ["victims"] }
denominator = "population"
source = "A later text"
"""
ACTS = [code.code for code in code_list("ICCS") if code.code != "_U"]


def refused(old: str, new: str) -> str:
    """What is said where `old` in the right text is replaced by `new`."""
    assert old in TEXT
    with pytest.raises(SafercitiesError) as caught:
        load_indicator(TEXT.replace(old, new, 1), file="x")
    return str(caught.value)


def test_the_sample_is_right() -> None:
    made = load_indicator(TEXT)
    assert made.on().version == "2"
    assert made.versions[0].counted.units == ["victims", "incidents"]
    assert made.versions[0].per == 100_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "rate"', 'kind = "rate"\nkid = 1', "x:3:kid: this key is not known: did you mean kind"),
        ('label = "First"', 'lable = "First"', "did you mean label"),
        ('["0101"]', '["0110"]', "0110 is no act of the code list ICCS; did you mean"),
        ('["0101"]', '["101"]', "did you mean 0101"),
        ('["0101"]', '["_U"]', "_U is no act"),
        ('["0101"]', "[]", "at least 1"),
        ('["0101"]', '["0101", "0101"]', "the act 0101 stands twice"),
        ('acts = ["0101"]', 'acts = ["0101"], without = ["0102"]', "0102 is left out, but does not lie below"),
        ('units = ["victims", "incidents"]', 'units = ["people"]', "'people' does not fit here"),
        ('units = ["victims", "incidents"]', "units = []", "at least 1"),
        ('units = ["victims", "incidents"]', 'units = ["victims", "victims"]', "the unit victims stands twice"),
        ('units = ["victims", "incidents"]', 'unit = "victims"', "did you mean units"),
        ('"16.1.1"', '"16.11"', "16.11 is no target or indicator"),
        ('"16.1.1"', '"16.1.0"', "16.1.0 is no target or indicator"),
        ('"16.1.1"', '"16"', "16 is no target or indicator"),
        ("nua = [39]", "nua = [176]", "the New Urban Agenda has no paragraph 176; it has 175"),
        ('["sex"]', '["sexe"]', "sexe is no known dimension"),
        ("valid_from = 2020-01-01\n", "", "version 2 needs valid_from"),
        ('version = "2"', 'version = "1"', "the version 1 stands twice"),
        ('denominator = "population"', 'denominator = "none"', "a rate needs acts as numerator and denominator = “pop"),
        ('kind = "rate"', 'kind = "count"', "a count needs acts as numerator and denominator = “none”"),
        ('denominator = "population"', 'denominator = "populace"', "'populace' does not fit here"),
        ('acts = ["0101"], units', 'act = ["0101"], units', "did you mean acts"),
        ('acts = ["0101"], units', "units", "numerator.acts: this key is missing"),
        ('disaggregations = ["sex"]', 'reference_period = "12 months"', "reference_period"),
        ('code = "x.y"', 'code = "X y"', "x:1:code"),
        ('definition = "What it means."', 'definition = ""', "at least 1 character"),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, said: str) -> None:
    assert said in refused(old, new)


def test_versions_must_rise() -> None:
    early = TEXT.replace('version = "1"', 'version = "1"\nvalid_from = 2020-01-01')
    with pytest.raises(SafercitiesError, match="version 2 must begin after version 1"):
        load_indicator(early)


class TestVersionInForce:
    made = load_indicator(TEXT)

    @pytest.mark.parametrize(("day", "version"), [("2019-12-31", "1"), ("2020-01-01", "2"), ("2030-01-01", "2")])
    def test_on_a_day(self, day: str, version: str) -> None:
        assert self.made.on(date.fromisoformat(day)).version == version

    def test_before_the_first_the_first_holds(self) -> None:
        data = self.made.model_dump()
        data["versions"] = data["versions"][1:]
        assert Indicator.model_validate(data).on(date(1990, 1, 1)).version == "2"


class TestNumeratorCounts:
    @given(st.sampled_from(ACTS), st.data())
    def test_what_lies_below_the_acts_and_not_below_those_left_out(self, act: str, data: st.DataObject) -> None:
        below = list(code_list("ICCS").descendants(act))
        without = data.draw(st.lists(st.sampled_from(below), unique=True, max_size=2)) if below else []
        made = Acts(acts=[act], without=without, units=["victims"])
        gone = {code for left_out in without for code in [left_out, *code_list("ICCS").descendants(left_out)]}
        assert {code for code in ACTS if made.counts(code)} == {act, *below} - gone
        assert not made.counts("_U")


class TestTargets:
    def test_there_are_169(self) -> None:
        assert len(targets()) == 169
        assert len({target.partition(".")[0] for target in targets()}) == 17

    @pytest.mark.parametrize("code", ["1.1", "3.9", "3.d", "5.2", "10.3", "11.7", "11.c", "16.10", "16.b", "17.19"])
    def test_such_as(self, code: str) -> None:
        assert is_target(code)

    @pytest.mark.parametrize(
        "code", ["16.11", "16.c", "17.20", "17.a", "18.1", "0.1", "16", "16.1.1", "3.10", "5.7", ""]
    )
    def test_but_not(self, code: Any) -> None:
        assert not is_target(code)
