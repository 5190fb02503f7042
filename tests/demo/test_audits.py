"""The drawn audits are centred on their truth, and the truth goes with fear and harassment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from safercities.demo.answers import survey_truth
from safercities.demo.audit_truth import AuditTruth
from safercities.demo.audits import STOPS, WALKS, draw_audits, draw_ratings
from safercities.demo.city import YEARS
from safercities.demo.draw import draw_counts
from safercities.demo.residents import waves
from safercities.demo.shape import ground
from safercities.demo.streets import NEW_LAMPS, PARAMETERS, audit_truth
from safercities.demo.truth import Truth

WAVES = waves(YEARS)
SEEDS = 200


@pytest.fixture(scope="module")
def truth() -> AuditTruth:
    return audit_truth(WAVES)


def test_ratings_are_centred_on_the_truth(truth: AuditTruth):
    shape = (SEEDS, *truth.ratings.shape[:2], WALKS, STOPS, len(PARAMETERS))
    ratings = np.stack([draw_ratings(seed, WAVES).ratings for seed in range(SEEDS)]).reshape(shape)
    assert set(np.unique(ratings)) == {0, 1, 2, 3}
    walks = ratings.mean(axis=4).swapaxes(1, 0).swapaxes(1, 2).reshape(*truth.ratings.shape[:2], -1, len(PARAMETERS))
    off = (walks.mean(axis=2) - truth.ratings) / (walks.std(axis=2, ddof=1) / np.sqrt(walks.shape[2]))
    assert np.abs(off).max() < 4.5
    assert 0.9 < np.sqrt((off**2).mean()) < 1.1


def test_points_of_a_walk_resemble_each_other(truth: AuditTruth):
    ratings = draw_ratings(3, WAVES).ratings.mean(axis=1).reshape(-1, WALKS, STOPS)
    within = ratings.var(axis=2, ddof=1).mean()
    between = ratings.mean(axis=2).var(axis=1, ddof=1).mean()
    assert between > 1.5 * within / STOPS


def test_scores_are_means_of_ratings_from_0_to_5(truth: AuditTruth):
    rated = [truth.rating(name, 2023, "D4") for name in PARAMETERS]
    assert truth.score(2023, "D4") == pytest.approx(5 * np.mean(rated) / 3)
    assert truth.score(2023, "D4", {"lighting": 2, "feeling": 1}) == pytest.approx(5 * (2 * rated[0] + rated[8]) / 9)
    parts = [truth.score(2025, place) for place in truth.places if place.startswith("D4")]
    assert truth.score(2025, "D4") == pytest.approx(np.mean(parts))


def test_lamps_were_put_up_where_robbery_fell(truth: AuditTruth):
    gain = {
        place: truth.rating("lighting", 2025, place) - truth.rating("lighting", 2023, place) for place in truth.places
    }
    lit = {place for place, change in gain.items() if change > 0}
    assert {place.split("-")[0] for place in lit} == {"D2", "D7"}
    assert [gain[place] for place in lit] == pytest.approx([NEW_LAMPS] * 10)


def test_well_rated_streets_go_with_less_fear_and_less_harassment(truth: AuditTruth):
    survey = survey_truth(WAVES)
    score = [truth.score(2023, place) for place in truth.places]
    safe = [survey.share("safe_walking_dark", 2023, place=place) for place in truth.places]
    harassed = [survey.share("harassed_sexual_12m", 2023, place=place) for place in truth.places]
    assert np.corrcoef(score, safe)[0, 1] > 0.7
    assert np.corrcoef(score, harassed)[0, 1] < -0.6


def test_walks_are_evenings_inside_their_neighbourhood():
    audits = draw_audits(5, WAVES)
    assert len(audits) == 2 * 40 * WALKS * STOPS
    assert shapely.contains_xy(ground().polygons[audits.place], audits.xy[:, 0], audits.xy[:, 1]).all()
    np.testing.assert_array_equal(audits.when.astype("datetime64[Y]").astype(int) + 1970, audits.year)
    hours = audits.when.astype("datetime64[h]").astype(int) % 24
    assert hours.min() >= 19
    assert hours.max() <= 22
    by_walk = audits.when.reshape(-1, STOPS)
    assert (np.diff(by_walk, axis=1) > np.timedelta64(0)).all()
    assert (np.diff(audits.walk.reshape(-1, STOPS), axis=1) == 0).all()
    np.testing.assert_array_equal(audits.ratings, draw_ratings(5, WAVES).ratings)


def test_truth_survives_its_file(tmp_path: Path, truth: AuditTruth):
    draw_counts(1, YEARS).write(tmp_path / "truth.json")
    read = Truth.read(tmp_path / "truth.json").audits
    np.testing.assert_array_equal(read.ratings, truth.ratings)
    assert read.score(2025, "D7-01") == truth.score(2025, "D7-01")


@pytest.mark.parametrize("wrong", [("colour", 2023, "D1"), ("lighting", 2024, "D1"), ("lighting", 2023, "D9")])
def test_unknown_parts_are_refused(truth: AuditTruth, wrong: tuple[str, int, str]):
    with pytest.raises(KeyError, match="no such rating"):
        truth.rating(*wrong)
