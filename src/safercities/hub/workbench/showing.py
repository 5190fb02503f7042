"""The form of a source as the page shows it: each question with its answer, its choices and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from safercities.collect.records import RawTable
from safercities.hub import texts
from safercities.hub.workbench import guess, mapping
from safercities.hub.workbench.preview import Told

Options = list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Question:
    """A question with its answer. `options`: value, words, whether it is chosen."""

    name: str
    label: str
    kind: str
    value: str = ""
    help: str = ""
    options: Options = field(default_factory=list)
    errors: Sequence[Told] = ()
    listed: str = ""

    @property
    def renews(self) -> bool:
        """Whether another answer brings other questions: values to map, columns to choose from."""
        return self.name == "file" or (self.name.startswith(("d", "act-")) and self.name.endswith("-column"))

    @property
    def id(self) -> str:
        """Id of its control."""
        return f"q-{self.name}"


@dataclass(frozen=True)
class Values:
    """A breakdown (or the act): its column, and what becomes of each value."""

    prefix: str
    title: str
    name: Question | None
    column: Question
    shown: str
    bins: Question | None
    unknown: Question
    rows: Sequence[tuple[str, Question]]
    errors: Sequence[Told] = ()

    @property
    def legend(self) -> str:
        """The title as people read it: breakdowns that have a name are called by it."""
        from safercities.model.dimensions import dimension, dimensions

        return texts.named(dimension(self.title).label) if self.title in dimensions() else self.title


@dataclass(frozen=True)
class Answers:
    """An answer of a survey: its role, column, and the values that mean yes and no."""

    prefix: str
    questions: Sequence[Question]
    errors: Sequence[Told] = ()


class Form:
    """Everything that the page asks of a source.

    Parameters
    ----------
    raw
        The file as it was read; None where it could not be.
    files
        Path → name of the files that can be chosen.
    told
        What is wrong with the draft: `Told.key` names the place, from the source's table on.
    roles
        Of the answers in the order of the form that was sent, where it stays as it is: each keeps its place.
    """

    def __init__(
        self,
        kind: str,
        draft: mapping.Draft,
        raw: RawTable | None,
        *,
        files: Mapping[str, str],
        levels: Sequence[str] = (),
        told: Iterable[Told] = (),
        roles: Sequence[str] = (),
    ) -> None:
        self.kind, self.draft, self.raw, self.levels = kind, draft, raw, levels
        self.files, self.told, self._roles = files, list(told), roles
        self.columns = guess.columns_of(raw) if raw is not None else []
        self._placed: set[int] = set()

    # -- parts -----------------------------------------------------------------------------------------------------

    @property
    def file(self) -> list[Question]:
        """The file and how it is written."""
        current = str(self.draft.get("file", ""))
        listed = self.files if current in self.files or not current else {current: current, **self.files}
        options = [(path, name, path == current) for path, name in listed.items()]
        return [
            Question("file", _("File"), "choice", current, "", options, self._errors("file")),
            *(self._plain(one) for one in mapping.FILE_FIELDS),
        ]

    @property
    def fields(self) -> list[Question]:
        """The plain questions of the kind."""
        return [*(self._plain(one) for one in mapping.FIELDS[self.kind]), *self._places()]

    @property
    def special(self) -> list[Question]:
        """Questions with two ways to answer: a column, or one value for all."""
        found: list[Question] = []
        if self.kind in ("survey", "population"):
            value = self.draft.get("period")
            by_column = value.get("column", "") if isinstance(value, dict) else (self._as_column(value))
            found.append(self._column("period-column", _("Period: a column"), by_column, "period"))
            text = "" if by_column else str(value or "")
            found.append(
                Question(
                    "period", _("Or the period of all rows"), "text", text, _("A year, as 2023; a quarter, as 2023-Q1.")
                )
            )
        if self.kind == "population":
            levels = [("", _("Any level"), not self.draft.get("level"))]
            levels += [(one, one, one == self.draft.get("level")) for one in self.levels]
            found.append(Question("level", _("Level of these places"), "choice", "", "", levels, self._errors("level")))
        if self.kind in ("survey", "audits"):
            value = self.draft.get("weight")
            label = (
                _("Weight: a column") if self.kind == "survey" else _("Length of street, or another weight: a column")
            )
            found.append(self._column("weight-column", label, value if isinstance(value, str) else "", "weight"))
            text = "" if isinstance(value, str) or value is None else f"{value:g}"
            found.append(Question("weight-number", _("Or one weight for all rows"), "text", text))
        if self.kind == "incidents":
            found += self._unit()
        return found

    @property
    def act(self) -> Values | None:
        """What happened: one act, or a column of them."""
        if self.kind != "incidents":
            return None
        how = self.draft.get("act")
        return self._values("act", "act", _("What happened"), how if isinstance(how, dict) else {})

    @property
    def act_code(self) -> Question:
        """The act of all rows."""
        how = self.draft.get("act")
        current = how if isinstance(how, str) else ""
        options = [("", "", not current)]
        options += [(code, f"{code} {label}", code == current) for code, label in self._acts()]
        return Question("act-code", _("One act for all rows"), "choice", current, "", options, self._errors("act"))

    @property
    def dimensions(self) -> list[Values]:
        """The breakdowns that there are, sex and age, and room for another one."""
        if self.kind == "geography":
            return []
        there = self.draft.get("dimensions", {})
        names = [*there, *(name for name in ("sex", "age") if name not in there), ""]
        return [self._values(f"d{at}", name, name, there.get(name, {})) for at, name in enumerate(names)]

    @property
    def answers(self) -> list[Answers]:
        """The answers of a survey that are mapped, and room for more."""
        if self.kind != "survey":
            return []
        there = self.draft.get("variables", {})
        roles = self._roles or [*there, *[""] * mapping.NEW_ANSWERS]
        return [self._answer(at, role, there.get(role, {})) for at, role in enumerate(roles)]

    @property
    def ratings(self) -> list[tuple[Question, Question]]:
        """The parameters of an audit."""
        if self.kind != "audits":
            return []
        there = self.draft.get("rubric", {})
        found = []
        for name, label in mapping.RATINGS.items():
            how = there.get(name)
            column, unknown = (
                (how.get("column", ""), how.get("unknown", [])) if isinstance(how, dict) else (how or "", [])
            )
            question = self._column(f"rubric-{name}", str(label), column, f"rubric.{name}")
            text = ", ".join(map(str, unknown))
            found.append((question, Question(f"rubric-{name}-unknown", _("Means “not rated”"), "text", text)))
        return found

    @property
    def roles(self) -> list[tuple[str, str]]:
        """What answers of surveys can be: role and question."""
        from safercities.indicators.answers import answers

        return [(role, texts.named(one.question)) for role, one in answers().items()] if self.kind == "survey" else []

    @property
    def acts(self) -> list[tuple[str, str]]:
        """The codes of acts."""
        return self._acts() if self.kind == "incidents" else []

    def _acts(self) -> list[tuple[str, str]]:
        return [(code, texts.named(label)) for code, label in guess.listed_codes("act").items()]

    @property
    def known_dimensions(self) -> list[tuple[str, str]]:
        """Breakdowns that have a name."""
        from safercities.model.dimensions import dimension, dimensions

        return [(name, texts.named(dimension(name).label)) for name in dimensions()]

    @property
    def left(self) -> list[Told]:
        """What is wrong, and was not shown at a question. Ask for it last."""
        return [one for one in self.told if id(one) not in self._placed]

    # -- questions -------------------------------------------------------------------------------------------------

    def _errors(self, key: str) -> list[Told]:
        found = [one for one in self.told if one.key == key or one.key.startswith(f"{key}.")]
        self._placed.update(map(id, found))
        return found

    def _plain(self, one: mapping.Field) -> Question:
        value = self.draft.get(one.key)
        if one.kind == "column":
            return self._column(one.key, str(one.label), str(value or ""), one.key, str(one.help))
        text = ("on" if value else "") if one.kind == "switch" else ("" if value is None else str(value))
        choices = [*one.choices]
        if one.kind == "choice" and text and text not in dict(choices):
            choices.append((text, text))
        options = [(code, str(words), code == text) for code, words in choices]
        return Question(one.key, str(one.label), one.kind, text, str(one.help), options, self._errors(one.key))

    def _column(self, name: str, label: str, current: Any, key: str, help: str = "") -> Question:
        return Question(
            name, label, "choice", str(current or ""), help, self._options(str(current or "")), self._errors(key)
        )

    def _options(self, current: str) -> Options:
        options = [("", _("None"), not current)]
        known = [(one.name, self._told_column(one), one.name == current) for one in self.columns]
        if current and current not in {one.name for one in self.columns}:
            known.append((current, _("%(name)s (not in the file)") % {"name": current}, True))
        return [*options, *known]

    def _told_column(self, one: guess.Column) -> str:
        samples = ", ".join(sample[:18] for sample in one.samples[:2])
        # the samples are isolated: else, from right to left, what does not fit is the beginning of the name
        return f"{one.name} (\u2068{samples}\u2069)" if samples else one.name

    def _as_column(self, value: Any) -> str:
        names = {one.name for one in self.columns}
        text = str(value) if isinstance(value, str) else ""
        return text if text in names or (text and not text[0].isdigit()) else ""

    def _places(self) -> list[Question]:
        if self.kind not in ("incidents", "survey", "audits"):
            return []
        there = self.draft.get("places", {})
        label = _("Code of the place: %(level)s")
        return [
            self._column(f"place-{one}", label % {"level": one}, there.get(one, ""), f"places.{one}")
            for one in self.levels
        ]

    def _unit(self) -> list[Question]:
        value = self.draft.get("unit", "incidents")
        unit = value.get("of", "incidents") if isinstance(value, dict) else value
        options = [(one, str(label), one == unit) for one, label in mapping.UNITS.items()]
        counted = value.get("column", "") if isinstance(value, dict) else ""
        return [
            Question("unit", _("What a row counts"), "choice", unit, "", options, self._errors("unit")),
            self._column("unit-column", _("How many a row stands for"), counted, "unit", _("None: one.")),
        ]

    # -- values ----------------------------------------------------------------------------------------------------

    def _values(self, prefix: str, name: str, title: str, how: Mapping[str, Any]) -> Values:
        column, key = str(how.get("column", "")), "act" if prefix == "act" else f"dimensions.{name}"
        values = guess.values_of(self.raw, column) if self.raw is not None and column else []
        bins = how.get("bins") or []
        unknown = [str(one) for one in how.get("unknown", [])]
        rows = [] if bins or not column else [self._value(prefix, name, at, one, how) for at, one in enumerate(values)]
        listed = [] if bins else values
        ask_bins = name == "age" or bool(bins)
        return Values(
            prefix,
            title,
            None if name else Question(f"{prefix}-name", _("Another breakdown"), "listed", "", "", listed="dimensions"),
            self._column(f"{prefix}-column", _("Column"), column, f"{key}.column"),
            column,
            Question(
                f"{prefix}-bins",
                _("Groups begin at"),
                "text",
                ", ".join(map(str, bins)),
                _("As 0, 15, 25, 60. Leave empty where the file holds groups."),
                errors=self._errors(f"{key}.bins"),
            )
            if ask_bins
            else None,
            Question(
                f"{prefix}-unknown",
                _("Values that mean unknown"),
                "text",
                ", ".join(one for one in unknown if one not in listed),
                _("As -1, 99. Empty cells always do."),
            ),
            rows,
            self._errors(key),
        )

    def _value(self, prefix: str, name: str, at: int, value: str, how: Mapping[str, Any]) -> tuple[str, Question]:
        codes = guess.listed_codes(name) if name else {}
        unknown = {str(one) for one in how.get("unknown", [])}
        given = {key.strip(): code for key, code in how.get("map", {}).items()}
        current = "_U" if value in unknown else given.get(value, value if value in codes and not given else "")
        label = _("Code of %(value)s") % {"value": value}
        if name == "act" or not codes:
            listed = "acts" if name == "act" else ""
            return value, Question(f"{prefix}-c{at}", label, "listed", current, listed=listed)
        options = [
            ("", _("Not said"), not current),
            *((code, f"{texts.named(words)} ({code})", code == current) for code, words in codes.items()),
        ]
        options.append(("_U", _("Unknown"), current == "_U"))
        return value, Question(f"{prefix}-c{at}", label, "choice", current, "", options)

    def _answer(self, at: int, role: str, how: Mapping[str, Any]) -> Answers:
        told = [
            Question(f"a{at}-role", _("Answer"), "listed", role, listed="roles"),
            self._column(f"a{at}-column", _("Column"), how.get("column", ""), f"variables.{role or '-'}.column"),
        ]
        for key, label in (("yes", _("Means yes")), ("no", _("Means no")), ("unknown", _("Means unknown"))):
            told.append(Question(f"a{at}-{key}", label, "text", ", ".join(map(str, how.get(key, []) or []))))
        told.append(Question(f"a{at}-number", _("It is a number"), "switch", "on" if how.get("number") else ""))
        return Answers(f"a{at}", told, self._errors(f"variables.{role}") if role else ())
