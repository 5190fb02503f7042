"""What must hold for every survey: order, names and scale do not matter, parts add up, no spread is no certainty."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.errors import SafercitiesError
from safercities.sampling.design import Design, survey
from small_survey import columns

PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}
NUMBERS = ("value", "se", "lower", "upper", "deff")
CLOSE = {"rel": 1e-9, "abs": 1e-12, "nan_ok": True}


@st.composite
def surveys(draw) -> dict[str, np.ndarray]:
    """A small survey: up to 4 strata of 1 to 5 PSUs of 1 to 6 people, answers missing, groups of any size."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    psus = rng.integers(1, 6, size=rng.integers(1, 5))
    psus[0] = max(psus[0], 2)
    stratum = np.repeat(np.arange(len(psus)), psus)
    people = rng.integers(1, 7, size=len(stratum))
    psu = np.repeat(np.arange(len(stratum)), people)
    n = len(psu)
    yes = (rng.random(n) < rng.random()).astype(float)
    return {
        "stratum": stratum[psu],
        "psu": psu,
        "w": rng.integers(1, 50, size=n) / 4,
        "x": rng.integers(1, 9, size=n) / 2,
        "v": yes,
        "u": np.where(rng.random(n) < 0.2, np.nan, yes),
        "y": rng.normal(3, 2, size=n).round(3),
        "sex": np.array(["F", "M"])[rng.integers(0, 2, size=n)],
        "age": rng.integers(0, 4, size=n),
    }


def stated(table, **more) -> Design:
    return survey(table, **PLAIN | {"lonely": "adjust"} | more)


def rows(design: Design) -> list[dict]:
    by = [(), ("sex",), ("sex", "age")]
    made = (
        design.proportion(["v", "u"], by),
        design.mean("y", by),
        design.total(["v", "y"], by),
        design.ratio("y", "x", by),
    )
    return [row for one in made for row in one.rows()]


def same(ours: list[dict], theirs: list[dict], *, times: dict[str, float] | None = None) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for name in ("indicator", "sex", "age", "n", "n_positive", "df", "obs_status", "quality"):
            assert one[name] == other[name], (name, one, other)
        for name in NUMBERS:
            factor = (times or {}).get(f"{one['unit']} {name}", 1)
            left, right = (float("nan") if row[name] is None else row[name] for row in (one, other))
            # squares of nearly equal answers are differences: a design effect has fewer digits
            near = CLOSE | {"rel": 1e-5} if name == "deff" else CLOSE
            if abs(left - right * factor) <= max(near["rel"] * abs(right * factor), near["abs"]):
                continue  # as pytest.approx would say, which is many times slower
            assert left == pytest.approx(right * factor, **near), (name, one, other)


def taken(table, order) -> dict[str, np.ndarray]:
    return {name: values[order] for name, values in table.items()}


@given(surveys(), st.randoms())
def test_the_order_of_rows_does_not_matter(table, random):
    order = list(range(len(table["w"])))
    random.shuffle(order)
    same(rows(stated(taken(table, np.array(order)))), rows(stated(table)))


@given(surveys(), st.sampled_from([1e-6, 0.5, 3.0, 1e9]))
def test_the_scale_of_weights_does_not_matter(table, scale):
    made = []
    for factor in (scale, 1.0):
        found = rows(stated(table | {"w": table["w"] * factor}))
        # a design effect speaks of a population of Σ w, and so do the limits of a group without a case
        made.append([row | {"deff": None} for row in found if "zero_or_full" not in row["quality"].split()])
    times = {f"{unit} {name}": scale for unit in ("people", "total") for name in ("value", "se", "lower", "upper")}
    same(*made, times=times)


@given(surveys())
def test_the_names_of_units_and_strata_do_not_matter(table):
    renamed = table | {
        "psu": np.array([f"block {(7 * one) % 101:03d}" for one in table["psu"].tolist()]),
        "stratum": np.array([f"{'zxya'[one]} zone" for one in table["stratum"].tolist()]),
    }
    same(rows(stated(renamed)), rows(stated(table)))


@given(surveys())
def test_numbers_of_units_may_begin_anew_in_each_stratum(table):
    first = np.array([np.min(table["psu"][table["stratum"] == one]) for one in table["stratum"]])
    same(rows(stated(table | {"psu": table["psu"] - first}, nested=True)), rows(stated(table)))


