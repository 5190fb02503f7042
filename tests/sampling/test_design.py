"""Designs of every sort give R survey's estimates, standard errors, design effects and degrees of freedom."""

from __future__ import annotations

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


def replicated(kind: str, **settings: float) -> Design:
    boot, half = replicate_factors()
    factors = {"bootstrap": boot, "brr": half, "fay": 0.7 * half + 0.3}[kind]
    table = columns()
    names = [f"rw{number}" for number in range(len(factors))]
    table |= dict(zip(names, factors * table["w"], strict=True))
    return survey(table, weight="w").replicate_weights(names, kind, **settings)


def adjusted(case: str) -> Design:
    plain = survey(columns(), **PLAIN)
    numbers = {"age": AGES, "den": 224_000}
    made = {
        "poststratified": lambda: plain.poststratify(["age"], AGES),
        "raked": lambda: plain.rake({"age": AGES, "sex": SEXES}),
        "calibrated": lambda: plain.calibrate(numbers),
        "poststratified, fpc": lambda: survey(columns(), **PLAIN, fpc="N1").poststratify(["age"], AGES),
        "poststratified, two stages": lambda: survey(columns(), **TWO, lonely="adjust").poststratify(["age"], AGES),
        "poststratified, lonely average": lambda: survey(columns(), **STATED["lonely average"]).poststratify(["age"], AGES),
        "jkn": plain.jackknife,
        "jk1": lambda: survey(columns(), weight="w", psu="psu").jackknife(),
        "jkn, poststratified": lambda: plain.jackknife().poststratify(["age"], AGES),
        "bootstrap": lambda: replicated("bootstrap"),
        "brr": lambda: replicated("brr"),
        "fay": lambda: replicated("fay", fay=0.3),
    }
    return made[case]()


def design_of(case: str) -> Design:
    return survey(columns(), **STATED[case]) if case in STATED else adjusted(case)


@cache
def reference() -> dict[str, dict[tuple[str, str], dict[str, float]]]:
    """Expected numbers by case, then by what and group."""
    rows = expected("reference.csv")
    number = ("value", "se", "deff", "df")
    return {
        case: {
            (row["what"], row["group"]): {name: float("nan") if row[name] == "NA" else float(row[name]) for name in number}
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
    assert set(reference()) == {*STATED, "poststratified", "raked", "calibrated", "poststratified, fpc", "jkn", "jk1"} | {
        "poststratified, two stages", "poststratified, lonely average", "jkn, poststratified", "bootstrap", "brr", "fay"
    }  # fmt: skip


@pytest.mark.parametrize("case", sorted(reference()))
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_equal_to_r(case, form, monkeypatch):
    monkeypatch.setattr(sums, "make_cells", {"dense": dense, "sparse": sparse}[form])
    monkeypatch.setattr("safercities.sampling.design.make_cells", {"dense": dense, "sparse": sparse}[form])
    ours = found(design_of(case))
    for key, wanted in reference()[case].items():
        for name, number in wanted.items():
            if name == "deff" and np.isnan(number):
                continue  # R gives none for replicates and (4.1.1) where the variance is 0
            assert ours[key][name] == pytest.approx(number, **EXACT), (key, name)


def dense(units, unit, axes):
    return sums.Dense(units, unit, tuple(axes))


def sparse(units, unit, axes):
    return sums.Sparse(units, unit, tuple(axes))
