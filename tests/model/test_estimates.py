"""The estimates table: rows stay whole, missing dimensions are totals, nothing is added up."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.estimates import KEYS, MEASURES, TOTAL, Estimates, schema

FIXED = [name for name, _ in (*KEYS, *MEASURES)]
numbers = st.none() | st.floats(allow_nan=False)
codes = st.sampled_from(["_T", "_U", "F", "M", "Y15T24"])


@st.composite
def tables(draw: st.DrawFn, min_size: int = 0) -> Estimates:
    """Estimates over some of three dimensions, each row with its own numbers."""
    names = draw(st.lists(st.sampled_from(["sex", "age", "means"]), unique=True))
    row = st.fixed_dictionaries(
        {
            "indicator": st.sampled_from(["x", "y"]),
            "place": st.sampled_from(["a", "b", "c"]),
            "period": st.sampled_from(["2018", "2019"]),
            "value": numbers,
            "lower": numbers,
            "n": st.none() | st.integers(0, 10**12),
            "unit": st.none() | st.sampled_from(["victims", "per 100 000"]),
            **dict.fromkeys(names, codes),
        }
    )
    return Estimates.from_rows(draw(st.lists(row, min_size=min_size, max_size=8)), names)


def filled(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    """A row over these dimensions, as something that can be compared whatever the order of the columns."""
    return tuple(row.get(name, TOTAL) for name in (*FIXED, *sorted(names)))


@given(st.lists(tables(), max_size=4))
def test_concat_keeps_every_row_whole(parts: list[Estimates]) -> None:
    joined = Estimates.concat(parts)
    assert set(joined.dimensions) == {name for part in parts for name in part.dimensions}
    expected = [filled(row, joined.dimensions) for part in parts for row in part.rows()]
    assert [filled(row, joined.dimensions) for row in joined.rows()] == expected


@given(tables())
def test_where_takes_exactly_the_rows_that_match(estimates: Estimates) -> None:
    for wanted in (
        {"place": "a"},
        {"place": ["a", "b"], "period": "2019"},
        {"unit": None},
        {"unit": ["victims", None]},
    ):
        expected = [
            row
            for row in estimates.rows()
            if all(row[name] in (value if isinstance(value, list) else [value]) for name, value in wanted.items())
        ]
        assert estimates.where(**wanted).rows() == expected


@given(tables())
def test_where_without_conditions_is_everything(estimates: Estimates) -> None:
    assert estimates.where() == estimates


@given(tables(), st.sets(st.sampled_from(["sex", "age", "means"])))
def test_totals_are_broken_down_by_exactly_what_is_kept(estimates: Estimates, keep: set[str]) -> None:
    def exactly(row: dict[str, Any]) -> bool:
        broken = {name for name in estimates.dimensions if row[name] != TOTAL}
        return broken == keep

    assert estimates.totals(*keep).rows() == [row for row in estimates.rows() if exactly(row)]


@given(tables())
def test_every_row_is_in_the_totals_of_one_combination(estimates: Estimates) -> None:
    from itertools import chain, combinations

    names = estimates.dimensions
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    assert sum(len(estimates.totals(*keep)) for keep in subsets) == len(estimates)


@given(tables(), st.randoms(use_true_random=False))
def test_sort_does_not_depend_on_the_order_of_rows(estimates: Estimates, random: Any) -> None:
    def keys(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(str(row[name]) for name in ("indicator", "unit", "period", "place", *estimates.dimensions))

    rows = list({keys(row): row for row in estimates.rows()}.values())
    first = Estimates.from_rows(rows, estimates.dimensions).sort()
    random.shuffle(rows)
    assert Estimates.from_rows(rows, estimates.dimensions).sort() == first


@given(tables())
def test_the_table_always_has_the_schema(estimates: Estimates) -> None:
    assert estimates.table.schema == schema(estimates.dimensions)
    assert Estimates(estimates.table) == estimates


def test_missing_columns_become_null_and_missing_dimensions_total() -> None:
    estimates = Estimates(
        pa.table(
            {"sex": ["F", None], "value": [1, 2], "indicator": ["x"] * 2, "place": ["a"] * 2, "period": ["2019"] * 2}
        )
    )
    assert [row["sex"] for row in estimates.rows()] == ["F", "_T"]
    assert {row["se"] for row in estimates.rows()} == {None}
    assert estimates.rows()[0]["value"] == 1.0


@pytest.mark.parametrize("missing", ["indicator", "place", "period", "value"])
def test_a_table_without_its_keys_is_refused(missing: str) -> None:
    row = {"indicator": ["x"], "place": ["a"], "period": ["2019"], "value": [1.0]}
    row.pop(missing)
    with pytest.raises(ValueError, match=missing):
        Estimates(pa.table(row))


def test_dictionary_columns_are_read_as_text() -> None:
    names = pa.array(["a", "b"]).dictionary_encode()
    estimates = Estimates(
        pa.table({"indicator": names, "place": names, "period": names, "value": [1.0, 2.0], "sex": names})
    )
    assert [row["sex"] for row in estimates.where(place="b").rows()] == ["b"]


def test_a_count_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        Estimates(pa.table({"indicator": ["x"], "place": ["a"], "period": ["2019"], "value": [1.0], "n": [1.5]}))


class TestNone:
    def test_empty(self) -> None:
        empty = Estimates.empty(["sex"])
        assert (len(empty), empty.dimensions) == (0, ("sex",))
        assert len(empty.where(sex="F")) == len(empty.totals()) == len(empty.totals("sex")) == 0
        assert empty.sort() == empty
        assert empty.rows() == []

    def test_nothing_joined(self) -> None:
        assert Estimates.concat([]) == Estimates.empty()
        assert Estimates.from_rows([]) == Estimates.empty()

    def test_only(self) -> None:
        row = {"indicator": "x", "place": "a", "period": "2019", "value": 1.0}
        assert Estimates.from_rows([row]).only()["value"] == 1.0
        for count in (0, 2):
            with pytest.raises(LookupError, match=f"found {count}"):
                Estimates.from_rows([row] * count).only()


class TestQuestionsAboutMissingColumns:
    estimates = Estimates.from_rows([{"indicator": "x", "place": "a", "period": "2019", "value": 1.0}])

    def test_a_dimension_that_no_row_has_is_total(self) -> None:
        assert len(self.estimates.where(sex="_T")) == 1
        assert len(self.estimates.where(sex=["_T", "F"])) == 1

    @pytest.mark.parametrize("wanted", ["F", ["F", "M"], None])
    def test_anything_else_of_it_is_an_error(self, wanted: object) -> None:
        with pytest.raises(KeyError, match="sex"):
            self.estimates.where(sex=wanted)

    def test_a_breakdown_that_the_table_lacks_has_no_rows(self) -> None:
        assert len(self.estimates.totals("sex")) == 0  # not the totals: they are no breakdown by sex

    def test_a_column_that_is_no_dimension_cannot_be_kept(self) -> None:
        with pytest.raises(KeyError, match="place"):
            self.estimates.totals("place")


def test_nobody_can_change_a_table() -> None:
    estimates = Estimates.from_rows([{"indicator": "x", "place": "a", "period": "2019", "value": 1.0}])
    with pytest.raises(AttributeError):
        estimates.table = estimates.table.slice(0, 0)  # type: ignore[misc]


def test_shown_in_a_notebook_without_letting_markup_through() -> None:
    rows = [{"indicator": "<b>", "place": f"p{i}", "period": "2019", "value": i / 3, "sex": "F"} for i in range(25)]
    shown = Estimates.from_rows(rows)
    page = shown._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "5 more rows" in page
    assert "0.3333" in page
    assert repr(shown) == "<Estimates: 25 rows, 1 indicators, by sex>"
    assert "more rows" not in shown.where(place="p1")._repr_html_()


def test_to_pandas() -> None:
    pytest.importorskip("pandas")
    estimates = Estimates.from_rows([{"indicator": "x", "place": "a", "period": "2019", "value": 1.5}])
    frame = estimates.to_pandas()
    assert list(frame.columns) == estimates.to_arrow().column_names
    assert frame["value"].tolist() == [1.5]