@given(surveys(), st.integers(0, 30))
def test_two_files_put_together_are_one(table, at):
    whole = pa.table({name: pa.array(values, from_pandas=True) for name, values in table.items()})
    for name in ("sex", "age", "psu"):
        position = whole.column_names.index(name)
        halves = [whole.column(name).slice(0, at), whole.column(name).slice(at)]
        coded = pa.chunked_array([one.combine_chunks() for one in halves if len(one)])
        whole = whole.set_column(position, name, coded.dictionary_encode() if name == "sex" else coded)
    same(rows(stated(pa.concat_tables([whole.slice(at), whole.slice(0, at)]))), rows(stated(table)))


@given(surveys())
def test_a_column_under_another_name_gives_the_same(table):
    made = stated(table | {"again": table["u"]}).proportion(["u", "again", "u"], [(), ("sex",)])
    one, other = (made.where(indicator=name).table.drop_columns("indicator") for name in ("u", "again"))
    assert one == other == stated(table).proportion("u", [(), ("sex",)]).table.drop_columns("indicator")


@given(surveys())
def test_parts_add_up(table):
    design = stated(table)
    made = design.total(["v", "y"], [(), ("sex",), ("sex", "age")])
    for outcome in ("v", "y"):
        its = made.where(indicator=outcome)
        whole = its.totals().only()
        for keep in (("sex",), ("sex", "age")):
            parts = its.totals(*keep).rows()
            assert sum(row["value"] or 0 for row in parts) == pytest.approx(whole["value"], **CLOSE)
            assert sum(row["n"] for row in parts) == whole["n"]


@given(surveys())
def test_a_share_and_its_complement_mirror_each_other(table):
    design = stated(table | {"no": 1 - table["v"]})
    for one, other in zip(design.proportion("v", "sex").rows(), design.proportion("no", "sex").rows(), strict=True):
        if one["value"] is not None:
            assert other["value"] == pytest.approx(1 - one["value"], abs=1e-12)
            assert other["se"] == pytest.approx(one["se"], rel=1e-9, abs=1e-13)
            assert (other["lower"], other["upper"]) == pytest.approx((1 - one["upper"], 1 - one["lower"]), abs=1e-9)


@given(surveys())
def test_the_variance_of_a_total_is_that_of_the_textbook(table):
    row = stated(table).total("y").only()
    variance = 0.0
    for one in np.unique(table["stratum"]):
        its = table["stratum"] == one
        x = table["w"] * table["y"]
        sums = np.array([np.sum(x[table["psu"] == psu]) for psu in np.unique(table["psu"][its])])
        m = len(sums)
        variance += m / (m - 1) * np.sum((sums - sums.mean()) ** 2) if m > 1 else np.sum(sums**2)
    assert row["se"] == pytest.approx(np.sqrt(variance), **CLOSE)


# ---- simple random samples are those of the textbook


@given(st.lists(st.booleans(), min_size=2, max_size=80))
def test_a_share_of_a_simple_random_sample(answers):
    n, p = len(answers), sum(answers) / len(answers)
    row = survey({"v": answers, "w": [7.0] * n}, weight="w").proportion("v").only()
    assert row["value"] == pytest.approx(p, abs=1e-15)
    assert row["se"] == pytest.approx(np.sqrt(p * (1 - p) / (n - 1)), rel=1e-12, abs=1e-15)
    assert row["df"] == n - 1
    if 0 < p < 1:
        assert row["deff"] == pytest.approx(1 / (1 - n / (7 * n)), rel=1e-12)
    assert 0 <= row["lower"] < row["upper"] <= 1


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60), st.integers(61, 500))
def test_a_mean_of_a_simple_random_sample_of_a_finite_population(values, size):
    n = len(values)
    row = survey({"y": values, "N": [size] * n}, fpc="N").mean("y").only()
    assert row["value"] == pytest.approx(np.mean(values), abs=1e-12)
    assert row["se"] == pytest.approx(np.sqrt((1 - n / size) * np.var(values, ddof=1) / n), rel=1e-9, abs=1e-10)


# ---- no spread is no certainty


