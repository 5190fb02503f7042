"""Periods: ISO 8601 in and out, arithmetic on the calendar, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement, pairwise
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.periods import Calendar, Period, Recall

KINDS = get_args(Calendar)
days = st.dates(date(1, 1, 8), date(9998, 12, 20))
kinds = st.sampled_from(KINDS)
calendar_periods = st.builds(Period.of, days, kinds)
ranges = st.builds(lambda a, b: Period(min(a.start, b.start), max(a.end, b.end)), calendar_periods, calendar_periods)
periods = calendar_periods | ranges


@pytest.mark.parametrize(
    ("text", "start", "end", "kind"),
    [
        ("2019", "2019-01-01", "2019-12-31", "year"),
        ("2019-Q1", "2019-01-01", "2019-03-31", "quarter"),
        ("2019-Q4", "2019-10-01", "2019-12-31", "quarter"),
        ("2020-02", "2020-02-01", "2020-02-29", "month"),
        ("2019-W07", "2019-02-11", "2019-02-17", "week"),
        ("2020-W53", "2020-12-28", "2021-01-03", "week"),
        ("2019-W01", "2018-12-31", "2019-01-06", "week"),
        ("2019-03-05", "2019-03-05", "2019-03-05", "day"),
        ("2010/2019", "2010-01-01", "2019-12-31", "range"),
        ("2019-01/2019-06", "2019-01-01", "2019-06-30", "range"),
        ("2019-01-01/2019-06-29", "2019-01-01", "2019-06-29", "range"),
        ("2018-Q4/2019-Q1", "2018-10-01", "2019-03-31", "range"),
        ("2019/2020-06", "2019-01-01", "2020-06-30", "range"),
        (" 2019 ", "2019-01-01", "2019-12-31", "year"),
        ("0800", "0800-01-01", "0800-12-31", "year"),
    ],
)
def test_each_form_is_read(text: str, start: str, end: str, kind: str) -> None:
    period = Period.parse(text)
    assert (period.start.isoformat(), period.end.isoformat(), period.kind) == (start, end, kind)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2019-01-01/2019-12-31", "2019"),
        ("2019-01/2019-12", "2019"),
        ("2019/2019", "2019"),
        ("2019-04-01/2019-06-30", "2019-Q2"),
        ("2020-02-01/2020-02-29", "2020-02"),
        ("2020-12-28/2021-01-03", "2020-W53"),
        ("2019-01-01/2020-12-31", "2019/2020"),
        ("2019-01-01/2019-06-30", "2019-01/2019-06"),
        ("2018-Q4/2019-Q1", "2018-10/2019-03"),
        ("2019-W01/2019-W02", "2018-12-31/2019-01-13"),
        ("0800-03-01/0800-05-31", "0800-03/0800-05"),
    ],
)
def test_equal_days_are_one_period_with_one_code(text: str, code: str) -> None:
    assert str(Period.parse(text)) == code
    assert Period.parse(text) == Period.parse(code)
    assert hash(Period.parse(text)) == hash(Period.parse(code))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2019-02-31", "February 2019 has 28 days"),
        ("2020-02-30", "February 2020 has 29 days"),
        ("2019-04-00", "April 2019 has 30 days"),
        ("2019-13", "months run from 01 to 12"),
        ("2019-00-10", "months run from 01 to 12"),
        ("2019-W54", "the weeks of 2019 run from W01 to W52"),
        ("2019-W53", "the weeks of 2019 run from W01 to W52"),
        ("2020-W54", "the weeks of 2020 run from W01 to W53"),
        ("2019-W00", "the weeks of 2019"),
        ("2019-Q5", "quarters run from Q1 to Q4"),
        ("0000", "there is no year 0000"),
        ("2019/", "none of the forms"),
        ("2019/2020/2021", "more than one"),
        ("19", "none of the forms"),
        ("2019-3", "none of the forms"),
        ("2019-3-5", "none of the forms"),
        ("201903", "none of the forms"),
        ("05/03", "none of the forms"),
        ("2019-W7", "none of the forms"),
        ("2019-W07-1", "none of the forms"),
        ("2019-03-05T10:00", "none of the forms"),
        ("٢٠١٩", "none of the forms"),
        ("", "none of the forms"),
    ],
)
def test_what_is_no_period_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        Period.parse(text)
    (problem,) = caught.value.problems
    assert problem.code == "period-unreadable"
    assert f"“{text}”" in problem.what
    assert why in problem.what
    assert "2019-03" in problem.todo


@pytest.mark.parametrize("text", ["2020/2019", "2019-06/2019-05", "2019-03-02/2019-03-01"])
def test_an_end_before_the_start_is_refused(text: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        Period.parse(text)
    assert caught.value.problems[0].code == "period-backwards"
    assert text in str(caught.value)


def test_an_end_before_the_start_is_refused_by_the_constructor_too() -> None:
    with pytest.raises(SafercitiesError, match="2019-03-02/2019-03-01"):
        Period(date(2019, 3, 2), date(2019, 3, 1))


@given(periods)
def test_what_is_written_reads_back(period: Period) -> None:
    assert Period.parse(str(period)) == period


@given(calendar_periods)
def test_next_and_previous_undo_each_other(period: Period) -> None:
    assert period.next().previous() == period
    assert period.next().kind == period.kind
    assert period.next().start == period.end + timedelta(days=1)


@given(days, st.integers(2, 60))
def test_a_range_of_whole_months_moves_by_so_many_months(day: date, size: int) -> None:
    assume(size not in (3, 12) and day.year < 9990)
    first = Period.of(day, "month")
    last = first
    for _ in range(size - 1):
        last = last.next()
    period = Period(first.start, last.end)
    assert period.next().start == last.next().start
    assert len(period.next().split("month")) == size
    assert period.next().previous() == period


def test_a_range_of_days_moves_by_so_many_days() -> None:
    period = Period.parse("2019-01-10/2019-01-19")
    assert str(period.next()) == "2019-01-20/2019-01-29"
    assert str(period.previous()) == "2018-12-31/2019-01-09"


@given(calendar_periods, kinds)
def test_parts_follow_each_other_and_lie_inside(period: Period, kind: Calendar) -> None:
    parts = period.split(kind)
    assert all(part.kind == kind and period.contains(part) for part in parts)
    assert all(a.end + timedelta(days=1) == b.start for a, b in pairwise(parts))


@pytest.mark.parametrize(
    ("whole", "part"),
    [*combinations_with_replacement(["year", "quarter", "month", "day"], 2), ("week", "week"), ("week", "day")],
)
@given(day=days)
def test_a_finer_split_covers_the_period_exactly(whole: Calendar, part: Calendar, day: date) -> None:
    period = Period.of(day, whole)
    parts = period.split(part)
    assert (parts[0].start, parts[-1].end) == (period.start, period.end)
    assert sum(p.days for p in parts) == period.days


def test_a_part_that_sticks_out_is_left_out() -> None:
    assert Period.parse("2019-01-02/2019-02-28").split("month") == [Period.parse("2019-02")]
    assert Period.parse("2019-03").split("year") == []


@given(periods, kinds)
def test_every_day_of_a_period_has_a_period_that_holds_it(period: Period, kind: Calendar) -> None:
    assert Period.of(period.start, kind).contains(period.start)


@given(st.integers(1, 9990), st.integers(1, 8))
def test_months_of_whole_years_add_up_to_whole_years(year: int, count: int) -> None:
    period = Period(date(year, 1, 1), date(year + count - 1, 12, 31))
    months = period.split("month")
    assert len(months) == 12 * count
    assert sum(month.years for month in months) == pytest.approx(count, rel=1e-12)
    assert period.years == count


@given(periods, st.data())
def test_years_add_up_wherever_a_period_is_cut(period: Period, data: st.DataObject) -> None:
    assume(period.days > 1)
    cut = period.start + timedelta(days=data.draw(st.integers(1, period.days - 1)))
    first, second = Period(period.start, cut - timedelta(days=1)), Period(cut, period.end)
    assert first.years + second.years == pytest.approx(period.years)
    assert first.days + second.days == period.days
    assert not first.overlaps(second)


def test_years_count_days_against_their_own_year() -> None:
    assert Period.parse("2020-02").years == 29 / 366
    assert Period.parse("2020-W53").years == pytest.approx(4 / 366 + 3 / 365)


def test_contains_and_overlaps() -> None:
    year, month = Period.parse("2019"), Period.parse("2019-12")
    assert year.contains(month)
    assert not month.contains(year)
    assert year.contains(date(2019, 12, 31))
    assert not year.contains(date(2020, 1, 1))
    assert year.contains(datetime(2019, 12, 31, 23, 59, tzinfo=UTC))
    assert month.overlaps(Period.parse("2019-12-31/2020-01-05"))
    assert not month.overlaps(Period.parse("2020-01"))


@given(st.lists(periods, max_size=8))
def test_periods_sort_by_start_then_end(found: list[Period]) -> None:
    assert sorted(found) == sorted(found, key=lambda p: (p.start, p.end))


def test_a_moment_counts_for_its_day() -> None:
    assert Period.of(datetime(2019, 3, 5, 23, 30, tzinfo=UTC), "day") == Period.parse("2019-03-05")


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31"])
def test_the_calendar_ends_with_a_problem(text: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        Period.parse(text).next()
    assert caught.value.problems[0].code == "period-beyond"
    with pytest.raises(SafercitiesError):
        Period.parse(text.replace("9999", "0001").replace("12", "01").replace("31", "01")).previous()


def test_an_unknown_kind_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="decade"):
        Period.of(date(2019, 1, 1), "decade")  # type: ignore[arg-type]


class TestRecall:
    @pytest.mark.parametrize(
        ("text", "months", "label"),
        [
            ("P1M", 1, "the last month before the interview"),
            ("P12M", 12, "the last 12 months before the interview"),
            ("P1Y", 12, "the last 12 months before the interview"),
            ("P5Y", 60, "the last 5 years before the interview"),
            ("P18M", 18, "the last 18 months before the interview"),
        ],
    )
    def test_read(self, text: str, months: int, label: str) -> None:
        recall = Recall.parse(text)
        assert (recall.months, recall.label) == (months, label)
        assert Recall.parse(str(recall)) == recall

    @pytest.mark.parametrize("text", ["P0M", "12M", "P12", "P1W", "P-1M", "p12m", "P1Y6M", ""])
    def test_refused(self, text: str) -> None:
        with pytest.raises(SafercitiesError) as caught:
            Recall.parse(text)
        assert caught.value.problems[0].code == "recall-wrong"

    def test_none_at_all_is_refused(self) -> None:
        with pytest.raises(SafercitiesError):
            Recall(0)

    def test_days_asked_about(self) -> None:
        year = Recall.parse("P12M")
        assert str(year.before(date(2023, 1, 1))) == "2022"
        assert str(year.before(date(2020, 2, 29))) == "2019-03-01/2020-02-28"
        assert str(Recall(1).before(date(2023, 3, 31))) == "2023-03-01/2023-03-30"

    @given(days, st.integers(1, 120))
    def test_it_ends_the_day_before_the_interview(self, day: date, months: int) -> None:
        assume(day.year > 20)
        period = Recall(months).before(day)
        assert period.end == day - timedelta(days=1)
        assert abs(period.years - months / 12) < 4 / 365

    def test_it_does_not_reach_before_the_calendar(self) -> None:
        with pytest.raises(SafercitiesError):
            Recall(24).before(date(1, 6, 1))
