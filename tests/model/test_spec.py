"""Declarative files: unknown keys are refused with a hint, every mistake is found at its line."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Discriminator, Field, Tag

from safercities.model.errors import Problem, SafercitiesError
from safercities.model.spec import Spec, line_of, parse


class Inner(Spec):
    column: str
    width: int = 1


class Cat(Spec):
    kind: Literal["cat"]
    lives: int = 9


class Dog(Spec):
    kind: Literal["dog"]
    tricks: list[str] = Field(default=[])


Pet = Annotated[
    Annotated[Cat, Tag("tag:cat")] | Annotated[Dog, Tag("tag:dog")],
    Discriminator(lambda value: f"tag:{value.get('kind')}" if isinstance(value, dict) else None),
]


class Outer(Spec):
    name: str
    from_: str = Field(default="", alias="from")
    inner: dict[str, Inner] = Field(default={})
    several: list[Inner] = Field(default=[])
    pets: dict[str, Pet] = Field(default={})


def problems_of(text: str) -> dict[str | None, Problem]:
    """Column → problem of what is wrong with the text."""
    with pytest.raises(SafercitiesError) as caught:
        parse(Outer, tomllib.loads(text), file="a.toml", text=text)
    assert {problem.file for problem in caught.value.problems} == {"a.toml"}
    return {problem.column: problem for problem in caught.value.problems}


def test_what_is_right_is_an_object_that_does_not_change() -> None:
    made = parse(Outer, {"name": "x", "from": "y", "several": [{"column": "c"}]}, file="a.toml")
    assert (made.name, made.from_, made.several[0].width) == ("x", "y", 1)
    with pytest.raises(ValueError, match="frozen"):
        made.name = "z"  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    found = problems_of('name = "x"\nform = "y"\n')
    assert (found["form"].code, found["form"].row, found["form"].todo) == ("key-unknown", 2, "did you mean from")


def test_an_unknown_key_without_a_near_one_points_to_the_reference() -> None:
    assert "reference" in problems_of('name = "x"\nzzz = 1\n')["zzz"].todo


def test_every_mistake_is_found_at_its_line() -> None:
    found = problems_of(
        'nam = "x"\n[inner.a]\ncolum = "c"\n[[several]]\ncolumn = "c"\n[[several]]\ncolumn = 7\nwidth = "w"\n'
    )
    assert {(column, problem.code, problem.row) for column, problem in found.items()} == {
        ("name", "key-missing", None),
        ("nam", "key-unknown", 1),
        ("inner.a.colum", "key-unknown", 3),
        ("inner.a.column", "key-missing", 2),
        ("several.1.column", "key-wrong", 7),
        ("several.1.width", "key-wrong", 8),
    }
    assert "'w' does not fit here" in found["several.1.width"].what


def test_a_kind_that_does_not_exist_is_told_what_there_is() -> None:
    found = problems_of('name = "x"\n[pets.a]\nkind = "cow"\n[pets.b]\nlives = 3\n')
    assert found["pets.a.kind"].row == 3
    assert "cat, dog" in found["pets.a.kind"].what
    assert found["pets.b.kind"].code == "key-missing"


def test_a_mistake_inside_a_kind_does_not_name_the_machinery() -> None:
    found = problems_of('name = "x"\n[pets.a]\nkind = "cat"\nlivs = 3\n')
    assert found["pets.a.livs"].todo == "did you mean lives"
    assert "tag:" not in str(found["pets.a.livs"])


class TestLineOf:
    text = """\
name = "x"      # 1
[inner.a]       # 2
column = "c"    # 3
[inner."b.c"]   # 4
'odd key' = 1   # 5
deep.er = 2     # 6
[[several]]     # 7
column = "c"    # 8
[[several]]     # 9
note = '''      # 10
column = "no"   # 11
'''
column = "d"    # 13
[several.more]  # 14
x = 1           # 15
[[several.list]]
y = 1           # 17
[[several.list]]
y = 2           # 19
[[several]]     # 20
[[several.list]]
y = 3           # 22
"""

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            ("name", 1),
            ("inner/a", 2),
            ("inner/a/column", 3),
            ("inner/a/absent", 2),
            ("inner/b.c", 4),
            ("inner/b.c/odd key", 5),
            ("inner/b.c/deep/er", 6),
            ("several/0", 7),
            ("several/0/column", 8),
            ("several/1/column", 13),
            ("several/1/absent", 9),
            ("several/1/more/x", 15),
            ("several/1/list/0/y", 17),
            ("several/1/list/1/y", 19),
            ("several/2/list/0/y", 22),
            ("absent", None),
            ("", None),
        ],
    )
    def test_lines(self, path: str, line: int | None) -> None:
        tomllib.loads(self.text)  # the sample is TOML
        assert line_of(self.text, path.split("/")) == line

    def test_no_text_no_line(self) -> None:
        assert line_of("", ["name"]) is None

    @given(st.text(), st.lists(st.text(max_size=5), max_size=3))
    def test_any_text_gives_a_line_of_it_or_none(self, text: str, path: list[str]) -> None:
        line = line_of(text, path)
        assert line is None or 1 <= line <= len(text.splitlines())


def test_known_keys_are_what_a_user_writes() -> None:
    assert Outer.known_keys() == ["name", "from", "inner", "several", "pets"]


def test_values_are_shown_briefly() -> None:
    data: dict[str, Any] = {"name": {"long": list(range(1000))}}
    with pytest.raises(SafercitiesError) as caught:
        parse(Outer, data, file="a.toml")
    assert len(str(caught.value)) < 200
