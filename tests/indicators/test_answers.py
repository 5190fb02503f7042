"""The vocabulary of answers: every role is whole, asked of somebody, used by an indicator, and found by its name."""

from __future__ import annotations

import re

import pytest

from safercities.indicators.answers import Answer, answer, answers, load_answers
from safercities.indicators.catalogue import catalogue
from safercities.model.errors import SafercitiesError, UsageError

ROLE = 'label = "L"\nquestion = "Q?"\nkind = "{kind}"\nsource = "S, 2020"\n'
HURT = "[hurt]\n" + ROLE.format(kind="yes_no")


@pytest.fixture(params=sorted(answers()))
def role(request: pytest.FixtureRequest) -> str:
    return request.param


class TestEveryRole:
    def test_texts_are_tidy(self, role: str) -> None:
        one = answer(role)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", role)
        assert not one.label.endswith((".", "?"))
        assert re.search(r"\?( \(.*\))?$", one.question)
        assert one.kind == "number" or not one.question.startswith("How many")

    def test_it_is_used_by_an_indicator(self, role: str) -> None:
        used = {name for entry in catalogue().values() for version in entry.versions for name in version.roles}
        assert role in used

    def test_it_is_asked_of_people_who_answered_for_the_same_unit(self, role: str) -> None:
        assert {answer(other).unit for other in answer(role).asked} <= {answer(role).unit}


def test_labels_tell_roles_apart() -> None:
    labels = [one.label for one in answers().values()]
    assert len(set(labels)) == len(labels) > 60


def test_look_back_stands_in_the_name_where_the_question_has_it() -> None:
    for role, one in answers().items():
        if role.endswith("_12m"):
            assert "12 months" in one.label + one.question, role


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("robbery_12m", "victim_robbery_12m"),
        ("safe_walking_drak", "safe_walking_dark"),
        ("robbery", "reported_robbery"),
    ],
)
def test_an_unknown_role_names_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean .*{meant}"):
        answer(given)


@pytest.mark.parametrize("given", ["", "zzz", "§"])
def test_an_unknown_role_without_a_near_one_points_to_the_list(given: str) -> None:
    with pytest.raises(UsageError, match="the reference of indicators lists them all"):
        answer(given)


class TestFile:
    def test_a_vocabulary_of_ones_own(self) -> None:
        found = load_answers(HURT + 'asked = []\n[told]\nasked = ["hurt"]\n' + ROLE.format(kind="yes_no"))
        assert found["told"] == Answer(label="L", question="Q?", kind="yes_no", source="S, 2020", asked=["hurt"])

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (HURT.replace("label", "lable"), "did you mean label"),
            (HURT.replace("yes_no", "yes"), "'yes' does not fit here"),
            (HURT + 'asked = ["hit"]\n', "hurt is asked of those who said yes to hit"),
            (HURT + 'asked = ["times"]\n[times]\n' + ROLE.format(kind="number"), "said yes to times"),
            (HURT + 'unit = "flat"\n', "'flat' does not fit here"),
        ],
    )
    def test_what_is_wrong_is_said(self, text: str, said: str) -> None:
        with pytest.raises(SafercitiesError, match=re.escape(said)):
            load_answers(text)
