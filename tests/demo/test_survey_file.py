"""The files of the survey and of the audits hold what was drawn, through the library's own collectors too."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from safercities import config
from safercities.collect.audits import collect_audits
from safercities.collect.records import Collected
from safercities.collect.survey import collect_survey
from safercities.demo import audits as audits_module
from safercities.demo import survey_file
from safercities.demo.audits import AUDITS, Audits, draw_audits
from safercities.demo.city import SEED, YEARS
from safercities.demo.residents import CHARACTERISTICS, waves
from safercities.demo.shape import ground
from safercities.demo.streets import PARAMETERS
from safercities.demo.survey import BLOCKS, Sample, draw_survey
from safercities.demo.survey_file import SURVEY
from safercities.demo.truth import Truth

WAVES = waves(YEARS)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_survey(SEED, WAVES)


@pytest.fixture(scope="module")
def rows(city: tuple[Path, Truth]) -> list[dict[str, str]]:
    text = (city[0] / SURVEY).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter=";"))


@pytest.fixture(scope="module")
def survey(city: tuple[Path, Truth]) -> Collected:
    return collect_survey("survey", config.load(city[0]).sources["survey"], city[0])


@pytest.fixture(scope="module")
def audits(city: tuple[Path, Truth]) -> Collected:
    return collect_audits("audits", config.load(city[0]).sources["audits"], city[0])


@pytest.fixture(scope="module")
def walks() -> Audits:
    return draw_audits(SEED, WAVES)


def _bad_weights(mess: dict[str, int]) -> int:
    return sum(number for kind, number in mess.items() if kind.startswith("weight_"))


def test_the_truth_counts_the_mess_of_the_survey(rows: list[dict[str, str]], city: tuple[Path, Truth], sample: Sample):
    mess = city[1].mess[SURVEY]
    assert mess == survey_file.MESS
    weights = Counter({"": "missing", "-1": "negative", "pendiente": "text"}.get(row["factor"]) for row in rows)
    assert weights.pop(None) == len(sample)
    assert {f"weight_{kind}": number for kind, number in weights.items()} == {
        kind: number for kind, number in mess.items() if kind.startswith("weight_")
    }
    good = [row for row in rows if "," in row["factor"]]
    assert len(good) == len(sample) == len(rows) - _bad_weights(mess)
    for column, kind in {"quintil": "income", "orientacion": "orientation", "discapacidad": "disability"}.items():
        assert sum(row[column] == "9" for row in good) == mess[f"unknown_{kind}"]


def test_codes_are_those_of_a_questionnaire(rows: list[dict[str, str]]):
    for column in survey_file.QUESTIONS:
        assert {row[column] for row in rows} <= {"1", "2", "8", "9", ""}, column
    for column, (_, yes, no) in survey_file.SCALES.items():
        assert {row[column] for row in rows} == {*map(str, (*yes, *no)), "8", "9"}, column
    for column in survey_file.NUMBERS:
        assert {row[column] for row in rows} <= {"", "1", "2", "3"}
    assert len({row["folio"] for row in rows}) == len(rows)


def test_weights_are_written_with_decimal_commas(rows: list[dict[str, str]], sample: Sample):
    written = sorted(float(row["factor"].replace(",", ".")) for row in rows if "," in row["factor"])
    np.testing.assert_allclose(written, np.sort(sample.weight), atol=1e-6)


def test_only_rows_with_a_bad_weight_are_left_out(survey: Collected, city: tuple[Path, Truth], sample: Sample):
    mess = city[1].mess[SURVEY]
    why = Counter(survey.rejects.column("code").to_pylist())
    words = {"missing": "missing", "negative": "negative", "text": "unreadable"}
    assert why == {f"weight-{word}": mess[f"weight_{kind}"] for kind, word in words.items()}
    assert survey.table.num_rows == len(sample)
    assert survey.rows_read == survey.table.num_rows + survey.rejects.num_rows


def test_collected_answers_have_the_weighted_sums_of_the_draw(survey: Collected, sample: Sample):
    weight = survey.table.column("weight").to_numpy()
    period = np.array(survey.table.column("period").to_pylist())
    for role, said in sample.answers.items():
        found = survey.table.column(f"answer_{role}").to_numpy()
        for year in WAVES:
            mine = sample.year == year
            expected = np.nansum(said[mine] * sample.weight[mine])
            here = period == str(year)
            assert np.nansum(found[here] * weight[here]) == pytest.approx(expected, abs=0.01), (role, year)
            assert np.isfinite(found[here]).sum() == _known(sample, role, mine)


def _known(sample: Sample, role: str, mine: np.ndarray) -> int:
    return int(np.isfinite(sample.answers[role][mine]).sum())


def test_collected_groups_are_those_of_the_draw(survey: Collected, sample: Sample, city: tuple[Path, Truth]):
    mess = city[1].mess[SURVEY]
    for axis, (name, codes) in enumerate(CHARACTERISTICS.items()):
        found = Counter(survey.table.column(name).to_pylist())
        assert found.pop("_U", 0) == mess.get(f"unknown_{name}", 0), name
        drawn = Counter(codes[index] for index in sample.kind[:, axis])
        assert set(found) == set(drawn) == set(codes)
        assert sum(drawn.values()) - sum(found.values()) == mess.get(f"unknown_{name}", 0)
        if f"unknown_{name}" not in mess:
            assert found == drawn


def test_collected_design_has_the_blocks_of_both_waves(survey: Collected):
    strata, units = (survey.table.column(name).to_pylist() for name in ("stratum", "psu"))
    pairs = set(zip(strata, units, strict=True))
    assert len(set(strata)) == 8
    assert len(set(units)) == len(pairs) == 8 * BLOCKS


def test_audits_keep_all_points_but_those_with_an_impossible_rating(
    audits: Collected, city: tuple[Path, Truth], walks: Audits
):
    mess = city[1].mess[AUDITS]
    assert mess == audits_module.MESS
    assert audits.rejects.num_rows == mess["impossible_rating"]
    assert audits.table.num_rows == len(walks) + mess["outside"]
    assert audits.rows_read == audits.table.num_rows + audits.rejects.num_rows


def test_collected_ratings_are_those_of_the_draw(audits: Collected, city: tuple[Path, Truth], walks: Audits):
    found = np.column_stack([audits.table.column(f"rating_{name}").to_numpy() for name in PARAMETERS])[: len(walks)]
    skipped = np.isnan(found)
    assert skipped.sum() == city[1].mess[AUDITS]["not_rated"]
    np.testing.assert_array_equal(found[~skipped], walks.ratings[~skipped])
    assert audits.table.column("walk").to_pylist()[: len(walks)] == [f"W{number:03d}" for number in walks.walk]
    when = audits.table.column("when").to_numpy()[: len(walks)]
    np.testing.assert_array_equal(when.astype("datetime64[m]"), walks.when)


def test_points_of_a_try_out_lie_in_the_sea(audits: Collected, walks: Audits, city: tuple[Path, Truth]):
    import shapely

    at = np.column_stack([audits.table.column(name).to_numpy() for name in "xy"])
    inside = shapely.contains_xy(shapely.union_all(ground().polygons), at[:, 0], at[:, 1])
    assert (~inside).sum() == city[1].mess[AUDITS]["outside"]
    assert inside[: len(walks)].all()
