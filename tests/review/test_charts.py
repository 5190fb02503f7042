"""Charts: what is drawn is what the rows say."""

from __future__ import annotations

import re

from safercities.review import charts
from safercities.review.charts import Point
from safercities.review.drawing import draw

NUMBERS: dict[str, object] = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]}


def svg(spec: charts.Spec, title: str = "T") -> str:
    return draw(spec, uid="u", title=title, desc="D", numbers=NUMBERS)


def test_text_stays_text_and_numbers_follow_the_language():
    found = svg(charts.trend([Point("2018", 900.0, 800.0, 1000.0), Point("2019", 2100.0, 2000.0, 2200.0)]))
    assert re.findall(r">(\d[\d.]*)</text>", found) == ["2018", "2019", "0", "500", "1.000", "1.500", "2.000"]
    assert "font-family" not in found


def test_colours_are_the_pages_own():
    found = svg(charts.trend([Point(str(i), float(i), i - 1.0, i + 1.0, series=s) for i in range(4) for s in "ab"]))
    assert "#00000" not in found
    assert "var(--accent" in found
    assert "var(--second" in found


def test_partial_periods_are_open_and_off_the_line():
    whole = [Point(str(year), 10.0, 8.0, 12.0) for year in range(2015, 2019)]
    closed = svg(charts.trend(whole))
    with_part = svg(charts.trend([*whole, Point("2019", 5.0, 4.0, 6.0, open=True)]))
    assert 'fill="var(--paper,#ffffff)"' not in closed
    assert with_part.count('fill="var(--paper,#ffffff)"') == 1
    line = re.search(r'<path d="(M[^"Z]*)" stroke="var\(--accent,#0b5c7a\)" stroke-width="2"', with_part)[1]
    assert line.count("L") == 3  # four years, not five


def test_a_period_without_a_value_breaks_nothing():
    found = svg(charts.trend([Point("2017", 3.0, 2.0, 4.0), Point("2018", None), Point("2019", 4.0, 3.0, 5.0)]))
    assert "NaN" not in found


def test_each_group_has_a_dot_and_an_interval_and_there_is_one_line_of_reference():
    points = [
        Point(name, value, value - 1, value + 1, series=s) for name, value in (("A", 3.0), ("B", 5.0)) for s in "xy"
    ]
    assert svg(charts.intervals(points, reference=4.0)).count("stroke-dasharray") == 1
    bare = svg(charts.intervals(points))
    assert len(re.findall(r'stroke-width="2.4"', bare)) == 4
    assert len(re.findall(r'stroke-width="1.6"', bare)) == 4


def test_labels_that_look_like_markup_stay_text():
    found = svg(charts.intervals([Point('<b onload="x"> role="y"', 1.0, 0.5, 2.0)]), title="<i>")
    assert "<b" not in found
    assert 'role="y"' in found.replace("&quot;", '"')
    assert '<title id="u-t">&lt;i&gt;</title>' in found


def test_many_places_show_their_spread_without_names():
    found = svg(charts.spread([Point(f"Place {i}", float(i), i - 0.5, i + 0.5) for i in range(60)], reference=30.0))
    assert "Place" not in found
    assert len(re.findall(r"<line", found)) >= 60


def test_labels_of_a_long_series_are_thinned():
    labels = [f"{year}-{month:02}" for year in range(2010, 2020) for month in range(1, 13)]
    kept = charts.thin(labels)
    assert 2 <= len(kept) <= 8
    assert kept[-1] == labels[-1]


def test_a_control_character_in_a_name_does_not_end_the_process():
    found = svg(charts.trend([Point("North\x01\uffff", 1.0), Point("South", 2.0)]), title="North\x01")
    assert "North��" in found
