"""The drawn survey is centred on its truth, and the truth agrees with what the police record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from safercities.demo.answers import ALL, ANY, CRIMES, OPINIONS, PLACES, SAME, chances, survey_truth
from safercities.demo.city import YEARS
from safercities.demo.draw import draw_counts
from safercities.demo.residents import CHARACTERISTICS, residents, waves
from safercities.demo.survey import BLOCKS, INTERVIEWS, Sample, draw_survey
from safercities.demo.survey_truth import EVERYBODY, SurveyTruth
from safercities.demo.truth import AGES, PLACE, Truth

WAVES = waves(YEARS)
SEEDS = 150
#: Parts of the city in which the totals are followed.
PARTS: tuple[dict[str, str], ...] = (
    {},
    {"sex": "F"},
    {"age": "Y_GE60"},
    {"income": "Q1"},
    {"migration": "MIGRANT"},
    {"disability": "WITH", "sex": "M"},
    {"orientation": "BISEXUAL"},
    {"place": "D2"},
    {"place": "D6", "sex": "F"},
    {"place": "D5-03"},
)


@pytest.fixture(scope="module")
def known() -> SurveyTruth:
    return survey_truth(WAVES)


@pytest.fixture(scope="module")
def city() -> Truth:
    return draw_counts(1, YEARS)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [draw_survey(seed, WAVES) for seed in range(SEEDS)]


def _inside(sample: Sample, part: Mapping[str, str], known: SurveyTruth) -> np.ndarray:
    inside = np.ones(len(sample), dtype=bool)
    for name, code in part.items():
        if name == "place":
            codes, index = ("district", sample.district) if "-" not in code else ("neighbourhood", sample.place)
        else:
            codes, index = name, sample.kind[:, list(CHARACTERISTICS).index(name)]
        inside &= index == known.codes[codes].index(code)
    return inside


def _answered(known: SurveyTruth, role: str) -> float:
    """Share of those of whom the role is true who say so: they know, and they know that they are to be asked."""
    filtered = known.asked.get(role)
    return (1 - known.not_known[role]) * (1 - known.not_known[filtered] if filtered else 1)


def test_the_roles_are_words_of_the_catalogue():
    from safercities.indicators.answers import answers

    assert set(_roles()) <= set(answers())


def _roles() -> list[str]:
    return [*chances(WAVES), *PLACES, *SAME]


# ------------------------------------------------------------------------------------------------------------ the truth


@pytest.mark.parametrize("act", ["robbery", "theft", "assault"])
def test_what_the_police_record_is_what_happened_times_what_is_reported(act: str, known: SurveyTruth, city: Truth):
    times, reported = CRIMES[act].times, CRIMES[act].reported
    for part in ({}, {"sex": "F"}, {"place": "D2"}, {"place": "D6", "sex": "M"}, {"place": "D3-04"}, {"age": "Y15T24"}):
        for year in WAVES:
            ages = [part["age"]] if "age" in part else AGES[1:]
            where = {name: code for name, code in part.items() if name != "age"}
            recorded = sum(city.mean(act, year=year, age=age, **where) for age in ages)
            found = known.number(times, year, **part) * known.share(reported, year, **part)
            assert found == pytest.approx(recorded, rel=1e-6), (part, year)


def test_migrants_report_half_as_often(known: SurveyTruth):
    for crime in CRIMES.values():
        if crime.reported:
            shares = [known.share(crime.reported, 2025, migration=code) for code in ("NONMIGRANT", "MIGRANT")]
            assert shares == pytest.approx(crime.reporting, rel=1e-6)
            assert shares[1] == pytest.approx(shares[0] / 2, rel=1e-6)


@pytest.mark.parametrize("role", OPINIONS)
def test_the_share_in_the_first_wave_is_the_stated_one(role: str, known: SurveyTruth):
    assert known.share(role, WAVES[0]) == pytest.approx(OPINIONS[role].share, rel=1e-6)


def test_odds_ratios_are_the_stated_ones():
    for role, opinion in OPINIONS.items():
        cells = chances(WAVES)[role][0]
        odds = cells / (1 - cells)
        np.testing.assert_allclose(odds[:, 1] / odds[:, 0], opinion.women)
        np.testing.assert_allclose(odds[:, :, :, 4] / odds[:, :, :, 0], opinion.income[4] / opinion.income[0])
        np.testing.assert_allclose(odds[..., 1] / odds[..., 0], opinion.disabled)


def test_every_chance_leaves_room():
    numbers = {crime.times for crime in CRIMES.values()}
    for role, cells in chances(WAVES).items():
        assert cells.min() > 0, role
        assert cells.max() < (2.0 if role in numbers else 0.98), role


def test_people_are_those_of_the_censuses(known: SurveyTruth, city: Truth):
    for year in WAVES:
        for age in AGES[1:]:
            people = city.person_years(place="D4", year=year, age=age)
            assert known.number(EVERYBODY, year, place="D4", age=age) == pytest.approx(people)


def test_parts_add_up(known: SurveyTruth):
    for role in (*_roles(), *ANY, *ALL):
        whole = known.number(role, 2025)
        for name in ("district", "neighbourhood", *CHARACTERISTICS):
            word = "place" if name in ("district", "neighbourhood") else name
            parts = [known.number(role, 2025, **{word: code}) for code in known.codes[name]]
            assert sum(parts) == pytest.approx(whole, rel=1e-7), (role, name)


def test_one_of_several_lies_between_the_largest_and_their_sum(known: SurveyTruth):
    for role, parts in ANY.items():
        shares = [known.share(part, 2023) for part in parts]
        assert max(shares) < known.share(role, 2023) < sum(shares)
    for role, parts in ALL.items():
        shares = [known.share(part, 2023) for part in parts]
        assert np.prod(shares) < known.share(role, 2023) < min(shares)  # who says one is likelier to say the other


@pytest.mark.parametrize("role", [*ANY, *ALL])
def test_people_of_whom_one_of_several_is_true_are_centred_on_the_truth(
    role: str, samples: list[Sample], known: SurveyTruth
):
    shares = []
    for sample in samples:
        parts = [sample.answers[part] for part in (ANY | ALL)[role]]
        said = np.max(parts, axis=0) if role in ANY else np.min(parts, axis=0)
        mine = (sample.year == 2023) & ~np.isnan(said)
        shares.append(np.average(said[mine], weights=sample.weight[mine]))
    error = np.std(shares, ddof=1) / np.sqrt(SEEDS)
    assert abs(np.mean(shares) - known.share(role, 2023)) < 4 * error


def test_new_lamps_make_two_districts_feel_safer(known: SurveyTruth):
    change = {
        d: known.share("safe_walking_dark", 2025, place=d) - known.share("safe_walking_dark", 2023, place=d)
        for d in known.codes["district"]
    }
    assert {district for district, gain in change.items() if gain > 0.05} == {"D2", "D7"}
    assert all(abs(gain) < 0.01 for district, gain in change.items() if district not in ("D2", "D7"))


def test_shares_over_all_asked_count_the_dont_knows(known: SurveyTruth):
    assert known.answered("safe_walking_dark", 2023) == pytest.approx(0.975 * 0.52, rel=1e-6)


def test_truth_survives_its_file(tmp_path: Path, city: Truth):
    city.write(tmp_path / "truth.json")
    read = Truth.read(tmp_path / "truth.json").survey
    for role in (*_roles(), *ANY, *ALL):
        assert read.share(role, 2023, place="D6-02", sex="F") == city.survey.share(role, 2023, place="D6-02", sex="F")
    assert (read.asked, read.not_known) == (city.survey.asked, city.survey.not_known)


@pytest.mark.parametrize(
    "part",
    [
        {"place": "D9"},
        {"sex": "X"},
        {"colour": "red"},
        {"sex": "F", "age": "Y15T24", "income": "Q1"},
        {"place": "D1-01", "income": "Q1"},
    ],
)
def test_unknown_parts_are_refused(part: dict[str, str], known: SurveyTruth):
    with pytest.raises(KeyError, match=r"no such part|does not hold"):
        known.share("safe_walking_dark", 2023, **part)
    with pytest.raises(KeyError, match="does not hold"):
        known.share("safe_walking_dark", 2024)


# ------------------------------------------------------------------------------------------------------------ the draws


@pytest.mark.parametrize("part", PARTS, ids=lambda part: "-".join(part.values()) or PLACE)
def test_weighted_totals_are_centred_on_the_truth(part: dict[str, str], samples: list[Sample], known: SurveyTruth):
    roles = [*chances(WAVES), *PLACES]
    totals = np.empty((SEEDS, len(WAVES), len(roles) + 1))
    for number, sample in enumerate(samples):
        inside = _inside(sample, part, known)
        for wave, year in enumerate(WAVES):
            mine = inside & (sample.year == year)
            said = np.array([sample.answers[role][mine] for role in roles])
            totals[number, wave] = [*np.nansum(said * sample.weight[mine], axis=1), sample.weight[mine].sum()]
    true = [[known.number(role, year, **part) * _answered(known, role) for role in roles] for year in WAVES]
    true = np.column_stack([true, [known.number(EVERYBODY, year, **part) for year in WAVES]])
    spread = totals.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    off = (totals.mean(axis=0) - true) / spread
    # one in 16 000 alone is beyond 4; rare things in small parts are skewed, hence 4.5
    assert np.abs(off).max() < 4.5, dict(zip([*roles, EVERYBODY], np.abs(off).max(axis=0), strict=True))
    assert np.sqrt((off**2).mean()) < 1.6


def test_without_weights_the_survey_would_be_wrong(samples: list[Sample], known: SurveyTruth):
    old = known.share(EVERYBODY, 2023, age="Y_GE60") * known.number(EVERYBODY, 2023, age="Y_GE60")
    old /= known.number(EVERYBODY, 2023)
    plain = [np.mean(s.kind[s.year == 2023, 1] == 3) for s in samples]
    weighted = [np.average(s.kind[s.year == 2023, 1] == 3, weights=s.weight[s.year == 2023]) for s in samples]
    assert np.mean(plain) - old > 0.03
    assert abs(np.mean(weighted) - old) < 4 * np.std(weighted) / np.sqrt(SEEDS)


def test_the_design_is_the_stated_one(samples: list[Sample]):
    for sample in samples[:20]:
        units = sample.district * BLOCKS + sample.block
        places = np.unique(np.column_stack([units, sample.place]), axis=0)
        assert len(places) == len(np.unique(units)) == 8 * BLOCKS  # a block lies in one neighbourhood, in both waves
        counts = np.array([np.bincount(units[sample.year == year], minlength=8 * BLOCKS) for year in WAVES])
        assert counts.min() >= INTERVIEWS[0]
        assert counts.max() <= INTERVIEWS[1]
        assert (sample.weight > 0).all()
        assert 0.35 < sample.weight.std() / sample.weight.mean() < 0.7


def test_ages_lie_in_their_groups(samples: list[Sample]):
    sample = samples[0]
    np.testing.assert_array_equal(np.digitize(sample.age, [25, 35, 60]), sample.kind[:, 1])
    assert sample.age.min() >= 15
    assert sample.age.max() < 90


def test_nobody_is_asked_what_does_not_concern_them(samples: list[Sample], known: SurveyTruth):
    sample = samples[0]
    for role in known.asked.keys() & sample.not_known.keys():
        concerned = sample.answers[known.asked[role]] == 1
        assert not (sample.not_known[role] & ~concerned).any()
        assert np.isnan(sample.answers[role][~concerned]).all()
        assert (np.isnan(sample.answers[role][concerned]) == sample.not_known[role][concerned]).all()
    for crime in CRIMES.values():
        if crime.times:
            known = ~np.isnan(sample.answers[crime.victim])
            assert ((sample.answers[crime.times] > 0) == (sample.answers[crime.victim] == 1))[known].all()
    somewhere = np.any([sample.answers[role] == 1 for role in PLACES], axis=0)
    harassed = np.any([sample.answers[role] == 1 for role in ANY["harassed_any_12m"]], axis=0)
    silent = sample.not_known["harassed_public_space_12m"]
    np.testing.assert_array_equal(somewhere[~silent], harassed[~silent])


# ------------------------------------------------- intervals of the textbook, written apart from safercities.sampling


def _ratio_residuals(sample: Sample, role: str, year: int) -> tuple[float, np.ndarray]:
    """Weighted mean of a wave, and its linearised sums by block, shape (districts, blocks)."""
    said = sample.answers[role]
    mine = (sample.year == year) & ~np.isnan(said)
    weight = np.where(mine, sample.weight, 0.0)
    mean = float((weight * np.nan_to_num(said)).sum() / weight.sum())
    part = weight * (np.nan_to_num(said) - mean) / weight.sum()
    sums = np.bincount(sample.district * BLOCKS + sample.block, weights=part, minlength=8 * BLOCKS)
    return mean, sums.reshape(8, BLOCKS)


def _variance(sums: np.ndarray) -> float:
    return float((BLOCKS / (BLOCKS - 1) * ((sums - sums.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)).sum())


ROLES = (
    "safe_walking_dark",
    "afraid_avoids_going_out",
    "victim_psychological_12m",
    "contact_official_12m",
    "thefts_12m",
)


@pytest.mark.parametrize("role", ROLES)
def test_textbook_intervals_cover_the_truth(role: str, samples: list[Sample], known: SurveyTruth):
    half = stats.t.ppf(0.975, 8 * (BLOCKS - 1))
    covered = []
    for sample in samples:
        for year in WAVES:
            mean, sums = _ratio_residuals(sample, role, year)
            covered.append(abs(mean - known.share(role, year)) <= half * np.sqrt(_variance(sums)))
    # 3.5 standard deviations of so many intervals; the waves share their blocks, so only half of them count in full
    assert abs(np.mean(covered) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / SEEDS)


def test_the_waves_share_their_blocks_and_a_difference_profits(samples: list[Sample], known: SurveyTruth):
    role = "safe_walking_dark"
    true = known.share(role, WAVES[1]) - known.share(role, WAVES[0])
    both = [[_ratio_residuals(sample, role, year) for year in WAVES] for sample in samples]
    gains = np.array([after[0] - before[0] for before, after in both])
    joint = np.array([_variance(after[1] - before[1]) for before, after in both])
    apart = np.array([_variance(after[1]) + _variance(before[1]) for before, after in both])
    assert abs(gains.mean() - true) < 4 * gains.std() / np.sqrt(SEEDS)
    assert joint.mean() < 0.9 * apart.mean()
    assert 0.75 < joint.mean() / gains.var(ddof=1) < 1.33
    assert stats.ttest_1samp(gains, 0.0).pvalue < 0.001


def test_residents_have_the_shape_that_their_names_say():
    who = residents(WAVES)
    assert who.people.shape == (2, 40, *map(len, CHARACTERISTICS.values()))
    np.testing.assert_allclose(who.sizes().sum(axis=-1), 1)
