"""Dates in the usual forms; the order of day and month is declared or proved, never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.collect.dates import FAULTS, PRECISIONS, parse_dates
from safercities.collect.zones import from_utc
from safercities.model.errors import SafercitiesError


def parse(*texts, order=None):
    return parse_dates(pa.array(texts, pa.string()), order, file="x.csv", column="when", row_of=lambda value: value + 2)


def one(text, order=None):
    read = parse(text, order=order)
    moment = None if np.isnat(read.when[0]) else read.when[0].item()
    return moment, PRECISIONS[read.precision[0]], FAULTS[read.fault[0]]


@pytest.mark.parametrize(
    ("text", "moment", "precision"),
    [
        ("2019-04-23", datetime(2019, 4, 23), "day"),
        ("2019-4-3", datetime(2019, 4, 3), "day"),
        ("2019/04/23", datetime(2019, 4, 23), "day"),
        ("2019.04.23", datetime(2019, 4, 23), "day"),
        ("2019-04-23 12:30", datetime(2019, 4, 23, 12, 30), "day"),
        ("2019-04-23T12:30Z", datetime(2019, 4, 23, 12, 30), "day"),
        ("2019-04-23T12:30:05", datetime(2019, 4, 23, 12, 30, 5), "day"),
        ("2019-04-23T12:30:05Z", datetime(2019, 4, 23, 12, 30, 5), "day"),
        ("2019-04-23T12:30:05.250", datetime(2019, 4, 23, 12, 30, 5, 250000), "day"),
        ("2019-04-23T12:30:05,123456789+05:30", datetime(2019, 4, 23, 12, 30, 5, 123456), "day"),
        ("2019-04-23T12:30:05-0500", datetime(2019, 4, 23, 12, 30, 5), "day"),
        ("2019-04-23 1:30:05 PM", datetime(2019, 4, 23, 13, 30, 5), "day"),
        ("2019-04-23 12:05 a.m.", datetime(2019, 4, 23, 0, 5), "day"),
        ("20190423", datetime(2019, 4, 23), "day"),
        ("20190423T123005Z", datetime(2019, 4, 23, 12, 30, 5), "day"),
        ("23/04/2019", datetime(2019, 4, 23), "day"),
        ("04/23/2019 5:00 pm", datetime(2019, 4, 23, 17), "day"),
        ("23-4-2019 08:15", datetime(2019, 4, 23, 8, 15), "day"),
        ("03/03/2019", datetime(2019, 3, 3), "day"),
        ("03.04.2019", datetime(2019, 4, 3), "day"),
        ("3. 4. 2019", datetime(2019, 4, 3), "day"),
        ("23 April 2019", datetime(2019, 4, 23), "day"),
        ("23-Apr-2019", datetime(2019, 4, 23), "day"),
        ("April 23, 2019", datetime(2019, 4, 23), "day"),
        ("23 de abril de 2019", datetime(2019, 4, 23), "day"),
        ("1er août 2019", datetime(2019, 8, 1), "day"),
        ("5 de março de 2019", datetime(2019, 3, 5), "day"),
        ("43578", datetime(2019, 4, 23), "day"),
        ("43578.5", datetime(2019, 4, 23, 12), "day"),
        ("43578,25", datetime(2019, 4, 23, 6), "day"),
        ("2019-04", datetime(2019, 4, 1), "month"),
        ("2019/4", datetime(2019, 4, 1), "month"),
        ("04/2019", datetime(2019, 4, 1), "month"),
        ("abril de 2019", datetime(2019, 4, 1), "month"),
        ("Dec 2019", datetime(2019, 12, 1), "month"),
        ("2019", datetime(2019, 1, 1), "year"),
    ],
)
def test_forms(text, moment, precision):
    assert one(text) == (moment, precision, "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2019-02-31", "date-impossible"),
        ("2019-02-29", "date-impossible"),
        ("2019-13-01", "date-impossible"),
        ("2019-00-10", "date-impossible"),
        ("2019-04-23 24:30", "date-impossible"),
        ("2019-04-23 13:00 pm", "date-impossible"),
        ("31/02/2019", "date-impossible"),
        ("31/31/2019", "date-impossible"),
        ("20190231", "date-impossible"),
        ("30 Foo 2019", "date-impossible"),
        ("23/04/19", "date-short-year"),
        ("23-Apr-19", "date-short-year"),
        ("19-04-23 10:00", "date-short-year"),
        ("yesterday", "date-unreadable"),
        ("190423", "date-unreadable"),
        ("-43578", "date-unreadable"),
        ("2019-04-23 garbage", "date-unreadable"),
    ],
)
def test_what_is_no_date(text, fault):
    assert one(text) == (None, "day", fault)


def test_the_order_is_proved_by_one_day_above_12():
    days = parse("03/04/2019", "13/04/2019").when.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2019-04-03", "2019-04-13"]
    days = parse("03/04/2019", "04/13/2019").when.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2019-03-04", "2019-04-13"]


def test_the_order_is_never_guessed():
    with pytest.raises(SafercitiesError) as caught:
        parse("2019-01-01", "03/03/2019", "03/04/2019", "31/31/2019")
    (problem,) = caught.value.problems
    assert (problem.code, problem.row, problem.column) == ("date-order-unknown", 4, "when")
    assert "date_order" in problem.todo
    with pytest.raises(SafercitiesError) as caught:
        parse("13/04/2019", "04/13/2019")
    assert caught.value.problems[0].code == "date-order-mixed"


def test_a_declared_order_rules():
    assert one("03/04/2019", "dmy")[0] == datetime(2019, 4, 3)
    assert one("03/04/2019", "mdy")[0] == datetime(2019, 3, 4)
    assert one("13/04/2019", "mdy")[2] == "date-impossible"
    assert one("2019-04-03", "mdy")[0] == datetime(2019, 4, 3)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_every_moment_is_read_back_in_every_form(moment):
    second = moment.replace(microsecond=0)
    for form, want in [
        ("%Y-%m-%dT%H:%M:%S.%f", moment),
        ("%Y-%m-%d %H:%M:%S", second),
        ("%Y-%m-%dT%H:%M:%SZ", second),
        ("%Y-%m-%dT%H:%MZ", second.replace(second=0)),
        ("%d/%m/%Y %H:%M:%S", second),
        ("%d %B %Y %H:%M:%S", second),
        ("%B %d, %Y, %I:%M:%S %p", second),
        ("%Y%m%d%H%M%S", second),
    ]:
        text = moment.strftime(form.replace("%Y", f"{moment.year:04d}"))
        assert one(text, "dmy")[0] == want, text


@given(st.dates(date(1927, 6, 1), date(2170, 1, 1)))
def test_spreadsheet_days(day):
    assert one(str((day - date(1899, 12, 30)).days))[0] == datetime(day.year, day.month, day.day)


@pytest.mark.parametrize(
    "name", ["America/Bogota", "Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca"]
)
@settings(max_examples=20)
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=6))
def test_clocks_of_zones_agree_with_the_standard_library(name, instants):
    zone = ZoneInfo(name)
    want = [moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for moment in instants]
    assert from_utc(np.array(instants, "datetime64[us]"), zone).tolist() == want


def test_the_seconds_around_a_change_of_clocks():
    change = datetime(2019, 10, 27, 1)
    moments = [change + timedelta(seconds=s) for s in (-1, 0, 1)]
    got = from_utc(np.array(moments, "datetime64[us]"), ZoneInfo("Europe/London")).tolist()
    assert got == [datetime(2019, 10, 27, 1, 59, 59), datetime(2019, 10, 27, 1), datetime(2019, 10, 27, 1, 0, 1)]


def test_nothing_at_all():
    assert len(parse().when) == 0
