"""Pages of what surveys and audits rest on: publication rules, the vocabulary of answers, the rubric of audits."""

from __future__ import annotations

from docs.page_parts import MADE, anchor, one_line, table

from safercities.indicators.answers import Answer, answers
from safercities.indicators.catalogue import catalogue
from safercities.measure.rubric import Rubric, rubric, rubrics
from safercities.sampling.rules import Bounds, Rule, Scheme, schemes

#: Measures that rules speak of: sign in a rule, and what it means.
MEASURES = {
    "value": ("value", "the estimate itself; a proportion runs from 0 to 1"),
    "se": ("standard error", "of a proportion from 0 to 1"),
    "n": ("n", "respondents with a usable answer, unweighted"),
    "n_positive": ("n yes", "those of them who are in the numerator, unweighted"),
    "n_effective": ("effective n", "how many independent respondents the sample is worth"),
    "df": ("df", "degrees of freedom: sampling units less strata"),
    "deff": ("deff", "design effect: the variance, over that of as many independent respondents"),
    "cv": ("CV", "standard error over the value"),
    "log_cv": ("log CV", "standard error of −ln p over −ln p; of −ln (1 − p) above one half"),
    "width": ("interval", "its width; of a proportion from 0 to 1, so 0.3 is 30 percentage points"),
    "relative_width": ("relative interval", "its width over the value"),
    "complement_width": ("complement interval", "its width over 1 less the value"),
    "extreme": ("0 % or 100 %", "nobody, or everybody, is in the numerator"),
}
_BOUNDS = {"at_least": "≥", "below": "<", "above": ">", "up_to": "≤"}


_RULES = f"""# Sets of publication rules

{MADE}
Named sets of rules say of each survey estimate: publish, publish with a warning, or withhold. Choose one in
observatory.toml (`scheme = "nchs"`) or in Python (`scheme="nchs"`). Each is a TOML file in
`src/safercities/sampling/schemes/`. A name without its year takes the newest; a short name takes the one of its family
that judges this kind of estimate. [Why, and which to choose](../explanation/publication-rules.md).

The severest rule that an estimate breaks is its `verdict`; all of them give a flag and a sentence in `note`. What a
rule asks for and is not known counts as not met."""

_ANSWERS = f"""# Survey answers

{MADE}
The roles that columns of a survey can play, in [`[sources.NAME.variables]`](observatory-toml.md#sources-name-variables)
of observatory.toml. Give a column the role whose question it answers, and the indicators that need it can be measured.
A questionnaire may word a question in its own way, but must ask the same thing. “12 months” are the 12 months before
the interview. Where nothing else is said, the answer is yes or no, and everybody is asked.

Another name is allowed where something else uses it, as `asked_if` or a margin. `safercities check` warns of names that
nothing uses, and says which role may have been meant."""

_RUBRIC = f"""# The rubric of safety audits

{MADE}
What is rated at each point, and what each rating means. A rubric is a TOML file in
`src/safercities/measure/rubrics/`. [How scores are made](../explanation/composites.md), [how to use
audits](../how-to/audits.md)."""


def rules_page() -> str:
    """Reference of the publication rules that ship with safercities."""
    every = [
        [f"[`{name}`](#{name})", f"`{one.family}`", one.label, _kinds(one.kinds)] for name, one in schemes().items()
    ]
    measures = [list(pair) for pair in MEASURES.values()]
    parts = [_RULES, table(["name", "short name", "what it is", "judges"], every)]
    parts += ["## What rules look at { #measures }", table(["in a rule", "what it is"], measures)]
    return "\n\n".join([*parts, *(_scheme(name, one) for name, one in schemes().items())]) + "\n"


def _kinds(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"{kind}s" for kind in kinds) or "nothing"


def _scheme(name: str, one: Scheme) -> str:
    source = one.source
    printed = [source.authors, str(source.year or ""), source.title, source.institution]
    parts = [f"## {name} {{ #{name} }}", f"**{one.label}.** {'. '.join(part.rstrip('.') for part in printed if part)}."]
    if one.rules:
        rows = [
            [_condition(rule), rule.verdict, f"`{rule.flag}`", _kinds(rule.kinds or one.kinds)] for rule in one.rules
        ]
        parts.append(table(["where", "verdict", "flag", "asked of"], rows))
    return "\n\n".join([*parts, f"How well it is known to agree with the printed text: {one_line(one.checked)}"])


def _condition(rule: Rule) -> str:
    if rule.above_curve:
        power, divisor = rule.above_curve.power, rule.above_curve.divisor
        shown = f"{MEASURES[rule.measure][0]} > p<sup>{power[0]}/{power[1]}</sup> / {divisor:g} (1 − p above one half)"
        return ", and ".join([shown, *map(_bounds, rule.where)])
    return ", and ".join(map(_bounds, [rule, *rule.where]))


def _bounds(part: Bounds) -> str:
    sign = MEASURES[part.measure][0]
    if part.measure == "extreme":
        return f"it is {sign}" if part.above is not None else f"it is not {sign}"
    limits = [(name, limit) for name in _BOUNDS if (limit := getattr(part, name)) is not None]
    if len(limits) == 2:
        (low, least), (high, most) = sorted(limits, key=lambda pair: pair[1])
        return f"{least:g} {_BOUNDS[low].replace('≥', '≤').replace('>', '<')} {sign} {_BOUNDS[high]} {most:g}"
    return f"{sign} {_BOUNDS[limits[0][0]]} {limits[0][1]:g}"


def answers_page() -> str:
    """Reference of the roles that columns of a survey can play."""
    roles = [[f"`{role}`", f"{one.question} {_how(one)}".strip()] for role, one in answers().items()]
    needs = [
        [f"[`{code}`](indicators.md#{anchor(code)})", ", ".join(f"`{role}`" for role in entry.on().roles)]
        for code, entry in catalogue().items()
        if entry.on().made_of == "survey"
    ]
    instruments = "\n".join(
        f"- {one_line(source)}" for source in dict.fromkeys(one.source for one in answers().values())
    )
    parts = [_ANSWERS, table(["role", "what respondents are asked"], roles)]
    parts += ["## What each indicator needs { #needs }", table(["indicator", "answers"], needs)]
    return "\n\n".join([*parts, f"## Where the questions come from {{ #instruments }}\n\n{instruments}"]) + "\n"


def _how(one: Answer) -> str:
    """What a role is beyond a question to everybody that is answered by yes or no."""
    asked = "Asked of those with " + " or ".join(f"`{role}`" for role in one.asked) if one.asked else ""
    said = ["A number" if one.kind == "number" else "", "For the household" if one.unit == "household" else "", asked]
    return " ".join(f"**{part}.**" for part in said if part)


def rubric_page() -> str:
    """Reference of the rubric of safety audits."""
    return "\n\n".join([_RUBRIC, *(_rubric(name, rubric(name)) for name in rubrics())]) + "\n"


def _rubric(name: str, one: Rubric) -> str:
    steps = range(one.best + 1)
    rows = [[f"`{p.code}`", p.question, *p.steps, f"{p.weight:g}"] for p in one.parameters]
    asked = f"{one.at_least} of {len(one.parameters)} parameters must be rated there"
    facts = f"A point's score runs from 0 to {one.points:g}; {asked}."
    parts = [f"## {one.label} {{ #{name} }}", facts, table(["parameter", "question", *map(str, steps), "weight"], rows)]
    return "\n\n".join([*parts, f"**Source** {one_line(one.source)}", f"**Checked** {one_line(one.checked)}"])
