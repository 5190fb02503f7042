"""Survey estimates are protected: planted leaks are caught, limits hold the true ones, bounds are exact."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safercities.disclose.digits import bands, before, nearest, up
from safercities.disclose.survey_attack import Seen, attack, constraints, single
from safercities.disclose.survey_attacker import survey_attack
from safercities.disclose.survey_boxes import Boxes
from safercities.disclose.survey_groups import definitions
from safercities.disclose.survey_leaves import leaves
from safercities.disclose.survey_proof import proved
from safercities.disclose.survey_rows import read
from safercities.disclose.surveys import REASONS, Work, protect_survey
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.sampling.intervals import proportion_interval

METHOD = "proportion, Taylor linearisation, Korn–Graubard interval"
CITY = [Place("A", "A", "city"), *(Place(f"A{i}", f"A{i}", "ward", "A") for i in range(1, 5))]
SECRET = (
    "value",
    "se",
    "lower",
    "upper",
    "n",
    "n_positive",
    "denominator",
    "deff",
    "df",
    "coverage",
    "verdict",
    "quality",
    "note",
)


def rows(
    parts: dict[tuple[str, ...], tuple[int, int]], names: tuple[str, ...] = ("sex",), **more: Any
) -> list[dict[str, Any]]:
    """Rows of a sample that weighs itself, drawn one by one, from (n, x) of each domain."""
    made = []
    for (place, *codes), (n, x) in parts.items():
        p = x / n if n else np.nan
        se = np.sqrt(p * (1 - p) / (n - 1)) if n > 1 else np.nan
        df = max(n - 1, 1)
        low, high, *_ = proportion_interval("korn-graubard", [p], [se], [n], [df]) if n else ([np.nan],) * 4
        said = {"value": p * 100, "se": se * 100, "lower": low[0] * 100, "upper": high[0] * 100}
        said = {name: None if np.isnan(number) else float(number) for name, number in said.items()}
        made.append(
            {"indicator": "fear", "place": place, "period": "2025", "unit": "%", "method": METHOD, "level": 0.95,
             "n": n, "n_positive": x, "denominator": n * 100.0, "deff": 1.0, "df": float(df), "coverage": 0.97,
             "note": f"{n} asked", "quality": "few_positive missing_answers", "source": "s",
             **dict(zip(names, codes, strict=True)), **said, **more}
        )  # fmt: skip
    return made


def estimates(
    parts: dict[tuple[str, ...], tuple[int, int]], names: tuple[str, ...] = ("sex",), **more: Any
) -> Estimates:
    return Estimates.from_rows(rows(parts, names, **more))


def status(made: Estimates, *names: str) -> dict[tuple[str, ...], str]:
    return {tuple(row[name] for name in ("place", *names)): row["conf_status"] for row in made.rows()}


SEXES = {("A", "_T"): (400, 120), ("A", "F"): (210, 70), ("A", "M"): (190, 50)}


def test_what_is_large_is_shown_rounded_and_nothing_that_solves_for_n():
    made = protect_survey(estimates(SEXES), 5).estimates
    whole = made.where(sex="_T").only()
    assert set(status(made, "sex").values()) == {"F"}
    assert (whole["value"], whole["se"], whole["n"], whole["df"]) == (30.0, 2.5, 200, 200.0)
    assert (whole["n_positive"], whole["deff"], whole["note"]) == (None, None, None)
    assert whole["quality"] == "missing_answers"
    assert whole["coverage"] == 0.95


@pytest.mark.parametrize(
    ("n", "x", "why"),
    [
        (4, 2, "few_respondents"),
        (60, 0, "few_cases"),
        (60, 4, "few_cases"),
        (60, 60, "few_others"),
        (60, 56, "few_others"),
    ],
)
def test_small_domains_are_withheld_and_nobody_and_everybody_too(n: int, x: int, why: str):
    parts = {("A", "_T"): (400 + n, 120 + x), ("A", "F"): (400, 120), ("A", "M"): (n, x)}
    found = protect_survey(estimates(parts), 5)
    assert found.reasons[2] == why
    row = found.estimates.where(sex="M").only()
    assert all(row[name] is None for name in SECRET)
    assert (row["conf_status"], row["obs_status"]) == ("N", "Q")


def test_at_full_precision_share_and_error_give_n_and_x_and_the_rest_by_subtraction():
    parts = {("A", "_T"): (400, 120), ("A", "F"): (390, 117), ("A", "M"): (10, 3)}
    open_rows = rows(parts)
    open_rows[2] |= {"value": None, "se": None, "conf_status": "N"}
    learned = {one.key: one for one in survey_attack(Estimates.from_rows(open_rows))}
    assert learned["A", "_T"].n == (400, 400)
    assert learned["A", "F"].x == (117, 117)
    assert (learned["A", "M"].n, learned["A", "M"].x, learned["A", "M"].y) == ((10, 10), (3, 3), (7, 7))


def test_what_is_published_instead_does_not():
    parts = {("A", "_T"): (400, 120), ("A", "F"): (390, 117), ("A", "M"): (10, 3)}
    made = protect_survey(estimates(parts), 5).estimates
    for one in survey_attack(made, sizes={("s", "2025", "fear", ""): 400}):
        for span in (one.x, one.y, one.n) if one.withheld else (one.x, one.y):
            assert span[1] - span[0] >= 4, one


def test_a_domain_that_is_the_whole_less_nothing_is_found():
    """Men are not there at all: so women are everybody, and hiding them alone hides nothing."""
    found = protect_survey(estimates({("A", "_T"): (400, 120), ("A", "F"): (400, 3)} | {("A", "_T"): (400, 3)}), 5)
    assert set(status(found.estimates, "sex").values()) == {"N"}


def test_places_add_up_to_the_city():
    parts = {
        ("A", "_T"): (96, 36),
        ("A1", "_T"): (30, 12),
        ("A2", "_T"): (30, 12),
        ("A3", "_T"): (30, 12),
        ("A4", "_T"): (6, 0),
    }
    found = protect_survey(estimates(parts), 5, places=CITY)
    assert status(found.estimates)["A4",] == "N"
    for one in survey_attack(found.estimates, places=CITY, sizes={("s", "2025", "fear", ""): 96}):
        spans = (one.x, one.y) if one.key == ("A", "_T") else (one.x, one.y, one.n)
        assert not one.withheld or all(high - low >= 4 for low, high in spans), one


def test_places_without_their_tree_are_refused():
    with pytest.raises(UsageError, match="which places lie in which"):
        protect_survey(estimates({("A", "_T"): (90, 30), ("A1", "_T"): (90, 30)}), 5)


def test_rows_that_do_not_add_up_are_refused():
    with pytest.raises(SafercitiesError, match="do not add up"):
        protect_survey(estimates({("A", "_T"): (400, 120), ("A", "F"): (210, 70), ("A", "M"): (90, 50)}), 5)


@pytest.mark.parametrize("minimum", [1, 2.5, np.array([5]), "5"])
def test_a_minimum_that_is_none_is_refused(minimum: Any):
    with pytest.raises(UsageError, match="minimum count"):
        protect_survey(estimates(SEXES), minimum)


def test_minimum_may_differ_by_row_and_be_a_function():
    each = np.array([5, 5, 60])
    assert protect_survey(estimates(SEXES), each).reasons[2] == "few_cases"
    assert protect_survey(estimates(SEXES), lambda table: np.full(len(table), 250)).tally["few_respondents"] == 2


def test_estimates_made_from_exact_ones_are_withheld():
    given = Estimates.from_rows([*rows(SEXES), rows({("A", "_T"): (400, 120)}, method="Fay–Herriot (REML)")[0]])
    found = protect_survey(given, 5)
    assert found.reasons == {3: "derived"}
    assert found.estimates.rows()[3]["value"] is None


def test_publication_rules_are_kept():
    given = rows(SEXES)
    given[1] |= {"verdict": "withhold", "scheme": "nchs-proportions-2017"}
    assert protect_survey(Estimates.from_rows(given), 5).reasons[1] == "rules"


def _with_people(parts: dict[tuple[str, ...], tuple[int, int]]) -> Estimates:
    made = rows(parts)
    people = []
    for row in made:
        scale = row["denominator"] / 100
        total = row["value"] * scale
        se = row["se"] * scale * 1.2
        limits = {"lower": total - 1.97 * se, "upper": total + 1.97 * se}
        method = "total, Taylor linearisation, Student interval"
        people.append(row | {"unit": "people", "method": method, "value": total, "se": se, **limits})
    return Estimates.from_rows([*made, *people])


def test_numbers_of_people_follow_from_what_is_shown():
    given = _with_people(SEXES)
    made = protect_survey(given, 5).estimates
    shares, people = made.where(unit="%").rows(), made.where(unit="people").rows()
    for share, number, true in zip(shares, people, given.where(unit="people").rows(), strict=True):
        unit = up([number["se"]])[0]
        assert abs(number["value"] - share["value"] * share["denominator"] / 100) <= unit
        assert number["lower"] <= true["lower"] < true["upper"] <= number["upper"]


def test_people_are_withheld_with_their_share():
    found = protect_survey(_with_people(SEXES | {("A", "M"): (190, 2), ("A", "_T"): (400, 72)}), 5)
    assert found.reasons == {2: "few_cases", 5: "few_cases"}


def test_protecting_again_changes_nothing_and_no_rows_are_fine():
    made = protect_survey(estimates(SEXES), 5).estimates
    assert protect_survey(made, 5).estimates.rows() == made.rows()
    assert len(protect_survey(Estimates.empty(["sex"]), 5).estimates) == 0


def test_a_single_row_is_protected():
    assert protect_survey(estimates({("A",): (400, 120)}, ()), 5).reasons == {}
    assert protect_survey(estimates({("A",): (400, 3)}, ()), 5).reasons == {0: "few_cases"}


# -- properties --------------------------------------------------------------------------------------------------------


@st.composite
def samples(draw: st.DrawFn) -> dict[tuple[str, ...], tuple[int, int]]:
    """A sample of one city by sex and ward, and what they cross to."""
    parts: dict[tuple[str, ...], tuple[int, int]] = {}
    for ward, sex in product(("A1", "A2", "A3"), ("F", "M")):
        n = draw(st.integers(0, 60) | st.integers(200, 400))
        x = draw(st.integers(0, n))
        for key in ((ward, sex), (ward, "_T"), ("A", sex), ("A", "_T")):
            before_n, before_x = parts.get(key, (0, 0))
            parts[key] = (before_n + n, before_x + x)
    return parts


@given(samples(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_limits_hold_the_true_ones_and_the_order_of_rows_does_not_matter(
    parts: dict[tuple[str, ...], tuple[int, int]], random: Any
):
    given_rows = rows(parts)
    found = protect_survey(Estimates.from_rows(given_rows, ["sex"]), 5, places=CITY)
    for true, shown in zip(given_rows, found.estimates.rows(), strict=True):
        if shown["conf_status"] == "F":
            assert shown["lower"] <= true["lower"] <= true["upper"] <= shown["upper"]
            assert shown["lower"] <= shown["value"] <= shown["upper"]
            assert shown["se"] >= true["se"] * (1 - 1e-9)
        else:
            assert all(shown[name] is None for name in SECRET)
    order = list(range(len(given_rows)))
    random.shuffle(order)
    other = protect_survey(Estimates.from_rows([given_rows[at] for at in order], ["sex"]), 5, places=CITY)
    assert other.estimates.sort().rows() == found.estimates.sort().rows()
    assert set(found.reasons.values()) <= set(REASONS)


@given(samples())
@settings(max_examples=8)
def test_no_domain_shown_or_withheld_can_be_told_from_what_is_published(parts: dict[tuple[str, ...], tuple[int, int]]):
    assume(parts["A", "_T"][0] >= 40)  # of a sample of nobody the size says all
    made = protect_survey(estimates(parts), 5, places=CITY).estimates
    sizes = {("s", "2025", "fear", ""): parts["A", "_T"][0]}
    found = status(made, "sex")
    asked = [key for which in "NF" for key in [key for key, one in found.items() if one == which][:2]]
    for one in survey_attack(made, places=CITY, sizes=sizes, only=asked):
        n, x = parts[one.key]
        assert one.self_weighting
        assert one.n[0] <= n <= one.n[1]
        assert one.x[0] <= x <= one.x[1]
        spans = (one.x, one.y) if one.key == ("A", "_T") else (one.x, one.y, one.n)
        assert all(high - low >= 4 for low, high in spans), one


@given(samples())
@settings(max_examples=15)
def test_the_total_is_withheld_for_others_only_if_that_must_be(parts: dict[tuple[str, ...], tuple[int, int]]):
    given_rows = estimates(parts)
    at = list(parts).index(("A", "_T"))
    if protect_survey(given_rows, 5, places=CITY).reasons.get(at) != "complement":
        return
    work = Work(given_rows, read(given_rows, 5), None, CITY, definitions({}))
    work.primary()
    work.alone()
    work.one_division(CITY)
    (group,) = work.groups
    seen = work._seen(group, np.arange(len(group.members)) == group.leaves.total)
    bounds = attack(group.leaves, seen)
    spans = np.where([[True], [True], [False]], bounds.high - bounds.low, 4)
    assert (spans < 4 + 2).any()  # an insider takes one answer from either side


# -- the attack is exact -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=2),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.sampled_from([0.02, 0.2, 0.5]),
)
@settings(max_examples=25)
def test_bounds_equal_enumeration(parts: list[tuple[int, int]], hide: list[bool], unit: float):
    """F and perhaps M, and their total: all worlds of whole numbers against integer programming."""
    codes = ["F", "M"][: len(parts)]
    tree = leaves([("A", "_T"), *(("A", code) for code in codes)], ["sex"])
    x = np.array([sum(a for a, _ in parts), *(a for a, _ in parts)])
    y = np.array([sum(b for _, b in parts), *(b for _, b in parts)])
    n, hidden = x + y, np.array(hide[: len(x)])
    shown = nearest(x / np.maximum(n, 1), unit)
    low, high = np.where(hidden, 0.0, shown - unit / 2), np.where(hidden, 1.0, shown + unit / 2)
    zero = np.zeros(len(x), dtype=np.int64)
    most = np.where(hidden, 9, n + 1)
    seen = Seen(
        "tiny",
        np.where(hidden, 0, np.maximum(n - 1, 0)),
        np.maximum(most, n),
        low,
        high,
        zero,
        zero,
        hidden | True,
        hidden,
    )
    system = constraints(tree, seen)
    top = int(seen.n_high.max())
    per_cell = [
        [(a, s - a) for s in range(top + 1) for a in range(s + 1) if _fits(seen, at, a, s - a)]
        for at in range(1, len(x))
    ]
    worlds = []
    for cells in product(*per_cell):
        all_x, all_y = sum(a for a, _ in cells), sum(b for _, b in cells)
        if _fits(seen, 0, all_x, all_y):
            worlds.append([[all_x, *(a for a, _ in cells)], [all_y, *(b for _, b in cells)]])
    found = np.array(worlds)
    found = np.concatenate([found, found.sum(axis=1, keepdims=True)], axis=1)
    bounds = attack(tree, seen)
    assert (bounds.low == found.min(axis=0)).all()
    assert (bounds.high == found.max(axis=0)).all()
    assert system.sums.shape[0] == 3 * len(x)
    # what is proved is true: the search for two worlds far apart never claims more than there is
    for width in (1, 3):
        safe = proved(tree, seen, x, y, np.full(len(x), width))
        wide = (found.max(axis=0) - found.min(axis=0) >= width).all(axis=0)
        assert (wide | ~safe | ~hidden).all()


def _fits(seen: Seen, at: int, x: int, y: int) -> bool:
    n = x + y
    share = seen.share_low[at] * n - 1e-9 <= x <= seen.share_high[at] * n + 1e-9
    return bool(seen.n_low[at] <= n <= seen.n_high[at] and share)


@given(st.integers(2, 80), st.data(), st.sampled_from([0.01, 0.05, 0.2]))
def test_worlds_of_one_row_are_all_that_give_its_figures(n: int, data: st.DataObject, unit: float):
    x = data.draw(st.integers(1, n - 1)) if n > 1 else 1
    first, last = (int(one[0]) for one in bands([n]))
    value = float(nearest([x / n], unit)[0])
    se = up([np.sqrt(x / n * (1 - x / n) / (n - 1))])
    got = set(
        zip(
            *(
                one.tolist()
                for one in single(first, last, (value - unit / 2, value + unit / 2), (before(se)[0], se[0]), 1)
            ),
            strict=True,
        )
    )
    assert (n, x) in got
    for size, cases in product(range(max(first, 2), last + 1), range(1, last)):
        if cases >= size:
            continue
        p = cases / size
        error = np.sqrt(p * (1 - p) / (size - 1))
        same = abs(p - value) < unit / 2 - 1e-7 and up([error])[0] == se[0]
        assert not same or (size, cases) in got


def test_breakdowns_that_meet_in_a_circle_are_attacked_as_one_table():
    """Sex × age, age × ward and ward × sex agree two by two for more tables than there are."""
    names, keys = ["sex", "age"], []
    for place, sex, age in product(("A", "A1", "A2"), ("_T", "F", "M"), ("_T", "Y", "O")):
        if sum(code not in ("_T", "A") for code in (place, sex, age)) <= 2:
            keys.append((place, sex, age))
    assert leaves(keys, names, CITY).sums.shape[1] == 8
    assert leaves([key for key in keys if "_T" in key[1:]], names, CITY).same.shape[0] > 0


def test_boxes_hold_only_what_fits():
    one = np.array([50])
    least, told = np.array([5]), np.array([True])
    seen = Seen("one", one - 10, one + 10, np.array([0.25]), np.array([0.35]), least, least, told, ~told)
    low, high = Boxes(seen, np.array([[15], [35]]), np.array([4])).around()
    for x, y in product(range(int(low[0, 0]), int(high[0, 0]) + 1), range(int(low[1, 0]), int(high[1, 0]) + 1)):
        assert _fits(seen, 0, x, y)
    assert high[0, 0] > low[0, 0]


def _by_sex(hidden: list[bool], n: list[int], x: list[int]) -> tuple[Seen, np.ndarray, np.ndarray]:
    sizes, cases, away = np.array(n), np.array(x), np.array(hidden)
    share = cases / sizes
    low, high = np.where(away, 0, sizes), np.where(away, sizes[0], sizes)
    zero = np.zeros(3, dtype=np.int64)
    seen = Seen("by sex", low, high, np.where(away, 0, share), np.where(away, 1, share), zero, zero, away | True, away)
    return seen, cases, sizes - cases


def test_one_part_withheld_alone_is_not_proved_and_two_are():
    tree = leaves([("A", "_T"), ("A", "F"), ("A", "M")], ["sex"])
    width = np.full(3, 4)
    alone, x, y = _by_sex([False, False, True], [60, 50, 10], [20, 17, 3])
    assert not proved(tree, alone, x, y, width).any()  # nor is what is shown, as it is shown to the last one
    both, x, y = _by_sex([False, True, True], [60, 50, 10], [20, 17, 3])
    assert proved(tree, both, x, y, width).tolist() == [False, True, True]


def test_an_insider_leaves_less_to_guess():
    """Who knows to be the one case among the men leaves 1 to 5 of five cases; with four, only 1 to 4."""
    tree = leaves([("A", "_T"), ("A", "F"), ("A", "M")], ["sex"])
    for cases, safe in ((6, True), (5, False)):
        seen, x, y = _by_sex([False, True, True], [60, 50, 10], [cases, cases - 1, 1])
        assert proved(tree, seen, x, y, np.full(3, 4))[2] == safe


def test_rounding_and_verdicts_tell_nothing_of_a_domain_but_what_is_shown():
    """Two samples that are shown with the same figures are shown alike in all: also limits, flags and verdict."""
    one = {("A", "_T"): (400, 120), ("A", "F"): (210, 70), ("A", "M"): (190, 50)}
    other = {("A", "_T"): (402, 120), ("A", "F"): (212, 70), ("A", "M"): (190, 50)}
    shown = []
    for parts in (one, other):
        given = rows(parts, scheme="nchs-proportions-2017", verdict="publish")
        shown.append(
            protect_survey(Estimates.from_rows([row | {"denominator": None} for row in given]), 5).estimates.rows()
        )
    assert shown[0] == shown[1]
    assert {row["verdict"] for row in shown[0]} == {"publish"}
