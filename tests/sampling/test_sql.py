"""A survey that stays with a SQL engine: the estimates of rows in memory; DuckDB and Spark agree to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from safercities.engine.duck import Duck
from safercities.engine.exact import Sum
from safercities.engine.spark import Spark
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.sampling.design import Design, survey
from safercities.sampling.sql import SqlTable

BY = [(), ("sex",), ("âge",), ("district",), ("sex", "âge"), ("sex", "âge", "district", "rural")]
DESCRIBED: dict[str, Any] = {"weight": "w", "strata": "stratum", "psu": 'psu "id"'}


def respondents(seed: int = 1, rows: int = 3000) -> pa.Table:
    """Unequal weights (some 0), missing answers, labels with blanks, codes as floats, a weight column of any size."""
    rng = np.random.default_rng(seed)
    psu = rng.integers(0, 60, rows)

    def gaps(values: Any, share: float) -> pa.Array:
        return pa.array(values, mask=rng.random(rows) < share)

    weights = np.where(rng.random(rows) < 0.02, 0, rng.lognormal(3, 1.5, rows))
    return pa.table(
        {
            "w": weights,
            "stratum": pa.array(psu // 6),
            'psu "id"': pa.array([f"p{one}" for one in psu.tolist()]),
            "sex": gaps(rng.choice(["F", "M", "F ", "é"], rows), 0.02),
            "âge": gaps(rng.integers(0, 4, rows), 0.01),
            "district": gaps(rng.choice([1.0, 2.0, -0.0, 0.0, 3.5, np.nan], rows), 0.01),
            "rural": gaps(rng.random(rows) < 0.4, 0.01),
            "robbed": pa.array(rng.integers(0, 2, rows)),
            "rare": gaps((rng.random(rows) < 0.01).astype(float), 0.1),
            "asked": pa.array(rng.random(rows) < 0.5),
            "income": gaps(np.where(rng.random(rows) < 0.1, np.nan, rng.normal(50, 1e4, rows)), 0.05),
            "visits": gaps(rng.poisson(2, rows).astype("int16"), 0.05),
        }
    )


ESTIMATES: dict[str, Callable[[Design], Estimates]] = {
    "proportions": lambda d: d.proportion(["robbed", "rare", "asked"], BY, scheme="nchs"),
    "proportions, missing as no": lambda d: d.proportion(["robbed", "rare"], BY, missing="no", df="design"),
    "proportions among those asked": lambda d: d.proportion(["robbed", "rare"], BY, among="asked", interval="logit"),
    "means": lambda d: d.mean(["income", "visits", "rare"], BY),
    "means among those asked": lambda d: d.mean(["income", "visits"], BY, among="asked", missing="no"),
    "totals": lambda d: d.total(["income", "robbed", "rare"], BY),
    "ratios": lambda d: d.ratio(["income", "visits", "rare"], "visits", BY),
    "ratios, missing as no": lambda d: d.ratio(["income", "rare"], "visits", BY, missing="no"),
    "jackknife": lambda d: d.jackknife().proportion(["robbed"], BY[:4]),
    "bootstrap": lambda d: d.bootstrap(20, seed=1).mean(["visits"], BY[:4]),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "respondents.parquet"
    pq.write_table(respondents(), path, row_group_size=700)
    return path


def alike(one: pa.Table, other: pa.Table, tolerance: float) -> None:
    """The same table, numbers within a tolerance; design effects where there is spread (else they are noise)."""
    assert one.schema == other.schema
    assert one.num_rows == other.num_rows
    assert one.column("se").is_null().equals(other.column("se").is_null())
    spread = pc.greater(one.column("se"), 0)
    for name in one.column_names:
        a, b = one.column(name), other.column(name)
        if name == "deff":
            a, b = a.filter(spread), b.filter(spread)
        assert a.is_null().equals(b.is_null()), name
        if pa.types.is_floating(a.type):
            np.testing.assert_allclose(b.drop_null(), a.drop_null(), rtol=tolerance, atol=1e-300, err_msg=name)
        else:
            assert a.equals(b), name


@pytest.mark.parametrize("what", ESTIMATES)
def test_estimates_are_those_of_rows_in_memory(path: Path, what: str) -> None:
    with Duck([path]) as engine:
        by_sql = ESTIMATES[what](survey(path, **DESCRIBED, engine=engine)).to_arrow()
    assert len(set(by_sql.column("value").to_pylist())) > 10
    # the design effect of numbers far from 0 rests on a difference of squares
    alike(ESTIMATES[what](survey(path, **DESCRIBED)).to_arrow(), by_sql, 1e-11)


@pytest.mark.parametrize("what", ["proportions", "ratios"])
def test_spark_gives_the_same_to_the_last_bit(spark: Spark, path: Path, what: str) -> None:
    with Duck([path]) as engine:
        duck = ESTIMATES[what](survey(path, **DESCRIBED, engine=engine)).to_arrow()
    assert ESTIMATES[what](survey(path, **DESCRIBED, engine=spark)).to_arrow().equals(duck)


def sums(engine: Any, source: Any) -> pa.Table:
    table = SqlTable(engine, source, "w", ("stratum", 'psu "id"'))
    income, visits = table.value(table.number("income")), table.value(table.number("visits"))
    table.learn([income, visits])
    terms = {"w": table.product([]), "wy": table.product([income.name]), "wyy": table.product([income.name] * 2, 3)}
    asked = {
        "w": Sum("w"),
        "of visitors": Sum("w", f'"{visits.name}" > 0'),
        "n": Sum(),
        "y": Sum("wy"),
        "yy": Sum("wyy"),
    }
    return table.sums(["sex", "district"], [income, visits], terms, asked)


def test_tables_of_sums_are_one_table_on_spark(spark: Spark, path: Path) -> None:
    with Duck([path]) as engine:
        duck = sums(engine, [path])
    assert duck.num_rows > 500
    assert sums(spark, [path]).equals(duck)


def test_sums_do_not_depend_on_order_or_files(path: Path, tmp_path: Path) -> None:
    table = respondents()
    shuffled = table.take(np.random.default_rng(2).permutation(table.num_rows))
    parts = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    for one, piece in zip(parts, (shuffled.slice(0, 1000), shuffled.slice(1000)), strict=True):
        pq.write_table(piece, one)
    with Duck([path, *parts]) as engine:
        assert sums(engine, parts).equals(sums(engine, [path]))
        assert sums(engine, shuffled).equals(sums(engine, [path]))


def test_sums_are_right() -> None:
    table = respondents(5).filter(pc.field("w") > 0)
    with Duck() as engine:
        found = sums(engine, table)
    y, w = table.column("income").to_numpy(), table.column("w").to_numpy()
    y = np.where(np.isnan(y), 0, y)
    assert found.column("n").to_numpy().sum() == table.num_rows
    np.testing.assert_allclose(found.column("w").to_numpy().sum(), w.sum(), rtol=1e-14)
    np.testing.assert_allclose(found.column("y").to_numpy().sum(), (w * y).sum(), rtol=1e-13)
    np.testing.assert_allclose(found.column("yy").to_numpy().sum(), (w * y * y).sum(), rtol=1e-13)


def test_contrasts_too(path: Path) -> None:
    with Duck([path]) as engine:
        found = survey(path, **DESCRIBED, engine=engine).contrast(["rare", "robbed"], "sex")
    for ours, other in zip(found, survey(path, **DESCRIBED).contrast(["rare", "robbed"], "sex"), strict=True):
        assert (ours.one, ours.other, ours.df) == (other.one, other.other, other.df)
        np.testing.assert_allclose(
            [ours.difference, ours.difference_se, ours.covariance, ours.ratio_se, ours.p_value],
            [other.difference, other.difference_se, other.covariance, other.ratio_se, other.p_value],
            rtol=1e-11,
        )


def small(**changed: Any) -> pa.Table:
    """Two strata of two PSUs, eight people; 5 PSUs of each stratum in the population; households inside."""
    columns = {
        "w": [1.5, 2.0, 1.0, 4.0, 3.0, 1.0, 2.0, 2.5],
        "h": ["a", "a", "a", "a", "b", "b", "b", "b"],
        "c": [1, 1, 2, 2, 3, 3, 4, 4],
        "home": [1, 2, 1, 2, 1, 2, 1, 2],
        "size": [5, 5, 5, 5, 6, 6, 6, 6],
        "homes": [9, 9, 8, 8, 7, 7, 6, 6],
        "y": [1, 0, 0, 1, 1, 0, 0, 0],
    }
    return pa.table({**columns, **changed})


DESIGNS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "without strata": ({}, {"weight": "w", "psu": "c"}),
    "without weights": ({}, {"psu": "c", "strata": "h"}),
    "population of PSUs": ({}, {"weight": "w", "psu": "c", "strata": "h", "fpc": "size"}),
    "two stages": ({}, {"weight": "w", "psu": "c", "strata": "h", "stages": ["home"], "fpc": ["size", "homes"]}),
    "stages without sizes": ({}, {"weight": "w", "psu": "c", "strata": "h", "stages": ["home"]}),
    "numbers of PSUs begin anew": (
        {"c": [1, 1, 2, 2, 1, 1, 2, 2]},
        {"weight": "w", "psu": "c", "strata": "h", "nested": True},
    ),
} | {
    f"lonely: {rule}": (
        {"c": [1, 1, 2, 2, 3, 3, 3, 3]},
        {"weight": "w", "psu": "c", "strata": "h", "lonely": rule},
    )
    for rule in ("adjust", "average", "certainty", "remove")
}


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_is_the_one_in_memory(name: str) -> None:
    changed, described = DESIGNS[name]
    table = small(**changed)
    with Duck() as engine:
        ours = survey(table, **described, engine=engine)
        assert (ours.n, ours.df) == (8, survey(table, **described).df)
        alike(
            survey(table, **described).total("y", [(), ("home",)]).to_arrow(),
            ours.total("y", [(), ("home",)]).to_arrow(),
            1e-12,
        )


def test_a_psu_of_weight_0_stays_in_the_sample() -> None:
    table = small(w=[1.5, 2.0, 1.0, 4.0, 0.0, 0.0, 2.0, 2.5], c=[1, 1, 2, 2, 3, 3, 4, 5])
    described = {"weight": "w", "psu": "c", "strata": "h"}
    with Duck() as engine:
        ours, theirs = survey(table, **described, engine=engine), survey(table, **described)
        assert (ours.n, ours.df) == (theirs.n, theirs.df) == (6, 2)
        alike(theirs.total("y", [(), ("home",)]).to_arrow(), ours.total("y", [(), ("home",)]).to_arrow(), 1e-12)


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "weight missing": ({"w": [None, 1.0] * 4}, {}),
    "weight not a number": ({"w": [float("nan"), 1.0] * 4}, {}),
    "weight negative": ({"w": [-1.0, 1.0] * 4}, {}),
    "weight infinite": ({"w": [float("inf"), 1.0] * 4}, {}),
    "weight text": ({"w": ["1", "2"] * 4}, {}),
    "no weight above 0": ({"w": [0.0] * 8}, {}),
    "PSU in two strata": ({"c": [1, 1, 2, 2, 2, 2, 4, 4]}, {}),
    "PSU missing": ({"c": [1, 1, 2, 2, 3, 3, 4, None]}, {}),
    "stratum missing": ({"h": ["a", "a", "a", "a", "b", "b", "b", None]}, {}),
    "lonely PSU": ({"c": [1, 1, 2, 2, 3, 3, 3, 3]}, {}),
    "one PSU": ({"c": [1] * 8, "h": ["a"] * 8}, {}),
    "no such column": ({}, {"psu": "cluster"}),
    "unknown rule": ({}, {"lonely": "guess"}),
    "population differs": ({"size": [5, 5, 6, 6, 6, 6, 6, 6]}, {"fpc": "size"}),
    "population too small": ({"size": [1.5] * 8}, {"fpc": "size"}),
    "outcome not 0 or 1": ({"y": [1, 2] * 4}, {}),
    "outcome infinite": ({"y": [1, float("inf")] * 4}, {}),
    "outcome text": ({"y": ["1", "0"] * 4}, {}),
    "answers missing": ({"y": [1, None] * 4}, {}),
    "total among the codes": ({"home": ["_T", "1"] * 4}, {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_as_in_memory(name: str) -> None:
    changed, described = WRONG[name]
    table, words = small(**changed), {"weight": "w", "psu": "c", "strata": "h", **described}

    def said(**more: Any) -> tuple[str, str | None]:
        with pytest.raises(SafercitiesError) as caught:
            survey(table, **words, **more).proportion("y", [(), ("home",)], missing="fail")
        return caught.value.problems[0].code, caught.value.problems[0].column

    with Duck() as engine:
        assert said(engine=engine) == said()


def test_what_needs_rows_is_refused() -> None:
    with Duck() as engine:
        design = survey(small(), weight="w", psu="c", strata="h", engine=engine)
        for asked in (
            lambda: design.quantile("w"),
            lambda: design.poststratify(["h"], {"a": 1, "b": 2}),
            lambda: design.rake({"h": {"a": 1, "b": 2}}),
            lambda: design.calibrate({"h": {"a": 1, "b": 2}}),
            lambda: design.replicate_weights(["w"], "jk1"),
            lambda: design.weights,
            lambda: design.respondents.numbers("w"),
            lambda: survey(small(), weight="w", engine=engine),
            lambda: survey(small(), psu="c", fpc="size", engine=engine),
            lambda: survey(small(), weight="w", psu="c", certainty="y", engine=engine),
        ):
            with pytest.raises(UsageError, match="needs the rows"):
                asked()


def test_names_that_engines_take_for_one_another_are_refused() -> None:
    table = small().append_column("C", small().column("home"))
    with Duck() as engine, pytest.raises(UsageError, match="capital letters"):
        survey(table, weight="w", psu="c", strata="h", engine=engine)


def test_terms_too_far_apart_are_refused() -> None:
    table = small(w=[1e-30, 1e30, *[1.0] * 6])
    with Duck() as engine, pytest.raises(SafercitiesError, match="too far apart"):
        survey(table, weight="w", psu="c", strata="h", engine=engine).proportion("y")


def test_missing_files_are_said(tmp_path: Path) -> None:
    with Duck() as engine, pytest.raises(UsageError, match="no such file"):
        survey(tmp_path / "none.parquet", weight="w", psu="c", engine=engine)