@given(surveys(), st.sampled_from([0.1, 1 / 3, 1e9 / 7, -2.7, 1.0, 0.0]))
def test_a_constant_has_no_interval_of_width_0(table, constant):
    design = stated(table | {"flat": np.full(len(table["w"]), constant)})
    for row in design.mean("flat", [(), ("sex",), ("age", "sex")]).rows():
        if row["n"] == 0:
            continue
        assert row["value"] == pytest.approx(constant)
        assert row["se"] == 0
        assert {"zero_or_full", "no_spread"} & set(row["quality"].split())
        assert row["obs_status"] == "U"
        assert row["lower"] is None or row["upper"] - row["lower"] > 1e-3


@given(surveys(), st.sampled_from([0, 1]))
def test_nobody_and_everybody_have_one_sided_intervals(table, answer):
    design = stated(table | {"all": np.full(len(table["w"]), answer)})
    for interval in ("korn-graubard", "logit", "wilson", "clopper-pearson", "student"):
        for row in design.proportion("all", [(), ("sex",)], interval=interval).rows():
            if row["n"]:
                assert row["value"] == pytest.approx(answer)
                assert "zero_or_full" in row["quality"].split()
                assert row["upper"] - row["lower"] > 0.01
                assert (row["lower"] == 0) if answer == 0 else (row["upper"] == 1)


def test_a_group_in_one_psu():
    table = columns() | {"only": np.where(columns()["psu"] == 5, "here", "elsewhere")}
    design = survey(table, **PLAIN)
    share = design.proportion("v", ["only"]).where(only="here").only()
    assert share["df"] == 0
    assert (share["lower"], share["upper"]) == (0, 1)
    assert share["quality"].split() == ["single_psu"]
    assert share["obs_status"] == "U"
    mean = design.mean("z", ["only"]).where(only="here").only()
    assert (mean["lower"], mean["upper"]) == (None, None)


def test_an_empty_group_is_a_row_that_says_so():
    table = columns()
    design = survey(table | {"sex": np.where(table["age"] == 2, "F", table["sex"])}, **PLAIN)
    row = design.proportion("v", ["sex", "age"]).where(sex="M", age="2").only()
    assert (row["n"], row["n_positive"]) == (0, 0)
    assert {row[name] for name in NUMBERS} == {None}
    assert (row["obs_status"], row["quality"]) == ("M", "")


def test_one_respondent_says_nothing_of_the_error():
    with pytest.raises(SafercitiesError) as raised:
        survey({"v": [1]})
    assert raised.value.problems[0].code == "survey-one-psu"


def test_two_respondents():
    row = survey({"v": [1, 0]}).proportion("v").only()
    assert (row["value"], row["se"], row["n"], row["df"]) == (0.5, pytest.approx(0.5), 2, 1)
    assert row["lower"] < 0.1
    assert row["upper"] > 0.9


# ---- digits


@pytest.mark.parametrize("rare", [1, 7])
def test_shares_near_1_keep_their_digits(rare):
    """Against exact arithmetic: 400 PSUs of 50 people in 4 strata, `rare` of 20 000 say no."""
    i = np.arange(20_000)
    table = {
        "stratum": i // 5000,
        "psu": i // 50,
        "w": 1 + (i * 37) % 29,
        "v": (i % (20_000 // rare) != 11).astype(int),
    }
    exact = _exact_variance(table)
    design = survey(table | {"no": 1 - table["v"]}, **PLAIN)
    for outcome in ("v", "no"):
        row = design.proportion(outcome).only()
        assert row["se"] ** 2 == pytest.approx(float(exact), rel=1e-9)
    assert design.proportion("no").only()["lower"] > 0


def _exact_variance(table) -> Fraction:
    w, yes = table["w"], table["w"] * table["v"]
    d = [int(one) for one in np.bincount(table["psu"], w)]
    x = [int(one) for one in np.bincount(table["psu"], yes)]
    share, whole = Fraction(sum(x), sum(d)), sum(d)
    z = [(one - share * below) / whole for one, below in zip(x, d, strict=True)]
    variance = Fraction(0)
    for first in range(0, 400, 100):
        part = z[first : first + 100]
        mean = sum(part) / 100
        variance += Fraction(100, 99) * sum((one - mean) ** 2 for one in part)
    return variance
