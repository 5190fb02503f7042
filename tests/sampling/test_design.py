"""Designs of every sort give R survey's estimates, standard errors, design effects and degrees of freedom."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import groupby

import numpy as np
import pytest

from safercities.sampling import sums
from safercities.sampling.design import Design, survey
from small_survey import AGES, SEXES, columns, expected, replicate_factors

# Expected numbers: tests/sampling/reference.R, R 4.2.2, survey 4.1.1.
EXACT = {"rel": 1e-10, "nan_ok": True}
PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}
TWO = PLAIN | {"stages": ["home"], "fpc": ["N1", "N2"]}
STATED = {
    "simple": {"weight": "even"},
    "weights": {"weight": "w"},
    "strata": {"weight": "w", "strata": "stratum"},
    "clusters": {"weight": "w", "psu": "psu"},
    "strata, clusters": PLAIN,
    "nested": PLAIN | {"psu": "local", "nested": True},
    "fpc": PLAIN | {"fpc": "N1"},
    "shares": PLAIN | {"fpc": "f1"},
    "fpc, own weights": {"strata": "stratum", "psu": "psu", "fpc": "N1"},
    "two stages, adjust": TWO | {"lonely": "adjust"},
    "two stages, certainty": TWO | {"lonely": "certainty"},
    "two stages, own weights": {name: value for name, value in TWO.items() if name != "weight"},
    "two stages, shares": TWO | {"fpc": ["f1", "f2"]},
    "certainty": PLAIN | {"stages": ["home"], "certainty": "sure"},
    **{
        f"lonely {rule}": PLAIN | {"strata": "lone", "lonely": rule}
        for rule in ("adjust", "average", "certainty", "remove")
    },
}

#: R counts the rank of the replicate weights again in each domain, and gives no design effect.
REPLICATED = ("jkn", "jk1", "jkn, poststratified", "bootstrap", "brr", "fay")


def replicated(kind: str, **settings: float) -> Design:
    boot, half = replicate_factors()
    factors = {"bootstrap": boot, "brr": half, "fay": 0.7 * half + 0.3}[kind]
    table = columns()
    names = [f"rw{number}" for number in range(len(factors))]
    table |= dict(zip(names, factors * table["w"], strict=True))
    return survey(table, weight="w").replicate_weights(names, kind, **settings)


def adjusted() -> dict[str, Callable[[], Design]]:
    """Designs made from designs."""
    plain = survey(columns(), **PLAIN)
    numbers = {"age": AGES, "den": 224_000}
    return {
        "poststratified": lambda: plain.poststratify(["age"], AGES),
        "raked": lambda: plain.rake({"age": AGES, "sex": SEXES}),
        "raked by rounds": lambda: plain.rake({"age": AGES, "sex": SEXES}, change=1, iterations=10, residuals="rounds"),
        "calibrated": lambda: plain.calibrate(numbers),
        "poststratified, fpc": lambda: survey(columns(), **PLAIN, fpc="N1").poststratify(["age"], AGES),
        "poststratified, two stages": lambda: survey(columns(), **TWO, lonely="adjust").poststratify(["age"], AGES),
        "poststratified, lonely average": lambda: survey(columns(), **STATED["lonely average"]).poststratify(
            ["age"], AGES
        ),
        "jkn": plain.jackknife,
        "jk1": lambda: survey(columns(), weight="w", psu="psu").jackknife(),
        "jkn, poststratified": lambda: plain.jackknife().poststratify(["age"], AGES),
        "bootstrap": lambda: replicated("bootstrap"),
        "brr": lambda: replicated("brr"),
        "fay": lambda: replicated("fay", fay=0.3),
    }


def design_of(case: str) -> Design:
    return survey(columns(), **STATED[case]) if case in STATED else adjusted()[case]()


@cache
def reference() -> dict[str, dict[tuple[str, str], dict[str, float]]]:
    """Expected numbers by case, then by what and group."""
    rows = expected("reference.csv")
    number = ("value", "se", "deff", "df")
    return {
        case: {
            (row["what"], row["group"]): {
                name: float("nan") if row[name] == "NA" else float(row[name]) for name in number
            }
            for row in its
        }
        for case, its in groupby(rows, key=lambda row: row["case"])
    }


def found(design: Design) -> dict[tuple[str, str], dict[str, float]]:
    """The same from safercities."""
    by = [(), ("sex",), ("age",), ("region",), ("sex", "age")]
    made = {
        "proportion": design.proportion(["v", "u"], by),
        "mean": design.mean("y", by),
        "total": design.total(["v", "y"], by),
        "ratio": design.ratio("y", "den", by),
    }
    names = {("ratio", "y"): "ratio y/den"}
    rows = {}
    for kind, estimates in made.items():
        for row in estimates.rows():
            group = ";".join(f"{name}={row[name]}" for name in ("sex", "age", "region") if row[name] != "_T")
            what = names.get((kind, row["indicator"]), f"{kind} {row['indicator']}")
            rows[what, group] = {
                name: float("nan") if row[name] is None else row[name] for name in ("value", "se", "deff", "df")
            }
    return rows


def test_the_reference_has_every_case():
    assert set(reference()) == {*STATED, *adjusted()}


@pytest.mark.parametrize("case", sorted(reference()))
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_equal_to_r(case, form, monkeypatch):
    monkeypatch.setattr(sums, "make_cells", {"dense": dense, "sparse": sparse}[form])
    monkeypatch.setattr("safercities.sampling.drawn.make_cells", {"dense": dense, "sparse": sparse}[form])
    ours = found(design_of(case))
    for key, wanted in reference()[case].items():
        for name, number in wanted.items():
            if (name == "deff" and np.isnan(number)) or (name == "df" and case in REPLICATED):
                continue
            assert ours[key][name] == pytest.approx(number, **EXACT), (key, name)


def dense(units, unit, axes):
    return sums.Dense(units, unit, tuple(axes))


def sparse(units, unit, axes):
    return sums.Sparse(units, unit, tuple(axes))


@pytest.mark.parametrize(("case", "df"), [("jkn", 21), ("jk1", 26), ("strata, clusters", 21), ("weights", 239)])
def test_degrees_of_freedom_of_the_design(case, df):
    design = design_of(case)
    assert design.df == df
    assert design.mean("y", ["age"], df="design").table.column("df").to_pylist() == [df] * 4


def test_quantiles_equal_to_r():
    made = survey(columns(), **PLAIN).quantile("y", [0.25, 0.5, 0.9], ["age"])
    ours = {(row["method"].split(",")[0], row["age"]): row for row in made.rows()}
    for wanted in expected("reference_quantiles.csv"):
        row = ours[f"quantile {wanted['q']}", wanted["age"]]
        for name in ("value", "lower", "upper", "se", "df"):
            ours_is = float("nan") if row[name] is None else row[name]
            assert ours_is == pytest.approx(float(wanted[name]), **EXACT), (wanted, name)


def test_respondents_of_weight_0_count_for_nothing_but_their_psu_stays():
    # R 4.2.2, survey 4.1.1: d <- data.frame(h=rep(1:2,each=6), c=rep(1:6,each=2), w=c(1,2,3,4,0,0,2,1,4,3,5,0),
    # y=c(1,4,2,8,5,7,1,4,2,8,5,7)); s <- svydesign(ids=~c, strata=~h, weights=~w, data=d)
    # svymean(~y, s); svytotal(~y, s)
    table = {"h": [1] * 6 + [2] * 6, "c": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]}
    table["w"] = [1, 2, 3, 4, 0, 0, 2, 1, 4, 3, 5, 0]
    design = survey(table | {"y": [1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7]}, weight="w", strata="h", psu="c")
    mean, total = design.mean("y").only(), design.total("y").only()
    assert (mean["value"], mean["se"]) == (pytest.approx(4.4, rel=1e-10), pytest.approx(0.54938511082846053, rel=1e-10))
    assert (total["value"], total["se"]) == (pytest.approx(110, rel=1e-10), pytest.approx(41.54515615568198, rel=1e-10))
    assert (mean["n"], mean["df"]) == (9, 3)  # the PSU whose members all have weight 0 gives no degree of freedom


def test_a_design_says_what_it_is():
    design = survey(columns(), **PLAIN)
    assert repr(design) == "<Design: 240 respondents, 27 PSUs in 6 strata>"
    assert sorted(design.weights) == sorted(columns()["w"])


def test_a_breakdown_asked_for_twice_comes_once():
    design = survey(columns(), **PLAIN)
    once = design.mean("y", [("age",), ("age", "sex")])
    assert design.mean("y", [("age",), ("age", "sex"), "age", ["age"]]).table == once.table
    assert design.mean("y", ["age", "age"]).table == design.mean("y", "age").table


def test_breakdowns_made_together_equal_those_made_alone():
    design = survey(columns(), **PLAIN)
    by = [(), ("age",), ("sex", "region"), ("age", "sex"), ("region",), ("region", "age", "sex")]
    together = {key(row): row for row in design.proportion(["v", "u"], by).rows()}
    alone = [row for one in by for row in design.proportion(["v", "u"], [one]).rows()]
    assert len(together) == len(alone)
    for row in alone:
        other = together[key(row)]
        assert (row["n"], row["n_positive"], row["df"]) == (other["n"], other["n_positive"], other["df"])
        for name in ("value", "se", "deff", "lower", "upper"):
            one, two = (float("nan") if each[name] is None else each[name] for each in (row, other))
            assert one == pytest.approx(two, rel=1e-12, nan_ok=True), (key(row), name)


def key(row):
    return (row["indicator"], *(row.get(name, "_T") for name in ("age", "sex", "region")))


def test_certainty_is_the_design_written_out():
    table = columns()
    sure = table["sure"] == 1
    table["own"] = np.where(sure, 100 + table["psu"], table["stratum"])
    table["unit"] = np.where(sure, 1000 + table["home"], table["psu"])
    written_out = survey(table, weight="w", strata="own", psu="unit").mean("y", [(), ("age",)])
    short = survey(table, **PLAIN, stages=["home"], certainty="sure").mean("y", [(), ("age",)])
    assert short.table.column("se").to_pylist() == pytest.approx(written_out.table.column("se").to_pylist(), rel=1e-12)
    people = survey(table, **PLAIN, certainty="sure")
    assert people.df == 27 - 6 + int(sure.sum()) - 2 - 2  # two strata more, and people in place of two PSUs


def test_certainty_leaves_the_weights_that_sizes_make_finite():
    table = columns()
    size = {"strata": "stratum", "psu": "psu"}
    one = survey(table, **size, fpc="N1", certainty="sure")
    two = survey(table, **size, stages=["home"], fpc=["N1", "N2"], certainty="sure", lonely="adjust")
    assert np.isfinite(one.weights).all()
    sure = one.respondents.numbers("sure") == 1
    assert set(one.weights[sure].tolist()) == {1.0}
    homes = {psu: len(np.unique(table["home"][table["psu"] == psu])) for psu in (4, 8)}
    wanted = {psu: (6 + psu % 5) / homes[psu] for psu in (4, 8)}
    for psu in (4, 8):
        its = two.respondents.numbers("psu") == psu
        assert two.weights[its] == pytest.approx(wanted[psu])


def test_certainty_adds_no_stage_below_those_whose_sizes_are_known():
    # R 4.2.2, survey 4.1.1, as reference.R, options(survey.lonely.psu = "certainty"): svydesign(~sure_psu + home,
    # strata = ~sure_stratum, weights = ~w, fpc = ~ifelse(sure, N2, N1) + ifelse(sure, 1, N2), data = d)
    design = survey(columns(), **PLAIN, stages=["home"], fpc=["N1", "N2"], certainty="sure", lonely="certainty")
    se = [row["se"] for row in design.mean("z", [(), ("age",)]).rows()]
    in_r = [0.20955821039400044, 0.46138700089743495, 0.43262596039128709, 0.32843619821924841, 0.31418076536438588]
    assert se == pytest.approx(in_r, rel=1e-10)
    assert design.total("z").only()["se"] == pytest.approx(2184.6589712557134, rel=1e-10)
    one_each = {"h": [0] * 8, "c": [0] * 4 + [1, 1, 2, 2], "home": list(range(8)), "N1": [5] * 8, "N2": [9] * 8}
    one_each |= {"sure": [1] * 4 + [0] * 4, "y": [3, 1, 4, 1, 5, 9, 2, 6], "w": [1] * 8}
    words = {"weight": "w", "strata": "h", "psu": "c", "stages": ["home"], "fpc": ["N1", "N2"], "certainty": "sure"}
    assert survey(one_each, **words).mean("y").only()["se"] > 0  # no lonely unit below the homes


@pytest.mark.parametrize("kind", ["ratio", "mean"])
def test_missing_as_no_counts_0_only_where_the_answer_is_missing(kind):
    table = {"x": [1.0, None, 3.0, 2.0], "d": [2.0, 2.0, None, 4.0]}
    design = survey(table)
    if kind == "ratio":
        assert design.ratio("x", "d", missing="no").only()["value"] == pytest.approx(6 / 8)
        assert design.ratio("x", "d").only()["value"] == pytest.approx(3 / 6)
    else:
        assert design.mean("x", missing="no").only()["value"] == pytest.approx(6 / 4)
        assert design.mean("x").only()["value"] == pytest.approx(6 / 3)


def test_a_share_among_some_is_that_of_a_domain():
    table = columns() | {"asked": (columns()["sex"] == "F").astype(int)}
    design = survey(table, **PLAIN)
    among = design.proportion("u", ["age"], among="asked").rows()
    domain = design.proportion("u", ["sex", "age"]).where(sex="F").rows()
    for one, other in zip(among, domain, strict=True):
        assert (one["value"], one["se"], one["n"], one["df"]) == (
            pytest.approx(other["value"], rel=1e-12), pytest.approx(other["se"], rel=1e-12), other["n"], other["df"]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("per", "unit"), [(100, "%"), (1000, "per 1 000"), (1_000_000, "per 1 000 000"), (0.5, "per 0.5")]
)
def test_values_per_so_many_people(per, unit):
    design = survey(columns(), **PLAIN)
    plain, row = design.proportion("v").only(), design.proportion("v", per=per).only()
    assert row["unit"] == unit
    for name in ("value", "se", "lower", "upper"):
        assert row[name] == pytest.approx(plain[name] * per)


@pytest.mark.parametrize("per", [1, 100, 1000])
def test_publication_rules_say_the_same_of_a_ratio_per_so_many(per):
    # 20 of 200 in 40 PSUs, all in 8 of them: cv 26 %, above the 15 % for ratios beyond 1; the curve of shares allows it
    i = np.arange(200)
    table = {"c": i // 5, "x": ((i // 5) % 10 == 3) * 1.0, "d": np.full(200, 2.0)}
    row = survey(table, psu="c").ratio("x", "d", per=per, scheme="ine-chile-2020").only()
    assert row["value"] == pytest.approx(0.05 * per)
    assert row["verdict"] == "warn"
    assert row["note"].startswith("Standard error of 2.4 percentage points; ine-chile-2020 asks for at most 1.51 perc")


def test_publication_rules_judge_the_interval_that_they_speak_of_not_the_one_shown():
    i = np.arange(80)
    design = survey({"v": (i % 16 == 0).astype(float)})
    judged = [
        design.proportion("v", interval=interval, level=level, scheme="nchs").only()
        for interval, level in (("korn-graubard", 0.95), ("student", 0.8), ("logit", 0.99))
    ]
    assert {(row["verdict"], row["note"], row["scheme"]) for row in judged} == {
        (judged[0]["verdict"], judged[0]["note"], "nchs-proportions-2017")
    }
    assert judged[0]["verdict"] == "withhold"
    assert judged[1]["upper"] < judged[0]["upper"] < judged[2]["upper"]


def test_a_quantile_from_one_psu_has_no_interval():
    table = {"c": [1, 1, 1, 2, 2, 3, 3, 3], "g": ["a"] * 3 + ["b"] * 5, "y": [3, 1, 2, 5, 4, 7, 9, 8]}
    design = survey(table, psu="c")
    for df in ("domain", "design"):
        row = design.quantile("y", 0.5, ["g"], df=df).where(g="a").only()
        assert (row["value"], row["se"], row["lower"], row["upper"]) == (2, None, None, None)
        assert (row["quality"], row["obs_status"]) == ("single_psu", "U")


def test_a_ratio_over_nothing_has_no_value():
    row = survey({"x": [1.0, 2.0, 0.0], "d": [0.0, 0.0, 0.0]}).ratio("x", "d").only()
    assert (row["value"], row["se"], row["obs_status"], row["n"]) == (None, None, "M", 3)


def test_a_number_that_cannot_be_negative_has_no_limit_below_0():
    table = columns() | {"rare": np.where(np.arange(240) % 80 == 0, 1.0, 0.0)}
    row = survey(table, **PLAIN).total("rare").only()
    assert row["value"] - 1.9 * row["se"] < 0 < row["lower"] < row["value"] < row["upper"]
    assert "interval on the logarithm" in row["note"]
    below = survey(table | {"change": table["rare"] - 0.01}, **PLAIN).total("change").only()
    assert below["lower"] < 0  # what can be negative keeps Student's limits
    assert not below["note"]


def test_statistics_of_other_respondents_never_share_their_sums():
    table = columns()
    table["den"] = np.where(np.arange(240) % 7 == 0, np.nan, table["den"])
    table["y"] = np.where(np.arange(240) % 5 == 0, np.nan, table["y"])
    design = survey(table, **PLAIN)
    mean, ratio = design.statistics("mean", "y"), design.statistics("ratio", "y", denominator="den")
    together = {one.kind: result for cells, one, result in design.results([*mean, *ratio], [("sex",)])}
    for kind, alone in (("mean", design.mean("y", ["sex"])), ("ratio", design.ratio("y", "den", ["sex"]))):
        assert together[kind].value.tolist() == pytest.approx(alone.table.column("value").to_pylist(), rel=1e-14)
        assert together[kind].n.tolist() == alone.table.column("n").to_pylist()
